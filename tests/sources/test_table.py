"""Ids, duplicates, missing texts and files that change: T16, T20, T21, T26."""

from __future__ import annotations

import os

import polars as pl
import pytest

from overread.errors import TableError, UsageError
from overread.sources.open import open_source
from overread.sources.table import patient_text

HEADER = "id,patient_id,machine,expert\n"
TWICE = HEADER + "a,1,m1,e1\nb,2,m2,e2\na,1,m3,e3\nc,,m4,e4\na,1,m5,e5\n"


def test_t20_duplicate_ids_are_refused_with_their_count(table, refusal, canary):
    message = refusal(table(TWICE.replace("m3", canary)))
    assert "2 rows repeat the id of an earlier row, the first is row 3" in message
    assert "--duplicates first" in message


@pytest.mark.parametrize(("duplicates", "kept", "left_out"), [
    ("first", ["m1", "m2", "m4"], [(3, "duplicate_id"), (5, "duplicate_id")]),
    ("last", ["m2", "m4", "m5"], [(1, "duplicate_id"), (3, "duplicate_id")]),
])  # fmt: skip
def test_t20_first_or_last_is_kept_and_the_others_counted(
    table, account, duplicates, kept, left_out
):
    source, rows = account(table(TWICE), duplicates=duplicates)
    assert [row[2] for row in rows] == kept
    assert source.tally.quarantined == {"duplicate_id": 2}
    assert source.quarantine == left_out


def test_t20_unknown_choice_is_a_usage_error(table, refusal):
    assert "first or last" in refusal(table(TWICE), error=UsageError, duplicates="both")


def test_t20_ids_that_differ_in_one_byte_are_different(table, read):
    assert len(read(table(HEADER + "a,1,m,e\nA,1,m,e\na ,1,m,e\n01,1,m,e\n1,1,m,e\n"))) == 5


def test_missing_id_is_refused_by_row(table, refusal, account):
    path = table(HEADER + 'a,1,m,e\n,2,m,e\n"",3,m,e\n')
    assert "row 2 has no id" in refusal(path)
    assert account(path, quarantine=True)[0].quarantine == [(2, "no_id"), (3, "no_id")]


def test_without_an_id_column_row_numbers_are_ids_and_counted(table, account):
    source, rows = account(table("machine,expert\nAF,x\n\nbad\nSR,y\n"), quarantine=True)
    assert [row[0] for row in rows] == ["1", "3"]
    assert source.tally.notes["ids are row numbers"] == 2
    assert source.columns.id is None


def test_t21_three_counts_of_what_the_readings_lack(table, account):
    source, _ = account(table(HEADER + '1,p,AF,AF\n2,p,AF,\n3,p,,SR\n4,p,AF,""\n5,p,AF,SR\n'))
    assert source.tally.notes == {
        "expert text equals machine text": 1,
        "no expert text": 1,
        "no machine text": 1,
        "empty expert text": 1,
    }
    assert source.tally.used == 5


def test_one_side_alone_is_fine(table, read):
    assert read(table("id,machine\n1,AF\n")) == [("1", None, "AF", None)]
    assert read(table("id,expert\n1,AF\n")) == [("1", None, None, "AF")]


def test_patient_numbers_written_as_decimals_are_whole(table, read):
    path = table(HEADER + "a,15709.0,m,e\nb,15709,m,e\nc,15709.5,m,e\nd,,m,e\ne,P.0,m,e\n")
    assert [row[1] for row in read(path)] == ["15709", "15709", "15709.5", None, "P.0"]
    assert pl.DataFrame({"p": ["0.0"]}).select(patient_text("p")).item() == "0"


def test_batches_have_at_most_the_rows_asked_for_and_run_again(table):
    source = open_source(table(HEADER + "".join(f"{n},p,m,e\n" for n in range(25))))
    for _ in range(2):
        heights = [batch.height for batch in source.batches(rows=10)]
        assert heights == [10, 10, 5]
        assert source.tally.used == 25


def test_kept_columns_come_last_as_text(table, read):
    path = table("id,machine,site,year\n1,AF,north,2020\n")
    assert read(path, keep=("year", "site")) == [("1", None, "AF", None, "2020", "north")]


@pytest.mark.parametrize("change", ["grow", "replace", "remove", "same size and time"])
def test_t26_file_changed_while_read_is_refused(table, change):
    path = table(HEADER + "1,p,AF,SR\n")
    source = open_source(path)
    batches = source.batches()
    next(batches)
    before = path.stat()
    if change == "grow":
        path.write_text(path.read_text() + "2,p,AF,SR\n")
    elif change == "remove":
        path.unlink()
    else:
        path.write_text(HEADER + "1,p,SR,AF\n")
        if change == "same size and time":
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(TableError, match=r"reports.csv changed while it was read"):
        list(batches)


def test_t26_other_header_since_opening_is_refused(table):
    path = table(HEADER + "1,p,AF,SR\n")
    source = open_source(path)
    path.write_text(HEADER.replace("machine,expert", "expert,machine") + "1,p,AF,SR\n")
    with pytest.raises(TableError, match="changed"):
        list(source.batches())


def test_stopping_early_is_no_error(table):
    batches = open_source(table(HEADER + "1,p,AF,SR\n2,p,AF,SR\n")).batches(rows=1)
    assert next(batches).height == 1
    batches.close()  # type: ignore[attr-defined]


def test_fingerprints_hold_base_names(table):
    [one] = open_source(table(HEADER + "1,p,AF,SR\n")).fingerprints()
    assert one.name == "reports.csv"
    assert len(one.sha256) == 64
