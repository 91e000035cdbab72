"""Words that share a head or a modifier: "right and left bundle branch block"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from overread.text.lexicon import Lexicon, Word
from overread.text.normalize import LINE_BREAK
from overread.text.trie import JOINING, Meaning, Trie

_NOTHING: frozenset[str] = frozenset()
_BEFORE, _AFTER = 5, 8  # words around a chain that its members may share
_QUALIFIERS = 2  # words that one member may have to itself: "incomplete", "acute"


class SharedPhrase(NamedTuple):
    """A phrase that one member of a chain makes with the words that all share."""

    meaning: Meaning
    first: int
    last: int


class Chain(NamedTuple):
    """All phrases of the joined words, which together stand at ``keys[first:last]``."""

    first: int
    last: int
    phrases: list[SharedPhrase]
    alternatives: bool  # joined by "or"


class _Member(NamedTuple):
    """A word of a chain, and the places of the qualifiers that it alone has."""

    at: int
    own: list[int]


class Coordination:
    """Reads each of several joined words with the words that they share.

    The joined words are taken out but for one, and the phrase that then holds that one counts for
    it. A word that brings its own qualifier ("complete left and incomplete right bundle branch
    block") keeps it and leaves the other's. Which words may be joined stands in the vocabulary:
    ``share_a_head`` (left, right) and ``share_a_modifier`` (fibrillation, flutter).
    """

    def __init__(
        self,
        trie: Trie,
        lexicon: Lexicon,
        share_a_head: Mapping[str, Sequence[str]],
        share_a_modifier: Mapping[str, Sequence[str]],
    ) -> None:
        self._trie = trie
        self._groups: dict[str, set[str]] = {}
        self._heads: set[str] = set()
        for groups in (share_a_head, share_a_modifier):
            for group, members in groups.items():
                words = [word for member in members for word in lexicon.words(member)]
                for word in words:
                    self._groups.setdefault(word, set()).add(group)
                if groups is share_a_modifier:
                    self._heads.update(words)

    @property
    def members(self) -> frozenset[str]:
        """All words that may be joined."""
        return frozenset(self._groups)

    def chains(self, keys: Sequence[str], words: Sequence[Word]) -> list[Chain]:
        """The chains of a statement in which at least two members make a phrase."""
        out: list[Chain] = []
        position = 0
        while position < len(keys):
            shared = self._groups.get(keys[position])
            found = self._chain(keys, words, position, shared) if shared else None
            if found is None:
                position += 1
                continue
            members, alternatives = found
            position = members[-1].at + 1
            phrases = self._phrases(keys, members)
            if len({id(ref) for each in phrases for ref in each.meaning.findings}) > 1:
                first = min(members[0].at, *(each.first for each in phrases))
                last = max(position, *(each.last for each in phrases))
                out.append(Chain(first, last, phrases, alternatives))
        return out

    def _phrases(self, keys: Sequence[str], members: Sequence[_Member]) -> list[SharedPhrase]:
        start, stop = members[0].at, members[-1].at + 1
        before = list(range(max(0, start - _BEFORE), start))
        after = range(stop, min(len(keys), stop + _AFTER))
        out: list[SharedPhrase] = []
        for member in members:
            left = member.own if member.own and keys[member.at] not in self._heads else before
            order = [*left, member.at, *after]
            spans = [
                (last - first, first, last, meaning)
                for first, last, meaning in self._trie.spans([keys[i] for i in order])
                if first <= len(left) < last and last - first > 1 and meaning.findings
            ]
            if spans:
                _, first, last, meaning = max(spans, key=lambda span: span[0])
                covered = order[first:last]
                out.append(SharedPhrase(meaning, min(covered), max(covered) + 1))
        return out

    def _chain(
        self, keys: Sequence[str], words: Sequence[Word], position: int, shared: set[str]
    ) -> tuple[list[_Member], bool] | None:
        """Words of one group joined by "and", "or", a comma or a hyphen, with their qualifiers."""
        members, alternatives, comma_only = [_Member(position, [])], False, True
        here, n = position + 1, len(keys)
        while here < n:
            joined = words[here].hyphen
            step = here
            while step < n:
                width, alternative = self._trie.joins_at(keys, step)
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
        if comma_only and not words[members[1].at].hyphen and not self._opens(keys, position):
            return None  # "T waves inverted anterior, inferior infarct"
        return members, alternatives

    def _own_words(self, keys: Sequence[str], at: int, shared: set[str]) -> list[int] | None:
        """Qualifiers before the next member ("acute", "incomplete"); None where none follows."""
        fillers = self._trie.fillers
        own: list[int] = []
        while at < len(keys):
            key = keys[at]
            if self._groups.get(key, _NOTHING) & shared:
                if key in self._heads and any(keys[i] not in fillers for i in own):
                    return None  # "anterior ischemia and inferior infarct": each has its own
                return own
            if len(own) == _QUALIFIERS or key in JOINING:
                return None
            if key not in fillers and not self._trie.opens(key):
                return None
            own.append(at)
            at += 1
        return None

    def _opens(self, keys: Sequence[str], position: int) -> bool:
        """Whether a clause starts here, age words left out."""
        while position and keys[position - 1] in self._trie.fillers:
            position -= 1
        return (
            position == 0
            or keys[position - 1] in ",:;("
            or self._trie.alone(keys[position - 1]) is not None
        )
