"""Self-training: what batch norm sees, what teaches, and what does not."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from overread.train.log import METRICS_FILE
from overread.train.paradigm import evaluating
from overread.train.scoring import precision

from .conftest import weights, write_store


@pytest.fixture
def loop(make_loop):
    return make_loop(paradigm="self-training")


def batches(loop):
    return next(iter(loop.batches(1)))


def statistics(net):
    return {name: each.clone() for name, each in net.named_buffers()}


def test_the_weak_pass_leaves_batch_norm_alone(loop):
    """After a step the statistics are those of one pass over labelled and strong views."""
    loop.paradigm.config = loop.paradigm.config.__class__(
        **{**{k: getattr(loop.config, k) for k in loop.config.__slots__}, "augment": False}
    )
    labelled, unlabeled = batches(loop)
    net = loop.paradigm.net
    before = {name: each.clone() for name, each in net.state_dict().items()}
    net(torch.cat([labelled.ecgs, unlabeled.ecgs]))
    expected = statistics(net)
    net.load_state_dict(before)
    loop.paradigm.step(labelled, unlabeled, torch.Generator())
    for name, each in statistics(net).items():
        assert torch.equal(each, expected[name]), name


def test_the_weak_pass_keeps_frozen_norms_frozen(loop):
    net = loop.paradigm.net
    net.train()
    norms = [each for each in net.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    norms[0].eval()
    with evaluating(net):
        assert not any(each.training for each in net.modules())
        assert not torch.is_grad_enabled()
    assert [each.training for each in norms] == [False] + [True] * (len(norms) - 1)
    assert torch.is_grad_enabled()


def test_scoring_an_unlabelled_domain_does_not_touch_batch_norm(loop):
    before = statistics(loop.paradigm.net)
    _, unlabeled = batches(loop)
    with evaluating(loop.paradigm.net):
        loop.paradigm.net(unlabeled.ecgs * 100 + 5)
    for name, each in statistics(loop.paradigm.net).items():
        assert torch.equal(each, before[name])


def test_loss_is_the_sum_of_both_parts(make_loop):
    labelled = {}
    for weight in (0.0, 2.0):
        loop = make_loop(f"w{weight}", paradigm="self-training", unlabeled_weight=weight)
        step = loop.paradigm.step(*batches(loop), torch.Generator().manual_seed(1))
        parts = {name: value.item() for name, value in step.parts.items()}
        assert step.loss.item() == pytest.approx(
            parts["supervised"] + weight * parts["consistency"], rel=1e-6
        )
        labelled[weight] = parts
    assert labelled[0.0] == labelled[2.0]


def test_r25_nothing_sure_teaches_nothing_and_is_counted(make_loop):
    # Nothing is ever as sure as 1.
    loop = make_loop(paradigm="self-training", threshold=1.0, epochs=1)
    assert loop.fit() == 0
    [line] = [
        json.loads(line)
        for line in (loop.folder / METRICS_FILE).read_text().splitlines()
        if "kept" in line
    ]
    assert (line["kept"], line["kept_positive"], line["consistency"]) == (0, 0, 0)
    assert line["loss"] == pytest.approx(line["supervised"])
    assert line["skipped"] == 0


def test_a_pass_without_gradients_leaves_none_behind_in_mixed_precision(loop):
    """Autocast may keep weights that were cast without gradients: the net would not learn."""
    net = loop.paradigm.net
    with precision(torch.device("cpu"), "bf16"):
        step = loop.paradigm.step(*batches(loop), torch.Generator().manual_seed(0))
    step.loss.backward()
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in net.parameters())


def test_more_unlabelled_ecgs_of_another_store_are_all_seen(make_loop, tmp_path):
    rng = np.random.default_rng(0)
    tall, fast = rng.random((2, 235)) < 0.5
    write_store(tmp_path / "other", tall, fast)
    loop = make_loop(paradigm="self-training", unlabeled=str(tmp_path / "other"), epochs=2)
    seen = []
    step = loop.paradigm.step
    loop.paradigm.step = lambda one, other, generator: (
        seen.append(other.at),
        step(one, other, generator),
    )[1]
    assert loop.fit() == 0
    counts = np.bincount(np.concatenate(seen), minlength=len(loop.unlabeled))
    # Two epochs of the labelled are one to two passes over the others.
    assert counts.max() <= 2
    assert (counts > 0).mean() > 0.95


def test_the_same_ecgs_are_held_once_and_teach_the_same(make_loop, files):
    """On the device: without a store of its own, self-training reads its labelled ECGs again."""
    values = {"paradigm": "self-training", "epochs": 1}
    read, held = make_loop("read", resident="no", **values), make_loop(resident="yes", **values)
    assert read.unlabeled.resident is None
    assert held.unlabeled.resident is held.train.resident
    assert len(held.train.resident) == len(held.train)
    assert read.fit() == held.fit() == 0
    assert weights(read) == weights(held)
    other = make_loop("other", resident="yes", unlabeled=str(files.store), **values)
    assert other.unlabeled.resident is not other.train.resident
