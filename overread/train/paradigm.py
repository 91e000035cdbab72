"""What the loop asks of a paradigm: a net, the loss of a step, and scores.

A paradigm is one file. Everything else (data, precision, updates, checkpoints, early stopping) is
the loop's, which calls ``step`` with batches on the device under autocast, and ``scores`` with the
net in evaluation mode and without gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final, Literal, NamedTuple, Protocol, Self, cast

import torch
from torch import Tensor, nn

from overread.train import augment
from overread.train.config import TrainConfig
from overread.train.data import Batch, Corpus


class Step(NamedTuple):
    """``loss``: scalar to be lowered; ``parts``: scalars on the device to be logged."""

    loss: Tensor
    parts: dict[str, Tensor]


class Paradigm(Protocol):
    """How a net learns and how it scores."""

    #: What scores are.
    kind: Literal["probability", "similarity"]
    #: All that learns or is kept, on its device; its ECG encoder is ``net.encoder``.
    net: nn.Module
    #: What a model file needs beside ``net`` to score again: JSON values.
    state: dict[str, Any]
    #: Hash of what it learns from beside the corpus; "" where that is nothing.
    data: str

    def __init__(self, config: TrainConfig, labels: tuple[str, ...], state: dict[str, Any]) -> None:
        """As a model file describes it; weights are loaded later."""

    @classmethod
    def from_corpus(cls, config: TrainConfig, corpus: Corpus) -> Self:
        """Ready to learn from a corpus."""

    def step(self, batch: Batch, unlabeled: Batch | None, generator: torch.Generator, /) -> Step:
        """The loss of one step."""

    def scores(self, ecgs: Tensor) -> Tensor:
        """Normalised ECGs (n, 12, t) to float32 (n, c), higher for the label."""


_HOME: Final = {
    "supervised": "overread.train.supervised:Supervised",
    "self-training": "overread.train.selftrain:SelfTraining",
    "clip": "overread.train.clip:Clip",
    "negclip": "overread.train.negclip:NegClip",
}


def paradigm_class(name: str) -> type[Paradigm]:
    """The class of a paradigm, imported when it is asked for."""
    module, _, attribute = _HOME[name].partition(":")
    return cast(type[Paradigm], getattr(import_module(module), attribute))


def weak(batch: Batch, generator: torch.Generator, config: TrainConfig) -> Tensor:
    """The weak view of a batch, or the ECGs themselves where augmentation is off."""
    if not config.augment:
        return batch.ecgs
    return augment.weak(batch.ecgs, generator, batch.noise_unit)


def strong(batch: Batch, generator: torch.Generator, config: TrainConfig) -> Tensor:
    """The strong view of a batch, or the ECGs themselves where augmentation is off."""
    if not config.augment:
        return batch.ecgs
    return augment.strong(batch.ecgs, generator, batch.noise_unit)


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; batch norm uses its statistics and leaves them alone."""
    training = [module for module in net.modules() if module.training]
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True
