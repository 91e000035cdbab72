"""Phrases of the vocabulary found in the words of a statement; the longest one wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import re2

from overread.text.lexicon import EXACT, Lexicon, Word
from overread.text.normalize import LINE_BREAK
from overread.vocab.model import PhraseRef, Vocabulary
from overread.vocab.schema import Reach

Kind = Literal[
    "negation", "uncertainty", "past", "present", "resemblance", "not_assessable", "replacement"
]
Direction = Literal["forward", "backward", "either", "both"]


class Cue(NamedTuple):
    """What a wording does to the findings around it."""

    kind: Kind
    direction: Direction
    reach: Reach
    text: str
    before: str | None = None  # replacement only
    after: str | None = None


@dataclass(slots=True)
class Meaning:
    """All that one wording stands for: a finding, a cue, or how far cues reach."""

    findings: list[PhraseRef] = field(default_factory=list)
    cues: list[Cue] = field(default_factory=list)
    inert: bool = False
    contrast: bool = False
    stop: bool = False
    join: bool = False
    alternative: bool = False
    link: bool = False
    filler: bool = False


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

    ``alternatives`` is set where the hits of a finding are joined by "or".
    """

    first: int
    last: int
    text: str
    meaning: Meaning | None = None
    hits: list[Hit] = field(default_factory=list)
    alternatives: bool = False
    tailed: bool = False  # the wording holds "with": what follows joins its tail, not its head


_Node = dict[str, Any]
_END = ""  # key of a node under which its Meaning stands; no word is empty
_PAUSES = frozenset((LINE_BREAK, ":"))
WITH = "with"
_JOINING = frozenset((",", "/", LINE_BREAK))
_NOTHING: frozenset[str] = frozenset()


class _Member(NamedTuple):
    """A word of a chain that shares a head, and the places of the qualifiers that it alone has."""

    at: int
    own: list[int]


class Matcher:
    """The phrases and cues of a vocabulary as one trie over words."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.lexicon = Lexicon(vocabulary)
        self._labels = vocabulary.labels
        self._root: _Node = {}
        self._patterns: list[tuple[Any, PhraseRef]] = []
        self._fillers: set[str] = set()
        self._groups: dict[str, set[str]] = {}
        self._heads: set[str] = set()
        self._add_phrases(vocabulary)
        self._add_context(vocabulary)
        for groups in (vocabulary.share_a_head, vocabulary.share_a_modifier):
            for group, members in groups.items():
                for member in members:
                    (word,) = self.lexicon.words(member)
                    self._groups.setdefault(word, set()).add(group)
        self._heads = {
            word
            for members in vocabulary.share_a_modifier.values()
            for member in members
            for word in self.lexicon.words(member)
        }
        self.lexicon.seal()
        self._not_with = {
            id(ref): frozenset(w for text in ref.phrase.not_with for w in self.lexicon.words(text))
            for ref in vocabulary.phrases
            if ref.phrase.not_with
        }

    # -- building ---------------------------------------------------------------------------

    def _meaning(self, words: tuple[str, ...]) -> Meaning:
        node = self._root
        for word in words:
            node = node.setdefault(word, {})
        meaning: Meaning = node.setdefault(_END, Meaning())
        return meaning

    def _add_phrases(self, vocabulary: Vocabulary) -> None:
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = False
        for ref in vocabulary.phrases:
            if ref.phrase.text is None:
                self._patterns.append((re2.compile(ref.phrase.regex, options), ref))
                continue
            for words in self.lexicon.expand(ref.phrase.text):
                known = self._meaning(words).findings
                if not any(each.owner == ref.owner and each.role == ref.role for each in known):
                    known.append(ref)  # another spelling of the same wording adds nothing
                self.lexicon.learn(words, repairable=ref.phrase.fuzzy and not ref.phrase.acronym)

    def _add_context(self, vocabulary: Vocabulary) -> None:
        cues, scope = vocabulary.context.cues, vocabulary.context.scope
        kinds: tuple[Kind, ...] = (
            "negation", "uncertainty", "past", "present", "resemblance", "not_assessable"
        )  # fmt: skip
        directions: tuple[Direction, ...] = ("forward", "backward", "either")
        for kind in kinds:
            for direction in directions:
                for cue in getattr(getattr(cues, kind), direction):
                    found = Cue(kind, direction, cue.reach or "list", cue.text)
                    for meaning in self._context_meanings(cue.text):
                        meaning.cues.append(found)
        for swap in cues.replacement:
            found = Cue("replacement", "both", "clause", swap.text, swap.before, swap.after)
            for meaning in self._context_meanings(swap.text):
                meaning.cues.append(found)
        for text in cues.inert:
            for meaning in self._context_meanings(text):
                meaning.inert = True
        for name, texts in (
            ("contrast", scope.contrast),
            ("stop", scope.stop),
            ("join", scope.join),
            ("alternative", scope.alternatives),
            ("link", scope.links),
            ("filler", scope.fillers),
        ):
            for text in texts:
                for meaning in self._context_meanings(text):
                    setattr(meaning, name, True)
        self._fillers = {
            word for text in scope.fillers for word in self.lexicon.words(text) if " " not in text
        }

    def _context_meanings(self, text: str) -> list[Meaning]:
        out = []
        for words in self.lexicon.expand(text):
            self.lexicon.learn(words, repairable=False)
            out.append(self._meaning(words))
        return out

    # -- matching ---------------------------------------------------------------------------

    def items(self, text: str, words: Sequence[Word]) -> list[Item]:
        """The statement as items in order: findings and cues, then what lies between them."""
        keys = [word.text for word in words]
        spans = self._spans(keys)
        spans += self._shared_heads(keys, words)
        if self._patterns:
            spans += self._pattern_spans(text, words)
        # The longest wording wins; of two as long the first, and a shared head before its part.
        spans.sort(key=lambda span: (span[0] - span[1], span[0]))
        taken = bytearray(len(keys))
        chosen: list[tuple[int, int, Meaning, list[Hit] | None, bool]] = []
        upper = text != text.lower()
        for first, last, meaning, hits, alternatives in spans:
            if any(taken[first:last]):
                continue
            if meaning.findings and not (meaning.cues or meaning.inert):
                hits = hits or [self._hit(ref, first, last, words) for ref in meaning.findings]
                hits = [hit for hit in hits if self._counts(hit, text, words, keys, upper)]
                if not hits:
                    continue
            elif meaning.findings:
                hits = [self._hit(ref, first, last, words) for ref in meaning.findings]
                hits = [hit for hit in hits if self._counts(hit, text, words, keys, upper)]
            taken[first:last] = b"\x01" * (last - first)
            chosen.append((first, last, meaning, hits, alternatives))
        chosen.sort(key=lambda span: span[0])
        out: list[Item] = []
        position = 0
        for first, last, meaning, hits, alternatives in chosen:
            out.extend(Item(i, i + 1, keys[i]) for i in range(position, first))
            tailed = WITH in keys[first:last]
            out.append(Item(first, last, keys[first], meaning, hits or [], alternatives, tailed))
            position = last
        out.extend(Item(i, i + 1, keys[i]) for i in range(position, len(keys)))
        return out

    def _spans(self, keys: Sequence[str]) -> list[tuple[int, int, Meaning, list[Hit] | None, bool]]:
        """Every wording that starts at each word, the longest of each start."""
        out: list[tuple[int, int, Meaning, list[Hit] | None, bool]] = []
        root, n = self._root, len(keys)
        for first in range(n):
            node = root.get(keys[first])
            if node is None:
                continue
            best: tuple[int, Meaning] | None = None
            position = first + 1
            while True:
                if _END in node:
                    if best is not None:
                        # A shorter wording may win where the longer one is taken from it.
                        out.append((first, best[0], best[1], None, False))
                    best = (position, node[_END])
                position, node = self._step(node, keys, position)
                if node is None:
                    break
            if best is not None:
                out.append((first, best[0], best[1], None, False))
        return out

    def _step(self, node: _Node, keys: Sequence[str], position: int) -> tuple[int, _Node | None]:
        """The node after the next word; age words and line breaks may stand in between."""
        n = len(keys)
        while position < n:
            child = node.get(keys[position])
            if child is not None:
                return position + 1, child
            if keys[position] in self._fillers or (
                keys[position] == "," and keys[position - 1] in self._fillers
            ):
                position += 1  # "infarct, old, inferior"
            elif keys[position] in _PAUSES:
                position += 1
            else:
                break
        return position, None

    def _shared_heads(
        self, keys: Sequence[str], words: Sequence[Word]
    ) -> list[tuple[int, int, Meaning, list[Hit] | None, bool]]:
        """ "right and left bundle branch block": each word joined to its fellows is read alone.

        The joined words are taken out but for one, and the phrase that then holds that one word
        counts for it. A word that brings its own qualifier ("old inferior and acute anterior")
        keeps it and leaves the other's.
        """
        groups = self._groups
        if not groups:
            return []
        out: list[tuple[int, int, Meaning, list[Hit] | None, bool]] = []
        position, n = 0, len(keys)
        while position < n:
            chain = self._chain(keys, words, position)
            if chain is None:
                position += 1
                continue
            members, alternatives = chain
            start, stop = members[0].at, members[-1].at + 1
            position = stop
            hits: list[Hit] = []
            first, last = start, stop
            before = list(range(max(0, start - 5), start))
            for member in members:
                left = member.own if member.own and keys[member.at] not in self._heads else before
                order = [*left, member.at, *range(stop, min(n, stop + 8))]
                found = self._longest_with(keys, order, len(left))
                if found is None:
                    continue
                begin, end, meaning = found
                covered = order[begin:end]
                if len(covered) < 2:
                    continue
                lo, hi = min(covered), max(covered) + 1
                first, last = min(first, lo), max(last, hi)
                hits += [self._hit(ref, lo, hi, words) for ref in meaning.findings]
            if len({id(hit.phrase) for hit in hits}) > 1:
                meaning = Meaning(findings=[hit.phrase for hit in hits])
                out.append((first, last, meaning, hits, alternatives))
        return out

    def _chain(
        self, keys: Sequence[str], words: Sequence[Word], position: int
    ) -> tuple[list[_Member], bool] | None:
        """Words of one group joined by "and", "or", a comma or a hyphen, with their qualifiers."""
        shared = self._groups.get(keys[position])
        if shared is None:
            return None
        members, alternatives, n = [_Member(position, [])], False, len(keys)
        here = position + 1
        comma_only = True
        while here < n:
            joined = words[here].hyphen
            step = here
            while step < n:
                width, alternative = self._join_at(keys, step)
                if not width:
                    break
                joined = joined or keys[step] != LINE_BREAK
                comma_only = comma_only and keys[step] in (",", LINE_BREAK)
                alternatives = alternatives or alternative
                step += width
            own = self._own_words(keys, step, shared) if joined else None
            if own is None:
                break
            step += len(own)
            shared = shared & self._groups[keys[step]]
            members.append(_Member(step, own))
            here = step + 1
        if len(members) < 2:
            return None
        hyphen = words[members[1].at].hyphen
        if comma_only and not hyphen and not self._opens_clause(keys, position):
            return None  # "T waves inverted anterior, inferior infarct"
        return members, alternatives

    def _own_words(self, keys: Sequence[str], at: int, shared: set[str]) -> list[int] | None:
        """Qualifiers that stand before the next member ("acute", "incomplete"); None: no member."""
        own: list[int] = []
        while at < len(keys) and len(own) < 3:
            if self._groups.get(keys[at], _NOTHING) & shared:
                if keys[at] in self._heads and any(keys[i] not in self._fillers for i in own):
                    return None  # "anterior ischemia and inferior infarct": each has its own
                return own
            own.append(at)
            at += 1
            known = keys[own[-1]] in self._fillers or keys[own[-1]] in self._root
            if not known or keys[own[-1]] in _JOINING:
                return None
        return None

    def _join_at(self, keys: Sequence[str], at: int) -> tuple[int, bool]:
        """How many words at ``at`` join what stands around them, and whether as alternatives."""
        if keys[at] in _JOINING:
            return 1, False
        node: _Node | None = self._root
        width, alternative, here = 0, False, at
        while node is not None and here < len(keys):
            node = node.get(keys[here])
            here += 1
            meaning = node.get(_END) if node else None
            if meaning is not None and (meaning.join or meaning.alternative):
                width, alternative = here - at, meaning.alternative
        return width, alternative

    def _opens_clause(self, keys: Sequence[str], position: int) -> bool:
        while position and keys[position - 1] in self._fillers:
            position -= 1
        return (
            position == 0
            or keys[position - 1] in ",:;("
            or (self._root.get(keys[position - 1], {}).get(_END) is not None)
        )

    def _longest_with(
        self, keys: Sequence[str], order: Sequence[int], needed: int
    ) -> tuple[int, int, Meaning] | None:
        """The longest phrase in the words at ``order`` that holds the one at ``needed``."""
        virtual = [keys[i] for i in order]
        found = [
            (first, last, meaning)
            for first, last, meaning, _, _ in self._spans(virtual)
            if first <= needed < last and meaning.findings
        ]
        return max(found, key=lambda span: span[1] - span[0], default=None)

    def _pattern_spans(
        self, text: str, words: Sequence[Word]
    ) -> list[tuple[int, int, Meaning, list[Hit] | None, bool]]:
        out: list[tuple[int, int, Meaning, list[Hit] | None, bool]] = []
        for pattern, ref in self._patterns:
            for match in pattern.finditer(text):
                inside = [
                    i
                    for i, w in enumerate(words)
                    if w.start < match.end() and w.end > match.start()
                ]
                if inside:
                    out.append((inside[0], inside[-1] + 1, Meaning(findings=[ref]), None, False))
        return out

    def _hit(self, ref: PhraseRef, first: int, last: int, words: Sequence[Word]) -> Hit:
        score = EXACT
        for word in words[first:last]:
            if word.score < score:
                score = word.score
        label = self._labels.get(ref.owner) if ref.role != "exclusion" else None
        return Hit(ref, first, last, score, label is not None, label is not None and label.baseline)

    def _counts(
        self, hit: Hit, text: str, words: Sequence[Word], keys: Sequence[str], upper: bool
    ) -> bool:
        """Whether an acronym reads as the finding and not as its other meaning."""
        phrase = hit.phrase.phrase
        if not phrase.fuzzy and hit.score < EXACT:
            return False
        if phrase.acronym and upper:
            written = text[words[hit.first].start : words[hit.last - 1].end]
            if not written.isupper():
                return False
        others = self._not_with.get(id(hit.phrase))
        return others is None or others.isdisjoint(keys)
