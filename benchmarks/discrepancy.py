"""Speed and memory of ``overread.discrepancy``, beside pandas and scikit-learn in the same run.

    python benchmarks/discrepancy.py --ecgs 2000000 --patients 700000

The ECGs are invented: each label has the machine's count, additions and removals of the paper's
Table A.1 in proportion, laid out at random; every patient has one ECG, and some have many. The
baseline makes the same counts with ``pandas.crosstab``, kappa with scikit-learn's
``cohen_kappa_score`` and flows as a product of two frames; its bootstrap draws patients, gathers
the rows of their ECGs and counts anew: a few resamples are measured, 1,000 extrapolated from them.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl
from sklearn.metrics import cohen_kappa_score

import overread
from overread.discrepancy import flows
from overread.discrepancy.agreement import agreement_frame, patients_of
from overread.discrepancy.counts import count_cells, counts_frame

#: Table A.1 of the paper: machine, added, removed; of about 2.05 million ECGs.
_TABLE_A1 = {
    "sinus_rhythm": (1826249, 33115, 10733),
    "rbbb": (130380, 8562, 1705),
    "lbbb": (52687, 9220, 2458),
    "atrial_fibrillation": (148971, 10768, 15087),
    "atrial_flutter": (25566, 21847, 4342),
    "left_axis_deviation": (198282, 10053, 2501),
    "right_axis_deviation": (37367, 17362, 4021),
    "right_superior_axis_deviation": (5090, 4710, 781),
    "lvh": (270853, 54387, 10028),
    "rvh": (13157, 30307, 1272),
    "anterior_mi": (290263, 35412, 79317),
    "inferior_mi": (179658, 27360, 27182),
    "posterior_mi": (7183, 23880, 2155),
}
_OF = 2_050_000


def label_table(ecgs: int, patients: int) -> pl.DataFrame:
    """Labels of both readings and a patient id; patients with many ECGs are few."""
    random = np.random.default_rng(0)
    weight = random.exponential(size=patients) ** 2
    more = random.choice(patients, max(0, ecgs - patients), p=weight / weight.sum())
    patient = random.permutation(np.append(np.arange(patients), more)[:ecgs])
    columns: dict[str, np.ndarray | pl.Series] = {"patient_id": pl.Series(patient).cast(pl.String)}
    for label, (machine, added, removed) in _TABLE_A1.items():
        drawn = random.random(ecgs)
        limits = np.cumsum([machine - removed, removed, added]) / _OF
        cell = np.searchsorted(limits, drawn, side="right")  # both, removed, added, neither
        columns[f"machine_{label}"] = (cell < 2).astype(np.int8)
        columns[f"expert_{label}"] = np.isin(cell, (0, 2)).astype(np.int8)
    return pl.DataFrame(columns)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak() -> float:
    """Peak resident memory of this process so far in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def baseline_counts(table: pd.DataFrame) -> None:
    """Counts, kappa and flows, as a person would write them."""
    removed, added = pd.DataFrame(), pd.DataFrame()
    for label in _TABLE_A1:
        machine, expert = table[f"machine_{label}"], table[f"expert_{label}"]
        pd.crosstab(machine, expert)
        cohen_kappa_score(machine, expert)
        removed[label] = (machine > expert).astype(float)
        added[label] = (machine < expert).astype(float)
    removed.T.dot(added)


def baseline_resample(
    table: pd.DataFrame, rows_of: list[np.ndarray], random: np.random.Generator
) -> None:
    """One resample of patients: the rows of their ECGs, counted."""
    drawn = random.integers(0, len(rows_of), len(rows_of))
    sample = table.iloc[np.concatenate([rows_of[patient] for patient in drawn])]
    for label in _TABLE_A1:
        sample.groupby([f"machine_{label}", f"expert_{label}"]).size()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ecgs", type=int, default=2_000_000)
    parser.add_argument("--patients", type=int, default=700_000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--measured", type=int, default=3, help="resamples of the baseline")
    given = parser.parse_args()

    table = label_table(given.ecgs, given.patients)
    print(
        f"{given.ecgs:,} ECGs, {len(_TABLE_A1)} labels, {table['patient_id'].n_unique():,} "
        f"patients; {peak():.1f} GiB before"
    )
    began = time.perf_counter()
    found = overread.discrepancy(table)
    opened = time.perf_counter() - began
    labels, cells = found.labels, found.pairs.cells()
    counts = count_cells(cells)[0]

    def tables() -> None:
        cells = found.pairs.cells()
        counts = count_cells(cells)[0]
        counts_frame(labels, counts)
        agreement_frame(labels, counts)
        flows.flows(labels, cells)
        flows.changed_together(labels, cells)

    quick = seconds(tables)
    bootstrap = seconds(
        lambda: agreement_frame(
            labels,
            counts,
            patients_of(cells, table["patient_id"]),
            replicates=given.resamples,
            workers=given.workers,
        )
    )
    memory = peak()

    frame = table.to_pandas()
    slow = seconds(lambda: baseline_counts(frame))
    grouping = time.perf_counter()
    rows_of = list(frame.groupby("patient_id").indices.values())
    grouping = time.perf_counter() - grouping
    values = frame.drop(columns="patient_id")
    random = np.random.default_rng(0)
    each = seconds(lambda: [baseline_resample(values, rows_of, random)
                            for _ in range(given.measured)]) / given.measured  # fmt: skip
    resampling = grouping + each * given.resamples

    print(f"{'':<58}{'seconds':>9}{'baseline':>10}{'ratio':>8}")
    print(f"{'reading the table into codes':<58}{opened:>9.2f}")
    print(
        f"{'counts, agreement with its formulas, flows, pairs':<58}{quick:>9.2f}{slow:>10.1f}"
        f"{slow / quick:>8.0f}"
    )
    print(
        f"{f'{given.resamples:,} resamples of patients, all statistics':<58}{bootstrap:>9.2f}"
        f"{resampling:>10.0f}{resampling / bootstrap:>8.0f}"
    )
    print(
        f"The baseline's resamples are extrapolated from {given.measured} of {each:.1f} s each and "
        f"{grouping:.1f} s of grouping.\nPeak memory {memory:.1f} GiB, the table included."
    )


if __name__ == "__main__":
    main()
