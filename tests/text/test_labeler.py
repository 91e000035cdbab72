"""What holds for every text: an answer, the same answer, valid states, no exception."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.errors import UsageError
from overread.tables import STATES

VALUES = {"present": 1, "uncertain": 1, "absent": 0, "past": 0, "unmentioned": 0,
          "not_assessable": 0}  # fmt: skip


def check(labeler, text):
    """The reading is whole and true to the text."""
    reading = labeler.label(text)
    assert list(reading.labels) == list(reading.states) == list(labeler.vocabulary.labels)
    assert set(reading.states.values()) <= set(STATES)
    silent = None in reading.labels.values()
    for label, value in reading.labels.items():
        assert value == (None if silent else VALUES[reading.states[label]])
    for mention in reading.mentions:
        assert 0 <= mention.start < mention.end <= len(text)
        assert 0 < mention.score <= 100
        assert mention.label in reading.labels
    stated = {m.label for m in reading.mentions}
    assert {label for label, state in reading.states.items() if state != "unmentioned"} <= stated
    assert all(0 <= start < end <= len(text) for start, end in reading.unmatched)
    return reading


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=300))
def test_any_text_has_an_answer(labeler, text):
    assert check(labeler, text) == labeler.label(text)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_order_of_report_words_has_an_answer_that_blank_lines_do_not_change(
    labeler, report_words, data
):
    text = data.draw(report_words)
    reading = check(labeler, text)
    framed = check(labeler, f"\n \r\n\n{text}\n\n")
    assert framed.states == reading.states
    assert [m.start - 5 for m in framed.mentions] == [m.start for m in reading.mentions]


def test_blank_lines_at_both_ends_change_nothing(labeler, sentences):
    for text in sentences:
        assert labeler.label(f"\n\n{text}\n\n").labels == labeler.label(text).labels, text


def test_readings_do_not_depend_on_what_was_read_before(labeler, sentences):
    forward = list(labeler.pipe(sentences))
    backward = list(labeler.pipe(sentences[::-1]))[::-1]
    assert forward == backward


@pytest.mark.parametrize(
    "text",
    ["", " \r\n\t", "Trace only requested", "ECG not interpreted", "Uninterpretable ECG",
     "TRACE ONLY REQUESTED.\nConfirmed by Doe, Jane", "nicht auswertbar"],
)  # fmt: skip
def test_no_reading_is_none_for_every_label(labeler, text):
    reading = labeler.label(text)
    assert set(reading.labels.values()) == {None}
    assert reading.mentions == ()


def test_a_finding_beside_no_reading_is_read(labeler):
    assert labeler.label("Trace only requested\nAtrial fibrillation").labels["lvh"] == 0


@pytest.mark.parametrize("text", [None, 3, b"AF", float("nan")])
def test_what_is_no_text_is_refused(labeler, text):
    with pytest.raises(UsageError, match="must be text"):
        labeler.label(text)


@pytest.mark.parametrize(
    ("text", "sinus", "left_axis"),
    [
        ("Normal ECG", "present", "unmentioned"),
        ("Normal ECG. Atrial fibrillation", "unmentioned", "unmentioned"),
        ("Atrial fibrillation\nNormal ECG", "unmentioned", "unmentioned"),
        ("Ventricular-paced rhythm, normal ECG", "unmentioned", "unmentioned"),
        ("Otherwise normal ECG", "unmentioned", "unmentioned"),
        ("Sinus rhythm, LAFB", "present", "present"),
        ("Sinus rhythm, LAFB, right axis deviation", "present", "unmentioned"),
        ("No left axis deviation, LAFB", "unmentioned", "absent"),
    ],
)
def test_implied_labels_yield_to_what_is_stated(labeler, text, sinus, left_axis):
    states = labeler.label(text).states
    assert (states["sinus_rhythm"], states["left_axis_deviation"]) == (sinus, left_axis)


def test_implied_mentions_say_so(labeler):
    [mention] = labeler.label("Normal ECG").mentions
    assert mention.implied
    [mention] = labeler.label("Sinus rhythm").mentions
    assert not mention.implied


def test_a_repaired_misspelling_is_told_with_its_score(labeler):
    [mention] = labeler.label("Atrial fibrilation").mentions
    assert (mention.label, mention.assertion) == ("atrial_fibrillation", "present")
    assert mention.repair
    assert 80 <= mention.score < 100
    [mention] = labeler.label("Atrial fibrillation").mentions
    assert (mention.score, mention.repair) == (100, False)


@pytest.mark.parametrize(
    "text",
    ["interior infarct", "exterior infarct", "lift axis deviation", "artery fibrillation",
     "competent left bundle branch", "sins rhythm", "arterial flatter"],
)  # fmt: skip
def test_real_words_are_not_misspellings(labeler, text):
    assert not labeler.label(text).mentions


def mentioned(labeler, text):
    return {mention.label for mention in labeler.label(text).mentions}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("right axis deviation", "left axis deviation"),
        ("inferior infarct", "anterior infarct"),
        ("left bundle branch block", "right bundle branch block"),
    ],
)
def test_one_wrong_letter_never_turns_a_label_into_another(labeler, one, other):
    for text, opposite in ((one, other), (other, one)):
        for at in range(1, len(text)):
            for letter in "aefilnortx ":
                typed = text[:at] + letter + text[at + 1 :]
                assert not mentioned(labeler, typed) & mentioned(labeler, opposite), typed


@pytest.mark.parametrize("text", ["Negative for MI", "No evidence of infarct", "No MI"])
def test_denying_infarct_denies_every_territory(labeler, text):
    states = labeler.label(text).states
    assert {states[f"{wall}_mi"] for wall in ("anterior", "inferior", "posterior")} == {"absent"}


def test_a_bare_infarct_asserts_no_territory(labeler):
    assert set(labeler.label("Acute MI").states.values()) == {"unmentioned"}


def test_a_named_territory_stands_beside_a_denied_infarct(labeler):
    states = labeler.label("No MI. Old inferior MI").states
    assert (states["anterior_mi"], states["inferior_mi"]) == ("absent", "present")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_words_are_the_same_whether_a_dash_stands_far_behind_them_or_none(
    labeler, report_words, data
):
    # A text without a dash is read chunk by chunk; one with a dash, which may reach far, is not.
    text = data.draw(report_words).replace("-", " ").strip()
    words = labeler.matcher.lexicon.read(text)
    assert labeler.matcher.lexicon.read(f"{text} \N{EN DASH}")[: len(words)] == words
