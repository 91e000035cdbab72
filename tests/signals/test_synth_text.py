"""The invented texts say what was meant: labels taken from them are the intended ones."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import overread
from overread.signals.synth import chunks, synthetic_reports
from overread.signals.synth_heart import LABELS


@pytest.fixture(scope="module", params=["table", "enriched"])
def pairs(request):
    """Reports, and the labels that machine and expert were to express."""
    n = 2_000
    made = list(chunks(n, seed=21, prevalence=request.param))
    machine = np.concatenate([chunk.readings.machine for chunk in made])[:n]
    expert = np.concatenate([chunk.readings.expert for chunk in made])[:n]
    return pl.DataFrame(synthetic_reports(n, seed=21, prevalence=request.param)), machine, expert


def test_extraction_gives_back_the_intended_labels(pairs):
    frame, machine, expert = pairs
    labels = overread.extract(frame, workers=1).labels
    read = frame["expert"].is_not_null().to_numpy()
    assert 0.005 < 1 - read.mean() < 0.04
    wrong = 0
    for place, name in enumerate(LABELS):
        wrong += (labels[f"machine_{name}"].to_numpy() != machine[:, place]).sum()
        column = labels[f"expert_{name}"]
        assert (column.is_not_null().to_numpy() == read).all()
        wrong += (column.drop_nulls().to_numpy() != expert[read, place]).sum()
    cells = len(LABELS) * (len(frame) + read.sum())
    assert wrong / cells < 0.001


def test_texts_hold_what_real_reports_hold(pairs):
    frame, _, _ = pairs
    machine = "\n".join(frame["machine"])
    expert = "\n".join(frame["expert"].drop_nulls())
    assert all(text.endswith("Unconfirmed") for text in frame["machine"])
    assert "Confirmed by" in expert
    assert "Confirmed by" not in machine
    for words in ("When compared with ECG of", "has replaced", "is no longer Present", "Possible ",
                  "Cannot rule out ", "Nonspecific T wave abnormality", "Vent. rate"):  # fmt: skip
        assert words in machine
        assert words in expert
    for words in ("No LVH", "No evidence of anterior infarct", "RBBB"):
        assert words in expert


def test_expert_keeps_most_of_the_machines_words(pairs):
    frame, _, _ = pairs
    kept = [
        len(set(machine.split("\n")) & set(expert.split("\n"))) / len(set(machine.split("\n")))
        for machine, expert in frame.drop_nulls("expert").select("machine", "expert").iter_rows()
    ]
    assert np.mean(kept) > 0.5


def test_verdict_is_normal_only_where_nothing_was_found(pairs):
    frame, machine, _ = pairs
    normal = frame["machine"].str.contains(r"(?m)^Normal ECG$").to_numpy()
    assert normal.any()
    assert (machine[normal, 1:] == 0).all()
    assert (machine[normal, 0] == 1).all()
