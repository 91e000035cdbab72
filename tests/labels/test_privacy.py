"""Names in signature, referral and indication lines stand in no table (P01, P10)."""

from __future__ import annotations

import pytest

NAME = "Quokkaby"
LINES = [
    f"Confirmed by {NAME}, Jane (123456) on 14-FEB-2011",
    f"CONFIRMED BY: {NAME.upper()}, J., M.D.",
    f"Referred by: {NAME}",
    f"Referred By: {NAME}          Confirmed By: {NAME} {NAME}",
    f"Electronically signed by: Dr. J. {NAME}",
    f"Indication: {NAME} fell, chest pain",
    f"Clinical history: seen by {NAME}",
    f"Technician: {NAME}",
    f"Reviewed by {NAME} MD",
    f"Ordering physician: {NAME}, J",
    f"Patient name: {NAME}, John",
    f"Befundet von {NAME}",
    f"Billing: {NAME}",
    f"Indication:\n{NAME} fell",
    f"Referred by:\n{NAME}",
]  # fmt: skip


@pytest.mark.parametrize("report", ["Sinus rhythm\n{}", "{}\nSinus rhythm", "AF\r\n{}\r\n"])
def test_names_stand_in_no_table(pairs, extract, report):
    texts = [report.format(line) for line in LINES]
    found = extract(pairs(*zip(texts, texts[::-1], strict=True)))
    assert NAME.lower() not in str(found.summary.counts()).lower()
    for table in (found.labels, found.report_statements, found.evidence):
        assert NAME.lower() not in table.write_csv().lower()
    shown = [text for text in found.statements["text"] if NAME.lower() in text.lower()]
    assert shown == []


def test_hidden_lines_keep_their_length_and_their_opening(pairs, extract):
    [text] = extract(pairs((f"Confirmed by {NAME}, J. (12)", None))).statements["text"]
    assert text == "Confirmed by xxxxxxxx, x. (00)"


@pytest.mark.parametrize(
    "line",
    [
        "Referred by: JONES   Unconfirmed",
        "Referred by: JONES Unconfirmed",
        "Referred by: JONES Unconfirmed Report",
        "Befundet von MEYER unbestätigter Bericht",
        "Indication: JONES fell, unconfirmed",
        "Unconfirmed",
    ],
)
def test_hiding_names_does_not_hide_that_nobody_confirmed(pairs, extract, line):
    found = extract(pairs((f"LVH\n{line}", f"LVH\n{line}")))
    assert found.labels.select("machine_lvh", "expert_lvh").rows() == [(1, None)]
    assert found.summary.sides["expert"].not_over_read == 1
    assert not {"JONES", "MEYER"} & set(" ".join(found.statements["text"]).split())
