"""Speed of the signal path.

    python benchmarks/signals.py preprocess             # 12 x 5000 at 500 Hz in, int16 and norm out
    python benchmarks/signals.py import                 # WFDB format 16 on the disk to a store
    python benchmarks/signals.py feed                   # shuffled batches of a store

The filters run on one core, from memory to memory. The ECGs are invented: noise over a wandering
baseline; none of the filters looks at what it filters.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from overread.manifest import Manifest
from overread.signals.preprocess import filter_windows, preprocess, reference
from overread.signals.store import open_store
from overread.signals.store_writer import writing_store
from overread.sources.recording import Recording
from overread.tables import LEADS


def ecgs(count: int) -> npt.NDArray[np.float32]:
    """Noise over a wandering baseline: float32 millivolts, count x 12 x 5000."""
    random = np.random.default_rng(0)
    signals = random.normal(0, 0.02, (count, 12, 5000)).cumsum(-1)
    return (signals + random.normal(0, 0.05, signals.shape)).astype(np.float32)


def per_second(work: Callable[[], object], count: int, repeats: int) -> float:
    """ECGs per second of processor time: the median of the repeats, after one run to warm up."""
    work()
    speeds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        speeds.append(count / (time.process_time() - start))
    return statistics.median(speeds)


def bench_preprocess(count: int, repeats: int) -> None:
    """The kernels beside SciPy's sosfiltfilt, record by record, on the same ECGs."""
    import torch

    from overread.signals import filter_torch

    torch.set_num_threads(1)
    signals = ecgs(count)
    windows = signals[:, :, ::2]
    some = max(1, count // 8)  # the slow ones see fewer ECGs
    recordings = [Recording(str(i), None, 500.0, signal) for i, signal in enumerate(signals)]
    tensor = torch.from_numpy(windows[:some].copy())
    baseline = per_second(lambda: [reference(one) for one in windows[:some]], some, repeats)
    print(f"{'ECGs per second of one core':<44}{'':>8}   ratio")
    for name, work, number in (
        ("numba kernel, all at once", lambda: filter_windows(windows), count),
        (
            "preprocess(), with quality and resampling",
            lambda: [*map(preprocess, recordings)],
            count,
        ),
        ("torch kernel on the CPU", lambda: filter_torch.filter_windows(tensor), some),
    ):
        speed = per_second(work, number, repeats)
        print(f"{name:<44}{speed:8,.0f} {speed / baseline:7.1f}")
    print(f"{'SciPy sosfiltfilt, one ECG at a time':<44}{baseline:8,.0f} {1:7.1f}")


def write_records(folder: Path, count: int) -> None:
    """So many WFDB records of format 16, 12 x 5000 at 500 Hz; every 200th has the same signal."""
    counts = np.round(ecgs(min(count, 200)) * 1000).astype("<i2")
    for number in range(count):
        one = counts[number % len(counts)]
        sums = one.sum(1, dtype=np.int64).astype(np.int16)
        name = f"r{number:07d}"
        place = folder / f"{number // 1000:04d}"
        place.mkdir(exist_ok=True)
        leads = "".join(
            f"{name}.dat 16 1000/mV 16 0 {first} {total} 0 {lead}\n"
            for first, total, lead in zip(one[:, 0], sums, LEADS, strict=True)
        )
        (place / f"{name}.hea").write_text(f"{name} 12 500 5000\n{leads}")
        (place / f"{name}.dat").write_bytes(one.T.tobytes())


def bench_import(counts: list[int], workers: int, folder: Path | None) -> None:
    """The command beside wfdb and SciPy record by record, and its memory as the corpus grows.

    Speeds are per second of processor time, which other work on the machine changes least; start-up
    is left out by taking the difference of the largest and the smallest corpus.
    """
    import wfdb

    runs = []
    with tempfile.TemporaryDirectory(dir=folder) as place:
        print(f"{'records':>9} {'seconds':>8} {'processor s':>12} {'peak GB':>8}")
        for count in sorted(counts):
            source = Path(place, str(count))
            source.mkdir()
            write_records(source, count)
            command = [sys.executable, "-m", "overread.cli.main", "signals", "import", str(source)]
            command += ["--out", f"{place}/store{count}", "--workers", str(workers)]
            seconds, used, peak = timed(command)
            runs.append((count, used))
            print(f"{count:9,} {seconds:8.1f} {used:12.1f} {peak:8.2f}")
        some = [str(header.with_suffix("")) for header in sorted(source.rglob("*.hea"))[:100]]

        def one_by_one() -> None:
            for record in some:
                reference(wfdb.rdrecord(record).p_signal.T[:, ::2])

        one_by_one()
        began = time.process_time()
        one_by_one()
        baseline = len(some) / (time.process_time() - began)
    (few, short), (many, long) = runs[0], runs[-1]
    speed = (many - few) / (long - short)
    print(f"{'records per second of one core, after start-up':<60}{speed:8,.0f}")
    print(f"{'wfdb.rdrecord and sosfiltfilt, one record at a time':<60}{baseline:8,.0f}")
    print(f"{'ratio':<60}{speed / baseline:8.1f}")


def bench_feed(windows: int, batch: int, folder: Path | None) -> None:
    """Shuffled batches into one buffer, beside torch.index_select on the same memory map."""
    import torch

    with tempfile.TemporaryDirectory(dir=folder) as place:
        write_store(Path(place), windows)
        few = str(min(8, windows // batch))
        for way in ("index_select", "gather"):  # before this process holds the file in memory
            found = [cold(way, place, few, batch) for _ in range(3)]
            print(f"{way + ', nothing in memory':<44}{statistics.median(found):10,.0f}")
        store = open_store(place)
        order = np.random.default_rng(0).permutation(windows)
        batches = [order[i : i + batch] for i in range(0, windows - batch + 1, batch)]
        buffer = torch.empty((batch, 12, 2500), dtype=torch.int16)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a read-only map
            mapped = torch.from_numpy(store.signals)
        loader = torch.utils.data.DataLoader(store.dataset(), batch, shuffle=True)
        ways: dict[str, Callable[[], object]] = {
            "torch.index_select on the map": lambda: [
                torch.index_select(mapped, 0, torch.from_numpy(one), out=buffer) for one in batches
            ],
            "Store.gather into a tensor": lambda: [store.gather(one, buffer) for one in batches],
            "Store.gather into an array": lambda: [
                store.gather(one, buffer.numpy()) for one in batches
            ],
            "DataLoader, one window at a time": lambda: [None for _ in loader],
        }
        print(f"{windows:,} windows, batches of {batch}; ECGs/s, median of 5 in turns, and ratio")
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(6):  # in turns, so that what else runs here disturbs all of them
            for name, way in ways.items():
                began = time.process_time()
                way()
                if turn:
                    speed = len(batches) * batch / (time.process_time() - began)
                    speeds[name].append(speed)
        medians = {name: statistics.median(found) for name, found in speeds.items()}
        bare = next(iter(medians.values()))
        for name, speed in medians.items():
            print(f"{name:<44}{speed:10,.0f} {speed / bare:7.2f}")


def cold(way: str, place: str, batches: str, batch: int) -> float:
    """ECGs/s of a process that finds none of the store in memory."""
    command = [sys.executable, __file__, "cold", way, place, batches, str(batch)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def run_cold(way: str, place: str, batches: int, batch: int) -> None:
    """Lets go of the cached file, then reads some batches; prints ECGs/s."""
    import torch

    file = os.open(f"{place}/signals.npy", os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    store = open_store(place)
    order = np.random.default_rng(0).permutation(len(store))
    buffer = torch.empty((batch, 12, 2500), dtype=torch.int16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mapped = torch.from_numpy(store.signals)
    began = time.process_time()
    for first in range(0, batches * batch, batch):
        one = order[first : first + batch]
        if way == "gather":
            store.gather(one, buffer)
        else:
            torch.index_select(mapped, 0, torch.from_numpy(one), out=buffer)
    print(batches * batch / (time.process_time() - began))


def write_store(folder: Path, windows: int) -> None:
    """A store of noise."""
    noise = np.random.default_rng(0).integers(-500, 500, (256, 12, 2500)).astype(np.int16)
    norm = np.ones((256, 12, 2), np.float32)
    with writing_store(folder, Manifest("benchmark")) as writer:
        assert writer is not None
        for first in range(0, windows, 256):
            n = min(256, windows - first)
            ids = [str(number) for number in range(first, first + n)]
            rest = {"patient_id": None, "source": "noise", "window": 0, "fs_hz": 250.0}
            rows = {name: [value] * n for name, value in {**rest, "quality": ""}.items()}
            writer.append(noise[:n], norm[:n], {"id": ids, **rows})
        writer.finish({})


def timed(command: list[str]) -> tuple[float, float, float]:
    """Seconds, processor seconds and peak resident GB of a command and its workers together."""
    began = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=quiet)
    peak = 0.0
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        peak = max(peak, resident(pid))
        time.sleep(0.1)
    if status:
        raise SystemExit("the command failed")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, peak / 1e9


def resident(pid: int) -> float:
    """Resident bytes of a process and its children; what they share counts once each."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return pages * resource.getpagesize() + sum(resident(int(child)) for child in children)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    sections = parser.add_subparsers(required=True)
    section = sections.add_parser("preprocess", help="filters, from memory to memory")
    section.add_argument("--ecgs", type=int, default=400)
    section.add_argument("--repeats", type=int, default=7)
    section.set_defaults(run=lambda given: bench_preprocess(given.ecgs, given.repeats))
    section = sections.add_parser("import", help="files on the disk to a store")
    section.add_argument("--records", type=int, nargs="+", default=[1_000, 10_000])
    section.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    section.add_argument("--folder", type=Path, help="Where the files go for a while.")
    section.set_defaults(run=lambda given: bench_import(given.records, given.workers, given.folder))
    section = sections.add_parser("feed", help="batches of a store")
    section.add_argument("--windows", type=int, default=25_600)
    section.add_argument("--batch", type=int, default=512)
    section.add_argument("--folder", type=Path, help="Where the store goes for a while.")
    section.set_defaults(run=lambda given: bench_feed(given.windows, given.batch, given.folder))
    section = sections.add_parser("cold")
    section.add_argument("way")
    section.add_argument("place")
    section.add_argument("batches", type=int)
    section.add_argument("batch", type=int)
    section.set_defaults(run=lambda g: run_cold(g.way, g.place, g.batches, g.batch))
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
