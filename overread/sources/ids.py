"""Ids over all batches: none missing, none twice; and PTB-XL's in the names of its records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import numpy as np

from overread.errors import TableError
from overread.sources.batches import DUPLICATE_ID, NO_ID, Duplicates, Tally
from overread.sources.raw import Bad, Bools, Rows, without
from overread.tables import ID

_PTBXL: Final = re.compile(r"HR([0-9]{5})|([0-9]{5})_[hl]r")


def ptbxl_id(record: str) -> str | None:
    """The ``ecg_id`` in the name of a PTB-XL record, or of its copy in the Challenge of 2021.

    >>> ptbxl_id("00032_hr"), ptbxl_id("HR00032"), ptbxl_id("E00032")
    ('32', '32', None)
    """
    found = _PTBXL.fullmatch(record)
    return str(int(found[1] or found[2])) if found else None


def with_ids(
    rows: Iterator[Rows], *, file: str, quarantine: bool, tally: Tally, bad: Bad
) -> Iterator[Rows]:
    """The rows that have an id.

    Raises ``TableError`` for a row without one, unless ``quarantine`` counts it.
    """
    for some in rows:
        absent = (some.frame[ID].is_null() | (some.frame[ID] == "")).to_numpy()
        if absent.any() and not quarantine:
            raise TableError(
                f"{file}: row {some.numbers[np.argmax(absent)]} has no id. "
                "Next step: mend it, or leave such rows out with --quarantine."
            )
        yield without(some, absent, NO_ID, tally=tally, bad=bad)


def each_id_once(
    rows: Iterator[Rows], *, file: str, duplicates: Duplicates, tally: Tally, bad: Bad
) -> Iterator[Rows]:
    """The first row of every id; ids are compared byte by byte.

    Raises ``TableError`` with the number of repeated rows for ``duplicates="error"``.
    """
    seen: set[str] = set()
    for some in rows:
        again = _again(some, seen)
        if again.any() and duplicates == "error":
            first = int(some.numbers[np.argmax(again)])
            count = int(again.sum()) + sum(int(_again(later, seen).sum()) for later in rows)
            raise TableError(
                f"{file}: {count} rows repeat the id of an earlier row, the first is row {first}. "
                "Next step: make ids unique, or give --duplicates first or --duplicates last."
            )
        yield without(some, again, DUPLICATE_ID, tally=tally, bad=bad)


def last_rows(rows: Iterator[Rows]) -> dict[str, int]:
    """Each id's last row number."""
    found: dict[str, int] = {}
    for frame, numbers in rows:
        found.update(zip(frame[ID].to_list(), numbers.tolist(), strict=True))
    return found


def only_last(
    rows: Iterator[Rows], last: dict[str, int], *, tally: Tally, bad: Bad
) -> Iterator[Rows]:
    """The rows that `last_rows` names."""
    for some in rows:
        ids = some.frame[ID].to_list()
        earlier = [last[one] != number for one, number in zip(ids, some.numbers, strict=True)]
        drop = np.asarray(earlier, dtype=np.bool_)
        yield without(some, drop, DUPLICATE_ID, tally=tally, bad=bad)


def _again(some: Rows, seen: set[str]) -> Bools:
    """Which rows repeat an id; all ids are seen afterwards."""
    ids = some.frame[ID].to_list()
    before = len(seen)
    old = seen.intersection(ids)
    seen.update(ids)
    if len(seen) - before == len(ids):
        return np.zeros(len(ids), dtype=np.bool_)
    again: Bools = ~some.frame[ID].is_first_distinct().to_numpy()
    again |= np.fromiter((one in old for one in ids), dtype=np.bool_, count=len(ids))
    return again
