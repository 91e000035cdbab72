"""Tables of labels made to order, and the extraction of reports written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import polars as pl
import pytest

import overread
from overread.discrepancy.api import Discrepancy
from overread.labels.api import Extraction, extraction_of
from overread.sources.open import from_frame
from overread.text.labeler import Labeler

#: machine and expert value of the four cells of a 2x2 table.
VALUES = {"both": (1, 1), "removed": (1, 0), "added": (0, 1), "neither": (0, 0)}


@pytest.fixture(scope="session")
def table() -> Callable[..., pl.DataFrame]:
    """A label table with so many ECGs in each cell of each label, the longest label's rows last.

    Cells: both, removed, added, neither, out (no value on the expert's side).
    """

    def build(cells: Mapping[str, Mapping[str, int]], **columns: Iterable[Any]) -> pl.DataFrame:
        out = {}
        for label, counts in cells.items():
            order = [
                (*VALUES.get(cell, (1, None)),) for cell, n in counts.items() for _ in range(n)
            ]
            out[f"machine_{label}"] = [machine for machine, _ in order]
            out[f"expert_{label}"] = [expert for _, expert in order]
        return pl.DataFrame({**out, **columns}, strict=False)

    return build


@pytest.fixture(scope="session")
def compare() -> Callable[..., Discrepancy]:
    """``overread.discrepancy`` with few resamples: most tests look at counts."""

    def run(*tables: Any, replicates: int = 100, **options: Any) -> Discrepancy:
        return overread.discrepancy(*tables, replicates=replicates, **options)

    return run


@pytest.fixture(scope="session")
def read(labeler: Labeler) -> Callable[..., Extraction]:
    """``overread.extract`` of (machine, expert) texts with ids from 1 and further columns."""

    def run(*texts: tuple[str | None, str | None], uncertain: str = "positive",
            **columns: Iterable[Any]) -> Extraction:  # fmt: skip
        frame = pl.DataFrame(
            {
                "id": [str(number) for number in range(1, len(texts) + 1)],
                "machine": [machine for machine, _ in texts],
                "expert": [expert for _, expert in texts],
                **{name: list(values) for name, values in columns.items()},
            },
            schema_overrides={"machine": pl.String, "expert": pl.String},
        )
        patient = "patient_id" if "patient_id" in columns else None
        keep = tuple(name for name in columns if name != "patient_id")
        source = from_frame(frame, patient=patient, keep=keep)
        reader = labeler if uncertain == "positive" else Labeler(labeler.vocabulary, uncertain)
        return extraction_of(source, reader, workers=1)

    return run
