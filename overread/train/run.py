"""One training run from its config to its folder: data, loop, model; resume, fork, dry run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch
from rich.console import Console

from overread.errors import OutputExists, UsageError
from overread.files import atomic_write, is_folder, locked, output_folder, refuse_existing
from overread.manifest import RUN_FILE, Manifest, versions
from overread.report.folder import replace_files
from overread.train import ranks
from overread.train.checkpoint import MODEL_FILE, load_model, load_state, load_weights, state_files
from overread.train.config import (
    CONTRASTIVE,
    MACHINE,
    UNSTATED,
    Configured,
    TrainConfig,
    changed,
    from_values,
    without_folders,
)
from overread.train.data import Corpus, load_corpus, load_unlabeled
from overread.train.log import EVENT_FILES, METRICS_FILE
from overread.train.loop import Loop
from overread.train.model import CARD_FILE, write_model
from overread.train.paradigm import Paradigm, paradigm_class

RUNS: Final = Path("overread-out/runs")
CONFIG_FILE: Final = "config.toml"

_COMMAND: Final = "train"
_STEPS: Final = 50  # an epoch of fewer steps has smaller batches, down to
_SMALLEST: Final = 32
_SMALLEST_CONTRASTIVE: Final = 64  # an ECG is told from the others of its batch: few teach little


def train(
    configured: Configured,
    folder: Path,
    *,
    console: Console,
    overwrite: bool = False,
) -> int:
    """Trains a new run into a folder: 0, or 143 or 130 where it was asked to stop.

    Does nothing where the folder holds this very run. Raises ``OutputExists`` where it holds
    another one, or files of one's own, and ``overwrite`` was not given.
    """
    folder = output_folder(folder)  # a bad name shows before the data are read
    with ranks.joined(configured.config.device) as device:
        loop = _prepared(configured.config, device, folder, console)
        planned = _planned(loop)
        # Process 0 alone looks: a moment later it writes there itself.
        done = ranks.rank() == 0 and not overwrite and _up_to_date(folder, planned)
        if ranks.any_(done, device):
            console.print(f"up to date: {folder}", highlight=False)
            return 0
        with _held(folder):
            if ranks.rank() == 0:
                _begin(loop, replace(configured, config=loop.config), overwrite=overwrite)
            return _finish(loop, planned)


def resume(
    folder: Path, configured: Configured, *, console: Console, fork: Path | None = None
) -> int:
    """Goes on with a run from its last whole checkpoint, or from there into a new folder ``fork``.

    Raises ``UsageError`` where the config that is given, or the data, is not that of the run; with
    ``fork`` the config may differ.
    """
    state, problems = load_state(folder)
    config = _resumed_config(state, configured, forked=fork is not None)
    if fork is not None and (is_folder(fork) or fork.exists()):
        raise OutputExists(f"{fork} exists already. Next step: give --fork another name.")
    with ranks.joined(config.device) as device:
        for problem in problems:
            console.print(f"{problem}; an earlier checkpoint is used", highlight=False)
        loop = _prepared(config, device, fork or folder, console)
        if state["data"] != loop.data:
            read = "labels, splits or signals"
            if config.paradigm in CONTRASTIVE:  # early versions noted no hash of the statements
                read = "labels, splits, signals or statements (or the version that noted them)"
            raise UsageError(
                f"the {read} are not those that {folder.name} learnt from. "
                "Next step: restore them, or begin a new run, with --init for these weights."
            )
        if state["ranks"] != ranks.ranks():
            raise UsageError(
                f"{folder.name} ran in {state['ranks']} processes, and these are {ranks.ranks()}. "
                "Next step: give torchrun as many as before."
            )
        loop.restore(state)
        if fork is not None:
            loop.position.step = loop.position.epoch * loop.steps  # batches may have another size
            loop.position.finished = loop.position.epoch >= config.epochs
        if state["torch"] != torch.__version__ or state["device"] != device.type:
            loop.position.mixed = True
            console.print(
                f"was trained with torch {state['torch']} on {state['device']}: what follows is "
                "not bit-identical to a run without interruption",
                highlight=False,
            )
        with _held(fork or folder):
            if fork is not None and ranks.rank() == 0:
                config_file = replace(configured, config=loop.config).toml().encode()
                atomic_write(fork / CONFIG_FILE, config_file)
            return _finish(loop, _planned(loop))


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would take."""

    parameters: int
    steps_per_epoch: int
    batch: int
    step_s: float
    peak_bytes: int | None

    def lines(self, epochs: int) -> list[str]:
        """For people."""
        hours = self.step_s * self.steps_per_epoch * epochs / 3600
        lines = [
            f"{self.parameters:,} parameters",
            f"{self.steps_per_epoch:,} steps of {self.batch} ECGs per epoch",
            f"{self.step_s * 1000:,.1f} ms per step, {self.batch / self.step_s:,.0f} ECGs/s",
            f"{hours:,.1f} h for {epochs} epochs without validation or an early stop",
        ]
        if self.peak_bytes is not None:
            lines.append(f"{self.peak_bytes / 2**30:,.1f} GiB of GPU memory at the peak")
        return lines


def dry_run(configured: Configured, *, console: Console) -> DryRun:
    """Loads the data, takes three steps and writes nothing; the last two are timed."""
    with ranks.joined(configured.config.device) as device, TemporaryDirectory() as folder:
        loop = _prepared(configured.config, device, Path(folder), console)
        batches = loop.batches(3)
        batch, unlabeled = next(batches)
        for name, tensor in batch._asdict().items():
            console.print(f"{name}: {tuple(tensor.shape)} {tensor.dtype}", highlight=False)
        loop.paradigm.net.train()
        loop.update(batch, unlabeled)  # compiles
        _wait(device)
        began = time.perf_counter()
        for batch, unlabeled in batches:
            loop.update(batch, unlabeled)
        _wait(device)
        seconds = (time.perf_counter() - began) / 2
        cuda = device.type == "cuda"
        done = DryRun(
            sum(each.numel() for each in loop.paradigm.net.parameters()),
            loop.steps,
            loop.batch,
            seconds,
            torch.cuda.max_memory_allocated(device) if cuda else None,
        )
    for line in done.lines(loop.config.epochs):
        console.print(line, highlight=False)
    return done


def resolved(config: TrainConfig, windows: int, device: torch.device) -> TrainConfig:
    """The config with everything found out: encoder, batch and learning rate.

    >>> found = resolved(TrainConfig(), 20_000, torch.device("cpu"))
    >>> found.encoder, found.batch, found.lr, found.epochs
    ('tiny', 256, 0.003, 30)
    """
    encoder = config.encoder
    if encoder == "auto":
        encoder = "resnet50" if device.type == "cuda" else "tiny"
    is_contrastive = config.paradigm in CONTRASTIVE
    most = 256 if is_contrastive else 512
    least = _SMALLEST_CONTRASTIVE if is_contrastive else _SMALLEST
    fitting = 1 << max(windows // _STEPS, 1).bit_length() - 1
    return replace(
        config,
        encoder=encoder,
        batch=config.batch or max(least, min(most, fitting)),
        lr=config.lr or (3e-3 if encoder == "tiny" else 1e-4),
        epochs=config.epochs or (30 if encoder == "tiny" else 100),
    )


def _prepared(config: TrainConfig, device: torch.device, folder: Path, console: Console) -> Loop:
    """Data and a net to begin with; tells what was found."""
    if ranks.rank():
        console = Console(quiet=True)
    corpus = load_corpus(config)
    unlabeled = load_unlabeled(config, corpus) if config.paradigm == "self-training" else None
    for note in [*corpus.notes, *(unlabeled.notes if unlabeled else ())]:
        console.print(note, highlight=False)
    if config.preset == "paper":
        console.print("The source paper leaves open, and here stands:", highlight=False)
        for line in UNSTATED:
            console.print(f"  {line}", highlight=False)
    config = resolved(config, len(corpus.splits["train"]), device)
    torch.manual_seed(config.seed)
    paradigm = paradigm_class(config.paradigm).from_corpus(config, corpus)
    if config.init:
        console.print(_start_from(paradigm, config), highlight=False)
    loop = Loop(config, corpus, unlabeled, paradigm, device=device, folder=folder, console=console)
    console.print(
        f"{config.paradigm} on {config.labels} labels: encoder {config.encoder} on {device}, "
        f"batch {loop.batch}, lr {config.lr:g}, {loop.steps} steps per epoch",
        highlight=False,
    )
    return loop


def _start_from(paradigm: Paradigm, config: TrainConfig) -> str:
    """Takes over the encoder of ``--init``."""
    tensors, metadata = load_model(config.init)
    own = paradigm.net.get_submodule("encoder")
    prefix = "encoder."
    found = {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    if metadata["config"]["encoder"] != config.encoder:
        raise UsageError(
            f"--init holds a {metadata['config']['encoder']}, and this run has a {config.encoder}. "
            f"Next step: give --encoder {metadata['config']['encoder']}."
        )
    load_weights(own, found)
    return f"encoder begins with the weights of {Path(config.init).name}"


def _finish(loop: Loop, planned: Manifest) -> int:
    """Trains to the end and leaves model, card and run.json."""
    code = loop.fit()
    if code:
        return code
    metadata = write_model(loop)
    if ranks.rank() == 0:
        replace(planned, counts=_counts(loop.corpus, metadata)).write(loop.folder)
    loop.console.print(
        f"written to {loop.folder}: {MODEL_FILE} of epoch {metadata['best_epoch']}\n"
        f"Next: overread evaluate {loop.folder}",
        highlight=False,
    )
    return 0


def _counts(corpus: Corpus, metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "windows": metadata["windows"],
        "test_windows_scored": 0,  # training has no code that scores them
        "batch": metadata["config"]["batch"],  # what memory allowed
        "best_epoch": metadata["best_epoch"],
        "validation_macro_auprc": metadata["validation_macro_auprc"],
        "notes": corpus.notes,
    }


def _planned(loop: Loop) -> Manifest:
    told = without_folders(loop.config).items()
    options = {key: value for key, value in told if key not in MACHINE}
    return Manifest(
        _COMMAND,
        options={**options, "data": loop.data, "ranks": ranks.ranks()},
        vocabulary=loop.corpus.vocabulary,
        versions=versions("torch", "numpy", "safetensors"),
        seed=loop.config.seed,
        labels=loop.corpus.labels,
    )


def _resumed_config(state: dict[str, Any], given: Configured, *, forked: bool) -> TrainConfig:
    """The run's config; values that were given must be the same unless they only name a machine."""
    stored = from_values(state["config"])
    wanted = replace(stored, **{key: getattr(given.config, key) for key in given.origin})
    if (keys := changed(stored, wanted)) and not forked:
        raise UsageError(
            f"the run was begun with another config: {', '.join(keys)}. "
            "Next step: leave these out, or give --fork NAME for a run of its own."
        )
    return wanted


def _up_to_date(folder: Path, planned: Manifest) -> bool:
    """Whether the folder holds this very run, ended; refuses another one or a part of one."""
    ended = (folder / RUN_FILE).is_file()
    if ended and Manifest.read(folder).same_work(planned):
        return True
    if ended or any(folder.glob("step-*.pt")):
        raise OutputExists(
            f"{folder} holds another run. Next step: --resume {folder} to go on with it, "
            "--name NAME for another place, or --overwrite."
        )
    for name in (CONFIG_FILE, METRICS_FILE, MODEL_FILE, CARD_FILE):
        refuse_existing(folder / name, overwrite=False)
    return False


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder for this run alone."""
    with locked(output_folder(folder)) if ranks.rank() == 0 else nullcontext():
        yield


def _begin(loop: Loop, configured: Configured, *, overwrite: bool) -> None:
    """Writes the config and the first state; then an overwritten run leaves nothing of its own.

    Nothing of it goes before: a full disk leaves it whole.
    """
    folder = loop.folder
    of_steps = (*folder.glob("step-*.pt*"), *folder.glob(EVENT_FILES))
    files = {
        folder / CONFIG_FILE: configured.toml().encode(),
        **state_files(folder, 0, loop.state()),
    }
    replace_files(files, [folder / RUN_FILE, folder / METRICS_FILE, *of_steps], overwrite=overwrite)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
