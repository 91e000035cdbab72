"""How far a cue reaches over the items behind and before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from overread.text.match import Item
from overread.text.normalize import LINE_BREAK
from overread.text.trie import Cue

ENDS: Final = ";="  # marks that end every reach
FAR: Final = 4  # words between a finding and a cue after it; beyond, the cue speaks of those words
_WITH: Final = "with"


class Reach:
    """The reach of cues over the items of one statement."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    def forward(self, at: int, cue: Cue) -> list[int]:
        """The findings behind the cue at ``at`` that it reaches."""
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
                if cue.reach == "next" and not self._slashed(here + 1):
                    break
                joined = comma = False
                words = 0
                continue
            if item.text == ":" and words and not taken and negates:
                break  # "disagree with the computer: this is sinus rhythm"
            if meaning is None:
                mark = item.text
                if self._slashed(here):
                    joined = True
                elif mark == ",":
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
                elif mark in ENDS:
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
                if comma and not joined and not self._closes(here):
                    break  # "no P waves, consistent with atrial fibrillation"
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

    def backward(self, at: int, cue: Cue) -> list[int]:
        """The findings before the cue at ``at`` that it reaches, the nearest first."""
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
                if cue.reach == "next" and not self._slashed(here - 1):
                    break
                joined = comma = False
                here -= 1
                continue
            if meaning is None:
                mark = item.text
                if self._slashed(here):
                    joined = True
                elif mark == ",":
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
                elif mark in ENDS:
                    break
                elif mark[0].isalnum() and not taken:
                    words += 1
                    if words > FAR:
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
                if not (taken and head and self.helper(taken[-1])):
                    break
                joined = True
            elif meaning.join or meaning.alternative:
                joined = listed = True
            elif meaning.cues and not meaning.filler and (taken or cue.kind == "resemblance"):
                break  # what stands further left has a cue of its own, or is not like it
            here -= 1
        return taken

    def _slashed(self, at: int) -> bool:
        """Whether a slash joins the findings on both sides: "no LVH/RVH"."""
        around = self._items[at - 1 : at + 2] if at > 0 else ()
        return (
            len(around) == 3 and around[1].text == "/" and bool(around[0].hits and around[2].hits)
        )

    def _relative_clause(self, at: int) -> int | None:
        """Where "..., which was suspected before," starts that ends at the comma at ``at``."""
        for here in range(at - 1, 0, -1):
            item = self._items[here]
            meaning = item.meaning
            if item.hits or item.text in ENDS or item.text == ",":
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

    def helper(self, at: int) -> bool:
        """Whether a finding is no label (rate, ST changes): it cannot be the head of the clause."""
        return all(not hit.label for hit in self._items[at].hits)

    def _closes(self, at: int) -> bool:
        """Whether the list that goes on at ``at`` ends in "or ...": a comma then joins."""
        words = 0
        for here in range(at, len(self._items)):
            item = self._items[here]
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
        if self.helper(taken[-1]) or self.helper(at):
            return False
        following = self._items[at + 1].meaning if at + 1 < len(self._items) else None
        if following and any(cue.direction != "forward" for cue in following.cues):
            return False  # "no LVH, RBBB is present"
        return not any(hit.baseline for hit in self._items[at].hits)

    @staticmethod
    def _reaches_on(cues: Sequence[Cue]) -> bool:
        return any(cue.direction != "backward" for cue in cues)
