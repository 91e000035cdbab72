"""Are the runs' scores probabilities? Calibration fitted on validation, judged on the test ECGs."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from overread.evaluate.known import known, lacking, without
from overread.evaluate.scores import Integers, Splits
from overread.evaluate.tables import READERS, cell, run_names
from overread.report.document import Section
from overread.report.evaluation_figures import Bin, Diagram, reliability_diagrams
from overread.report.figure import Figure
from overread.report.table import Cell, Column, Gap, Table
from overread.stats.calibration import (
    Logistic,
    brier,
    calibration_line,
    fit_logistic,
    log_odds,
    reliability,
)
from overread.stats.estimate import Floats

_TEXT: Final = (
    "Of the ECGs to which a run gives a probability of 0.3, three in ten should have the label. "
    "Training weighs rare labels up, and similarities to a text are no probabilities at all, so "
    "that each label gets a logistic curve, fitted on validation ECGs (log odds or similarity to "
    "label, with Platt's targets), and is judged on the test ECGs with it. "
    "It keeps the order of ECGs and with it AUROC and AUPRC, but where a fitted slope is below 0.",
    "Calibration in the large and slope are ideally 0 and 1. Below 0, probabilities are too high "
    "on the whole; a slope below 1 says that they are too extreme. The Brier score is the mean "
    "squared distance of probability and label; it depends on how common the label is. 95% "
    "intervals are over patients and take the fitted curve as given.",
)
#: Resamples for the limits of a bin, which rest on their standard deviation alone.
_BINS: Final = 200
_AS_GIVEN: Final = "There are no validation ECGs to fit on: probabilities are judged as given."
_NAME: Final = Column("label", "Diagnosis", "label")
_COUNTS: Final = (Column("ecgs", "ECGs", "count"), Column("positive", "Positive", "count"))
_FITTED: Final = (Column("intercept", "Fitted intercept", "number"),
                  Column("fitted_slope", "Fitted slope", "number"))  # fmt: skip
_JUDGED: Final = (
    Column("brier", "Brier score", "number", digits=4, interval=True),
    Column("in_the_large", "Calibration in the large", "number", interval=True),
    Column("slope", "Slope", "number", interval=True),
)


_NONE: Final = Gap("n/a")


class _Label(NamedTuple):
    """One label of one run: the test ECGs whose label is known, and their probabilities.

    Without ``probability`` nothing can be judged, and ``lacks`` says what validation lacks.
    ``given`` are the probabilities before calibration, where there were any.
    """

    truth: npt.NDArray[np.int8]
    patient: Integers
    fit: Logistic | None
    probability: Floats | None
    given: Floats | None
    lacks: str


def section(splits: Splits, *, seed: int = 0) -> Section | None:
    """A table and reliability diagrams of each run; None where no run has scores to judge."""
    test, validation = splits.test, splits.validation
    told = f"Against {READERS[test.reader]}."
    items: list[Table | Figure] = []
    for number, (name, model) in enumerate(zip(run_names(test), test.models, strict=True)):
        if model.kind == "decision" or (validation is None and model.kind != "probability"):
            continue
        labels = [_label(splits, number, at) for at in range(len(test.labels))]
        columns = (_NAME, *_COUNTS, *(_FITTED if validation else ()), *_JUDGED)
        rows = [
            (label_name, *_counted(one.truth), *(_line(one) if validation else ()), *_cells(one))
            for label_name, one in zip(test.names, labels, strict=True)
        ]
        items += [
            Table(
                f"calibration_{number}",
                f"Calibration of {name}",
                columns,
                tuple(rows),
                (told, *without("No fit", test.names, [one.lacks for one in labels])),
            ),
            reliability_diagrams(
                [
                    _diagram(label_name, one, seed)
                    for label_name, one in zip(test.names, labels, strict=True)
                ],
                name=f"calibration_{number}_diagrams",
                title=f"Reliability of {name}",
                caption=f"{told} Bins of a tenth; intervals are over patients, and bars count "
                "ECGs on a logarithmic scale.",
            ),
        ]
    text = _TEXT if validation else (*_TEXT[1:], _AS_GIVEN)
    return Section("Calibration", text, tuple(items)) if items else None


def _label(splits: Splits, model: int, at: int) -> _Label:
    truth, scores, patient = known(splits.test, model, at)
    is_probability = splits.test.models[model].kind == "probability"
    given = scores.astype(np.float64) if is_probability else None
    if splits.validation is None:
        return _Label(truth, patient, None, scores.astype(np.float64), None, "")
    chosen, fitted_on, _ = known(splits.validation, model, at)
    scale = log_odds if is_probability else np.asarray
    fit = fit_logistic(chosen, scale(fitted_on))
    if fit is None:
        lacks = lacking(chosen) or "scores all the same"
        return _Label(truth, patient, None, None, given, lacks)
    return _Label(truth, patient, fit, fit.probability(scale(scores)), given, "")


def _counted(truth: npt.NDArray[np.int8]) -> tuple[int, int]:
    return len(truth), int((truth == 1).sum())


def _line(one: _Label) -> tuple[Cell, Cell]:
    return (_NONE, _NONE) if one.fit is None else one.fit


def _cells(one: _Label) -> list[Cell]:
    """Brier score, calibration in the large and slope."""
    if one.probability is None:
        return [_NONE] * 3
    line = calibration_line(one.truth, one.probability, one.patient)
    why = f"n/a ({lacking(one.truth) or 'labels set wholly apart'})"
    estimates = brier(one.truth, one.probability, one.patient), *line
    return [
        cell(float(value), float(low), float(high), why, column.digits)
        for (value, _, low, high), column in zip(estimates, _JUDGED, strict=True)
    ]


def _diagram(name: str, one: _Label, seed: int) -> Diagram:
    n, positive = _counted(one.truth)
    detail = f"{positive:,} of {n:,} ECGs"
    if one.probability is None or not n:
        return Diagram(
            name,
            detail,
            (),
            why=f"n/a ({one.lacks} in validation)" if one.lacks else "n/a (no ECG)",
        )
    found = reliability(one.truth, one.probability, one.patient, replicates=_BINS, seed=seed)
    held = np.flatnonzero(found.n)
    shown = (found.predicted, *found.observed, found.n)
    bins = [Bin(*(part[at].item() for part in shown)) for at in held]
    before: list[tuple[float, float]] = []
    if one.given is not None:
        raw = reliability(one.truth, one.given)
        before = [(raw.predicted[at], raw.observed.value[at]) for at in np.flatnonzero(raw.n)]
    return Diagram(name, detail, bins, before)
