"""AUROC and AUPRC of runs against scikit-learn, repeated rows and DeLong's errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from overread.discrepancy.strata import Strata
from overread.evaluate.measure import measure
from overread.evaluate.scores import Evaluated, Scored
from overread.stats.bootstrap import effective_patients, logit_interval, resampling_counts
from overread.stats.ranking import Ranking, delong


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


def test_limits_rest_on_the_patients_who_move_a_figure():
    given = evaluated(readers=("truth",))
    found = measure(given, replicates=100)
    step = 1e-5 * np.eye(120)
    moved = np.zeros((2, 3, 120, 2))
    for model in range(2):
        for label in range(2):
            known = given.truth["truth"][:, label] >= 0
            ranking = Ranking(given.truth["truth"][known, label],
                              given.models[model].values[known, label],
                              given.patient[known])  # fmt: skip
            moved[model, label] = [
                np.subtract(ranking.areas(1 + one), ranking.areas(1 - one)) / 2e-5 for one in step
            ]
    moved[:, 2] = moved[:, :2].mean(1)
    for bounds, moves, lowest, samples in (
        (found.bounds(1), moved[1], 0.0, found.samples[:, 1]),
        (found.difference(1, 0), moved[1] - moved[0], -1.0,
         found.samples[:, 1] - found.samples[:, 0]),
    ):  # fmt: skip
        of = [0, 1, 3]
        patients = effective_patients(moves.swapaxes(0, 1))
        expected = logit_interval(
            samples[:, of], bounds.value[of], lowest=lowest, patients=patients
        )
        # An AUROC has other limits too, which may be narrower.
        assert bounds.low[of, 1] == pytest.approx(expected.low[:, 1], abs=1e-6)
        assert bounds.high[of, 1] == pytest.approx(expected.high[:, 1], abs=1e-6)
        assert (bounds.low[of] >= expected.low - 1e-6).all()
        assert (bounds.high[of] <= expected.high + 1e-6).all()
        assert bounds.low[3, 0] == pytest.approx(expected.low[2, 0], abs=1e-6)


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


def of_scores(truth, scores):
    """One label, one ECG per patient."""
    model = Scored("m", "score", "", "", np.array(scores, float)[:, None])
    given = {"truth": np.array(truth, np.int8)[:, None]}
    return Evaluated(("a",), ("A",), given, np.arange(len(truth)), (model,))


def test_an_auroc_is_no_surer_than_a_share_of_the_scarcer_patients_is():
    """22 patients with the label, one of them far below all others."""
    truth = np.repeat([1, 0], [22, 500])
    scores = np.concatenate([[-9.0], np.full(21, 9.0), np.random.default_rng(0).normal(size=500)])
    bounds = measure(of_scores(truth, scores)).bounds(0)
    assert bounds.value[0, 0] == pytest.approx(21 / 22)
    assert bounds.low[0, 0] == pytest.approx(binomtest(21, 22).proportion_ci().low)
    assert bounds.high[0, 0] <= binomtest(21, 22).proportion_ci().high + 1e-9
    perfect = measure(of_scores(truth, truth)).bounds(0)
    assert perfect.low[0, 0] == pytest.approx(binomtest(22, 22).proportion_ci().low)
    assert (perfect.value[0, 0], perfect.high[0, 0]) == (1, 1)


def test_labels_of_fewer_than_three_patients_leave_the_macro_mean():
    given = evaluated(readers=("truth",))
    truth = given.truth["truth"].copy()
    truth[:, 2] = 0
    for patients, estimable in ((2, False), (3, True)):
        truth[: 2 * patients, 2] = 1
        found = measure(replace(given, truth={"truth": truth}), replicates=100)
        assert found.estimable(0).tolist() == [True, True, estimable]
        assert not np.isnan(found.values[0, 2]).any()
        labels = 2 + estimable
        assert found.values[0, 3] == pytest.approx(found.values[0, :labels].mean(0))
        assert not np.isnan(found.bounds(0).low[3]).any()
