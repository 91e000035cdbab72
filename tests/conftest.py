"""Fixtures that several tests share."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from overread.tables import LEADS
from overread.text.labeler import Labeler

REPOSITORY = Path(__file__).resolve().parents[1]
CASES = REPOSITORY / "tests" / "cases"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real, openly licensed data beside the checkout; tests that need it skip where it is not."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the folder with real data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def labeler() -> Labeler:
    return Labeler()


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """The texts of all case sentences."""
    found = []
    for path in sorted(CASES.glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                found.append(row["text"].replace("\\n", "\n"))
    return found


@pytest.fixture(scope="session")
def wfdb_record() -> Callable[..., None]:
    """Writes a WFDB record of 12 leads in format 16, 1000 per mV; noise unless counts are given."""

    def write(
        folder: Path,
        name: str,
        *,
        seed: int = 0,
        fs_hz: int = 250,
        seconds: float = 10,
        counts: np.ndarray | None = None,
    ) -> None:
        if counts is None:
            shape = 12, round(seconds * fs_hz)
            counts = np.random.default_rng(seed).integers(-900, 900, shape).astype("<i2")
        lines = [f"{name} 12 {fs_hz} {counts.shape[1]}"]
        for lead, samples in zip(LEADS, counts, strict=True):
            total = int(samples.sum(dtype=np.int64)) & 0xFFFF
            lines.append(f"{name}.dat 16 1000/mV 16 0 {samples[0]} {total} 0 {lead}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
        (folder / f"{name}.dat").write_bytes(np.ascontiguousarray(counts.T).tobytes())

    return write
