"""Do 95 % intervals hold the truth when patients have several ECGs? By simulation."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "interval_coverage.py"


def coverage(simulations: int, replicates: int) -> tuple[np.ndarray, list[str]]:
    """Share of intervals (logit, percentile, naive) that hold the truth, per statistic."""
    module = runpy.run_path(str(BENCHMARK))
    scenario = module["SCENARIOS"][0]
    runs = [module["covered"](*scenario, seed, replicates) for seed in range(simulations)]
    return np.mean(runs, axis=0), [name for name, _, _ in module["STATISTICS"]]


def test_s06_clustered_intervals_cover_and_naive_ones_do_not():
    found, _ = coverage(60, 200)
    # 95 % of 60 less three standard errors; a naive interval forgets that ECGs are alike.
    assert (found[:, 0] >= 0.86).all()
    assert (found[:, 2] < found[:, 0]).all()
    assert found[:, 2].mean() < 0.88


@pytest.mark.slow
def test_s06_coverage_is_93_to_97_percent():
    found, names = coverage(1000, 1000)
    outside = {n: c for n, c in zip(names, found[:, 0], strict=True) if not 0.93 <= c <= 0.97}
    assert outside == {}


def coverage_of_scores(simulations: int, replicates: int, populations: int) -> np.ndarray:
    """(value or difference, labels and macro, AUROC and AUPRC, logit percentile naive)."""
    module = runpy.run_path(str(BENCHMARK))
    scenario = module["SCORES"][0]
    true = module["true_scores"](scenario, populations)
    runs = [module["covered_scores"](scenario, true, seed, replicates)
            for seed in range(simulations)]  # fmt: skip
    return np.mean(runs, axis=0)


def test_s06_intervals_of_auroc_and_auprc_cover_and_naive_ones_do_not():
    found = coverage_of_scores(60, 100, 2)
    assert (found[..., 0] >= 0.86).all()
    assert found[0, ..., 2].mean() < 0.91


@pytest.mark.slow
def test_s06_coverage_of_auroc_and_auprc_is_93_to_97_percent():
    found = coverage_of_scores(1000, 400, 20)[..., 0]
    assert ((found >= 0.93) & (found <= 0.97)).all(), found
