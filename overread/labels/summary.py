"""The account that closes an extraction: rows, texts, labels under each policy, what was missed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from overread.tables import POLICIES, SOURCES, STATE_CODES, STATES
from overread.text.labeler import value_of

#: A statement is shown only where at least so many ECGs hold it.
SHOWN_FROM = 11


@dataclass(slots=True)
class SideCounts:
    """One source: how many texts there were and what each label came to."""

    states: dict[str, list[int]]  # label -> count per state code
    contradictions: dict[str, int] = field(default_factory=dict)  # "left + right" -> readings
    readings: int = 0
    absent: int = 0
    empty: int = 0
    no_reading: int = 0
    not_over_read: int = 0

    @classmethod
    def none(cls, labels: tuple[str, ...]) -> SideCounts:
        """Counts of nothing yet."""
        return cls({label: [0] * len(STATES) for label in labels})

    def contradicting(self) -> dict[tuple[str, str], int]:
        """How many readings hold both labels of each pair that cannot stand side by side."""
        pairs = (tuple(pair.split(" + ")) for pair in self.contradictions)
        return dict(zip(pairs, self.contradictions.values(), strict=True))  # type: ignore[arg-type]

    def positives(self, label: str, policy: str) -> int:
        """How many readings are positive for a label under a policy.

        >>> SideCounts({"lvh": [5, 1, 0, 2, 3, 0]}).positives("lvh", "positive")
        5
        """
        counts = self.states[label]
        return sum(counts[STATE_CODES[s]] for s in STATES if value_of(s, policy) == 1)


@dataclass(slots=True)
class Summary:
    """Rows in = used + quarantined; per source the texts and labels; what the vocabulary missed.

    ``own_policy`` holds the labels whose policy for uncertain mentions the vocabulary fixes.
    ``unmatched`` are the most frequent statements without any match, masked, with the number of
    ECGs that hold them; see ``shown_unmatched`` for those that may be shown.
    """

    UNMATCHED_KEPT: ClassVar[int] = 200

    source: str
    labels: tuple[str, ...]
    names: dict[str, str]
    own_policy: dict[str, str]
    rows_in: int
    used: int
    quarantined: dict[str, int]
    notes: dict[str, int]
    sides: dict[str, SideCounts]
    identical: int | None
    addenda: int
    distinct_statements: int
    statements: int
    unmatched_statements: int
    unmatched: list[tuple[str, int]]

    def positives(self, source: str, label: str) -> dict[str, int]:
        """Positive readings of a label under each policy (its own policy wins)."""
        return {
            policy: self.sides[source].positives(label, self.own_policy.get(label, policy))
            for policy in POLICIES
        }

    def shown_unmatched(self, most: int = 10) -> list[tuple[str, int]]:
        """The most frequent unmatched statements that at least 11 ECGs hold."""
        return [(text, ecgs) for text, ecgs in self.unmatched if ecgs >= SHOWN_FROM][:most]

    def counts(self) -> dict[str, Any]:
        """The account as plain values for run.json; rare statements are left out."""
        out = asdict(self)
        out["unmatched"] = self.shown_unmatched(self.UNMATCHED_KEPT)
        return out

    @classmethod
    def from_counts(cls, counts: Mapping[str, Any]) -> Summary:
        """The account that ``counts`` wrote."""
        values = dict(counts)
        values["labels"] = tuple(values["labels"])
        values["sides"] = {
            name: SideCounts(**values["sides"][name]) for name in SOURCES if name in values["sides"]
        }
        values["unmatched"] = [(text, ecgs) for text, ecgs in values["unmatched"]]
        return cls(**values)
