"""The synthetic paired corpus: 12-lead ECGs with a known truth and a machine's and expert's texts.

No patient stands behind any of it, and every output says so. ECGs are made in chunks, each from its
own random numbers: the same seed gives the same corpus with any number of workers, and a longer
corpus begins with the shorter one of the same seed.
"""

from __future__ import annotations

import csv
import io
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from overread.errors import OutputExists, UsageError
from overread.files import locked, output_folder, refuse_existing
from overread.manifest import RUN_FILE, Manifest, versions
from overread.report.folder import replace_files
from overread.signals.synth_heart import LABELS, RHYTHMS, Hearts, draw_hearts
from overread.signals.synth_readers import Prevalence, Readings, rates, read
from overread.signals.synth_text import SITES, Pair, day_of, write_reports
from overread.tables import ID, PATIENT, SOURCES, value_column

if TYPE_CHECKING:
    import pyarrow as pa

    from overread.signals.preprocess import Filtered
    from overread.signals.store_writer import StoreWriter

#: Changes whenever the same seed gives another corpus; models name the version they learnt from.
GENERATOR_VERSION: Final = "1"
#: What the store's ``source`` column says of every window.
SOURCE: Final = "synthetic"

REPORTS_FILE: Final = "reports.csv"
TRUTH_FILE: Final = "truth.parquet"
README_FILE: Final = "README.txt"
STORE_FOLDER: Final = "store"
TRUE: Final = "true"  # truth.parquet: true_<label> beside machine_<label> and expert_<label>

_CHUNK: Final = 128  # ECGs
_MOST: Final = 9_999_999  # what the ids can count
_README: Final = """SYNTHETIC ECGs: a computer program made them. They show no patient.

Signals, reports, names, dates and sites are invented; rates of labels and of machine errors follow
a published table. Made by overread {version}, generator {generator}, seed {seed}, {n} ECGs,
prevalence {prevalence}. Do not mix them into data of patients.
"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """ECGs ``first`` .. of a corpus: parameters, readings, texts, and the seed of their signals."""

    first: int
    hearts: Hearts
    readings: Readings
    pairs: list[Pair]
    sites: list[int]
    seed: np.random.SeedSequence

    @property
    def ids(self) -> list[str]:
        return [f"S{self.first + row + 1:07d}" for row in range(len(self.pairs))]

    @property
    def patients(self) -> list[str]:
        """A patient is numbered by their first ECG."""
        starts = np.arange(len(self.hearts)) - self.hearts.visit
        return [f"SP{self.first + start + 1:07d}" for start in starts.tolist()][: len(self.pairs)]


def chunks(n: int, *, seed: int, prevalence: Prevalence = "table") -> Iterator[Chunk]:
    """The parameters and texts of a corpus of ``n`` ECGs, piece by piece; signals: `signals_of`.

    Raises ``UsageError`` for an impossible ``n`` or ``prevalence``.
    """
    if not 0 < n <= _MOST:
        raise UsageError(f"{n} synthetic ECGs: give a number from 1 to {_MOST:,}.")
    if prevalence not in ("table", "enriched"):
        raise UsageError(f"prevalence {prevalence!r} is not known; give 'table' or 'enriched'.")
    return (_chunk(first, n, seed, prevalence) for first in range(0, n, _CHUNK))


def signals_of(chunk: Chunk) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The chunk's ECGs as recorded: float32 millivolts, ECGs x 12 x 2500 at 250 Hz.

    Raises ``UsageError`` where numba is missing.

    >>> chunk = next(chunks(2, seed=1))
    >>> signals_of(chunk).shape
    (2, 12, 2500)
    """
    from overread.signals.synth_waves import signals

    return signals(chunk.hearts, np.random.default_rng(chunk.seed))[: len(chunk.pairs)]


def synthetic_reports(
    n: int, *, seed: int, prevalence: Prevalence = "table"
) -> dict[str, list[str | None]]:
    """Paired reports without signals, as columns: id, patient_id, machine, expert, year, site.

    >>> columns = synthetic_reports(2, seed=1)
    >>> list(columns)
    ['id', 'patient_id', 'machine', 'expert', 'year', 'site']
    >>> columns["id"]
    ['S0000001', 'S0000002']
    """
    columns: dict[str, list[str | None]] = {
        name: [] for name in (ID, PATIENT, *SOURCES, "year", "site")
    }
    for chunk in chunks(n, seed=seed, prevalence=prevalence):
        for row in _report_rows(chunk):
            for values, value in zip(columns.values(), row, strict=True):
                values.append(value)
    return columns


def write_corpus(
    folder: str | os.PathLike[str],
    n: int,
    *,
    seed: int = 0,
    prevalence: Prevalence = "table",
    workers: int = 1,
    overwrite: bool = False,
) -> bool:
    """Writes ``reports.csv``, ``truth.parquet``, ``README.txt``, ``run.json`` and ``store/``.

    ``prevalence`` is "table" (the label rates of the source paper) or "enriched" (each label in at
    least 8 % of the ECGs, the machine's error rates kept). ``workers`` threads make signals; bytes
    do not depend on it. A run that was interrupted goes on; False where the folder holds this very
    corpus already.

    Raises ``UsageError`` for impossible arguments and where numba is missing, ``OutputExists``
    where the folder holds something else and ``overwrite`` was not given, ``Busy`` where another
    run writes there.
    """
    from overread.signals.store_writer import writing_store

    made = chunks(n, seed=seed, prevalence=prevalence)
    folder = output_folder(folder)
    planned = Manifest(
        "signals synth",
        options={
            "synthetic": True,
            "n": n,
            "prevalence": prevalence,
            "generator": GENERATOR_VERSION,
        },
        seed=seed,
        labels=LABELS,
        versions=versions("numpy", "numba", "pyarrow"),
    )
    with locked(folder):
        whole = _complete(folder, planned, overwrite=overwrite)
        with writing_store(folder / STORE_FOLDER, planned, overwrite=overwrite) as writer:
            if writer is None and whole:
                return False
            tables = _made(made, writer, workers)
        note = _README.format(
            version=planned.versions["overread"], generator=GENERATOR_VERSION, seed=seed, n=n,
            prevalence=prevalence,
        )  # fmt: skip
        contents = {**tables, README_FILE: note.encode()}
        _replace(folder, contents, planned, overwrite=overwrite)
    return True


def _made(made: Iterator[Chunk], writer: StoreWriter | None, workers: int) -> dict[str, bytes]:
    """The two tables of a corpus; signals that are not written yet go into the store."""
    import pyarrow as pa

    from overread.signals.store_writer import table_bytes

    done = None if writer is None else writer.chunks
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow((ID, PATIENT, *SOURCES, "year", "site"))
    truth = []
    with ThreadPoolExecutor(workers) as pool:
        for chunk, filtered in _filtered(pool, made, done, 2 * workers):
            table.writerows(_report_rows(chunk))
            truth.append(_truth(chunk))
            if writer is not None and filtered is not None:
                _append(writer, chunk, filtered.result())
    if writer is not None:
        writer.finish({})
    reports = text.getvalue().encode()
    return {TRUTH_FILE: table_bytes(pa.concat_tables(truth)), REPORTS_FILE: reports}


def _replace(folder: Path, contents: dict[str, bytes], made: Manifest, *, overwrite: bool) -> None:
    """Writes the files beside the store; those that a stopped run left are what they would be."""
    files = {folder / name: content for name, content in contents.items()}
    for path, content in files.items():
        if not (path.is_file() and path.read_bytes() == content):
            refuse_existing(path, overwrite=overwrite)
    run = folder / RUN_FILE
    replace_files({**files, run: made.content()}, [run], overwrite=True)


def _chunk(first: int, n: int, seed: int, prevalence: Prevalence) -> Chunk:
    """Always made whole, so that a corpus that ends inside it begins as a longer one."""
    parameters, text, signal = np.random.SeedSequence((seed, first)).spawn(3)
    rng = np.random.default_rng(parameters)
    expected = {name: rate.expert for name, rate in rates(prevalence).items()}
    hearts = draw_hearts(rng, _CHUNK, expected)
    readings = read(hearts, rng, prevalence)
    home = rng.integers(0, len(SITES), _CHUNK)[hearts.patient].tolist()
    pairs = write_reports(hearts, readings, home, int(text.generate_state(1)[0]))
    return Chunk(first, hearts, readings, pairs[: n - first], home, signal)


def _filtered(
    pool: ThreadPoolExecutor, made: Iterator[Chunk], done: int | None, ahead: int
) -> Iterator[tuple[Chunk, Future[Filtered] | None]]:
    """Chunks with their filtered signals, a few being made ahead; those done have none."""
    waiting: deque[tuple[Chunk, Future[Filtered] | None]] = deque()
    for number, chunk in enumerate(made):
        wanted = done is not None and number >= done
        waiting.append((chunk, pool.submit(_prepared, chunk) if wanted else None))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


def _prepared(chunk: Chunk) -> Filtered:
    from overread.signals.preprocess import filter_windows

    return filter_windows(signals_of(chunk))


def _append(writer: StoreWriter, chunk: Chunk, filtered: Filtered) -> None:
    from overread.signals.preprocess import FS_HZ

    count = len(chunk.pairs)
    records: dict[str, list[Any]] = {
        ID: chunk.ids,
        PATIENT: chunk.patients,
        "source": [SOURCE] * count,
        "window": [0] * count,
        "fs_hz": [float(FS_HZ)] * count,
        "quality": ["clipped" if each else "" for each in filtered.clipped],
    }
    writer.append(filtered.signals, filtered.norm, records)


def _report_rows(chunk: Chunk) -> Iterator[tuple[str | None, ...]]:
    days = chunk.hearts.day.tolist()
    for id, patient, pair, day, site in zip(
        chunk.ids, chunk.patients, chunk.pairs, days, chunk.sites, strict=False
    ):
        yield id, patient, pair.machine, pair.expert, str(day_of(day).year), SITES[site]


def _truth(chunk: Chunk) -> pa.Table:
    """Labels (true, and as both texts assert them) and the scalar parameters of each ECG."""
    import pyarrow as pa

    count = len(chunk.pairs)
    columns: dict[str, Any] = {ID: chunk.ids, PATIENT: chunk.patients}
    unread = np.array([pair.expert is None for pair in chunk.pairs])
    for source, labels in (
        (TRUE, chunk.hearts.truth),
        ("machine", chunk.readings.machine),
        ("expert", chunk.readings.expert),
    ):
        for name, values in zip(LABELS, labels[:count].T, strict=True):
            mask = unread if source == "expert" else None
            columns[value_column(source, name)] = pa.array(values, pa.int8(), mask=mask)
    for field in fields(chunk.hearts):
        values = getattr(chunk.hearts, field.name)[:count]
        if field.name == "rhythm":
            columns[field.name] = [RHYTHMS[code] or "other" for code in values]
        elif values.ndim == 1 and field.name != "patient":
            columns[field.name] = values
    return pa.table(columns)


def _complete(folder: Path, planned: Manifest, *, overwrite: bool) -> bool:
    """Whether all files beside the store are there; refuses what belongs to no such corpus."""
    paths = [folder / name for name in (RUN_FILE, REPORTS_FILE, TRUTH_FILE, README_FILE)]
    standing = Manifest.standing(folder, overwrite=overwrite)
    if standing is not None and standing.same_work(planned):
        return all(path.is_file() for path in paths)
    # A run that was stopped leaves its store, which is known by its plan, and perhaps its tables.
    if standing is None and (folder / STORE_FOLDER).is_dir():
        return False
    if not overwrite and (found := [path.name for path in paths if path.exists()]):
        raise OutputExists(
            f"{folder} holds {' and '.join(found)} of something else. Next step: give --overwrite "
            "to replace what is there, or --out FOLDER for another place."
        )
    return False
