"""Which statements two vocabularies can read otherwise: found by their words, not by reading.

Statements are taken apart at their spaces. Such a chunk is read the same way wherever it stands, so
that some ten thousand chunks stand for all statements. Too many may be found, never too few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.tables import TEXT
from overread.text.labeler import Labeler, denied_by
from overread.text.normalize import fold, tokens
from overread.workbench.extraction import Extraction, Ints, slices

_DASHES = "[-–—]"
# A hyphen reaches two words further, "Vorder- und Hinterwandinfarkt", and as many back and the
# mark between them, "Vorhofflimmern oder -flattern".
_DASHED = (
    rf"(?s)(?:\S+\s+){{0,3}}\S*{_DASHES}(?:.*{_DASHES})?\S*"
    r"(?:(?:\s+[^\w\s]+)*\s+\S*\w\S*){0,2}"
)
_END = 4  # letters at least that "Vorder- und Hinterwandinfarkt" share
#: What of the context has a meaning in statements; `recut` looks after what cuts them.
_CONTEXT: Final = {"cues", "scope", "no_reading", "unconfirmed"}
_Mask = npt.NDArray[np.bool_]
_Chunks = dict[str, list[int]]
_Parts = Sequence[Sequence[tuple[str, ...]]]


class StatementIndex:
    """The words of all statements of an extraction, as one labeler reads them."""

    def __init__(self, extraction: Extraction, labeler: Labeler) -> None:
        self._labeler = labeler
        texts = extraction.statements.select(TEXT)
        distinct = texts.unique(maintain_order=True).with_row_index("number")
        self._of_statement = texts.join(distinct, on=TEXT, how="left", maintain_order="left")[
            "number"
        ].to_numpy()
        self._n = distinct.height
        held = (
            distinct.select("number", chunk=pl.col(TEXT).str.extract_all(r"\S+"))
            .explode("chunk")
            .drop_nulls()
            .unique()
        )
        chunks = held.select(pl.col("chunk").unique().sort()).with_row_index("code")
        pairs = held.join(chunks, on="chunk").sort("code", "number")
        counts = np.bincount(pairs["code"].to_numpy(), minlength=chunks.height)
        self._starts: Ints = np.r_[0, np.cumsum(counts)]
        self._holders = pairs["number"].to_numpy()
        #: Chunks by the words they are read as, by those that stand in them, by what a hyphen in
        #: them would make, and by what stands before a hyphen.
        self._read: _Chunks = {}
        self._written: _Chunks = {}
        self._wholes: _Chunks = {}
        self._heads: _Chunks = {}
        lexicon = labeler.matcher.lexicon
        for code, chunk in enumerate(chunks["chunk"].to_list()):
            _enter(self._read, code, (word.text for word in lexicon.read(chunk)))
            _enter(self._written, code, (fold(token.text) for token in tokens(chunk)))
            wholes, heads = lexicon.hyphened(chunk)
            _enter(self._wholes, code, wholes)
            _enter(self._heads, code, heads)
        self._words = [word for word in self._written if word]
        #: Words that only whole statements have, because a hyphen reaches over a space.
        self._beyond: dict[str, list[int]] = {}
        dashed = distinct.select("number", part=pl.col(TEXT).str.extract(f"({_DASHED})"))
        for part, numbers in dashed.drop_nulls().group_by("part").agg("number").iter_rows():
            alone = {word.text for chunk in part.split() for word in lexicon.read(chunk)}
            for word in {word.text for word in lexicon.read(part)} - alone:
                self._beyond.setdefault(word, []).extend(numbers)

    def candidates(self, after: Labeler) -> Ints:
        """The statements that another labeler may read otherwise."""
        changed = changed_wordings(self._labeler, after)
        if changed is None:
            return np.arange(len(self._of_statement))
        before = self._labeler.matcher
        out = self._read_otherwise(after)
        for parts in changed:
            out |= self._wording(parts)
        # A word that starts a phrase may be a qualifier between joined words.
        first = {words[0] for parts in changed for part in parts for words in part if words}
        opens = [word for word in first if before.opens(word) != after.matcher.opens(word)]
        out |= self._any_of(opens) & self._any_of(before.sharing_words)
        return np.flatnonzero(out[self._of_statement])

    def _read_otherwise(self, after: Labeler) -> _Mask:
        """Statements with a word that is read as another one."""
        before, lexicon = self._labeler.matcher.lexicon, after.matcher.lexicon
        changed = lexicon.changed(before)
        chunks: set[int] = set()
        for word in lexicon.reread(before, self._words, changed) if changed else ():
            chunks.update(self._written[word])
        out = self._holding(chunks) | self._any_of(changed)
        for spelling in changed:
            out |= self._in(self._wholes, [spelling])
            for cut in range(1, len(spelling) - _END + 1):
                start, end = spelling[:cut], spelling[cut:]
                if start in self._heads:
                    ends = [word for word in self._words if word.endswith(end)]
                    out |= self._in(self._heads, [start]) & self._in(self._written, ends)
                if end in self._heads:
                    starts = [word for word in self._words if word.startswith(start)]
                    out |= self._in(self._heads, [end]) & self._in(self._written, starts)
        return out

    def _wording(self, parts: Sequence[Sequence[tuple[str, ...]]]) -> _Mask:
        """Statements with all words of some wording of a phrase; its marks are not looked at."""
        out = np.ones(self._n, bool)
        for part in parts:
            some = np.zeros(self._n, bool)
            for words in part:
                every = np.ones(self._n, bool)
                for word in filter(str.isalnum, words):
                    every &= self._any_of([word])
                some |= every
            out &= some
        return out

    def _any_of(self, words: Iterable[str]) -> _Mask:
        """Statements that are read as having one of the words."""
        words = list(words)
        out = self._in(self._read, words)
        for word in words:
            out[self._beyond.get(word, [])] = True
        return out

    def _in(self, chunks: Mapping[str, list[int]], words: Iterable[str]) -> _Mask:
        return self._holding(code for word in words for code in chunks.get(word, ()))

    def _holding(self, chunks: Iterable[int]) -> _Mask:
        out = np.zeros(self._n, bool)
        codes = np.fromiter(chunks, np.int64)
        out[slices(self._starts, self._holders, codes)[0]] = True
        return out


def changed_wordings(before: Labeler, after: Labeler) -> list[_Parts] | None:
    """The wordings, part by part, that do not mean the same to two labelers.

    None where these do not tell all that differs: a pattern, another order, rules of words.
    """
    if _rules(before) != _rules(after):
        return None
    sides = [_said(each) for each in (before, after)]
    keys = [{key for key, _ in side} for side in sides]
    both = keys[0] & keys[1]
    kept = [[key for key, _ in side if key in both] for side in sides]
    changed = [parts for side in sides for key, parts in side if key not in both]
    if kept[0] != kept[1] or not all(changed):
        return None
    # What a hyphen joins in a cue follows from the words that phrases have.
    words = {word for parts in changed for part in parts for each in part for word in each}
    return None if words & (_wholes(before) | _wholes(after)) else changed


@lru_cache(maxsize=2)  # the page compares one labeler with many
def _said(labeler: Labeler) -> list[tuple[object, _Parts]]:
    """All that a labeler's vocabulary says, and how it is worded."""
    return [*_phrases(labeler), *_context(labeler)]


def _rules(labeler: Labeler) -> tuple[object, ...]:
    """What makes two labelers read every statement otherwise, or too many to be told by words."""
    vocabulary, context = labeler.vocabulary, labeler.vocabulary.context
    return (
        vocabulary.words,
        vocabulary.share_a_head,
        vocabulary.share_a_modifier,
        labeler.matcher.sharing_words,
        context.ordinary_words,
        context.scope.fillers,
        {name for ref in vocabulary.phrases for name in ref.unless},
    )


def _phrases(labeler: Labeler) -> Iterator[tuple[object, _Parts]]:
    """Every phrase as what it means and how it is worded."""
    labels, denied = labeler.vocabulary.labels, denied_by(labeler.vocabulary)
    for ref in labeler.vocabulary.phrases:
        each, parts = ref.phrase, labeler.matcher.wordings(ref)
        label = labels.get(ref.owner)
        yield (
            ref.owner, ref.role, ref.unless, label is not None and label.baseline,
            tuple(denied.get(ref.owner, ())), each.regex, each.fuzzy, each.uncertain, each.acronym,
            "," in (each.text or ""), tuple(map(labeler.matcher.lexicon.words, each.not_with)),
            tuple(map(labeler.matcher.lexicon.words, each.only_with)),
            tuple(map(tuple, parts)),
        ), parts  # fmt: skip


def _context(labeler: Labeler) -> Iterator[tuple[object, _Parts]]:
    """Every cue and every other wording of the context in the same way."""
    lexicon = labeler.matcher.lexicon
    for path, text in _texts(labeler.vocabulary.context.model_dump(include=_CONTEXT)):
        parts = lexicon.parts(text)
        yield (path, tuple(map(tuple, parts))), parts


def _texts(value: Any, path: tuple[object, ...] = ()) -> Iterator[tuple[object, str]]:
    """The texts in a part of the context, each with all else that is said of it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, path)
    elif "text" in value:
        yield (*path, *(value[key] for key in value if key not in ("text", "note"))), value["text"]
    else:
        for key, each in value.items():
            yield from _texts(each, (*path, key))


@lru_cache(maxsize=2)
def _wholes(labeler: Labeler) -> set[str]:
    """The words that hyphens in the context may make."""
    out: set[str] = set()
    for _, text in _texts(labeler.vocabulary.context.model_dump(include=_CONTEXT)):
        for chunk in text.split():
            pieces = re.split(_DASHES, chunk)
            for first, last in combinations(range(len(pieces) + 1), 2):
                if last - first > 1:
                    out.update(labeler.matcher.lexicon.words("".join(pieces[first:last])))
    return out


def _enter(into: dict[str, list[int]], number: int, words: Iterable[str]) -> None:
    for word in set(words):
        into.setdefault(word, []).append(number)
