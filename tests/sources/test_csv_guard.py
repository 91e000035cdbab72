"""The structural check alone: places, sizes, and equality with Python's slow csv module."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from overread.errors import TableError
from overread.sources.csv_guard import Slice, guarded_slices

SHAPES = st.text(alphabet=list('ab,"\r\n#;\\ é'), max_size=40).map(str.encode)


def slices(text: bytes, *, fields: int = 2, **options: object) -> list[Slice]:
    return list(
        guarded_slices(io.BytesIO(text), file="f", fields=fields, delimiter=",", **options)  # type: ignore[arg-type]
    )


def reference(text: bytes) -> list[list[str]]:
    """Rows by the slow reference; blank lines are no rows."""
    reader = csv.reader(io.StringIO(text.decode(), newline=""), strict=True)
    return [row for row in reader if row]


@settings(max_examples=600, deadline=None)
@given(SHAPES)
@example(b'a,"b\nc,d')
@example(b'a,"b"\n"c"",d\n')
@example(b'\n\na,""""\r\nb,\r\n')
def test_what_passes_is_what_the_csv_module_reads(text: bytes) -> None:
    try:
        passed = slices(text)
    except TableError:
        return
    expected = reference(text)
    assert all(len(row) == 2 for row in expected)
    assert sum(len(one.rows) for one in passed) == len(expected)
    assert sum(one.cell_bytes for one in passed) == sum(
        len(cell.encode()) for row in expected for cell in row
    )
    assert reference(b"".join(one.data for one in passed)) == expected


@settings(max_examples=300, deadline=None)
@given(SHAPES, st.integers(1, 9), st.booleans())
def test_slice_size_changes_nothing(text: bytes, size: int, quarantine: bool) -> None:
    def account(size: int) -> object:
        try:
            found = slices(text, size=size, quarantine=quarantine)
        except TableError:
            return "refused"
        return (
            b"".join(one.data for one in found),
            [row for one in found for row in one.rows.tolist()],
            [bad for one in found for bad in one.bad],
            sum(one.blank for one in found),
            sum(one.cell_bytes for one in found),
        )

    assert account(size) == account(1 << 20)


@settings(max_examples=200, deadline=None)
@given(SHAPES)
def test_quarantine_leaves_only_rows_of_the_right_width(text: bytes) -> None:
    try:
        passed = slices(text, quarantine=True)
    except TableError:
        return
    kept = reference(b"".join(one.data for one in passed))
    assert all(len(row) == 2 for row in kept)
    bad = [row for one in passed for row, _ in one.bad]
    good = [row for one in passed for row in one.rows.tolist()]
    assert sorted(bad + good) == list(range(1, len(bad) + len(good) + 1))


def test_line_numbers_count_lines_in_quotes_and_blank_ones() -> None:
    with pytest.raises(TableError, match=r"row 3 \(line 6\) has 1 fields, the header has 2"):
        slices(b'1,"a\nb"\n\n2,c\n3\n')


def test_t11_memory_is_bounded_by_refusing_a_record_without_end() -> None:
    endless = b'1,"' + b"x" * 300_000
    with pytest.raises(TableError, match=r"row 1 .*too long, or its quote never closes"):
        slices(endless, size=1_000, max_cell=10_000)


def test_quarantined_records_leave_the_bytes_of_the_others() -> None:
    one, end = slices(b"1,a\n2\n3,c\n4,d,e\n5,e", quarantine=True)
    assert one.data + end.data == b"1,a\n3,c\n5,e\n"
    assert one.rows.tolist() + end.rows.tolist() == [1, 3, 5]
    assert one.bad == [(2, "field_count"), (4, "field_count")]
    assert (one.unended, end.unended) == (False, True)
