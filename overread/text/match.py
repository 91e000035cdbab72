"""Phrases of the vocabulary found in the words of a statement; the longest one wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, pairwise
from typing import Any, Final, NamedTuple

from overread.text.coordination import Coordination
from overread.text.lexicon import EXACT, Lexicon, Word
from overread.text.trie import Cue, Direction, Kind, Meaning, Trie
from overread.vocab.model import PhraseRef, Vocabulary
from overread.vocab.patterns import compile_pattern

_KINDS: Final[tuple[Kind, ...]] = (
    "negation",
    "uncertainty",
    "past",
    "present",
    "resemblance",
    "not_assessable",
)
_DIRECTIONS: Final[tuple[Direction, ...]] = ("forward", "backward", "either")
_WITH: Final = "with"
_ANY_COMPANY: Final = frozenset[str](), frozenset[str]()
_LONG_CUE: Final = 7  # letters from which a misspelled cue word is repaired

#: What a pattern of the vocabulary sees instead of spaces and quotes of other kinds.
_PLAIN: Final = str.maketrans("\u00a0\u2007\u202f\u2018\u2019\u201c\u201d\n", "   ''\"\" ")


class Hit(NamedTuple):
    """A phrase found at ``words[first:last]``."""

    phrase: PhraseRef
    first: int
    last: int
    score: int
    label: bool  # a phrase of a label, not of a helper concept or an exclusion
    baseline: bool  # of a label that is the normal finding


@dataclass(slots=True)
class Item:
    """A unit of a statement that context is read from: a wording with a meaning, a mark or a word.

    ``alternatives``: the hits are joined by "or". ``tailed``: the wording holds "with", so that
    what follows joins its tail and not its head.
    """

    first: int
    last: int
    text: str
    meaning: Meaning | None = None
    hits: list[Hit] = field(default_factory=list)
    alternatives: bool = False
    tailed: bool = False


#: A wording that may be chosen: first, last, meaning, its hits (None: those of the meaning, looked
#: up when it is chosen), whether they are joined by "or". A plain tuple, because they are many.
_Candidate = tuple[int, int, Meaning, list[Hit] | None, bool]


class Matcher:
    """The phrases and cues of a vocabulary, ready to be found in statements."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.lexicon = Lexicon(vocabulary)
        self._labels = vocabulary.labels
        fillers = vocabulary.context.scope.fillers
        self._trie = Trie(frozenset(word for text in fillers for word in self.lexicon.words(text)))
        self._patterns: list[tuple[Any, Meaning]] = []
        #: By phrase the words that bar it, and those of which the statement needs one.
        self._company: dict[int, tuple[frozenset[str], frozenset[str]]] = {}
        self._parts: dict[int, Sequence[Sequence[tuple[str, ...]]]] = {}
        self._add_phrases(vocabulary.phrases)
        self._add_context(vocabulary)
        self._seal(vocabulary)

    def extended(self, vocabulary: Vocabulary, phrases: Sequence[PhraseRef]) -> Matcher | None:
        """A matcher of a vocabulary that has these phrases more; this one stays as it is.

        None where a hyphen makes it matter which phrase the vocabulary has first.
        """
        out = copy(self)
        out.lexicon, out._trie = self.lexicon.extended(), self._trie.extended()
        out._patterns, out._company = self._patterns.copy(), self._company.copy()
        out._parts = self._parts.copy()
        out._add_phrases(phrases)
        if not out.lexicon.hyphens_agree(self.lexicon):
            return None
        out._seal(vocabulary)
        return out

    def wordings(self, phrase: PhraseRef) -> Sequence[Sequence[tuple[str, ...]]]:
        """The wordings of one of its phrases part by part; a pattern has none."""
        return self._parts.get(id(phrase), ())

    @property
    def sharing_words(self) -> frozenset[str]:
        """The words that may share a head or a modifier: left, right, fibrillation."""
        return self._coordination.members

    def opens(self, word: str) -> bool:
        """Whether some wording starts with the word."""
        return self._trie.opens(word)

    def _seal(self, vocabulary: Vocabulary) -> None:
        """Once every phrase has been added."""
        self._coordination = Coordination(
            self._trie, self.lexicon, vocabulary.share_a_head, vocabulary.share_a_modifier
        )
        self.lexicon.seal()
        for ref in vocabulary.phrases:
            given = ref.phrase.not_with, ref.phrase.only_with
            if any(given):
                bars, needs = (
                    frozenset(word for text in texts for word in self.lexicon.words(text))
                    for texts in given
                )
                self._company[id(ref)] = bars, needs

    def meaning(self, words: Sequence[str]) -> Meaning | None:
        """What exactly these words stand for, or None."""
        return self._trie.find(words)

    def items(self, text: str, words: Sequence[Word]) -> list[Item]:
        """The statement as items in order: findings and cues, then what lies between them."""
        keys = [word.text for word in words]
        written = text if text != text.lower() else None  # all lower case tells no acronym
        candidates: list[_Candidate] = [
            (first, last, meaning, None, False) for first, last, meaning in self._trie.spans(keys)
        ]
        for joined in self._coordination.chains(keys, words):
            shared = [
                hit
                for each in joined.phrases
                for hit in self._hits(each.meaning, each.first, each.last, words)
            ]
            meaning = Meaning(tuple(hit.phrase for hit in shared))
            candidates.append((joined.first, joined.last, meaning, shared, joined.alternatives))
        if self._patterns:
            candidates += self._pattern_candidates(text, words)
        candidates = self._without_straddling(candidates)
        # The longest wording wins; of two as long the first, and a part before the shared whole.
        candidates.sort(key=lambda each: (each[0] - each[1], each[0]))
        held = set(keys)
        taken = bytearray(len(keys))
        chosen: list[_Candidate] = []
        for first, last, meaning, found, alternatives in candidates:
            if any(taken[first:last]):
                continue
            hits: list[Hit] = []
            if meaning.findings:
                found = self._hits(meaning, first, last, words) if found is None else found
                hits = [hit for hit in found if self._counts(hit, written, words, keys, held)]
                if not (hits or meaning.cues or meaning.inert):
                    continue
            taken[first:last] = b"\x01" * (last - first)
            chosen.append((first, last, meaning, hits, alternatives))
        chosen.sort(key=lambda each: each[0])
        return _with_gaps(chosen, keys)

    def _without_straddling(self, candidates: list[_Candidate]) -> list[_Candidate]:
        """The candidates without phrases made of the end of one label's and the start of another's.

        "axis deviation to right" is none in "left axis deviation to right axis deviation".
        """
        found = [each for each in candidates if each[2].findings]
        # They come in the order of their first words, the longest of one first word last.
        if not any(one[0] < other[0] < one[1] for one, other in pairwise(found)):
            return candidates
        named = [
            (first, last)
            for first, last, meaning, *_ in found
            if any(ref.owner in self._labels for ref in meaning.findings)
        ]
        straddling = set[tuple[int, int]]()
        for first, last in named:
            ends = [b for a, b in named if a < first < b < last]
            starts = [a for a, b in named if first < a < last < b]
            if ends and starts and min(ends) <= max(starts):
                straddling.add((first, last))
        return [each for each in candidates if each[:2] not in straddling]

    def _hits(self, meaning: Meaning, first: int, last: int, words: Sequence[Word]) -> list[Hit]:
        # A wording that is an exclusion of its own label counts as that.
        excluded = {ref.owner for ref in meaning.findings if ref.role == "exclusion"}
        score = min(word.score for word in words[first:last])
        out = []
        for ref in meaning.findings:
            if ref.role != "exclusion" and ref.owner in excluded:
                continue
            label = self._labels.get(ref.owner) if ref.role != "exclusion" else None
            baseline = label is not None and label.baseline
            out.append(Hit(ref, first, last, score, label is not None, baseline))
        return out

    def _counts(
        self,
        hit: Hit,
        written: str | None,
        words: Sequence[Word],
        keys: Sequence[str],
        held: Set[str],
    ) -> bool:
        """Whether a phrase counts as it is spelled, beside the words that the statement holds."""
        phrase = hit.phrase.phrase
        if not phrase.fuzzy and hit.score < EXACT:
            return False
        if phrase.acronym and written is not None:
            wording = written[words[hit.first].start : words[hit.last - 1].end]
            if not wording.isupper():
                return False
        if "," in (phrase.text or "") and not self._clause_ends(keys, hit.last):
            return False  # "bundle branch block, right axis deviation"
        bars, needs = self._company.get(id(hit.phrase), _ANY_COMPANY)
        return bars.isdisjoint(held) and not (needs and needs.isdisjoint(held))

    def _clause_ends(self, keys: Sequence[str], at: int) -> bool:
        """Whether no further word of the same noun phrase stands at ``at``, age words left out."""
        while at < len(keys) and keys[at] in self._trie.fillers:
            at += 1
        if at == len(keys) or not keys[at][0].isalnum():
            return True
        meaning = self._trie.alone(keys[at])
        return meaning is not None and not meaning.findings

    def _pattern_candidates(self, text: str, words: Sequence[Word]) -> list[_Candidate]:
        plain = text.translate(_PLAIN)
        # Lower case, unless that changes the length (a few letters become two).
        plain = plain.lower() if len(plain.lower()) == len(plain) else plain
        out: list[_Candidate] = []
        for pattern, meaning in self._patterns:
            for match in pattern.finditer(plain):
                begin, end = match.span()
                inside = [i for i, w in enumerate(words) if w.start < end and w.end > begin]
                if inside:
                    out.append((inside[0], inside[-1] + 1, meaning, None, False))
        return out

    def _add_phrases(self, phrases: Iterable[PhraseRef]) -> None:
        for ref in phrases:
            phrase = ref.phrase
            for text in (*phrase.not_with, *phrase.only_with):
                self.lexicon.learn(self.lexicon.words(text), repairable=False)
            if phrase.regex is not None:
                self._patterns.append((compile_pattern(phrase.regex), Meaning((ref,))))
            if phrase.text is None:
                continue
            parts = self._parts[id(ref)] = self.lexicon.parts(phrase.text)
            self._trie.enter(parts, partial(_with_finding, ref))
            words = chain.from_iterable(chain.from_iterable(parts))
            self.lexicon.learn(words, repairable=phrase.fuzzy and not phrase.acronym)

    def _add_context(self, vocabulary: Vocabulary) -> None:
        cues, scope = vocabulary.context.cues, vocabulary.context.scope
        for kind in _KINDS:
            for direction in _DIRECTIONS:
                for each in getattr(getattr(cues, kind), direction):
                    self._add_cue(each.text, Cue(kind, direction, each.reach or "list"))
        for swap in cues.replacement:
            cue = Cue("replacement", "both", "clause", swap.before, swap.after, swap.both)
            self._add_cue(swap.text, cue)
        for text in (*vocabulary.context.no_reading, *vocabulary.context.unconfirmed):
            for part in self.lexicon.parts(text):
                self.lexicon.learn(chain.from_iterable(part), repairable=False)
        for flag, texts in (
            ("inert", cues.inert),
            ("contrast", scope.contrast),
            ("stop", scope.stop),
            ("join", scope.join),
            ("alternative", scope.alternatives),
            ("link", scope.links),
            ("filler", scope.fillers),
            ("relative", scope.relatives),
            ("earlier", scope.earlier),
            ("origin", scope.origins),
            ("agent", scope.agents),
        ):
            for text in texts:
                self._trie.enter(self._learnt(text), partial(replace, **{flag: True}))
        for told in scope.told:
            change = partial(replace, told=told.reach or "list")
            self._trie.enter(self._learnt(told.text), change)

    def _add_cue(self, text: str, cue: Cue) -> None:
        self._trie.enter(self._learnt(text), lambda known: replace(known, cues=(*known.cues, cue)))

    def _learnt(self, text: str) -> list[list[tuple[str, ...]]]:
        """The parts of a context wording, once the lexicon has their words."""
        parts = self.lexicon.parts(text)
        for word in chain.from_iterable(chain.from_iterable(parts)):
            # Short cue words have too many neighbours among real words.
            self.lexicon.learn((word,), repairable=len(word) >= _LONG_CUE)
        return parts


def _with_finding(phrase: PhraseRef, known: Meaning) -> Meaning:
    """The meaning with one more phrase; another spelling of the same wording adds nothing."""
    if any(each.owner == phrase.owner and each.role == phrase.role for each in known.findings):
        return known
    return replace(known, findings=(*known.findings, phrase))


def _with_gaps(chosen: Iterable[_Candidate], keys: Sequence[str]) -> list[Item]:
    """The chosen wordings as items, with the words and marks between them."""
    out: list[Item] = []
    position = 0
    for first, last, meaning, hits, alternatives in chosen:
        out.extend(Item(i, i + 1, keys[i]) for i in range(position, first))
        tailed = _WITH in keys[first:last]
        out.append(
            Item(first, last, " ".join(keys[first:last]), meaning, hits or [], alternatives, tailed)
        )
        position = last
    out.extend(Item(i, i + 1, keys[i]) for i in range(position, len(keys)))
    return out
