"""A table in several files, Q07."""

from __future__ import annotations

import os

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


def test_repeated_and_missing_ids_are_numbered_over_all_files(tmp_path, account):
    (tmp_path / "a.csv").write_text("id,machine\n1,AF\n2,AF\n3,AF\n,AF\n")
    (tmp_path / "b.csv").write_text("id,machine\n5,AF\n6,AF\n1,AF\n7,b,c\n")
    (tmp_path / "c.csv").write_text("id,machine\n9,AF\n2,AF\n,AF\n")
    left_out = [(4, "no_id"), (7, "duplicate_id"), (8, "field_count"), (10, "duplicate_id")]
    source, rows = account(tmp_path, quarantine=True, duplicates="first")
    assert sorted(source.quarantine) == [*left_out, (11, "no_id")]
    assert [row[0] for row in rows] == ["1", "2", "3", "5", "6", "9"]
    source, rows = account(tmp_path, quarantine=True, duplicates="last")
    assert {(1, "duplicate_id"), (2, "duplicate_id"), (11, "no_id")} < set(source.quarantine)
    assert [row[0] for row in rows] == ["3", "5", "6", "1", "9", "2"]


def test_suffixes_count_in_any_case_and_spelling(tmp_path, read):
    (tmp_path / "a.csv").write_text("id,machine\n1,AF\n")
    (tmp_path / "b.CSV").write_text("id,machine\n2,SR\n")
    assert [row[0] for row in read(tmp_path)] == ["1", "2"]
    lines = tmp_path / "lines"
    lines.mkdir()
    (lines / "a.jsonl").write_text('{"id": "1", "machine": "AF"}\n')
    (lines / "b.ndjson").write_text('{"id": "2", "machine": "SR"}\n')
    assert [row[0] for row in read(lines)] == ["1", "2"]


def pipe(path):
    os.mkfifo(path)


def dangling(path):
    path.symlink_to("nowhere.csv")


def outward(path):
    (path.parent.parent / "outside.csv").write_text("id,machine\n2,SR\n")
    path.symlink_to("../outside.csv")


def folder(path):
    path.mkdir()


def file(path):
    path.parent.mkdir(exist_ok=True)
    path.write_text("id,machine\n2,SR\n")


@pytest.mark.parametrize(
    ("name", "make", "told"),
    [
        ("b.csv", pipe, "not a regular file"),
        ("b.csv", dangling, "is a link"),
        ("b.csv", outward, "is a link"),
        ("b.csv", folder, "is a folder"),
        ("b.csv.gz", file, "is packed"),
        ("B.CSV.ZIP", file, "is packed"),
        ("below/b.csv", file, "below/b.csv is in a folder below"),
        ("below/b.csv.gz", file, "below/b.csv.gz is in a folder below"),
    ],
)
def test_what_looks_like_a_table_and_is_not_read_is_refused(tmp_path, refusal, name, make, told):
    place = tmp_path / "tables"
    place.mkdir()
    (place / "a.csv").write_text("id,machine\n1,AF\n")
    make(place / name)
    message = refusal(place, error=UsageError)
    assert told in message
    assert name in message
    if "is in" not in told and "packed" not in told:
        assert told in refusal(place / "*.csv", error=UsageError)


def test_outputs_hidden_files_below_and_links_to_a_shard_are_no_tables_left_out(tmp_path, read):
    (tmp_path / "a.csv").write_text("id,machine\n1,AF\n")
    (tmp_path / "latest.csv").symlink_to("a.csv")
    for below in ("overread-out", ".checkpoints"):
        file(tmp_path / below / "labels.csv")
    assert [row[0] for row in read(tmp_path)] == ["1"]
