"""What every source of reports gives: frames of one shape, and an account of every row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

from overread.files import Fingerprint

if TYPE_CHECKING:
    import polars as pl  # the check of delimited text runs where it is not installed

Duplicates = Literal["error", "first", "last"]

ROWS: Final = 100_000  # rows of a batch
MAX_CELL: Final = 1 << 20  # bytes

# Reasons in Tally.quarantined and ReportSource.quarantine.
FIELD_COUNT: Final = "field_count"
NUL: Final = "nul"
CELL_SIZE: Final = "cell_size"
ENCODING: Final = "encoding"
COMMENT: Final = "comment"
BYTE_ORDER_MARK: Final = "byte_order_mark"
BAD_JSON: Final = "bad_json"
NO_ID: Final = "no_id"
DUPLICATE_ID: Final = "duplicate_id"
BAD_RECORD: Final = "bad_record"


# A note of Tally: records whose expert text is absent because nobody has confirmed it.
NOT_OVER_READ: Final = "not over-read"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of the input was read as what; None means it was not there."""

    id: str | None = None
    patient: str | None = None
    machine: str | None = None
    expert: str | None = None
    keep: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """Rows in = rows used + rows quarantined (the sum over reasons); notes count the rest."""

    rows_in: int = 0
    used: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str, count: int = 1) -> None:
        """Count rows that are left out."""
        if count:
            self.quarantined[reason] = self.quarantined.get(reason, 0) + count

    def note(self, what: str, count: int = 1) -> None:
        """Count something worth printing that left no row out."""
        if count:
            self.notes[what] = self.notes.get(what, 0) + count

    @property
    def balanced(self) -> bool:
        """Whether every row is accounted for.

        >>> Tally(rows_in=3, used=2, quarantined={"nul": 1}).balanced
        True
        """
        return self.rows_in == self.used + sum(self.quarantined.values())


class ReportSource(Protocol):
    """Reports of one file or folder.

    ``tally`` and ``quarantine`` (row or record number from 1, reason; never text) start anew and
    are filled while ``batches()`` runs.
    """

    @property
    def name(self) -> str:
        """The kind of source, such as "GE MUSE XML"."""
        ...

    @property
    def columns(self) -> Columns:
        """Which column was read as what."""
        ...

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files, or the folder, that are read."""
        ...

    @property
    def tally(self) -> Tally:
        """The account of the rows."""
        ...

    @property
    def quarantine(self) -> list[tuple[int, str]]:
        """Row or record numbers left out, and why."""
        ...

    def batches(self, *, rows: int = ROWS) -> Iterator[pl.DataFrame]:
        """Frames of text columns id, patient_id, machine, expert, then the kept ones.

        At most ``rows`` rows each. null is an absent cell, "" an empty text.
        """
        ...

    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """What the inputs hold, for the manifest."""
        ...
