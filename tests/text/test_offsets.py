"""Evidence points at the wording: ``report[start:end]`` in the report as it was given."""

from __future__ import annotations

import pytest

# A report, a label, and the wording that is its evidence. The wording stands once in the report.
WORDINGS = [
    ("Sinus rhythm\r\nLeft axis deviation\r\nLVH", "left_axis_deviation", "Left axis deviation"),
    ("Sinus rhythm\r\nLeft axis deviation\r\nLVH", "lvh", "LVH"),
    ("Größe ä ö ü: Vorhofflimmern", "atrial_fibrillation", "Vorhofflimmern"),
    ("😀😀 rate 72, atrial flutter 😀", "atrial_flutter", "atrial flutter"),
    ("\t\tRBBB\t\tother\tAF", "rbbb", "RBBB"),
    ("No\u00a0evidence. Old\u00a0inferior infarct", "inferior_mi", "inferior infarct"),
    ("left bundle branch\nblock; rate 70", "lbbb", "left bundle branch\nblock"),
    ("Sinus rhythm with PACs. No left ventricular hypertrophy.", "lvh",
     "left ventricular hypertrophy"),
    ("Sinus rhythm has replaced atrial fibrillation", "atrial_fibrillation", "atrial fibrillation"),
    ("anteroseptal infarct, age undetermined", "anterior_mi", "anteroseptal infarct"),
    ("Confirmed by AF, MD\nRight axis deviation", "right_axis_deviation", "Right axis deviation"),
]  # fmt: skip


@pytest.mark.parametrize(("report", "label", "wording"), WORDINGS)
def test_span_is_the_wording(labeler, report, label, wording):
    spans = {(m.start, m.end) for m in labeler.label(report).mentions if m.label == label}
    start = report.index(wording)
    assert spans == {(start, start + len(wording))}


def test_spans_of_all_sentences_hold_whole_words_that_alone_give_the_label(labeler, sentences):
    seen = 0
    needs = {ref.id for ref in labeler.vocabulary.phrases if ref.phrase.only_with}
    for text in sentences:
        for mention in labeler.label(text).mentions:
            wording = text[mention.start : mention.end]
            assert wording == wording.strip()
            assert wording
            assert not text[max(0, mention.start - 1) : mention.start + 1].isalnum() or (
                mention.start == 0
            ), (text, wording)
            assert not text[mention.end - 1 : mention.end + 1].isalnum() or (
                mention.end == len(text) or not text[mention.end].isalnum()
            ), (text, wording)
            seen += 1
            # Not so where a wider word denies the label ("No MI"), where the phrase needs another
            # word, nor for a hanging hyphen, whose word ends or starts elsewhere ("Vorderwand- und
            # Hinterwandinfarkt", "oder -fladder").
            hanging = "-" in (text[mention.end : mention.end + 1], text[mention.start - 1])
            own = mention.phrase_id.startswith(f"{mention.label}/")
            if own and not hanging and mention.phrase_id not in needs:
                alone = {again.label for again in labeler.label(wording).mentions}
                assert mention.label in alone, (text, wording)
    assert seen > len(sentences) // 2


@pytest.mark.parametrize(
    "before", ["Größe 😀.\r\n", "\t\t", "\u00a0\n\u00a0", "QTc 412 ms\r\n\r\n"]
)
def test_spans_move_with_what_stands_before(labeler, sentences, before):
    for text in sentences:
        plain = labeler.label(text)
        moved = labeler.label(before + text)
        assert moved.states == plain.states, text
        shift = len(before)
        assert [(m.label, m.start - shift, m.end - shift) for m in moved.mentions] == [
            (m.label, m.start, m.end) for m in plain.mentions
        ], text


def test_windows_line_ends_change_no_label_and_no_wording(labeler, sentences):
    for text in sentences:
        plain, windows = labeler.label(text), text.replace("\n", "\r\n")
        other = labeler.label(windows)
        assert other.states == plain.states, text
        assert [windows[m.start : m.end].replace("\r\n", "\n") for m in other.mentions] == [
            text[m.start : m.end] for m in plain.mentions
        ]


def test_unmatched_spans_are_statements_of_the_report(labeler):
    report = "Sinus rhythm\r\nWibbly complexes\r\nConfirmed by Wobble, A."
    [(start, end)] = labeler.label(report).unmatched
    assert report[start:end] == "Wibbly complexes"
