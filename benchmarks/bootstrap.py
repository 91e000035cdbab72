"""Speed and memory of the bootstrap of AUROC and AUPRC, beside scikit-learn in the same run.

    python benchmarks/bootstrap.py --ecgs 400000 --patients 160000

Labels are as common as the over-read's in the paper's Table A.1, scores normal and 1.5 to 3
standard deviations higher for ECGs with the label; every patient has one ECG, and some have many.
The baseline draws patients, weighs their ECGs and calls ``roc_auc_score`` and
``average_precision_score`` for each label: a few resamples are measured, and as many as ours
extrapolated from them. Point values and resamples of both are compared.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from overread.evaluate.measure import measure
from overread.evaluate.scores import Evaluated, Scored
from overread.stats.bootstrap import resampling_counts

#: Over-read ECGs with each label in the paper's Table A.1, of about 2.05 million.
_TABLE_A1 = (
    1848631, 137237, 59449, 144652, 43071, 205834, 50708, 9019, 315212, 42192, 246358, 179836,
    28908,
)  # fmt: skip
_OF = 2_050_000


def invented(ecgs: int, patients: int) -> Evaluated:
    """Scores of one model and labels; patients with many ECGs are few."""
    random = np.random.default_rng(0)
    weight = random.exponential(size=patients) ** 2
    more = random.choice(patients, max(0, ecgs - patients), p=weight / weight.sum())
    patient = random.permutation(np.append(np.arange(patients), more)[:ecgs])
    truth = random.random((ecgs, len(_TABLE_A1))) < np.array(_TABLE_A1) / _OF
    better = np.linspace(1.5, 3, len(_TABLE_A1))
    scores = (random.normal(size=truth.shape) + better * truth).astype(np.float32)
    labels = tuple(f"label_{at}" for at in range(len(_TABLE_A1)))
    model = Scored("model", "score", "", "", scores)
    return Evaluated(labels, labels, {"truth": truth.astype(np.int8)}, patient, (model,))


def scikit_learn(evaluated: Evaluated, counts: np.ndarray) -> np.ndarray:
    """AUROC and AUPRC (labels, 2) of one resample."""
    truth, scores = evaluated.truth["truth"], evaluated.models[0].values
    weight = counts[evaluated.patient]
    return np.array(
        [
            [metric(truth[:, at], scores[:, at], sample_weight=weight)
             for metric in (roc_auc_score, average_precision_score)]
            for at in range(truth.shape[1])
        ]
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ecgs", type=int, default=400_000)
    parser.add_argument("--patients", type=int, default=160_000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--measured", type=int, default=2, help="resamples of the baseline")
    given = parser.parse_args()

    evaluated = invented(given.ecgs, given.patients)
    before, began = time.perf_counter(), time.process_time()
    found = measure(evaluated, replicates=given.resamples, workers=given.workers)
    ours, busy = time.perf_counter() - before, time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    ones = np.ones(given.patients, np.int64)
    apart = np.abs(scikit_learn(evaluated, ones) - found.values[0, :-1]).max()
    before, began = time.perf_counter(), time.process_time()
    drawn = resampling_counts(given.patients, replicates=given.measured)
    slow = np.array([scikit_learn(evaluated, counts) for counts in drawn])
    each = (time.perf_counter() - before) / given.measured
    each_busy = (time.process_time() - began) / given.measured
    apart_drawn = np.abs(slow - found.samples[: given.measured, 0, :-1]).max()

    shape = f"{given.ecgs:,} x {len(_TABLE_A1)} scores, {given.patients:,} patients"
    print(f"{shape}, {given.resamples:,} resamples")
    print(f"{ours:.1f} s with {given.workers} threads, {busy:.1f} s of processor time")
    print(f"peak memory {memory:.1f} GiB")
    print(
        f"scikit-learn: {each:.2f} s per resample ({given.measured} measured), "
        f"{each * given.resamples:,.0f} s for all; ratio {each * given.resamples / ours:.0f}, of "
        f"processor time {each_busy * given.resamples / busy:.0f}"
    )
    print(f"largest distance of point values {apart:.1e}, of resamples {apart_drawn:.1e}")


if __name__ == "__main__":
    main()
