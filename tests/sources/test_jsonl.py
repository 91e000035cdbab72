"""JSON lines: the same account as CSV."""

from __future__ import annotations

import json

import pytest

NAME = "reports.jsonl"


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_values_are_the_text_that_stands_there(table, read):
    path = table(
        '{"id": 1e5, "machine": 1.50, "keep": true}\n\n{"id": 123456789012345678901234}\n', NAME
    )
    assert read(path, keep=("keep",)) == [
        ("1e5", None, "1.50", None, "true"),
        ("123456789012345678901234", None, None, None, None),
    ]


def test_content_decides_without_the_suffix(table, read):
    path = table(lines({"id": "1", "machine": "AF\nx"}), "reports.txt")
    assert read(path) == [("1", None, "AF\nx", None)]


@pytest.mark.parametrize(("line", "code"), [
    ('{"id": "2", "machine": "JOHN SMITH"', "bad_json"),
    ('["JOHN SMITH"]', "bad_json"),
    ('{"id": "2", "machine": ["JOHN SMITH"]}', "bad_json"),
    ('{"id": "2", "id": "JOHN SMITH"}', "bad_json"),
    ('{"id": "2", "machine": "JOHN SMITH\\u0000"}', "nul"),
    ('{"id": "2", "machine": "JOHN SMITH \\ud800"}', "encoding"),
    ('{"id": "2", "machine": "JOHN SMITH ' + "x" * 5000 + '"}', "cell_size"),
    ("[" * 100_000, "bad_json"),
])  # fmt: skip
def test_bad_rows_are_refused_by_number_or_counted(table, refusal, account, line, code):
    path = table(lines({"id": "1", "machine": "AF"}) + line + "\n" + lines({"id": "3"}), NAME)
    assert "row 2 " in refusal(path, max_cell=1000)
    source, rows = account(path, max_cell=1000, quarantine=True)
    assert [row[0] for row in rows] == ["1", "3"]
    assert source.quarantine == [(2, code)]


def test_undecodable_bytes_name_their_row(table, refusal, read):
    path = table(b'{"id": "1", "machine": "M\xfcller"}\n', NAME)
    assert "row 1 holds bytes that are not UTF-8" in refusal(path)
    assert read(path, encoding="cp1252")[0][2] == "Müller"


def test_key_that_comes_late_would_be_lost_and_is_refused(table, refusal):
    rows = [{"id": str(n), "machine": "AF"} for n in range(1_001)]
    path = table(lines(*rows, {"id": "x", "expert": "SR"}), NAME)
    assert "row 1002 " in refusal(path)


def test_endless_line_is_refused(table, refusal):
    path = table('{"id": "1", "machine": "' + "x" * 3_000_000, NAME)
    assert "row 1 has a cell longer" in refusal(path, max_cell=1000)


def test_file_cut_in_a_row_is_refused(table, refusal):
    text = lines({"id": "1", "machine": "AF"}, {"id": "2", "machine": "SR"})
    for cut in range(len(text) // 2 + 1, len(text) - 1):
        assert "row 2 " in refusal(table(text[:cut], NAME))
