"""The structural check of delimited text: every byte is accounted for before a parser sees it.

The parsers measured (polars, duckdb, pandas, pyarrow) each lose or shift rows of some malformed
files without an error. Here numpy looks at quotes, delimiters and line ends only, in slices that
end with a record, and refuses by row number what is not plain RFC 4180.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from overread.errors import TableError
from overread.sources import batches as reason
from overread.sources.sniff import other_encoding

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SLICE: Final = 8 << 20  # measured: larger slices are slower and cost six times their size
_LARGEST_RECORD: Final = 16  # in slices
_BLOCK: Final = 1 << 18  # stays in the processor's cache: five times faster than a whole slice
_NUL, _LF, _CR, _QUOTE, _HASH, _BACKSLASH = b'\0\n\r"#\\'

_RULES: Final = {
    reason.NUL: "holds a NUL byte",
    reason.CELL_SIZE: "has a cell longer than {max_cell} bytes",
    reason.ENCODING: "holds bytes that are not {encoding}",
    reason.COMMENT: "begins with '#', and comment lines are not read",
    reason.BYTE_ORDER_MARK: "begins with a byte-order mark, as if two files had been joined",
}
_STEPS: Final = {
    reason.ENCODING: "save the file as UTF-8",
    reason.CELL_SIZE: "check that row for a missing quote",
    reason.COMMENT: "remove it, or put the cell in quotes if it is data",
}


class Readable(Protocol):
    """Anything with ``read(size) -> bytes``."""

    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Slice:
    """Whole records that passed, as bytes; blank lines and quarantined records are taken out.

    ``rows`` are the data row numbers (from 1) of the records in ``data``; ``cell_bytes`` is what
    their cells must add up to once parsed.
    """

    data: bytes
    rows: Ints
    cell_bytes: int
    bad: list[tuple[int, str]]
    blank: int
    unended: bool = False


def guarded_slices(
    stream: Readable,
    *,
    file: str,
    fields: int,
    delimiter: str,
    max_cell: int = reason.MAX_CELL,
    quarantine: bool = False,
    size: int = SLICE,
    first_line: int = 2,
    encoding: str = "utf-8",
) -> Iterator[Slice]:
    """Slices of UTF-8 text after its header that any RFC 4180 parser reads the same way.

    Raises ``TableError`` with the row number and the rule at the first row that breaks one; with
    ``quarantine`` such rows are left out and listed instead, except where a quote or a bare
    carriage return makes it unknowable where rows end. ``encoding`` is what the file was decoded
    from, for messages.

    >>> import io
    >>> [one] = guarded_slices(io.BytesIO(b"1,AF\\n\\n2,SR\\n"), file="a", fields=2, delimiter=",")
    >>> one.data, one.rows.tolist(), one.cell_bytes, one.blank
    (b'1,AF\\n2,SR\\n', [1, 2], 6, 1)
    """
    scan = _Scan(file, fields, ord(delimiter), max_cell, quarantine, encoding, line=first_line)
    carry = b""
    final = False
    while not final:
        # A slice may come up short before the end of the file (transcoding), never empty.
        fresh = stream.read(size)
        final = not fresh
        text = carry + fresh
        unended = final and bool(text) and not text.endswith(b"\n")
        if unended:
            text += b"\n"
        if not text:
            break
        one, used = scan.check(text, final=final)
        if used:
            yield Slice(one.data, one.rows, one.cell_bytes, one.bad, one.blank, unended)
        carry = text[used:]
        if len(carry) > max(_LARGEST_RECORD * size, 4 * max_cell):
            raise scan.endless()


@dataclass(slots=True)
class _Scan:
    """Place in the file, and the check of one slice."""

    file: str
    fields: int
    delimiter: int
    max_cell: int
    quarantine: bool
    encoding: str
    row: int = 1
    line: int = 2

    def check(self, text: bytes, *, final: bool) -> tuple[Slice, int]:
        """The slice of the whole records in ``text`` and how many bytes they take."""
        data = np.frombuffer(text, dtype=np.uint8)
        at = _specials(data, self.delimiter)
        kind = data[at]
        # 1 from an opening quote up to its closing one; a doubled quote closes and opens again.
        inside = np.bitwise_xor.accumulate((kind == _QUOTE).view(np.uint8)).view(np.bool_)
        ends_in = np.flatnonzero((kind == _LF) & ~inside)
        self._refuse_open(data, at, kind, inside, ends_in, final=final)
        if not len(ends_in):
            return Slice(b"", np.empty(0, np.int64), 0, [], 0), 0
        last = int(ends_in[-1])
        at, kind, inside = at[: last + 1], kind[: last + 1], inside[: last + 1]
        ends = at[ends_in]
        starts = np.concatenate(([0], ends[:-1] + 1))
        opener = (kind == _QUOTE) & inside
        before = data[at[opener] - 1]
        doubled = opener.copy()
        doubled[opener] = (before == _QUOTE) & (at[opener] > 0)

        carriage = data[ends - 1] == _CR
        carriage[0] &= ends[0] > 0
        lengths = ends - starts - carriage
        blank = lengths == 0
        numbers = self.row + np.cumsum(~blank) - 1
        breaks = (kind == self.delimiter) & ~inside
        delimiters = _per_record(breaks, ends_in)
        quotes = _per_record(kind == _QUOTE, ends_in)
        bad = self._bad_records(data, at, kind, inside, ends_in, starts, blank, delimiters)

        wrong = self._first_misplaced(data, at, kind, inside, opener)
        worst = min((record for record in bad if not self.quarantine), default=None)
        if wrong is not None:
            record = int(np.searchsorted(ends, at[wrong]))
            if worst is None or record <= worst:
                raise self._misplaced(data, int(at[wrong]), int(numbers[record]), starts[record])
        if worst is not None:
            code, count = bad[worst], int(delimiters[worst]) + 1
            raise self._broken(code, count, int(numbers[worst]), text[: starts[worst]])

        keep = ~blank
        keep[list(bad)] = False
        cells = lengths - delimiters - quotes + _per_record(doubled, ends_in)
        used = int(ends[-1]) + 1
        one = Slice(
            text[:used] if keep.all() else _joined(text, starts, ends, keep),
            numbers[keep],
            int(cells[keep].sum()),
            [(int(numbers[record]), code) for record, code in sorted(bad.items())],
            int(blank.sum()),
        )
        self.row += int((~blank).sum())
        self.line += int((kind == _LF).sum())
        return one, used

    def _bad_records(
        self,
        data: Bytes,
        at: Ints,
        kind: Bytes,
        inside: Bools,
        ends_in: Ints,
        starts: Ints,
        blank: Bools,
        delimiters: Ints,
    ) -> dict[int, str]:
        """Record (by place in the slice) -> the rule it breaks; a later rule here wins."""
        ends = at[ends_in]
        bad: dict[int, str] = {}

        def mark(records: Ints, code: str) -> None:
            bad.update((int(record), code) for record in records if not blank[record])

        mark(np.flatnonzero(delimiters != self.fields - 1), reason.FIELD_COUNT)
        borders = at[((kind == self.delimiter) | (kind == _LF)) & ~inside]
        long = borders[np.diff(borders, prepend=-1) - 1 > self.max_cell]
        mark(np.searchsorted(ends, long), reason.CELL_SIZE)
        mark(np.searchsorted(ends, at[kind == _NUL]), reason.NUL)
        mark(np.flatnonzero(data[starts] == _HASH), reason.COMMENT)
        marks = np.flatnonzero(data[starts] == codecs.BOM_UTF8[0])
        joined = [r for r in marks if data[starts[r] :][:3].tobytes() == codecs.BOM_UTF8]
        mark(np.asarray(joined, dtype=np.int64), reason.BYTE_ORDER_MARK)
        mark(_undecodable(data, starts, ends), reason.ENCODING)
        return bad

    def _first_misplaced(
        self, data: Bytes, at: Ints, kind: Bytes, inside: Bools, opener: Bools
    ) -> int | None:
        """Index of the first quote or carriage return that RFC 4180 does not allow there."""
        before = data[at - 1]
        after = data[np.minimum(at + 1, len(data) - 1)]
        opens_cell = (before == self.delimiter) | (before == _LF) | (before == _QUOTE) | (at == 0)
        closes_cell = (
            (after == self.delimiter) | (after == _LF) | (after == _CR) | (after == _QUOTE)
        )
        wrong = opener & ~opens_cell
        wrong |= (kind == _QUOTE) & ~inside & ~closes_cell
        wrong |= (kind == _CR) & ~inside & (after != _LF)
        first = int(np.argmax(wrong)) if len(wrong) else 0
        return first if len(wrong) and wrong[first] else None

    def _refuse_open(
        self, data: Bytes, at: Ints, kind: Bytes, inside: Bools, ends_in: Ints, *, final: bool
    ) -> None:
        """At the end of the file, refuse a quote that is still open."""
        if not final or not inside[-1]:
            return
        # Quotes that stand wrongly earlier are the likelier fault; they raise in `check`.
        opener = (kind == _QUOTE) & inside
        wrong = self._first_misplaced(data, at, kind, inside, opener)
        tail = int(at[ends_in[-1]]) + 1 if len(ends_in) else 0
        if wrong is not None and at[wrong] < tail:
            return
        starts = np.concatenate(([0], at[ends_in] + 1))
        blanks = int((np.diff(starts) - 1 == 0).sum())
        row = self.row + len(ends_in) - blanks
        if wrong is not None:
            raise self._misplaced(data, int(at[wrong]), row, tail)
        line = self._line(data[:tail].tobytes())
        raise _bad_quotes(
            f"{self.file}: the quote opened on row {row} (line {line}) never closes.",
            backslash=b'\\"' in data[tail:].tobytes(),
        )

    def endless(self) -> TableError:
        """The error for a record that is longer than any table has."""
        return _bad_quotes(
            f"{self.file}: row {self.row} (line {self.line}) has a cell that is too long, or its "
            "quote never closes."
        )

    def _misplaced(self, data: Bytes, place: int, row: int, start: int) -> TableError:
        line = self._line(data[:start].tobytes())
        if data[place] == _CR:
            return TableError(
                f"{self.file}: row {row} (line {line}) holds a carriage return that is neither in "
                "quotes nor part of a line end. Next step: re-save the file with plain line ends."
            )
        return _bad_quotes(
            f"{self.file}: row {row} (line {line}) holds a quote in the middle of a cell, or a "
            "quote opened on it never closes.",
            backslash=place > 0 and bool(data[place - 1] == _BACKSLASH),
        )

    def _broken(self, code: str, count: int, row: int, earlier: bytes) -> TableError:
        if code == reason.FIELD_COUNT:
            rule = f"has {count} fields, the header has {self.fields}"
        else:
            rule = _RULES[code].format(max_cell=self.max_cell, encoding=self.encoding.upper())
        options = {
            reason.ENCODING: f"{other_encoding(self.encoding)}, or ",
            reason.CELL_SIZE: "raise --max-cell, or ",
        }
        return TableError(
            f"{self.file}: row {row} (line {self._line(earlier)}) {rule}. "
            f"Next step: {_STEPS.get(code, 'mend it')}.",
            option=f"{options.get(code, '')}leave such rows out with --quarantine",
        )

    def _line(self, earlier: bytes) -> int:
        return self.line + earlier.count(b"\n")


def _bad_quotes(rule: str, *, backslash: bool = False) -> TableError:
    return TableError(
        f'{rule} Next step: write a quote inside a quoted cell twice ("") and close every quoted '
        "cell.",
        option='give --escape backslash, since quotes are written as \\" there' * backslash,
    )


def _specials(data: Bytes, delimiter: int) -> Ints:
    """Positions of all bytes that can shape a record."""
    found = []
    mask = np.empty(_BLOCK, dtype=np.bool_)
    hit = np.empty(_BLOCK, dtype=np.bool_)
    for start in range(0, len(data), _BLOCK):
        block = data[start : start + _BLOCK]
        any_of, one = mask[: len(block)], hit[: len(block)]
        np.equal(block, delimiter, out=any_of)
        for byte in (_QUOTE, _LF, _CR, _NUL):
            np.equal(block, byte, out=one)
            np.logical_or(any_of, one, out=any_of)
        found.append(np.flatnonzero(any_of) + start)
    return np.concatenate(found)


def _per_record(flags: Bools, ends_in: Ints) -> Ints:
    """How many flags fall in each record."""
    return np.diff(np.cumsum(flags, dtype=np.int64)[ends_in], prepend=0)


def _undecodable(data: Bytes, starts: Ints, ends: Ints) -> Ints:
    """Records that are not UTF-8. Each stretch is decoded once, in pieces of whole records."""
    if data.max() < 0x80:
        return np.empty(0, np.int64)
    view, bad, record = memoryview(data.data), [], 0
    while record < len(ends):
        until = min(int(np.searchsorted(ends, starts[record] + 4 * _BLOCK)), len(ends) - 1)
        try:
            codecs.utf_8_decode(view[starts[record] : ends[until]], "strict", True)
            record = until + 1
        except UnicodeDecodeError as error:
            wrong = int(np.searchsorted(ends, starts[record] + error.start))
            bad.append(wrong)
            record = wrong + 1
    return np.asarray(bad, dtype=np.int64)


def _joined(text: bytes, starts: Ints, ends: Ints, keep: Bools) -> bytes:
    """The records kept, from as few pieces as possible."""
    edges = np.diff(keep.astype(np.int8), prepend=0, append=0)
    runs = zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
    return b"".join(text[starts[first] : ends[after - 1] + 1] for first, after in runs)
