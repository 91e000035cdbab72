"""Sentences as reports, small tables of pairs, and the states that a label table holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from overread.labels.api import Extraction, extraction_of
from overread.sources.batches import ReportSource
from overread.sources.open import from_frame
from overread.tables import STATES
from overread.text.labeler import Labeler


@pytest.fixture
def pairs() -> Callable[..., pl.DataFrame]:
    """A frame of (machine, expert) texts with ids from 1."""

    def build(*texts: tuple[str | None, str | None]) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "id": [str(number) for number in range(1, len(texts) + 1)],
                "machine": [machine for machine, _ in texts],
                "expert": [expert for _, expert in texts],
            },
            schema=dict.fromkeys(("id", "machine", "expert"), pl.String),
        )

    return build


@pytest.fixture(scope="session")
def extract(labeler: Labeler) -> Callable[..., Extraction]:
    """``overread.extract`` with the one labeler of the session: building one takes a while."""

    def run(
        reports: pl.DataFrame | ReportSource, *, workers: int | None = None, **options: Any
    ) -> Extraction:
        source = from_frame(reports, **options) if isinstance(reports, pl.DataFrame) else reports
        return extraction_of(source, labeler, workers=workers)

    return run


def states_of(labels: pl.DataFrame, source: str) -> dict[str, dict[str, str] | None]:
    """Per id the state of every label on one side; None where that side has no reading."""
    opening = f"{source}_state_"
    names = [name for name in labels.columns if name.startswith(opening)]
    out: dict[str, dict[str, str] | None] = {}
    for row in labels.select("id", *names).iter_rows(named=True):
        codes = {name.removeprefix(opening): row[name] for name in names}
        silent = None in codes.values()
        assert not silent or set(codes.values()) == {None}
        out[row["id"]] = None if silent else {name: STATES[c] for name, c in codes.items()}
    return out


@pytest.fixture(scope="session")
def read_states() -> Callable[[pl.DataFrame, str], dict[str, dict[str, str] | None]]:
    return states_of
