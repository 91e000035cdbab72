"""One ECG on paper, true to size: three rows of four leads and a rhythm strip, 25 mm/s, 10 mm/mV.

A landscape A4 page; printed at 100 % it can be measured with a ruler. PNG has 10 pixels to the
millimetre. The signal is drawn as it was recorded, sample by sample: nothing is filtered, resampled
or smoothed. As every recorder does, each lead is set on its own level (the median of what is
shown), because an electrode's offset is no ECG. What leaves its row is drawn over its neighbours,
and cut only at the edge of the grid.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.files import atomic_write
from overread.report.figure import Figure
from overread.sources.recording import Recording
from overread.tables import LEADS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

# Everything below is in millimetres unless it says otherwise.
PAGE: Final = (297.0, 210.0)
MM_PER_SECOND: Final = 25.0
MM_PER_MV: Final = 10.0
PIXELS_PER_INCH: Final = 254
SECONDS: Final = 10.0
SUFFIXES: Final = (".svg", ".png", ".pdf")

_INCH: Final = 25.4
_GRID: Final = (270.0, 180.0)
_GRID_AT: Final = (13.5, 14.0)  # its lower left corner on the page
_START: Final = 15.0  # time 0, from the left edge of the grid; the calibration pulse is before it
_BASELINES: Final = (155.0, 110.0, 65.0, 20.0)  # above the lower edge of the grid, on thick lines
_COLUMNS: Final = 4
_RHYTHM: Final = LEADS.index("II")
_FAR_MV: Final = 100.0  # a metre off the page, which no renderer minds

_THIN, _THICK, _TRACE = 0.1, 0.2, 0.3  # line widths
_FINE_GRID, _GRID_LINES, _INK = "#F7D3CF", "#E7A19A", "#101418"


def draw(
    recording: Recording,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    overwrite: bool = False,
) -> None:
    """Writes the ECG's first 10 s as SVG, PNG or PDF, by the suffix of ``path``.

    A shorter recording ends early, missing samples (NaN) are gaps. ``title`` stands above the grid;
    nothing that names the patient or the recording is on the page unless it is given. The same
    recording gives the same bytes. Raises ``UsageError`` for another suffix, ``OutputExists``.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"an ECG cannot be drawn as {suffix or 'a file without suffix'!r}. "
            f"Next step: one of {', '.join(SUFFIXES)}."
        )
    sheet = ecg_figure(recording, title=title)
    if suffix == ".svg":
        data = sheet.svg().encode()
    elif suffix == ".png":
        data = sheet.png(PIXELS_PER_INCH)
    else:
        data = sheet.pdf()
    atomic_write(path, data, overwrite=overwrite)


def ecg_figure(recording: Recording, *, title: str | None = None) -> Figure:
    """The page as a figure, for a web page or a report; see `draw`."""
    return Figure(
        name="ecg",
        title=title or "12-lead ECG",
        caption=_scale(recording),
        alt="12-lead ECG, three rows of four leads and lead II below as a rhythm strip",
        draw=lambda: _page(recording, title),
    )


def _scale(recording: Recording) -> str:
    seconds = recording.signal.shape[1] / recording.fs_hz
    shown = f"first {SECONDS:g} s of {seconds:.1f} s" if seconds > SECONDS else f"{seconds:.3g} s"
    scale = f"{MM_PER_SECOND:g} mm/s {MM_PER_MV:g} mm/mV"
    return f"{scale} · {recording.fs_hz:g} Hz, as recorded · {shown}"


def _page(recording: Recording, title: str | None) -> Drawing:
    from matplotlib.figure import Figure as Drawing

    page = Drawing(figsize=(PAGE[0] / _INCH, PAGE[1] / _INCH))
    corner = [at / size for at, size in zip(_GRID_AT, PAGE, strict=True)]
    extent = [length / size for length, size in zip(_GRID, PAGE, strict=True)]
    axes = page.add_axes((corner[0], corner[1], extent[0], extent[1]))
    axes.set(xlim=(0, _GRID[0]), ylim=(0, _GRID[1]))
    axes.axis("off")
    _draw_grid(axes)
    for row, baseline in enumerate(_BASELINES):
        _draw_pulse(axes, baseline)
        if row == len(_BASELINES) - 1:
            _draw_lead(axes, recording, _RHYTHM, 0, SECONDS, baseline)
            continue
        for column in range(_COLUMNS):
            start, end = (SECONDS / _COLUMNS * at for at in (column, column + 1))
            lead = row + column * (len(_BASELINES) - 1)
            _draw_lead(axes, recording, lead, start, end, baseline)
            if column:
                _draw_change(axes, start, baseline)
    page.text(corner[0], 8 / PAGE[1], _scale(recording), fontsize=9, color=_INK)
    if title:
        page.text(corner[0], 198 / PAGE[1], title, fontsize=11, color=_INK)
    return page


def _draw_grid(axes: Axes) -> None:
    for step, width, colour in ((1, _THIN, _FINE_GRID), (5, _THICK, _GRID_LINES)):
        upright = [((x, 0.0), (x, _GRID[1])) for x in np.arange(0, _GRID[0] + 1, step)]
        level = [((0.0, y), (_GRID[0], y)) for y in np.arange(0, _GRID[1] + 1, step)]
        _draw_lines(axes, upright + level, width, colour)


def _draw_pulse(axes: Axes, baseline: float) -> None:
    """1 mV for 0.2 s, which shows the scale on the paper itself."""
    up = baseline + MM_PER_MV
    x = _START - np.array([10.0, 7.5, 7.5, 2.5, 2.5, 1.0])
    _draw_trace(axes, x, np.array([baseline, baseline, up, up, baseline, baseline]))


def _draw_lead(
    axes: Axes, recording: Recording, lead: int, start: float, end: float, baseline: float
) -> None:
    """One lead from ``start`` to ``end`` seconds, with its name above where it starts."""
    fs_hz = recording.fs_hz
    # Both ends belong to the strip, so that it reaches from mark to mark.
    shown = slice(int(np.ceil(start * fs_hz)), int(end * fs_hz) + 1)
    signal = recording.signal[lead, : int(SECONDS * fs_hz) + 1].astype(np.float64)
    known = signal[np.isfinite(signal)]
    millivolts = signal[shown] - (np.median(known) if len(known) else 0.0)
    seconds = np.arange(shown.start, shown.start + len(millivolts)) / fs_hz
    _draw_trace(
        axes,
        _START + MM_PER_SECOND * seconds,
        baseline + MM_PER_MV * millivolts.clip(-_FAR_MV, _FAR_MV),
    )
    axes.text(
        _START + MM_PER_SECOND * start + 1.5,
        baseline + 13,
        LEADS[lead],
        fontsize=10,
        fontweight="bold",
        color=_INK,
    )


def _draw_change(axes: Axes, start: float, baseline: float) -> None:
    """Dashed, so that nobody takes the mark of a new lead for a pacemaker's spike."""
    x = _START + MM_PER_SECOND * start
    dashes = [((x, baseline + y), (x, baseline + y + 1.0)) for y in np.arange(-5.5, 5, 2)]
    _draw_lines(axes, dashes, _THICK, _INK)


def _draw_trace(axes: Axes, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Line

    line = Line(np.column_stack([x, y]))
    line.should_simplify = False  # every sample
    axes.add_patch(
        PathPatch(
            line,
            fill=False,
            edgecolor=_INK,
            linewidth=_points(_TRACE),
            joinstyle="round",
            capstyle="round",
            snap=False,
        )
    )


def _draw_lines(
    axes: Axes,
    lines: list[tuple[tuple[float, float], tuple[float, float]]],
    width: float,
    colour: str,
) -> None:
    """Straight lines as one path, on whole pixels where there are pixels."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Line

    codes = [Line.MOVETO, Line.LINETO] * len(lines)
    path = Line([point for line in lines for point in line], codes)
    axes.add_patch(
        PathPatch(path, fill=False, edgecolor=colour, linewidth=_points(width), snap=True)
    )


def _points(mm: float) -> float:
    return mm * 72 / _INCH
