"""Delimited text without a parser: the header and what it decides, then checked slices of rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from overread.errors import TableError
from overread.sources.batches import MAX_CELL
from overread.sources.csv_guard import Slice, guarded_slices
from overread.sources.sniff import Utf8Text, looks_like_data, other_encoding

#: Delimiters and what people call them.
DELIMITERS: Final = {",": "comma", "\t": "tab", ";": "semicolon"}
_HEADER_LIMIT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Header:
    names: tuple[str, ...]
    delimiter: str
    lines: int


class CsvText:
    """A CSV, TSV or semicolon table as bytes that any parser reads alike.

    The delimiter is decided from the header alone. Raises ``TableError`` for a header that cannot
    be read safely; see `guarded_slices` for the rows.
    """

    def __init__(
        self,
        path: Path,
        *,
        delimiter: str | None = None,
        encoding: str = "utf-8",
        escape: str | None = None,
        max_cell: int = MAX_CELL,
        quarantine: bool = False,
    ) -> None:
        self.path = path
        self.file = path.name
        self._given = delimiter
        self._encoding = encoding
        self._escape = escape
        self._max_cell = max_cell
        self._quarantine = quarantine
        with closing(self._open()) as stream:
            self._header, _ = self._begin(stream)
        self.names = self._header.names
        self.delimiter = self._header.delimiter

    def slices(self) -> Iterator[Slice]:
        """The rows, in slices of whole ones."""
        with closing(self._open()) as stream:
            header, rest = self._begin(stream)
            if header != self._header:
                raise TableError(f"{self.file} changed while it was read. Next step: run again.")
            yield from guarded_slices(
                _Rest(rest, stream),
                file=self.file,
                fields=len(self.names),
                delimiter=self.delimiter,
                max_cell=self._max_cell,
                quarantine=self._quarantine,
                first_line=header.lines + 1,
                encoding=self._encoding,
            )

    def refuse_unlike(self, one: Slice, rows: int, cell_bytes: int) -> None:
        """Raises ``TableError`` where a parser made other rows or bytes of a slice."""
        if (rows, cell_bytes) != (len(one.rows), one.cell_bytes):
            raise TableError(
                f"{self.file}: rows {one.rows[0]} to {one.rows[-1]} are not read alike by the "
                "check and the parser. Next step: re-save the file as plain CSV."
            )

    def _open(self) -> Utf8Text:
        return Utf8Text(self.path, encoding=self._encoding, escape=self._escape)

    def _begin(self, stream: Utf8Text) -> tuple[_Header, bytes]:
        """The header, and the bytes already read behind it."""
        text = b""
        while (end := _record_end(text)) is None:
            fresh = stream.read(1 << 16)
            if not fresh and text.strip(b"\r\n"):
                end = len(text)
                break
            if not fresh:
                raise TableError(f"{self.file} is empty. Next step: export it again.")
            text = (text + fresh).lstrip(b"\r\n") if not text else text + fresh
            if len(text) > _HEADER_LIMIT:
                raise self._bad_header("is longer than 1 MiB or has a quote that never closes")
        return self._parse_header(text[:end]), text[end:]

    def _parse_header(self, text: bytes) -> _Header:
        line = text.rstrip(b"\n").removesuffix(b"\r")
        if b"\0" in line:
            raise self._bad_header("holds a NUL byte")
        if line.startswith(b"#"):
            raise self._bad_header("begins with '#', and comment lines are not read", "remove it")
        if b"\r" in _unquoted(line):
            raise TableError(
                f"{self.file}: its lines end with a carriage return alone (old Macintosh). "
                "Next step: re-save it with the line ends of Windows or Unix."
            )
        try:
            header = line.decode("utf-8")
        except UnicodeDecodeError:
            raise self._bad_header(
                f"is not {self._encoding.upper()}",
                "save the file as UTF-8",
                option=other_encoding(self._encoding),
            ) from None
        delimiter = self._given or self._decided(_unquoted(line))
        cells = next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter))
        if b'"' in line:
            self._check_quotes(line, fields=len(cells), delimiter=delimiter)
        names = tuple(cell.strip() for cell in cells)
        for name in names:
            places = [place for place, other in enumerate(names, 1) if other == name and name]
            if len(places) > 1:
                listed = ", ".join(f"{place}." for place in places)
                # In a file without a header this "name" would be a cell.
                shown = "a column name" if looks_like_data(names) else f"column {name!r}"
                raise TableError(
                    f"{self.file}: {shown} appears {len(places)} times "
                    f"({listed} column). Next step: rename one."
                )
        return _Header(names, delimiter, text.count(b"\n"))

    def _check_quotes(self, line: bytes, *, fields: int, delimiter: str) -> None:
        try:
            one = io.BytesIO(line + b"\n")
            list(guarded_slices(one, file=self.file, fields=fields, delimiter=delimiter))
        except TableError:
            raise self._bad_header("has a quote inside a name or one that never closes") from None

    def _decided(self, header: bytes) -> str:
        present = [mark for mark in DELIMITERS if mark.encode() in header]
        if len(present) > 1:
            listed = " and ".join(DELIMITERS[mark] for mark in present)
            raise self._bad_header(
                f"holds more than one delimiter ({listed})",
                "put names that hold one in quotes",
                option="give --input-format csv, tsv or semicolon",
            )
        return present[0] if present else ","

    def _bad_header(
        self, rule: str, step: str = "mend the first line", *, option: str = ""
    ) -> TableError:
        return TableError(f"{self.file}: the header {rule}. Next step: {step}.", option=option)


class _Rest:
    """What was read ahead, then the stream."""

    def __init__(self, ahead: bytes, stream: Utf8Text) -> None:
        self._ahead = ahead
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        ahead, self._ahead = self._ahead, b""
        return ahead + self._stream.read(size - len(ahead)) if ahead else self._stream.read(size)


def _record_end(text: bytes) -> int | None:
    """Where the first record ends (behind its line feed), or None."""
    data = np.frombuffer(text, dtype=np.uint8)
    inside = np.bitwise_xor.accumulate((data == ord('"')).view(np.uint8)).astype(np.bool_)
    ends = np.flatnonzero((data == ord("\n")) & ~inside)
    return int(ends[0]) + 1 if len(ends) else None


def _unquoted(line: bytes) -> bytes:
    return b"".join(line.split(b'"')[::2])
