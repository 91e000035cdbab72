"""Cells that a spreadsheet would run (E01) or refuse (E03); ids and numbers stay."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.report.spreadsheet import control_characters, neutral, neutral_text

# OWASP ASVS 1.2.10 and its page on CSV injection.
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\x0b", "\x0c", "＝", "＋", "－", "＠")


CONTROL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127), " ")


@pytest.mark.parametrize("mark", RISKY)
def test_e01_risky_openings_get_an_apostrophe(mark):
    frame = pl.DataFrame({"text": [f"{mark}cmd|' /C calc'!A0", f"LVH {mark}1", mark]})
    seen = mark.translate(CONTROL)
    assert neutral(frame)["text"].to_list() == [
        f"'{seen}cmd|' /C calc'!A0", f"LVH {seen}1", f"'{seen}",
    ]  # fmt: skip


def test_e03_control_characters_become_spaces_and_line_ends_stay():
    frame = pl.DataFrame({"text": ["LVH\x07 and\x1f\x7fRVH\nLBBB\tnew"]})
    assert neutral(frame)["text"].to_list() == ["LVH  and  RVH\nLBBB\tnew"]


def test_ids_numbers_and_absent_cells_stay():
    frame = pl.DataFrame({"id": ["=1"], "patient_id": ["-2"], "n": [-3], "text": [None]})
    frame = frame.with_columns(pl.col("text").cast(pl.String))
    assert neutral(frame).equals(frame)


@given(st.lists(st.none() | st.text(max_size=20), max_size=8))
def test_nothing_else_is_changed(cells):
    for before, after in zip(
        cells,
        neutral(pl.DataFrame({"text": cells}, schema={"text": pl.String}))["text"],
        strict=True,
    ):
        if before is None:
            assert after is None
        else:
            kept = before.translate(CONTROL)
            assert after == (f"'{kept}" if before.startswith(RISKY) else kept)


@given(st.text(max_size=20) | st.sampled_from(RISKY))
def test_one_cell_is_made_neutral_like_a_frame(cell):
    assert neutral_text(cell) == neutral(pl.DataFrame({"text": [cell]}))["text"][0]


def test_e03_cells_with_control_characters_are_counted_and_ids_are_not():
    frame = pl.DataFrame({"id": ["\x07"] * 3, "text": ["a\x00b", "c\nd", None], "n": [1, 2, 3]})
    assert control_characters(frame) == 1
