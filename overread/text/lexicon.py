"""From a word of a report to the word that the vocabulary writes: spellings, encodings, repairs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from itertools import pairwise, product
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from overread.text.normalize import LINE_BREAK, Token, fold, tokens
from overread.vocab.model import Vocabulary

EXACT = 100
_JOINED = 95  # "leftventricular": nothing but a space is missing
_CACHE_LIMIT = 200_000
_SHORT, _LONG = 4, 8  # letters from which a word is repaired, and from which at two edits

#: Marks that carry meaning in a phrase or for the reach of a cue; the others are dropped.
_MARKS = frozenset(",/()[]?:;=" + LINE_BREAK)
_LOST = ("#", "\ufffd")
_DASH = re.compile("[-–—]")
_CHUNK = re.compile(r"\n[^\S\n]*|\S+")
_LONGEST = 60  # letters of a word that may be two written together, or misspelled
_LEADS = 3  # words and marks back to the one whose start a word behind a hyphen shares
_FAR = 2  # edits up to which a word may be a misspelling of another


class Word(NamedTuple):
    """One word of a statement as the vocabulary writes it.

    ``hyphen`` says that a hyphen joins it to the word before; ``score`` is under 100 where a
    spelling was repaired.
    """

    text: str
    start: int
    end: int
    hyphen: bool = False
    score: int = EXACT


class Lexicon:
    """The words of a vocabulary, and how reports write and misspell them.

    A word of the report is looked up as it stands, as another spelling (``words`` in the YAML),
    with its lost umlauts, as two words written together, and last as a misspelling: where exactly
    one vocabulary word is nearest, at one edit up to seven letters (in four letters only a swap)
    and two from eight on. Real words (``ordinary_words``) are never repaired.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._terms = vocabulary.terms
        self._worded: dict[str, tuple[str, ...]] = {}
        self._canonical = {
            fold(spelling): fold(word)
            for word, spellings in vocabulary.words.items()
            for spelling in spellings
        }
        self._ordinary = frozenset(fold(word) for word in vocabulary.context.ordinary_words)
        self._spellings: dict[str, str] = {}
        self._known: set[str] = set()
        self._mendable: set[str] = set()
        self._repairable: dict[int, list[str]] = {}
        self._lost: dict[str, str] = {}
        self._joinable: set[str] = set()
        self._last: tuple[str, list[Word]] | None = None
        self._cache: dict[str, tuple[tuple[str, int], ...]] = {}
        self._chunks: dict[str, list[Word]] = {}

    def extended(self) -> Lexicon:
        """A lexicon with the same words, to learn more and be sealed; this one stays as it is."""
        out = copy(self)
        out._known, out._mendable = self._known.copy(), self._mendable.copy()
        out._worded, out._joinable = self._worded.copy(), set()
        out._repairable, out._lost, out._last = {}, {}, None
        out._cache, out._chunks = {}, {}
        return out

    def hyphens_agree(self, before: Lexicon) -> bool:
        """Whether the hyphens of all phrases join what they do in a lexicon made anew.

        They join two words where a phrase that comes before has the whole as one word.
        """
        fresh = self._known - before._known
        agree = before._joinable.isdisjoint(fresh) and self._joinable.isdisjoint(self._known)
        self._joinable |= before._joinable
        return agree

    def parts(self, phrase: str) -> list[list[tuple[str, ...]]]:
        """The phrase part by part: for each the wordings that may stand there, terms filled in."""
        out: list[list[tuple[str, ...]]] = []
        for position, piece in enumerate(_pieces(phrase)):
            if position % 2:
                out.append([self.words(wording) for wording in self._terms[piece]])
            elif piece.strip():
                out.append([self.words(piece)])
        return out

    def expand(self, phrase: str) -> Iterator[tuple[str, ...]]:
        """Every sequence of words that a phrase of the YAML stands for."""
        for combination in product(*self.parts(phrase)):
            yield tuple(word for part in combination for word in part)

    def words(self, text: str) -> tuple[str, ...]:
        """The words of a piece of a phrase, as a report's words are compared with it."""
        found = self._worded.get(text)
        if found is None:
            read = self._read(tokens(text), self._spelling)
            found = tuple(word.text for word in read)
            if _DASH.search(text):  # what a hyphen joins depends on the words known by then
                joined = any(_DASH.search(text[word.start : word.end]) for word in read)
                self._joinable.update(found if joined else self._wholes(text, read))
            else:
                self._worded[text] = found
        return found

    def learn(self, words: Iterable[str], *, repairable: bool = True) -> None:
        """Takes the words of a phrase into the lexicon; call once for every phrase."""
        words = tuple(words)
        self._known.update(words)
        if repairable:
            self._mendable.update(words)

    def seal(self) -> None:
        """Builds the tables for lost letters and misspellings, once all phrases are learnt."""
        spellings = {word: word for word in self._known}
        spellings |= {s: c for s, c in self._canonical.items() if c in self._known}
        # Sorted, so that a tie falls the same way in every run.
        for spelling, canonical in sorted(spellings.items()):
            for variant in _without_umlauts(spelling):
                if variant not in spellings and variant not in self._ordinary:
                    self._lost.setdefault(variant, canonical)
            if len(spelling) >= _SHORT and spelling.isalpha() and canonical in self._mendable:
                self._repairable.setdefault(len(spelling), []).append(spelling)
        self._spellings = spellings

    def spellings(self) -> dict[str, list[str]]:
        """The other spellings of each word."""
        out: dict[str, list[str]] = {}
        for spelling, word in self._canonical.items():
            out.setdefault(word, []).append(spelling)
        return out

    def read(self, text: str) -> list[Word]:
        """The words of a statement in order, marks without meaning left out."""
        last = self._last  # a statement is looked at twice: what it finds, and who confirmed it
        if last is None or last[0] != text:
            read = self._chunk_by_chunk if _DASH.search(text) is None else self._as_a_whole
            last = self._last = text, read(text)
        return last[1]

    def _as_a_whole(self, text: str) -> list[Word]:
        return self._read(tokens(text), self._resolve)

    def _chunk_by_chunk(self, text: str) -> list[Word]:
        """The same where no dash reaches over a space: a chunk is read once, wherever it stands."""
        chunks = self._chunks
        out: list[Word] = []
        for match in _CHUNK.finditer(text):
            chunk = match.group()
            words = chunks.get(chunk)
            if words is None:
                if len(chunks) >= _CACHE_LIMIT:
                    chunks.clear()
                words = chunks[chunk] = self._as_a_whole(chunk)
            at = match.start()
            out += [
                Word(word, at + start, at + end, hyphen, score)
                for word, start, end, hyphen, score in words
            ]
        return out

    def hyphened(self, text: str) -> tuple[set[str], set[str]]:
        """The words that hyphens in a text would make, and those that may stand before one."""
        heads = {fold(token.text) for token in tokens(text)} if _DASH.search(text) else set[str]()
        return set(self._wholes(text, self.read(text))), heads

    def changed(self, before: Lexicon) -> set[str]:
        """The spellings that this lexicon and another know differently."""
        mine, theirs = (
            {(spelling, word, word in each._mendable) for spelling, word in each._spellings.items()}
            for each in (self, before)
        )
        return {spelling for spelling, *_ in mine ^ theirs}

    def reread(self, before: Lexicon, words: Sequence[str], changed: Iterable[str]) -> list[str]:
        """Which folded words of reports this lexicon reads otherwise than ``before``.

        ``changed`` is what `changed` gives: only words near to one of those are looked up.
        """
        near = {word for word in words if "#" in word or "\ufffd" in word}
        for spelling in changed:
            found = process.extract(
                spelling, words, scorer=OSA.distance, score_cutoff=_FAR, limit=None
            )
            near.update(word for word, *_ in found)
            near.update(_without_umlauts(spelling))
            near.update(w for w in words if w.startswith(spelling) or w.endswith(spelling))
        return [
            word for word in words if word in near and self._look_up(word) != before._look_up(word)
        ]

    def _wholes(self, text: str, read: Sequence[Word]) -> Iterator[str]:
        """What each word that a hyphen parts from the one before would be together with it."""
        for before, word in pairwise(read):
            if word.hyphen:
                whole = fold(before.text + text[word.start : word.end])
                yield self._canonical.get(whole, whole)

    def _read(
        self, found: list[Token], lookup: Callable[[str], tuple[tuple[str, int], ...]]
    ) -> list[Word]:
        out: list[Word] = []
        last = ""
        glue_end = -1  # where a hyphen that joins two words ends
        lead_end = -1  # where a hyphen ends that only the word behind it touches
        hanging: tuple[int, str] | None = None  # "Links-": place in `out`, and the word as it stood
        for place, (text, start, end) in enumerate(found):
            first = text[0]
            if first.isalnum() or first in _LOST:
                hyphen = start == glue_end
                if hyphen:
                    hanging = None  # "Vor-EKG": nothing is left open
                if hyphen and out:
                    # "antero-septal" is the word anteroseptal, "left-axis" stays two words.
                    joined = fold(out[-1].text + text)
                    target = self._canonical.get(joined, joined)
                    if target in self._known:
                        out[-1] = Word(target, out[-1].start, end, out[-1].hyphen)
                        continue
                elif hanging is not None and len(out) - hanging[0] == 2:
                    slot, head = hanging
                    whole = self._completed(head, fold(text)) or out[slot].text
                    out[slot] = out[slot]._replace(text=whole)
                    hanging = None
                elif start == lead_end:
                    led = self._led(out, fold(text))
                    if led is not None:  # "Vorhofflimmern oder -flattern": the hyphen parts nothing
                        if out[-1].end == start:
                            out.pop()
                        out.append(Word(led, start, end))
                        continue
                last = fold(text)
                for index, (word, score) in enumerate(lookup(text)):
                    out.append(Word(word, start, end, hyphen and index == 0, score))
            elif first == "-" or first in "–—":
                if out and out[-1].end == start:
                    glue_end, hanging = end, (len(out) - 1, last)
                elif out and out[-1].text not in _MARKS:
                    lead_end = end
                    out.append(Word(",", start, end))  # a dash between spaces parts like a comma
            elif first == LINE_BREAK and found[place - 1].end == glue_end and place:
                glue_end = end  # a word hyphenated over the end of a line
            elif first in _MARKS:
                out.append(Word(first, start, end))
            elif first in "&+":
                out.append(Word(self._canonical.get(first, first), start, end))
            elif first in _LOST:
                out.append(Word(first, start, end))
        return out

    def _spelling(self, raw: str) -> tuple[tuple[str, int], ...]:
        word = fold(raw)
        return ((self._canonical.get(word, word), EXACT),)

    def _resolve(self, raw: str) -> tuple[tuple[str, int], ...]:
        found = self._cache.get(raw)
        if found is None:
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            found = self._cache[raw] = self._look_up(fold(raw))
        return found

    def _look_up(self, word: str) -> tuple[tuple[str, int], ...]:
        canonical = self._spellings.get(word)
        if canonical is not None:
            return ((canonical, EXACT),)
        canonical = self._canonical.get(word, word)
        lost = self._lost.get(word.replace("\ufffd", "#"))
        if lost is not None:
            return ((lost, EXACT),)
        if canonical != word or not 4 <= len(word) <= _LONGEST or any(c.isdigit() for c in word):
            return ((canonical, EXACT),)
        if word in self._ordinary:
            return ((word, EXACT),)
        return self._joined(word) or self._repaired(word) or ((word, EXACT),)

    def _completed(self, head: str, other: str) -> str | None:
        """ "Vorderwand- und Hinterwandinfarkt": the first word with the end that both share."""
        for cut in range(3, min(len(other), _LONGEST) - 3):
            whole = self._spellings.get(head + other[cut:])
            if whole is not None:
                return whole
        return None

    def _led(self, before: Sequence[Word], end: str) -> str | None:
        """ "Vorhofflimmern oder -flattern": the second word with the start that both share."""
        for word in reversed(before[-_LEADS:]):
            for cut in range(3, min(len(word.text), _LONGEST) - 2):
                whole = self._spellings.get(word.text[:cut] + end)
                if whole is not None:
                    return whole
        return None

    def _joined(self, word: str) -> tuple[tuple[str, int], ...] | None:
        """Two vocabulary words without the space between them."""
        for cut in range(4, len(word) - 3):
            head, tail = word[:cut], word[cut:]
            if head in self._spellings and tail in self._spellings:
                return ((self._spellings[head], _JOINED), (self._spellings[tail], _JOINED))
        return None

    def _repaired(self, word: str) -> tuple[tuple[str, int], ...] | None:
        """The one vocabulary word that is nearest, if it is near enough."""
        if len(word) < _SHORT or not word.isalpha():
            return None
        best, nearest = 3, set[str]()
        for length in range(len(word) - 2, len(word) + 3):
            allowed = 2 if min(length, len(word)) >= _LONG else 1
            for spelling in self._repairable.get(length, ()):
                cutoff = min(allowed, best)
                distance = OSA.distance(word, spelling, score_cutoff=cutoff)
                if distance > cutoff:
                    continue
                if distance < best:
                    best, nearest = distance, set()
                nearest.add(spelling)
        targets = {self._spellings[spelling] for spelling in nearest}
        spelling = min(nearest, default="")
        # Two meanings as near: a guess could flip left and right, anterior and inferior.
        if len(targets) != 1 or not _may_be(word, spelling):
            return None
        similarity = OSA.normalized_similarity(word, spelling)
        return ((targets.pop(), min(EXACT - 1, round(100 * similarity))),)


def _may_be(word: str, spelling: str) -> bool:
    """Whether one could be typed for the other: a short word keeps its first letter, or swaps it.

    "minus" is one letter from "sinus" and another word; a prefix more or less ("unconfirmed") turns
    a word into its opposite.
    """
    if word.endswith(spelling) or spelling.endswith(word):
        return False
    if min(len(word), len(spelling)) == _SHORT and sorted(word) != sorted(spelling):
        return False  # four letters: only two of them swapped ("axsi")
    return len(word) >= _LONG or word[0] == spelling[0] or sorted(word[:2]) == sorted(spelling[:2])


def _pieces(phrase: str) -> list[str]:
    """The phrase cut at its braces: text, term, text, term ...

    >>> _pieces("{less} right {bbb}")
    ['', 'less', ' right ', 'bbb', '']
    """
    out: list[str] = []
    for part in phrase.split("{"):
        out.extend(part.split("}", 1))
    return out


def _without_umlauts(spelling: str) -> Iterator[str]:
    """What an umlaut turns into on its way through a wrong code page.

    >>> sorted(_without_umlauts("moeglich"))
    ['m#glich', 'moglich']
    """
    if len(spelling) < 4:
        return
    for pair, bare in (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a")):
        if pair in spelling:
            yield spelling.replace(pair, "#")
            if len(spelling) >= 7:
                yield spelling.replace(pair, bare)
    if "ss" in spelling:
        yield spelling.replace("ss", "#")
