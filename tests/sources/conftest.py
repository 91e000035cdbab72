"""Reading helpers and the canary that may stand in no message."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from overread.errors import BadRecord, OverreadError, TableError
from overread.sources.batches import ReportSource
from overread.sources.open import open_source
from overread.sources.open_signals import open_signals
from overread.sources.recording import Recording

CANARY = "JOHN SMITH"


@pytest.fixture
def canary() -> str:
    return CANARY


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Writes bytes or text to a file of the name given."""

    def write(content: bytes | str, name: str = "reports.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def rows_of(source: ReportSource) -> list[tuple[Any, ...]]:
    """All rows; the account must balance."""
    frames = list(source.batches())
    tally = source.tally
    assert tally.rows_in == tally.used + sum(tally.quarantined.values())
    assert len(source.quarantine) == sum(tally.quarantined.values())
    rows = pl.concat(frames).rows() if frames else []
    assert len(rows) == tally.used
    return rows


@pytest.fixture
def read() -> Callable[..., list[tuple[Any, ...]]]:
    return lambda path, **options: rows_of(open_source(path, **options))


@pytest.fixture
def account() -> Callable[..., tuple[ReportSource, list[tuple[Any, ...]]]]:
    def run(path: Path, **options: Any) -> tuple[ReportSource, list[tuple[Any, ...]]]:
        source = open_source(path, **options)
        return source, rows_of(source)

    return run


PEAK = """
import sys
from overread.errors import OverreadError
from overread.sources.open import open_source
try:
    for batch in open_source(sys.argv[1], quarantine=sys.argv[2] == "True").batches():
        pass
except OverreadError:
    pass
# Not getrusage: its peak begins with that of the process that started this one.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.fixture
def peak_kib() -> Callable[..., int]:
    """Peak resident memory of reading a file (or refusing it) in a process of its own."""

    def run(path: Path, *, quarantine: bool = False) -> int:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        command = [sys.executable, "-c", PEAK, str(path), str(quarantine)]
        done = subprocess.run(command, capture_output=True, check=True, env=environment)
        return int(done.stdout)

    return run


class Refusal(Protocol):
    def __call__(
        self, path: Path, *, error: type[OverreadError] = TableError, **options: Any
    ) -> str: ...


@pytest.fixture
def refusal() -> Refusal:
    """The message of a refusal to read; it names the next step and never quotes the canary."""

    def run(path: Path, *, error: type[OverreadError] = TableError, **options: Any) -> str:
        with pytest.raises(error) as caught:
            rows_of(open_source(path, **options))
        assert CANARY not in "".join(traceback.format_exception(caught.value))
        message = str(caught.value)
        assert "Next step" in message
        assert str(path.parent) not in message
        return message

    return run


LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


@pytest.fixture
def wfdb_record(tmp_path: Path) -> Callable[..., npt.NDArray[np.int16]]:
    """Writes a right format 16 record of 12 leads, then lets ``edit`` spoil its header.

    Returns the stored counts, 12 x samples. A record of any other size has its own counts.
    """

    def write(
        name: str = "r",
        *,
        counts: npt.NDArray[np.int16] | None = None,
        edit: Callable[[str], str] = str,
        stored: str = "16 1000(0)/mV",
        before: bytes = b"",
    ) -> npt.NDArray[np.int16]:
        if counts is None:
            counts = np.random.default_rng(7).integers(-3000, 3000, (12, 40)).astype(np.int16)
        stem = Path(name).name
        lines = [f"{stem} {len(counts)} 500 {counts.shape[1]}"] + [
            f"{stem}.dat {stored} 16 0 {row[0]} {int(row.sum()) & 0xFFFF} 0 {lead}"
            for row, lead in zip(counts, LEADS, strict=False)
        ]
        header = tmp_path / f"{name}.hea"
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text(edit("\n".join(lines) + "\n"), "latin-1")
        header.with_suffix(".dat").write_bytes(before + counts.T.astype("<i2").tobytes())
        return counts

    return write


@pytest.fixture
def bad_signal(tmp_path: Path) -> Callable[..., str]:
    """The message of refusing the only record of the folder; it names no path and no canary."""

    def run(folder: Path = tmp_path, **options: Any) -> str:
        source = open_signals(folder, **options)
        [key] = source.keys()
        with pytest.raises(BadRecord) as caught:
            source.signal(key)
        message = "".join(traceback.format_exception(caught.value))
        assert CANARY not in message
        assert caught.value.__cause__ is None
        assert str(tmp_path) not in str(caught.value)
        return str(caught.value)

    return run


@pytest.fixture
def only_signal(tmp_path: Path) -> Callable[..., Recording]:
    """The folder's only recording."""

    def run(folder: Path = tmp_path, **options: Any) -> Recording:
        source = open_signals(folder, **options)
        [key] = source.keys()
        return source.signal(key)

    return run


_watched: list[tuple[str, str]] | None = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched is not None and (event == "open" or event.startswith("socket.")):
        _watched.append((event, str(arguments[0])))


@pytest.fixture
def opened() -> Iterator[list[tuple[str, str]]]:
    """Everything that is opened, and every socket, while the test runs."""
    global _watched
    if _watch not in _hooks:
        sys.addaudithook(_watch)  # for ever: hooks cannot be taken away
        _hooks.append(_watch)
    _watched = []
    yield _watched
    _watched = None


_hooks: list[Callable[..., None]] = []
