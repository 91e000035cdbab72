"""Supervised training: weighted binary cross-entropy on the reader's labels, equation (1)."""

from __future__ import annotations

from typing import Any, Final, Self

import torch
from torch import Tensor, nn

from overread.train import losses, ranks
from overread.train.config import TrainConfig
from overread.train.data import Batch, Corpus
from overread.train.nets import Classifier, make_encoder
from overread.train.paradigm import Step, weak


class Supervised:
    """See `overread.train.paradigm.Paradigm`."""

    kind: Final = "probability"
    data = ""
    net: nn.Module

    def __init__(self, config: TrainConfig, labels: tuple[str, ...], state: dict[str, Any]) -> None:
        self.config, self.state = config, state
        self.net = Classifier(make_encoder(config.encoder), len(labels))
        self.net.register_buffer("positive_weights", torch.ones(len(labels)))

    @classmethod
    def from_corpus(cls, config: TrainConfig, corpus: Corpus) -> Self:
        """With positive weights from the known labels of the training split."""
        made = cls(config, corpus.labels, {})
        values = torch.from_numpy(corpus.values[config.labels][corpus.splits["train"]])
        made.positive_weights.copy_(losses.positive_weights((values == 1).float(), values >= 0))
        return made

    @property
    def positive_weights(self) -> Tensor:
        """float32 (c,): w of equation (1)."""
        return self.net.get_buffer("positive_weights")

    def step(self, batch: Batch, _: Batch | None, generator: torch.Generator) -> Step:
        logits = self.net(weak(batch, generator, self.config))
        loss = self.labelled_loss(logits, batch)
        return Step(loss, {})

    def labelled_loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Equation (1): the mean over the known entries of all processes."""
        loss = losses.supervised(logits, batch.labels, batch.known, self.positive_weights)
        return loss * ranks.share(batch.known.sum())

    def scores(self, ecgs: Tensor) -> Tensor:
        return torch.sigmoid(self.net(ecgs).float())
