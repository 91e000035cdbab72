"""What the page shows, as plain values for its templates."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.errors import OverreadError, UsageError
from overread.labels.matrix import NO_READING
from overread.tables import (
    N_EXPERT,
    N_MACHINE,
    PHRASE_ID,
    SEGMENT,
    SOURCES,
    STATEMENT,
    TEXT,
)
from overread.text.labeler import RANK
from overread.text.lexicon import EXACT
from overread.text.segments import ASSERTING
from overread.vocab.edit import insert
from overread.vocab.source import read_bytes
from overread.workbench.decisions import key
from overread.workbench.touched import Rows, Sides, Touched, touched

if TYPE_CHECKING:
    from overread.text.labeler import Labeler
    from overread.vocab.edit import Insertion, NewPhrase
    from overread.vocab.model import PhraseRef, Vocabulary
    from overread.workbench.effect import Effect
    from overread.workbench.extraction import Extraction
    from overread.workbench.session import Session, Standing
    from overread.workbench.suggest import Suggestion

Values = dict[str, Any]
#: A text cut where the assertion changes: what it asserts, None for nothing.
Pieces = list[tuple[str, str | None]]

_SIGNS: Final = {
    "present": "+", "uncertain": "?", "absent": "−", "past": "<", "not_assessable": "/",
    "described": "~",
}  # fmt: skip
#: What a phrase says about its label.
_MEANINGS: Final = {
    "phrase": "it is there",
    "uncertain": "it may be there",
    "implied": "it follows, unless said otherwise",
    "exclusion": "it does not count here",
}
_TEXTS: Final = 8
#: The parts of a report that a reader compares: not the device's lines, no signature.
_READ: Final = ("findings", "comparison", "second_reading")


class Marked(NamedTuple):
    """A stretch of a text and what it asserts."""

    start: int
    end: int
    assertion: str


def pieces(text: str, marks: Iterable[Marked]) -> Pieces:
    """The text cut at the marks; where they overlap, the one that decides is shown.

    >>> pieces("No LVH", [Marked(3, 6, "absent")])
    [('No ', None), ('LVH', 'absent')]
    """
    marks = sorted(marks, key=lambda mark: -RANK.get(mark.assertion, 0))
    edges = sorted({0, len(text), *(m.start for m in marks), *(m.end for m in marks)})
    return [
        (
            text[start:end],
            next((m.assertion for m in marks if m.start <= start and end <= m.end), None),
        )
        for start, end in pairwise(edges)
    ]


def label_names(vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """Ids and names of the labels, in their order."""
    return [(id, label.name) for id, label in vocabulary.labels.items()]


def notice(session: Session) -> Values:
    """What stands above the page where something is amiss."""
    standing = session.standing()
    stale = standing.vocabulary.sha256 != session.extraction.vocabulary_sha256
    return {"problem": session.problem, "stale": stale and not session.problem}


def facts(session: Session) -> Values:
    """What the session works on."""
    extraction = session.extraction.folder.resolve()
    return {
        "vocabulary": session.folder.resolve().name,
        "folder": str(session.folder.resolve()),
        "extraction": str(extraction),
        "ecgs": f"{session.extraction.n:,}",
    }


def queue(session: Session) -> Values:
    """The suggestions that are not settled, variants below their head; the postponed at the end."""
    standing = session.standing()
    names = dict(label_names(standing.vocabulary))
    decided = session.decided()
    rows: list[Values] = []
    for head in session.suggestions(standing):
        for each in (head, *head.variants):
            said = decided.get(key(each.wording))
            if said in (None, "later"):
                rows.append(
                    {
                        "wording": each.wording,
                        "machine": f"{each.n_machine:,}",
                        "expert": f"{each.n_expert:,}",
                        "guess": names.get(each.label_guess or "", ""),
                        "variant": each is not head,
                        "later": said == "later",
                    }
                )
    rows.sort(key=lambda row: row["later"])
    waiting = not standing.suggestions.done()
    return {"queue": {"rows": rows, "waiting": waiting}}


def suggestion(session: Session, wording: str) -> Values:
    """One wording: what is known of it, and the form to decide about it."""
    standing = session.standing()
    found = session.suggestion(wording)
    return {
        "wording": wording,
        "found": found,
        "guess": found.label_guess if found else None,
        "means": _means(found) if found else "phrase",
        "meanings": _MEANINGS,
        "labels": label_names(standing.vocabulary),
        "texts": _statements(session, _holding(session.extraction, wording, found)),
    }


def effect(session: Session, phrase: NewPhrase) -> Values:
    """What would follow from one phrase alone, or why it is refused."""
    refusals = session.refusals(phrase)
    found = None if refusals else session.effect([phrase])
    return {
        "refusals": refusals,
        "waiting": not refusals and found is None,
        "rows": _changes(session, found),
        "touched": _touched_by_edit(session, found, phrase.owner) if found else None,
    }


def pending(session: Session) -> Values:
    """The edits that wait, the lines they become, and what they change together."""
    vocabulary = session.standing().vocabulary
    phrases = session.decisions.pending()
    names = dict(label_names(vocabulary))
    edits, failed = [], ""
    try:
        files = read_bytes(session.folder)
        for phrase in phrases:
            place, line = "Its label or term is in the files no more.", "Take it back to go on."
            if session.problem:
                place, line = "Its line shows when the files can be read again.", phrase.entry()
            elif session.fits(phrase):
                insertion, files[insertion.file] = _inserted(tuple(files.items()), phrase)
                place, line = f"{insertion.file}:{insertion.line}", insertion.text.strip()
            edits.append(
                {
                    "label": names.get(phrase.owner, phrase.owner),
                    "means": _MEANINGS[_means(phrase)],
                    "text": phrase.text,
                    "by": phrase.by,
                    "place": place,
                    "line": line,
                }
            )
    except OverreadError as error:
        failed = str(error)
    fitting = [phrase for phrase in phrases if session.fits(phrase)]
    found = session.effect(fitting) if fitting and not failed else None
    return {
        "pending": {
            "edits": edits,
            "failed": failed,
            "waiting": bool(fitting) and not failed and found is None,
            "rows": _changes(session, found),
            "written": [
                {"place": f"{each.file}:{each.line}", "text": each.text.strip()}
                for each in session.written.insertions
            ],
        }
    }


@lru_cache(maxsize=256)  # what waits is shown after every decision
def _inserted(files: tuple[tuple[str, bytes], ...], phrase: NewPhrase) -> tuple[Insertion, bytes]:
    return insert(dict(files), phrase)


def usage(session: Session, owner: str) -> Values:
    """The phrases of a label with their hits, most hits first; without counts until they are."""
    standing = session.standing()
    vocabulary = standing.vocabulary
    owner = owner if owner in vocabulary.labels else next(iter(vocabulary.labels))
    counted = _counted(standing)
    rows: list[Values] = []
    for ref in vocabulary.phrases:
        if ref.owner == owner:
            counts = counted.get(ref.id)
            rows.append(
                {
                    "id": ref.id,
                    "wording": ref.wording,
                    "means": _MEANINGS["uncertain" if ref.phrase.uncertain else ref.role],
                    "hits": counts and f"{counts['hits']:,}",
                    "sole": counts and f"{counts['sole_hits']:,}",
                    "conflicts": counts and f"{counts['conflicts']:,}",
                    "order": -counts["hits"] if counts else 0,
                }
            )
    rows.sort(key=lambda row: row["order"])
    return {
        "labels": label_names(vocabulary),
        "usage": {"owner": owner, "rows": rows, "waiting": not standing.phrases.done()},
    }


def phrase(session: Session, id: str) -> Values:
    """One phrase of the vocabulary: who added it, and in which statements it stands."""
    standing = session.standing()
    ref, held = _phrase(standing, id)
    counts = _counted(standing).get(id)
    label = standing.vocabulary.labels.get(ref.owner)
    known = {name: getattr(ref.phrase, name) for name in ("by", "on", "source", "note", "lang")}
    shown = {
        "hits": "hits",
        "alone": "sole_hits",
        "conflicts": "conflicts",
        "machine": "machine",
        "expert": "expert",
    }
    return {
        "phrase": {
            "wording": ref.wording,
            "owner": label.name if label else ref.owner,
            "means": _MEANINGS["uncertain" if ref.phrase.uncertain else ref.role],
            "place": str(ref.place),
            "provenance": [(name, value) for name, value in known.items() if value],
            "counts": [
                *((name, f"{counts[column]:,}") for name, column in shown.items()),
                ("spelling repaired", f"{counts['repaired']:.1%}"),
            ]
            if counts
            else None,
        },
        "texts": _statements(session, session.extraction.statements[held.to_numpy()]),
    }


def disagreements(session: Session, id: str) -> Values:
    """Where machine and expert disagree in the ECGs that hold a phrase.

    The page asks for it by itself: for half a million ECGs it takes longer than all the rest.
    """
    standing = session.standing()
    ref, held = _phrase(standing, id)
    if ref.owner not in standing.vocabulary.labels or not len(held):
        return {"touched": None}
    if id not in standing.touched:
        view = standing.live.result().view
        rows = session.extraction.readings_of(held.to_numpy()) // len(SOURCES)
        rows = rows[np.diff(rows, prepend=-1) > 0]  # ascending; np.unique is far slower
        columns = {"ECGs": _sides(session.extraction, view.all_states((ref.owner,)), rows)}
        standing.touched[id] = touched(rows, columns, view.policy(ref.owner))
    return {"touched": _shown(session, standing.touched[id], ref.owner)}


def tried(session: Session, text: str) -> Values:
    """A sentence read with the pending edits, and what they change in it."""
    if not text.strip():
        return {"tried": None}
    labeler = session.with_pending()
    names = dict(label_names(labeler.vocabulary))
    reading = labeler.label(text)
    before = session.standing().reader().label(text).states
    mentions = []
    for each in reading.mentions:
        why = f'by "{each.cue}"' if each.cue else "plain mention"
        why = f"implied, {why}" if each.implied else why
        why += f", spelling repaired ({each.score})" if each.score < EXACT else ""
        mentions.append(
            {
                "sign": _SIGNS[each.assertion],
                "name": names[each.label],
                "assertion": each.assertion.replace("_", " "),
                "why": why,
                "place": each.place.removesuffix(":1:1"),
            }
        )
    return {
        "tried": {
            "pieces": pieces(text, [Marked(m.start, m.end, m.assertion) for m in reading.mentions]),
            "mentions": mentions,
            "changed": [
                (names[id], before[id].replace("_", " "), state.replace("_", " "))
                for id, state in reading.states.items()
                if before[id] != state
            ],
        }
    }


def _changes(session: Session, found: Effect | None) -> list[Values]:
    """The labels and sides whose count of positive readings changes."""
    if found is None:
        return []
    names = dict(label_names(session.standing().vocabulary))
    return [
        {
            "name": names.get(each.label, each.label),
            "source": each.source,
            "before": each.before,
            "after": each.after,
            "gained": each.gained,
            "lost": each.lost,
        }
        for each in found.changes
        if each.gained or each.lost
    ]


def _phrase(standing: Standing, id: str) -> tuple[PhraseRef, pl.Series]:
    """A phrase, and the statements in which it stands: none until they are looked through."""
    refs = standing.vocabulary.phrases
    at = next((number for number, each in enumerate(refs) if each.id == id), None)
    if at is None:
        raise UsageError("The vocabulary does not hold this phrase any more.")
    if not standing.phrases.done() or standing.phrases.cancelled():
        return refs[at], pl.Series([], dtype=pl.UInt32)
    found = standing.phrases.result()[0].filter(pl.col("phrase") == at)
    return refs[at], found[STATEMENT].unique(maintain_order=True)


def _counted(standing: Standing) -> dict[str, Values]:
    if not standing.phrases.done() or standing.phrases.cancelled():
        return {}
    return {row[PHRASE_ID]: row for row in standing.phrases.result()[1].iter_rows(named=True)}


def _means(phrase: NewPhrase | Suggestion) -> str:
    return "uncertain" if phrase.uncertain else phrase.role


def _holding(extraction: Extraction, wording: str, found: Suggestion | None) -> pl.DataFrame:
    """The statements that hold a wording: those it was ranked by, else those with its letters."""
    text = pl.col(TEXT)
    if found is not None:
        return extraction.statements.filter(text.is_in(list(found.examples)))
    return extraction.statements.filter(
        text.str.to_lowercase().str.contains(wording.lower(), literal=True)
    )


def _statements(session: Session, frame: pl.DataFrame) -> list[Values]:
    """The most frequent of some statements, coloured as the vocabulary of now reads them."""
    frame = frame.with_columns(ecgs=pl.col(N_MACHINE) + pl.col(N_EXPERT))
    frame = frame.sort("ecgs", STATEMENT, descending=[True, False]).head(_TEXTS)
    labeler = session.standing().reader()
    return [
        {
            "pieces": _read(labeler, row[TEXT], row[SEGMENT]),
            "machine": row[N_MACHINE],
            "expert": row[N_EXPERT],
        }
        for row in frame.iter_rows(named=True)
    ]


def _read(labeler: Labeler, text: str, segment: str, only: str | None = None) -> Pieces:
    """One statement coloured, or only one label in it.

    A part of the report that asserts nothing has no colours.
    """
    marks = []
    for each in labeler.statement(text)[0] if segment in ASSERTING else ():
        labels = labeler.labels_of(each)
        if labels and only in (None, *labels):
            marks.append(Marked(each.start, each.end, each.assertion))
    return pieces(text, marks)


def _touched_by_edit(session: Session, found: Effect, owner: str) -> Values | None:
    """Machine against expert in the ECGs whose state of a label a phrase changes."""
    if owner not in found.concerned:
        return None
    at = found.concerned.index(owner)
    rows = found.compared[found.states_before[:, at] != found.states_after[:, at]] // len(SOURCES)
    if not len(rows):
        return None
    rows = rows[np.diff(rows, prepend=-1) > 0]
    columns = {
        name: _sides(session.extraction, found.all_states((owner,), after=after), rows)
        for name, after in (("now", False), ("then", True))
    }
    return _shown(session, touched(rows, columns, found.after.policy(owner)), owner)


def _sides(extraction: Extraction, states: npt.NDArray[np.uint8], rows: Rows) -> Sides:
    """The states of one label in some ECGs, machine and expert; no text is no reading."""

    def side(code: int) -> npt.NDArray[np.uint8]:
        readings = rows * len(SOURCES) + code
        held = extraction.hold_statements(readings)
        return np.where(held, states[readings, 0], NO_READING).astype(np.uint8)

    return side(0), side(1)


def _shown(session: Session, found: Touched, label: str) -> Values:
    """The counts, and a few ECGs by the statements that only one of their readings holds."""
    extraction, standing = session.extraction, session.standing()
    labeler = session.with_pending()
    examples: list[Values] = []
    for id, row in zip(extraction.ids(found.examples), found.examples, strict=True):
        held = [
            extraction.held_by(np.array([row * len(SOURCES) + code]))[0]
            for code, _ in enumerate(SOURCES)
        ]
        shown: Values = {"id": id}
        for source, own, other in zip(SOURCES, held, reversed(held), strict=True):
            lines = extraction.statements[own[~np.isin(own, other)]]
            shown[source] = [
                _read(labeler, line[TEXT], line[SEGMENT], label)
                for line in lines.filter(pl.col(SEGMENT).is_in(_READ)).iter_rows(named=True)
            ]
        examples.append(shown)
    return {
        "name": standing.vocabulary.labels[label].name,
        "ecgs": found.ecgs,
        "columns": found.columns,
        "rows": [(name, cells) for name, cells in found.counts if any(cells)],
        "examples": examples,
    }
