"""AUROC and AUPRC of runs against scikit-learn, repeated rows and DeLong's errors."""

from __future__ import annotations

import numpy as np
import pytest

from overread.discrepancy.strata import Strata
from overread.evaluate.measure import measure
from overread.evaluate.scores import Evaluated, Scored
from overread.stats.bootstrap import resampling_counts
from overread.stats.ranking import delong


def evaluated(patients=120, per_patient=2, seed=0, groups=False, readers=("expert", "machine")):
    """Two models and three labels, the last one never given; ties, and labels that are unknown."""
    random = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), per_patient)
    n = len(patient)
    sick = (random.random((patients, 3)) < (0.3, 0.5, 0))[patient]
    truth = {reader: (sick ^ (random.random(sick.shape) < 0.05)) & (True, True, False)
             for reader in readers}  # fmt: skip
    values = {reader: one.astype(np.int8) for reader, one in truth.items()}
    values[readers[0]][random.random((n, 3)) < 0.1] = -1
    models = tuple(
        Scored(name, "score", "", "", (random.normal(sick * gain) * 4).round() / 4)
        for name, gain in (("weak", 1), ("good", 2))
    )
    strata = Strata("site", ("N", "S"), (patient % 2).astype(np.int64))
    return Evaluated(
        ("a", "b", "c"), ("A", "B", "C"), values, patient, models, (strata,) if groups else ()
    )


def slow(truth, scores, rows):
    """AUROC and AUPRC (labels, 2) of repeated rows, by scikit-learn."""
    metrics = pytest.importorskip("sklearn.metrics")
    out = np.full((truth.shape[1], 2), np.nan)
    for at in range(truth.shape[1]):
        kept = rows[truth[rows, at] >= 0]
        y = truth[kept, at]
        if 0 < y.sum() < len(y):
            out[at] = (
                metrics.roc_auc_score(y, scores[kept, at]),
                metrics.average_precision_score(y, scores[kept, at]),
            )
    return out


def test_values_and_resamples_are_those_of_scikit_learn_on_repeated_rows():
    given = evaluated()
    found = measure(given, replicates=3, seed=4)
    drawn = [np.ones(120, int), *resampling_counts(120, replicates=3, seed=4)]
    for (reader, number, _), row in found.rows.items():
        scores = given.models[number].values
        for at, counts in enumerate(drawn):
            rows = np.repeat(np.arange(240), counts[given.patient])
            expected = slow(given.truth[reader], scores, rows)
            ours = found.values[row] if at == 0 else found.samples[at - 1, row]
            assert ours[:3] == pytest.approx(expected, abs=1e-12, nan_ok=True)
            assert ours[3] == pytest.approx(expected[:2].mean(0), abs=1e-12)


def test_r16_a_label_without_positives_is_not_estimable_and_leaves_the_mean():
    found = measure(evaluated(), replicates=100)
    row = found.row(0)
    assert found.estimable(row).tolist() == [True, True, False]
    bounds = found.bounds(row)
    assert np.isnan(bounds.value[2]).all()
    assert np.isnan(bounds.low[2]).all()
    assert bounds.value[3] == pytest.approx(bounds.value[:2].mean(0))
    assert (bounds.low[3] < bounds.value[3]).all()
    assert (bounds.value[3] < bounds.high[3]).all()


def test_d03_one_and_two_workers_give_the_same_bytes():
    one, two = (measure(evaluated(), replicates=50, seed=3, workers=n) for n in (1, 2))
    assert one.samples.tobytes() == two.samples.tobytes()


def test_s09_with_one_ecg_each_errors_are_those_of_delong():
    given = evaluated(patients=600, per_patient=1, readers=("truth",))
    found = measure(given, replicates=1000)
    known = given.truth["truth"][:, 1] >= 0
    rows = [model.values[known, 1] for model in given.models]
    areas, covariance = delong(given.truth["truth"][known, 1], rows)
    bounds = found.difference(found.row(1), found.row(0))
    assert bounds.value[1, 0] == pytest.approx(areas[1] - areas[0])
    se = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert (bounds.high - bounds.low)[1, 0] / (2 * 1.96) == pytest.approx(se, rel=0.1)


def test_a_run_does_not_differ_from_itself():
    found = measure(evaluated(), replicates=100)
    bounds = found.difference(found.row(0), found.row(0))
    assert (bounds.value[:2] == 0).all()
    assert np.isnan(bounds.low).all()


def test_groups_are_measured_as_if_they_were_alone():
    given = evaluated(groups=True)
    found = measure(given, replicates=2)
    metrics = slow(given.truth["expert"], given.models[1].values, np.flatnonzero(given.patient % 2))
    row = found.row(1, group=(0, 1))
    assert found.values[row, :3] == pytest.approx(metrics, nan_ok=True)
    whole = found.row(1)
    parts = [found.row(1, group=(0, group)) for group in (0, 1)]
    assert found.ecgs[whole].tolist() == found.ecgs[parts].sum(0).tolist()
    assert found.positives[whole].tolist() == found.positives[parts].sum(0).tolist()


def test_s06_intervals_are_wider_where_ecgs_of_a_patient_are_alike():
    given = evaluated(patients=100, per_patient=6, readers=("truth",))
    alone = Evaluated(
        given.labels, given.names, given.truth, np.arange(600), given.models, given.groups
    )
    widths = []
    for one in (given, alone):
        bounds = measure(one, replicates=300).bounds(0)
        widths.append((bounds.high - bounds.low)[:2])
    assert (widths[0] > 1.2 * widths[1])[:, 1].all()


def test_labels_of_one_patient_have_no_interval():
    truth = np.zeros((40, 1), np.int8)
    truth[:4] = 1
    patient = np.maximum(np.arange(40) - 3, 0)
    model = Scored("m", "score", "", "", np.random.default_rng(0).normal(truth * 2))
    bounds = measure(Evaluated(("a",), ("A",), {"truth": truth}, patient, (model,))).bounds(0)
    assert (bounds.value > 0.5).all()
    assert np.isnan(bounds.low).all()
