"""MIMIC-IV-ECG's table of machine statements."""

from __future__ import annotations


def test_real_row_skips_the_empty_statement(shared, account):
    path = shared / "data" / "mimic-iv-ecg" / "machine_measurements.csv"
    source, rows = account(path, keep=("cart_id",))
    text = "Sinus rhythm\nPossible right atrial abnormality\nBorderline ECG"
    assert rows == [("40689238", "10000032", text, None, "6848296")]
    assert source.columns.machine == "report_0 to report_17"
    assert source.tally.notes == {"no expert text": 1}


def test_statements_join_in_the_order_of_their_numbers(table, read):
    header = "subject_id,study_id," + ",".join(f"report_{n}" for n in (0, 10, 2, 1))
    path = table(header + '\n7,70,a,d,c,b\n7,71,,,"",\n7,72,,x,,\n')
    assert [row[2] for row in read(path)] == ["a\nb\nc\nd", None, "x"]


def test_patient_column_is_optional(table, read):
    assert read(table("study_id,report_0\n70,AF\n"), format="mimic") == [("70", None, "AF", None)]
