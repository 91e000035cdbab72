"""What became of the records of a store: read, kept out and why, cut into windows, split.

The flow of the paper's Figure A.1, as counts that stand in ``run.json`` and as a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from overread.manifest import Manifest
from overread.report.table import Cell, Column, Table
from overread.signals.quality import Reason
from overread.signals.splits import SPLITS
from overread.signals.store import WINDOWS, Store

IMPORTS: Final = "imports"  # key of run.json's counts
DUPLICATE: Final = "duplicate_id"

_TOLD: Final = {
    Reason.LOW_RATE: "sampled below 250 Hz",
    Reason.TOO_SHORT: "shorter than 10 s",
    Reason.NAN: "with missing samples",
    Reason.OUT_OF_RANGE: "beyond 1 V",
    Reason.CONSTANT_LEAD: "with a constant lead",
    DUPLICATE: "with the id of an earlier record",
}


@dataclass(slots=True)
class Flow:
    """The records of one import: read = quarantined + rejected + kept."""

    source: str
    read: int = 0
    #: Records that cannot be read safely or rightly.
    quarantined: int = 0
    #: Records that can be read and are not used, by reason.
    rejected: dict[str, int] = field(default_factory=dict)
    kept: int = 0
    windows: int = 0
    #: Windows of kept records in which a lead is constant.
    left_out: int = 0
    #: Windows that left what the store can hold.
    clipped: int = 0
    #: What the reader noticed, by number of records.
    remarks: dict[str, int] = field(default_factory=dict)

    def add(self, other: Flow) -> None:
        """Counts the records of ``other`` too.

        >>> flow = Flow("wfdb", read=2, kept=2)
        >>> flow.add(Flow("wfdb", read=1, rejected={"nan": 1}))
        >>> flow.read, flow.kept, flow.rejected
        (3, 2, {'nan': 1})
        """
        for name in ("read", "quarantined", "kept", "windows", "left_out", "clipped"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, its in ((self.rejected, other.rejected), (self.remarks, other.remarks)):
            for reason, count in its.items():
                mine[reason] = mine.get(reason, 0) + count


def flows_of(manifest: Manifest) -> list[Flow]:
    """The flow of every import into a store, in their order; of a synthetic one, that of all."""
    counts = manifest.counts
    if IMPORTS in counts:
        return [Flow(**each) for each in counts[IMPORTS]]
    made = counts["records"]
    return [Flow("synthetic", read=made, kept=made, windows=counts[WINDOWS])]


def flow_table(store: Store) -> Table:
    """The flow of every import side by side: records, reasons, windows, splits, sampling rates."""
    flows = flows_of(store.manifest)
    columns = [Column("step", "", "label")]
    columns += [
        Column(f"import_{number}", flow.source, "count") for number, flow in enumerate(flows, 1)
    ]
    if len(flows) > 1:
        columns.append(Column("all", "all", "count"))
    rows: list[tuple[Cell, ...]] = []
    for step, counts in _steps(store, flows):
        total = [sum(counts)] if len(flows) > 1 else []
        rows.append((step, *counts, *total))
    notes = tuple(
        f"{flow.source}: {count:,} records: {remark}"
        for flow in flows
        for remark, count in sorted(flow.remarks.items())
    )
    return Table("cohort", "From records to windows", tuple(columns), tuple(rows), notes)


def _steps(store: Store, flows: list[Flow]) -> Iterator[tuple[str, list[int]]]:
    yield "records read", [flow.read for flow in flows]
    yield "- cannot be read", [flow.quarantined for flow in flows]
    for reason in (*Reason, DUPLICATE):
        counts = [flow.rejected.get(reason, 0) for flow in flows]
        if any(counts):
            yield f"- {_TOLD[reason]}", counts
    yield "records kept", [flow.kept for flow in flows]
    yield "windows of 10 s", [flow.windows for flow in flows]
    if any(flow.left_out for flow in flows):
        yield "(left out, a lead constant in them)", [flow.left_out for flow in flows]
    if any(flow.clipped for flow in flows):
        yield "(cut off at 32.767 mV)", [flow.clipped for flow in flows]
    for column, values in (("split", list(SPLITS)), ("fs_hz", None)):
        found = store.records[column].to_pylist()
        for value in values or sorted(set(found)):
            name = f"windows for {value}" if values else f"windows from {value:g} Hz"
            yield name, list(_per_import(found, value, flows))


def _per_import(found: list[Any], value: Any, flows: list[Flow]) -> Iterator[int]:
    """How often a value stands among the windows of each import, which follow each other."""
    first = 0
    for flow in flows:
        yield found[first : first + flow.windows].count(value)
        first += flow.windows
