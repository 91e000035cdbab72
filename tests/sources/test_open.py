"""What a file is, by content: T24, C05 and E10, and the options that cannot go together."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile

import polars as pl
import pytest

from overread.errors import TableError, UsageError
from overread.sources.open import from_frame, open_source

TEXT = "id,machine,expert\n1,AF,SR\n"


def parquet() -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"id": ["1"], "machine": ["AF"]}).write_parquet(buffer)
    return buffer.getvalue()


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, TEXT)
    return buffer.getvalue()


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        member = tarfile.TarInfo("../escaped.csv")
        member.size = len(TEXT)
        file.addfile(member, io.BytesIO(TEXT.encode()))
    return buffer.getvalue()


@pytest.mark.parametrize(("content", "words"), [
    (parquet(), "this is a Parquet file. Next step: rename it to .parquet, or give --input-f"),
    (gzip.compress(TEXT.encode()), "this is a gzip file. Next step: unpack it"),
    (archive("[Content_Types].xml", "xl/workbook.xml"), "this is an Excel file. Next step: save"),
    (b"<!DOCTYPE html><html><table>", "this is an HTML file. Next step: export"),
    (b"\xd0\xcf\x11\xe0" + bytes(600), "this is an old Excel (xls) file"),
    (b"<?xml version='1.0'?><a/>", "this is an XML file. Next step: export the table as CSV, or g"),
])  # fmt: skip
def test_t24_what_is_no_table_is_named(table, refusal, content, words):
    assert words in refusal(table(content))


def test_text_where_something_else_was_asked_for_is_named(table, refusal):
    told = "this is a text file. Next step: check that it is the right file, or give --input-format"
    for format in ("parquet", "muse"):
        assert told in refusal(table(TEXT), format=format)
    assert told in refusal(table(TEXT, "a.xml"))


@pytest.mark.parametrize("content", [archive("../escaped.csv", "a" * 200), tar()])
def test_c05_archives_are_never_unpacked(table, refusal, tmp_path, content):
    assert "unpack it" in refusal(table(content))
    assert [one.name for one in tmp_path.iterdir()] == ["reports.csv"]
    assert not (tmp_path.parent / "escaped.csv").exists()


def test_t24_parquet_with_its_own_or_no_suffix_is_read(table, read):
    for name in ("a.parquet", "b.pq", "c"):
        assert read(table(parquet(), name)) == [("1", None, "AF", None)]
    assert read(table(parquet(), "d.csv"), format="parquet") == [("1", None, "AF", None)]
    with pytest.raises(TableError, match="not a Parquet file"):
        open_source(table(TEXT, "e.parquet"))


def test_e10_odd_paths_are_usage_errors(table, tmp_path, refusal):
    for path in (tmp_path / "missing.csv", tmp_path / ("x" * 300), tmp_path / "a\nb.csv"):
        refusal(path, error=UsageError)
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    assert "not a regular file" in refusal(pipe, error=UsageError)


def test_folder_of_several_kinds_asks_for_the_format(table, tmp_path, refusal):
    assert "no reports" in refusal(tmp_path, error=UsageError)
    table(TEXT, "a.csv")
    table("r 1 500 10\n#C: AF\n", "r.hea")
    assert "several kinds of files (wfdb, csv)" in refusal(tmp_path, error=UsageError)
    [batch] = open_source(tmp_path, format="wfdb").batches()
    assert batch["expert"].to_list() == ["AF"]


def test_column_options_are_refused_where_there_are_no_columns(table, refusal):
    path = table("r 1 500 10\n#C: AF\n", "r.hea")
    assert "--machine" in refusal(path, error=UsageError, machine="x")
    assert "--keep" in refusal(path, error=UsageError, keep=("x",))


def test_unknown_encoding_escape_and_format_are_usage_errors(table, refusal):
    path = table(TEXT)
    assert "utf-99" in refusal(path, error=UsageError, encoding="utf-99")
    refusal(path, error=UsageError, encoding="base64")
    assert "--escape backslash" in refusal(path, error=UsageError, escape="caret")
    assert "xlsx" in refusal(path, error=UsageError, format="xlsx")


def test_from_frame_takes_what_is_no_frame_for_an_error():
    with pytest.raises(UsageError, match="dict is not a table"):
        from_frame({"id": [1]})  # type: ignore[arg-type]
