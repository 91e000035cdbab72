"""Words of which only one can be true of a finding: left and right, anterior and inferior.

Wordings that differ in such a word are never near-synonyms, however few letters part them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from overread.text.normalize import fold
from overread.vocab.model import Vocabulary
from overread.vocab.references import TERM

# What the vocabulary lists under share_a_head and share_a_modifier comes on top of these.
_WORDS: Final = (
    (("first", "1st"), ("second", "2nd"), ("third", "3rd")),
    (("complete",), ("incomplete", "partial")),
)
# Parts of German and Swedish compounds too: linksschenkelblock, vorhofflimmern.
_STEMS: Final = (
    (("left", "links", "vaenster"), ("right", "rechts", "hoeger")),
    (("vorhof", "foermak", "atrial", "atrium"), ("kammer", "kammar", "ventri")),
    (("tachy", "taky"), ("brady",)),
    (("flimmer", "fibrill"), ("flatter", "fladder", "flutter")),
    (("vorderwand", "framvaegg"), ("hinterwand",), ("seitenwand",), ("septum",)),
    (("elevation", "hebung", "hoejning"), ("depression", "senkung", "saenkning")),
)
_TURNING_WORDS: Final = (
    "no not non nor without never pseudo except first 1st second 2nd third 3rd incomplete partial"
    " otherwise sonst eljest septal"
)
#: A wording with one of these is never the same finding as one without it.
_TURNING: Final = frozenset(_TURNING_WORDS.split())


class Opposites:
    """What parts two wordings for good, by a vocabulary and by the languages it is written in.

    >>> from overread.vocab.load import load_vocabulary
    >>> opposites = Opposites(load_vocabulary())
    >>> opposites.apart(["linksschenkelblock"], ["rechtsschenkelblock"])
    True
    >>> opposites.apart(["anterior", "infarct"], ["anterior", "infarction"])
    False
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._members: dict[str, set[tuple[str, str]]] = {}
        self._known: dict[str, frozenset[tuple[str, str]]] = {}
        for number, group in enumerate(_WORDS):
            for members in group:
                for word in members:
                    self._members.setdefault(word, set()).add((f"word {number}", members[0]))
        alike = _said_alike(vocabulary)
        for kind in (vocabulary.share_a_head, vocabulary.share_a_modifier):
            for name, texts in kind.items():
                for text in texts:
                    word = fold(text)
                    # "mi" and "infarct" share a modifier, and {infarct} says they are one.
                    first = min([fold(t) for t in texts if (fold(t), word) in alike] or [word])
                    self._members.setdefault(word, set()).add((name, min(first, word)))

    def apart(self, left: Iterable[str], right: Iterable[str]) -> bool:
        """Whether two wordings, given as words, name opposites or one turns the other round."""
        here, there = set(left), set(right)
        here, there = here - there, there - here
        return bool((here | there) & _TURNING) or self.opposed(here, there)

    def opposed(self, left: Iterable[str], right: Iterable[str]) -> bool:
        """Whether a word of one is the opposite of a word of the other."""
        mine = [self._of(word) for word in left]
        theirs = [self._of(word) for word in right]
        return any(_clash(a, b) for a in mine for b in theirs)

    def _of(self, word: str) -> frozenset[tuple[str, str]]:
        """The groups that a word belongs to, each with the member that it is."""
        found = self._known.get(word)
        if found is None:
            groups = set(self._members.get(word, ()))
            for number, group in enumerate(_STEMS):
                for stems in group:
                    if any(stem in word for stem in stems):
                        groups.add((f"stem {number}", stems[0]))
            found = self._known[word] = frozenset(groups)
        return found


def _clash(left: frozenset[tuple[str, str]], right: frozenset[tuple[str, str]]) -> bool:
    groups = {name for name, _ in left} & {name for name, _ in right}
    return any(
        {member for name, member in left if name == group}.isdisjoint(
            {member for name, member in right if name == group}
        )
        for group in groups
    )


def _said_alike(vocabulary: Vocabulary) -> set[tuple[str, str]]:
    """Pairs of words that a term of the labels' own phrases takes for one another."""
    used = {
        name
        for ref in vocabulary.phrases
        if ref.role == "phrase" and ref.owner in vocabulary.labels
        for name in TERM.findall(ref.wording)
    }
    out = set()
    for name in used:
        words = [fold(text) for text in vocabulary.terms[name] if " " not in text]
        out |= {(a, b) for a in words for b in words if a != b}
    return out
