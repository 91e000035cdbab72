"""Scores of a net for many ECGs, and what they are worth against labels."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from overread.signals.store import Store
from overread.stats.bootstrap import logit_interval, resampling_counts
from overread.stats.operating import threshold
from overread.stats.ranking import Ranking
from overread.train import ranks
from overread.train.config import TrainConfig
from overread.train.data import Corpus, Feed, Integers, without_labels
from overread.train.order import in_order
from overread.train.paradigm import Paradigm, evaluating

Floats = npt.NDArray[np.float32]

_BATCH = 256
_RESAMPLES = 200  # the intervals use only the standard deviation of the resamples


class Interrupted(Exception):
    """Scoring was asked to stop."""


def precision(device: torch.device, name: str) -> AbstractContextManager[Any]:
    """Mixed precision for a forward pass: "auto" is bf16 on a GPU and float32 elsewhere.

    Without the cache of cast weights: a pass without gradients would leave weights in it that the
    next pass could not learn through.
    """
    bf16 = name == "bf16" or (name == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16, cache_enabled=False)


def score(
    paradigm: Paradigm,
    feed: Feed,
    *,
    labels: int,
    batch: int,
    device: torch.device,
    autocast: str = "auto",
    stopped: Callable[[], bool] = lambda: False,
) -> Floats:
    """float32 (n, c): the scores of all windows of a feed, shared between the processes.

    Raises `Interrupted` when ``stopped`` says so.
    """
    out = torch.zeros((len(feed), labels), device=device)
    order = list(in_order(len(feed), batch, rank=ranks.rank(), ranks=ranks.ranks()))
    with evaluating(paradigm.net), precision(device, autocast):
        for at, each in zip(order, feed.batches(iter(order)), strict=True):
            if stopped():
                raise Interrupted
            out[torch.from_numpy(at).to(device)] = paradigm.scores(each.ecgs).float()
    scores: Floats = ranks.sum_(out).cpu().numpy()
    return scores


def score_store(paradigm: Paradigm, store: Store, config: TrainConfig, labels: int) -> Floats:
    """float32 (n, c): the scores of all windows of a store, by a net on its device.

    ``config`` is that of the run which made the net.
    """
    device = next(paradigm.net.parameters()).device
    corpus = without_labels(store, store.indices())
    feed = Feed(
        corpus,
        corpus.splits["train"],
        source=config.labels,
        normalize=config.normalize,
        device=device,
        resident=False,
    )
    return score(
        paradigm, feed, labels=labels, batch=_BATCH, device=device, autocast=config.precision
    )


class Judged(NamedTuple):
    """ECGs with their mean score over windows: ``scores`` (n, c), ``values`` (n, c) 1, 0, -1."""

    scores: Floats
    values: npt.NDArray[np.int8]
    patient: Integers

    def known(self, label: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], Floats]:
        """Which ECGs' label is known; their labels and scores."""
        known = self.values[:, label] >= 0
        return known, self.values[known, label] == 1, self.scores[known, label]


def by_ecg(corpus: Corpus, positions: Integers, scores: Floats, source: str) -> Judged:
    """The windows of one ECG averaged, with the labels of one reader."""
    _, first, ecg = np.unique(corpus.ecg[positions], return_index=True, return_inverse=True)
    mean = np.zeros((len(first), scores.shape[1]))
    np.add.at(mean, ecg, scores)
    mean /= np.bincount(ecg)[:, None]
    kept = positions[first]
    return Judged(mean.astype(np.float32), corpus.values[source][kept], corpus.patient[kept])


def macro_auprc(judged: Judged) -> tuple[float, int]:
    """The mean AUPRC over the labels with positives and negatives, and how many those are.

    NaN where there are none, or where a score is not finite.
    """
    if not np.isfinite(judged.scores).all():
        return float("nan"), 0
    each = [
        Ranking(*judged.known(label)[1:]).average_precision()
        for label in range(judged.scores.shape[1])
    ]
    estimable = [value for value in each if value == value]
    return (float(np.mean(estimable)) if estimable else float("nan")), len(estimable)


def report(judged: Judged, labels: tuple[str, ...], *, seed: int = 0) -> dict[str, dict[str, Any]]:
    """For each label: ECGs, positives, AUROC and AUPRC with 95 % limits over patients, threshold.

    What cannot be estimated is None.
    """
    counts = np.unique(judged.patient, return_inverse=True)[1]
    weights = [
        drawn[counts]
        for drawn in resampling_counts(int(counts.max()) + 1, replicates=_RESAMPLES, seed=seed)
    ]
    out: dict[str, dict[str, Any]] = {}
    for at, label in enumerate(labels):
        known, truth, scores = judged.known(at)
        ranking = Ranking(truth, scores)
        row: dict[str, Any] = {"ecgs": len(truth), "positive": int(truth.sum())}
        for name, metric in (("auroc", ranking.auroc), ("auprc", ranking.average_precision)):
            value = metric()
            limits = logit_interval([metric(each[known]) for each in weights], value)
            cells = (value, float(limits.low), float(limits.high))
            row[name] = [None if cell != cell else round(cell, 6) for cell in cells]
        row["threshold"] = threshold(truth, scores)
        out[label] = row
    return out
