"""What an overlay makes of the labels and concepts below it: adds, restates, retires."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from overread.vocab.schema import (
    Codes,
    Concept,
    Examples,
    Implication,
    Label,
    LabelChange,
    Phrase,
)

Owner = TypeVar("Owner", Label, Concept)


def wording(phrase: Phrase) -> str:
    """The text of a phrase, or its pattern where it has no text."""
    return phrase.text or phrase.regex or ""


def phrases_of(owner: Label | Concept) -> list[Phrase]:
    """Every phrase of a label or concept, whatever its role."""
    if isinstance(owner, Concept):
        return owner.phrases
    implied = [phrase for implication in owner.implied_by for phrase in implication.phrases]
    return [*owner.phrases, *implied, *owner.exclusions]


def changed(below: Label, change: LabelChange) -> Label:
    """The label with what an overlay says about it."""
    restated = {wording(each) for implied in change.implied_by for each in implied.phrases}
    return below.model_copy(
        update={
            **{key: getattr(change, key) for key in change.model_fields_set},
            "codes": Codes(
                snomed_ct=_union(below.codes.snomed_ct, change.codes.snomed_ct),
                scp_ecg=_union(below.codes.scp_ecg, change.codes.scp_ecg),
            ),
            "phrases": joined(below.phrases, change.phrases),
            "implied_by": [*_implied_without(below, restated), *change.implied_by],
            "exclusions": joined(below.exclusions, change.exclusions),
            "examples": Examples(
                match=_union(below.examples.match, change.examples.match),
                no_match=_union(below.examples.no_match, change.examples.no_match),
                known_gap=_union(below.examples.known_gap, change.examples.known_gap),
            ),
        }
    )


def without(owner: Owner, gone: Collection[str]) -> Owner:
    """The label or concept without the phrases of these wordings."""
    update: dict[str, object] = {"phrases": _left(owner.phrases, gone)}
    if isinstance(owner, Label):
        update["implied_by"] = _implied_without(owner, gone)
        update["exclusions"] = _left(owner.exclusions, gone)
    return owner.model_copy(update=update)


def _left(phrases: list[Phrase], gone: Collection[str]) -> list[Phrase]:
    return [phrase for phrase in phrases if wording(phrase) not in gone]


def _implied_without(label: Label, gone: Collection[str]) -> list[Implication]:
    left = []
    for implication in label.implied_by:
        phrases = _left(implication.phrases, gone)
        if phrases:
            left.append(implication.model_copy(update={"phrases": phrases}))
    return left


def joined(below: list[Phrase], added: list[Phrase]) -> list[Phrase]:
    """Both lists; a wording that the overlay states again counts as the overlay has it."""
    restated = {wording(phrase) for phrase in added}
    return [*_left(below, restated), *added]


def _union(first: list[str], second: list[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))
