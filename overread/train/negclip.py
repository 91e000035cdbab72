"""NegCLIP: CLIP that also learns what only machines say of these ECGs to be false; equation (4)."""

from __future__ import annotations

from typing import Self

import numpy as np
from torch import Tensor

from overread.errors import UsageError
from overread.train import losses
from overread.train.clip import Clip, Parts, on_device
from overread.train.config import TrainConfig
from overread.train.data import Corpus, Integers


class NegClip(Clip):
    """See `overread.train.paradigm.Paradigm`."""

    @classmethod
    def from_corpus(cls, config: TrainConfig, corpus: Corpus) -> Self:
        """As CLIP, from over-reads only: a machine does not contradict itself."""
        if config.labels != "expert":
            raise UsageError(
                "negclip learns where experts contradict machines. Next step: give "
                "--labels expert, or --paradigm clip."
            )
        return super().from_corpus(config, corpus)

    def loss(self, ecgs: Tensor, at: Integers) -> tuple[Tensor, Parts]:
        row, values = self._row[at], self._values[at]
        columns = self.statements.columns(row, values)
        hard, negatives = self.statements.hard(row, values, columns.statements)
        texts = self.embedded(np.concatenate((columns.statements, hard)))
        similarities, others = self.net.temperature(ecgs, texts).split(
            [len(columns.statements), len(hard)], dim=1
        )
        positives, left_out, false = on_device(
            ecgs.device, columns.positives, columns.left_out, negatives
        )
        parts: Parts = {"statements": len(columns.statements), "hard": len(hard)}
        return losses.negclip(similarities, positives, left_out, others, false), parts

    def identity_loss(self, ecgs: Tensor, at: Integers) -> tuple[Tensor, Parts]:
        """The paper's: also one machine-only statement of each ECG that has any."""
        random = self._random(at)
        own = self.statements.own.sample(self._row[at], random)
        taught = np.flatnonzero(own >= 0)
        machine = self.statements.machine_only.sample(self._row[at], random)[taught]
        present = machine >= 0
        texts = self.embedded(np.concatenate((own[taught], np.where(present, machine, 0))))
        index, held = on_device(ecgs.device, taught, present)
        similarities, others = self.net.temperature(ecgs[index], texts).chunk(2, dim=1)
        parts: Parts = {"statements": len(taught), "hard": int(present.sum())}
        return losses.paper_negclip(similarities, others, held), parts
