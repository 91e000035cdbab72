"""Why a report has its labels: mentions coloured by what they assert, with phrase and cue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
from rich.console import Console
from rich.text import Text

from overread.errors import UsageError
from overread.labels.output import scan_table
from overread.tables import (
    ASSERTION,
    CUE,
    END,
    EVIDENCE_FILE,
    ID,
    LABEL,
    LABELS_FILE,
    PHRASE_ID,
    POSITION,
    REPORT_STATEMENTS_FILE,
    ROW,
    SCORE,
    SEGMENT,
    SOURCE,
    SOURCES,
    START,
    STATEMENT,
    STATEMENTS_FILE,
    STATES,
    TEXT,
    VOCAB_FILE,
    VOCAB_LINE,
    state_column,
    value_column,
)  # fmt: skip
from overread.text.labeler import Labeler
from overread.text.lexicon import EXACT

#: Colour and underline both, so that the assertion is told without colour too.
_STYLES = {
    "present": "bold green underline",
    "uncertain": "bold yellow underline",
    "absent": "red underline",
    "past": "magenta underline",
    "not_assessable": "cyan underline",
    "described": "dim underline",
}


class Shown(NamedTuple):
    """A mention as it is shown; offsets are those of the shown text."""

    label: str
    assertion: str
    start: int
    end: int
    phrase: str
    place: str
    cue: str | None
    score: int


def explain_text(text: str, labeler: Labeler, console: Console) -> None:
    """Prints one report with its mentions, the reason for each, and the labels."""
    reading = labeler.label(text)
    mentions = [
        Shown(m.label, m.assertion, m.start, m.end, m.phrase_id, m.place, m.cue, m.score)
        for m in reading.mentions
    ]
    console.print(coloured(text, mentions))
    console.print(_reasons(text, mentions) if mentions else Text("no mention of any label", "dim"))
    if None in reading.labels.values():
        console.print("There is no reading in the text: every label is null.")
        return
    console.print(_states(reading.states, reading.labels))


def explain_id(id: str, folder: Path, console: Console) -> None:
    """Prints both reports of one ECG of an extraction, masked as the tables keep them.

    Raises UsageError where the folder has no extraction or the id is not in it.
    """
    labels = scan_table(folder, LABELS_FILE).with_row_index(ROW).filter(pl.col(ID) == id).collect()
    if labels.is_empty():
        raise UsageError(f"the id is not among those in {folder}. Next step: check it there.")
    row = labels[ROW][0]
    held = (
        scan_table(folder, REPORT_STATEMENTS_FILE)
        .filter(pl.col(ROW) == row)
        .join(scan_table(folder, STATEMENTS_FILE), on=STATEMENT)
        .sort(SOURCE, POSITION)
        .collect()
    )
    evidence = scan_table(folder, EVIDENCE_FILE).filter(
        pl.col(STATEMENT).is_in(held[STATEMENT].to_list())
    )
    found = evidence.collect().partition_by(STATEMENT, as_dict=True)
    for code, name in enumerate(SOURCES):
        statements = held.filter(pl.col(SOURCE) == code)
        if statements.is_empty():
            continue
        console.rule(f"{name}, ECG {id} (dates, numbers and names masked)", align="left")
        lines, mentions = _joined(statements, found)
        console.print(coloured(lines, mentions))
        if mentions:
            console.print(_reasons(lines, mentions))
        opening = state_column(name, "")
        names = [n.removeprefix(opening) for n in labels.columns if n.startswith(opening)]
        codes = {n: labels[state_column(name, n)][0] for n in names}
        if None in codes.values():
            console.print("no reading: every label is null")
            continue
        values = {n: labels[value_column(name, n)][0] for n in names}
        console.print(_states({n: STATES[code] for n, code in codes.items()}, values))


def coloured(text: str, mentions: Sequence[Shown]) -> Text:
    """The text with every mention in the style of what it asserts."""
    out = Text(text)
    for mention in mentions:
        out.stylize(_STYLES[mention.assertion], mention.start, mention.end)
    return out


def _joined(
    statements: pl.DataFrame, found: dict[tuple[object, ...], pl.DataFrame]
) -> tuple[str, list[Shown]]:
    """The statements of one report, one a line, and its mentions with offsets in that text."""
    lines: list[str] = []
    mentions: list[Shown] = []
    offset = 0
    for row in statements.iter_rows(named=True):
        segment = "" if row[SEGMENT] == "findings" else f"[{row[SEGMENT]}] "
        line = segment + row[TEXT].replace("\n", " ")
        evidence = found.get((row[STATEMENT],))
        for each in evidence.iter_rows(named=True) if evidence is not None else ():
            start = offset + len(segment)
            mentions.append(
                Shown(
                    each[LABEL], each[ASSERTION], start + each[START], start + each[END],
                    each[PHRASE_ID], f"{each[VOCAB_FILE]}:{each[VOCAB_LINE]}", each[CUE],
                    each[SCORE],
                )
            )  # fmt: skip
        lines.append(line)
        offset += len(line) + 1
    return "\n".join(lines), mentions


def _reasons(text: str, mentions: Sequence[Shown]) -> Text:
    """A line for each mention: the wording, what it asserts and why, where the phrase stands."""
    out = Text()
    for m in mentions:
        style = _STYLES[m.assertion].removesuffix(" underline")
        why = f'by "{m.cue}"' if m.cue else "plain mention"
        if "/implied:" in m.phrase:
            why = f"implied, {why}"
        if m.score < EXACT:
            why += f", spelling repaired ({m.score})"
        out.append(" ".join(text[m.start : m.end].split()), style)
        out.append(f" \N{RIGHTWARDS ARROW} {m.label} ")
        out.append(m.assertion.replace("_", " "), style)
        out.append(f" ({why}) ")
        out.append(f"{m.place}\n", "dim")
    return out


def _states(states: dict[str, str], values: dict[str, int | None]) -> Text:
    said = [
        f"{name} {states[name]} = {values[name]}"
        for name in states
        if states[name] != "unmentioned"
    ]
    rest = sum(state == "unmentioned" for state in states.values())
    return Text("\n".join([*said, f"{'the other ' if said else 'all '}{rest} labels = 0"]))
