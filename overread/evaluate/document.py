"""What the evaluation says: sections, words, tables and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from overread.evaluate import tables
from overread.evaluate.measure import Measures
from overread.report.document import Document, Section
from overread.report.figures import estimates
from overread.report.table import Column, Estimate, Gap, Table

if TYPE_CHECKING:
    from overread.evaluate.api import Evaluation

_MEANING: Final = (
    "AUROC is the chance that an ECG with the label scores above one without it. AUPRC is the mean "
    "precision over the ECGs with the label; chance alone gives the share of ECGs that have it, so "
    "that values of labels or groups of different frequency do not compare. Windows of one ECG "
    "were averaged first, and ECGs whose label is missing or uncertain by policy leave that label. "
    "Intervals treat the ECGs of one patient as one draw. They do not tell how other training "
    "seeds or other hospitals would do."
)


def document(found: Evaluation, *, detail: bool = False) -> Document:
    """The whole report; see `Evaluation.document`."""
    splits, measures, evaluated = found.splits, found.measures, found.splits.test
    decisions = [found.decisions] if found.decisions is not None else []
    groups = [
        Section(f"By {strata.column}", (), tuple(tables.groups_tables(measures, at)))
        for at, strata in enumerate(evaluated.groups)
    ]
    if found.only_decide:
        sections = [*decisions, *groups]
    else:
        behind = [found.calibration] if found.calibration is not None else []
        sections = [*_ranking(measures), *groups, found.curves, *decisions, *behind]
    shown = [tables.truth_table(measures)]
    if detail:
        shown.append(tables.all_figures(measures))
    meaning = () if found.only_decide and not groups else (_MEANING,)
    sections.append(Section("How it was measured", (*meaning, *splits.notes), tuple(shown)))
    return Document(
        "Evaluation of ECG models",
        _facts(measures),
        tuple(sections),
        "Made by overread. Figures describe how scores rank ECGs and are no medical advice.",
        name="evaluation",
    )


def _ranking(measures: Measures) -> list[Section]:
    """How well scores rank ECGs: the paper's tables and differences between runs."""
    evaluated = measures.evaluated
    pairs = tables.trained_pairs(evaluated)
    sections = [
        _glance(measures),
        *(
            _trained(measures, *pair, suffix=f"_{number}" if len(pairs) > 1 else "")
            for number, pair in enumerate(pairs, start=1)
        ),
    ]
    # Of the two runs of one pair everything is said.
    if len(evaluated.models) > max(1, 2 * len(pairs)):
        sections.append(_differences(measures))
    sections += [
        Section(
            f"Against {tables.READERS[reader]}",
            ("The same runs against the other reading of the same ECGs.",),
            (_scores_table(measures, reader, name=f"table1_{reader}"),),
        )
        for reader in evaluated.truth
        if reader != evaluated.reader
    ]
    return sections


def table_1(measures: Measures) -> Table:
    """Table 1 against the main reader."""
    return _scores_table(measures, measures.evaluated.reader, name="table1")


def _scores_table(measures: Measures, reader: str, *, name: str) -> Table:
    title = f"AUROC and AUPRC against {tables.READERS[reader]}"
    return tables.scores_table(measures, reader, name=name, title=title)


def _facts(measures: Measures) -> tuple[tuple[str, str], ...]:
    evaluated = measures.evaluated
    return (
        ("ECGs", f"{len(evaluated.patient):,}"),
        ("Patients", f"{int(evaluated.patient.max()) + 1:,}"),
        ("Runs", f"{len(evaluated.models):,}"),
        ("Labels", f"{len(evaluated.labels):,}"),
        ("Resamples of patients", f"{measures.replicates:,}"),
    )


def _glance(measures: Measures) -> Section:
    """Table 1, and the macro means beside each other."""
    reader = tables.READERS[measures.evaluated.reader]
    heads = tables.run_names(measures.evaluated)
    figure = estimates(
        [(head, tables.macro(measures, number)[1]) for number, head in enumerate(heads)],
        Column("auprc", "Macro AUPRC, percent", "number", digits=1, interval=True),
        name="macro_auprc",
        title="Macro AUPRC of each run",
        caption=f"Against {reader}, with 95% intervals.",
        zero=False,
    )
    figures = (figure,) if len(heads) > 1 else ()
    return Section("At a glance", (), (*figures, table_1(measures)))


def _trained(measures: Measures, machine: int, expert: int, *, suffix: str) -> Section:
    """Table 2 of a pair of runs, and what training on expert labels adds."""
    table = tables.trained_table(measures, machine, expert, name=f"table2{suffix}")
    gain = tables.gain_table(measures, machine, expert, name=f"gain{suffix}")
    shown = ((str(row[0]), row[-1]) for row in gain.rows)
    figure = estimates(
        [(label, cell) for label, cell in shown if isinstance(cell, Estimate | Gap)],
        Column("gain", "Difference in AUPRC, percentage points", "number", digits=1,
               sign="+", interval=True),
        name=f"gain_auprc{suffix}",
        title="What training on expert labels adds",
        caption="AUPRC against expert labels, with 95% intervals.",
    )  # fmt: skip
    return Section("Machine or expert labels to learn from", (), (table, figure, gain))


def _differences(measures: Measures) -> Section:
    reader = measures.evaluated.reader
    told = f"against {tables.READERS[reader]}"
    return Section(
        "Differences between runs",
        ("An interval that leaves out 0 is a difference beyond chance, as far as one comparison "
         "goes: of twenty, one does so by chance.",),
        (
            tables.pairs_table(
                measures, reader, name="pairs", title=f"Macro differences {told}"
            ),
            tables.differences_table(measures, reader, name="differences"),
        ),
    )  # fmt: skip
