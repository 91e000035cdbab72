"""Masking: dates and free numbers go, every length stays, and no word of a finding changes."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from overread.labels.split import mask


def masked(*texts: str) -> list[str]:
    return mask(pl.Series(texts, dtype=pl.String)).to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ECG of 14-FEB-2011 10:12", "ECG of 00-xxx-0000 00:00"),
        ("on 4/2/2014 9:12:44 AM", "on 0/0/0000 0:00:00 AM"),
        ("12 may 2010", "00 xxx 0000"),
        ("rate 72bpm, PR 182 ms", "rate 00bpm, PR 000 ms"),
        ("(123456)", "(000000)"),
        ("MRN 1234567890, phone 123456789012", "MRN 0000000000, phone 000000000000"),
        ("may be LVH", "may be LVH"),
        ("V1 may be 2:1", "V1 may be 0:0"),
        ("S1S2S3, V1-V3, 1st degree", "S1S2S3, V1-V3, 1st degree"),
        ("march, second, mars", "march, second, mars"),
        ("", ""),
    ],
)
def test_dates_and_free_numbers_are_blanked(text, expected):
    assert masked(text) == [expected]


PIECES = st.sampled_from(
    ("may", "be", "May", "dec", "mar", "14", "2011", "V1", "1st", "ms", "-", "/", ".", " ", "é",
     "٣", "😀", "\u00a0", "_", "S1S2S3", "123456789", "bpm", ",", "\v")
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    texts=st.lists(
        st.text(max_size=60) | st.lists(PIECES, max_size=12).map("".join), min_size=1, max_size=10
    )
)
@example(texts=["12 may be 2010", "1 may 10"])
def test_masking_keeps_every_length_and_all_words_but_months_in_dates(texts):
    for before, after in zip(texts, masked(*texts), strict=True):
        assert len(after) == len(before)
        for one, other in zip(before, after, strict=True):
            assert one == other or other == "0" or (other == "x" and one.isalpha())
        assert before.lower().count("may be") == after.lower().count("may be")
        assert masked(after) == [after]


@settings(max_examples=50, deadline=None)
@given(number=st.integers(min_value=0, max_value=10**30), unit=st.sampled_from(("", " ms", "bpm")))
def test_no_free_number_stays(number, unit):
    assert masked(f"id {number}{unit} LVH") == [f"id {'0' * len(str(number))}{unit} LVH"]
