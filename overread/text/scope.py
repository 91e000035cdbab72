"""Which findings a cue decides on, and what it says of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final, Literal

from overread.text.match import Item
from overread.text.normalize import LINE_BREAK, MONTHS
from overread.text.reach import ENDS, FAR, Reach
from overread.text.trie import Cue

Assertion = Literal["present", "uncertain", "absent", "past", "not_assessable", "described"]

_ASSERTS: dict[str, Assertion] = {
    "negation": "absent",
    "uncertainty": "uncertain",
    "past": "past",
    "present": "present",
    "resemblance": "described",
    "not_assessable": "not_assessable",
}
_VERSUS: Final = "versus"
#: What is told of an earlier tracing, what it had behind it or before it, what a change left.
_TOLD: Final = Cue("past", "forward", "statement")
_ON_EARLIER: Final = Cue("past", "backward", "list")
_FRONTED: Final = Cue("past", "forward", "clause")
_LEFT: Final = Cue("past", "forward", "list")
#: What a date holds beside numbers; in a masked one the month is blanked.
_DATED: Final = frozenset((*MONTHS, "xxx"))


class Scope:
    """What the cues of one statement say of its findings."""

    def __init__(self, items: Sequence[Item], ends: Sequence[int]) -> None:
        self._items = items
        self._ends = ends
        self._reach = Reach(items)

    def targets(self, at: int, cue: Cue) -> list[tuple[int, Assertion]]:
        """Findings that the cue at item ``at`` decides on, with what it says of them."""
        if cue.kind == "replacement":
            return self._swap(at, cue)
        if cue.kind == "uncertainty" and self._hedges_age(at):
            return []
        if cue.direction == "forward":
            found = self._reach.forward(at, cue)
        elif cue == _ON_EARLIER and self._names_earlier(at) and self._opens_clause(at):
            found = self._reach.forward(at, _FRONTED) or self._reach.backward(at, cue)
        elif cue.direction == "backward" or self._touches(at):
            found = self._reach.backward(at, cue)
        elif self._finding_follows(at) and not (cue.reach == "next" and self._closes_label(at)):
            found = self._reach.forward(at, cue)
        elif self._word_follows(at) and not self._answers(at, cue):
            found = self._reach.forward(
                at, cue
            )  # "possible aneurysm": it speaks of words that follow
        else:
            found = self._reach.backward(at, cue) or self._reach.forward(at, cue)
        assertion = _ASSERTS[cue.kind]
        return [(target, assertion) for target in found]

    def _swap(self, at: int, cue: Cue) -> list[tuple[int, Assertion]]:
        """ "X has replaced Y": both sides; in German the verb may stand behind both."""
        before, after = self._reach.backward(at, cue), self._reach.forward(at, cue)
        if before and not after and (cue.before, cue.after) == ("present", "past"):
            first = self._before_that(before[-1])
            if first is not None:
                by = any(self._is_agent(i) for i in range(first + 1, before[-1]))
                new, old = (before, [first]) if by else ([first], before)
                return [(i, "present") for i in new] + [(i, "past") for i in old]
        if cue.both and not (before and after):
            return []
        out: list[tuple[int, Assertion]] = []
        if cue.before is not None:
            out += [(target, cue.before) for target in before]
        if cue.after is not None:
            out += [(target, cue.after) for target in after]
        return out

    def _before_that(self, at: int) -> int | None:
        """The finding before one in the same clause, if only words stand between the two."""
        for here in range(at - 1, -1, -1):
            item = self._items[here]
            meaning = item.meaning
            if item.hits:
                return here
            if item.text in ENDS or item.text == ",":
                break
            if meaning and (meaning.contrast or any(c.kind == "replacement" for c in meaning.cues)):
                break
        return None

    def _is_agent(self, at: int) -> bool:
        meaning = self._items[at].meaning
        return meaning is not None and meaning.agent

    def alternatives(self, at: int) -> list[int]:
        """The two findings that "or" stands right between; "versus" hedges one alone too."""
        before = self._neighbour(at, -1)
        after = self._neighbour(at, 1)
        if before is not None and after is None and self._items[at].text == _VERSUS:
            return [before]
        if before is None or after is None or self._items[before].tailed:
            return []
        return [before, after]

    def told_of(self, at: int) -> list[int]:
        """Findings of the earlier tracing at ``at``: "the prior ECG of 5/5/2005 showed RBBB"."""
        words = 0
        opens = not any(
            i.hits or i.meaning is None or i.meaning.cues or i.meaning.inert
            for i in self._items[:at]
        )
        own = self._items[at].meaning
        if at == 0 and own is not None and own.inert and any(i.hits for i in self._items[1:2]):
            return self._reach.forward(at, _FRONTED)  # "Previous tracing AF, present tracing NSR"
        for here in range(at + 1, len(self._items)):
            item = self._items[here]
            meaning = item.meaning
            if meaning is not None and meaning.told and (meaning.told != "next" or not words):
                # "compared with the prior ECG: ..." tells of the tracing of now.
                return self._reach.forward(here, _TOLD) if opens or item.text != ":" else []
            if item.hits or item.text in ENDS or (meaning is not None and meaning.contrast):
                break
            words += item.text.isalpha() and item.text not in _DATED
            if words > FAR:
                break
        return []

    def left_behind(self, at: int) -> list[int]:
        """What a change started from: "converted to NSR from AF", "now in AF from NSR"."""
        if self._neighbour(at, -1) is None:
            return []
        if self._first_change is None or self._first_change >= at:
            return []
        return self._reach.forward(at, _LEFT)

    @cached_property
    def _first_change(self) -> int | None:
        """Where the statement first says what there is now, or what became of something."""
        for at, item in enumerate(self._items):
            for cue in item.meaning.cues if item.meaning else ():
                if cue.kind in ("replacement", "present") and cue.direction != "backward":
                    return at
        return None

    def bracketed(self, findings: Sequence[int]) -> list[tuple[int, int]]:
        """The bracket and the finding in it: square ones hold criteria, not a reading."""
        opened: list[int] = []
        inside: dict[int, int] = {}
        for i, item in enumerate(self._items):
            if item.meaning is None and item.text == "[":
                opened.append(i)
            elif item.meaning is None and item.text == "]":
                del opened[-1:]
            elif opened:
                inside[i] = opened[0]
        return [(inside[i], i) for i in findings if i in inside]

    def _neighbour(self, at: int, step: int) -> int | None:
        """The finding right beside an item, age words left out."""
        here = at + step
        while 0 <= here < len(self._items):
            item = self._items[here]
            if item.hits:
                return here
            meaning = item.meaning
            if meaning is None:
                # "RVH, or posterior infarct"
                if item.text != LINE_BREAK and not (item.text == "," and here == at - 1):
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
            at > 0
            and set(items[at].text) <= {"?", " "}
            and bool(items[at - 1].hits)
            and self._ends[items[at - 1].last - 1] == self._ends[items[at].first] - 1
        )

    def _finding_follows(self, at: int) -> bool:
        """Whether a finding comes next, with nothing but a few plain words before it."""
        words = 0
        for here in range(at + 1, len(self._items)):
            item = self._items[here]
            if item.hits:
                return True
            meaning = item.meaning
            if meaning is None:
                if not item.text[0].isalnum():
                    return False
                words += 1
                if words > FAR:
                    return False
            elif meaning.contrast or meaning.stop or meaning.join or meaning.alternative:
                return False
        return False

    def _closes_label(self, at: int) -> bool:
        """ "LVH wahrscheinlich Grenzbefund": right after a label, no label next: it looks back."""
        before = self._items[at - 1] if at else None
        if before is None or not before.hits or self._reach.helper(at - 1):
            return False
        following = next((i for i in range(at + 1, len(self._items)) if self._items[i].hits), None)
        return following is None or self._reach.helper(following)

    def _answers(self, at: int, cue: Cue) -> bool:
        """ "LBBB absent on this tracing": the finding right before; "no" speaks of what follows."""
        return at > 0 and bool(self._items[at - 1].hits) and cue.reach != "series"

    def _word_follows(self, at: int) -> bool:
        """Whether the cue has words of its own behind it that are no finding."""
        if at + 1 == len(self._items):
            return False
        following = self._items[at + 1]
        meaning = following.meaning
        if meaning is None:
            return following.text[0].isalnum()
        return (meaning.filler or meaning.link) and not meaning.cues

    def _names_earlier(self, at: int) -> bool:
        meaning = self._items[at].meaning
        return meaning is not None and meaning.earlier

    def _opens_clause(self, at: int) -> bool:
        """Whether the clause starts here: "AF, on the prior tracing sinus rhythm"."""
        if at == 0:
            return True
        before = self._items[at - 1]
        if before.meaning is None:
            return not before.text[0].isalnum()
        return bool(before.meaning.contrast or before.meaning.join) and not before.hits
