"""The store: every 10 s window of 12 leads as int16 microvolts in one file, read through a map.

    signals.npy      int16    windows x 12 x 2500, filtered, microvolts
    norm.npy         float32  windows x 12 x 2: mean and standard deviation in millivolts
    records.parquet  a row per window: index, id, patient_id, source, window, fs_hz, split, quality
    chunks.parquet   SHA-256 of every piece that was written, for `Store.damaged`
    run.json         what made it; the number of windows that count

``run.json`` is the one thing that says how much of the other files is valid: an import that adds to
a store writes behind the end of the arrays, and a reader never looks there. Needs numpy and pyarrow
only; torch is imported where a tensor or a data set is asked for.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import finalize

import numpy as np
import numpy.typing as npt

from overread.errors import OverreadError, UsageError
from overread.files import input_file
from overread.manifest import RUN_FILE, Manifest
from overread.tables import LEADS

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

SIGNALS_FILE: Final = "signals.npy"
NORM_FILE: Final = "norm.npy"
RECORDS_FILE: Final = "records.parquet"
CHUNKS_FILE: Final = "chunks.parquet"

SAMPLES: Final = 2500  # 10 s at 250 Hz
#: Dtype and shape of one window in each array file.
ARRAYS: Final[dict[str, tuple[np.dtype[Any], tuple[int, int]]]] = {
    SIGNALS_FILE: (np.dtype("<i2"), (len(LEADS), SAMPLES)),
    NORM_FILE: (np.dtype("<f4"), (len(LEADS), 2)),
}
HEADER: Final = 128  # bytes; numpy keeps room in it for the number of windows to grow

WINDOWS: Final = "windows"  # key of run.json's counts
SHA256: Final = "sha256"  # key of run.json's counts

_TRIED: Final = 16  # windows of a batch that are asked whether they are in memory

Indices = npt.NDArray[np.integer[Any]] | Sequence[int]


class Store:
    """Windows of ECGs by index; made by `open_store`. ``len(store)`` is their number."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        try:
            self._windows = int(manifest.counts[WINDOWS])
            #: One hash of all windows in their order.
            self.sha256 = str(manifest.counts[SHA256])
        except (KeyError, TypeError, ValueError):
            raise UsageError(
                f"{folder.name} holds no store of signals. "
                "Next step: overread signals import SOURCE."
            ) from None
        #: Absolute, so that a process started elsewhere finds it again.
        self.folder = folder.absolute()
        self.manifest = manifest
        self._files: dict[str, int] = {}
        finalize(self, _close, self._files)
        for name in (*ARRAYS, RECORDS_FILE, CHUNKS_FILE):
            self._files[name] = _opened(folder / name)
        for name in ARRAYS:
            self._check_size(name)
        #: int16 microvolts, windows x 12 x 2500, read-only; multiply by 0.001 for millivolts.
        self.signals: npt.NDArray[np.int16] = self._mapped(SIGNALS_FILE)
        #: float32, windows x 12 x 2: mean and standard deviation in millivolts, read-only.
        self.norm: npt.NDArray[np.float32] = self._mapped(NORM_FILE)
        self._records: pa.Table | None = None
        self._tensor: torch.Tensor | None = None

    def __len__(self) -> int:
        return self._windows

    def __reduce__(self) -> tuple[Any, ...]:
        # A map would be pickled as all its bytes.
        return _reopen, (self.folder, self.sha256)

    @property
    def records(self) -> pa.Table:
        """The rows of ``records.parquet``; row i describes ``signals[i]``."""
        if self._records is None:
            self._records = self._table(RECORDS_FILE).slice(0, self._windows)
        return self._records

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The rows of ``chunks.parquet``."""
        rows = self._table(CHUNKS_FILE).to_pylist()
        return [row for row in rows if row["first"] < self._windows]

    def indices(self, split: str | None = None) -> npt.NDArray[np.int64]:
        """The indices of all windows, or of those of one split: train, validation or test."""
        if split is None:
            return np.arange(self._windows)
        from overread.signals.splits import SPLITS

        if split not in SPLITS:
            raise UsageError(f"no split {split!r}. Next step: one of {', '.join(SPLITS)}.")
        found = self.records["split"].to_numpy(zero_copy_only=False) == split
        return np.flatnonzero(found)

    def gather(self, indices: Indices, out: Any) -> Any:
        """Copies windows, in the order given, into the first rows of a buffer and returns those.

        ``out`` is int16, at least len(indices) x 12 x 2500: a numpy array, or a torch tensor in
        pinned memory. Raises ``IndexError`` for an index that the store has not, ``OverreadError``
        where the file has been cut since it was opened.
        """
        at = np.ascontiguousarray(indices, np.int64)
        if len(at) and (at.min() < 0 or at.max() >= self._windows):
            raise IndexError(f"index outside 0..{self._windows - 1}")
        self._check_size(SIGNALS_FILE)  # reading a map behind the end of its file ends the process
        out = out[: len(at)]
        self._read_ahead(at)
        if isinstance(out, np.ndarray):
            # The bounds are known, and numpy would go through a buffer to check them.
            return np.take(self.signals, at, axis=0, out=out, mode="clip")
        import torch

        torch.index_select(self._as_tensor(), 0, torch.from_numpy(at), out=out)
        return out

    def batches(
        self, indices: Indices, size: int
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int16], npt.NDArray[np.float32]]]:
        """Indices, signals and norms of ``size`` windows at a time, the last ones fewer.

        The arrays of signals share one buffer: a batch is gone when the next one is asked for.
        """
        at = np.ascontiguousarray(indices, np.int64)
        buffer = np.empty((min(size, len(at)), *ARRAYS[SIGNALS_FILE][1]), np.int16)
        for first in range(0, len(at), size):
            some = at[first : first + size]
            yield some, self.gather(some, buffer), self.norm[some]

    def dataset(self, indices: Indices | None = None) -> Windows:
        """The windows one at a time as torch tensors, for a torch DataLoader and its workers.

        Slower than `gather`, which copies once per batch.
        """
        return Windows(self, self.indices() if indices is None else indices)

    def damaged(self) -> list[str]:
        """What is wrong with the files: every piece is read and compared with its SHA-256.

        An empty list says that each byte is as it was written.
        """
        chunks = self.chunks
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            wrong = [each for found in pool.map(self._wrong, chunks) for each in found]
        if hash_of(chunks) != self.sha256:
            wrong.append(f"{CHUNKS_FILE} is not the one that {RUN_FILE} tells of")
        if len(self.records) != self._windows:
            wrong.append(f"{RECORDS_FILE} has {len(self.records)} rows for {self._windows} windows")
        return wrong

    def _wrong(self, row: dict[str, Any]) -> list[str]:
        first, last = row["first"], row["first"] + row[WINDOWS] - 1
        wrong = []
        for name, array, sha256 in (
            (SIGNALS_FILE, self.signals, row["signals"]),
            (NORM_FILE, self.norm, row["norm"]),
        ):
            self._check_size(name)
            if hashlib.sha256(array[first : last + 1].data).hexdigest() != sha256:
                wrong.append(f"{name}: windows {first} to {last} are not as they were written")
        return wrong

    def _check_size(self, name: str) -> None:
        expected = array_bytes(name, self._windows)
        size = os.fstat(self._files[name]).st_size
        if size < expected:
            raise OverreadError(
                f"{self.folder.name}/{name} is cut: {size} bytes for {self._windows} windows, "
                f"which need {expected}. Next step: restore the file, or import again with "
                "--overwrite."
            )

    def _mapped(self, name: str) -> Any:
        dtype, shape = ARRAYS[name]
        if not self._windows:
            return np.empty((0, *shape), dtype)
        size = array_bytes(name, self._windows)
        data = mmap.mmap(self._files[name], size, access=mmap.ACCESS_READ)
        return np.frombuffer(data, dtype, offset=HEADER).reshape(self._windows, *shape)

    def _as_tensor(self) -> torch.Tensor:
        if self._tensor is None:
            import torch

            with warnings.catch_warnings():
                # torch has no read-only tensors. A private map would be writable, but the system
                # counts all its bytes as memory that may be needed.
                warnings.filterwarnings("ignore", "The given NumPy array is not writable")
                self._tensor = torch.from_numpy(self.signals)
        return self._tensor

    def _read_ahead(self, at: npt.NDArray[np.int64]) -> None:
        """Asks for all windows at once where some are not in memory.

        Through the map alone they would be read one page fault after the other, which takes four
        times as long. To ask costs time too, so a few windows are tried first.
        """
        if not hasattr(os, "RWF_NOWAIT"):  # Linux only
            return
        file = self._files[SIGNALS_FILE]
        size = array_bytes(SIGNALS_FILE, 1) - HEADER
        starts = (HEADER + at * size).tolist()
        byte = bytearray(1)
        try:
            for start in starts[:: max(1, len(starts) // _TRIED)]:
                os.preadv(file, [byte], start + size // 2, os.RWF_NOWAIT)
        except BlockingIOError:
            for start in starts:
                os.posix_fadvise(file, start, size, os.POSIX_FADV_WILLNEED)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:  # a file system that cannot tell
                raise

    def _table(self, name: str) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            file = self._files[name]
            data = os.pread(file, os.fstat(file).st_size, 0)
            # read_table would load pyarrow.dataset, and with it pandas where that is installed.
            table = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
            # A thread of pyarrow that still lets go of the data aborts a Python that ends.
            return table.read(use_threads=False)
        except (pa.ArrowException, OSError):
            raise OverreadError(
                f"{self.folder.name}/{name} is damaged. "
                "Next step: restore the file, or import again with --overwrite."
            ) from None


class Windows:
    """A map-style data set of (signal int16 12 x 2500, norm float32 12 x 2, index)."""

    def __init__(self, store: Store, indices: Indices) -> None:
        self._store = store
        self._indices = np.asarray(indices, np.int64)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, position: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        import torch

        index = self._indices[position : position + 1]
        signal = np.empty((1, *ARRAYS[SIGNALS_FILE][1]), np.int16)
        self._store.gather(index, signal)
        norm = torch.from_numpy(self._store.norm[index[0]].copy())
        return torch.from_numpy(signal[0]), norm, int(index[0])


def open_store(path: str | os.PathLike[str]) -> Store:
    """Opens a store for reading; the sizes of its files are compared with ``run.json``.

    Raises ``UsageError`` where there is no store, ``OverreadError`` where a file is missing or cut.
    While another process adds to the store or replaces it, this is the old one or the new one.
    """
    folder = Path(path)
    manifest = _manifest(folder)
    while True:
        fault = None
        try:
            store = Store(folder, manifest)
        except OverreadError as error:
            fault = error
        before, manifest = manifest, _manifest(folder)
        if manifest == before:  # nobody replaced a file meanwhile
            if fault is not None:
                raise fault
            return store


def array_bytes(name: str, windows: int) -> int:
    """Bytes of the file ``name`` with so many windows.

    >>> array_bytes("norm.npy", 1)
    224
    """
    dtype, shape = ARRAYS[name]
    return HEADER + windows * dtype.itemsize * prod(shape)


def hash_of(chunks: Sequence[dict[str, Any]]) -> str:
    """One hash of the pieces of a store."""
    digest = hashlib.sha256()
    for row in chunks:
        digest.update(f"{row[WINDOWS]} {row['signals']} {row['norm']}\n".encode())
    return digest.hexdigest()


def _manifest(folder: Path) -> Manifest:
    if not (folder / RUN_FILE).is_file():
        raise UsageError(
            f"{folder} holds no whole store. Next step: overread signals import SOURCE, again "
            "where it was stopped."
        )
    return Manifest.read(folder)


def _opened(path: Path) -> int:
    try:
        return os.open(input_file(path), os.O_RDONLY)
    except UsageError as error:
        raise OverreadError(f"{path.parent.name}: {error}") from None


def _close(files: dict[str, int]) -> None:
    for file in files.values():
        os.close(file)


def _reopen(folder: Path, sha256: str) -> Store:
    store = open_store(folder)
    if store.sha256 != sha256:
        raise OverreadError(
            f"{folder.name} was replaced while it was in use. Next step: start the run again."
        )
    return store
