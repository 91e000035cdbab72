"""One label's ECGs: those where it is known, and what they lack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from overread.evaluate.scores import Evaluated, Integers


def known(
    evaluated: Evaluated, model: int, label: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.floating[Any]], Integers]:
    """The main reader's 1 or 0, the run's score and the patient of the ECGs with a known label."""
    truth = evaluated.truth[evaluated.reader][:, label]
    at = truth >= 0
    return truth[at], evaluated.models[model].values[at, label], evaluated.patient[at]


def lacking(truth: npt.NDArray[np.int8]) -> str:
    """Why nothing can be chosen or fitted from known labels; "" where there are both kinds.

    >>> lacking(np.array([0, 0], np.int8))
    '0 positive'
    """
    if not len(truth):
        return "no ECG"
    return {(0,): "0 positive", (1,): "0 negative"}.get(tuple(np.unique(truth).tolist()), "")


def without(what: str, names: Sequence[str], lacks: Sequence[str]) -> tuple[str, ...]:
    """A note on the labels that lack something among the validation ECGs, if any does.

    >>> without("No threshold", ["AF", "RVH"], ["", "0 positive"])
    ('No threshold: RVH (0 positive in validation).',)
    """
    told = [f"{name} ({why} in validation)" for name, why in zip(names, lacks, strict=True) if why]
    return (f"{what}: {', '.join(told)}.",) if told else ()
