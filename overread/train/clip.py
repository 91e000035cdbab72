"""CLIP: an ECG and the statements of its over-read share a space; equation (3).

The columns of a step are the distinct statements of its ECGs, of all processes together. Which
they are is worked out on the host, from positions known there, while the device is busy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather
from torch.nn import functional as F

from overread.errors import TableError, UsageError
from overread.train import losses, ranks, text_tower
from overread.train.config import TrainConfig
from overread.train.data import Batch, Corpus, Integers
from overread.train.losses import Temperature
from overread.train.nets import Projector, ResNet, make_encoder
from overread.train.paradigm import Step, weak
from overread.train.statements import Statements, plain, read_statements
from overread.train.text_tower import TextTower

Parts = dict[str, float]

#: Lengths of texts are rounded up to this: few shapes.
_LENGTHS: Final = 8


class TwoTowers(nn.Module):
    """ECGs and texts to embeddings of length 1 in one space, and the temperature between them.

    Features are centred before they are projected: those of a fresh encoder all point one way, and
    frequent statements hold them there (mean cosine of two ECGs .99 after 40 steps of 128 synthetic
    ECGs, macro AUROC .62; centred .66 and .87).
    """

    def __init__(self, encoder: ResNet, text: TextTower) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = _centred(encoder.features)
        self.text = text
        self.text_projector = _centred(text.features)
        self.temperature = Temperature()

    def forward(self, ecgs: Tensor) -> Tensor:
        return self.projector(self.encoder(ecgs))  # type: ignore[no-any-return]

    def embed_tokens(self, tokens: Tensor) -> Tensor:
        """Token numbers (m, l) to (m, d)."""
        return self.text_projector(self.text(tokens.long()))  # type: ignore[no-any-return]


def _centred(features: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm1d(features, affine=False), Projector(features))


class Clip:
    """See `overread.train.paradigm.Paradigm`.

    ``state`` holds the text tower's config, its tokenizer, and the prompts: for each label the
    wordings whose mean embedding stands for it.
    """

    kind: Final = "similarity"
    net: TwoTowers
    data = ""

    def __init__(self, config: TrainConfig, labels: tuple[str, ...], state: dict[str, Any]) -> None:
        self.config, self.state = config, state
        tower = TextTower(config.text_encoder, state["text_config"])
        self.net = TwoTowers(make_encoder(config.encoder), tower)
        # Beside the weights, so that they move with the net; files have them in ``state``.
        prompts = [state["prompts"][label] for label in labels]
        tokens = self._tokenized([text for some in prompts for text in some])
        self.net.register_buffer("prompts", tokens, persistent=False)
        rows = [torch.full((1, len(some)), 1 / len(some)) for some in prompts]
        mean = torch.block_diag(*rows)  # type: ignore[no-untyped-call]
        self.net.register_buffer("prompt_mean", mean, persistent=False)

    @classmethod
    def from_corpus(cls, config: TrainConfig, corpus: Corpus) -> Self:
        """With tokenizer and prompts from the statements of the training split."""
        if corpus.extraction is None:
            raise UsageError(
                f"{config.paradigm} learns from statements, and a table of labels has none. Next "
                "step: give --label-table the folder of overread labels extract."
            )
        statements = read_statements(
            corpus.extraction,
            corpus.labels,
            source=config.labels,
            text=config.text,
            rows=corpus.table_row[corpus.splits["train"]],
        )
        if not len(statements.own.values):
            raise TableError(
                f"no {config.labels} report of the training split asserts anything. Next step: "
                "look at overread labels show."
            )
        weights: dict[str, Tensor] | None = None
        if config.text_folder:
            tower, text_config, tokenizer = text_tower.from_folder(
                config.text_encoder, Path(config.text_folder)
            )
            weights = tower.state_dict()
        else:
            tokenizer = text_tower.train_tokenizer(statements.texts, statements.ecgs.tolist())
            text_config = text_tower.small_config(config.text_encoder, tokenizer)
        state = {"text_config": text_config, "tokenizer": tokenizer, "prompts": statements.prompts}
        made = cls(config, corpus.labels, state)
        if weights is not None:
            made.net.text.load_state_dict(weights)
        made._learn_from(corpus, statements)
        return made

    def _learn_from(self, corpus: Corpus, statements: Statements) -> None:
        self.statements = statements
        # With the tokenizer, which may come from a folder, and the prompts.
        read = f"{statements.sha256()} {json.dumps(self.state, sort_keys=True)}"
        self.data = hashlib.sha256(read.encode()).hexdigest()
        self._row, self._values = corpus.table_row, corpus.values[self.config.labels]
        self._tokens = self._tokenized(statements.texts)
        # One more: some tokenizers pad with the end token, which a text keeps.
        self._lengths = (self._tokens != self.net.text.pad).sum(1).numpy() + 1
        # Processes tell each other which ECGs they hold without waiting for their devices.
        self._hosts = dist.new_group(backend="gloo") if ranks.ranks() > 1 else None

    def step(self, batch: Batch, _: Batch | None, generator: torch.Generator) -> Step:
        ecgs = _gathered(self.net(weak(batch, generator, self.config)))
        at = self._everyone(batch.at)
        identity = self.config.contrast == "paper-identity"
        loss, parts = self.identity_loss(ecgs, at) if identity else self.loss(ecgs, at)
        logged = {name: torch.full((), value, device=ecgs.device) for name, value in parts.items()}
        return Step(loss, {**logged, "tau": self.net.temperature.log_tau.detach().exp()})

    def loss(self, ecgs: Tensor, at: Integers) -> tuple[Tensor, Parts]:
        """Ours, of ECGs (n, d) at positions (n,) of the corpus; what to log."""
        columns = self.statements.columns(self._row[at], self._values[at])
        similarities = self.net.temperature(ecgs, self.embedded(columns.statements))
        masks = on_device(ecgs.device, columns.positives, columns.left_out)
        return losses.clip(similarities, *masks), {"statements": len(columns.statements)}

    def identity_loss(self, ecgs: Tensor, at: Integers) -> tuple[Tensor, Parts]:
        """The paper's: one statement of each ECG that has any."""
        own = self.statements.own.sample(self._row[at], self._random(at))
        taught = np.flatnonzero(own >= 0)
        (index,) = on_device(ecgs.device, taught)
        similarities = self.net.temperature(ecgs[index], self.embedded(own[taught]))
        return losses.paper_clip(similarities), {"statements": len(taught)}

    def scores(self, ecgs: Tensor) -> Tensor:
        """Cosine of each ECG with each label: the mean of its prompts."""
        prompts = self.net.embed_tokens(self.net.get_buffer("prompts"))
        with torch.autocast(ecgs.device.type, enabled=False):
            labels = F.normalize(self.net.get_buffer("prompt_mean") @ prompts, dim=-1)
        return _cosine(self.net(ecgs), labels)

    def similarity(self, ecgs: Tensor, texts: Sequence[str]) -> Tensor:
        """Cosine of ECGs (n, 12, t) with texts in any words, float32 (n, m)."""
        tokens = self._tokenized([plain(text) for text in texts])
        return _cosine(self.net(ecgs), self.net.embed_tokens(tokens.to(ecgs.device)))

    def embedded(self, statements: npt.NDArray[np.int32]) -> Tensor:
        """Embeddings (m, d). Each distinct statement is encoded once, by one of the processes."""
        distinct, place = np.unique(statements, return_inverse=True)
        count = ranks.ranks()
        # Equal shares of two at least: all processes have gradients for the same weights, and
        # batch norm has something to compare.
        total = count * max(2, -(-len(distinct) // count))
        padded = np.pad(distinct, (0, total - len(distinct)))
        longest = -(-self._lengths[padded].max() // _LENGTHS) * _LENGTHS
        mine = padded.reshape(count, -1)[ranks.rank()].astype(np.int64)
        device = self.net.temperature.log_tau.device
        self._tokens = self._tokens.to(device)
        index, back = on_device(device, mine, place)
        return _gathered(self.net.embed_tokens(self._tokens[index, :longest]))[back]

    def _tokenized(self, texts: Sequence[str]) -> Tensor:
        tokens = text_tower.tokenize(self.state["tokenizer"], texts, self.state["text_config"])
        return torch.from_numpy(tokens)

    def _random(self, at: Integers) -> np.random.Generator:
        """Draws that depend on nothing but the batch: the same in every process, and resumed."""
        return np.random.default_rng((self.config.seed, *at.tolist()))

    def _everyone(self, at: Integers) -> Integers:
        """The positions of all processes' ECGs."""
        if self._hosts is None:
            return at
        parts = [torch.empty(len(at), dtype=torch.int64) for _ in range(ranks.ranks())]
        dist.all_gather(parts, torch.from_numpy(at), self._hosts)
        return torch.cat(parts).numpy()


def on_device(device: torch.device, *arrays: npt.NDArray[Any]) -> list[Tensor]:
    """The arrays as tensors on the device, which is not waited for."""
    tensors = [torch.from_numpy(array) for array in arrays]
    if device.type != "cuda":
        return tensors
    return [each.pin_memory().to(device, non_blocking=True) for each in tensors]


def _gathered(embeddings: Tensor) -> Tensor:
    """Those of all processes; gradients flow back to where they came from.

    Every process then has the whole loss, so that the mean of their gradients is that of the whole.
    """
    if ranks.ranks() == 1:
        return embeddings
    return torch.cat(all_gather(embeddings))  # type: ignore[no-untyped-call]


def _cosine(ecgs: Tensor, texts: Tensor) -> Tensor:
    with torch.autocast(ecgs.device.type, enabled=False):
        return ecgs @ texts.T
