"""The store: what is read is what was written, whatever happened to the process in between."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import resource  # noqa: F401 (for the scripts)
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import overread
from overread.errors import Busy, OutputExists, OverreadError, TableError, UsageError
from overread.manifest import Input, Manifest
from overread.signals.store import open_store
from overread.signals.store_writer import writing_store

CHUNK = 4
REPOSITORY = Path(__file__).resolve().parents[2]


def chunk(number, *, prefix="r"):
    """Four windows whose samples say which they are; two of the same patient."""
    first = number * CHUNK
    signals = np.zeros((CHUNK, 12, 2500), np.int16)
    signals += np.arange(first, first + CHUNK, dtype=np.int16)[:, None, None]
    signals[:, :, 1] = np.arange(12)
    norm = np.full((CHUNK, 12, 2), number, np.float32)
    records = {
        "id": [f"{prefix}{first + each}" for each in range(CHUNK)],
        "patient_id": [f"{number}.0", f"{number}", None, None],
        "source": ["made"] * CHUNK,
        "window": [0] * CHUNK,
        "fs_hz": [500.0] * CHUNK,
        "quality": ["", "", "clipped", ""],
    }
    return signals, norm, records


def planned(name="a", **options):
    inputs = (Input(name, hashlib.sha256(name.encode()).hexdigest(), 1),)
    return Manifest("test", options=options, inputs=inputs)


def write(folder, chunks=3, *, plan=None, finish=True, prefix="r", **how):
    """Writes what is missing; how many chunks an earlier run had written, None if up to date."""
    with writing_store(folder, plan or planned(), **how) as writer:
        if writer is None:
            return None
        done = writer.chunks
        for number in range(done, chunks):
            writer.append(*chunk(number, prefix=prefix), account=number)
        if finish:
            writer.finish({"made": chunks})
        return done


def files_of(folder):
    """SHA-256 of every file but run.json, which holds the time."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


@pytest.fixture
def store(tmp_path):
    write(tmp_path / "store")
    return overread.open_store(tmp_path / "store")


def test_what_was_written_is_read(store):
    assert len(store) == 12
    assert store.signals.shape == (12, 12, 2500)
    assert store.signals.dtype == np.int16
    assert (store.signals[:, 0, 0] == np.arange(12)).all()
    assert (store.norm[:, 3, 1] == np.repeat([0, 1, 2], 4)).all()
    assert store.records.column_names == [
        "index", "id", "patient_id", "source", "window", "fs_hz", "split", "quality",
    ]  # fmt: skip
    assert store.records["id"].to_pylist() == [f"r{number}" for number in range(12)]
    assert store.records["index"].to_pylist() == list(range(12))
    assert store.records["patient_id"].to_pylist()[:4] == ["0", "0", None, None]
    assert store.manifest.counts["made"] == 3
    assert store.damaged() == []
    with pytest.raises(ValueError, match="read-only"):
        store.signals[0, 0, 0] = 1


def test_the_arrays_are_plain_npy_files(store):
    assert np.load(store.folder / "signals.npy", mmap_mode="r").shape == (12, 12, 2500)
    assert np.array_equal(np.load(store.folder / "norm.npy"), store.norm)


def test_splits_partition_the_windows(store):
    found = [store.indices(split) for split in ("train", "validation", "test")]
    assert sorted(np.concatenate(found).tolist()) == store.indices().tolist() == list(range(12))
    with pytest.raises(UsageError, match="no split 'dev'"):
        store.indices("dev")


def test_an_empty_store_is_a_store(tmp_path):
    write(tmp_path / "store", 0)
    store = open_store(tmp_path / "store")
    assert (len(store), store.signals.shape, store.damaged()) == (0, (0, 12, 2500), [])


def test_reading_leaves_no_thread_that_could_abort_a_command_that_ends(store):
    script = (
        "import os, sys\n"
        "import pyarrow.parquet\n"
        "from overread.signals.store import open_store\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "len(open_store(sys.argv[1]).records)\n"
        "sys.exit(len(os.listdir('/proc/self/task')) - before)\n"
    )
    command = [sys.executable, "-c", script, str(store.folder)]
    assert subprocess.run(command, cwd=REPOSITORY).returncode == 0


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lasting") / "store"
    write(folder)
    return open_store(folder)


@settings(deadline=None)
@given(at=st.lists(st.integers(0, 11), max_size=20))
def test_gather_copies_the_windows_in_their_order(lasting, at):
    torch = pytest.importorskip("torch")
    store = lasting
    expected = store.signals[at] if at else np.empty((0, 12, 2500), np.int16)
    array = np.full((20, 12, 2500), -1, np.int16)
    assert np.array_equal(store.gather(at, array), expected)
    assert (array[len(at) :] == -1).all()
    tensor = torch.full((20, 12, 2500), -1, dtype=torch.int16)
    assert np.array_equal(store.gather(at, tensor).numpy(), expected)
    assert (tensor[len(at) :] == -1).all()


@pytest.mark.parametrize("index", [-1, 12])
def test_gather_refuses_windows_that_are_not_there(store, index):
    with pytest.raises(IndexError, match=r"0\.\.11"):
        store.gather([0, index], np.empty((2, 12, 2500), np.int16))


def test_batches_are_all_windows_once(store):
    seen = []
    for index, signals, norm in store.batches(np.arange(12)[::-1], 5):
        assert (signals[:, 5, 0] == index).all()
        assert (norm[:, 0, 0] == index // 4).all()
        seen.append(index.tolist())
    assert seen == [[11, 10, 9, 8, 7], [6, 5, 4, 3, 2], [1, 0]]


def test_a_loader_gives_signal_norm_and_index(store):
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader(store.dataset([7, 2, 9]), batch_size=2)
    batches = list(loader)
    assert [batch[2].tolist() for batch in batches] == [[7, 2], [9]]
    assert [batch[0][:, 0, 0].tolist() for batch in batches] == [[7, 2], [9]]
    assert batches[0][1].shape == (2, 12, 2)


def test_a_pickled_data_set_is_a_path_and_not_120_gigabytes(store):
    data = pickle.dumps(store.dataset())
    assert len(data) < 10_000
    again = pickle.loads(data)
    assert len(again) == 12
    assert int(again[5][0][0, 0]) == 5
    write(store.folder, 2, plan=planned("other"), overwrite=True)
    with pytest.raises(OverreadError, match="was replaced while it was in use"):
        pickle.loads(data)


LEAN = """
import sys

class Absent:
    def find_spec(self, name, *_):
        absent = "polars spacy wfdb scipy torch numba pandas".split()
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Absent())
import overread
store = overread.open_store(sys.argv[1])
print(len(store), store.indices().tolist() == sorted(set(store.indices("train")) | set(
    store.indices("validation")) | set(store.indices("test"))), store.damaged())
"""


def test_reading_needs_numpy_and_pyarrow_only(store):
    command = [sys.executable, "-c", LEAN, str(store.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("12 True []\n", "")


# What is not a store, or no longer


def test_a_folder_without_a_store_is_refused(tmp_path):
    with pytest.raises(UsageError, match="Next step: overread signals import"):
        open_store(tmp_path / "absent")
    Manifest("labels extract").write(tmp_path)
    with pytest.raises(UsageError, match="holds no store"):
        open_store(tmp_path)


@pytest.mark.parametrize("name", ["signals.npy", "norm.npy", "records.parquet"])
def test_r20_a_missing_file_is_named(store, name):
    (store.folder / name).unlink()
    with pytest.raises(OverreadError, match=f"{name}: no such file"):
        open_store(store.folder)


@pytest.mark.parametrize("name", ["signals.npy", "norm.npy"])
def test_r20_a_cut_file_is_refused_when_it_is_opened(store, name):
    size = (store.folder / name).stat().st_size
    os.truncate(store.folder / name, size - 1)
    with pytest.raises(OverreadError, match=f"{name} is cut.*Next step"):
        open_store(store.folder)


def test_r20_a_file_that_is_cut_mid_run_stops_the_run_and_not_the_process(store):
    buffer = np.empty((2, 12, 2500), np.int16)
    store.gather([0, 11], buffer)
    os.truncate(store.folder / "signals.npy", 128 + 60_000)
    with pytest.raises(OverreadError, match=r"signals\.npy is cut"):
        store.gather([0, 11], buffer)
    with pytest.raises(OverreadError, match=r"signals\.npy is cut"):
        store.dataset()[11]


def test_a_damaged_table_is_refused(store):
    path = store.folder / "records.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(OverreadError, match=r"records\.parquet is damaged"):
        open_store(store.folder).indices("train")


def test_one_flipped_bit_anywhere_is_found(store):
    for name in ("signals.npy", "norm.npy"):
        path = store.folder / name
        size = path.stat().st_size
        for place in np.random.default_rng(1).integers(128, size, 25).tolist():
            with path.open("rb+") as file:
                file.seek(place)
                old = file.read(1)
                file.seek(place)
                file.write(bytes([old[0] ^ 4]))
                file.flush()
                [told] = store.damaged()
                window = (place - 128) // ((size - 128) // 12)
                first = window // 4 * 4
                assert told == (
                    f"{name}: windows {first} to {first + 3} are not as they were written"
                )
                file.seek(place)
                file.write(old)
    assert store.damaged() == []


# Adding, replacing, refusing


def test_adding_gives_the_bytes_of_one_import(tmp_path):
    both = tmp_path / "both"
    with writing_store(both, planned()) as writer:
        for number in range(5):
            writer.append(*chunk(number))
        writer.finish({})
    parts = tmp_path / "parts"
    write(parts, 2)
    with writing_store(parts, planned("b"), append=True) as writer:
        assert writer.windows == 8
        for number in range(2, 5):
            writer.append(*chunk(number))
        writer.finish({})
    assert files_of(parts) == files_of(both)
    assert open_store(parts).sha256 == open_store(both).sha256
    assert [each.name for each in open_store(parts).manifest.inputs] == ["a", "b"]


def test_an_id_comes_once(tmp_path):
    folder = tmp_path / "store"
    with writing_store(folder, planned()) as writer:
        writer.append(*chunk(0))
        with pytest.raises(TableError, match="4 ids are in the store already"):
            writer.append(*chunk(0))
        signals, norm, records = chunk(1)
        records["id"][1] = records["id"][0]
        with pytest.raises(TableError, match="1 ids are in the store already or come twice"):
            writer.append(signals, norm, records)
        records["window"][1] = 1  # two windows of one record
        writer.append(signals, norm, records)
        writer.finish({})
    assert open_store(folder).manifest.counts["records"] == 7
    with writing_store(folder, planned("b"), append=True) as writer:
        assert writer.holds("r3")
        with pytest.raises(TableError, match="in the store already"):
            writer.append(*chunk(0))


def test_e07_a_store_of_other_work_is_not_touched(tmp_path):
    folder = tmp_path / "store"
    write(folder)
    before = files_of(folder)
    assert write(folder) is None
    for plan, how, told in (
        (planned("b"), {}, "--append to add"),
        (planned(rate=1), {}, "--append to add"),
        (planned("b", rate=1), {"append": True}, "made with other options"),
        (Manifest("another"), {"overwrite": True}, "result of overread test"),
    ):
        with pytest.raises(OutputExists, match=told):
            write(folder, plan=plan, **how)
        assert files_of(folder) == before
    write(folder, 1, plan=planned("b"), overwrite=True)
    assert len(open_store(folder)) == 4


def test_the_old_store_stands_until_the_new_one_is_whole(tmp_path):
    folder = tmp_path / "store"
    write(folder)
    before = {name: sha for name, sha in files_of(folder).items() if "/" not in name}
    write(folder, 2, plan=planned("b"), overwrite=True, finish=False)
    after = {name: sha for name, sha in files_of(folder).items() if "/" not in name}
    assert after == before
    assert len(open_store(folder)) == 12
    assert write(folder, 2, plan=planned("b"), overwrite=True) == 2  # it is taken up
    assert len(open_store(folder)) == 8


def test_unfinished_work_of_another_plan_is_kept_or_dropped_when_asked(tmp_path):
    folder = tmp_path / "store"
    write(folder, 2, finish=False)
    with pytest.raises(OutputExists, match="unfinished work with other inputs or options"):
        write(folder, plan=planned("b"))
    assert write(folder, 2, finish=False) == 2
    assert write(folder, plan=planned("b"), overwrite=True) == 0


def test_c01_a_second_writer_is_told_that_it_is_busy(tmp_path):
    with (
        writing_store(tmp_path / "store", planned()),
        pytest.raises(Busy, match="another run"),
    ):
        write(tmp_path / "store")


def test_c06_everything_is_private(store):
    assert {path.stat().st_mode & 0o777 for path in store.folder.iterdir()} == {0o600}
    assert store.folder.stat().st_mode & 0o777 == 0o700


# Killed, interrupted, out of room

LATER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from signals.test_store import *
"""


def script(body):
    return LATER.format(tests=str(REPOSITORY / "tests")) + body


KILLED = script("""
folder, chunks = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
with writing_store(folder, planned()) as writer:
    for number in range(writer.chunks, chunks):
        writer.append(*chunk(number), account=number)
    writer.finish({"made": chunks})
""")


def kill_at_random(folder, chunks, kills, seed):
    """Runs the writer until it has been killed so often, then to its end."""
    draw = random.Random(seed)
    while True:
        command = [sys.executable, "-c", KILLED, str(folder), str(chunks)]
        running = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert running.stdout.readline() == b"ready\n"
        if kills:
            time.sleep(draw.uniform(0.001, 0.06))
            running.kill()
        ended = running.wait()
        running.stdout.close()
        if ended == 0:
            return kills
        assert ended == -signal.SIGKILL
        assert not (folder / "run.json").exists()
        kills -= 1


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_r01_killed_at_random_and_resumed_gives_the_same_bytes(tmp_path, kills):
    write(tmp_path / "whole", 60)
    assert kill_at_random(tmp_path / "store", 60, kills, seed=kills) == 0
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")


# Kills itself at the N-th time that it changes anything on the disk, for N = 1, 2, 3 ...
EVERYWHERE = script("""
import pandas, pyarrow.parquet  # once, and not in each child: pyarrow looks for pandas

folder = Path(sys.argv[1])
plan = planned("a" if sys.argv[2] == "new" else "b")
how = {} if sys.argv[2] == "new" else {sys.argv[2]: True}
first = 2 if sys.argv[2] == "append" else 0

def work():
    with writing_store(folder, plan, **how) as writer:
        if writer is None:
            return
        for number in range(first + writer.chunks, first + 3):
            writer.append(*chunk(number, prefix="n"), account=number)
        writer.finish({"made": 3})

def dies(at):
    count = 0
    def tick(*_):
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
    changing = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod")
    sys.addaudithook(lambda event, _: tick() if event in changing else None)
    for name in ("fsync", "pwrite"):
        real = getattr(os, name)
        setattr(os, name, lambda *given, real=real: (tick(), real(*given))[1])

at, seen = 0, []
while True:
    at += 1
    child = os.fork()
    if not child:
        dies(at)
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    try:
        seen.append(open_store(folder).sha256)
    except UsageError:
        seen.append(None)
    if not status:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, status
print(json.dumps([at, seen]))
""")


@pytest.mark.parametrize("step", ["new", "append", "overwrite"])
def test_killed_at_every_change_on_the_disk_it_is_the_old_store_or_the_new(tmp_path, step):
    """Each run goes a change further than the last: all of them together finish the work."""
    folder, whole = tmp_path / "store", tmp_path / "whole"
    for place in (folder, whole) if step != "new" else ():
        write(place, 2, prefix="o")
    old = open_store(folder).sha256 if step != "new" else None
    done = subprocess.run(
        [sys.executable, "-c", EVERYWHERE, str(folder), step],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    plan = planned("a" if step == "new" else "b")
    first = 2 if step == "append" else 0
    how = {} if step == "new" else {step: True}
    with writing_store(whole, plan, **how) as writer:
        for number in range(first, first + 3):
            writer.append(*chunk(number, prefix="n"), account=number)
        writer.finish({"made": 3})
    kills, seen = json.loads(done.stdout)
    new = open_store(whole).sha256
    assert kills > 10
    assert files_of(folder) == files_of(whole)
    assert set(seen) <= {old, new, None}
    assert seen[-1] == new
    if step == "append":
        assert None not in seen


def test_what_was_half_written_is_cut_off(tmp_path):
    folder = tmp_path / "store"
    write(tmp_path / "whole", 3)
    write(folder, 2, finish=False)
    for name in ("signals.npy", "norm.npy"):
        with (folder / ".import" / name).open("ab") as file:
            file.write(b"half a chunk")
    with (folder / ".import" / "journal.jsonl").open("ab") as file:
        file.write(b'{"windows": 4, "sha256": ["4e')
    assert write(folder, 3) == 2
    assert files_of(folder) == files_of(tmp_path / "whole")


def test_work_whose_samples_are_gone_is_not_taken_up(tmp_path):
    folder = tmp_path / "store"
    write(folder, 2, finish=False)
    os.truncate(folder / ".import" / "signals.npy", 128 + 5 * 60_000)
    with pytest.raises(OverreadError, match=r"is damaged: signals\.npy is shorter"):
        write(folder, 3)


LIMITED = script("""
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
for limit in (64, 100_000, 500_000, 900_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    said = ""
    try:
        write(Path(sys.argv[1]), 5, plan=planned("b"), overwrite=True)
    except OverreadError as error:
        said = str(error)
    store = open_store(sys.argv[1])
    journal = store.folder / ".import" / "journal.jsonl"
    kept = journal.read_bytes().count(b"\\n") if journal.exists() else 0
    print(json.dumps([said, store.sha256, store.damaged(), kept]))
""")


def test_e08_e09_a_full_disk_keeps_the_old_store_and_the_work(tmp_path):
    folder = tmp_path / "store"
    write(folder, 2, prefix="o")
    write(tmp_path / "whole", 5, plan=planned("b"))
    old = open_store(folder).sha256
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    kept = []
    for said, sha256, damaged, chunks in map(json.loads, done.stdout.splitlines()):
        assert "disk is full" in said
        assert (sha256, damaged) == (old, [])
        kept.append(chunks)
    assert kept == [0, 0, 2, 3]
    assert write(folder, 5, plan=planned("b"), overwrite=True) == 3
    assert files_of(folder) == files_of(tmp_path / "whole")


WRITES = script("""
folder = Path(sys.argv[1])
for turn in range(int(sys.argv[2])):
    write(folder, 1 + turn % 4, plan=planned(str(turn)), overwrite=True, prefix=f"{turn}-")
    with writing_store(folder, planned(f"{turn} more"), append=True) as writer:
        writer.append(*chunk(7, prefix=f"{turn}-"))
        writer.finish({})
""")


def test_c03_a_reader_beside_a_writer_sees_one_store_and_never_two_mixed(tmp_path):
    folder = tmp_path / "store"
    write(folder, 1, prefix="0-")
    found = []
    with subprocess.Popen([sys.executable, "-c", WRITES, str(folder), "12"]) as running:
        while running.poll() is None:
            with suppress(UsageError):  # for a moment, while one store replaces another
                store = open_store(folder)
                turns = {id.split("-")[0] for id in store.records["id"].to_pylist()}
                assert len(turns) == 1
                numbers = [int(id.split("-")[1]) for id in store.records["id"].to_pylist()]
                assert store.signals[:, 0, 0].tolist() == numbers
                found.append((turns.pop(), len(store)))
    assert running.returncode == 0
    assert len(set(found)) > 5
