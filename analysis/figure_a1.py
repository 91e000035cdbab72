"""Figure A.1: from records to windows, labels and splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiment import Experiment, write_result

import overread
from overread.report.canvas import NORMAL, SMALL, axes_in, drawing_of
from overread.report.document import Document, Section
from overread.report.figure import Figure
from overread.report.palette import INK, MUTED
from overread.report.table import Table
from overread.signals.cohort import flow_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_STEP = 0.62  # inches from one box to the next
_BOX = 0.36
_WIDE = 2.6


def main() -> None:
    """Draws the flow of the corpus."""
    experiment = Experiment.from_command_line(__doc__)
    store = overread.open_store(experiment.store)
    table = flow_table(store)
    figure = Figure(
        "figure_a1",
        "From records to windows",
        f"Records of {experiment.about}; what was left out stands to the right of where.",
        "; ".join(f"{step}: {count:,}" for step, count in _steps(table)),
        lambda: _drawn(_steps(table)),
    )
    write_result(Document("Figure A.1", sections=(Section("Cohort", (), (figure, table)),)))


def _steps(table: Table) -> list[tuple[str, int]]:
    """Names and counts of all imports together, which the last column holds."""
    return [(str(row[0]), int(row[-1] or 0)) for row in table.rows]  # type: ignore[arg-type]


def _drawn(steps: list[tuple[str, int]]) -> Drawing:
    """Boxes one below the other, what leaves the flow beside the arrow, splits in one row."""
    kept = [each for each in steps if each[0][0] not in "-(" and " for " not in each[0]]
    kept = [each for each in kept if " from " not in each[0]]
    splits = [each for each in steps if " for " in each[0]]
    drawing = drawing_of(_STEP * (len(kept) + 1) + 0.2)
    axes = axes_in(drawing, 0.1, 0.1, 7.3, _STEP * (len(kept) + 1))
    axes.set_xlim(0, 7.3)
    axes.set_ylim(_STEP * (len(kept) + 1), 0)
    axes.axis("off")

    def box(x: float, row: int, text: str, width: float) -> None:
        from matplotlib.patches import Rectangle

        top = row * _STEP + 0.05
        axes.add_patch(Rectangle((x - width / 2, top), width, _BOX, fill=False, ec=INK, lw=0.8))
        axes.text(x, top + _BOX / 2, text, ha="center", va="center", fontsize=NORMAL, color=INK)

    def arrow(x: float, to: float, row: int) -> None:
        start, end = row * _STEP + 0.05 + _BOX, (row + 1) * _STEP + 0.05
        axes.annotate(
            "", (to, end), (x, start), arrowprops={"arrowstyle": "->", "color": INK, "lw": 0.8}
        )

    middle = 2.6
    for row, (name, count) in enumerate(kept):
        box(middle, row, f"{count:,} {name}", _WIDE)
        if row + 1 < len(kept):
            arrow(middle, middle, row)
            here, following = steps.index(kept[row]), steps.index(kept[row + 1])
            left = [f"{count:,} {name[2:]}" for name, count in steps[here + 1 : following] if count]
            axes.text(
                middle + _WIDE / 2 + 0.2,
                (row + 1) * _STEP,
                "\n".join(left),
                va="center",
                fontsize=SMALL,
                color=MUTED,
            )
    for at, (name, count) in enumerate(splits):
        x = middle + (at - (len(splits) - 1) / 2) * 1.7
        arrow(middle, x, len(kept) - 1)
        box(x, len(kept), f"{count:,} {name.removeprefix('windows for ')}", 1.5)
    return drawing


if __name__ == "__main__":
    main()
