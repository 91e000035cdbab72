"""Names in signatures are no findings (P09 to P11), and no signature eats a finding."""

from __future__ import annotations

import pytest

SIGNED = [
    "Confirmed by RAD, M.D.",
    "Confirmed by RAD, M.D. (1234) on 4/2/2014 9:12:44 AM",
    "CONFIRMED BY: SMITH, LAD, AF, SR, MI (123)",
    "confirmed by rad, m.d.",
    "Electronically signed by: Dr. A. F. Wexley",
    "Electronically confirmed by LBBB, A. on 12-JAN-2012",
    "Reviewed by Dr. Infarct, Inferior",
    "Overread by: LVH GROUP",
    "Referred by: LAD",
    "Referred By: AF CLINIC          Confirmed By: RAD PATEL",
    "Referred by: JONES\r\nConfirmed By: SINUS, RHYTHM",
    "Technician: RAD",
    "Ordering physician: Flutter, Atrial",
    "Befundet von AF Meyer",
    "Unconfirmed",
    "Af Svensson",
]


@pytest.mark.parametrize("line", SIGNED)
def test_names_in_signatures_never_match(labeler, line):
    reading = labeler.label(f"Left bundle branch block\n{line}")
    assert {m.label for m in reading.mentions} == {"lbbb"}
    assert set(labeler.label(line).states.values()) == {"unmentioned"}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Confirmed by old records: inferior infarct", "inferior_mi"),
        ("Confirmed by echo, left ventricular hypertrophy", "lvh"),
        ("Confirmed by a long rhythm strip: atrial flutter", "atrial_flutter"),
        ("Sinus rhythm\nConfirmed by Doe, J. (12)\nRight bundle branch block", "rbbb"),
        ("Confirmed by Doe, J. (12)\nRight bundle branch block", "rbbb"),
        ("Atrial fibrillation confirmed by long rhythm strip", "atrial_fibrillation"),
    ],
)
def test_p09_no_signature_rule_eats_a_finding(labeler, text, label):
    assert labeler.label(text).states[label] == "present"


@pytest.mark.parametrize(
    "words",
    ["Wolff-Parkinson-White", "Wolff Parkinson White pattern", "Wellens syndrome", "Osborn waves",
     "Brugada pattern", "Mobitz II AV block", "Wenckebach block", "Lown-Ganong-Levine",
     "Sokolow-Lyon", "Cornell product"],
)  # fmt: skip
def test_p11_eponyms_are_no_names_and_hide_no_finding(labeler, words):
    text = f"Sinus rhythm, {words}\nAnterior infarct with {words}"
    states = labeler.label(text).states
    assert states["sinus_rhythm"] == states["anterior_mi"] == "present"
