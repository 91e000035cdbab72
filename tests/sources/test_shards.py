"""A table in several files, Q07."""

from __future__ import annotations

import polars as pl
import pytest

from overread.errors import UsageError


@pytest.fixture
def shards(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in range(3):
        frame = pl.DataFrame({"id": [f"{number}a", f"{number}b"], "machine": ["AF", "SR"]})
        frame.write_parquet(folder / f"part-{number:05d}-of-00003.parquet")
    return folder


def test_shards_are_one_table_in_the_order_of_their_names(shards, read):
    expected = ["0a", "0b", "1a", "1b", "2a", "2b"]
    assert [row[0] for row in read(shards)] == expected
    assert [row[0] for row in read(shards / "part-*.parquet")] == expected


def test_q07_shard_of_another_schema_is_named(shards, refusal):
    odd = shards / "part-00001-of-00003.parquet"
    pl.DataFrame({"id": ["x"], "machina": ["AF"]}).write_parquet(odd)
    message = refusal(shards)
    assert odd.name in message
    assert "'machina'" in message


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_q07_missing_shard_is_named(shards, refusal, gone):
    (shards / f"part-{gone:05d}-of-00003.parquet").unlink()
    assert f"Shard number {gone} is missing" in refusal(shards)


def test_damaged_shard_is_named(shards, refusal):
    path = shards / "part-00002-of-00003.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    assert path.name in refusal(shards)


def test_shard_of_another_kind_is_named(tmp_path, refusal):
    (tmp_path / "a.csv").write_text("id,machine\n1,AF\n")
    (tmp_path / "b.csv").write_bytes(b"\x1f\x8b" + bytes(50))
    assert "b.csv: this is a gzip file" in refusal(tmp_path)


def test_row_numbers_run_on_and_ids_are_unique_over_all_files(tmp_path, account, refusal):
    (tmp_path / "2019.csv").write_text("id,machine\n1,AF\n2\n")
    (tmp_path / "2021.csv").write_text("id,machine\n3,AF\n4,b,c\n5,AF\n")
    assert "2019.csv: row 2 (line 3)" in refusal(tmp_path)
    source, rows = account(tmp_path, quarantine=True)
    assert source.quarantine == [(2, "field_count"), (4, "field_count")]
    assert [row[0] for row in rows] == ["1", "3", "5"]
    (tmp_path / "2022.csv").write_text("id,machine\n3,AF\n")
    assert "1 rows repeat the id of an earlier row, the first is row 6" in refusal(
        tmp_path / "20*.csv", quarantine=True
    )


def test_pattern_without_a_file_is_a_usage_error(tmp_path, refusal):
    assert "No file matches" in refusal(tmp_path / "*.csv", error=UsageError)
