"""What the vocabulary leaves over: the stretches of statements that hold words it does not know.

Each statement is read once, by the matcher that labels it. What is looked at are its runs: words
in a row that no cue, comma or number parts, each with what it belongs to today.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from overread.engine import map_chunks
from overread.text.lexicon import EXACT, Word
from overread.text.match import Hit, Matcher
from overread.text.normalize import LINE_BREAK, fold
from overread.vocab.model import Vocabulary
from overread.workbench.extraction import Ints, slices

_SHARE = 4_000  # statements per task
_ALONE = 12_000  # below this a second process costs more than it brings

_NO_OWNER: Final[frozenset[str]] = frozenset()
_UNIT_TO: Final = 4  # letters: ms, mm, msec

# Leads and numbers part a run: "q in ii, iii, avf".
_LEAD = re.compile(r"v\d*|av[rlf]|i{1,3}")


class Part(NamedTuple):
    """One unknown word, or all words of a finding that the vocabulary has.

    ``owners`` are the labels and concepts of the finding ("rbbb?" where the phrase is a hedge,
    "not:rbbb" where it is an exclusion); an unknown word has none.
    """

    words: tuple[str, ...]
    owners: frozenset[str] = _NO_OWNER


#: What words that only join others ("with", "suggesting") belong to.
JOINS: Final = frozenset(("~",))

#: What a number belongs to: no wording holds one, and the unit beside it ("ms") is none by itself.
NUMBER: Final = frozenset(("0",))


class Run(NamedTuple):
    """Words in a row, as the vocabulary spells them.

    ``whole`` is a run of one part that is looked at by itself: a finding without a label, or
    (``mended``) a spelling that is read as other words; its words are then those of the report.
    """

    parts: tuple[Part, ...]
    whole: bool = False
    mended: bool = False


def runs_of(
    texts: pl.Series, vocabulary: Vocabulary, *, workers: int | None = None
) -> tuple[list[Run], Ints, Ints]:
    """The distinct runs of all texts; how many each text holds, and their numbers text by text."""
    distinct = pl.DataFrame({"text": texts.unique(maintain_order=True)}).with_row_index("number")
    read = distinct["text"].to_list()
    shares = [read[first : first + _SHARE] for first in range(0, len(read), _SHARE)]
    alone = 1 if len(read) < _ALONE else workers
    numbers: dict[Run, int] = {}
    counts, held = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for runs, each, of_share in map_chunks(_Reader(vocabulary), shares, workers=alone):
        known = np.array([numbers.setdefault(run, len(numbers)) for run in runs], np.int64)
        counts.append(each)
        held.append(known[of_share])
    starts = np.r_[0, np.cumsum(np.concatenate(counts))]
    at = texts.to_frame("text").join(distinct, on="text", how="left", maintain_order="left")
    found, n = slices(starts, np.concatenate(held), at["number"].to_numpy())
    return list(numbers), n, found


def without_units(runs: Sequence[Run], ecgs: Sequence[float]) -> list[Run]:
    """The runs with units as numbers: short words that mostly stand right behind one ("160 ms").

    They are units everywhere then, in "* ms" too. ``ecgs`` is how often each run occurs.
    """
    all, behind = defaultdict[str, float](float), defaultdict[str, float](float)
    for run, n in zip(runs, ecgs, strict=True):
        for at, part in enumerate(run.parts):
            if not part.owners and len(part.words[0]) <= _UNIT_TO:
                all[part.words[0]] += n
                behind[part.words[0]] += n * (at > 0 and run.parts[at - 1].owners == NUMBER)
    units = {word for word, n in behind.items() if 2 * n > all[word]}
    return [
        run._replace(
            parts=tuple(
                Part(part.words, NUMBER) if not part.owners and part.words[0] in units else part
                for part in run.parts
            )
        )
        for run in runs
    ]


class _Reader:
    """The runs of shares of statements, as `runs_of` gives those of all.

    The matcher is built where it works.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._matcher: Matcher | None = None

    def __call__(self, share: Sequence[str]) -> tuple[list[Run], Ints, Ints]:
        matcher = self._matcher = self._matcher or Matcher(self._vocabulary)
        labels = self._vocabulary.labels.keys()
        numbers: dict[Run, int] = {}
        held = [
            {numbers.setdefault(run, len(numbers)) for run in _runs(matcher, text, labels)}
            for text in share
        ]
        counts = np.array([len(each) for each in held], np.int64)
        found = np.fromiter((run for each in held for run in each), np.int64, counts.sum())
        return list(numbers), counts, found


def _runs(matcher: Matcher, text: str, labels: Set[str]) -> Iterator[Run]:
    words = matcher.lexicon.read(text)
    run: list[Part] = []
    for item in matcher.items(text, words):
        meaning, found = item.meaning, words[item.first : item.last]
        if item.text == LINE_BREAK or (meaning is not None and meaning.filler and not item.hits):
            continue  # a phrase runs over line breaks and age words
        if item.hits:
            part = Part(_plain(found), frozenset(map(_owner, item.hits)))
            if min(word.score for word in found) < EXACT:
                yield _alone(Part(_as_written(text, found), part.owners), mended=True)
            elif labels.isdisjoint(hit.phrase.owner for hit in item.hits):
                yield _alone(part)
            run.append(part)
        elif meaning is None and _is_word(item.text):
            if item.last < len(words) and words[item.last].start == found[0].start:
                yield _alone(Part(_as_written(text, found)), mended=True)
            run.append(Part((item.text,)))
        elif meaning is None and item.text[0].isdigit():
            run.append(Part((item.text,), NUMBER))
        elif item.text == "/" or (meaning is not None and (meaning.stop or meaning.link)):
            run.append(Part(_plain(found), JOINS))
        else:
            if _worth(run):
                yield Run(tuple(run))
            run = []
    if _worth(run):
        yield Run(tuple(run))


def _alone(part: Part, *, mended: bool = False) -> Run:
    return Run((part,), whole=True, mended=mended)


def _owner(hit: Hit) -> str:
    if hit.phrase.role == "exclusion":
        return f"not:{hit.phrase.owner}"
    return f"{hit.phrase.owner}?" if hit.phrase.phrase.uncertain else hit.phrase.owner


def _is_word(text: str) -> bool:
    known_as_none = _LEAD.fullmatch(text) or len(set(text)) == 1 < len(text)  # "xxx"
    return text[0].isalnum() and not text[0].isdigit() and not known_as_none


def _worth(run: Sequence[Part]) -> bool:
    return any(not part.owners for part in run)


def _plain(words: Sequence[Word]) -> tuple[str, ...]:
    return tuple(word.text for word in words if word.text != LINE_BREAK)


def _as_written(text: str, words: Sequence[Word]) -> tuple[str, ...]:
    """Words as the report spells them; two that it writes as one are one."""
    spans = dict.fromkeys((word.start, word.end) for word in words)
    return tuple(fold(text[start:end]) for start, end in spans if text[start].isalnum())
