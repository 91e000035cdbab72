"""Which statements can change at all when phrases are added: found by their words, not by reading.

Statements are taken apart at their spaces. Such a chunk is read the same way wherever it stands, so
that some ten thousand chunks stand for all statements. Too many may be found, never too few.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.tables import TEXT
from overread.text.labeler import Labeler
from overread.text.normalize import fold, tokens
from overread.vocab.model import PhraseRef
from overread.workbench.extraction import Extraction, Ints, slices

_DASHES = "[-–—]"
_END = 4  # letters at least that "Vorder- und Hinterwandinfarkt" share
_Mask = npt.NDArray[np.bool_]
_Chunks = dict[str, list[int]]


class StatementIndex:
    """The words of all statements of an extraction, as one labeler reads them."""

    def __init__(self, extraction: Extraction, labeler: Labeler) -> None:
        self._labeler = labeler
        self._n = extraction.statements.height
        texts = extraction.statements[TEXT]
        held = (
            pl.DataFrame({"chunk": texts.str.extract_all(r"\S+")})
            .with_row_index("statement")
            .explode("chunk")
            .drop_nulls()
            .unique()
        )
        chunks = held.select(pl.col("chunk").unique().sort()).with_row_index("code")
        pairs = held.join(chunks, on="chunk").sort("code", "statement")
        counts = np.bincount(pairs["code"].to_numpy(), minlength=chunks.height)
        self._starts: Ints = np.r_[0, np.cumsum(counts)]
        self._holders = pairs["statement"].to_numpy()
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
        dashed = texts.str.contains(_DASHES).arg_true()
        for statement, text in zip(dashed, texts.gather(dashed), strict=True):
            alone = {word.text for chunk in text.split() for word in lexicon.read(chunk)}
            read = {word.text for word in lexicon.read(text)}
            _enter(self._beyond, statement, read - alone)

    def candidates(self, after: Labeler, phrases: Sequence[PhraseRef]) -> Ints:
        """The statements that ``after``, which has these phrases more, may read otherwise."""
        if any(ref.phrase.regex is not None for ref in phrases):
            return np.arange(self._n)
        out = self._read_otherwise(after)
        groups = self._any_of(self._labeler.matcher.sharing_words)
        for ref in phrases:
            parts = after.matcher.wordings(ref)
            out |= self._wording(parts)
            # A word that starts a phrase may be a qualifier between joined words.
            first = {words[0] for part in parts for words in part if words}
            opens = [word for word in first if not self._labeler.matcher.opens(word)]
            out |= self._any_of(opens) & groups
        return np.flatnonzero(out)

    def _read_otherwise(self, after: Labeler) -> _Mask:
        """Statements with a word that is read as another one."""
        before, lexicon = self._labeler.matcher.lexicon, after.matcher.lexicon
        changed = lexicon.changed(before)
        chunks: set[int] = set()
        for word in lexicon.reread(before, self._words, changed) if changed else ():
            chunks.update(self._written[word])
        out = self._holding(chunks)
        for spelling in changed:
            out |= self._in(self._wholes, [spelling])
            for cut in range(1, len(spelling) - _END + 1):
                if spelling[:cut] in self._heads:
                    ends = [word for word in self._words if word.endswith(spelling[cut:])]
                    out |= self._in(self._heads, [spelling[:cut]]) & self._in(self._written, ends)
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


def _enter(into: dict[str, list[int]], number: int, words: Iterable[str]) -> None:
    for word in set(words):
        into.setdefault(word, []).append(number)
