"""The sheet that a reader fills in, and the key beside it that tells what stands behind each row.

The sheet holds texts and empty cells, nothing of ours. The key holds no text. Both are tied to each
other by a number in the heading of the text column, so that rows may be sorted and columns moved.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.errors import OverreadError, TableError, UsageError
from overread.files import input_file
from overread.labels.audit_score import NOT_READ, UNSURE
from overread.report.spreadsheet import neutral

_VERSION: Final = 1
_ROW, _TEXT, _COMMENT = "row", "text", "comment"
_TEXT_HEADING: Final = re.compile(r"'?text \(sheet ([0-9a-f]{8});")
_LIMIT: Final = 64 << 20  # bytes
_TOLD: Final = 20  # problems listed at once

#: No label's column may have these headings.
RESERVED: Final = frozenset((_ROW, _TEXT, _COMMENT))

# What readers write, and what German and Swedish spreadsheets make of it.
_MARKS: Final = {
    **dict.fromkeys(("1", "1.0", "1,0", "x", "yes", "y", "ja", "j", "true", "wahr", "sant"), 1),
    **dict.fromkeys(("0", "0.0", "0,0", "no", "n", "nein", "nej", "false", "falsch", "falskt"), 0),
    "?": UNSURE,
}


@dataclass(frozen=True, slots=True)
class KeyLabel:
    """A label: its column on the sheet, and how often the corpus holds what we call 1 and 0."""

    label: str
    column: str
    positives: float
    negatives: float


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A row of the sheet: the unit, an ECG that holds it, its chance and our answers."""

    number: int
    id: str
    stratum: str
    chance: float
    size: float
    answers: tuple[int, ...]
    text: str  # hash of what may not change


@dataclass(frozen=True, slots=True)
class Key:
    """All that scoring needs besides the filled sheet; the rows stand in the order of the sheet."""

    unit: str
    seed: int
    rare: bool
    covered: float
    vocabulary: str
    extraction: str
    labels: tuple[KeyLabel, ...]
    rows: tuple[KeyRow, ...]

    @property
    def sheet(self) -> str:
        """The number that ties the sheet to this key."""
        return hashlib.sha256(self.encode()).hexdigest()[:8]

    def encode(self) -> bytes:
        """The key as a file."""
        return json.dumps({"version": _VERSION, **asdict(self)}, indent=1).encode()


def read_key(path: Path) -> Key:
    """The key that was drawn with a sheet. Raises OverreadError where it is damaged."""
    path = input_file(path)
    try:
        if path.stat().st_size > _LIMIT:
            raise ValueError
        found = json.loads(path.read_bytes())
        if found.pop("version") != _VERSION:
            raise ValueError
        found["labels"] = tuple(KeyLabel(**each) for each in found["labels"])
        found["rows"] = tuple(
            KeyRow(**{**each, "answers": tuple(each["answers"])}) for each in found["rows"]
        )
        return Key(**found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise OverreadError(
            f"{path.name} is damaged or of another version. Next step: draw a new sheet."
        ) from None


def text_hash(text: str) -> str:
    """A hash of the letters and digits of a text, zeros aside.

    Spreadsheets rewrite the rest: quotes, spaces, "000" as 0.

    >>> text_hash("'=Rate 000, V1") == text_hash("=rate  0 V1")
    True
    """
    kept = "".join(sign for sign in text.casefold() if sign.isalnum() and sign != "0")
    return hashlib.sha256(kept.encode()).hexdigest()[:16]


def sheet_bytes(key: Key, texts: Sequence[str], *, about: str, delimiter: str) -> bytes:
    """The empty sheet; ``about`` says in the heading what the texts are.

    It opens with a byte-order mark, without which Excel takes UTF-8 for another encoding.
    """
    names = [each.column for each in key.labels]
    lines: list[list[str | None]] = [[_ROW, f"text (sheet {key.sheet}; {about})", *names, _COMMENT]]
    lines += [
        [str(row), text, *[None] * len(names), None] for row, text in enumerate(texts, start=1)
    ]
    columns = {f"c{i}": pl.String for i in range(len(lines[0]))}
    frame = pl.DataFrame(lines, schema=columns, orient="row")
    out = io.BytesIO()
    neutral(frame).write_csv(out, include_bom=True, include_header=False, separator=delimiter)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Filled:
    """What the reader wrote, rows in the order of the key, columns in that of its labels."""

    marks: npt.NDArray[np.int8]
    comment_only: int

    @property
    def read(self) -> npt.NDArray[np.bool_]:
        """Which rows hold a mark."""
        return np.asarray((self.marks != NOT_READ).all(axis=1))


def read_sheet(path: Path, key: Key) -> Filled:
    """What stands in a filled sheet, as any spreadsheet may have saved it.

    An empty cell is 0 where its row holds any mark. Raises TableError, which lists every cell that
    cannot be understood by row and column, and UsageError where the sheet is not that of the key.
    """
    path = input_file(path)
    records = _records(path)
    heading = [cell.strip().removeprefix("'") for _, cells in records[:1] for cell in cells]
    columns = _columns(path, heading, key)
    marks = np.full((len(key.rows), len(key.labels)), NOT_READ, np.int8)
    seen: set[int] = set()
    problems: list[str] = []
    comment_only = 0
    for line, cells in records[1:]:
        cells = [cell.strip() for cell in cells] + [""] * (len(heading) - len(cells))
        if not any(cells):
            continue
        if any(cells[len(heading) :]):
            problems.append(f"line {line}: more cells than headings")
            continue
        row = cells[columns[_ROW]]
        if not row.isdecimal() or not 1 <= int(row) <= len(key.rows):
            problems.append(f"line {line}: the row number is none of 1 to {len(key.rows)}")
            continue
        at = int(row) - 1
        if at in seen:
            problems.append(f"row {row} stands there twice")
            continue
        seen.add(at)
        if text_hash(cells[columns[_TEXT]]) != key.rows[at].text:
            problems.append(f"row {row}: the text is not the one that was drawn")
        said = [cells[columns[each.column]].removeprefix("'").casefold() for each in key.labels]
        for mark, each in zip(said, key.labels, strict=True):
            if mark and mark not in _MARKS:
                problems.append(f"row {row}, column {each.column}: not 1, 0, x, ?, yes or no")
        if any(said):
            marks[at] = [_MARKS.get(mark, 0) for mark in said]
        elif cells[columns[_COMMENT]]:
            comment_only += 1
    missing = [str(at + 1) for at in range(len(key.rows)) if at not in seen]
    if missing:
        problems.append(f"rows that are missing: {_listed(missing)}")
    if problems:
        raise TableError(
            f"{path.name} cannot be scored as it is\n"
            + "\n".join(f"  {problem}" for problem in problems[:_TOLD])
            + (f"\n  and {len(problems) - _TOLD} more" if len(problems) > _TOLD else "")
            + "\nNext step: mend these rows in the sheet and score it again."
        )
    return Filled(marks, comment_only)


def _records(path: Path) -> list[tuple[int, list[str]]]:
    """Lines with their numbers, the delimiter being the one that the heading is cut by."""
    if path.stat().st_size > _LIMIT:
        raise TableError(f"{path.name} is too large for a sheet. Next step: give the filled sheet.")
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:2] == b"PK":
        raise TableError(
            f"{path.name} is saved as UTF-16 text or as a workbook. Next step: save it as CSV "
            "(UTF-8) in the spreadsheet."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Plain "CSV" of a German or Swedish Excel. Wrong letters would show as changed texts.
        text = data.decode("cp1252", "replace")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[tuple[int, list[str]]] = []
    try:
        records += ((rows.line_num, cells) for cells in rows)
    except csv.Error:
        raise TableError(
            f"{path.name}: line {rows.line_num} cannot be read (a quote does not close, or a cell "
            "is too long). Next step: save the sheet as CSV in the spreadsheet again."
        ) from None
    return records


def _columns(path: Path, heading: list[str], key: Key) -> dict[str, int]:
    """Where each column of the sheet stands."""
    numbers = [found.group(1) for name in heading if (found := _TEXT_HEADING.match(name))]
    if len(numbers) != 1:
        raise TableError(
            f"{path.name} has no column headed 'text (sheet ...)', so it is no audit sheet. "
            "Next step: give the sheet that 'overread labels audit draw' wrote, headings unchanged."
        )
    if numbers[0] != key.sheet:
        raise UsageError(
            f"{path.name} is sheet {numbers[0]}, and the key is that of sheet {key.sheet}. "
            "Next step: give the key that was drawn with the sheet by --key."
        )
    places: dict[str, int] = {}
    known = {name.casefold(): name for name in (_ROW, _COMMENT, *(e.column for e in key.labels))}
    twice: list[str] = []
    for at, name in enumerate(heading):
        column = _TEXT if _TEXT_HEADING.match(name) else known.get(name.casefold())
        if column is None and name:
            raise TableError(
                f"{path.name}: column {at + 1} is none of the sheet. Next step: take it out; "
                "remarks have room in the column 'comment'."
            )
        if column in places:
            twice.append(column)
        elif column is not None:
            places[column] = at
    missing = [name for name in known.values() if name not in places]
    if missing or twice:
        told = [f"without the column '{name}'" for name in missing]
        told += [f"with two columns '{name}'" for name in twice]
        raise TableError(
            f"{path.name} is {', '.join(told)}. Next step: put the headings back as they were."
        )
    return places


def _listed(rows: list[str]) -> str:
    rest = f" and {len(rows) - _TOLD} more" if len(rows) > _TOLD else ""
    return ", ".join(rows[:_TOLD]) + rest
