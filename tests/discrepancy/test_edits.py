"""Statements deleted, added and reworded, counted by hand in reports written for it."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from overread.discrepancy.api import Discrepancy
from overread.discrepancy.edits import Edits
from overread.labels.api import Extraction

Read = Callable[..., Extraction]
Compare = Callable[..., Discrepancy]


def edits_of(read: Read, compare: Compare, *texts: tuple[str | None, str | None]) -> Edits:
    edits = compare(read(*texts)).edits
    assert edits is not None
    return edits


def table(frame: pl.DataFrame) -> dict[str, tuple[int, int]]:
    return {row["text"].lower(): (row["n"], row["of"]) for row in frame.iter_rows(named=True)}


def test_deleted_added_and_of_how_many(read: Read, compare: Compare) -> None:
    edits = edits_of(
        read, compare,
        ("Sinus rhythm\nNonspecific T wave abnormality", "Sinus rhythm"),
        ("Sinus rhythm\nNonspecific T wave abnormality", "Sinus rhythm\nLow voltage QRS"),
        ("Sinus rhythm\nNonspecific T wave abnormality",
         "Sinus rhythm\nNonspecific T wave abnormality"),
        ("Sinus rhythm\nNonspecific T wave abnormality", None),
    )  # fmt: skip
    assert table(edits.statements("deleted")) == {"nonspecific t wave abnormality": (2, 3)}
    assert table(edits.statements("added")) == {"low voltage qrs": (1, 1)}
    assert edits.statements("deleted")["pct"].to_list() == [200 / 3]
    assert edits.reworded().is_empty()


def test_case_blanks_punctuation_dates_and_numbers_are_no_edit(
    read: Read, compare: Compare
) -> None:
    edits = edits_of(
        read, compare,
        ("SINUS RHYTHM.\nLow voltage, QRS", "Sinus  rhythm\nlow voltage QRS;"),
        ("Vent. rate 60 BPM\nSinus rhythm", "Vent. rate 75 BPM\nSinus rhythm"),
    )  # fmt: skip
    assert edits.deleted.is_empty()
    assert edits.added.is_empty()


def test_a_statement_that_stands_twice_in_a_report_counts_once(
    read: Read, compare: Compare
) -> None:
    edits = edits_of(read, compare, ("RBBB\nSinus rhythm\nRBBB", "Sinus rhythm"))
    assert table(edits.statements("deleted")) == {"rbbb": (1, 1)}


def test_reworded_asserts_the_same_labels(read: Read, compare: Compare) -> None:
    edits = edits_of(
        read, compare,
        ("Left ventricular hypertrophy", "Voltage criteria for LVH"),
        ("Left ventricular hypertrophy", "Voltage criteria for LVH"),
        ("Left ventricular hypertrophy", "Right bundle branch block"),  # other labels
        ("Left ventricular hypertrophy\nLVH with strain", "Voltage criteria for LVH"),  # which?
        ("Low voltage QRS", "Small QRS complexes"),  # no label: nothing says that they are one
    )  # fmt: skip
    assert edits.reworded().select("text", "into_text", "n").rows() == [
        ("Left ventricular hypertrophy", "Voltage criteria for LVH", 2)
    ]
    deleted = table(edits.statements("deleted"))
    assert deleted["left ventricular hypertrophy"] == (4, 4)


def test_only_findings_count(read: Read, compare: Compare) -> None:
    edits = edits_of(
        read, compare,
        ("Sinus rhythm", "Sinus rhythm\nConfirmed by Doe, John (17) on 1/2/2020 3:04:05 PM"),
        ("Sinus rhythm", "Sinus rhythm\nWhen compared with ECG of 01-JAN-2019 10:00,\n"
                         "Premature ventricular complexes are no longer present"),
    )  # fmt: skip
    assert edits.added.is_empty()


def test_ties_are_told_in_one_order(read: Read, compare: Compare) -> None:
    texts = ("RBBB\nLVH\nLow voltage QRS\nAtrial flutter", "Sinus rhythm")
    names = [
        edits_of(read, compare, texts).statements("deleted")["text"].to_list() for _ in range(3)
    ]
    assert names[0] == sorted(names[0])
    assert names[0] == names[1] == names[2]
