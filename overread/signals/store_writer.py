"""Writing a store piece by piece, so that a run killed at any moment goes on where it stopped.

Work in progress lies in the hidden folder ``.import`` of the store: its plan (a ``run.json``) and a
journal with one line per finished chunk, written once the chunk's samples are on the disk. A new
store's arrays grow there and are renamed at the end; work that adds to a store writes behind the
end of its arrays, where no reader looks: copying 120 GB is no way to add a record.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from io import BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from overread.errors import OutputExists, OverreadError, TableError
from overread.files import atomic_write, is_disk_full, locked, output_folder, refuse_existing
from overread.interrupt import uninterrupted
from overread.manifest import RUN_FILE, Manifest
from overread.signals.splits import patient_text, split_of
from overread.signals.store import (
    ARRAYS,
    CHUNKS_FILE,
    HEADER,
    RECORDS_FILE,
    SHA256,
    WINDOWS,
    Store,
    array_bytes,
    hash_of,
    open_store,
)

if TYPE_CHECKING:
    import pyarrow as pa

#: What a caller tells of each window; index and split are the writer's.
RECORD: Final = ("id", "patient_id", "source", "window", "fs_hz", "quality")

_WORK = ".import"
_JOURNAL = "journal.jsonl"
_BASE = "base"  # windows of the store that the work adds to


class StoreWriter:
    """Adds chunks in order; made by `writing_store`."""

    def __init__(
        self, folder: Path, planned: Manifest, standing: Store | None, stack: ExitStack
    ) -> None:
        self._stack = stack
        self._folder = folder
        self._planned = planned
        #: The store that this work adds to.
        self.standing = standing
        #: A folder whose files become files of the store when `finish` is called.
        self.work = folder / _WORK
        #: Chunks of this work that are written, those of an interrupted run among them.
        self.chunks = 0
        #: Windows of the store, those of this work included.
        self.windows = 0 if standing is None else len(standing)
        self._ids = set() if standing is None else set(standing.records["id"].to_pylist())
        self._journal = stack.enter_context(_opened(self.work / _JOURNAL))
        end = 0
        for line, end in self._lines():  # noqa: B007 (the end of the last whole line)
            self._count(line)
        self._journal.truncate(end)
        self._journal.seek(end)
        self._arrays = [self._array(name) for name in ARRAYS]

    def append(
        self,
        signals: npt.NDArray[np.int16],
        norm: npt.NDArray[np.float32],
        records: Mapping[str, Sequence[Any]],
        account: Any = None,
    ) -> None:
        """Writes the next chunk; it is safe from a kill once this returns.

        ``signals`` is int16 microvolts, windows x 12 x 2500, ``norm`` float32, windows x 12 x 2;
        ``records`` has one entry per window under each name of ``RECORD``. ``account`` is anything
        that JSON holds, for `accounts`. Raises ``TableError`` where an id is in the store already;
        the chunk is not written then.
        """
        count = len(signals)
        arrays: tuple[npt.NDArray[Any], ...] = (signals, norm)
        for name, array in zip(ARRAYS, arrays, strict=True):
            dtype, shape = ARRAYS[name]
            if array.dtype != dtype or array.shape != (count, *shape):
                raise ValueError(f"{name}: {array.dtype} {array.shape} is not {dtype} {shape}")
        if {len(records[name]) for name in RECORD} != {count}:
            raise ValueError(f"records need {count} entries each")
        self._refuse_repeated(records)
        raw = [
            np.ascontiguousarray(array).reshape(-1).view(np.uint8).data for array in (signals, norm)
        ]
        line = {
            WINDOWS: count,
            SHA256: [hashlib.sha256(data).hexdigest() for data in raw],
            "records": {name: list(records[name]) for name in RECORD},
            "account": account,
        }
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
        with _full_disk_told(self._folder, self.windows):
            for file, data in zip(self._arrays, raw, strict=True):
                _write(file, data)
            _write(self._journal, text + b"\n")
        self._count(line)

    def holds(self, id: str) -> bool:
        """Whether a record of this id is in the store."""
        return id in self._ids

    def accounts(self) -> Iterator[Any]:
        """What was told of each chunk of this work, in order."""
        return (line["account"] for line, _ in self._lines())

    def finish(self, counts: Mapping[str, Any]) -> None:
        """Makes it a store, or the larger one: readers see all the new windows or none.

        ``counts`` go into run.json beside those that a reader needs.
        """
        import pyarrow as pa

        chunks = self._chunks()
        records = pa.Table.from_batches(self._records(), _record_schema())
        write_table(self.work / RECORDS_FILE, records)
        write_table(self.work / CHUNKS_FILE, pa.Table.from_pylist(chunks, _chunk_schema()))
        for name, file in zip(ARRAYS, self._arrays, strict=True):
            _write_header(file, name, self.windows)
        made = {WINDOWS: self.windows, "records": len(self._ids), SHA256: hash_of(chunks)}
        with uninterrupted():
            if self.standing is None:
                # Files half renamed are neither the old store nor the new one.
                (self._folder / RUN_FILE).unlink(missing_ok=True)
            for path in sorted(self.work.iterdir()):
                # Dotted ones are the temporary files of a run that was killed.
                if path.name not in (RUN_FILE, _JOURNAL) and path.name[0] != ".":
                    path.replace(self._folder / path.name)
            replace(self._planned, counts={**counts, **made}).write(self._folder)
            shutil.rmtree(self.work)

    def _array(self, name: str) -> FileIO:
        """One of the two arrays, cut behind what the journal tells of, and standing at its end."""
        # Renamed already where an earlier run was killed in `finish`; never in the work where that
        # adds to a store.
        path = self.work / name
        path = path if path.exists() else self._folder / name
        file = self._stack.enter_context(_opened(path))
        size = array_bytes(name, self.windows)
        if os.fstat(file.fileno()).st_size < size:
            raise OverreadError(
                f"The unfinished work in {self._folder.name} is damaged: {name} is shorter than "
                f"its journal tells. Next step: remove the folder {_WORK} in it, and start again."
            )
        file.truncate(size)
        _write_header(file, name, 0 if self.standing is None else len(self.standing))
        file.seek(size)
        return file

    def _lines(self) -> Iterator[tuple[dict[str, Any], int]]:
        """The whole lines of the journal, and the place behind each."""
        end = 0
        with (self.work / _JOURNAL).open("rb") as file:
            for text in file:
                if text.endswith(b"\n"):  # else the run was killed while it wrote this
                    end += len(text)
                    yield json.loads(text), end

    def _count(self, line: Mapping[str, Any]) -> None:
        self._ids.update(line["records"]["id"])
        self.windows += line[WINDOWS]
        self.chunks += 1

    def _refuse_repeated(self, records: Mapping[str, Sequence[Any]]) -> None:
        windows = list(zip(records["id"], records["window"], strict=True))
        again = len(windows) - len(set(windows)) or len(self._ids.intersection(records["id"]))
        if again:
            raise TableError(
                f"{again} ids are in the store already or come twice. Next step: leave the records "
                "out that are there already, or keep the first of each with --duplicates first."
            )

    def _records(self) -> Iterator[pa.RecordBatch]:
        """All rows of records.parquet, those of the standing store first."""
        import pyarrow as pa

        schema = _record_schema()
        index = 0
        if self.standing is not None:
            index = len(self.standing)
            yield from self.standing.records.to_batches()
        for line, _ in self._lines():
            rows = line["records"]
            patients = [patient_text(patient) for patient in rows["patient_id"]]
            columns = {
                **rows,
                "index": range(index, index + line[WINDOWS]),
                "patient_id": patients,
                "split": [split_of(p, id) for p, id in zip(patients, rows["id"], strict=True)],
            }
            index += line[WINDOWS]
            arrays = [pa.array(columns[field.name], field.type) for field in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _chunks(self) -> list[dict[str, Any]]:
        """All rows of chunks.parquet."""
        rows = [] if self.standing is None else self.standing.chunks
        first = sum(row[WINDOWS] for row in rows)
        for line, _ in self._lines():
            signals, norm = line[SHA256]
            if line[WINDOWS]:
                row = {"first": first, WINDOWS: line[WINDOWS], "signals": signals, "norm": norm}
                rows.append(row)
            first += line[WINDOWS]
        return rows


@contextmanager
def writing_store(
    folder: str | os.PathLike[str],
    planned: Manifest,
    *,
    append: bool = False,
    overwrite: bool = False,
    beside: Sequence[str] = (),
) -> Iterator[StoreWriter | None]:
    """A writer of the store in ``folder``, or None where it holds what is planned already.

    Work that an earlier run with the same plan left unfinished is taken up: skip as many chunks as
    the writer has. Without `StoreWriter.finish` the work is kept for later. ``append`` adds to the
    store that is there; its inputs then stand before the planned ones in ``run.json``. ``beside``
    are names of files that the work adds to those of a store.

    Raises ``OutputExists`` where the folder holds a store or unfinished work of other inputs or
    options, or files of no store, and ``overwrite`` was not given, ``Busy`` where a run holds it.
    """
    folder = output_folder(folder)
    with locked(folder):
        standing = Manifest.standing(folder, overwrite=overwrite)
        plan = planned
        if standing is not None:
            if _holds(standing, planned) and not overwrite:
                shutil.rmtree(folder / _WORK, ignore_errors=True)  # killed after the last rename
                yield None
                return
            plan = _plan(folder, standing, planned, append=append, overwrite=overwrite)
        store = open_store(folder) if standing is not None and not overwrite else None
        names = (*ARRAYS, RECORDS_FILE, CHUNKS_FILE, *beside) if standing is None else ()
        base = len(store or ())
        with _full_disk_told(folder, base):
            _begin(folder, replace(plan, counts={_BASE: base}), names, overwrite=overwrite)
        with ExitStack() as stack:
            yield StoreWriter(folder, plan, store, stack)


def write_table(path: Path, table: pa.Table) -> None:
    """Writes `table_bytes`, whole or not at all."""
    atomic_write(path, table_bytes(table), overwrite=True)


def table_bytes(table: pa.Table) -> bytes:
    """A Parquet file whose bytes depend on the rows only, not on how they came together."""
    import pyarrow.parquet as pq

    file = BytesIO()
    pq.write_table(
        table.combine_chunks(),
        file,
        row_group_size=1 << 16,
        compression="zstd",
        write_page_checksum=True,
    )
    return file.getvalue()


def _holds(standing: Manifest, planned: Manifest) -> bool:
    inputs = {each.sha256 for each in standing.inputs}
    same = replace(planned, inputs=standing.inputs).same_work(standing)
    return same and inputs.issuperset(each.sha256 for each in planned.inputs)


def _plan(
    folder: Path, standing: Manifest, planned: Manifest, *, append: bool, overwrite: bool
) -> Manifest:
    """What will stand in run.json; raises ``OutputExists`` where the store may not be changed."""
    if standing.command != planned.command:
        raise OutputExists(
            f"{folder} holds the result of overread {standing.command}. "
            "Next step: choose another folder with --out."
        )
    if overwrite:
        return planned
    if not append:
        raise OutputExists(
            f"{folder} holds the result of another input or option. Next step: give --append to "
            "add to it, --overwrite to replace it, or --out FOLDER for another place."
        )
    # A later version of the package may add to what an earlier one made.
    alike = replace(planned, inputs=standing.inputs, versions=standing.versions)
    if not alike.same_work(standing):
        raise OutputExists(
            f"{folder} was made with other options: {json.dumps(dict(standing.options))}. "
            "Next step: give the same ones, or choose another folder with --out."
        )
    old = {each.sha256 for each in standing.inputs}
    new = tuple(each for each in planned.inputs if each.sha256 not in old)
    return replace(planned, inputs=(*standing.inputs, *new))


def _begin(folder: Path, plan: Manifest, names: Sequence[str], *, overwrite: bool) -> None:
    """Makes the folder of work, unless one with the same plan is there; refuses the ``names``."""
    work = folder / _WORK
    if (work / RUN_FILE).is_file():
        begun = Manifest.read(work)
        if begun.same_work(plan) and begun.counts == plan.counts:
            return
        if not overwrite:
            raise OutputExists(
                f"{folder} holds unfinished work with other inputs or options. Next step: give the "
                "same command again to finish it, --overwrite to drop it, or --out FOLDER for "
                "another place."
            )
    for name in names:
        refuse_existing(folder / name, overwrite=overwrite)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    if not plan.counts[_BASE]:
        for name in ARRAYS:
            with _opened(work / name) as file:
                _write_header(file, name, 0)
    plan.write(work)  # last: without it, the work was not begun


def _record_schema() -> pa.Schema:
    import pyarrow as pa

    types = {
        "index": pa.uint32(), "id": pa.string(), "patient_id": pa.string(), "source": pa.string(),
        "window": pa.uint16(), "fs_hz": pa.float64(), "split": pa.string(), "quality": pa.string(),
    }  # fmt: skip
    return pa.schema(types)


def _chunk_schema() -> pa.Schema:
    import pyarrow as pa

    types = {
        "first": pa.uint64(), WINDOWS: pa.uint32(), "signals": pa.string(), "norm": pa.string(),
    }  # fmt: skip
    return pa.schema(types)


def _opened(path: Path) -> FileIO:
    return FileIO(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")


@contextmanager
def _full_disk_told(folder: Path, windows: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        free = shutil.disk_usage(folder).free
        raise OverreadError(
            f"{folder.name}: the disk is full or a size limit is reached ({free} bytes are free). "
            f"{windows:,} windows are written and kept. Next step: free space and give the same "
            "command again; it goes on from there."
        ) from None


def _write(file: FileIO, data: memoryview | bytes) -> None:
    """Writes all of it to the disk; a full disk takes a part and refuses only then."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
    os.fsync(file.fileno())


def _write_header(file: FileIO, name: str, windows: int) -> None:
    """The header of an .npy file of so many windows, which always takes the same room."""
    dtype, shape = ARRAYS[name]
    header = BytesIO()
    what = {"descr": dtype.str, "fortran_order": False, "shape": (windows, *shape)}
    np.lib.format.write_array_header_1_0(header, what)
    if len(header.getvalue()) != HEADER:
        raise ValueError(f"{name}: a header of {len(header.getvalue())} bytes")
    file.seek(0)
    _write(file, header.getvalue())
