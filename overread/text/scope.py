"""Which findings a cue reaches. Rules: LABELS, "What a mention asserts"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from overread.text.match import Item
from overread.text.normalize import LINE_BREAK, MONTHS
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
_ENDS = ";="  # marks that end every reach
_WITH: Final = "with"
_VERSUS: Final = "versus"
#: What is told of an earlier tracing, and what a change leaves behind.
_TOLD: Final = Cue("past", "forward", "statement")
_LEFT: Final = Cue("past", "forward", "list")
#: What a date holds beside numbers; in a masked one the month is blanked.
_DATED: Final = frozenset((*MONTHS, "xxx"))
_FAR = 4  # words between a finding and a cue after it; beyond, the cue speaks of those words


class Scope:
    """The reach of cues over the items of one statement."""

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
        elif self._finding_follows(at) and (cue.kind == "negation" or not self._closes_label(at)):
            found = self._forward(at, cue)
        elif self._word_follows(at) and not self._answers(at, cue):
            found = self._forward(at, cue)  # "possible aneurysm": it speaks of words that follow
        else:
            found = self._backward(at, cue) or self._forward(at, cue)
        assertion = _ASSERTS[cue.kind]
        return [(target, assertion) for target in found]

    def _swap(self, at: int, cue: Cue) -> list[tuple[int, Assertion]]:
        """ "X has replaced Y": both sides."""
        before, after = self._backward(at, cue), self._forward(at, cue)
        if cue.both and not (before and after):
            return []
        out: list[tuple[int, Assertion]] = []
        if cue.before is not None:
            out += [(target, cue.before) for target in before]
        if cue.after is not None:
            out += [(target, cue.after) for target in after]
        return out

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
        opens = not any(i.hits or i.meaning is None or i.meaning.cues for i in self._items[:at])
        for here in range(at + 1, len(self._items)):
            item = self._items[here]
            meaning = item.meaning
            if meaning is not None and meaning.told and (meaning.told != "next" or not words):
                # "compared with the prior ECG: ..." tells of the tracing of now.
                return self._forward(here, _TOLD) if opens or item.text != ":" else []
            if item.hits or item.text in _ENDS or (meaning is not None and meaning.contrast):
                break
            words += item.text.isalpha() and item.text not in _DATED
            if words > _FAR:
                break
        return []

    def left_behind(self, at: int) -> list[int]:
        """What a change started from: "converted to NSR from AF", "now in AF from NSR"."""
        if self._neighbour(at, -1) is None:
            return []
        for item in self._items[:at]:
            for cue in item.meaning.cues if item.meaning else ():
                if cue.kind in ("replacement", "present") and cue.direction != "backward":
                    return self._forward(at, _LEFT)
        return []

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

    def _forward(self, at: int, cue: Cue) -> list[int]:
        items, negates = self._items, cue.kind == "negation"
        wide = cue.reach in ("clause", "statement")
        taken: list[int] = []
        joined = comma = apart = False
        words = depth = 0
        for here in range(at + 1, len(items)):
            item = items[here]
            meaning = item.meaning
            if item.hits:
                if wide:
                    ended = taken and comma and not joined and cue.reach == "clause"
                    if ended and not self._closes(here):
                        break
                    taken.append(here)
                    joined = comma = False
                    continue
                if taken and not joined:
                    series = cue.reach == "series" and not apart and self._runs_on(taken, here)
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
                    apart = bool(taken and words)  # "no LVH by voltage, RVH by R in V1"
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
            if meaning.contrast or (meaning.stop and not meaning.link and not wide):
                break
            if meaning.join or meaning.alternative:
                joined = True
                continue
            if meaning.link and taken and negates:
                joined = True
                continue
            if meaning.inert:
                continue
            if meaning.link and not taken and cue.kind in ("negation", "past"):
                continue  # "no convincing evidence of LVH"
            if self._reaches_on(meaning.cues):
                # The next finding has a cue of its own; right after "no", "new" is none.
                if taken or words or wide:
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
                    opened = self._relative_clause(here)
                    if opened is not None:
                        here, words = opened, 0
                    elif words:
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
            elif meaning.relative and not taken:
                words = 0
            elif meaning.stop and not taken and cue.kind == "uncertainty" and item.text == _WITH:
                pass  # "atrial flutter with 2:1 conduction is possible"
            elif meaning.stop or meaning.relative:
                # "AF with RVR has resolved": what follows "with" belongs to the finding before it.
                head = cue.reach == "clause" or cue.kind in ("negation", "past")
                if not (taken and head and self._helper(taken[-1])):
                    break
                joined = True
            elif meaning.join or meaning.alternative:
                joined = listed = True
            elif meaning.cues and not meaning.filler and (taken or cue.kind == "resemblance"):
                break  # what stands further left has a cue of its own, or is not like it
            here -= 1
        return taken

    def _relative_clause(self, at: int) -> int | None:
        """Where "..., which was suspected before," starts that ends at the comma at ``at``."""
        for here in range(at - 1, 0, -1):
            item = self._items[here]
            meaning = item.meaning
            if item.hits or item.text in _ENDS or item.text == ",":
                return None
            if meaning is not None and meaning.relative:
                return here - 1 if self._items[here - 1].text == "," else here
        return None

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
        following = self._items[at + 1].meaning if at + 1 < len(self._items) else None
        if following and any(cue.direction != "forward" for cue in following.cues):
            return False  # "no LVH, RBBB is present"
        return not any(hit.baseline for hit in self._items[at].hits)

    @staticmethod
    def _reaches_on(cues: Sequence[Cue]) -> bool:
        return any(cue.direction != "backward" for cue in cues)
