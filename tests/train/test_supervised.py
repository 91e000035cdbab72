"""Supervised training: what is unknown teaches nothing and counts nowhere."""

from __future__ import annotations

import numpy as np
import torch

from overread.train.data import load_corpus
from overread.train.supervised import Supervised


def first_batch(loop):
    return next(iter(loop.batches(1)))[0]


def test_positive_weights_are_negatives_by_positives_of_the_training_split(config):
    corpus = load_corpus(config())
    values = corpus.values["expert"][corpus.splits["train"]]
    expected = [
        min((values[:, c] == 0).sum() / max((values[:, c] == 1).sum(), 1), 50) for c in (0, 1)
    ]
    weights = Supervised.from_corpus(config(), corpus).positive_weights
    np.testing.assert_allclose(weights[:2], expected, rtol=1e-6)
    assert weights[2] == 50  # no positive at all


def test_machine_labels_are_learnt_where_asked(config):
    corpus = load_corpus(config(labels="machine"))
    weights = Supervised.from_corpus(config(labels="machine"), corpus).positive_weights
    assert weights.tolist() == [1, 50, 50]  # "tall" without negatives, the others without positives


def test_unknown_labels_leave_the_loss_and_the_gradients(make_loop):
    loop = make_loop(augment=False)
    batch = first_batch(loop)
    assert not batch.known.all()
    net, generator = loop.paradigm.net, torch.Generator()

    def gradients(labels):
        net.zero_grad()
        loss = loop.paradigm.step(batch._replace(labels=labels), None, generator).loss
        loss.backward()
        return loss.item(), [each.grad.clone() for each in net.parameters()]

    loss, expected = gradients(batch.labels)
    turned = torch.where(batch.known, batch.labels, 1 - batch.labels)
    same_loss, same = gradients(turned)
    assert loss == same_loss
    assert all(torch.equal(one, other) for one, other in zip(expected, same, strict=True))
    # A label that nobody knows in this batch: its row of the head learns nothing.
    batch.known[:, 1] = False
    gradients(batch.labels)
    assert (net.head.weight.grad[1] == 0).all()
    assert (net.head.weight.grad[0] != 0).any()


def test_loss_is_equation_one(make_loop):
    """Against the equation of METHOD, entry by entry in float64."""
    loop = make_loop(augment=False)
    batch = first_batch(loop)
    with torch.no_grad():
        logits = loop.paradigm.net(batch.ecgs).double().numpy()
        loss = loop.paradigm.step(batch, None, torch.Generator()).loss.item()
    weights = loop.paradigm.positive_weights.double().numpy()
    total, entries = 0.0, 0
    for row in range(len(logits)):
        for label in range(logits.shape[1]):
            if batch.known[row, label]:
                p = 1 / (1 + np.exp(-logits[row, label]))
                y = batch.labels[row, label].item()
                total -= weights[label] * y * np.log(p) + (1 - y) * np.log(1 - p)
                entries += 1
    # The net has its statistics of the batch in both passes.
    np.testing.assert_allclose(loss, total / entries, rtol=1e-5)


def test_scores_are_probabilities(make_loop):
    loop = make_loop()
    scores = loop.paradigm.scores(first_batch(loop).ecgs)
    assert scores.dtype == torch.float32
    assert ((scores > 0) & (scores < 1)).all()
