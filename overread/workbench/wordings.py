"""Wordings that the runs of statements hold, and where: what a vocabulary could be given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from overread.labels.split import mask
from overread.workbench.likeness import SMALL, Words
from overread.workbench.residue import JOINS, NUMBER, Part, Run

if TYPE_CHECKING:
    from overread.text.labeler import Labeler

_LONGEST: Final = 7  # words of a wording
_LONGEST_RUN: Final = 60  # parts that are looked at

_Key = tuple[Words, bool, bool]

#: A wording in a run: the number of the run, its first part and the one after its last.
Spot = tuple[int, int, int]


class Wording(NamedTuple):
    """Words in a row of which at least one is unknown; ``owners`` are those of the known ones.

    ``whole`` and ``mended`` are those of the run that it is all of.
    """

    words: Words
    whole: bool
    mended: bool
    ecgs: int
    owners: frozenset[str]
    spots: list[Spot]


def wordings_in(
    runs: Sequence[Run], ecgs: Sequence[int], *, least: int, most: int
) -> list[Wording]:
    """The ``most`` frequent wordings that at least ``least`` ECGs hold, ``ecgs`` each run."""
    counts: Counter[_Key] = Counter()
    for run, n in zip(runs, ecgs, strict=True):
        for key in {key for key, _, _ in _grams(run)}:
            counts[key] += n
    kept = sorted((-n, key) for key, n in counts.items() if n >= least)[:most]
    out = {key: Wording(*key, -n, frozenset(), []) for n, key in kept}
    for number, run in enumerate(runs):
        for key, first, last in _grams(run):
            wording = out.get(key)
            if wording is None:
                continue
            if not wording.spots:
                owners = frozenset[str]().union(*(part.owners for part in run.parts[first:last]))
                out[key] = wording = wording._replace(owners=owners)
            wording.spots.append((number, first, last))
    return list(out.values())


def in_tables(labeler: Labeler, words: Words) -> bool:
    """Whether a statement can still hold the words once its numbers are masked.

    >>> from overread.text.labeler import Labeler
    >>> in_tables(Labeler(), ("lead", "v1")), in_tables(Labeler(), ("qrs", "120"))
    (True, False)
    """
    text = " ".join(words)
    if not any(map(str.isdigit, text)):
        return True
    masked = mask(pl.Series([text], dtype=pl.String)).item()
    return tuple(word.text for word in labeler.matcher.lexicon.read(masked)) == words


def shorter(run: Run, spot: Spot) -> Iterator[tuple[Words, Part]]:
    """What is left of a wording without its first or its last part, and that part."""
    _, first, last = spot
    parts = run.parts
    for begin, end, gone in ((first + 1, last, parts[first]), (first, last - 1, parts[last - 1])):
        while begin < end and not can_end(parts[begin]):
            begin += 1
        while begin < end and not can_end(parts[end - 1]):
            end -= 1
        if begin < end:
            yield tuple(word for part in parts[begin:end] for word in part.words), gone


def can_end(part: Part) -> bool:
    """Whether a wording may begin or end with this part."""
    word = part.words[0]
    if part.owners in (JOINS, NUMBER):
        return False
    return len(part.words) > 1 or (word not in SMALL and len(word) > 1)


def _grams(run: Run) -> Iterator[tuple[_Key, int, int]]:
    """Every stretch of a run that could be a phrase: whole findings, no small words at its ends."""
    if run.whole:
        yield (run.parts[0].words, True, run.mended), 0, 1
        return
    parts = run.parts[:_LONGEST_RUN]
    ends = [can_end(part) for part in parts]
    for first, begins in enumerate(ends):
        if not begins:
            continue
        words: Words = ()
        new = False
        for last in range(first, len(parts)):
            words += parts[last].words
            if len(words) > _LONGEST or parts[last].owners == NUMBER:
                break
            new = new or (not parts[last].owners and ends[last])
            if new and ends[last]:
                yield (words, False, False), first, last + 1
