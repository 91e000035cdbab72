"""What the report says: sections, words, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from overread.discrepancy import tables
from overread.discrepancy.agreement import with_q_of
from overread.discrepancy.counts import Counts, count_cells
from overread.discrepancy.pair import OUT
from overread.discrepancy.release import (
    SMALLEST,
    Groups,
    Joint,
    Published,
    Release,
    distinct,
    pair_may_be_told,
    pooled,
    published,
    released,
)
from overread.discrepancy.strata import UNKNOWN, Strata, strata_over_time
from overread.report.cells import number
from overread.report.document import Document, Section
from overread.report.figure import Figure
from overread.report.figures import Change, Point, added_removed, estimates, flow_matrix, trends
from overread.report.table import Column, Estimate, Gap, Table
from overread.tables import LABEL

if TYPE_CHECKING:
    from overread.discrepancy.api import By, Discrepancy

_MOST: Final = 20  # rows of a list on a page
_COUNT: Final = Column("n", "ECGs", "count")
_SHARE: Final = Column("share", "Share", "percent", digits=1)

_MEANING: Final = (
    "An over-read is made by editing the machine's text. The expert saw the machine's reading "
    "first, and what was left standing was not always looked at anew. So these figures say what "
    "experts change, not how often either reading is right: agreement is higher than between two "
    "readers who do not know of each other, and a label that both missed stands nowhere here.",
    "A label counts as removed where the expert's text does not assert it any more, also where it "
    "was only left out as unimportant or known. It counts as added where the expert's text asserts "
    "it and the machine's does not. Both follow the words of the reports as the vocabulary reads "
    "them; overread labels audit measures how well it does that on your reports.",
    "Kappa depends on how common a label is: of two labels with the same share of edits the rarer "
    "has the lower kappa. AC1 and PABAK depend on it less, and are high for any rare label. Read "
    "them beside sensitivity and PPV, which take the expert's text as the reference.",
)


def document(
    found: Discrepancy,
    *,
    by: Sequence[By] = (),
    over: str | None = None,
    with_text: bool = False,
    detail: bool = False,
) -> Document:
    """The whole report; see `Discrepancy.document`."""
    groups = [found.grouped(one) for one in by]
    trend = None if over is None else strata_over_time(found.pairs, over)
    name = found.pairs.name
    agreement = tables.agreement_tables(found.agreement, name, intervals=_intervals(found))
    sections = [
        _glance(found),
        Section("What these figures mean", _MEANING),
        Section(
            "What the table hides",
            ("The same edits as shares of what each reader gave, and with hedges read otherwise.",),
            (tables.counts_table(found.counts, name), *_policies(found)),
        ),
        Section("Agreement", (), (_kappa_figure(found.agreement, name), *agreement)),
        _edits(found),
    ]
    if found.edits is not None:
        sections.append(_statements(found, with_text=with_text))
    for strata, slug in zip(groups, _slugs(groups), strict=True):
        sections.append(_by_group(found, strata, slug, detail=detail))
    if trend is not None:
        sections.append(_trend(found, trend, detail=detail))
    return Document(
        "Machine-read and over-read ECGs",
        _facts(found),
        tuple(sections),
        "Made by overread. Figures describe edits of reports and are no medical advice.",
        name="report",
    )


def release_document(
    found: Discrepancy,
    *,
    by: Sequence[By] = (),
    over: str | None = None,
    earlier: Sequence[Published] = (),
) -> tuple[Document, dict[str, Any]]:
    """The report without any count of 1 to 10 that stands in it or follows from it.

    Statements, hedges, policies and pairs of changes are left out. The second value is what later
    releases have to be compared with (``earlier``).
    """
    groups = [pooled(found.grouped(one)) for one in by]
    trend = None if over is None else pooled(strata_over_time(found.pairs, over))
    every = distinct([*groups, *([trend] if trend is not None else [])])
    counts = _five_ways(found)[0]
    held = [Groups(s.column, s.names, _five_ways(found, s)) for s in every]
    joints = [_joint(found, one, other) for one, other in combinations(every, 2)]
    rule = released(counts, held, joints, earlier, found.labels)
    closed = {
        label: rule.margins[at] for at, label in enumerate(found.labels) if not rule.total[at]
    }
    name = found.pairs.name
    told = with_q_of(found.agreement, [one for one in found.labels if one not in closed])
    agreement = tables.agreement_tables(told, name, closed, intervals=_intervals(found))
    sections = [
        _glance(found, closed),
        Section("What these figures mean", _MEANING),
        Section("What the table hides", (), (tables.counts_table(found.counts, name, closed),)),
        Section("Agreement", (), (_kappa_figure(found.agreement, name, closed), *agreement)),
        _released_flows(found, closed),
        *(
            _by_group(found, strata, slug, rule=rule, closed=closed)
            for strata, slug in zip(groups, _slugs(groups), strict=True)
        ),
    ]
    if trend is not None:
        sections.append(_trend(found, trend, rule=rule))
    text = Document(
        "Machine-read and over-read ECGs, for release",
        _facts(found, released=True),
        tuple(sections),
        f"No count of 1 to {SMALLEST - 1} ECGs stands here or follows from what does. "
        f"{tables.RELEASE_NOTE}",
        name="report",
    )
    return text, published(rule, found.labels, counts, held)


def _joint(found: Discrepancy, one: Strata, other: Strata) -> Joint:
    shape = len(one.names), len(other.names)
    crossed = Strata("", ("",) * (shape[0] * shape[1]), one.codes * shape[1] + other.codes)
    counts = _five_ways(found, crossed)
    return Joint((one.column, other.column), counts.reshape(*shape, *counts.shape[1:]))


def _glance(found: Discrepancy, closed: tables.Closed | None = None) -> Section:
    pairs, name = found.pairs, found.pairs.name
    figure = added_removed(
        [
            Change(name(row[LABEL]), tables.HIDDEN, tables.HIDDEN, tables.HIDDEN)
            if closed is not None and row[LABEL] in closed
            else Change(name(row[LABEL]), row["machine"], row["added"], row["removed"])
            for row in found.counts.iter_rows(named=True)
        ],
        name="added_removed",
        title="Labels that experts add and remove",
        caption="Bars are percent of the machine's count, or ECGs where all counts are small.",
    )
    words = []
    if closed is None:
        differ = int(((found.cells == 1) | (found.cells == 2)).any(axis=0).sum())
        share = number(_SHARE, 100 * differ / pairs.n)
        words.append(
            f"In {differ:,} of {pairs.n:,} ECGs ({share}) the expert changed at least one of "
            f"{len(pairs.labels)} labels."
        )
        most = found.counts.sort("added", descending=True).row(0, named=True)
        least = found.counts.sort("removed", descending=True).row(0, named=True)
        if most["added"]:
            words.append(f"Most often added: {name(most[LABEL])} ({most['added']:,} ECGs).")
        if least["removed"]:
            words.append(f"Most often removed: {name(least[LABEL])} ({least['removed']:,} ECGs).")
    text = (" ".join(words),) if words else ()
    return Section("At a glance", text, (figure, tables.table_a1(found.counts, name, closed)))


def _facts(found: Discrepancy, *, released: bool = False) -> tuple[tuple[str, str], ...]:
    pairs, account = found.pairs, found.pairs.account
    facts = [("ECGs with both readings", f"{pairs.n:,}")]
    if released:
        return tuple(facts)
    if found.patients is not None:
        facts.append(("Patients", f"{found.patients:,}"))
    for what, n in (
        ("Left out, no over-read", account.machine_only),
        ("Left out, no machine reading", account.expert_only),
        ("Left out, neither", account.neither),
    ):
        if n:
            facts.append((what, f"{n:,}"))
    policies = sorted(set(pairs.policies.values()))
    if pairs.hedges:
        facts.append(("Uncertain mentions count as", " or ".join(policies)))
    return tuple(facts)


def _intervals(found: Discrepancy) -> str:
    if found.patients is None:
        how = (
            "95% intervals are those for one ECG per patient, because there are no patient ids: "
            "large samples (kappa, AC1), Wilson (sensitivity, PPV), Bonett and Price (difference)."
        )
    else:
        how = (
            f"95% intervals: {found.replicates:,} resamples of patients with all their ECGs, on "
            "the logit scale; McNemar's test is the one for several ECGs per patient."
        )
    return (
        f"{how} Shares of fewer than 30 ECGs: Clopper-Pearson. Where no ECG differs, or one side "
        "never gives the label, there is no interval."
    )


def _kappa_figure(
    frame: pl.DataFrame, name: tables.Name, closed: tables.Closed | None = None
) -> Figure:
    rows: list[tuple[str, Estimate | Gap]] = []
    for row in frame.iter_rows(named=True):
        values = [row[key] for key in ("kappa", "kappa_low", "kappa_high")]
        if closed is not None and row[LABEL] in closed:
            cell: Estimate | Gap = tables.HIDDEN
        elif None in values:
            known = values[0] is not None
            cell = Gap(f"{values[0]:.2f} (no interval)") if known else Gap("not estimable")
        else:
            cell = Estimate(*values)
        rows.append((name(row[LABEL]), cell))
    return estimates(
        rows,
        Column("kappa", "Cohen's kappa", "number", interval=True),
        name="kappa",
        title="Agreement beyond chance",
        caption="Cohen's kappa with its 95% interval; 1 is full agreement.",
    )


def _policies(found: Discrepancy) -> list[Table]:
    used = set(found.pairs.policies.values())
    main = used.pop() if len(used) == 1 else None
    return tables.policy_tables(found.policies, found.pairs.name, without=main)


def _edits(found: Discrepancy) -> Section:
    name = found.pairs.name
    items: list[Table | Figure] = []
    if found.flows.height:
        items.append(_flow_figure(found.flows, found.labels, name))
        items.append(tables.flows_table(found.flows, name, most=_MOST))
    if found.changed_together.height:
        items.append(tables.together_table(found.changed_together, name, most=_MOST))
    if found.pairs.hedges:
        items.append(tables.hedges_table(found.hedges, name))
    if found.contradictions.height:
        items.append(tables.contradictions_table(found.contradictions, name))
    text = () if found.flows.height else ("No label was changed in any ECG.",)
    return Section("What changes with what", text, tuple(items))


def _released_flows(found: Discrepancy, closed: tables.Closed) -> Section:
    totals = {row[LABEL]: row for row in found.counts.iter_rows(named=True)}
    keep = [
        row["removed"] is not None
        and row["added"] is not None
        and row["removed"] not in closed
        and row["added"] not in closed
        and pair_may_be_told(
            row["n"], totals[row["removed"]]["removed"], totals[row["added"]]["added"]
        )
        for row in found.flows.iter_rows(named=True)
    ]
    shown = found.flows.filter(pl.Series(keep, dtype=pl.Boolean))
    if shown.is_empty():
        return Section("What changes with what", ("No pair of changes may be told.",))
    name = found.pairs.name
    note = "Pairs that are not listed may be absent or hidden."
    return Section(
        "What changes with what",
        (note,),
        (_flow_figure(shown, found.labels, name), tables.flows_table(shown, name)),
    )


def _flow_figure(frame: pl.DataFrame, labels: Sequence[str], name: tables.Name) -> Figure:
    pairs = {
        (row["removed"], row["added"]): row["n"]
        for row in frame.iter_rows(named=True)
        if row["removed"] and row["added"]
    }
    rows = [label for label in labels if any(r == label for r, _ in pairs)]
    columns = [label for label in labels if any(a == label for _, a in pairs)]
    return flow_matrix(
        [name(label) for label in rows],
        [name(label) for label in columns],
        [[pairs.get((r, a)) for a in columns] for r in rows],
        name="flow_matrix",
        title="One label removed, another added",
        caption="ECGs in which the expert removed the row's label and added the column's.",
    )


def _statements(found: Discrepancy, *, with_text: bool) -> Section:
    edits = found.edits
    assert edits is not None
    least = 1 if with_text else SMALLEST
    rare = edits.wordings.filter(pl.max_horizontal("n_machine", "n_expert") < least)
    hidden = rare["statement"].to_list()
    items = []
    for change in ("deleted", "added"):
        frame = edits.statements(change).filter(~pl.col("statement").is_in(hidden)).head(_MOST)
        if frame.height:
            items.append(tables.statements_table(frame, change))
    reworded = edits.reworded().filter(
        ~pl.col("statement").is_in(hidden) & ~pl.col("into").is_in(hidden)
    )
    if reworded.height:
        items.append(tables.reworded_table(reworded.head(_MOST)))
    text = [
        "Findings only, dates and numbers masked. Two statements count as the same where they "
        "differ in nothing but case and punctuation; as reworded where they assert the same labels."
    ]
    if hidden:
        text.append(
            f"Statements that fewer than {SMALLEST} ECGs hold are not shown ({len(hidden):,} of "
            f"{edits.wordings.height:,}); --with-text shows them."
        )
    return Section("Statements", tuple(text), tuple(items))


def _by_group(
    found: Discrepancy,
    strata: Strata,
    slug: str,
    *,
    rule: Release | None = None,
    closed: tables.Closed | None = None,
    detail: bool = False,
) -> Section:
    frame = found.in_groups(strata)
    sizes = _sizes(strata)
    name = found.pairs.name
    items = [
        tables.strata_table(
            frame, found.counts, part, sizes, name, slug=slug,
            closed=_closed_groups(found, strata, rule), closed_total=closed,
        )
        for part in ("added_pct", "removed_pct")
    ]  # fmt: skip
    if detail and rule is None:
        items.append(
            tables.long_table(frame, name, slug=slug, title=f"All figures by {strata.column}")
        )
    text = _significant(frame) if rule is None else ()
    return Section(f"By {strata.column}", text, tuple(items))


def _significant(frame: pl.DataFrame) -> tuple[str, ...]:
    """In how many cells machine and expert differ in how often they give the label."""
    tested = frame.filter(pl.col("disagreement") > 0)
    sure = tested.filter(pl.col("q") <= 0.05).height
    if not tested.height:
        return ()
    return (
        f"Of {tested.height:,} combinations of group and label in which anything was changed, "
        f"{sure:,} differ in how often machine and expert give the label (McNemar, q of 0.05 over "
        "all labels and groups).",
    )


def _trend(
    found: Discrepancy,
    strata: Strata,
    *,
    rule: Release | None = None,
    detail: bool = False,
) -> Section:
    frame = found.in_groups(strata)
    name = found.pairs.name
    hidden = set(_closed_groups(found, strata, rule))
    series = []
    for label in found.labels:
        points = []
        for row in frame.filter(pl.col(LABEL) == label).iter_rows(named=True):
            if row["stratum"] == UNKNOWN:
                continue
            cells: list[Any] = [row["machine"], row["added_pct"], row["removed_pct"]]
            if (row["stratum"], label) in hidden:
                cells = [tables.HIDDEN] * 3
            points.append(
                Point(row["stratum"], *(Gap("none") if cell is None else cell for cell in cells))
            )
        if any(point.machine for point in points):
            series.append((name(label), points))
    figure = trends(
        series,
        name="trend",
        title="Added and removed over time",
        caption=f"By {strata.column}, percent of the machine's count; each label on its own scale.",
    )
    items: list[Table | Figure] = [figure]
    if detail and rule is None:
        items.append(
            tables.long_table(frame, name, slug="over_time", title="All figures over time")
        )
    return Section(f"Over time, by {strata.column}", (), tuple(items))


def _sizes(strata: Strata) -> list[tuple[str, int]]:
    sizes = np.bincount(strata.codes, minlength=len(strata.names))
    return [(name, int(n)) for name, n in zip(strata.names, sizes, strict=True)]


def _closed_groups(
    found: Discrepancy, strata: Strata, rule: Release | None
) -> list[tuple[str, str]]:
    if rule is None:
        return []
    is_open = rule.strata[strata.column]
    return [
        (group, label)
        for g, group in enumerate(strata.names)
        for at, label in enumerate(found.labels)
        if not is_open[g, at]
    ]


def _five_ways(found: Discrepancy, strata: Strata | None = None) -> Counts:
    """Counts of both, machine only, expert only, neither, no value: groups x labels x 5."""
    codes = None if strata is None else strata.codes
    groups = 1 if strata is None else len(strata.names)
    four = count_cells(found.cells, codes, groups)
    sizes = np.bincount(codes, minlength=groups) if codes is not None else [found.pairs.n]
    rest = np.asarray(sizes)[:, None] - four.sum(axis=2)
    assert four.shape[2] == OUT
    return np.concatenate([four, rest[:, :, None]], axis=2)


def _slugs(groups: Sequence[Strata]) -> list[str]:
    """A plain name for the tables of each grouping; a number tells those apart that look alike."""
    plain = [f"by_{_slug(strata.column)}" for strata in groups]
    return [name if name not in plain[:at] else f"{name}_{at + 1}" for at, name in enumerate(plain)]


def _slug(text: str) -> str:
    kept = "".join(c if c.isascii() and c.isalnum() else "_" for c in text.lower()).strip("_")
    return kept or "group"
