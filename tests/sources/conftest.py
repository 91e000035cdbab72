"""Reading helpers and the canary that may stand in no message."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import polars as pl
import pytest

from overread.errors import OverreadError, TableError
from overread.sources.batches import ReportSource
from overread.sources.open import open_source

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
import resource, sys
from overread.errors import OverreadError
from overread.sources.open import open_source
try:
    for batch in open_source(sys.argv[1], quarantine=sys.argv[2] == "True").batches():
        pass
except OverreadError:
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
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
