"""How alike a wording is to each phrase of a vocabulary: near-synonyms, whatever their order.

Words count by how few labels and concepts use them. Compounds are taken apart by the words that
the vocabulary knows ("linksschenkelblock": left, schenkelblock), and the terms of the vocabulary
make their wordings one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from rapidfuzz import fuzz, process

from overread.text.lexicon import Lexicon
from overread.vocab.model import PhraseRef, Vocabulary
from overread.vocab.references import TERM
from overread.workbench.opposites import Opposites

_SMALL_WORDS: Final = (
    "of in the for a an on at by is to with be this that these it as was were has from due"
    " i av vid und och fuer foer ueber oever bei mit med der die das des dem den ein eine en"
    " ett som"
)
#: Words without a meaning of their own.
SMALL: Final = frozenset(_SMALL_WORDS.split())
_SMALL_WEIGHT: Final = 0.2
_EXTRA: Final = 0.3  # a word that every owner uses still counts a little
_WRITTEN_ALIKE: Final = 82  # per cent of two unlike spellings of a word
_REPAIRED_FROM: Final = 5  # letters of a word that is compared by spelling
_PART: Final = 3  # letters of a part of a compound
#: Words before which a compound may be cut though its other part is not known ("linkslage").
_SIDES: Final = ("links", "rechts", "vaenster", "hoeger")

Words = tuple[str, ...]


class Hint(NamedTuple):
    """A wording that stands for an owner; ``trust`` is 1 for its phrases, less for other texts."""

    owner: str
    wording: str
    trust: float
    kind: Literal["phrase", "initials", "name", "description", "example"]
    phrase: PhraseRef | None = None  # of kinds "phrase" and "initials"


class Like(NamedTuple):
    """A hint and how alike a wording is to it: 1 for the same words in any order."""

    hint: Hint
    score: float


class Likeness:
    """The wordings of a vocabulary, ready to be compared with others."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        lexicon: Lexicon,
        opposites: Opposites,
        hints: Iterable[Hint],
    ) -> None:
        self._lexicon = lexicon
        self._opposites = opposites
        self._spelled = {s: word for word, all in lexicon.spellings().items() for s in all}
        self._morphemes = self._known_words(vocabulary)
        self._cut: dict[str, Words] = {}
        self._wordings = {
            f"{{{name}}}": {self.cut(lexicon.words(text)) for text in texts}
            for name, texts in vocabulary.terms.items()
        }
        self._terms: dict[Words, list[str]] = defaultdict(list)
        for term, wordings in self._wordings.items():
            for words in wordings:
                self._terms[words].append(term)
        self._longest = max(map(len, self._terms), default=1)
        self._hints = [(hint, self._elements(hint.wording)) for hint in hints]
        # "marked", "anterolateral" in a description are no finding; "Linkstyp" is two words in one.
        self._hints = [
            (hint, elements)
            for hint, elements in self._hints
            if elements and (hint.kind != "description" or len(elements) > 1)
        ]
        self._weights = self._information()
        self._dearest = math.log(len({hint.owner for hint, _ in self._hints})) + _EXTRA
        self._holding: dict[str, list[int]] = defaultdict(list)
        for number, (_, elements) in enumerate(self._hints):
            for element in set(elements):
                if self._weights[element] > _SMALL_WEIGHT:
                    self._holding[element].append(number)
        self._known = sorted(self._weights)
        self._near: dict[str, tuple[str, float]] = {}

    def like(self, words: Sequence[str], least: float) -> list[Like]:
        """The hints that a wording is at least so much alike to, the most alike first."""
        own = self.cut(words)
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        alike: dict[str, float] = {}
        for at, word in enumerate(own):
            near, score = self._nearest(word)
            found[near].append((at, at + 1))
            alike[near] = max(score, alike.get(near, 0.0))
            for end in range(at + 1, min(len(own), at + self._longest) + 1):
                for term in self._terms.get(own[at:end], ()):
                    found[term].append((at, end))
                    alike[term] = 1.0
        total = sum(map(self._weight, own))
        out = []
        for number in self._near_enough(found, own, total, least):
            hint, elements = self._hints[number]
            score, left, missing = self._score(own, total, found, alike, elements)
            score *= hint.trust
            if score < least or self._opposites.apart(left, missing):
                continue
            # "posterior infarct in anterior leads" is none of the anterior wall, and which of two
            # opposites is meant only the whole says: "anterior infarct with posterior extension".
            both = set(own) - left
            rest = left | both if missing - SMALL else left
            if not self._opposites.opposed(rest, both):
                out.append(Like(hint, score))
        return sorted(out, key=lambda each: (-each.score, each.hint.owner, each.hint.wording))

    def cut(self, words: Iterable[str]) -> Words:
        """The words with compounds taken apart: "linksschenkelblock" is "left schenkelblock"."""
        return tuple(part for word in words for part in self._parts(word))

    def _near_enough(
        self, found: dict[str, list[tuple[int, int]]], own: Words, total: float, least: float
    ) -> list[int]:
        """The hints that could be so much alike, by the weight of what they share at most."""
        shared: dict[int, float] = defaultdict(float)
        for element, spans in found.items():
            weight = max(sum(map(self._weight, own[first:last])) for first, last in spans)
            for number in self._holding.get(element, ()):
                shared[number] += weight
        # What a hint shares it has itself; the rest of it can only part the two further.
        return [
            number
            for number, weight in shared.items()
            if 2 * min(weight, total) >= least * (total + min(weight, total))
        ]

    def _score(
        self,
        own: Words,
        total: float,
        found: dict[str, list[tuple[int, int]]],
        alike: dict[str, float],
        elements: Words,
    ) -> tuple[float, set[str], set[str]]:
        """Shared weight over all weight of both sides (Dice), and what either has alone."""
        taken = [False] * len(own)
        shared = theirs = 0.0
        missing: set[str] = set()
        for element in elements:
            free = [s for s in found.get(element, ()) if not any(taken[s[0] : s[1]])]
            if not free:
                theirs += self._weights[element]
                missing |= self._words_of(element)
                continue
            first, last = max(free, key=lambda span: span[1] - span[0])
            weight = sum(map(self._weight, own[first:last]))
            taken[first:last] = [True] * (last - first)
            shared += alike[element] * weight
            theirs += weight
        left = {word for word, is_taken in zip(own, taken, strict=True) if not is_taken}
        return 2 * shared / (theirs + total), left, missing

    def _words_of(self, element: str) -> set[str]:
        if element[0] != "{":
            return {element}
        return {word for words in self._wordings[element] for word in words}

    def _elements(self, wording: str) -> Words:
        out: list[str] = []
        for number, piece in enumerate(TERM.split(wording)):
            if number % 2:
                out.append(f"{{{piece}}}")
            else:
                out += [word for word in self.cut(self._lexicon.words(piece)) if word[0].isalnum()]
        return tuple(sorted(out, key=lambda each: each[0] != "{"))  # terms are looked for first

    def _information(self) -> dict[str, float]:
        """Weight of every element: the logarithm of how few owners use it."""
        owners: dict[str, set[str]] = defaultdict(set)
        for hint, elements in self._hints:
            for element in elements:
                for each in {element, *self._words_of(element)}:
                    owners[each].add(hint.owner)
        all = len({hint.owner for hint, _ in self._hints})
        weights = {each: math.log(all / len(users)) + _EXTRA for each, users in owners.items()}
        return weights | dict.fromkeys(SMALL, _SMALL_WEIGHT)

    def _weight(self, word: str) -> float:
        return self._weights.get(word, self._dearest)

    def _nearest(self, word: str) -> tuple[str, float]:
        """The word itself, or the known one that it is written like, and how much."""
        if word in self._weights or len(word) < _REPAIRED_FROM:
            return word, 1.0
        found = self._near.get(word)
        if found is None:
            found = word, 1.0
            for other, score, _ in process.extract(
                word, self._known, scorer=fuzz.ratio, score_cutoff=_WRITTEN_ALIKE, limit=3
            ):
                if other[0] == word[0] and not self._opposites.apart((word,), (other,)):
                    found = other, score / 100
                    break
            self._near[word] = found
        return found

    def _known_words(self, vocabulary: Vocabulary) -> frozenset[str]:
        texts = [text for texts in vocabulary.terms.values() for text in texts]
        for ref in vocabulary.phrases:
            texts += TERM.split(ref.phrase.text or "")[::2]
        known = {word for text in texts for word in self._lexicon.words(text)}
        known |= self._spelled.keys() | set(self._spelled.values())
        return frozenset(word for word in known if len(word) >= _PART and word.isalpha())

    def _parts(self, word: str) -> Words:
        parts = self._cut.get(word)
        if parts is None:
            cut = self._cover(word)
            if len(cut) < 2:
                side = next((s for s in _SIDES if word.startswith(s)), "")
                cut = (
                    [side, word[len(side) :]] if len(word) - len(side) >= _PART and side else [word]
                )
            parts = self._cut[word] = tuple(self._spelled.get(part, part) for part in cut)
        return parts

    def _cover(self, word: str) -> list[str]:
        """A compound as the fewest known words in a row; empty where it is none."""
        best: list[list[str] | None] = [[]] + [None] * len(word)
        for end in range(_PART, len(word) + 1):
            for start in range(max(0, end - 20), end - _PART + 1):
                before = best[start]
                if before is None or word[start:end] not in self._morphemes:
                    continue
                if end - start < len(word) and len(before) + 1 < len(best[end] or word):
                    best[end] = [*before, word[start:end]]
        return best[-1] or []
