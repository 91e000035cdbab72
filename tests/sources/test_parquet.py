"""Parquet faults Q01, Q03 to Q06."""

from __future__ import annotations

import random
import struct
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overread.errors import OverreadError, TableError
from overread.sources.open import open_source

ROWS = 200


@pytest.fixture
def whole(tmp_path, canary):
    path = tmp_path / "reports.parquet"
    pl.DataFrame(
        {
            "id": [f"{n:05d}" for n in range(ROWS)],
            "machine": [f"AF {n} {canary}" for n in range(ROWS)],
            "expert": [None if n % 3 else "SR" for n in range(ROWS)],
        }
    ).write_parquet(path)
    return path


def test_text_comes_back(whole, account, canary):
    source, rows = account(whole)
    assert rows[1] == ("00001", None, f"AF 1 {canary}", None)
    assert source.tally.used == ROWS


def test_q01_damaged_files_are_one_sentence(whole, tmp_path, refusal):
    data = whole.read_bytes()
    cases = {
        "empty": b"",
        "half": data[: len(data) // 2],
        "tail": data[:-4] + b"XXXX",
        "footer": data[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1",
        "short": b"PAR1",
    }
    for name, content in cases.items():
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(content)
        message = refusal(path)
        assert path.name in message
        assert "\n" not in message


def test_q03_flipped_bits_never_end_in_a_traceback_of_the_library(whole, tmp_path, canary):
    data = whole.read_bytes()
    chance = random.Random(3)
    path = tmp_path / "flipped.parquet"
    for _ in range(150):
        place = chance.randrange(len(data))
        path.write_bytes(
            data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
        )
        message = ""
        try:
            list(open_source(path).batches())
        except OverreadError as error:
            message = str(error)
        assert canary not in message


def test_q02_page_checksums_are_verified_where_written(whole, tmp_path):
    path = tmp_path / "summed.parquet"
    pq.write_table(
        pq.read_table(whole), path, write_page_checksum=True, compression="none",
        use_dictionary=False,
    )  # fmt: skip
    data = path.read_bytes()
    place = data.index(b"AF 77")
    path.write_bytes(data[:place] + b"SF" + data[place + 2 :])
    with pytest.raises(TableError, match="damaged"):
        list(open_source(path).batches())


def test_q04_dictionary_bomb_is_refused_in_bounded_memory(tmp_path, refusal, peak_kib):
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 40_000, pa.int32()), ["x" * 600_000])
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"machine": text}), path, compression="zstd")
    assert path.stat().st_size < 1 << 20
    assert "unpacks to more than" in refusal(path)
    assert peak_kib(path) < 1 << 20


def test_q04_repeated_long_texts_come_in_portions(tmp_path, monkeypatch):
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 50, pa.int32()), ["x" * 1000])
    path = tmp_path / "reports.parquet"
    pq.write_table(pa.table({"machine": text}), path)
    monkeypatch.setattr("overread.sources.parquet._BATCH_BYTES", 10_000)
    assert [batch.height for batch in open_source(path).batches()] == [10] * 5


def test_large_cell_is_refused_by_row(tmp_path, refusal, account):
    path = tmp_path / "reports.parquet"
    pl.DataFrame({"machine": ["AF", "x" * 5000, "SR"]}).write_parquet(path)
    assert "row 2, column 'machine' is over 1000 bytes" in refusal(path, max_cell=1000)
    assert account(path, max_cell=1000, quarantine=True)[0].quarantine == [(2, "cell_size")]


@pytest.mark.parametrize("column", [
    pa.array([["AF"]]),
    pa.array([{"a": "JOHN SMITH"}]),
    pa.array([b"JOHN SMITH"]),
])  # fmt: skip
def test_q05_nested_and_binary_text_is_refused_by_column(tmp_path, refusal, column):
    path = tmp_path / "reports.parquet"
    pq.write_table(pa.table({"id": ["1"], "machine": column}), path)
    assert "column 'machine'" in refusal(path)


def test_q05_other_columns_may_be_nested_and_categories_are_text(tmp_path, read):
    path = tmp_path / "reports.parquet"
    machine = pa.array(["AF"]).dictionary_encode()
    pq.write_table(pa.table({"id": pa.array([7]), "machine": machine, "x": [["a"]]}), path)
    assert read(path) == [("7", None, "AF", None)]


def test_q06_int96_years_do_not_wrap(tmp_path, read):
    path = tmp_path / "reports.parquet"
    days = [datetime(1600, 1, 1), datetime(9999, 12, 31, 23, 59), None]
    table = pa.table(
        {
            "machine": ["AF"] * 3,
            "old": pa.array(days, pa.timestamp("us")),
            "zoned": pa.array(
                [datetime(2020, 1, 1, 23, 30, tzinfo=UTC)] * 3, pa.timestamp("us", "Asia/Tokyo")
            ),
        }
    )
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    found = [row[4] for row in read(path, keep=("old",))]
    assert [day and day[:10] for day in found] == ["1600-01-01", "9999-12-31", None]
    pq.write_table(table, path)
    found = [row[4] for row in read(path, keep=("old",))]
    assert [day and day[:10] for day in found] == ["1600-01-01", "9999-12-31", None]
    assert read(path, keep=("zoned",))[0][4].startswith("2020-01-02 08:30:00")


def test_text_that_is_not_utf8_is_refused_by_column(tmp_path, refusal, canary):
    text = f"AF {canary} ".encode() + b"\xff"
    offsets = pa.py_buffer(struct.pack("<3i", 0, 2, 2 + len(text)))
    spoilt = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"SR" + text)])
    path = tmp_path / "reports.parquet"
    views = spoilt.cast(pa.binary()).cast(pa.binary_view()).view(pa.string_view())
    for column in (spoilt, spoilt.dictionary_encode(), views):
        pq.write_table(pa.table({"id": range(len(column)), "machine": column}), path)
        assert "reports.parquet: column 'machine' holds bytes that are not UTF-8" in refusal(path)


@pytest.mark.parametrize(
    "kind", [pa.date32(), pa.date64(), pa.timestamp("ms"), pa.timestamp("us", "UTC")]
)
def test_q06_date_beyond_the_calendar_is_refused_by_column(tmp_path, refusal, read, kind):
    wide = pa.int32() if kind == pa.date32() else pa.int64()
    most = 2**31 - 1 if wide == pa.int32() else (2**63 - 1) // 86_400_000 * 86_400_000
    path = tmp_path / "reports.parquet"
    for number in (1, most, -most):
        days = pa.array([None, number], wide).cast(kind)
        pq.write_table(pa.table({"id": ["1", "2"], "machine": ["AF"] * 2, "day": days}), path)
        if number == 1:
            assert read(path, keep=("day",))[1][-1].startswith("1970-01-0")
        else:
            assert "reports.parquet: column 'day' holds a date" in refusal(path, keep=("day",))


def test_no_rows_is_refused(tmp_path, refusal):
    path = tmp_path / "reports.parquet"
    pq.write_table(pa.table({"machine": pa.array([], pa.string())}), path)
    assert "0 reports" in refusal(path)
