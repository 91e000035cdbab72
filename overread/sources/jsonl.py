"""JSON lines: one object a line, every value as the text that stands there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from overread.errors import TableError
from overread.sources.batches import BAD_JSON, CELL_SIZE, ENCODING, MAX_CELL, NUL, ROWS, Tally
from overread.sources.raw import Bad, Rows
from overread.sources.sniff import Utf8Text

_HEADER_ROWS: Final = 1_000  # lines whose keys are the columns
_BLOCK: Final = 1 << 20
_MOST_CELLS: Final = 16  # a line may be this many times as long as a cell

_RULES: Final = {
    BAD_JSON: "is not one JSON object with unique, known keys and plain values",
    CELL_SIZE: "has a cell longer than {max_cell} bytes",
    ENCODING: "holds bytes that are not {encoding}",
    NUL: "holds a NUL character",
}


class _BadLine(Exception):
    """The reason why a line is left out; never its text."""


class JsonlTable:
    """A JSON-lines file as a raw table; a missing key or null is null, numbers keep their digits.

    The keys of the first 1,000 lines are the columns; a new key later is a fault of its row, since
    it would be lost.
    """

    def __init__(
        self,
        path: Path,
        *,
        encoding: str = "utf-8",
        max_cell: int = MAX_CELL,
        quarantine: bool = False,
    ) -> None:
        self.name = "JSON lines"
        self.file = path.name
        self.paths: tuple[Path, ...] = (path,)
        self._encoding = encoding
        self._max_cell = max_cell
        self._quarantine = quarantine
        names: dict[str, None] = {}
        for number, line in self._lines():
            if number > _HEADER_ROWS:
                break
            try:
                names.update(dict.fromkeys(_object(line)))
            except _BadLine as fault:
                if not quarantine:
                    raise self._refusal(number, str(fault)) from None
        self.columns = tuple(names)

    def frames(self, names: Sequence[str], *, tally: Tally, bad: Bad) -> Iterator[Rows]:
        """See `RawTable.frames`."""
        known = set(self.columns)
        cells: dict[str, list[str | None]] = {name: [] for name in names}
        numbers: list[int] = []
        number = 0
        for number, line in self._lines(tally):
            tally.rows_in += 1
            try:
                row = self._cells(line, names, known)
            except _BadLine as fault:
                code = str(fault)
                if not self._quarantine:
                    raise self._refusal(number, code) from None
                tally.drop(code)
                bad.append((number, code))
                continue
            for name, cell in zip(names, row, strict=True):
                cells[name].append(cell)
            numbers.append(number)
            if len(numbers) == ROWS:
                yield _rows(cells, numbers)
                cells = {name: [] for name in names}
                numbers = []
        if numbers:
            yield _rows(cells, numbers)
        if not number:
            raise TableError(f"{self.file} has 0 reports. Next step: check the export.")

    def _cells(self, line: bytes, names: Sequence[str], known: set[str]) -> list[str | None]:
        found = _object(line)
        if not known.issuperset(found):
            raise _BadLine(BAD_JSON)
        cells = []
        for name in names:
            value = found.get(name)
            if isinstance(value, bool):
                value = str(value).lower()
            if not isinstance(value, str | None):
                raise _BadLine(BAD_JSON)
            if value is not None:
                if "\0" in value:
                    raise _BadLine(NUL)
                try:
                    size = len(value.encode())
                except UnicodeEncodeError:  # half a surrogate pair
                    raise _BadLine(ENCODING) from None
                if size > self._max_cell:
                    raise _BadLine(CELL_SIZE)
            cells.append(value)
        return cells

    def _lines(self, tally: Tally | None = None) -> Iterator[tuple[int, bytes]]:
        """Lines that are not blank, numbered from 1."""
        number = 0
        held = b""
        with closing(Utf8Text(self.paths[0], encoding=self._encoding)) as stream:
            while fresh := stream.read(_BLOCK):
                *lines, held = (held + fresh).split(b"\n")
                if len(held) > max(_MOST_CELLS * self._max_cell, _BLOCK):
                    raise self._refusal(number + 1, CELL_SIZE)
                for line in lines:
                    if line.strip():
                        number += 1
                        yield number, line
                    elif tally:
                        tally.note("blank lines")
        if held.strip():
            yield number + 1, held

    def _refusal(self, number: int, code: str) -> TableError:
        rule = _RULES[code].format(max_cell=self._max_cell, encoding=self._encoding.upper())
        return TableError(
            f"{self.file}: row {number} {rule}. "
            "Next step: mend it, or leave such rows out with --quarantine."
        )


def _object(line: bytes) -> dict[str, Any]:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise _BadLine(ENCODING) from None
    try:
        # Numbers stay as written: 000123 is no JSON, but 1e5 and 22 digits are.
        found = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise _BadLine(BAD_JSON) from None
    if not isinstance(found, dict):
        raise _BadLine(BAD_JSON)
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _rows(cells: dict[str, list[str | None]], numbers: list[int]) -> Rows:
    columns = [pl.Series(name, values, dtype=pl.String) for name, values in cells.items()]
    return Rows(pl.DataFrame(columns), np.asarray(numbers, dtype=np.int64))
