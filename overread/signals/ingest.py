"""From recordings to a store: read, judge, filter, write, with an account of every record."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console

from overread.engine import Engine, map_chunks
from overread.errors import BadRecord, OverreadError, TableError, UsageError
from overread.files import Fingerprint, atomic_write
from overread.manifest import Input, Manifest, inputs_of, versions
from overread.report.progress import Heard
from overread.report.terminal import TerminalTable
from overread.signals.cohort import DUPLICATE, IMPORTS, Flow, flow_table, flows_of
from overread.signals.preprocess import Filtered, Rejected, Resampling, cut, filter_windows
from overread.signals.store import ARRAYS, SIGNALS_FILE, array_bytes, open_store
from overread.signals.store_writer import RECORD, StoreWriter, write_table, writing_store
from overread.sources.recording import Recording, SignalSource

if TYPE_CHECKING:
    import pyarrow as pa

#: Where the commands look for a store unless told otherwise.
DEFAULT_FOLDER = Path("overread-out/store")

COMMAND: Final = "signals import"
QUARANTINE_FILE: Final = "quarantine.csv"
REJECTED_FILE: Final = "rejected.parquet"

Duplicates = Literal["error", "first"]

#: In the column ``quality``: somewhere the signal left what the store can hold, 32.767 mV.
CLIPPED: Final = "clipped"

_GROUP = 32  # windows that are filtered at once: larger arrays are new memory each time
_SHARE = 256  # recordings per task; part of the store's bytes only through chunks.parquet


@dataclass(frozen=True, slots=True)
class Given:
    """A source, and the path that it was opened from."""

    source: SignalSource
    path: Path


def import_signals(
    given: Sequence[Given],
    folder: Path,
    *,
    resample: Resampling,
    duplicates: Duplicates,
    max_bad: float,
    workers: int | None,
    engine: Engine,
    append: bool,
    overwrite: bool,
    console: Console,
    reading: Mapping[str, Any] | None = None,
) -> list[Flow]:
    """Imports sources into a store and prints the account; does nothing where that is up to date.

    Goes on where an earlier run with the same sources and options was stopped. More than the share
    ``max_bad`` of records that cannot be read stops it with ``OverreadError``; what is written is
    kept. ``reading`` are the options with which the sources were opened: other ones are another
    import. Raises ``TableError`` where an id comes twice and ``duplicates`` is "error".
    """
    inputs = {_input(each, folder): each.source for each in given}
    planned = Manifest(
        command=COMMAND,
        options={"resample": resample, "duplicates": duplicates, **(reading or {})},
        inputs=tuple(inputs),
        versions=versions("numpy", "scipy", "numba", "wfdb"),
    )
    began = time.monotonic()
    with writing_store(
        folder,
        planned,
        append=append,
        overwrite=overwrite,
        beside=(REJECTED_FILE, QUARANTINE_FILE),
    ) as writer:
        if writer is None:
            console.print(f"up to date: {folder}", highlight=False)
            return flows_of(Manifest.read(folder))
        standing = () if writer.standing is None else writer.standing.manifest.inputs
        known = {each.sha256 for each in standing}
        sources = [source for one, source in inputs.items() if one.sha256 not in known]
        job = _Job(sources, writer, duplicates, max_bad)
        for source in sources:
            for note in source.notes:
                console.print(f"{source.name}: {note}", highlight=False)
        with Heard(console) as heard:
            job.run(_Reader(resample), workers, engine, console, heard)
        flows = job.finish()
    console.print(TerminalTable(flow_table(open_store(folder))))
    place = "" if folder == DEFAULT_FOLDER else f" --out {folder}"
    console.print(
        f"written to {folder} in {time.monotonic() - began:.1f} s\n"
        f"Next: overread signals info{place}, overread signals verify{place}",
        highlight=False,
    )
    return flows


class _Share(NamedTuple):
    """Some recordings of one source, by their keys, and their numbers in it from 1."""

    source: SignalSource
    keys: Sequence[str]
    numbers: Sequence[int]


class _Piece(NamedTuple):
    """What came of a share: a chunk of the store, and the account of its records."""

    signals: npt.NDArray[np.int16]
    norm: npt.NDArray[np.float32]
    records: dict[str, list[Any]]
    flow: Flow
    rejected: list[tuple[str, str]]  # id, reason
    quarantined: list[tuple[int, str]]  # number of the record, reason


class _Reader:
    """Reads, judges and filters shares of recordings; it works in other processes."""

    def __init__(self, resample: Resampling) -> None:
        self._resample = resample

    def __call__(self, share: _Share) -> _Piece:
        source = share.source
        flow = Flow(source.name)
        records: dict[str, list[Any]] = {name: [] for name in RECORD}
        samples: list[npt.NDArray[np.float32]] = []
        waiting = 0  # windows in them
        done = [filter_windows(np.empty((0, *ARRAYS[SIGNALS_FILE][1]), np.float32))]
        remarks: Counter[str] = Counter()
        rejected: list[tuple[str, str]] = []
        quarantined: list[tuple[int, str]] = []
        for number, key in zip(share.numbers, share.keys, strict=True):
            flow.read += 1
            try:
                recording = _recording(source, key)
            except BadRecord as fault:
                quarantined.append((number, str(fault)))
                continue
            remarks.update(set(recording.remarks))
            windows = cut(recording, resample=self._resample)
            if isinstance(windows, Rejected):
                rejected.append((recording.id, str(windows.reason)))
                continue
            flow.kept += 1
            flow.left_out += windows.left_out
            samples.append(windows.samples)
            waiting += len(windows.samples)
            if waiting >= _GROUP:
                done.append(filter_windows(np.concatenate(samples)))
                samples, waiting = [], 0
            for window in windows.number.tolist():
                row = recording.id, recording.patient_id, source.name, window, recording.fs_hz, ""
                for name, value in zip(RECORD, row, strict=True):
                    records[name].append(value)
        if samples:
            done.append(filter_windows(np.concatenate(samples)))
        filtered = Filtered(*map(np.concatenate, zip(*done, strict=True)))
        records["quality"] = [CLIPPED if clipped else "" for clipped in filtered.clipped]
        flow.windows = len(filtered.signals)
        flow.clipped = int(filtered.clipped.sum())
        flow.quarantined = len(quarantined)
        flow.rejected = dict(Counter(reason for _, reason in rejected))
        flow.remarks = dict(remarks)
        return _Piece(filtered.signals, filtered.norm, records, flow, rejected, quarantined)


def _recording(source: SignalSource, key: str) -> Recording:
    try:
        source.id_of(key).encode()
    except UnicodeEncodeError:
        raise BadRecord("has a name that is not UTF-8 text") from None
    return source.signal(key)


class _Job:
    """One import into a store, from its first share to its tables."""

    def __init__(
        self,
        sources: Sequence[SignalSource],
        writer: StoreWriter,
        duplicates: Duplicates,
        max_bad: float,
    ) -> None:
        self._sources = sources
        self._writer = writer
        self._max_bad = max_bad
        self._standing = [] if writer.standing is None else flows_of(writer.standing.manifest)
        self._flows = [Flow(source.name) for source in sources]
        self._repeated: list[tuple[int, str]] = []  # source, id
        self._keys = [source.keys() for source in sources]
        self._total = sum(map(len, self._keys))
        self._shares = [*self._cut(duplicates)]
        if not self._total:
            raise UsageError("The sources hold no recording. Next step: check the folders.")
        for account in writer.accounts():  # of an earlier run that was stopped
            self._flows[account["source"]].add(Flow(**account["flow"]))

    def run(
        self,
        reader: _Reader,
        workers: int | None,
        engine: Engine,
        console: Console,
        heard: Heard,
    ) -> None:
        """Writes every share that is not written yet."""
        if self._writer.chunks:
            console.print(
                f"going on after {self._read():,} of {self._total:,} records", highlight=False
            )
        self._tell_of_room(console)
        self._stop_if_bad()
        shares = self._shares[self._writer.chunks :]
        sent = (self._share(place, numbers) for place, numbers in shares)
        with closing(map_chunks(reader, sent, workers=workers, engine=engine)) as pieces:
            for (place, _), piece in zip(shares, pieces, strict=True):
                self._write(place, piece)
                self._stop_if_bad()
                heard.say("records imported", self._read(), self._total)

    def finish(self) -> list[Flow]:
        """Writes what was kept out and makes it a store; the flows of all its imports."""
        flows = [*self._standing, *self._flows]
        write_table(self._writer.work / REJECTED_FILE, self._rejected())
        atomic_write(self._writer.work / QUARANTINE_FILE, self._quarantine(), overwrite=True)
        self._writer.finish({IMPORTS: [asdict(flow) for flow in flows]})
        return flows

    def _cut(self, duplicates: Duplicates) -> Iterator[tuple[int, Sequence[int]]]:
        """Shares of the records whose id is new: place of the source, numbers in it.

        Known before hours of work: an id needs no signal.
        """
        standing = self._writer.standing
        seen = set() if standing is None else set(standing.records["id"].to_pylist())
        for place, source in enumerate(self._sources):
            numbers = array("L")
            for number, key in enumerate(self._keys[place], 1):
                id = source.id_of(key)
                if id not in seen:
                    seen.add(id)
                    numbers.append(number)
                elif duplicates == "first":
                    self._repeated.append((place, id))
                    self._flows[place].add(Flow("", read=1, rejected={DUPLICATE: 1}))
                else:
                    raise TableError(
                        f"{source.name}: record {number} has the id of an earlier record. Next "
                        "step: leave out what comes twice, or keep the first of each with "
                        "--duplicates first."
                    )
            for first in range(0, len(numbers), _SHARE):
                yield place, numbers[first : first + _SHARE]

    def _share(self, place: int, numbers: Sequence[int]) -> _Share:
        keys = [self._keys[place][number - 1] for number in numbers]
        return _Share(self._sources[place].only(keys), keys, numbers)

    def _tell_of_room(self, console: Console) -> None:
        free = shutil.disk_usage(self._writer.work).free
        left = self._total - self._read()
        need = array_bytes(SIGNALS_FILE, left)
        if need > free:
            console.print(
                f"{left:,} records of 10 s need {need / 1e9:.1f} GB, and {free / 1e9:.1f} GB are "
                "free here",
                highlight=False,
            )

    def _read(self) -> int:
        return sum(flow.read for flow in self._flows)

    def _write(self, place: int, piece: _Piece) -> None:
        account = {
            "source": place,
            "flow": asdict(piece.flow),
            "rejected": piece.rejected,
            "quarantined": piece.quarantined,
        }
        self._writer.append(piece.signals, piece.norm, piece.records, account)
        self._flows[place].add(piece.flow)

    def _stop_if_bad(self) -> None:
        bad = sum(flow.quarantined for flow in self._flows)
        if bad <= self._max_bad * self._total:
            return
        first = next(a for a in self._writer.accounts() if a["quarantined"])
        number, reason = first["quarantined"][0]
        raise OverreadError(
            f"{bad:,} of {self._total:,} records cannot be read, more than --max-bad allows. The "
            f"first is record {number} of {self._flows[first['source']].source}, which {reason}. "
            "What is done is kept. Next step: mend or remove them, or give the same command with "
            "a larger --max-bad to go on."
        )

    def _rejected(self) -> pa.Table:
        """Records that are not used: number of the import, id, reason."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema({"import": pa.uint16(), "id": pa.string(), "reason": pa.string()})
        found = [(place, id, DUPLICATE) for place, id in self._repeated]
        for account in self._writer.accounts():
            found += [(account["source"], *each) for each in account["rejected"]]
        before = len(self._standing) + 1
        rows = [dict(zip(schema.names, (before + f[0], *f[1:]), strict=True)) for f in found]
        table = pa.Table.from_pylist(rows, schema)
        if self._writer.standing is None:
            return table
        old = pq.read_table(self._writer.standing.folder / REJECTED_FILE)
        # Behind them may stand those of this import, if it was killed while it finished.
        count = sum(sum(flow.rejected.values()) for flow in self._standing)
        return pa.concat_tables([old.slice(0, count), table])

    def _quarantine(self) -> bytes:
        """Records that cannot be read: number of the import, number of the record, reason."""
        lines: list[Sequence[Any]] = [("import", "record", "reason")]
        if self._writer.standing is not None:
            path = self._writer.standing.folder / QUARANTINE_FILE
            count = sum(flow.quarantined for flow in self._standing)
            with path.open(encoding="utf-8", newline="") as file:
                lines[:] = [*csv.reader(file)][: count + 1]
        for account in self._writer.accounts():
            number = len(self._standing) + account["source"] + 1
            lines += [(number, *each) for each in account["quarantined"]]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        return text.getvalue().encode()


def _input(given: Given, out: Path) -> Input:
    """A source by the names, sizes and times of its files: reading all of 150 GB takes too long."""
    path = given.path
    digest = hashlib.sha256(f"{given.source.name}\n".encode())
    size = files = 0
    root = path if path.is_dir() else path.parent
    for file in _files(path, out.absolute()):
        found = file.stat()
        line = f"{file.relative_to(root)}\0{found.st_size}\0{found.st_mtime_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
        size += found.st_size
        files += 1
    [one] = inputs_of([Fingerprint(path.name, size, 0, digest.hexdigest(), files)])
    return one


def _files(path: Path, out: Path) -> Iterator[Path]:
    """The files of a folder, or those that have the stem of one record's file; no outputs."""
    if not path.is_dir():
        stem = path.stem if path.is_file() else path.name
        beside = (each for each in path.parent.iterdir() if each.name.startswith(f"{stem}."))
        yield from sorted(each for each in beside if each.is_file())
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(
            name
            for name in folders
            if name[0] != "." and name != "overread-out" and Path(folder, name).absolute() != out
        )
        yield from (Path(folder, name) for name in sorted(names) if Path(folder, name).is_file())
