"""Macro AUROC and AUPRC of models trained with several settings, as a figure and as its data."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiment import Experiment, write_result

import overread
from overread.report.canvas import NORMAL, SMALL, axes_in, drawing_of, ticks
from overread.report.document import Document, Section
from overread.report.figure import Figure
from overread.report.palette import ADDED, MUTED
from overread.report.table import Column, Estimate, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_METRICS = (
    Column("auroc", "Macro AUROC, %", "number", digits=1, interval=True),
    Column("auprc", "Macro AUPRC, %", "number", digits=1, interval=True),
)
_SHIFT = 0.12  # between the dots of two seeds


def write_comparison(
    experiment: Experiment, settings: Mapping[str, Sequence[Path]], *, title: str, axis: str
) -> None:
    """Tests the models of every setting, one for each seed, on expert labels; writes the result.

    ``axis`` says what the names of the settings are.
    """
    runs = [run for trained in settings.values() for run in trained]
    found = overread.evaluate(runs, experiment.labels)
    values = {
        (setting, seed): found.macro(run.name)
        for setting, trained in settings.items()
        for seed, run in enumerate(trained)
    }
    columns = (Column("setting", axis, "label"), Column("seed", "Seed", "count"), *_METRICS)
    rows = tuple((*key, *macro) for key, macro in values.items())
    table = Table("macro", title, columns, rows, found.table_1.notes)
    caption = (
        f"{experiment.about}; expert labels of the test split; a dot per training seed with its "
        "95% interval over patients."
    )
    said = "; ".join(f"{name}, seed {seed}" for name, seed in values)
    name = Path(sys.argv[0]).stem
    figure = Figure(
        name, title, caption, f"Dots with intervals for {said}.", lambda: _drawn(rows, axis)
    )
    write_result(Document(title, sections=(Section(experiment.about, (), (figure, table)),)))


def _drawn(rows: Sequence[tuple[object, ...]], axis: str) -> Drawing:
    """A panel per metric, settings from left to right, seeds beside each other."""
    names = list(dict.fromkeys(str(row[0]) for row in rows))
    drawing = drawing_of(2.9)
    for panel, column in enumerate(_METRICS):
        axes = axes_in(drawing, 0.55 + 3.75 * panel, 0.35, 3.1, 1.95)
        for name, seed, *macro in rows:
            cell = macro[panel]
            if not isinstance(cell, Estimate):
                continue
            x = names.index(str(name)) + _SHIFT * int(str(seed))
            axes.plot((x, x), (cell.low, cell.high), color=ADDED, linewidth=1.4)
            axes.plot(x, cell.value, "o", color=ADDED, markersize=4.5)
        axes.set_xlim(-0.5, len(names) - 0.5)
        ticks(axes, "y", column)
        axes.set_xticks(range(len(names)), names, fontsize=SMALL)
        axes.set_xlabel(axis, fontsize=SMALL, color=MUTED)
        axes.set_title(column.title, fontsize=NORMAL, color=MUTED, loc="left")
    return drawing
