"""What to add to a vocabulary: wordings that it does not know, ranked, each with a label guess.

Ranked by how many ECGs a wording touches, how much more one reader writes it than the other, and
how sure its label is. What is chosen first is taken out of what holds it: once "linkstyp" is on the
list, nothing is left to say about "sinusrhythmus linkstyp".
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from rapidfuzz.distance import OSA

from overread.text.lexicon import Lexicon
from overread.text.match import Matcher
from overread.vocab.model import Role, Vocabulary
from overread.workbench.decisions import key
from overread.workbench.ground import Ground, Touched
from overread.workbench.guess import Guess, Guesser
from overread.workbench.likeness import Words
from overread.workbench.opposites import Opposites
from overread.workbench.otherside import OtherSide
from overread.workbench.residue import JOINS
from overread.workbench.wordings import Wording, shorter, wordings_in

if TYPE_CHECKING:
    from overread.workbench.extraction import Extraction

# What is looked at, and what is shown.
_LEAST: Final = 3  # ECGs that hold a wording
_MOST: Final = 5_000  # wordings, the most frequent first
_POOL: Final = 2  # times as many are ranked as asked for, before the other reader is heard
_EXAMPLES: Final = 5  # statements under a suggestion
_SHOWN_VARIANTS: Final = 12  # spellings under a suggestion

# Which words make one wording. These and those below are chosen by hand; what they bring back of
# phrases that were taken out is measured in tests/workbench/test_real_loop.py.
_PART_OF: Final = 0.7  # so often inside a longer wording, it is only a piece of that
_DRAWN_IN: Final = 0.4  # so sure, a finding draws the unknown word beside it into one wording
_SPELLED_ALIKE: Final = 0.9  # of all letters: one may be a slip of the pen for the other
_SPELLED_FROM: Final = 8  # letters of a wording that may be such a slip
_SLIPS: Final = 40  # times rarer than the one that is spelled alike, it is one

# What an ECG counts where the wording has no label, or its label is read there already.
_NO_LABEL: Final = 0.01  # where an ECG with a sure label counts 1
_NO_LABEL_ALONE: Final = 0.03  # on top, where it is no piece of anything longer
_BOTH_ALIKE: Final = 0.01  # of these, where both readers write it equally often
_NOTHING_NEW: Final = 0.3  # where the label is read from a part of it today

# How sure a label is.
_SURE: Final = 0.5  # from here on a label is as good as known
_STEEP: Final = 1.5  # a label that is half as sure counts less than half
_SAME: Final = 0.92  # so sure, a finding without a label says the same as a label's phrase


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A wording that a vocabulary could be given.

    ``wording`` is the phrase to write, with terms as ``{term}``. ``kind``: a "statement" from end
    to end, a "phrase" in statements, or a "variant": one of several spellings, or of the wordings
    that a term stands for. ``n_machine`` and ``n_expert`` are readings that hold it, ``ecgs`` ECGs.
    ``separation`` is the difference of the two shares of readings over their sum: 1 machine only,
    -1 expert only, None where there is one reader. ``role``, ``uncertain`` and ``unless`` are those
    of the phrase that it is like. ``examples`` are masked statements, the most frequent first.
    """

    wording: str
    kind: Literal["statement", "phrase", "variant"]
    n_machine: int
    n_expert: int
    ecgs: int
    separation: float | None
    label_guess: str | None
    reason: str
    examples: tuple[str, ...]
    role: Role = "phrase"
    uncertain: bool = False
    unless: tuple[str, ...] = ()
    variants: tuple[Suggestion, ...] = ()


@dataclass(slots=True)
class _Group:
    """Wordings that one phrase stands for.

    ``alone`` is the share of its places where a wording is all that stands between two findings,
    ``owners`` are those of the findings in it.
    """

    guess: Guess
    members: list[Wording] = field(default_factory=list)
    alone: float = 0.0
    owners: frozenset[str] = frozenset()

    def worth(self, touched: Touched) -> float:
        """What the readings that hold one of the wordings count together.

        More where one reader writes it more often. What has no label and stands on both sides
        alike, as "compared with" does, says nothing of where the two differ.
        """
        counts = touched.readings * self.weight * (1 + abs(touched.separation or 0.0))
        if self.guess.label is None and touched.separation is not None:
            counts *= max(touched.separation**2, _BOTH_ALIKE)
        return counts

    @property
    def is_piece(self) -> bool:
        """Whether it is one word of something longer: "ms" behind numbers, "mass" of "lv mass"."""
        one_word = all(len(wording.words) == 1 for wording in self.members)
        return self.guess.label is None and one_word and not self.alone

    @property
    def weight(self) -> float:
        """What each ECG that holds one of the wordings counts."""
        guess = self.guess
        unknown = _NO_LABEL if guess.no_label else _NO_LABEL + _NO_LABEL_ALONE * self.alone
        if guess.label is None:
            return unknown
        if _read_already(guess, self.owners):
            return max(_NO_LABEL, _NOTHING_NEW * guess.sure**2)
        # A piece of something longer counts by how much it says the same as a phrase.
        return max(unknown, float(guess.sure**_STEEP) * max(self.alone, guess.sure))


def suggest(
    extraction: Extraction,
    vocabulary: Vocabulary,
    *,
    rejected: Collection[str] = frozenset(),
    limit: int = 100,
    workers: int | None = None,
) -> list[Suggestion]:
    """The best wordings to add to ``vocabulary``, by the statements of an extraction.

    ``rejected`` are wordings in the form of ``decisions.key``; neither they nor what is left of
    them comes back. The statements are read anew: the vocabulary may be another than the one that
    the extraction was made with. The result does not depend on ``workers``.
    """
    ground = Ground(extraction, vocabulary, workers)
    lexicon = Matcher(vocabulary).lexicon
    found = wordings_in(ground.runs, ground.ecgs, least=_LEAST, most=_MOST)
    is_known = _known(vocabulary, lexicon)
    found = [wording for wording in found if not is_known(wording.words)]
    guesser = Guesser(vocabulary, lexicon)
    guesses = {w.words: guesser.guess(w.words, w.owners if w.whole else ()) for w in found}
    groups = _groups(
        _rid_of_pieces(found, guesses, ground, vocabulary.labels), guesses, vocabulary, ground
    )
    # Rejected as a report spells it, or as it was suggested.
    read = {" ".join(lexicon.words(wording)) for wording in rejected}
    groups = _without(groups, {*rejected, *read}, ground)
    # The sure ones first: what they speak for parts the unknown words around it.
    ranked = _ranked([g for g in groups if g.guess.sure >= _SURE], ground, _POOL * limit)
    others = [group for group in groups if group.guess.sure < _SURE]
    for group in others:
        group.alone = max(map(ground.alone, group.members))
    others = [group for group in others if not group.is_piece]
    ranked += _ranked(others, ground, _POOL * limit)
    ranked = _with_other_side(ranked, ground, OtherSide(extraction))
    heads = _clustered([group for group, _ in ranked], guesser.opposites)[:limit]
    return [_suggestion(head, others, ground, lexicon) for head, others in heads]


def _known(vocabulary: Vocabulary, lexicon: Lexicon) -> Callable[[Words], bool]:
    """Whether words say how a report speaks, and nothing of the heart.

    They are a piece of what opens a part of a report or says what kind of text it is, alone or
    with what terms of ``context.yaml`` stand for: "compared with prior ecg".
    """
    context = vocabulary.context
    texts = [*context.no_reading, *context.unconfirmed]
    texts += [opening.rstrip(":") for segment in context.segments for opening in segment.opens]
    out: set[Words] = set()
    for text in texts:
        for words in lexicon.expand(text):
            for first in range(len(words)):
                out.update(words[first:last] for last in range(first + 1, len(words) + 1))
    around = {
        word for texts in context.terms.values() for text in texts for word in lexicon.words(text)
    }
    return lambda words: any(
        words[:end] in out and around.issuperset(words[end:]) for end in range(1, len(words) + 1)
    )


def _rid_of_pieces(
    found: list[Wording], guesses: dict[Words, Guess], ground: Ground, labels: Collection[str]
) -> list[Wording]:
    """The wordings that are one thing: no pieces of one, and no two things side by side.

    A piece is nearly always part of one longer wording; it stays where its own label is surer, and
    where a label's finding only goes on into it. Two things are a label and a stranger beside it
    that makes the label less sure.
    """
    often = {wording.words: wording.ecgs for wording in found if not wording.whole}
    gone: set[Words] = set()
    for wording in found:
        if wording.whole:
            continue
        guess = guesses[wording.words]
        drawn_in = _drawn_in(guess, wording.owners)
        pieces: set[Words] = set()
        for words, end in shorter(ground.runs[wording.spots[0][0]], wording.spots[0]):
            if words not in often:
                continue
            piece = guesses[words]
            if wording.ecgs >= _PART_OF * often[words]:
                told_already = not drawn_in and _labels_of(end.owners, labels)
                if guess.sure >= piece.sure and not told_already:
                    pieces.add(words)
            elif guess.label == piece.label and not drawn_in and guess.sure < piece.sure:
                pieces = {wording.words}
                break
        gone |= pieces
    return [wording for wording in found if wording.whole or wording.words not in gone]


def _groups(
    found: list[Wording], guesses: dict[Words, Guess], vocabulary: Vocabulary, ground: Ground
) -> list[_Group]:
    groups: dict[tuple[str | None, str], _Group] = {}
    for wording in found:
        guess = guesses[wording.words]
        read_as = _labels_of(wording.owners, vocabulary.labels)
        if wording.mended and wording.owners:
            if not read_as:
                continue  # a finding without a label, misspelled
            reason = f"a spelling that is mended to a phrase of {read_as[0]} today"
            guess = Guess(read_as[0], 1.0, reason, " ".join(wording.words))
        elif wording.whole and wording.owners and guess.sure < _SAME and guess.role != "implied":
            continue  # a finding that has no label, and ought to have none
        elif _read_already(guess, wording.owners) and not _drawn_in(guess, wording.owners):
            continue  # a finding and a stranger beside it
        group = groups.setdefault((guess.label, guess.wording), _Group(guess))
        group.members.append(wording)
        group.alone = max(group.alone, ground.alone(wording))
        group.owners |= wording.owners
    return list(groups.values())


def _read_already(guess: Guess, owners: frozenset[str]) -> bool:
    """Whether a known finding in the wording gives the label that is guessed."""
    return guess.label is not None and guess.label + "?" * guess.uncertain in owners


def _drawn_in(guess: Guess, owners: frozenset[str]) -> bool:
    """Whether a finding and the unknown words beside it are one thing: "with" parts them, a slash
    makes them one."""
    if "/" in guess.wording:
        return True
    return guess.sure >= _DRAWN_IN and owners.isdisjoint(JOINS)


def _labels_of(owners: frozenset[str], labels: Collection[str]) -> list[str]:
    return sorted(name for name in (owner.rstrip("?") for owner in owners) if name in labels)


def _ranked(groups: list[_Group], ground: Ground, most: int) -> list[tuple[_Group, Touched]]:
    """The groups that count most, each after what those before it left, with what they touch."""
    heap = [(-g.worth(ground.touched(g.members)), g.guess.wording, n) for n, g in enumerate(groups)]
    heapq.heapify(heap)
    out: list[tuple[_Group, Touched]] = []
    while heap and len(out) < most:
        _, wording, number = heapq.heappop(heap)
        group = groups[number]
        touched = ground.touched(group.members)
        if not touched.readings:
            continue
        worth = group.worth(touched)
        if heap and -worth > heap[0][0]:
            heapq.heappush(heap, (-worth, wording, number))
            continue
        ground.take(group.members)
        out.append((group, touched))
    return out


def _with_other_side(
    ranked: list[tuple[_Group, Touched]], ground: Ground, other: OtherSide
) -> list[tuple[_Group, Touched]]:
    """Ranked again, now that it is known what the other reader says of the same ECGs."""
    for group, _ in ranked:
        said = other.says(ground.readings(group.members))
        if said is None:
            continue
        told = f"where this reader lacks it, the other states {said.label} in {said.k} of {said.n}"
        if said.label == group.guess.label:
            sure = max(said.sure, group.guess.sure)
            reason = f"{group.guess.reason}; {told}"
            group.guess = group.guess._replace(sure=sure, reason=reason)
        elif said.sure > group.guess.sure:
            group.guess = Guess(said.label, said.sure, told, " ".join(group.members[0].words))
    return sorted(ranked, key=lambda each: (-each[0].worth(each[1]), each[0].guess.wording))


def _clustered(groups: list[_Group], opposites: Opposites) -> list[tuple[_Group, list[_Group]]]:
    """Groups of the same label that are spelled nearly alike, under the first of them."""
    heads: list[tuple[_Group, list[_Group]]] = []
    for group in groups:
        for head, others in heads:
            if _slip_of(head, group, opposites):
                others.append(group)
                break
        else:
            heads.append((group, []))
    return heads


def _slip_of(head: _Group, other: _Group, opposites: Opposites) -> bool:
    """Whether a rare wording is a slip of the pen for a frequent one."""
    often, seldom = (sum(wording.ecgs for wording in each.members) for each in (head, other))
    texts = head.guess.wording, other.guess.wording
    return (
        head.guess.label == other.guess.label
        and seldom * _SLIPS <= often
        and min(map(len, texts)) >= _SPELLED_FROM
        and bool(OSA.normalized_similarity(*texts, score_cutoff=_SPELLED_ALIKE))
        and not opposites.apart(*(text.split() for text in texts))
    )


def _without(groups: list[_Group], rejected: Collection[str], ground: Ground) -> list[_Group]:
    """The groups without what a reader rejected, which is spoken for."""
    out = []
    for group in groups:
        all_of_it = key(group.guess.wording) in rejected
        gone = [w for w in group.members if all_of_it or key(" ".join(w.words)) in rejected]
        ground.take(gone)
        group.members = [wording for wording in group.members if wording not in gone]
        if group.members:
            out.append(group)
    return out


def _suggestion(
    group: _Group, others: Sequence[_Group], ground: Ground, lexicon: Lexicon
) -> Suggestion:
    """A group as it is shown, with its wordings and those spelled alike as variants."""
    head = _shown(group.guess, group.guess.wording, group.members, ground, lexicon)
    below = [
        (" ".join(wording.words), each.guess, [wording])
        for each in (group, *others)
        for wording in sorted(each.members, key=lambda w: (-w.ecgs, w.words))
        if " ".join(wording.words) != head.wording
    ]
    variants = tuple(
        replace(_shown(guess, text, members, ground, lexicon), kind="variant")
        for text, guess, members in below[:_SHOWN_VARIANTS]
    )
    return replace(head, variants=variants)


def _shown(
    guess: Guess, text: str, members: Sequence[Wording], ground: Ground, lexicon: Lexicon
) -> Suggestion:
    examples = ground.examples(members, _EXAMPLES)
    readings = ground.readings(members)
    n_expert = int((readings % 2).sum())
    n_machine = len(readings) - n_expert
    words = tuple(w.text for w in lexicon.read(examples[0]) if w.text[0].isalnum())
    kind: Literal["statement", "phrase", "variant"] = "phrase"
    if any(wording.mended for wording in members):
        kind = "variant"
    elif any(wording.words == words for wording in members):
        kind = "statement"
    return Suggestion(
        text,
        kind,
        n_machine,
        n_expert,
        len(np.unique(readings // 2)),
        ground.separation(n_machine, n_expert),
        guess.label,
        guess.reason,
        examples,
        guess.role,
        guess.uncertain,
        guess.unless,
    )
