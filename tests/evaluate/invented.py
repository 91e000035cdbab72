"""Splits of invented ECGs: runs whose worth is known, labels that some or all ECGs lack."""

from __future__ import annotations

import numpy as np

from overread.evaluate.scores import Evaluated, Kind, Scored, Splits

LABELS = ("af", "lbbb", "rvh")
NAMES = ("Atrial Fibrillation", "LBBB", "RVH")


def evaluated(seed: int, ecgs: int = 600, *, rvh: float = 0.2, **runs: Kind) -> Evaluated:
    """Three labels, the third as common as ``rvh`` says; a tenth of the second is unknown.

    Probabilities are those of a net that weighs positives ten times; similarities are small.
    """
    random = np.random.default_rng(seed)
    truth = (random.random((ecgs, 3)) < (0.3, 0.2, rvh)).astype(np.int8)
    z = 1.5 * truth + random.standard_normal(truth.shape)
    truth[random.random(ecgs) < 0.1, 1] = -1
    patient = np.unique(random.integers(0, ecgs // 2, ecgs), return_inverse=True)[1]
    values = {
        "probability": 1 / (1 + np.exp(-(2 * z + np.log(10) - 2))),
        "similarity": 0.1 + z / 50,
        "score": z,
        "decision": z > 1,
    }
    models = tuple(
        Scored(name, kind, "", "", values[kind].astype(np.float32)) for name, kind in runs.items()
    )
    return Evaluated(LABELS, NAMES, {"expert": truth}, patient.astype(np.int64), models)


def splits(*, validation: bool = True, rvh: float = 0.2, **runs: Kind) -> Splits:
    """Test ECGs with every label, validation ECGs with as much RVH as told."""
    fitted = evaluated(2, rvh=rvh, **runs) if validation else None
    return Splits(evaluated(1, **runs), fitted, ())
