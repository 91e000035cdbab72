"""Hits of phrases, counted by hand on a few reports."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from overread.errors import UsageError
from overread.labels.run import write_extraction
from overread.sources.open import from_frame
from overread.vocab.load import load_vocabulary
from overread.workbench.extraction import Extraction
from overread.workbench.lists import usage_table
from overread.workbench.usage import phrase_usage

REPORTS = (
    # Each word of the label is said once, twice by the same phrase, and twice by different ones.
    ("RBBB", "RBBB. RBBB"),
    ("RBBB. Right bundle branch block", "Right bundle brnach block"),
    # Stated outright, so that the fascicular block implies nothing.
    ("Left axis deviation. LAFB", "LAFB"),
    ("RBBB", "No RBBB. Rechtsschenkelblock"),
    ("RBBB. LBBB", "Incomplete right bundle branch block"),
    ("Possible RBBB. Right bundle branch block", None),
)


@pytest.fixture(scope="module")
def usage(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    folder: Path = tmp_path_factory.mktemp("usage")
    frame = pl.DataFrame(
        [(f"E{number}", *pair) for number, pair in enumerate(REPORTS)],
        {"id": pl.String, "machine": pl.String, "expert": pl.String},
        orient="row",
    )
    write_extraction(
        from_frame(frame), folder, vocab=None, uncertain="positive", format="parquet",
        duplicates="error", workers=1, overwrite=False, console=Console(quiet=True),
    )  # fmt: skip
    return phrase_usage(Extraction.open(folder), load_vocabulary())


def row(usage: pl.DataFrame, owner: str, wording: str, role: str = "phrase") -> dict[str, object]:
    found = usage.filter(owner=owner, wording=wording, role=role)
    return found.select("hits", "sole_hits", "conflicts", "machine", "expert").row(0, named=True)


def test_hits_are_readings_and_sole_ones_lack_another_phrase(usage):
    # Readings with "rbbb": 0m 0e 1m 3m 3e 4m 5m. Alone: all but 1m (two phrases), 3e (another
    # phrase decides) and 5m (hedged, the other is not). Against: 3e denies, 4m names LBBB.
    assert row(usage, "rbbb", "rbbb") == {
        "hits": 7, "sole_hits": 4, "conflicts": 1, "machine": 5, "expert": 2,
    }  # fmt: skip
    assert row(usage, "rbbb", "right {bbb}") == {
        "hits": 3, "sole_hits": 2, "conflicts": 0, "machine": 2, "expert": 1,
    }  # fmt: skip


def test_a_phrase_that_another_denies_is_in_conflict(usage):
    assert row(usage, "rbbb", "rechtsschenkelblock")["conflicts"] == 1
    assert row(usage, "lbbb", "lbbb")["conflicts"] == 1


def test_what_is_implied_gives_way_to_what_is_stated(usage):
    assert row(usage, "left_axis_deviation", "{anterior_fascicle}", "implied") == {
        "hits": 2, "sole_hits": 1, "conflicts": 0, "machine": 1, "expert": 1,
    }  # fmt: skip
    assert row(usage, "left_axis_deviation", "left axis deviation")["sole_hits"] == 1


def test_exclusions_are_counted_and_state_nothing(usage):
    found = row(usage, "rbbb", "{less} right {bbb}", "exclusion")
    assert (found["hits"], found["sole_hits"]) == (1, 0)


def test_repairs_are_a_share_of_the_hits(usage):
    found = usage.filter(owner="rbbb", wording="right {bbb}")
    assert found["repaired"].item() == pytest.approx(1 / 3)


def test_every_phrase_has_a_row_and_dead_ones_zeros(usage):
    vocabulary = load_vocabulary()
    assert usage["phrase_id"].to_list() == [ref.id for ref in vocabulary.phrases]
    dead = usage.filter(pl.col("hits") == 0)
    assert dead.select("sole_hits", "conflicts", "machine", "expert").sum().row(0) == (0, 0, 0, 0)
    table = usage_table(usage, vocabulary, hits=False)
    assert len(table.rows) == dead.height
    assert len(usage_table(usage, vocabulary, dead=False).rows) == usage.height - dead.height


def test_a_label_that_does_not_exist_is_refused(usage):
    with pytest.raises(UsageError, match="no label or concept 'rbb'; did you mean 'rbbb'"):
        usage_table(usage, load_vocabulary(), owner="rbb")
