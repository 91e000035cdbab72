"""One evaluation from runs to files: predictions, up to date, manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from overread.evaluate.api import By, Evaluation
from overread.evaluate.open import all_runs, open_model, open_truth, truth_of
from overread.evaluate.scores import align
from overread.files import fingerprint, output_folder
from overread.manifest import Manifest, inputs_of, versions
from overread.report.folder import file_names, replace_report, standing_report
from overread.report.table import Table
from overread.report.terminal import TerminalTable
from overread.report.write import Format, files

_COMMAND: Final = "evaluate"


def write_evaluation(
    runs: Sequence[Path],
    truth: Path | None,
    folder: Path,
    *,
    by: Sequence[By],
    split: str,
    formats: Sequence[Format],
    replicates: int,
    seed: int,
    workers: int | None,
    overwrite: bool,
    console: Console,
) -> None:
    """Evaluates runs, prints the main table and writes the report into a folder.

    Runs that were not predicted yet are predicted first. Raises OutputExists where the folder holds
    another evaluation and ``overwrite`` was not given.
    """
    opened = [open_model(run, overwrite=overwrite, console=console) for run in runs or all_runs()]
    models = [model for model, _ in opened]
    labels = open_truth(truth or truth_of(opened))
    planned = Manifest(
        command=_COMMAND,
        options={
            "runs": [model.name for model in models],
            "by": [list(one) if isinstance(one, tuple) else one for one in by],
            "split": split,
            "formats": list(formats),
            "replicates": replicates,
        },
        inputs=inputs_of(
            [fingerprint(path) for path in (*(f for m in models for f in m.files), *labels.files)]
        ),
        seed=seed,
    )
    folder = output_folder(folder)
    standing, up_to_date = standing_report(folder, planned, overwrite=overwrite)
    if up_to_date:
        console.print(f"up to date: {folder}", highlight=False)
        return
    splits = align(models, labels, by=by, split=split)
    for note in splits.notes:
        console.print(note, highlight=False)
    found = Evaluation(splits, replicates=replicates, seed=seed, workers=workers)
    texts = {format: found.document(detail=format in ("csv", "json")) for format in formats}
    written = dict(each for format, text in texts.items() for each in files(text, format))
    made = replace(
        planned,
        versions=versions("polars", "numpy", "scipy", "matplotlib"),
        counts={"ecgs": len(splits.test.patient)},
        labels=splits.test.labels,
    )
    replace_report(folder, written, made, standing, overwrite=overwrite)
    for table in _main_tables(found):
        console.print(TerminalTable(table))
    console.print(
        Text(f"\nwritten to {folder}: {file_names(written, next(iter(texts.values())).name)}"),
        soft_wrap=True,
    )


def _main_tables(found: Evaluation) -> list[Table]:
    """Table 1; where all runs only decide, how often they are right."""
    if found.only_decide and found.decisions is not None:
        return [item for item in found.decisions.items if isinstance(item, Table)]
    return [found.table_1]
