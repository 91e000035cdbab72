"""How far machine and expert agree on each label: coefficients, intervals, tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.discrepancy.counts import Counts
from overread.discrepancy.pair import BOTH, EXPERT_ONLY, MACHINE_ONLY, NEITHER, OUT, Codes
from overread.stats import agreement as of
from overread.stats.bootstrap import cluster_cells, logit_interval, resampled_cells
from overread.stats.multiplicity import benjamini_hochberg
from overread.stats.paired import clustered_mcnemar, mcnemar, paired_difference
from overread.stats.proportions import Interval, clopper_pearson, wilson
from overread.tables import LABEL

Floats = npt.NDArray[np.float64]

_FEW: Final = 30  # below this Wilson and the bootstrap cover too little, Clopper-Pearson does not
#: Shares of the ECGs that are BOTH or this.
_SHARES: Final = {"sensitivity": EXPERT_ONLY, "ppv": MACHINE_ONLY}
_FROM_MINUS_ONE: Final = ("kappa", "pabak", "ac1", "difference")

#: Statistics of the four counts, in the order of the columns of `agreement_frame`.
_STATISTICS: Final[dict[str, Callable[[Floats, Floats, Floats, Floats], Floats]]] = {
    "kappa": of.cohen_kappa,
    "pabak": of.pabak,
    "ac1": of.gwet_ac1,
    "positive_agreement": lambda a, b, c, _: of.positive_agreement(a, b, c),
    "negative_agreement": lambda _, b, c, d: of.negative_agreement(b, c, d),
    "sensitivity": lambda a, _, c, __: of.sensitivity(a, c),
    "ppv": lambda a, b, _, __: of.ppv(a, b),
    "difference": of.prevalence_difference,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Patients:
    """The counts of each patient, equal patients merged: what the bootstrap draws from.

    ``patterns`` is distinct sums x labels x 4, ``multiplicity`` the number of patients with each.
    """

    patterns: Counts
    multiplicity: npt.NDArray[np.int64]


def patients_of(cells: Codes, patient_ids: pl.Series) -> Patients:
    """Sums the cells (labels x ECGs) of each patient; an ECG without patient id is its own."""
    rows = np.arange(cells.shape[1])
    patients = patient_ids.cast(pl.Categorical).to_physical().cast(pl.Int64)
    # Codes below 0 are refused: an ECG without patient gets one that no patient has.
    known = patients.fill_null(-1).to_numpy()
    codes = np.where(known < 0, known.max(initial=0) + 1 + rows, known)
    one_hot = np.zeros((cells.shape[1], len(cells) * OUT), np.uint8)
    for number, row in enumerate(cells):
        counted = row < OUT
        one_hot[rows[counted], number * OUT + row[counted]] = 1
    patterns, multiplicity = cluster_cells(one_hot, codes)
    return Patients(patterns.reshape(-1, len(cells), OUT), multiplicity)


def agreement_frame(
    labels: tuple[str, ...],
    counts: Counts,
    patients: Patients | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    workers: int = 1,
) -> pl.DataFrame:
    """Agreement per label with 95 % limits; ``counts`` is labels x 4.

    Columns: label, n; kappa, pabak, ac1, positive_agreement, negative_agreement, sensitivity, ppv
    (of the machine against the over-read) and difference (expert's share less the machine's), each
    with ``_low`` and ``_high``; z, p (McNemar) and q (Benjamini-Hochberg over the labels). Null
    where nothing can be estimated.

    With ``patients`` limits are those of a bootstrap over patients (`logit_interval`) and z is the
    clustered one; without, they are those for one ECG per patient: large-sample ones of kappa and
    AC1, Wilson's, Bonett and Price's, and p is McNemar's mid-p. Shares of fewer than 30 ECGs, of
    none and of all have Clopper-Pearson limits either way. Where nothing varies, as where no ECG
    differs, a coefficient has no limits: nothing tells how sure it is.
    """
    cells = [counts[:, at].astype(np.float64) for at in (BOTH, MACHINE_ONLY, EXPERT_ONLY, NEITHER)]
    values = {name: statistic(*cells) for name, statistic in _STATISTICS.items()}
    if patients is None:
        limits = _single_limits(counts)
        z, p = mcnemar(cells[MACHINE_ONLY], cells[EXPERT_ONLY])
    else:
        limits = _bootstrap_limits(values, patients, replicates, seed, workers)
        change = patients.patterns[:, :, EXPERT_ONLY] - patients.patterns[:, :, MACHINE_ONLY]
        z, p = clustered_mcnemar(change, patients.multiplicity)
    p = np.where(counts.sum(axis=1) > 0, p, np.nan)  # no ECG is no test, and q must not count it
    for name, (low, high) in limits.items():
        if name not in _SHARES:
            # Nothing varies, so that nothing tells how sure the value is.
            limits[name][:, low == high] = np.nan
    _exact_where_few(counts, patients, limits)
    columns: dict[str, npt.NDArray[np.float64]] = {}
    for name, value in values.items():
        columns[name] = value
        if name in limits:
            columns[f"{name}_low"], columns[f"{name}_high"] = limits[name]
    columns |= {"z": z, "p": p, "q": benjamini_hochberg(p)}
    frame = pl.DataFrame({LABEL: list(labels), "n": counts.sum(axis=1), **columns})
    return frame.fill_nan(None)


def with_q_of(frame: pl.DataFrame, labels: Sequence[str]) -> pl.DataFrame:
    """The frame with q over these labels alone: over all, it may be made of a hidden label's p."""
    p = frame.select(pl.when(pl.col(LABEL).is_in(list(labels))).then("p")).to_series()
    q = benjamini_hochberg(p.fill_null(float("nan")).to_numpy())
    return frame.with_columns(q=pl.Series(q).fill_nan(None))


def _single_limits(counts: Counts) -> dict[str, Floats]:
    """Limits (2 x labels) for one ECG per patient."""
    both, machine, expert = counts[:, BOTH], counts[:, MACHINE_ONLY], counts[:, EXPERT_ONLY]
    square = counts.reshape(-1, 2, 2)  # both, machine only; expert only, neither
    n = counts.sum(axis=1)
    kappa, ac1 = of.kappa_estimate(square), of.ac1_estimate(square)
    difference = paired_difference(machine, expert, n)
    agreed = _wilson(both + counts[:, NEITHER], n)
    return {
        "kappa": np.stack([kappa.low, kappa.high]),
        "pabak": 2 * agreed - 1,
        "ac1": np.stack([ac1.low, ac1.high]),
        "sensitivity": _wilson(both, both + expert),
        "ppv": _wilson(both, both + machine),
        "difference": np.stack([difference.low, difference.high]),
    }


def _bootstrap_limits(
    values: Mapping[str, Floats], patients: Patients, replicates: int, seed: int, workers: int
) -> dict[str, Floats]:
    patterns = patients.patterns.reshape(len(patients.multiplicity), -1)
    drawn = (
        resampled_cells(
            patterns, patients.multiplicity, replicates=replicates, seed=seed, workers=workers
        )
        .astype(np.float64)
        .reshape(replicates, -1, OUT)
    )
    cells = [drawn[:, :, at] for at in (BOTH, MACHINE_ONLY, EXPERT_ONLY, NEITHER)]
    out = {}
    for name, statistic in _STATISTICS.items():
        lowest = -1.0 if name in _FROM_MINUS_ONE else 0.0
        interval = logit_interval(statistic(*cells), values[name], lowest=lowest)
        out[name] = np.stack([interval.low, interval.high])
    return out


def _exact_where_few(counts: Counts, patients: Patients | None, limits: dict[str, Floats]) -> None:
    """Clopper-Pearson limits for shares of few ECGs, and of none or all, which do not resample.

    Of several ECGs of one patient none tells more than the first, so patients are what is counted.
    """
    for name, other in _SHARES.items():
        hits, n = counts[:, BOTH], counts[:, BOTH] + counts[:, other]
        size = n
        if patients is not None:
            held = patients.patterns[:, :, [BOTH, other]].any(axis=2)
            size = patients.multiplicity @ held
        for at in np.flatnonzero((n < _FEW) | (hits == 0) | (hits == n)):
            scaled = hits[at] * size[at] / max(n[at], 1)
            limits[name][:, at] = clopper_pearson(scaled, size[at]) or _NONE


def _wilson(hits: npt.NDArray[np.int64], n: npt.NDArray[np.int64]) -> Floats:
    pairs = [wilson(h, m) or _NONE for h, m in zip(hits.tolist(), n.tolist(), strict=True)]
    return np.array(pairs, np.float64).T.reshape(2, -1)


_NONE: Final = Interval(float("nan"), float("nan"))
