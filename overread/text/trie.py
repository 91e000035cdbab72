"""Wordings as a trie over words: what each stands for, and where they occur in a statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    both: bool = False


@dataclass(frozen=True, slots=True)
class Meaning:
    """All that one wording stands for: a finding, a cue, or how far cues reach."""

    findings: tuple[PhraseRef, ...] = ()
    cues: tuple[Cue, ...] = ()
    inert: bool = False
    contrast: bool = False
    stop: bool = False
    join: bool = False
    alternative: bool = False
    link: bool = False
    filler: bool = False
    relative: bool = False
    earlier: bool = False
    told: Reach | None = None
    origin: bool = False
    agent: bool = False


_NOTHING: Final = Meaning()

#: A wording that occurs at ``keys[first:last]``; a plain tuple, because they are many.
Span = tuple[int, int, Meaning]


class Trie:
    """Wordings by their words. Fillers ("old", "the") may stand between the words of one."""

    def __init__(self, fillers: frozenset[str]) -> None:
        self.fillers = fillers
        self._root: _Node = {}
        self._own: set[int] = set()  # nodes that may be changed: others belong to another trie

    def extended(self) -> Trie:
        """A trie with the same wordings, to enter more into; this one stays as it is."""
        out = Trie(self.fillers)
        out._root = self._root.copy()
        return out

    def enter(
        self, parts: Sequence[Sequence[tuple[str, ...]]], change: Callable[[Meaning], Meaning]
    ) -> None:
        """Changes what every wording of a phrase means, given part by part.

        ``change`` gets what a wording means so far. Wordings that meant the same go on sharing one
        meaning: a phrase may have thousands, and making that many takes longer than all the rest.
        """
        nodes, own = [self._root], self._own
        for part in parts:
            ends = []
            for start in nodes:
                for words in part:
                    node = start
                    for word in words:
                        child = node.get(word)
                        if child is None or id(child) not in own:
                            child = node[word] = {} if child is None else child.copy()
                            own.add(id(child))
                        node = child
                    ends.append(node)
            nodes = ends
        changed: dict[int, Meaning] = {}
        for node in {id(node): node for node in nodes}.values():
            known = node.get(_END, _NOTHING)
            if id(known) not in changed:
                changed[id(known)] = change(known)
            node[_END] = changed[id(known)]

    def find(self, words: Sequence[str]) -> Meaning | None:
        """What exactly these words stand for, or None."""
        node: _Node | None = self._root
        for word in words:
            node = node.get(word) if node is not None else None
        return None if node is None else node.get(_END)

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
