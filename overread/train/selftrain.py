"""Self-training (FixMatch with soft targets): what the net is sure of in a weak view of an ECG
without label, it has to say of a strong view too. Equation (2).
"""

from __future__ import annotations

import torch

from overread.train import losses
from overread.train.data import Batch
from overread.train.paradigm import Step, evaluating, strong, weak
from overread.train.supervised import Supervised


class SelfTraining(Supervised):
    """See `overread.train.paradigm.Paradigm`."""

    def step(self, batch: Batch, unlabeled: Batch | None, generator: torch.Generator) -> Step:
        assert unlabeled is not None
        # The weak pass teaches nothing and must not move batch norm towards the other hospital.
        with evaluating(self.net):
            targets = self.net(weak(unlabeled, generator, self.config))
        # Labelled and strong views share one pass: batch norm sees both together.
        views = weak(batch, generator, self.config), strong(unlabeled, generator, self.config)
        logits, student = self.net(torch.cat(views)).split([len(view) for view in views])
        supervised = self.labelled_loss(logits, batch)
        consistency = losses.consistency(
            student,
            targets,
            self.positive_weights,
            threshold=self.config.threshold,
            masking=self.config.mask,
        )
        entries = targets.numel()
        parts = {
            "supervised": supervised,
            "consistency": consistency.loss,
            "kept": consistency.kept.sum() / entries,
            "kept_positive": consistency.positive.sum() / entries,
        }
        return Step(supervised + self.config.unlabeled_weight * consistency.loss, parts)
