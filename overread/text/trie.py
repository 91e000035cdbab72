"""Wordings as a trie over words: what each stands for, and where they occur in a statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from overread.text.normalize import LINE_BREAK
from overread.vocab.model import PhraseRef
from overread.vocab.schema import Reach, Side

Kind = Literal[
    "negation", "uncertainty", "past", "present", "resemblance", "not_assessable", "replacement"
]
Direction = Literal["forward", "backward", "either", "both"]

#: Marks that join what stands around them, as "and" does.
JOINING: Final = frozenset((",", "/", LINE_BREAK))

_Node = dict[str, Any]
_END: Final = ""  # key of a node under which its Meaning stands; no word is empty
_PAUSES: Final = frozenset((LINE_BREAK, ":"))  # may stand inside a wording: "axis: left"


class Cue(NamedTuple):
    """What a wording does to the findings around it."""

    kind: Kind
    direction: Direction
    reach: Reach
    before: Side | None = None  # replacement only
    after: Side | None = None


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


#: A wording that occurs at ``keys[first:last]``; a plain tuple, because they are many.
Span = tuple[int, int, Meaning]


class Trie:
    """Wordings by their words. Fillers ("old", "the") may stand between the words of one."""

    def __init__(self, fillers: frozenset[str]) -> None:
        self.fillers = fillers
        self._root: _Node = {}

    def meaning(self, words: tuple[str, ...]) -> Meaning:
        """The meaning of a wording, to be filled in; a new wording starts with none."""
        node = self._root
        for word in words:
            node = node.setdefault(word, {})
        meaning: Meaning = node.setdefault(_END, Meaning())
        return meaning

    def opens(self, word: str) -> bool:
        """Whether some wording starts with the word."""
        return word in self._root

    def alone(self, word: str) -> Meaning | None:
        """What the word means by itself."""
        meaning: Meaning | None = self._root.get(word, {}).get(_END)
        return meaning

    def spans(self, keys: Sequence[str]) -> list[Span]:
        """Every wording that occurs, shorter ones of the same start too: a longer one may fall."""
        out: list[Span] = []
        root = self._root
        for first, key in enumerate(keys):
            node: _Node | None = root.get(key)
            position = first + 1
            while node is not None:
                if _END in node:
                    out.append((first, position, node[_END]))
                position, node = self._step(node, keys, position)
        return out

    def joins_at(self, keys: Sequence[str], at: int) -> tuple[int, bool]:
        """How many words at ``at`` join what stands around them, and whether as alternatives."""
        if keys[at] in JOINING:
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

    def _step(self, node: _Node, keys: Sequence[str], position: int) -> tuple[int, _Node | None]:
        """The node after the next word; fillers and line breaks may stand in between."""
        fillers, n = self.fillers, len(keys)
        while position < n:
            key = keys[position]
            child = node.get(key)
            if child is not None:
                return position + 1, child
            aged = key == "," and keys[position - 1] in fillers  # "infarct, old, inferior"
            if not (key in fillers or key in _PAUSES or aged):
                break
            position += 1
        return position, None
