"""Labels of synthetic ECGs are visible: measured by code that knows nothing of the generator."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from overread.signals.synth import chunks, signals_of
from overread.signals.synth_heart import AXES, LABELS

pytest.importorskip("numba")
N = 768


@pytest.fixture(scope="module")
def ecgs():
    """Signals of an enriched corpus, its true labels and parameters."""
    made = list(chunks(N, seed=31, prevalence="enriched"))
    truth = np.concatenate([chunk.hearts.truth for chunk in made]) > 0
    return np.concatenate([signals_of(chunk) for chunk in made]), truth, made


@pytest.fixture(scope="module")
def measured(ecgs):
    """The measurements that benchmarks/synth.py prints."""
    path = Path(__file__).parents[2] / "benchmarks" / "synth.py"
    spec = importlib.util.spec_from_file_location("synth_benchmark", path)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    return bench.table(ecgs[0])


def auroc(score, positive):
    keep = np.isfinite(score)
    score, positive = score[keep], positive[keep]
    ranks = rankdata(score)[positive].sum()
    n = positive.sum()
    return (ranks - n * (n + 1) / 2) / (n * (~positive).sum())


def has(truth, name):
    return truth[:, LABELS.index(name)]


def test_leads_obey_einthoven(ecgs):
    signal = ecgs[0][:200]
    one, two, three, avr, avl, avf = np.moveaxis(signal[:, :6], 1, 0)
    assert np.abs(one + three - two).max() < 1e-5
    assert np.abs(avr + avl + avf).max() < 1e-5
    assert np.abs(avl - (one - three) / 2).max() < 1e-5
    assert np.isfinite(signal).all()
    assert signal.std(-1).min() > 0.005  # no lead is flat


def test_measured_axis_is_the_axis_of_the_label(ecgs, measured):
    truth = ecgs[1]
    borders = {
        "left_axis_deviation": (-90, -30),
        "right_axis_deviation": (90, 180),
        "right_superior_axis_deviation": (-180, -90),
    }
    axis = measured["axis"]
    for name, (low, high) in borders.items():
        inside = (axis > low - 4) & (axis < high + 4)
        assert inside[has(truth, name)].mean() > 0.93
    plain = ~np.any([has(truth, name) for name in AXES[1:]], axis=0)
    assert ((axis > -34) & (axis < 94))[plain].mean() > 0.93


def test_blocks_are_wide_and_end_where_they_should(ecgs, measured):
    truth = ecgs[1]
    for name in ("rbbb", "lbbb"):
        assert (measured["qrs_ms"] >= 120)[has(truth, name)].mean() > 0.95
    narrow = ~has(truth, "rbbb") & ~has(truth, "lbbb")
    assert (measured["qrs_ms"] < 120)[narrow].mean() > 0.95
    assert auroc(measured["late_v1"], has(truth, "rbbb")) > 0.95
    assert auroc(-measured["net_v1"], has(truth, "lbbb")) > 0.9


def test_fibrillation_is_irregular_without_p_waves(ecgs, measured):
    truth = ecgs[1]
    fibrillation = has(truth, "atrial_fibrillation")
    assert (measured["rr_cv"] > 0.09)[fibrillation].mean() > 0.93
    assert (measured["rr_cv"] < 0.09)[has(truth, "sinus_rhythm")].mean() > 0.8
    assert np.nanmedian(measured["p_ii"][fibrillation]) < 0.03
    assert np.nanmedian(measured["p_ii"][has(truth, "sinus_rhythm")]) > 0.06


def test_flutter_has_waves_at_250_to_350_a_minute(ecgs, measured):
    truth = ecgs[1]
    flutter = has(truth, "atrial_flutter")
    per_minute = 60 * measured["atrial_hz"][flutter]
    assert ((per_minute > 245) & (per_minute < 355)).mean() > 0.8
    assert auroc(measured["atrial_peak"], flutter) > 0.9


def test_hypertrophy_is_voltage(ecgs, measured):
    truth = ecgs[1]
    # Right axes turn the left ventricle away from V5, a block adds voltage: seen where neither is.
    plain = ~has(truth, "right_axis_deviation") & ~has(truth, "right_superior_axis_deviation")
    plain &= ~has(truth, "rvh") & ~has(truth, "rbbb") & ~has(truth, "lbbb")
    large = has(truth, "lvh")
    assert auroc(measured["sokolow"][plain], large[plain]) > 0.85
    assert np.nanmedian(measured["sokolow"][plain & large]) > 3.0
    assert np.nanmedian(measured["sokolow"][plain & ~large]) < 2.5
    narrow = ~has(truth, "rbbb") & ~has(truth, "lbbb")
    assert auroc(measured["r_v1"][narrow], has(truth, "rvh")[narrow]) > 0.88


def test_infarcts_have_lost_their_first_forces(ecgs, measured):
    truth = ecgs[1]
    narrow = ~has(truth, "lbbb") & ~has(truth, "rvh") & ~has(truth, "posterior_mi")
    anterior = has(truth, "anterior_mi")
    assert auroc(-measured["first_v2"][narrow], anterior[narrow]) > 0.93
    normal = ~np.any([has(truth, name) for name in AXES[1:]], axis=0) & ~has(truth, "lbbb")
    assert auroc(-measured["first_avf"][normal], has(truth, "inferior_mi")[normal]) > 0.9
    quiet = ~has(truth, "lbbb") & ~has(truth, "rvh") & ~anterior & ~has(truth, "rbbb")
    assert auroc(measured["r_v2"][quiet], has(truth, "posterior_mi")[quiet]) > 0.85


def test_measured_rate_is_the_rate_of_the_report(ecgs, measured):
    made = np.concatenate([chunk.hearts.rate for chunk in ecgs[2]])
    steady = measured["rr_cv"] < 0.05
    assert (np.abs(measured["rate"] / made - 1) < 0.05)[steady].mean() > 0.98
