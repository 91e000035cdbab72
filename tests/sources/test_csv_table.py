"""CSV faults T01 to T19 and T23: refused by row number, or read without a change."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HEADER = "id,machine,expert\n"
BOM = b"\xef\xbb\xbf"


def test_t01_byte_order_mark_changes_nothing(table, read):
    text = (HEADER + "1,AF,Sinus rhythm\n").encode()
    assert read(table(BOM + text)) == read(table(text)) == [("1", None, "AF", "Sinus rhythm")]


def test_t01_byte_order_mark_inside_the_file_is_refused_by_row(table, refusal):
    text = (HEADER + "1,a,b\n").encode() + BOM + b"2,c,d\n"
    assert "row 2 (line 3) begins with a byte-order mark" in refusal(table(text))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_t02_utf16_is_named_and_read_when_asked(table, refusal, read, canary, encoding):
    path = table((HEADER + f"1,{canary},Müller\n").encode(encoding))
    message = refusal(path)
    assert "looks like UTF-16" in message
    assert "--encoding utf-16" in message
    assert read(path, encoding=encoding) == [("1", None, canary, "Müller")]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["Müller", "синусовый ритм " * 200])
def test_t02_utf16_without_a_mark_is_read_by_its_bytes(table, read, encoding, text):
    path = table((HEADER + f"1,{text},ok\n").encode(encoding))
    assert read(path, encoding="utf-16") == [("1", None, text, "ok")]


@pytest.mark.parametrize(
    ("written", "asked", "told"),
    [
        ("utf-8-sig", "cp1252", "is UTF-8, as its byte-order mark says. Next step: leave --enc"),
        ("utf-8-sig", "latin-1", "is UTF-8, as its byte-order mark says"),
        ("utf-8-sig", "utf-16", "is UTF-8, as its byte-order mark says"),
        ("utf-8", "utf-16", "is not UTF-16. Next step: leave --encoding out"),
        ("utf-16", "cp1252", "looks like UTF-16. Next step: re-save it as UTF-8, or give --enc"),
        ("utf-32", "utf-8", "looks like UTF-32, which is not read"),
        ("utf-32-le", "utf-8", "looks like UTF-32, which is not read"),
        ("utf-32-be", "utf-16", "looks like UTF-32, which is not read"),
    ],
)
def test_encoding_that_the_file_does_not_have_is_refused(table, refusal, written, asked, told):
    assert told in refusal(table((HEADER + "1,Müller,ok\n").encode(written)), encoding=asked)


def test_t03_foreign_byte_names_its_row_and_the_option(table, refusal, account, canary):
    text = HEADER + f"1,{canary},ok\n2,M\u00fcller \u2019{canary},b\n3,c,d\n"
    path = table(text.encode("cp1252"))
    message = refusal(path)
    assert "row 2 (line 3) holds bytes that are not UTF-8" in message
    assert "--encoding" in message
    assert "cp1252" in message
    source, rows = account(path, encoding="cp1252")
    assert source.tally.rows_in == len(rows) == 3
    assert rows[1][2] == f"M\u00fcller \u2019{canary}"
    source, rows = account(path, quarantine=True)
    assert source.tally.quarantined == {"encoding": 1}
    assert source.quarantine == [(2, "encoding")]


def test_t03_byte_that_the_given_encoding_lacks_names_its_row(table, refusal):
    message = refusal(table(HEADER.encode() + b"1,a,b\n2,\x81,d\n"), encoding="cp1252")
    assert "row 2 (line 3) holds bytes that are not CP1252" in message
    assert "(cp1252 is usual" not in message
    odd = (HEADER + "1,a,b\n").encode("utf-16") + b"2"
    assert "holds bytes that are not UTF-16" in refusal(table(odd), encoding="utf-16")
    header = b"id,machine,exp\x81rt\n1,a,b\n"
    assert "the header is not CP1252" in refusal(table(header), encoding="cp1252")


def test_t04_unterminated_quote_names_its_row(table, refusal, canary):
    rows = [f"{n},{canary},x" for n in range(1, 1001)]
    rows[1] = f'2,"{canary},x'
    message = refusal(table(HEADER + "\n".join(rows) + "\n"))
    assert "the quote opened on row 2 (line 3) never closes" in message


def test_t04_unterminated_quote_before_quoted_rows_names_its_row(table, refusal, canary):
    text = HEADER + f'1,a,b\n2,"{canary},x\n3,"c","d"\n4,"e","f"\n'
    assert "row 2 (line 3)" in refusal(table(text))
    assert "row 2 (line 3)" in refusal(table(text), quarantine=True)


def test_t05_line_ends_inside_quotes_are_kept(table, read):
    text = 'id,machine,expert\r\n1,"a\nb","c\r\nd"\r\n2,"e""f",g\r\n'
    assert read(table(text)) == [("1", None, "a\nb", "c\r\nd"), ("2", None, 'e"f', "g")]


def test_t06_nul_is_refused_or_quarantined_never_cut(table, refusal, account, canary):
    path = table(HEADER + f"1,N\0SR {canary},b\n2,c,d\n")
    assert "row 1 (line 2) holds a NUL byte" in refusal(path)
    source, rows = account(path, quarantine=True)
    assert (rows, source.tally.quarantined) == ([("2", None, "c", "d")], {"nul": 1})


def test_t07_duplicate_header_names_the_places(table, refusal):
    message = refusal(table("id,machine,text,expert,text\n1,a,b,c,d\n"))
    assert "column 'text' appears 2 times (3., 5. column)" in message


def test_t08_short_row_names_its_row(table, refusal, account, canary):
    path = table(HEADER + f"1,a,b\n100,{canary}\n3,c,d\n")
    assert "row 2 (line 3) has 2 fields, the header has 3" in refusal(path)
    source, rows = account(path, quarantine=True)
    assert len(rows) == 2
    assert source.quarantine == [(2, "field_count")]


@pytest.mark.parametrize("text", [
    'id,machine,expert\r\n1,"a, b","c\r\nd"\r\n22,e,"f ""g"""\r\n3,h,i\r\n',
    "id,machine,expert\n1,AF,Sinus\n2,,x\n\n3,SR,AF\n",
])  # fmt: skip
def test_t08_cut_at_every_byte_gives_whole_rows_or_a_refusal(table, account, refusal, text):
    whole = account(table(text))[1]
    accepted = 0
    for cut in range(len(text)):
        path = table(text[:cut])
        try:
            source, rows = account(path)
        except Exception:
            refusal(path)
            continue
        accepted += 1
        complete = rows[:-1] if source.tally.notes.get("last row has no line end") else rows
        assert complete == whole[: len(complete)]
        assert len(rows) == len(list(csv.reader(io.StringIO(text[:cut], newline=""))))- (
            1 + source.tally.notes.get("blank lines", 0)
        )  # fmt: skip
    assert accepted


def test_t09_long_row_names_its_row(table, refusal, canary):
    path = table(HEADER + f"1,a,b\n2,{canary}, left axis,b\n")
    assert "row 2 (line 3) has 4 fields, the header has 3" in refusal(path)


@pytest.mark.parametrize("k", [1, 100, 1000, 3000])
def test_t10_dialect_change_names_its_row(table, refusal, account, k):
    rows = [f"{n},a,b" if n < k else f"{n};a;b" for n in range(1, 4001)]
    path = table(HEADER + "\n".join(rows) + "\n")
    assert f"row {k} (line {k + 1})" in refusal(path)
    if k > 1:
        source, kept = account(path, quarantine=True)
        assert len(kept) == k - 1
        assert source.tally.rows_in == 4000


def test_t10_other_delimiter_below_one_column_is_refused(table, refusal):
    refusal(table("c0\nv0\na;b\n"))


def test_t11_large_cell_names_its_row_in_bounded_memory(table, refusal, account, peak_kib):
    path = table(HEADER.encode() + b"1,a,b\n2," + b"x" * 50_000_000 + b",b\n3,c,d\n")
    assert "row 2 (line 3) has a cell" in refusal(path)
    source, rows = account(path, quarantine=True)
    assert source.tally.quarantined == {"cell_size": 1}
    assert len(rows) == 2
    assert peak_kib(path, quarantine=True) < 1 << 20


def test_t11_limit_can_be_raised(table, read, refusal):
    path = table(HEADER + "1," + "x" * 2_000 + ",b\n")
    assert "longer than 1000 bytes" in refusal(path, max_cell=1000)
    assert len(read(path, max_cell=2000)) == 1


def test_t12_carriage_returns_alone_are_refused(table, refusal):
    message = refusal(table("id,machine,expert\r1,a,b\r2,c,d\r"))
    assert "carriage return alone" in message
    assert "row 1 (line 2)" in refusal(table(HEADER + "1,a,b\r2,c,d\n"))


def test_t13_empty_and_header_only(table, refusal):
    assert "is empty" in refusal(table(""))
    assert "is empty" in refusal(table("\n\n"))
    assert "0 reports" in refusal(table(HEADER))
    assert "0 reports" in refusal(table(HEADER.rstrip()))


def test_t14_bare_quote_names_its_row(table, refusal, canary):
    message = refusal(table(HEADER + f'1,a,b\n2,12" lead {canary},b\n3,c,d\n'))
    assert "row 2 (line 3) holds a quote in the middle of a cell" in message


@pytest.mark.parametrize("cell", [r'"say \"AF\" now"', r'"\"AF\""', r'"ends \""'])
def test_t15_backslash_quotes_suggest_the_option_and_are_read_with_it(
    table, refusal, read, cell, canary
):
    path = table(HEADER + f"1,a,b\n2,{cell},{canary}\n")
    message = refusal(path)
    assert "row 2 (line 3)" in message
    assert "--escape backslash" in message
    text = cell[1:-1].replace('\\"', '"')
    assert read(path, escape="backslash")[1] == ("2", None, text, canary)


def test_t15_doubled_backslash_is_one_and_closes_the_cell(table, read):
    path = table(HEADER + r'1,"a\\","b\nc"' + "\n")
    assert read(path, escape="backslash") == [("1", None, "a\\", r"b\nc")]


@pytest.mark.parametrize("header", ["1,JOHN SMITH,AF", "1,JOHN SMITH,JOHN SMITH"])
def test_p01_file_without_a_header_shows_no_cell(table, refusal, header):
    refusal(table(header + "\n2,b,c\n"))
    refusal(table(header + "\n2,b,c\n"), machine="text")


IDS = ["000123", "1e5", "1" * 22, "0x1F", " 7", "1.0", "-0", "٣"]


def test_t16_ids_are_byte_equal(table, read):
    path = table(HEADER + "".join(f"{one},a,b\n" for one in IDS))
    assert [row[0] for row in read(path)] == IDS


def test_t17_words_for_nothing_are_text_and_empty_is_not_absent(table, account):
    words = ["NA", "None", "null", "nan", "NaN", "NULL", "-"]
    path = table(HEADER + "".join(f"{n},{w},x\n" for n, w in enumerate(words)) + '8,,""\n')
    source, rows = account(path)
    assert [row[2] for row in rows] == [*words, None]
    assert rows[-1][3] == ""
    assert source.tally.notes == {"no machine text": 1, "empty expert text": 1}


def test_t18_types_are_never_guessed(table, read):
    rows = [f"{n},{n},{n}\n" for n in range(25_000)] + ["x,AF,1.50\n"]
    assert read(table(HEADER + "".join(rows)))[-1] == ("x", None, "AF", "1.50")


@pytest.mark.parametrize("mark", [";", "\t"])
def test_t19_delimiter_is_decided_from_the_header(table, account, mark):
    path = table(f"id{mark}machine{mark}expert\n1{mark}AF, old{mark}b\n")
    source, rows = account(path)
    assert rows == [("1", None, "AF, old", "b")]
    assert source.name.startswith({";": "semicolon", "\t": "tab"}[mark])


def test_t19_two_delimiters_in_the_header_are_refused_unless_named(table, refusal, read):
    path = table('id;machine;expert;"a,b";c,d\n1;AF;b;x;y\n')
    assert "more than one delimiter (comma and semicolon)" in refusal(path)
    assert read(path, format="semicolon") == [("1", None, "AF", "b")]


def test_t23_blank_lines_are_skipped_and_counted(table, account):
    source, rows = account(table("\n" + HEADER + "\n1,a,b\n\r\n\n2,c,d\n\n"))
    assert [row[0] for row in rows] == ["1", "2"]
    assert source.tally.rows_in == 2
    assert source.tally.notes["blank lines"] == 4


def test_t23_comment_lines_are_refused_by_row(table, refusal, account, canary):
    path = table(HEADER + f"1,a,b\n# {canary}, x, y\n2,c,d\n")
    assert "row 2 (line 3) begins with '#'" in refusal(path)
    assert account(path, quarantine=True)[0].tally.quarantined == {"comment": 1}
    assert "header begins with '#'" in refusal(table("# made today\n" + HEADER + "1,a,b\n"))


def test_unnamed_columns_do_not_matter(table, read):
    assert read(table(",id,machine,\n0,7,AF,\n")) == [("7", None, "AF", None)]


@pytest.mark.parametrize("header", ['id,"machine,expert\n1,a,b\n', 'id,mach"ine,expert\n1,a,b\n'])
def test_quotes_in_the_header_are_refused(table, refusal, header):
    assert "the header" in refusal(table(header))


CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6),
    line_end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_random_tables_come_back_as_written(tmp_path: Path, read, rows, line_end, encoding):
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "machine", "expert"])
    writer.writerows((f"r{n}", *row) for n, row in enumerate(rows))
    path = tmp_path / "random.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    found = read(path, encoding=encoding)
    assert found == [(f"r{n}", None, *row) for n, row in enumerate(rows)]
