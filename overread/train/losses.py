"""The losses of the four paradigms: functions of logits or similarities, no data and no nets.

Each reads its inputs in float32 at least, whatever autocast made of them, waits for no device, and
is finite, with a finite gradient, where nothing is left to learn from (the loss is 0 then).
"""

from __future__ import annotations

from math import log
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Which entries of an unlabelled ECG teach: ours, or one of two readings of the paper.
Masking = Literal["debiased", "paper-eq2", "paper-text"]


def positive_weights(labels: Tensor, known: Tensor, cap: float = 50.0) -> Tensor:
    """min(negatives / positives, cap) of each label as float32 (c,), from the training labels.

    ``labels`` is 0 or 1 (n, c); entries where ``known`` (bool, n, c) is false count on neither
    side. A label without positives gets ``cap``, the limit of the formula; one without negatives
    gets 1, because the formula's 0 would silence it and `consistency` divides by the weight.

    >>> labels = torch.tensor([[1, 0, 1], [0, 0, 1], [0, 0, 1]])
    >>> positive_weights(labels, torch.ones(3, 3, dtype=torch.bool)).tolist()
    [2.0, 50.0, 1.0]
    """
    positives = (known & (labels == 1)).sum(0)
    negatives = (known & (labels == 0)).sum(0)
    weights = (negatives / positives.clamp(min=1)).clamp(max=cap)
    weights = weights.masked_fill(positives == 0, cap)
    return weights.masked_fill(negatives == 0, 1.0)


def supervised(logits: Tensor, labels: Tensor, known: Tensor, weights: Tensor) -> Tensor:
    """Equation (1): cross-entropy with positives weighted, as the mean over the known entries.

    ``logits`` and ``labels`` (0 or 1, floating point) are (n, c), ``known`` is bool (n, c),
    ``weights`` (c,). The paper knows every entry: there this is its mean over n c.

    >>> known = torch.tensor([[True, False]])
    >>> loss = supervised(torch.zeros(1, 2), torch.tensor([[1.0, -1.0]]), known, torch.ones(2))
    >>> round(loss.item(), 4)  # log 2
    0.6931
    """
    entries = _cross_entropy(logits, labels.masked_fill(~known, 0), weights)
    return entries.masked_fill(~known, 0).sum() / known.sum().clamp(min=1)


class Consistency(NamedTuple):
    """What `consistency` returns, all on the device."""

    #: Scalar.
    loss: Tensor
    #: int64 (c,): ECGs that taught each label.
    kept: Tensor
    #: int64 (c,): those of them that taught it as present (target of at least a half).
    positive: Tensor


def consistency(
    strong_logits: Tensor,
    weak_logits: Tensor,
    weights: Tensor,
    *,
    threshold: float = 0.95,
    masking: Masking = "debiased",
) -> Consistency:
    """Equation (2) without its factor lambda: strong views learn what weak views are sure of.

    Both logits are (n, c) of the same unlabelled ECGs; no gradient flows into ``weak_logits``.
    ``weights`` (c,) are those of `supervised`, which trains towards w q / (1 - q + w q) where q is
    the true probability (Elkan C. IJCAI 2001, theorem 2). "debiased" therefore takes
    q = sigmoid(logit - log w) as the target, teaches both what is sure to be present and what is
    sure to be absent, and weights as `supervised` does, so that both pull to the same point.
    "paper-eq2" is the printed equation, "paper-text" keeps every label of an ECG that has one sure
    label; both are unweighted. The mean is over all n c entries, the masked ones included.

    >>> logits = torch.tensor([[9.0, -9.0, 0.0]])
    >>> consistency(logits, logits, torch.ones(3)).kept.tolist()
    [1, 1, 0]
    >>> consistency(logits, logits, torch.ones(3), masking="paper-eq2").kept.tolist()
    [1, 0, 0]
    """
    sure = _full(weak_logits.detach())
    if masking == "debiased":
        targets = (sure - weights.log()).sigmoid()
        kept = (targets >= threshold) | (targets <= 1 - threshold)
    else:
        targets = sure.sigmoid()
        kept = targets >= threshold
        if masking == "paper-text":
            kept = kept.any(1, keepdim=True).expand_as(targets)
        weights = torch.ones_like(weights)
    entries = _cross_entropy(strong_logits, targets, weights).masked_fill(~kept, 0)
    return Consistency(
        entries.sum() / max(entries.numel(), 1), kept.sum(0), (kept & (targets >= 0.5)).sum(0)
    )


class Temperature(nn.Module):
    """Embeddings of length 1, (n, d) and (m, d), to float32 similarities e . g / tau, (n, m).

    tau starts at 0.07, is learned as its logarithm and held at 0.01 or more, as in CLIP (Radford
    et al. 2021): below that the similarities of bf16 embeddings are mostly rounding. Weight decay
    does not belong on it.
    """

    START: Final = 0.07
    LEAST: Final = 0.01

    def __init__(self) -> None:
        super().__init__()
        self.log_tau = nn.Parameter(torch.tensor(log(self.START)))

    def forward(self, ecgs: Tensor, texts: Tensor) -> Tensor:
        with torch.no_grad():
            # On the parameter, not on the way out: a clamped output has no gradient to return by.
            self.log_tau.clamp_(min=log(self.LEAST))
        with torch.autocast(ecgs.device.type, enabled=False):
            return _full(ecgs) @ _full(texts).T * torch.exp(-self.log_tau)


def contrast(similarities: Tensor, positives: Tensor, kept: Tensor) -> Tensor:
    """One direction of a contrastive loss, over the rows of any block (n, m).

    For row i with the positive columns P_i: -1/|P_i| sum over P_i of log softmax over the columns
    that are positive or ``kept``. The mean is over the rows that have a positive. All are (n, m),
    the last two bool. Rows of one device against the columns of all devices are such a block.
    """
    similarities = _full(similarities)
    taught = positives.any(1)
    # A row without a kept column would be all -inf, whose gradient is NaN: keep all of it.
    left_out = ~(kept | positives) & taught[:, None]
    log_all = similarities.masked_fill(left_out, -torch.inf).logsumexp(1)
    log_likelihood = similarities - log_all[:, None]
    sums = log_likelihood.masked_fill(~positives, 0).sum(1)
    return -(sums / positives.sum(1).clamp(min=1)).sum() / taught.sum().clamp(min=1)


def clip(similarities: Tensor, positives: Tensor, left_out: Tensor) -> Tensor:
    """Equation (3), ours: the mean of both directions over ECGs (n) and distinct statements (m).

    ``positives`` (n, m): the over-read of ECG i holds statement j. ``left_out`` (n, m): it asserts
    the concept of j in other words, so that j is neither right nor wrong for i. The rest are
    negatives. With the identity and nothing left out this is `paper_clip`.

    >>> one = torch.ones(1, 2, dtype=torch.bool)
    >>> clip(torch.tensor([[5.0, 5.0]]), one, ~one).item()  # two true statements share the ECG
    0.3465735912322998
    """
    return _both(
        contrast(similarities, positives, ~left_out),
        contrast(similarities.T, positives.T, ~left_out.T),
    )


def paper_clip(similarities: Tensor) -> Tensor:
    """Equation (3), the paper's: one statement per ECG, (n, n), targets on the diagonal."""
    own = _diagonal(similarities)
    return clip(similarities, own, torch.zeros_like(own))


def negclip(
    similarities: Tensor,
    positives: Tensor,
    left_out: Tensor,
    hard: Tensor,
    negatives: Tensor,
) -> Tensor:
    """Equation (4), ours: `clip`, with machine-only statements as negatives of the ECGs.

    ``hard`` (n, k) holds the similarities to k distinct statements that the machine alone made of
    some ECG of the batch and that are no column of ``similarities`` (k may be 0); ``negatives``
    (n, k) is true where the over-read of ECG i does not assert the concept of the statement. They
    have no ECG of their own and so no place in the direction from statement to ECG.
    """
    return _both(
        contrast(
            torch.cat((similarities, hard), 1),
            torch.cat((positives, torch.zeros_like(negatives)), 1),
            torch.cat((~left_out, negatives), 1),
        ),
        contrast(similarities.T, positives.T, ~left_out.T),
    )


def paper_negclip(similarities: Tensor, hard: Tensor, present: Tensor) -> Tensor:
    """Equation (4), the paper's: every machine-only statement is a negative, in both directions.

    ``hard`` (n, n): similarity of ECG i to the statement that the machine alone made of ECG j;
    ``present`` (n,) bool: ECG j has one. In the direction from statement to ECG, column j of
    ``hard`` joins the denominator of statement j.
    """
    own = _diagonal(similarities)
    positives = torch.cat((own, torch.zeros_like(own)), 1)
    all_own = torch.ones_like(own)
    return _both(
        contrast(
            torch.cat((similarities, hard), 1),
            positives,
            torch.cat((all_own, present.expand_as(own)), 1),
        ),
        contrast(
            torch.cat((similarities.T, hard.T), 1),
            positives,
            torch.cat((all_own, present[:, None].expand_as(own)), 1),
        ),
    )


def _cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """-w t log p - (1 - t) log(1 - p) of every entry."""
    logits = _full(logits)
    return F.binary_cross_entropy_with_logits(
        logits, targets.to(logits.dtype), pos_weight=weights.to(logits.dtype), reduction="none"
    )


def _full(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _diagonal(similarities: Tensor) -> Tensor:
    return torch.eye(len(similarities), dtype=torch.bool, device=similarities.device)


def _both(by_ecgs: Tensor, by_statements: Tensor) -> Tensor:
    return (by_ecgs + by_statements) / 2
