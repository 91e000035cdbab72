"""How often 95 % intervals hold the truth when patients have several ECGs.

    python benchmarks/interval_coverage.py --simulations 1000
    python benchmarks/interval_coverage.py --simulations 1000 --of scores

Each patient has 1 to 12 ECGs (2.5 on average). Intervals of counts: a patient has probabilities of
their own for the four cells (both, machine only, expert only, neither), drawn from a Dirichlet
distribution with the given mean: two ECGs of a patient are correlated by 1 / (1 + concentration),
and the true statistics are those of the mean. Intervals of scores: a patient has a probability of
their own for each of two labels, drawn from a beta distribution (concentration 1), and the scores
of two models share parts between the ECGs of a patient and between the models; true values are
those of 1.2 million other patients. The logit and the percentile interval rest on the same
resamples of patients; the last column takes each ECG for a patient of its own, as a naive analysis
does.
"""

from __future__ import annotations

import argparse

import numpy as np

from overread.evaluate.measure import measure
from overread.evaluate.scores import Evaluated, Scored
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


# Patients, how common labels are, how many standard deviations they raise the first model's score.
SCORES = (
    (500, (0.30, 0.10), (1.5, 2.0)),
    (2000, (0.02, 0.01), (2.0, 2.5)),
    (300, (0.10, 0.05), (3.5, 4.0)),
    (150, (0.10, 0.20), (1.5, 2.0)),
    (100, (0.90, 0.50), (1.0, 1.5)),
)
_POPULATION = 60_000


def scored(
    patients: int, common: tuple[float, ...], better: tuple[float, ...], seed: int, *, naive=False
) -> Evaluated:
    """Two models, the second a little better; ``naive``: every ECG is a patient."""
    random = np.random.default_rng([seed, patients])
    ecgs = np.minimum(random.geometric(0.4, patients), 12)
    patient = np.repeat(np.arange(patients), ecgs)
    shape = len(patient), len(common)
    mean = np.array(common)
    truth = random.random(shape) < random.beta(mean, 1 - mean, (patients, shape[1]))[patient]

    def noise(sd: float, kind: float) -> np.ndarray:
        """Normal noise of which a part is the patient's."""
        own = random.normal(0, kind, (patients, shape[1]))[patient]
        return own + random.normal(0, sd, shape)

    shared = noise(0.7, 0.7)
    models = tuple(
        Scored(f"model {number}", "score", "", "",
               (np.array(better) + 0.3 * number) * truth + shared + noise(0.7, 0.5))
        for number in range(2)
    )  # fmt: skip
    labels = tuple(f"label {number}" for number in range(len(common)))
    code = np.arange(len(patient)) if naive else patient
    return Evaluated(labels, labels, {"truth": truth.astype(np.int8)}, code, models)


def true_scores(scenario, populations: int = 20) -> np.ndarray:
    """Both models' AUROC and AUPRC by label and macro, (2, labels + 1, 2)."""
    found = [
        measure(scored(_POPULATION, *scenario[1:], 10**6 + number), replicates=1).values
        for number in range(populations)
    ]
    return np.mean(found, axis=0)


def covered_scores(scenario, true: np.ndarray, seed: int, replicates: int) -> np.ndarray:
    """(value or difference, labels and macro, AUROC and AUPRC, logit percentile naive)."""
    clustered = measure(scored(*scenario, seed), replicates=replicates, seed=seed)
    naive = measure(scored(*scenario, seed, naive=True), replicates=replicates, seed=seed)
    out = []
    for truth, bounds, samples in (
        (true[0], lambda m: m.bounds(0), clustered.samples[:, 0]),
        (true[1] - true[0], lambda m: m.difference(1, 0),
         clustered.samples[:, 1] - clustered.samples[:, 0]),
    ):  # fmt: skip
        limits = [bounds(clustered), percentile_interval(samples), bounds(naive)]
        out.append(np.stack([_holds(one, truth) for one in limits], -1))
    return np.array(out)


def _holds(limits, truth: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(limits.low), np.nan, (limits.low <= truth) & (truth <= limits.high))


def report_scores(simulations: int, replicates: int) -> None:
    """Prints the coverage of every scenario."""
    for scenario in SCORES:
        true = true_scores(scenario)
        runs = np.array(
            [covered_scores(scenario, true, seed, replicates) for seed in range(simulations)]
        )
        print(f"{scenario[0]} patients, labels {scenario[1]}, separation {scenario[2]}")
        for part, told in enumerate(("", "difference of ")):
            for metric, name in enumerate(("AUROC", "AUPRC")):
                for label in range(runs.shape[2]):
                    run = runs[:, part, label, metric]
                    shares = 100 * np.nanmean(run, axis=0)
                    known = np.count_nonzero(~np.isnan(run[:, 0]))
                    of = "macro" if label == runs.shape[2] - 1 else f"{scenario[1][label]:.2f}"
                    value = (true[0], true[1] - true[0])[part][label, metric]
                    print(
                        f"  {told + name:20} {of:>5} {value:6.3f}"
                        + "".join(f" {share:5.1f}" for share in shares) + f" {known:6}",
                        flush=True,
                    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--of", choices=("counts", "scores"), default="counts")
    parser.add_argument("--replicates", type=int, default=1000, help="resamples of scores")
    given = parser.parse_args()
    simulations = given.simulations
    print("coverage in % of simulations: logit, percentile, naive; simulations with logit limits")
    if given.of == "scores":
        report_scores(simulations, given.replicates)
        return
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
