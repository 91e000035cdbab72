"""ROC and precision-recall curves of the runs: the mean of the labels, then label by label."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from overread.evaluate.known import lacking
from overread.evaluate.measure import Measures
from overread.evaluate.scores import Evaluated, Integers, Scored
from overread.evaluate.tables import READERS, macro, run_names
from overread.report.cells import shown
from overread.report.document import Section
from overread.report.evaluation_figures import Curve, Panel
from overread.report.evaluation_figures import curves as curves_figure
from overread.report.table import Column
from overread.stats.curves import RATES, RECALLS, Band, curves
from overread.stats.estimate import Floats, ratio
from overread.stats.operating import operating

#: Resamples for the bands; those of the areas are their own.
_BANDS: Final = 200
_AREAS: Final = tuple(Column(n, n, "number", digits=1, interval=True) for n in ("AUROC", "AUPRC"))
_TITLES: Final = ("ROC", "Precision-recall")
_SCALES: Final = (("1 − specificity", "Sensitivity"), ("Recall (sensitivity)", "Precision (PPV)"))

_TEXT: Final = (
    "Curves are read at fixed places and averaged over labels there, so that the area under a mean "
    "curve is the macro mean. Bands are pointwise 95% limits over patients. There is none where "
    "precision did not vary between resamples, and left of a recall of about 0.1 they are too "
    "narrow: few ECGs tell there. Dotted lines: a model that knows nothing. A dot is a run "
    "of decisions, which has no curve.",
)

#: Places and the curve there, NaN where it cannot be read; of decisions there is one place.
_Line = tuple[Floats, Band]


def section(measures: Measures, *, seed: int = 0, workers: int = 1) -> Section:
    """Macro ROC and precision-recall curves in one figure, then one of each for all labels.

    Where all runs are decisions, dots of single labels would say no more than their table.
    """
    evaluated = measures.evaluated
    names = run_names(evaluated)
    told = f"Against {READERS[evaluated.reader]}; bands from {_BANDS} resamples of patients."
    truth = evaluated.truth[evaluated.reader]
    known = measures.estimable(measures.row(0))
    lines = [_lines(evaluated, model, known, seed, workers) for model in evaluated.models]
    share = ratio((truth == 1).sum(0), (truth >= 0).sum(0))
    areas = [macro(measures, number) for number in range(len(names))]

    def panel(kind: int, at: int, title: str, detail: str, chance: float, why: str) -> Panel:
        drawn = [
            Curve(
                name,
                x.tolist(),
                band.value.tolist(),
                band.low.tolist(),
                band.high.tolist(),
                f"{_AREAS[kind].title} {shown(_AREAS[kind], area[kind])}" if at < 0 else "",
            )
            for name, area, model in zip(names, areas, lines, strict=True)
            for x, band in [model[kind][at]]
            if not np.isnan(band.value).all()
        ]
        line = (0.0, 1.0) if kind == 0 else (chance, chance)
        return Panel(title, detail, *_SCALES[kind], line, drawn, why)

    mean = float(share[known].mean()) if known.any() else 0.0
    many = f"mean of {np.count_nonzero(known)} of {len(known)} labels"
    figures = [
        curves_figure(
            [panel(kind, -1, _TITLES[kind], many, mean, "no label") for kind in (0, 1)],
            name="curves_macro",
            title="Mean ROC and precision-recall curves",
            caption=f"{told} Areas with 95% intervals in percent.",
        )
    ]
    row = measures.row(0)
    is_detailed = len(known) > 1 and any(model.kind != "decision" for model in evaluated.models)
    for kind in (0, 1) if is_detailed else ():
        panels = [
            panel(
                kind, at, name, f"{positive:,} of {n:,} ECGs", float(share[at]),
                f"n/a ({lacking(truth[truth[:, at] >= 0, at])})",
            )
            for at, (name, positive, n) in enumerate(zip(
                evaluated.names, measures.positives[row], measures.ecgs[row], strict=True
            ))
        ]  # fmt: skip
        figures.append(
            curves_figure(
                panels,
                name=("curves_roc", "curves_pr")[kind],
                title=f"{_TITLES[kind]} curves by label",
                caption=told,
            )
        )
    return Section("Curves", _TEXT, tuple(figures))


def _lines(
    evaluated: Evaluated,
    model: Scored,
    averaged: npt.NDArray[np.bool_],
    seed: int,
    workers: int,
) -> tuple[list[_Line], list[_Line]]:
    """The ROC and the precision-recall line of each label, and behind them the macro mean."""
    truth = evaluated.truth[evaluated.reader]
    if model.kind == "decision":
        return _dots(truth, model.values == 1, evaluated.patient, averaged, seed)
    roc, pr = curves(
        truth, model.values, evaluated.patient, averaged=averaged,
        replicates=_BANDS, seed=seed, workers=workers,
    )  # fmt: skip
    both = [
        [*((x, Band(*one)) for one in zip(*found.each, strict=True)), (x, found.macro)]
        for x, found in ((RATES, roc), (RECALLS, pr))
    ]
    return both[0], both[1]


def _dots(
    truth: npt.NDArray[np.int8],
    called: npt.NDArray[np.bool_],
    patient: Integers,
    averaged: npt.NDArray[np.bool_],
    seed: int,
) -> tuple[list[_Line], list[_Line]]:
    """Decisions as lines of one place; the macro mean has no limits of its own."""
    found = operating(truth, called, patient, replicates=_BANDS, seed=seed)
    out = []
    for x, y in ((1 - found.specificity.value, found.sensitivity),
                 (found.sensitivity.value, found.ppv)):  # fmt: skip
        # A label whose place is unknown on either scale has no dot.
        known = ~np.isnan(x + y.value)
        each = [
            (x[at : at + 1], Band(*(np.where(known, part, np.nan)[at : at + 1] for part in y)))
            for at in range(len(x))
        ]
        some = known & averaged
        mean = [np.array([part[some].mean() if some.any() else np.nan]) for part in (x, y.value)]
        out.append([*each, (mean[0], Band(mean[1], *(np.full(1, np.nan),) * 2))])
    return out[0], out[1]
