"""Odd input that once gave a wrong label or an unexpected exception."""

from __future__ import annotations

import pytest

from overread.errors import UsageError
from overread.text.labeler import Labeler


def test_a_territory_as_near_to_another_is_not_repaired(labeler):
    assert not labeler.label("anferior infarct").mentions


@pytest.mark.parametrize("signature", ["Confirmed by SMITH,\nRAD", "Confirmed by SMITH; RAD"])
def test_a_name_that_runs_over_its_line_never_matches(labeler, signature):
    assert (
        labeler.label(f"Sinus rhythm\n{signature}").states["right_axis_deviation"] == "unmentioned"
    )


def test_a_vocabulary_may_have_no_segments(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "labels:\n  lvh:\n    name: LVH\n    description: x\n"
        "    phrases: [left ventricular hypertrophy]\n"
    )
    (tmp_path / "context.yaml").write_text("cues: {}\nscope: {}\n")
    assert Labeler(tmp_path).label("left ventricular hypertrophy").labels == {"lvh": 1}


def test_text_that_is_no_unicode_is_refused(labeler):
    with pytest.raises(UsageError):
        labeler.label("\ud800 AF")


@pytest.mark.parametrize(
    "text", ["y" * 900_000, "links- und " + "y" * 900_000, "from lvh " * 20_000]
)
def test_no_length_of_a_word_or_a_statement_takes_for_ever(labeler, text):
    # Work that grows with the square of these lengths would take minutes.
    states = labeler.label(text).states
    assert {name for name, state in states.items() if state != "unmentioned"} <= {"lvh"}
