"""What each finding of a statement asserts: the reach of cues over the items of the statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from overread.text.match import Hit, Item
from overread.text.scope import Assertion, Scope

#: Where several cues reach one finding, the first of these wins; a plain mention is present.
_STRENGTH: dict[Assertion, int] = {
    "described": 6,
    "past": 5,
    "absent": 5,
    "not_assessable": 4,
    "uncertain": 3,
    "present": 2,
}


class Asserted(NamedTuple):
    """One phrase of a statement, what it asserts and the cue that decided so."""

    hit: Hit
    assertion: Assertion
    cue: str | None


def assert_findings(items: Sequence[Item], ends: Sequence[int]) -> list[Asserted]:
    """Every finding of a statement with its assertion.

    ``items`` come from ``Matcher.items``; ``ends`` are the end offsets of the statement's words,
    which tell "AF?" from "? AF".
    """
    findings = [i for i, item in enumerate(items) if item.hits]
    if not findings:
        return []
    verdicts: dict[int, tuple[Assertion, str | None]] = {}
    scope = Scope(items, ends)

    def say(target: int, assertion: Assertion, at: int) -> None:
        standing = verdicts.get(target)
        # "was seen on the previous ECG and persists": the later word of the two decides. Before
        # the finding it is a part of the denial: "no longer any evidence of RVH".
        persists = (
            standing is not None and (standing[0], assertion) == ("past", "present") and target < at
        )
        if standing is None or persists or _STRENGTH[assertion] > _STRENGTH[standing[0]]:
            verdicts[target] = (assertion, items[at].text)

    for at, item in enumerate(items):
        meaning = item.meaning
        if meaning is None:
            continue
        if meaning.alternative:
            for target in scope.alternatives(at):
                say(target, "uncertain", at)
        if meaning.earlier:
            for target in scope.told_of(at):
                say(target, "past", at)
        if meaning.origin:
            for target in scope.left_behind(at):
                say(target, "past", at)
        for cue in meaning.cues:
            for target, assertion in scope.targets(at, cue):
                say(target, assertion, at)
    for at in findings:
        if items[at].alternatives:
            say(at, "uncertain", at)
    for bracket, at in scope.bracketed(findings):
        say(at, "described", bracket)

    out: list[Asserted] = []
    for at in findings:
        for hit in items[at].hits:
            assertion, said = verdicts.get(at, ("present", None))
            if assertion == "present" and hit.phrase.phrase.uncertain:
                assertion, said = "uncertain", items[at].text
            out.append(Asserted(hit, assertion, said))
    return out
