"""Finding the columns of a report table by their usual names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rapidfuzz import process

from overread.errors import TableError, UsageError
from overread.sources.batches import Columns
from overread.sources.sniff import looks_like_data
from overread.tables import (
    ID,
    ID_NAMES,
    PATIENT,
    PATIENT_NAMES,
    SOURCES,
    known_as,
    plain_name,
)

_RESERVED: Final = (ID, PATIENT, *SOURCES)

# As `tables.known_as` compares names.
USUAL: Final[dict[str, tuple[str, ...]]] = {
    "id": ID_NAMES,
    "patient": PATIENT_NAMES,
    "machine": (
        "machine", "machine_read", "machine_reading", "machine_text", "machine_report",
        "machine_statements", "machine_interpretation", "report_machine", "original_diagnosis",
        "originaldiagnosis", "device_read", "device_text", "device_report", "device_statements",
        "computer_read", "computer_interpretation", "automated_report",
    ),
    "expert": (
        "expert", "expert_read", "expert_text", "expert_report", "expert_reading", "report_expert",
        "over_read", "overread", "over_read_text", "cardiologist", "cardiologist_read",
        "cardiologist_text", "cardiologist_report", "physician_read", "diagnosis",
        "final_report", "final_text", "confirmed", "confirmed_text", "confirmed_report",
    ),
}  # fmt: skip


def find_columns(
    found: Sequence[str],
    *,
    file: str,
    machine: str | None = None,
    expert: str | None = None,
    id: str | None = None,
    patient: str | None = None,
    keep: Sequence[str] = (),
) -> Columns:
    """Which of the columns found holds what; a name given wins over the usual names.

    Raises ``TableError`` where a named column is missing, two usual names compete, or there is
    neither a machine nor an expert column; ``UsageError`` where one column is asked for twice.

    >>> find_columns(["ECG_ID", "machine", "cardiologist", "site"], file="a.csv").expert
    'cardiologist'
    """
    given = {"id": id, "patient": patient, "machine": machine, "expert": expert}
    chosen = {
        role: _named(name, found, option=f"--{role}", file=file)
        if name is not None
        else _usual(role, found, taken=[other for other in given.values() if other], file=file)
        for role, name in given.items()
    }
    if chosen["machine"] is None and chosen["expert"] is None:
        raise TableError(
            f"{file} has no column known as machine or expert text; it has {_list(found)}. "
            f"{_nearest(found)}Next step: name one with --machine or --expert."
        )
    kept = kept_columns(found, keep, file=file)
    _refuse_two_roles(chosen)
    return Columns(chosen["id"], chosen["patient"], chosen["machine"], chosen["expert"], kept)


def kept_columns(found: Sequence[str], keep: Sequence[str], *, file: str) -> tuple[str, ...]:
    """The columns to carry along, each once.

    Raises ``TableError`` for a missing one, ``UsageError`` for a name that the output has itself.
    """
    if isinstance(keep, str):
        raise UsageError("keep is one text. Next step: give a tuple of column names.")
    kept = tuple(_named(name, found, option="--keep", file=file) for name in dict.fromkeys(keep))
    for name in kept:
        if name in _RESERVED:
            raise UsageError(
                f"Column {name!r} cannot be kept: the output has its own column of that name. "
                "Next step: leave it out of --keep or rename it in the input."
            )
    return kept


def _named(name: str, found: Sequence[str], *, option: str, file: str) -> str:
    if name in found:
        return name
    near = None if looks_like_data(found) else process.extractOne(name, found, score_cutoff=60)
    hint = f"The nearest is {near[0]!r}. " if near else ""
    raise TableError(
        f"{file} has no column {name!r}; it has {_list(found)}. "
        f"{hint}Next step: give {option} one of these names."
    )


def _usual(role: str, found: Sequence[str], *, taken: list[str], file: str) -> str | None:
    hits = [name for name in known_as(USUAL[role], found) if name not in taken]
    if len(hits) > 1:
        raise TableError(
            f"{file} has {len(hits)} columns that could be the {role}: {_list(hits)}. "
            f"Next step: name one with --{role}."
        )
    return hits[0] if hits else None


def _refuse_two_roles(chosen: dict[str, str | None]) -> None:
    named = [name for name in chosen.values() if name is not None]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise UsageError(
            f"Column {twice[0]!r} is asked for in two roles. Next step: name one column for each."
        )


def _nearest(found: Sequence[str]) -> str:
    if looks_like_data(found):
        return ""
    usual = [*USUAL["machine"], *USUAL["expert"]]
    near = [
        (match[1], name)
        for name in found
        if (match := process.extractOne(plain_name(name), usual, score_cutoff=75))
    ]
    return f"The nearest is {max(near)[1]!r}. " if near else ""


def _list(names: Sequence[str], *, most: int = 40) -> str:
    if looks_like_data(names):
        return "a first line that looks like data and not like column names"
    shown = ", ".join(repr(name) for name in names[:most] if name)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{shown}{more}" if shown else "no named column"
