"""Intervals: over patients, the same bytes for any worker and row order, exact where few."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.proportion import proportion_confint

import overread
from overread.discrepancy.api import Discrepancy
from overread.report.write import files


def random_table(seed: int, ecgs: int, patients: int | None) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    frame = pl.DataFrame({
        "machine_a": random.integers(0, 2, ecgs), "expert_a": random.integers(0, 2, ecgs),
        "machine_b": (random.random(ecgs) < 0.1).astype(int),
        "expert_b": (random.random(ecgs) < 0.2).astype(int),
        "site": random.choice(["n", "s"], ecgs), "year": random.integers(2015, 2020, ecgs),
        "id": [f"{number}" for number in random.permutation(ecgs)],
    })  # fmt: skip
    if patients is None:
        return frame
    names = pl.Series([f"p{n}" for n in random.integers(0, patients, ecgs)])
    return frame.with_columns(patient_id=names.set(pl.Series(random.random(ecgs) < 0.1), None))


def everything(found: Discrepancy) -> dict[str, bytes]:
    document = found.document(by=["site"], over="year", detail=True)
    return {
        name: content
        for format in ("html", "csv", "json")
        for name, content in files(document, format)  # type: ignore[arg-type]
    }


def test_d01_d02_d03_workers_and_row_order_change_no_byte(
    compare: Callable[..., Discrepancy],
) -> None:
    frame = random_table(1, 400, patients=150)
    one = everything(compare(frame, workers=1))
    assert len(one) > 10
    assert everything(compare(frame, workers=2)) == one
    shuffled = frame.sample(fraction=1, shuffle=True, seed=3)
    assert everything(compare(shuffled, workers=2)) == one


def test_the_seed_steers_the_intervals(compare: Callable[..., Discrepancy]) -> None:
    frame = random_table(1, 400, patients=150)
    one, other = (compare(frame, seed=seed).agreement["kappa_low"][0] for seed in (0, 1))
    assert one != other
    assert abs(one - other) < 0.05


def test_s06_with_one_ecg_per_patient_it_is_the_ordinary_bootstrap(
    compare: Callable[..., Discrepancy],
) -> None:
    """Names of patients alone decide nothing: unknown patients are patients of their own."""
    frame = random_table(2, 300, patients=None)
    each = frame.with_columns(patient_id=pl.format("p{}", "id"))
    none_but_one = frame.with_columns(patient_id=pl.Series(["p"] + [None] * 299, dtype=pl.String))
    blank = frame.with_columns(patient_id=pl.Series(["p"] + [" "] * 299))
    assert compare(each).agreement.equals(compare(none_but_one).agreement)
    assert compare(each).agreement.equals(compare(blank).agreement)
    low, high = np.percentile(plain_bootstrap(frame, 500), [2.5, 97.5])
    row = compare(each, replicates=2000).agreement.row(0, named=True)
    assert row["kappa_low"] == pytest.approx(low, abs=0.015)
    assert row["kappa_high"] == pytest.approx(high, abs=0.015)


def plain_bootstrap(frame: pl.DataFrame, replicates: int) -> list[float]:
    from sklearn.metrics import cohen_kappa_score

    random = np.random.default_rng(9)
    machine, expert = frame["machine_a"].to_numpy(), frame["expert_a"].to_numpy()
    out = []
    for _ in range(replicates):
        drawn = random.integers(0, len(machine), len(machine))
        out.append(cohen_kappa_score(machine[drawn], expert[drawn]))
    return out


def test_s06_copies_of_patients_tell_nothing_new(compare: Callable[..., Discrepancy]) -> None:
    """Four copies of each ECG: intervals over patients stay, those over ECGs would halve."""
    frame = random_table(3, 200, patients=None).with_columns(patient_id=pl.format("p{}", "id"))
    copies = pl.concat([frame.with_columns(id=pl.format("{}-" + str(n), "id")) for n in range(4)])
    one, four = (compare(table, replicates=1000).agreement for table in (frame, copies))
    columns = ["kappa", "kappa_low", "kappa_high", "difference_low", "z"]
    for column in columns:
        assert one[column].to_list() == pytest.approx(four[column].to_list()), column


def test_an_ecg_and_a_patient_of_one_name_are_two(compare: Callable[..., Discrepancy]) -> None:
    frame = pl.DataFrame({
        "machine_x": [1, 0, 1, 0], "expert_x": [1, 1, 0, 0],
        "id": ["1", "2", "3", "4"], "patient_id": [None, "1", "1", None],
    })  # fmt: skip
    found = compare(frame)
    assert found.patients == 1  # known by name
    renamed = compare(frame.with_columns(patient_id=pl.Series([None, "q", "q", None])))
    assert found.agreement.equals(renamed.agreement)


def test_patients_by_number_and_nan(compare: Callable[..., Discrepancy]) -> None:
    frame = random_table(4, 60, patients=None)
    numbers = pl.Series([float(n // 2) if n % 5 else float("nan") for n in range(60)])
    texts = pl.Series([str(n // 2) if n % 5 else None for n in range(60)])
    one, other = (compare(frame.with_columns(patient_id=ids)) for ids in (numbers, texts))
    assert one.patients == other.patients
    assert one.agreement.equals(other.agreement)


def test_shares_of_few_ecgs_have_exact_limits(compare: Callable[..., Discrepancy]) -> None:
    """3 of 5 by the machine: Clopper and Pearson's limits by another library."""
    frame = pl.DataFrame({"machine_x": [1, 1, 1, 0, 0, 0], "expert_x": [1, 1, 1, 1, 1, 0]})
    row = compare(frame).agreement.row(0, named=True)
    low, high = proportion_confint(3, 5, method="beta")
    assert row["sensitivity"] == 0.6
    assert (row["sensitivity_low"], row["sensitivity_high"]) == pytest.approx((low, high))


def test_s12_counts_without_the_ecgs_that_neither_labels_give_no_kappa() -> None:
    from overread.errors import UsageError
    from overread.stats.agreement import cohen_kappa

    with pytest.raises(UsageError, match="a count is missing"):
        cohen_kappa(1815516, 10733, 33115, None)  # type: ignore[arg-type]


def test_replicates_and_seed_stand_in_the_words(compare: Callable[..., Discrepancy]) -> None:
    found = compare(random_table(5, 60, patients=20), replicates=123)
    notes = [note for table in found.document().tables for note in table.notes]
    assert any("123 resamples of patients" in note for note in notes)
    assert overread.discrepancy(random_table(5, 60, patients=20)).replicates == 1000
