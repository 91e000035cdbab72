"""The table path (cut, masked, each statement once) says of every report what ``label`` says."""

from __future__ import annotations

import csv

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.sources.open import open_source


def alone(labeler, text, *, expert=False):
    """The states of one report by itself; None where the text is no reading of that side."""
    reading = labeler.label(text)
    if None in reading.labels.values() or (expert and labeler.unconfirmed(text)):
        return None
    return reading.states


def test_case_sentences(labeler, sentences, read_states, extract):
    ids = [str(number) for number in range(len(sentences))]
    frame = pl.DataFrame({"id": ids, "machine": sentences, "expert": sentences[::-1]})
    labels = extract(frame).labels
    machine, expert = read_states(labels, "machine"), read_states(labels, "expert")
    for one, text, other in zip(ids, sentences, reversed(sentences), strict=True):
        assert machine[one] == alone(labeler, text), text
        assert expert[one] == alone(labeler, other, expert=True), other


def test_ptbxl_reports(labeler, shared, read_states, extract):
    table = shared / "data" / "ptb-xl" / "ptbxl_database_subset.csv"
    if not table.is_file():
        pytest.skip("PTB-XL is not at hand")
    with table.open(encoding="utf-8", newline="") as file:
        reports = {row["ecg_id"]: row["report"] for row in csv.DictReader(file)}
    labels = extract(open_source(table)).labels
    assert labels["id"].to_list() == list(reports)
    machine, expert = read_states(labels, "machine"), read_states(labels, "expert")
    spoken = 0
    for one, text in reports.items():
        states = alone(labeler, text)
        assert [machine[one], expert[one]].count(None) >= 1
        assert (machine[one] or expert[one]) == states, text
        spoken += states is not None
    assert spoken > 5_000


WORDS = (
    "no", "possible", "old", "inferior", "anterior", "infarct", "LVH", "Sinus rhythm", "with", "or",
    "and", "atrial fibrillation", "14-FEB-2011", "10:12,", "72bpm", "V1", "2:1", "may be", "s1s2s3",
    "1st degree AV block", "12 MAY 2010", "is no longer present", "When compared with ECG of", "3",
    "Unconfirmed", "Confirmed by", "RAD,", "Edit:", "Normal ECG", "LAFB", "Indication:", "but", "?",
    "1234567890", "right axis deviation", "trace only requested", "[", "]",
)  # fmt: skip
GLUE = (" ", " ", " ", "\n", ". ", ", ", "   ", "; ", "\r\n")


@settings(max_examples=20, deadline=None)
@given(
    drawn=st.lists(
        st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GLUE)), max_size=12),
        min_size=1,
        max_size=12,
    )
)
def test_random_reports(labeler, read_states, extract, drawn):
    texts = ["".join(word + glue for word, glue in words) for words in drawn]
    ids = [str(number) for number in range(len(texts))]
    frame = pl.DataFrame({"id": ids, "machine": texts, "expert": texts})
    labels = extract(frame).labels
    machine, expert = read_states(labels, "machine"), read_states(labels, "expert")
    for one, text in zip(ids, texts, strict=True):
        assert machine[one] == alone(labeler, text), text
        assert expert[one] == alone(labeler, text, expert=True), text
