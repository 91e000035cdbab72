"""Frames in memory, and the types of their columns (Q05, Q06 and T16)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import polars as pl
import pytest

from overread.errors import TableError
from overread.sources.open import from_frame


def rows(frame, **options):
    source = from_frame(frame, **options)
    return pl.concat(source.batches()).rows()


def test_polars_lazy_and_pandas_frames_read_alike():
    data = {"id": ["007", "8"], "patient_id": [1.0, None], "machine": ["AF", None]}
    expected = [("007", "1", "AF", None), ("8", None, None, None)]
    frame = pl.DataFrame(data)
    assert rows(frame) == rows(frame.lazy()) == rows(pd.DataFrame(data)) == expected


def test_q05_categorical_text_is_text():
    frame = pl.DataFrame({"id": [1, 2], "machine": ["AF", "SR"]})
    frame = frame.with_columns(pl.col("machine").cast(pl.Categorical))
    assert rows(frame) == [("1", None, "AF", None), ("2", None, "SR", None)]


@pytest.mark.parametrize("values", [[["a"]], [{"a": "b"}], [b"JOHN SMITH"]])
def test_q05_lists_structs_and_binary_are_refused_by_column(values):
    with pytest.raises(TableError, match=r"column 'machine' is of type .* not text") as caught:
        rows(pl.DataFrame({"id": [1], "machine": values}))
    assert "JOHN" not in str(caught.value)


def test_q06_times_keep_their_day():
    frame = pl.DataFrame(
        {
            "machine": ["AF"] * 3,
            "day": [date(1677, 1, 1), date(9999, 12, 31), None],
            "at": [datetime(2020, 1, 1, 23, 30, tzinfo=UTC)] * 3,
        }
    ).with_columns(pl.col("at").dt.convert_time_zone("Pacific/Auckland"))
    found = rows(frame, keep=("day", "at"))
    assert [row[4] for row in found] == ["1677-01-01", "9999-12-31", None]
    assert found[0][5].startswith("2020-01-02 12:30:00")


def test_durations_are_refused_by_column():
    frame = pl.DataFrame({"machine": ["AF"], "took": [timedelta(seconds=5)]})
    with pytest.raises(TableError, match="column 'took' is of type duration"):
        rows(frame, keep=("took",))


def test_nul_and_large_cells_are_refused_or_counted(canary):
    frame = pl.DataFrame({"id": ["1", "2", "3"], "machine": [f"A\0 {canary}", "x" * 99, "AF"]})
    with pytest.raises(TableError, match="row 1, column 'machine' holds a NUL") as caught:
        rows(frame)
    assert canary not in str(caught.value)
    source = from_frame(frame, quarantine=True, max_cell=50)
    assert pl.concat(source.batches())["id"].to_list() == ["3"]
    assert source.quarantine == [(1, "nul"), (2, "cell_size")]
    assert source.tally.balanced


def test_empty_frame_is_refused():
    with pytest.raises(TableError, match="0 reports"):
        rows(pl.DataFrame({"machine": []}, schema={"machine": pl.String}))


def test_library_message_does_not_leak(canary):
    frame = pd.DataFrame({"id": [1, 2], "machine": [canary, 5]}, dtype=object)
    with pytest.raises(TableError) as caught:
        rows(frame)
    assert canary not in str(caught.value)
