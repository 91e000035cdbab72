"""What each finding of a statement asserts: the reach of cues over the items of the statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from overread.text.match import Hit, Item
from overread.text.normalize import LINE_BREAK
from overread.text.trie import Cue

Assertion = Literal["present", "uncertain", "absent", "past", "not_assessable", "described"]

#: Where several cues reach one finding, the first of these wins; a plain mention is present.
_STRENGTH: dict[Assertion, int] = {
    "described": 6,
    "past": 5,
    "absent": 5,
    "not_assessable": 4,
    "uncertain": 3,
    "present": 2,
}
_ASSERTS: dict[str, Assertion] = {
    "negation": "absent",
    "uncertainty": "uncertain",
    "past": "past",
    "present": "present",
    "resemblance": "described",
    "not_assessable": "not_assessable",
}
_ENDS = ";="  # marks that end every reach
_FAR = 4  # words between a finding and a cue after it; beyond, the cue speaks of those words


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
    scope = _Scope(items, ends)

    def say(target: int, assertion: Assertion, cue: str | None) -> None:
        standing = verdicts.get(target)
        # "was seen on the previous ECG and persists": the later word of the two decides.
        persists = standing is not None and (standing[0], assertion) == ("past", "present")
        if standing is None or persists or _STRENGTH[assertion] > _STRENGTH[standing[0]]:
            verdicts[target] = (assertion, cue)

    for at, item in enumerate(items):
        meaning = item.meaning
        if meaning is None:
            continue
        if meaning.alternative:
            for target in scope.alternatives(at):
                say(target, "uncertain", item.text)
        for cue in meaning.cues:
            for target, assertion in scope.targets(at, cue):
                say(target, assertion, item.text)
    for at in findings:
        if items[at].alternatives:
            say(at, "uncertain", "or")
    for at in scope.bracketed(findings):
        say(at, "described", "[")

    out: list[Asserted] = []
    for at in findings:
        for hit in items[at].hits:
            assertion, said = verdicts.get(at, ("present", None))
            if assertion == "present" and hit.phrase.phrase.uncertain:
                assertion, said = "uncertain", items[at].text
            out.append(Asserted(hit, assertion, said))
    return out


class _Scope:
    """Which findings a cue reaches. Rules: LABELS, "What a mention asserts"."""

    def __init__(self, items: Sequence[Item], ends: Sequence[int]) -> None:
        self._items = items
        self._ends = ends

    def targets(self, at: int, cue: Cue) -> list[tuple[int, Assertion]]:
        """Findings that the cue at item ``at`` decides on, with what it says of them."""
        if cue.kind == "replacement":
            return self._swap(at, cue)
        if cue.kind == "uncertainty" and self._hedges_age(at):
            return []
        if cue.direction == "forward":
            found = self._forward(at, cue)
        elif cue.direction == "backward" or self._touches(at):
            found = self._backward(at, cue)
        elif self._finding_follows(at) and not self._closes_label(at):
            found = self._forward(at, cue)
        elif self._word_follows(at):
            found = self._forward(at, cue)  # "possible aneurysm": it speaks of words that follow
        else:
            found = self._backward(at, cue) or self._forward(at, cue)
        assertion = _ASSERTS[cue.kind]
        return [(target, assertion) for target in found]

    def _swap(self, at: int, cue: Cue) -> list[tuple[int, Assertion]]:
        """ "X has replaced Y": both sides."""
        before, after = self._backward(at, cue), self._forward(at, cue)
        out: list[tuple[int, Assertion]] = []
        if cue.before is not None:
            out += [(target, cue.before) for target in before]
        if cue.after is not None:
            out += [(target, cue.after) for target in after]
        return out

    def alternatives(self, at: int) -> list[int]:
        """The two findings that "or" stands right between."""
        before = self._neighbour(at, -1)
        after = self._neighbour(at, 1)
        if before is None or after is None or self._items[before].tailed:
            return []
        return [before, after]

    def bracketed(self, findings: Sequence[int]) -> list[int]:
        """Findings inside square brackets: a list of criteria, not a reading."""
        depth, inside = 0, set[int]()
        for i, item in enumerate(self._items):
            if item.meaning is None and item.text == "[":
                depth += 1
            elif item.meaning is None and item.text == "]":
                depth = max(0, depth - 1)
            elif depth:
                inside.add(i)
        return [i for i in findings if i in inside]

    def _neighbour(self, at: int, step: int) -> int | None:
        """The finding right beside an item, age words left out."""
        here = at + step
        while 0 <= here < len(self._items):
            item = self._items[here]
            if item.hits:
                return here
            meaning = item.meaning
            if meaning is None:
                if item.text != LINE_BREAK:
                    return None
            elif not (meaning.filler or meaning.inert or meaning.cues):
                return None
            here += step
        return None

    def _hedges_age(self, at: int) -> bool:
        """ "possible acute" at the end hedges the age: no finding follows the age words."""
        here, aged = at + 1, False
        while here < len(self._items):
            item = self._items[here]
            if item.hits:
                return False
            if item.meaning is None or not item.meaning.filler:
                break
            aged = True
            here += 1
        if not aged:
            return False
        return not self._finding_follows(here - 1)

    def _touches(self, at: int) -> bool:
        """ "AF?" or "? AF": a question mark belongs to the finding that it touches."""
        items = self._items
        return (
            items[at].text == "?"
            and at > 0
            and bool(items[at - 1].hits)
            and self._ends[items[at - 1].last - 1] == self._ends[items[at].first] - 1
        )

    def _finding_follows(self, at: int) -> bool:
        """Whether a finding comes next, with nothing but a few plain words before it."""
        items = self._items
        words = 0
        for item in items[at + 1 :]:
            if item.hits:
                return True
            meaning = item.meaning
            if meaning is None:
                if not item.text[0].isalnum():
                    return False
                words += 1
                if words > _FAR:
                    return False
            elif meaning.contrast or meaning.stop or meaning.join or meaning.alternative:
                return False
        return False

    def _closes_label(self, at: int) -> bool:
        """ "LVH wahrscheinlich Grenzbefund": right after a label, no label next: it looks back."""
        before = self._items[at - 1] if at else None
        if before is None or not before.hits or self._helper(at - 1):
            return False
        following = next((i for i in range(at + 1, len(self._items)) if self._items[i].hits), None)
        return following is None or self._helper(following)

    def _word_follows(self, at: int) -> bool:
        """Whether the cue has words of its own behind it that are no finding."""
        if at + 1 == len(self._items):
            return False
        following = self._items[at + 1]
        meaning = following.meaning
        if meaning is None:
            return following.text[0].isalnum()
        return (meaning.filler or meaning.link) and not meaning.cues

    def _forward(self, at: int, cue: Cue) -> list[int]:
        items, negates = self._items, cue.kind == "negation"
        taken: list[int] = []
        joined = comma = False
        words = depth = 0
        for here in range(at + 1, len(items)):
            item = items[here]
            meaning = item.meaning
            if item.hits:
                if cue.reach == "clause":
                    taken.append(here)
                    continue
                if taken and not joined:
                    series = cue.reach == "series" and self._runs_on(taken, here)
                    if not (comma and (series or self._closes(here))):
                        break
                elif comma and not taken and (words == 0 or not self._closes(here)):
                    break
                taken.append(here)
                if cue.reach == "next":
                    break
                joined = comma = False
                words = 0
                continue
            if meaning is None:
                mark = item.text
                if mark == ",":
                    comma = True
                elif mark in "([":
                    depth += 1
                elif mark in ")]":
                    depth -= 1
                    if depth < 0:
                        break
                elif mark == LINE_BREAK:
                    if (taken or words) and not joined:
                        break
                elif mark in _ENDS:
                    break
                elif mark[0].isalnum():
                    words += 1
                continue
            if meaning.contrast or (meaning.stop and not meaning.link and cue.reach != "clause"):
                break
            if meaning.join or meaning.alternative:
                joined = True
                continue
            if meaning.link and taken and negates:
                joined = True
                continue
            if meaning.inert:
                continue
            if self._reaches_on(meaning.cues):
                # The next finding has a cue of its own; right after "no", "new" is none.
                if taken or words or cue.reach == "clause":
                    break
                continue
            if meaning.filler and comma and taken:
                break  # "No ST changes, old inferior MI"
        return taken

    def _backward(self, at: int, cue: Cue) -> list[int]:
        items = self._items
        taken: list[int] = []
        joined = comma = listed = False
        words = 0
        here = at - 1
        while here >= 0:
            item = items[here]
            meaning = item.meaning
            if item.hits:
                if taken and not joined and not (comma and listed):
                    break
                taken.append(here)
                if cue.reach == "next":
                    break
                joined = comma = False
                here -= 1
                continue
            if meaning is None:
                mark = item.text
                if mark == ",":
                    if words:
                        break
                    comma = True
                elif mark in ")]":
                    here = self._opening(here)
                elif mark in "([" or mark == LINE_BREAK:
                    if taken or words:
                        break
                elif mark in _ENDS:
                    break
                elif mark[0].isalnum() and not taken:
                    words += 1
                    if words > _FAR:
                        break
            elif meaning.contrast:
                break
            elif meaning.stop:
                # "AF with RVR has resolved": what follows "with" belongs to the finding before it.
                head = cue.reach == "clause" or cue.kind in ("negation", "past")
                if not (taken and head and self._helper(taken[-1])):
                    break
                joined = True
            elif meaning.join or meaning.alternative:
                joined = listed = True
            elif taken and meaning.cues and not meaning.filler:
                break  # what stands further left has a cue of its own
            here -= 1
        return taken

    def _opening(self, at: int) -> int:
        """The item that opens the bracket closed at ``at``."""
        depth = 0
        for here in range(at, -1, -1):
            item = self._items[here]
            if item.meaning is None and item.text in (")", "]"):
                depth += 1
            elif item.meaning is None and item.text in ("(", "["):
                depth -= 1
                if depth == 0:
                    return here
        return 0

    def _helper(self, at: int) -> bool:
        """Whether a finding is no label (rate, ST changes): it cannot be the head of the clause."""
        return all(not hit.label for hit in self._items[at].hits)

    def _closes(self, at: int) -> bool:
        """Whether the list that goes on at ``at`` ends in "or ...": a comma then joins."""
        words = 0
        for item in self._items[at:]:
            meaning = item.meaning
            if item.hits:
                words = 0
            elif meaning is None:
                if item.text[0].isalnum():
                    words += 1
                    if words > 2:
                        return False
                elif item.text != ",":
                    return False
            elif meaning.alternative or item.text == "nor":
                return True
            elif not (meaning.filler or meaning.inert or meaning.link):
                return False
        return False

    def _runs_on(self, taken: Sequence[int], at: int) -> bool:
        """Whether a list of labels goes on over a comma: "no LVH, RVH"."""
        if self._helper(taken[-1]) or self._helper(at):
            return False
        return not any(hit.baseline for hit in self._items[at].hits)

    @staticmethod
    def _reaches_on(cues: Sequence[Cue]) -> bool:
        return any(cue.direction != "backward" for cue in cues)
