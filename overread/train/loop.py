"""The one loop of all paradigms: a batch, a step of the paradigm, an update; epochs, early stop.

Nothing in a step waits for the device. Whether loss and gradients are finite stays there too, skips
the update there, and is read every few steps. All randomness is a function of (seed, step,
process), so that a run which goes on from a checkpoint is the run that was never stopped.
"""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice, repeat
from math import cos, pi
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import torch.distributed as dist
from rich.console import Console
from torch import Tensor, nn

from overread.errors import OverreadError, UsageError
from overread.report.progress import Heard
from overread.train import ranks
from overread.train.checkpoint import load_state, load_weights, save_state
from overread.train.config import TrainConfig
from overread.train.data import Batch, Corpus, Feed, fits
from overread.train.log import Log
from overread.train.nets import freeze_batch_norm
from overread.train.order import batch_sizes, shuffled
from overread.train.paradigm import Paradigm
from overread.train.scoring import Interrupted, by_ecg, macro_auprc, precision, score

#: So many skipped updates in a row are no accident.
_BAD: Final = 10
_CHECKPOINT_S: Final = 600.0
_TEXT_SHARE: Final = 0.1
_SMALLEST: Final = 2  # ECGs of a batch: batch norm compares them
#: What torch says where memory runs out: allocators of the CPU and the GPU, their libraries.
_FULL: Final = ("allocate memory", "out of memory", "ALLOC_FAILED", "could not create a primitive")
#: Exit codes of a run that was asked to stop.
_CODES: Final = {signal.SIGTERM: 143, signal.SIGINT: 130}


@dataclass(slots=True)
class Position:
    """Where a run stands; all of it goes into the checkpoint."""

    step: int = 0  # updates, skipped ones included
    epoch: int = 0  # validated ones
    best: float = float("nan")  # validation macro-AUPRC
    best_epoch: int = 0
    stale: int = 0  # epochs since
    rolled_back: bool = False
    finished: bool = False
    mixed: bool = False  # resumed under another torch or device: not the bits of one run


class OutOfMemory(OverreadError):
    """Memory ran out in a step."""


class Loop:
    """One training run in a folder; `fit` trains it from where it stands."""

    def __init__(
        self,
        config: TrainConfig,
        corpus: Corpus,
        unlabeled: Corpus | None,
        paradigm: Paradigm,
        *,
        device: torch.device,
        folder: Path,
        console: Console,
    ) -> None:
        self.config, self.corpus, self.paradigm = config, corpus, paradigm
        self.device, self.folder, self.console = device, folder, console
        self.position = Position()
        if config.auto_batch and ranks.ranks() > 1:
            raise UsageError(
                "--auto-batch is for one process: others would wait for ever for the one that ran "
                "out. Next step: find a batch that fits in one process, and give --set batch=N."
            )

        paradigm.net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        paradigm.net = ranks.same_start(paradigm.net)
        if config.compile == "yes" or (config.compile == "auto" and device.type == "cuda"):
            torch.set_float32_matmul_precision("high")
            torch.compiler.reset()  # what was compiled for an earlier run counts towards a limit
            encoder = paradigm.net.get_submodule("encoder")
            encoder.compile(dynamic=False)  # a handful of shapes, each at full speed
        self.best_net = _copy(paradigm.net)
        self._parameters = [each for each in paradigm.net.parameters() if each.requires_grad]
        self.optimizer = torch.optim.AdamW(_groups(paradigm.net, config), fused=True)
        # Batch norm's statistics: a forward pass that is not finite must not reach them either.
        self._statistics = [each for each in paradigm.net.buffers() if each.is_floating_point()]
        self._before = [each.clone() for each in self._statistics]
        self._generator = torch.Generator(device)

        train, validation = corpus.splits["train"], corpus.splits["validation"]
        self.steps, self.batch = batch_sizes(len(train), config.batch, ranks.ranks())
        # Self-training's own default: the ECGs with labels again, which need no room of their own.
        again = unlabeled is not None and (
            unlabeled.store is corpus.store and np.array_equal(unlabeled.rows, corpus.rows[train])
        )
        others = 0 if unlabeled is None or again else len(unlabeled.rows)
        windows = len(train) + len(validation) + others
        resident = config.resident == "yes" or (
            config.resident == "auto"
            and fits(device, windows, self.batch * (2 if unlabeled else 1))
        )
        how: dict[str, Any] = {
            "source": config.labels,
            "normalize": config.normalize,
            "device": device,
            "resident": resident,
        }
        self.train = Feed(corpus, train, **how)
        self.validation = Feed(corpus, validation, **how)
        self.unlabeled: Feed | None = None
        if unlabeled is not None:
            how["resident"] = self.train.resident if again else resident
            self.unlabeled = Feed(unlabeled, unlabeled.splits["train"], **how)
        self._log = Log(folder if ranks.rank() == 0 else None, device)
        #: SHA-256 of the stores that are learnt from.
        self.stores = sorted({one.store.sha256 for one in (corpus, unlabeled) if one is not None})
        #: What was learnt from: another run with the same config and data is the same run.
        hashes = (corpus.sha256, unlabeled.sha256 if unlabeled else "", paradigm.data)
        self.data = " ".join(each for each in hashes if each)

    @property
    def total(self) -> int:
        """Steps of the whole run, without an early stop."""
        return self.config.epochs * self.steps

    def fit(self) -> int:
        """Trains to the end: 0, or 143 or 130 after SIGTERM or Ctrl-C with the state saved.

        Raises ``OverreadError`` where training diverges for the second time, or memory runs out
        and the batch must not be halved; the last good checkpoint stays.
        """
        self._log.open(self.position.step)
        if not any(self.folder.glob("step-*.pt")):
            self.save()  # so that there always is a state to go back to
        with _asked_to_stop() as asked, Heard(self.console) as heard:
            while True:
                try:
                    with _told(self.config):
                        return self._fit(asked, heard)
                except OutOfMemory:
                    if not self.config.auto_batch or self.batch < 2 * _SMALLEST:
                        raise
                self._halve()  # out here, where no traceback holds the step's tensors

    def _fit(self, asked: list[int], heard: Heard) -> int:
        try:
            while not self.position.finished:
                self._train_epoch(asked, heard)
                if ranks.any_(bool(asked), self.device):
                    raise Interrupted
                self._validate(asked)
                self.save()
        except Interrupted:
            self.save()
            self.console.print(
                f"stopped at step {self.position.step}; Next: overread train --resume "
                f"{self.folder}",
                highlight=False,
            )
            return _CODES[signal.Signals((asked or [signal.SIGTERM])[0])]
        return 0

    def _halve(self) -> None:
        """Goes on from the last checkpoint with half the batch, behind the ECGs of its epoch.

        The step that ran out may have moved batch norm's statistics, or a part of the weights. The
        new batch is saved at once: a run that is resumed from here is this run.
        """
        self.restore(load_state(self.folder)[0])
        self._log.open(self.position.step)
        self._log.forget()
        seen = (self.position.step - self.position.epoch * self.steps) * self.batch
        before, half = self.batch, self.batch // 2
        self.config = replace(self.config, batch=half)
        self.steps, self.batch = batch_sizes(len(self.train), half)
        done = min(seen // self.batch, self.steps)
        self.position.step = self.position.epoch * self.steps + done
        self.save()
        self.console.print(
            f"memory is not enough for batches of {before}: from step {self.position.step} on they "
            f"have {self.batch}",
            highlight=False,
        )

    def update(self, batch: Batch, unlabeled: Batch | None) -> None:
        """One step: seed, views and loss (the paradigm), gradients, update or skip, tally."""
        seed = _seed(self.config.seed, self.position.step, ranks.rank())
        self._generator.manual_seed(seed)
        torch.manual_seed(seed)  # dropout
        for group in self.optimizer.param_groups:
            cosine = (1 + cos(pi * self.position.step / self.total)) / 2
            group["lr"] = self.config.lr * group["share"] * cosine
        torch._foreach_copy_(self._before, self._statistics)

        with precision(self.device, self.config.precision):
            loss, parts = self.paradigm.step(batch, unlabeled, self._generator)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = [each.grad for each in self._parameters if each.grad is not None]
        loss = loss.detach().clone()
        ranks.average_([*gradients, loss])

        finite = torch.nn.utils.get_total_norm(gradients).isfinite() & loss.isfinite()
        # The fused optimizer changes nothing where this is 1, as under a gradient scaler.
        self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        self.optimizer.step()
        for now, before in zip(self._statistics, self._before, strict=True):
            now.copy_(torch.where(finite, now, before))
        self._log.tally({"loss": loss, **parts}, finite, len(batch.ecgs) * ranks.ranks())
        self.position.step += 1

    def save(self) -> None:
        """Writes a checkpoint, unless the last update was skipped: the one before is better."""
        if ranks.rank() == 0 and not self._log.bad_in_a_row():
            save_state(self.folder, self.position.step, self.state())

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of where the run stands."""
        return {
            "config": asdict(self.config),
            "data": self.data,
            "ranks": ranks.ranks(),
            "torch": str(torch.__version__),
            "device": self.device.type,
            "position": asdict(self.position),
            "paradigm": self.paradigm.state,
            "net": self.paradigm.net.state_dict(),
            "best_net": self.best_net,
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Stands where the state was saved."""
        self.position = Position(**state["position"])
        self.best_net = {name: each.to(self.device) for name, each in state["best_net"].items()}
        self._restore_weights(state)

    def _restore_weights(self, state: dict[str, Any]) -> None:
        load_weights(self.paradigm.net, state["net"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _train_epoch(self, asked: list[int], heard: Heard) -> None:
        """The steps that are left of this epoch."""
        self.paradigm.net.train()
        if self.config.freeze_batch_norm:
            freeze_batch_norm(self.paradigm.net)
        left = (self.position.epoch + 1) * self.steps - self.position.step
        with closing(self.batches(left)) as batches:
            for batch, unlabeled in batches:
                self.update(batch, unlabeled)
                if ranks.rank() == 0:
                    ecgs = self.batch * ranks.ranks()
                    heard.say("ECGs", self.position.step * ecgs, self.total * ecgs)
                if self.position.step % self.config.log_every == 0:
                    self._look()
                    if ranks.any_(bool(asked), self.device):
                        return
                elif asked and ranks.ranks() == 1:
                    return
        self._look()

    def batches(self, count: int) -> Generator[tuple[Batch, Batch | None]]:
        """The next batches, each with one of ECGs without labels where the paradigm has such."""

        def following(feed: Feed, steps: int, size: int) -> Iterator[Batch]:
            order = shuffled(
                len(feed), steps, size, seed=self.config.seed, step=self.position.step,
                rank=ranks.rank(), ranks=ranks.ranks(),
            )  # fmt: skip
            return feed.batches(islice(order, count))

        others: Iterator[Batch | None] = repeat(None, count)
        if self.unlabeled:
            others = following(
                self.unlabeled, *batch_sizes(len(self.unlabeled), self.batch, ranks.ranks())
            )
        yield from zip(following(self.train, self.steps, self.batch), others, strict=True)

    def _look(self) -> None:
        """Waits for the device, logs, and answers a run of skipped updates."""
        bad = self._log.write(self.position.step, self.optimizer.param_groups[0]["lr"])
        if bad >= _BAD:
            self._roll_back(bad)
        elif self._log.since_saved() > _CHECKPOINT_S:
            self._log.saved()
            self.save()

    def _roll_back(self, bad: int) -> None:
        """To the weights of the last good checkpoint, going on with the ECGs that come next."""
        what = f"loss or gradients were not finite in {bad} steps in a row"
        if self.position.rolled_back:
            raise OverreadError(
                f"training diverges: {what}, again. The last good checkpoint is kept. "
                "Next step: a smaller --lr."
            )
        state, _ = load_state(self.folder)
        self._restore_weights(state)
        self.position.rolled_back = True
        self._log.forget()
        step = state["position"]["step"]
        self.console.print(f"{what}: back to the weights of step {step}", highlight=False)

    def _validate(self, asked: list[int]) -> None:
        """Scores the validation split; keeps the best weights, or counts towards the early stop."""
        began = time.monotonic()
        ranks.same_statistics(self.paradigm.net)
        scores = score(
            self.paradigm,
            self.validation,
            labels=len(self.corpus.labels),
            batch=self.batch,
            device=self.device,
            autocast=self.config.precision,
            stopped=lambda: bool(asked) and ranks.ranks() == 1,
        )
        judged = by_ecg(self.corpus, self.corpus.splits["validation"], scores, self.config.labels)
        value, labels = macro_auprc(judged)
        position = self.position
        position.epoch += 1
        # Without a label to judge by, the newest weights are as good as any, unless broken.
        blind = not labels and bool(np.isfinite(scores).all())
        if value > position.best or (value == value and position.best != position.best) or blind:
            position.best, position.best_epoch, position.stale = value, position.epoch, 0
            self.best_net = _copy(self.paradigm.net)
        else:
            position.stale += 1
        early = position.stale >= self.config.patience
        position.finished = early or position.epoch >= self.config.epochs
        self._log.epoch(
            {
                "epoch": position.epoch,
                "step": position.step,
                "validation_macro_auprc": None if value != value else value,
                "labels": labels,
                "best_epoch": position.best_epoch,
                "validation_s": time.monotonic() - began,
            }
        )
        if ranks.rank() == 0:
            shown = "not estimable" if value != value else f"{value:.4f} over {labels} labels"
            self.console.print(
                f"epoch {position.epoch}: loss {self._log.last.get('loss', float('nan')):.4f}, "
                f"validation macro-AUPRC {shown}, "
                f"{self._log.last.get('ecgs_per_s', 0):,.0f} ECGs/s"
                + (f"; no better for {position.stale} epochs, stop" if early else ""),
                highlight=False,
            )


@contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """A list that holds SIGTERM or SIGINT once one came; the step that runs is finished first."""
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {each: signal.signal(each, lambda got, _: asked.append(got)) for each in _CODES}
    try:
        yield asked
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _told(config: TrainConfig) -> Iterator[None]:
    """Says in our words that memory ran out, here or in another process of this run."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if isinstance(error, dist.DistBackendError) or "gloo" in str(error):
            raise OverreadError(
                "another process of this run has ended, often for want of memory. The last "
                "checkpoint is kept. Next step: overread train --resume RUN with the same torchrun."
            ) from None
        if not isinstance(error, MemoryError) and not any(what in str(error) for what in _FULL):
            raise
        raise OutOfMemory(
            f"memory is not enough for batches of {config.batch}. The last checkpoint is kept. "
            "Next step: overread train --resume RUN --auto-batch, or a new run with --set batch=N "
            "or --set resident=no."
        ) from None


def _groups(net: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels, none for biases, norms and temperatures.

    A text tower learns at a tenth of the rate: at the encoder's its texts end up all alike.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, each in net.named_parameters():
        if each.requires_grad:
            share = _TEXT_SHARE if name.startswith("text.") else 1.0
            decay = config.weight_decay if each.ndim > 1 else 0.0
            groups.setdefault((share, decay), []).append(each)
    return [
        {"params": some, "weight_decay": decay, "share": share, "lr": config.lr * share}
        for (share, decay), some in groups.items()
    ]


def _seed(seed: int, step: int, rank: int) -> int:
    digest = hashlib.blake2b(f"{seed} {step} {rank}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def _copy(net: nn.Module) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in net.state_dict().items()}
