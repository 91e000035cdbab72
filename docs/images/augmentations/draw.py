"""Draws the pictures of this folder: python -P docs/images/augmentations/draw.py

Each shows the first ECG of the synthetic corpus of seed 3, grey, and a view of it, seed 1, by the
code that training uses. The same versions of torch and matplotlib give the same bytes.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from overread.report.figure import Figure
from overread.report.palette import ADDED, REMOVED
from overread.signals.preprocess import filter_windows
from overread.signals.synth import chunks, signals_of
from overread.tables import LEADS

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

FOLDER = Path(__file__).parent
CORPUS_SEED = 3
VIEW_SEED = 1

_BEFORE = "#9AA3AC"

Leads = np.ndarray  # (12, 2500), millivolts


def views() -> dict[str, Leads]:
    """The ECG, filtered as in a store, and its views; those of one step of the strong view, too."""
    import torch

    from overread.train import augment

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(VIEW_SEED)

    ecg = filter_windows(signals_of(next(chunks(1, seed=CORPUS_SEED)))).signals[0] / np.float32(
        1000
    )
    given = torch.from_numpy(ecg[None])
    unit = given.std(2, keepdim=True)
    samples = ecg.shape[1]
    times = augment.warped_times(1, samples, generator())[0].numpy()
    return {
        "before": ecg,
        "weak": augment.weak(given, generator(), unit)[0].numpy(),
        "strong": augment.strong(given, generator(), unit)[0].numpy(),
        "strong-time": np.array([np.interp(times, np.arange(samples), lead) for lead in ecg]),
        "strong-gaps": np.where(augment.gaps(1, samples, generator()).numpy(), 0, ecg),
        "strong-leads": ecg * augment.kept_leads(1, generator()).numpy().T,
    }


def strips(
    before: Leads, view: Leads, names: tuple[str, ...], seconds: float, columns: int
) -> Drawing:
    """Leads above each other; lost ones in another colour."""
    from matplotlib.figure import Figure as Drawing

    rows = len(names) // columns
    page = Drawing(figsize=(7.2, 0.15 + 0.62 * rows))
    time = np.arange(int(seconds * 250)) / 250
    for number, name in enumerate(names):
        column, row = divmod(number, rows)
        axes = page.add_axes(
            (0.01 + column / columns, 1 - (row + 1) / rows, 0.98 / columns, 1 / rows)
        )
        axes.axis("off")
        axes.set(xlim=(-0.03 * seconds, seconds), ylim=(-0.9, 1.9))
        one, other = (each[LEADS.index(name), : len(time)] for each in (before, view))
        lost = other.std() < 0.05 * one.std()
        axes.plot(time, one, color=_BEFORE, linewidth=0.9, clip_on=False)
        axes.plot(time, other, color=REMOVED if lost else ADDED, linewidth=0.8, clip_on=False)
        axes.text(-0.03 * seconds, 0.5, name, fontsize=8, fontweight="bold")
    return page


#: Leads, seconds, columns.
PICTURES = {
    "weak": (("II", "V2"), 3.0, 1),
    "strong-time": (("II",), 10.0, 1),
    "strong-gaps": (("II", "V2"), 10.0, 1),
    "strong-leads": (LEADS, 2.5, 2),
    "strong": (LEADS, 5.0, 2),
}


def main() -> None:
    made = views()
    for name, shape in PICTURES.items():
        drawing = partial(strips, made["before"], made[name], *shape)
        (FOLDER / f"{name}.png").write_bytes(Figure(name, name, "", "", drawing).png(110))


if __name__ == "__main__":
    main()
