"""Parts of a report: current findings, comparison, indication, second reading, signature, device.

Only findings and comparison can assert something about the heart now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import re2

from overread.text.statements import flexible
from overread.vocab.model import Vocabulary
from overread.vocab.schema import Segment

FINDINGS: Final = "findings"
#: Segments in the order of their codes in tables.
SEGMENTS: Final = ("findings", "comparison", "indication", "second_reading", "signature", "device")
#: What statements of the other segments say is not asserted.
ASSERTING: Final = frozenset(("findings", "comparison"))

_LEAD = r"(?i)^[^\pL\pN]*"


class SegmentRule:
    """How one kind of part is recognised at the start of a statement."""

    def __init__(self, segment: Segment) -> None:
        self.name = segment.name
        self.code = SEGMENTS.index(segment.name)
        self.to_the_end = segment.extends == "report"
        names = "|".join(_opening(text) for text in sorted(segment.opens, key=len, reverse=True))
        self.pattern = f"{_LEAD}(?:{names})"
        #: A heading alone on its line, with its colon: what follows belongs to it.
        bare = "|".join(flexible(text.rstrip(":")) for text in segment.opens)
        self.heading = rf"{_LEAD}(?:{bare})[ ]*:[^\pL\pN]*$"
        #: Looks like an opening and is none: "confirmed by old records".
        words = "|".join(flexible(text) for text in segment.not_opens)
        # "Read by a. Flutter": an initial is no "a".
        after = r"(?:[^\pL\pN.]|\.?$)"
        self.not_pattern = f"{self.pattern}[ :]*(?:{words}){after}" if words else None


def _opening(text: str) -> str:
    if text.endswith(":"):
        return flexible(text[:-1]) + r"[ ]*:"
    return flexible(text) + r"(?:[^\pL\pN]|$)"


def segment_rules(vocabulary: Vocabulary) -> list[SegmentRule]:
    """The rules of a vocabulary, in the order of ``context.yaml``; the first that fits counts."""
    return [SegmentRule(segment) for segment in vocabulary.context.segments]


class Segmenter:
    """Names the segment of each statement of one report."""

    def __init__(self, rules: Sequence[SegmentRule]) -> None:
        options = re2.Options()
        options.log_errors = False
        self._rules: list[tuple[SegmentRule, Any, Any, Any]] = [
            (
                rule,
                re2.compile(rule.pattern, options),
                re2.compile(rule.heading, options),
                re2.compile(rule.not_pattern, options) if rule.not_pattern else None,
            )
            for rule in rules
        ]
        self._openings = re2.compile("|".join(f"(?:{rule.pattern})" for rule in rules), options)

    def opening(self, statement: str) -> tuple[str, bool] | None:
        """The segment that a statement opens and whether it lasts beyond the statement."""
        if self._openings.search(statement) is None:
            return None
        for rule, pattern, heading, not_pattern in self._rules:
            if pattern.search(statement) and not (not_pattern and not_pattern.search(statement)):
                return rule.name, rule.to_the_end or heading.search(statement) is not None
        return None

    def segments(self, statements: Sequence[str]) -> list[str]:
        """The segment of every statement of a report, in order.

        >>> from overread.vocab.load import load_vocabulary
        >>> segmenter = Segmenter(segment_rules(load_vocabulary()))
        >>> segmenter.segments(["Test ind: AF", "Sinus rhythm", "Confirmed by DOE, J"])
        ['indication', 'findings', 'signature']
        """
        current, out = FINDINGS, []
        for statement in statements:
            opened = self.opening(statement)
            if opened is None:
                out.append(current)
                continue
            name, lasts = opened
            out.append(name)
            if lasts:
                current = name
        return out
