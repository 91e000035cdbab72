"""``overread.evaluate``: how good runs are, from Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from rich.console import Console

from overread.errors import UsageError
from overread.evaluate import calibrated, curves, decisions, document, tables
from overread.evaluate.measure import Measures, measure
from overread.evaluate.open import all_runs, open_model, open_truth, truth_of
from overread.evaluate.scores import Splits, align
from overread.report.document import Document, Section
from overread.report.table import Estimate, Gap, Table

#: A grouping: a column, or a column with the lower limits of its bands.
By = str | tuple[str, Sequence[float]]


class Evaluation:
    """Runs against the labels of readers; figures are made when they are asked for.

    Intervals come from resamples of patients; ``seed`` and ``workers`` steer them, and workers do
    not change them.
    """

    def __init__(
        self, splits: Splits, *, replicates: int = 1000, seed: int = 0, workers: int | None = None
    ) -> None:
        if replicates < 1:
            raise UsageError(f"replicates is {replicates}. Next step: give 1,000 or so.")
        #: The ECGs of the split that is judged, and those of validation.
        self.splits = splits
        self._replicates, self._seed = replicates, seed
        self._workers = workers or os.cpu_count() or 1

    @cached_property
    def measures(self) -> Measures:
        """AUROC and AUPRC of every run, reader, group and label, with all their resamples."""
        return measure(
            self.splits.test, replicates=self._replicates, seed=self._seed, workers=self._workers
        )

    @property
    def table_1(self) -> Table:
        """Runs side by side against the expert's labels, or those of the one reader there is."""
        return document.table_1(self.measures)

    @property
    def table_2(self) -> Table | None:
        """Training on machine and on expert labels; None without such runs of one paradigm."""
        pairs = tables.trained_pairs(self.splits.test)
        return tables.trained_table(self.measures, *pairs[0], name="table2") if pairs else None

    def macro(self, run: str) -> tuple[Estimate | Gap, Estimate | Gap]:
        """Macro AUROC and AUPRC of a run by its name, in percent."""
        names = [model.name for model in self.splits.test.models]
        if run not in names:
            raise UsageError(f"there is no run {run!r}. Next step: one of {', '.join(names)}.")
        return tables.macro(self.measures, names.index(run))

    @cached_property
    def curves(self) -> Section:
        """ROC and precision-recall curves."""
        return curves.section(self.measures, seed=self._seed, workers=self._workers)

    @cached_property
    def decisions(self) -> Section | None:
        """Sensitivity, specificity, PPV and F1 at thresholds chosen on validation ECGs.

        None without validation ECGs, unless a run is decisions already.
        """
        return decisions.section(self.splits, replicates=self._replicates, seed=self._seed)

    @cached_property
    def calibration(self) -> Section | None:
        """Reliability of probabilities; None where no run has any or can be given some."""
        return calibrated.section(self.splits, seed=self._seed)

    @property
    def only_decide(self) -> bool:
        """Whether all runs are 0/1 decisions, which rank nothing."""
        return all(model.kind == "decision" for model in self.splits.test.models)

    def document(self, *, detail: bool = False) -> Document:
        """The whole report; ``detail`` adds the table of every single figure, for files."""
        return document.document(self, detail=detail)


def evaluate(
    runs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    truth: str | os.PathLike[str] | None = None,
    *,
    by: Sequence[By] = (),
    split: str = "test",
    replicates: int = 1000,
    seed: int = 0,
    workers: int | None = None,
) -> Evaluation:
    """Evaluates runs on the ECGs of a split.

    A run is the folder of a training run (predicted first, unless that was done), a folder of
    predictions, or a table of scores or 0/1 decisions with any label names; without any, all runs
    under overread-out. ``truth`` is the folder of an extraction or a table of labels, by default
    what the runs were trained with. Raises TableError, UsageError.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "net.csv").write_text("id,af\\n1,0.9\\n2,0.4\\n3,0.6\\n4,0.1\\n")
    >>> _ = (folder / "truth.csv").write_text("id,af\\n1,1\\n2,0\\n3,0\\n4,1\\n")
    >>> found = evaluate([folder / "net.csv"], folder / "truth.csv", replicates=100)
    >>> float(found.measures.values[0, 0, 0])
    0.5
    """
    quiet = Console(quiet=True)
    given = [runs] if isinstance(runs, str | os.PathLike) else runs
    paths = [Path(run) for run in given] or all_runs()
    opened = [open_model(path, overwrite=False, console=quiet) for path in paths]
    labels = open_truth(Path(truth) if truth is not None else truth_of(opened))
    splits = align([model for model, _ in opened], labels, by=by, split=split)
    return Evaluation(splits, replicates=replicates, seed=seed, workers=workers)
