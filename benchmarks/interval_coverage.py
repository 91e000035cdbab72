"""How often 95 % intervals hold the truth when patients have several ECGs.

    python benchmarks/interval_coverage.py --simulations 1000

Each patient has 1 to 12 ECGs (2.5 on average) and probabilities of their own for the four cells
(both, machine only, expert only, neither), drawn from a Dirichlet distribution with the given mean:
two ECGs of a patient are correlated by 1 / (1 + concentration), and the true statistics are those
of the mean. The logit and the percentile interval rest on the same 1,000 resamples of patients; the
last column takes each ECG for a patient of its own, as a naive analysis does.
"""

from __future__ import annotations

import argparse

import numpy as np

from overread.stats import agreement
from overread.stats.bootstrap import (
    cluster_cells,
    logit_interval,
    percentile_interval,
    resampled_cells,
)

# Name, function of the four cells, lower end of its scale.
STATISTICS = (
    ("kappa", agreement.cohen_kappa, -1.0),
    ("AC1", agreement.gwet_ac1, -1.0),
    ("sensitivity", lambda a, _b, c, _d: agreement.sensitivity(a, c), 0.0),
    ("PPV", lambda a, b, _c, _d: agreement.ppv(a, b), 0.0),
    ("difference", agreement.prevalence_difference, -1.0),
)
SCENARIOS = (  # patients, mean of the cells, concentration
    (500, (0.20, 0.03, 0.05, 0.72), 1.0),
    (200, (0.20, 0.03, 0.05, 0.72), 1.0),
    (2000, (0.02, 0.003, 0.005, 0.972), 1.0),
    (500, (0.90, 0.01, 0.02, 0.07), 1.0),
    (300, (0.20, 0.003, 0.004, 0.793), 1.0),
)


def simulated(patients: int, mean: tuple[float, ...], concentration: float, seed: int):
    """The cells (ECGs, 4) and the patient of each ECG."""
    random = np.random.default_rng([seed, patients])
    ecgs = np.minimum(random.geometric(0.4, patients), 12)
    own = random.dirichlet(np.array(mean) * concentration, patients)
    patient = np.repeat(np.arange(patients), ecgs)
    cell = (random.random(len(patient))[:, None] > np.cumsum(own[patient], 1)[:, :3]).sum(1)
    return np.eye(4, dtype=np.uint8)[cell], patient


def covered(
    patients: int,
    mean: tuple[float, ...],
    concentration: float,
    seed: int,
    replicates: int = 1000,
):
    """Per statistic and interval (logit, percentile, naive): 1 covered, 0 not, NaN no interval."""
    cells, patient = simulated(patients, mean, concentration, seed)
    out = np.full((len(STATISTICS), 3), np.nan)
    clustered = resampled_cells(*cluster_cells(cells, patient), replicates=replicates, seed=seed)
    naive = resampled_cells(*cluster_cells(cells), replicates=replicates, seed=seed)
    for i, (_, statistic, lowest) in enumerate(STATISTICS):
        truth, value = statistic(*mean), statistic(*cells.sum(0))
        for j, interval in enumerate(
            (
                logit_interval(statistic(*clustered.T), value, lowest=lowest),
                percentile_interval(statistic(*clustered.T)),
                logit_interval(statistic(*naive.T), value, lowest=lowest),
            )
        ):
            if not np.isnan(interval.low):
                out[i, j] = interval.low <= truth <= interval.high
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=1000)
    simulations = parser.parse_args().simulations
    print("coverage in % of simulations: logit, percentile, naive; simulations with logit limits")
    for patients, mean, concentration in SCENARIOS:
        print(f"{patients} patients, cells {mean}, concentration {concentration}", flush=True)
        runs = np.array(
            [covered(patients, mean, concentration, seed) for seed in range(simulations)]
        )
        for (name, _, _), run in zip(STATISTICS, np.moveaxis(runs, 1, 0), strict=True):
            logit, percentile, naive = 100 * np.nanmean(run, axis=0)
            known = np.count_nonzero(~np.isnan(run[:, 0]))
            print(f"  {name:12} {logit:5.1f} {percentile:5.1f} {naive:5.1f} {known:6}", flush=True)


if __name__ == "__main__":
    main()
