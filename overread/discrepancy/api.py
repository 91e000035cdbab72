"""``overread.discrepancy``: where machine and expert disagree, from Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import polars as pl

from overread.discrepancy import flows
from overread.discrepancy.agreement import Patients, agreement_frame, patients_of
from overread.discrepancy.cases import Condition, cases_frame, selected, with_evidence
from overread.discrepancy.counts import (
    TABLE_A1,
    Counts,
    count_cells,
    counts_frame,
    policy_counts,
)
from overread.discrepancy.edits import Edits, edits_of
from overread.discrepancy.open import LabelTables, open_pairs
from overread.discrepancy.pair import LABEL_ROW, Pairs
from overread.discrepancy.strata import Strata, strata_by, strata_counts, strata_over_time
from overread.errors import UsageError
from overread.stats.multiplicity import benjamini_hochberg
from overread.tables import LABEL, PATIENT

if TYPE_CHECKING:
    import pandas as pd

    from overread.labels.api import Extraction
    from overread.report.document import Document

    Frame = pl.DataFrame | pl.LazyFrame | pd.DataFrame
    Source = Frame | Extraction | str | os.PathLike[str]

#: A grouping: a column, or a column with the lower limits of its bands.
By = str | tuple[str, Sequence[float]]


class Discrepancy:
    """Machine against expert, label by label; every table is a polars frame, made when asked for.

    ``pairs`` are the ECGs with both readings. Intervals come from 1,000 resamples of patients where
    there are patient ids; ``seed`` and ``workers`` steer them, and workers do not change them.
    """

    def __init__(
        self,
        pairs: Pairs,
        texts: LabelTables | None = None,
        *,
        replicates: int = 1000,
        seed: int = 0,
        workers: int | None = None,
    ) -> None:
        self.pairs = pairs
        self.replicates = replicates
        self.seed = seed
        self._texts = texts
        self._workers = workers or os.cpu_count() or 1

    @property
    def labels(self) -> tuple[str, ...]:
        """The label ids, in the order of every table."""
        return self.pairs.labels

    @cached_property
    def cells(self) -> npt.NDArray[Any]:
        """Labels x ECGs: what both readings say together, see `Pairs.cells`."""
        return self.pairs.cells()

    @cached_property
    def counts(self) -> pl.DataFrame:
        """The 2x2 counts of every label and what follows from them, see `counts_frame`."""
        return counts_frame(self.labels, count_cells(self.cells)[0])

    @property
    def table_a1(self) -> pl.DataFrame:
        """Table A.1 of the paper: label, machine, over_read, disagreement, added_pct, removed_pct.

        Percentages are of the machine's count; null where that is 0.
        """
        return self.counts.select(TABLE_A1)

    @cached_property
    def policies(self) -> pl.DataFrame:
        """``counts`` under each policy for uncertain mentions; no rows without states."""
        return policy_counts(self.pairs)

    @cached_property
    def agreement(self) -> pl.DataFrame:
        """Kappa, PABAK, AC1, sensitivity, PPV, McNemar ... per label, see `agreement_frame`."""
        return self._agreement(count_cells(self.cells)[0], None)

    @cached_property
    def flows(self) -> pl.DataFrame:
        """Which label was removed where which was added: removed, added, n."""
        return flows.flows(self.labels, self.cells)

    @cached_property
    def changed_together(self) -> pl.DataFrame:
        """Pairs of labels that change in the same ECG, with what chance alone would give."""
        return flows.changed_together(self.labels, self.cells)

    @cached_property
    def hedges(self) -> pl.DataFrame:
        """Hedges made definite, put in, kept, dropped and added per label."""
        return flows.hedge_shifts(self.pairs)

    @cached_property
    def transitions(self) -> pl.DataFrame:
        """From which state to which, per label: label, machine, expert, n."""
        return flows.transitions(self.pairs)

    @cached_property
    def contradictions(self) -> pl.DataFrame:
        """Label pairs that cannot stand side by side, and in how many readings they do."""
        return flows.contradictions(self.pairs)

    @cached_property
    def edits(self) -> Edits | None:
        """Statements deleted, added and reworded; None where there are label columns alone."""
        if self._texts is None:
            return None
        texts = self._texts
        return edits_of(self.pairs, texts.statements, texts.report_statements, texts.evidence)

    @cached_property
    def patients(self) -> int | None:
        """How many patients there are; None without patient ids."""
        return None if self._patient_ids is None else int(self._patient_ids.drop_nulls().n_unique())

    def grouped(self, by: By) -> Strata:
        """The groups of a kept column, see `strata_by`."""
        column, cuts = (by, ()) if isinstance(by, str) else by
        return strata_by(self.pairs, column, cuts)

    def strata(self, by: By) -> pl.DataFrame:
        """Counts and agreement in every group of a kept column, "unknown" included.

        Columns: by, stratum, those of ``counts``, then those of ``agreement``; q is over all labels
        and groups. ``by`` may be ``("age", [40, 60, 80])`` for bands of your own.
        """
        return self.in_groups(self.grouped(by))

    def trend(self, over: str) -> pl.DataFrame:
        """The same over the years, quarters or months of a date column."""
        return self.in_groups(strata_over_time(self.pairs, over))

    def in_groups(self, strata: Strata) -> pl.DataFrame:
        """The same for groups of any kind."""
        held = count_cells(self.cells, strata.codes, len(strata.names))
        parts = [
            self._agreement(one, pl.Series(strata.codes == number)).drop(LABEL, "n")
            for number, one in enumerate(held)
        ]
        # A group without ECGs has no resamples, and so none of their columns.
        agreed = pl.concat(parts, how="diagonal")
        q = benjamini_hochberg(agreed["p"].fill_null(float("nan")).to_numpy())
        agreed = agreed.with_columns(q=pl.Series(q).fill_nan(None))
        return pl.concat([strata_counts(self.pairs, strata), agreed], how="horizontal")

    def cases(
        self,
        label: str,
        change: str,
        *more: Condition | tuple[str, str],
        by: Sequence[tuple[By, str]] = (),
        uncertain: str | None = None,
    ) -> pl.DataFrame:
        """The ECGs behind a number: of a label that was "added", "removed" ... (``CHANGES``).

        ``more`` are further (label, change) that must hold in the same ECG, so that
        ``cases("atrial_fibrillation", "removed", ("atrial_flutter", "added"))`` is a cell of the
        flows; ``by`` names groups, as in ``[("site", "North")]``; ``uncertain`` is another policy.
        Columns: label_row, id, patient_id, kept ones, both states of each label asked for, and the
        evidence of the first where texts were extracted.
        """
        conditions = [Condition(label, change), *(Condition(*one) for one in more)]
        groups = [(self.grouped(column), group) for column, group in by]
        keep = selected(self.pairs, conditions, policy=uncertain, groups=groups)
        names = list(dict.fromkeys(one.label for one in conditions))
        found = cases_frame(self.pairs, keep, names)
        if self._texts is None:
            return found
        texts = self._texts
        return with_evidence(
            found, label, texts.statements, texts.report_statements, texts.evidence
        )

    def statement_cases(self, change: str, statement: int, into: int | None = None) -> pl.DataFrame:
        """The ECGs behind a number of the statement tables: "deleted", "added" or "reworded"."""
        if self.edits is None:
            raise UsageError(
                "these are label columns without statements. Next step: give the folder of an "
                "extraction."
            )
        rows = self.edits.rows(change, statement, into)
        return self.pairs.ecgs.filter(pl.col(LABEL_ROW).is_in(rows.to_list()))

    def document(
        self,
        *,
        by: Sequence[By] = (),
        over: str | None = None,
        with_text: bool = False,
        detail: bool = False,
    ) -> Document:
        """The report as a value that ``overread.report`` writes in any format.

        ``by`` and ``over`` add groups and a trend, ``with_text`` statements in fewer than 11 ECGs,
        ``detail`` the long tables that files hold and pages do not.
        """
        from overread.discrepancy.document import document

        return document(self, by=by, over=over, with_text=with_text, detail=detail)

    def to_html(self, *, by: Sequence[By] = (), over: str | None = None) -> str:
        """The report as one HTML page."""
        from overread.report.page import to_html

        return to_html(self.document(by=by, over=over))

    def to_latex(self, *, by: Sequence[By] = (), over: str | None = None) -> str:
        """The report as a LaTeX document (booktabs)."""
        from overread.report.latex import to_latex

        return to_latex(self.document(by=by, over=over))

    def to_pandas(self) -> dict[str, pd.DataFrame]:
        """The tables of all ECGs as pandas frames, by name."""
        names = ("table_a1", "counts", "policies", "agreement", "flows", "hedges", "transitions")
        return {name: getattr(self, name).to_pandas() for name in names}

    @cached_property
    def _patient_ids(self) -> pl.Series | None:
        ecgs = self.pairs.ecgs
        if PATIENT not in ecgs.columns:
            return None
        patients = ecgs[PATIENT]
        if patients.dtype.is_float():
            patients = patients.fill_nan(None)
        patients = patients.cast(pl.String).str.strip_chars()
        patients = patients.set(patients == "", None)
        return patients if patients.is_not_null().any() else None

    def _agreement(self, held: Counts, keep: pl.Series | None) -> pl.DataFrame:
        return agreement_frame(
            self.labels,
            held,
            self._patients(keep),
            replicates=self.replicates,
            seed=self.seed,
            workers=self._workers,
        )

    def _patients(self, keep: pl.Series | None) -> Patients | None:
        patients = self._patient_ids
        if patients is None or (keep is not None and not keep.any()):
            return None
        if keep is None:
            return patients_of(self.cells, patients)
        return patients_of(self.cells[:, keep.to_numpy()], patients.filter(keep))


def discrepancy(
    labels: Source,
    expert: Frame | str | os.PathLike[str] | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    workers: int | None = None,
) -> Discrepancy:
    """Compares two readings of the same ECGs.

    ``labels`` is an extraction (the value of ``overread.extract`` or its folder), or a table with
    ``machine_<x>`` and ``expert_<x>`` columns of 1, 0, -1 and null; with ``expert``, two tables
    of 0/1 columns, joined by id, or row by row where neither has one. Any label names. Raises
    TableError, UsageError.

    >>> machine = pl.DataFrame({"af": [1, 1, 0, 0, 0]})
    >>> expert = pl.DataFrame({"af": [1, 0, 0, 1, 1]})
    >>> discrepancy(machine, expert).table_a1.row(0)
    ('af', 2, 3, 3, 100.0, 50.0)
    """
    pairs, texts = open_pairs(_plain(labels), _plain(expert))
    return Discrepancy(pairs, texts, replicates=replicates, seed=seed, workers=workers)


def _plain(source: Any) -> Any:
    """Paths as ``Path``, pandas and lazy frames as polars frames, the rest as it is."""
    if source is None or isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, str | os.PathLike):
        return Path(source)
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    if type(source).__module__.startswith("pandas"):
        return pl.from_pandas(source)
    return source
