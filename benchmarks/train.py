"""How fast training is, beside what the card could do, and whether it is right there.

    python benchmarks/train.py            # on a GPU under ten minutes

Needs torch, numpy, scipy, pyarrow, rich and typer; transformers for the contrastive paradigms. The
corpus is noise with random labels and statements, because no figure here depends on what an ECG
shows. On a GPU: ResNet-50, batches of 512 (256 for texts), bf16, compiled. On a CPU: the tiny
encoder and few ECGs, to see that it works.

1. The ceiling: operations by a matrix product and bytes by a copy, both measured here. Of texts it
   counts nothing.
2. Loss and gradients of one batch on the device and on the CPU; a run that is stopped and resumed
   on the device beside two that are not.
3. The steps that ``overread train`` takes, in each paradigm, and how long they wait for data.
4. Steps over a corpus as large as the source paper's, made in the device's memory.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import chain, repeat
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from rich.console import Console
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from overread.manifest import Manifest
from overread.signals.store_writer import writing_store
from overread.signals.synth import LABELS
from overread.train.checkpoint import load_state
from overread.train.config import CONTRASTIVE, configure
from overread.train.data import Corpus, Feed, load_corpus, load_unlabeled
from overread.train.loop import Loop
from overread.train.nets import make_encoder
from overread.train.order import batch_sizes
from overread.train.paradigm import paradigm_class
from overread.train.run import resolved
from overread.train.scoring import precision

PARADIGMS = ("supervised", "self-training", "clip", "negclip")
QUIET = Console(quiet=True)

#: Bytes that a ResNet-50 moves per ECG forward and backward in bf16, with batch norm, ReLU and
#: addition fused into the convolutions' passes; forward alone about a third.
RESNET50_BYTES = 152e6

FULL = 1_280_000  # ECGs of the source paper
HELD_BACK = 40 << 30  # bytes for net and activations beside them
VALIDATION = 256

#: Far above rounding, far below what a wrong gradient would show.
LARGEST_ERROR = 1e-2


def synchronised(device: torch.device) -> float:
    """The time when the device has done all it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def seconds(device: torch.device, work: Callable[[], object], times: int) -> float:
    """Seconds of one call, after two to warm up."""
    work()
    work()
    began = synchronised(device)
    for _ in range(times):
        work()
    return (synchronised(device) - began) / times


def peaks(device: torch.device) -> tuple[float, float]:
    """Operations per second of a large matrix product, bytes per second of a large copy."""
    cuda = device.type == "cuda"
    side = 8192 if cuda else 1024
    one = torch.randn(side, side, device=device, dtype=torch.bfloat16 if cuda else torch.float32)
    flops = 2 * side**3 / seconds(device, lambda: one @ one, 50 if cuda else 5)
    data = torch.empty(2**31 if cuda else 2**26, dtype=torch.uint8, device=device)
    other = torch.empty_like(data)
    moved = 2 * len(data) / seconds(device, lambda: other.copy_(data), 20)
    return flops, moved


def forward_flops(encoder: str) -> float:
    """Operations of one ECG's forward pass."""
    net = make_encoder(encoder).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 12, 2500))
    return float(counter.get_total_flops())


# --- a corpus of noise


def write_store(folder: Path, ecgs: int) -> None:
    rng = np.random.default_rng(0)
    with writing_store(folder, Manifest("benchmark"), overwrite=False) as writer:
        assert writer is not None
        for first in range(0, ecgs, 1024):
            count = min(1024, ecgs - first)
            windows = rng.integers(-600, 600, (count, 12, 2500), np.int16)
            norm = np.stack([windows.mean(2), windows.std(2)], -1).astype(np.float32) / 1000
            records = {
                "id": [f"e{first + at}" for at in range(count)],
                "patient_id": [None] * count,
                "source": ["noise"] * count,
                "window": [0] * count,
                "fs_hz": [250.0] * count,
                "quality": [""] * count,
            }
            writer.append(windows, norm, records)
        writer.finish({})


def write_extraction(folder: Path, ecgs: int) -> None:
    """Label tables as ``overread labels extract`` writes them, of random readings.

    20 wordings of each label, and 3,000 statements without a label of which few are frequent. The
    machine differs from the expert in a twentieth of the labels and in half of the other words.
    """
    folder.mkdir()
    rng = np.random.default_rng(1)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(word) for word in letters[rng.integers(0, 26, (400, 7))]]
    labelled = [f"{label.replace('_', ' ')} {words[at]}" for label in LABELS for at in range(20)]
    others = [" ".join(words[at] for at in some) for some in rng.integers(0, 400, (3000, 4))]
    texts = labelled + others

    expert = rng.random((ecgs, len(LABELS))) < np.linspace(0.9, 0.02, len(LABELS)) ** 2
    machine = expert ^ (rng.random(expert.shape) < 0.05)
    usual = rng.zipf(1.3, (ecgs, 2)).clip(max=len(others)) - 1
    made = []
    for source, present, other in (
        (0, machine, np.where(rng.random(usual.shape) < 0.5, usual, rng.permuted(usual))),
        (1, expert, usual),
    ):
        row, label = present.nonzero()
        made.append((row, source, label * 20 + rng.integers(0, 20, len(row))))
        made.append((np.repeat(np.arange(ecgs), 2), source, len(labelled) + other.ravel()))

    values = {"id": [f"e{at}" for at in range(ecgs)]}
    for source, present in (("machine", machine), ("expert", expert)):
        values |= {
            f"{source}_{label}": present[:, at].astype(np.int8) for at, label in enumerate(LABELS)
        }
    values["split"] = ["validation"] * VALIDATION + ["train"] * (ecgs - VALIDATION)
    count = len(labelled)
    tables = {
        "labels": values,
        "statements": {"text": texts, "segment": ["findings"] * len(texts)},
        "evidence": {
            "statement": np.arange(count, dtype=np.uint32),
            "label": [label for label in LABELS for _ in range(20)],
            "assertion": ["present"] * count,
            "start": np.zeros(count, np.uint32),
            "end": np.array([len(text) for text in labelled], np.uint32),
            "phrase_id": ["noise"] * count,
            "score": np.full(count, 100, np.uint8),
        },
        "report_statements": {
            "row": np.concatenate([row for row, _, _ in made]).astype(np.uint32),
            "source": np.concatenate([np.full(len(row), at, np.uint8) for row, at, _ in made]),
            "statement": np.concatenate([each for _, _, each in made]).astype(np.uint32),
        },
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    options = {"uncertain": "positive"}
    Manifest("labels extract", options=options, labels=LABELS).write(folder)


def made_loop(paradigm: str, place: Path, device: torch.device, **more: Any) -> Loop:
    """A run as ``overread train`` would begin it."""
    batch = 32 if device.type == "cpu" else 256 if paradigm in CONTRASTIVE else 512
    config = configure(
        options={
            "paradigm": paradigm,
            "store": str(place / "store"),
            "label_table": str(place / "labels"),
            "split_column": "split",
            "resident": "yes",
            "batch": batch,
            **more,
        }
    ).config
    corpus = load_corpus(config)
    unlabeled = load_unlabeled(config, corpus) if paradigm == "self-training" else None
    config = resolved(config, len(corpus.splits["train"]), device)
    torch.manual_seed(config.seed)
    made = paradigm_class(paradigm).from_corpus(config, corpus)
    run = place / "run"
    run.mkdir(exist_ok=True)
    loop = Loop(config, corpus, unlabeled, made, device=device, folder=run, console=QUIET)
    loop.paradigm.net.train()
    return loop


# --- is it right there?


def loss_and_gradients(
    paradigm: str, place: Path, device: torch.device, **more: Any
) -> tuple[float, Tensor]:
    """Of the first batch, from the same weights, without augmentation; on the CPU at the end."""
    loop = made_loop(paradigm, place, device, augment=False, batch=16, **more)
    batch, unlabeled = next(loop.batches(1))
    with precision(device, loop.config.precision):
        loss = loop.paradigm.step(batch, unlabeled, torch.Generator(device)).loss
    loss.backward()
    found = [each.grad for each in loop.paradigm.net.parameters() if each.grad is not None]
    return loss.item(), torch.cat([each.double().cpu().ravel() for each in found])


def compared(place: Path, device: torch.device, paradigms: list[str], encoder: str) -> bool:
    """Prints how far the device is from the CPU; whether that is near enough in float32."""
    right_there = True
    print("\none batch of 16 on the CPU in float32, and on the device; error of the gradient: its")
    print("length by that of the gradient")
    print(
        f"{'paradigm':<14}{'loss':>10}{'float32':>10}{'gradient':>10}{'bf16':>10}{'gradient':>10}"
    )
    plain = {"encoder": encoder, "precision": "fp32", "compile": "no"}
    tf32 = torch.backends.cudnn.allow_tf32
    for paradigm in paradigms:
        expected, right = loss_and_gradients(paradigm, place, torch.device("cpu"), **plain)
        torch.backends.cudnn.allow_tf32 = False  # it has 10 bits
        loss, exact = loss_and_gradients(paradigm, place, device, **plain)
        torch.backends.cudnn.allow_tf32 = tf32
        rough, coarse = loss_and_gradients(paradigm, place, device, **plain | {"precision": "bf16"})
        errors = [float((each - right).norm() / right.norm()) for each in (exact, coarse)]
        print(
            f"{paradigm:<14}{expected:>10.5f}{loss:>10.5f}{errors[0]:>10.1e}{rough:>10.5f}"
            f"{errors[1]:>10.1e}",
            flush=True,
        )
        right_there &= abs(loss - expected) <= LARGEST_ERROR * abs(expected)
        right_there &= errors[0] <= LARGEST_ERROR
    return right_there


def trained(loop: Loop, steps: int) -> Loop:
    for batch, unlabeled in loop.batches(steps):
        loop.update(batch, unlabeled)
    return loop


def resumed(place: Path, device: torch.device, encoder: str) -> None:
    """Prints how far a resumed run is from one without a stop, and that one from its repetition."""

    def begun() -> Loop:
        return made_loop("supervised", place, device, encoder=encoder, compile="no")

    def weights(loop: Loop) -> Tensor:
        return torch.cat([each.detach().ravel() for each in loop.paradigm.net.parameters()]).cpu()

    whole, again = weights(trained(begun(), 8)), weights(trained(begun(), 8))
    stopped = trained(begun(), 4)
    stopped.save()
    loop = begun()
    loop.restore(load_state(stopped.folder)[0])
    after = weights(trained(loop, 4))
    print("\nlargest difference of a weight after 8 steps")
    print(f"the same run again       {float((whole - again).abs().max()):.1e}")
    print(f"stopped at 4 and resumed {float((whole - after).abs().max()):.1e}")


# --- how fast is it?


def step_seconds(loop: Loop, steps: int, *, fed: bool = True) -> float:
    """Seconds per step; not fed, the same batch comes again and again."""
    warm = 5 if loop.device.type == "cuda" else 1
    batches: Iterator[Any] = loop.batches(warm + steps)
    if not fed:
        first = next(batches)
        batches = chain(repeat(first, warm + steps))
    began = 0.0
    for number, (batch, unlabeled) in enumerate(batches):
        if number == warm:
            began = synchronised(loop.device)
        loop.update(batch, unlabeled)
    return (synchronised(loop.device) - began) / steps


def memory(device: torch.device) -> str:
    """The most that the device held since this was asked last, in GiB."""
    if device.type != "cuda":
        return "-"
    most = torch.cuda.max_memory_allocated(device) / 2**30
    torch.cuda.reset_peak_memory_stats(device)
    return f"{most:,.1f}"


def timed(loop: Loop, steps: int, flops: float, moved: float, forward: float) -> None:
    """Prints one paradigm's line."""
    paradigm = loop.config.paradigm
    memory(loop.device)
    step = step_seconds(loop, steps)
    # Forward and backward cost three times a forward pass; self-training adds a weak pass.
    passes = 3.5 if paradigm == "self-training" else 3
    speed = loop.batch * (2 if paradigm == "self-training" else 1) / step
    ceiling = flops / (passes * forward)
    if loop.config.encoder == "resnet50":
        ceiling = min(ceiling, moved / (RESNET50_BYTES * passes / 3))
    print(
        f"{paradigm:<14}{loop.batch:>6}{step * 1000:>9,.1f}{speed:>9,.0f}{ceiling:>9,.0f}"
        f"{speed / ceiling:>7.2f}{memory(loop.device):>7}",
        flush=True,
    )


def loader_per_second(loop: Loop, workers: int, count: int) -> float:
    """ECGs per second of a DataLoader that reads one ECG at a time, and does nothing else."""
    corpus = loop.corpus
    rows = corpus.rows[corpus.splits["train"]]
    rows = np.tile(rows, ceil(count / len(rows)))[:count]
    loader = DataLoader(
        corpus.store.dataset(rows),
        batch_size=loop.batch,
        num_workers=workers,
        pin_memory=loop.device.type == "cuda",
    )
    began = time.perf_counter()
    for signals, norm, _ in loader:
        signals.to(loop.device, non_blocking=True)
        norm.to(loop.device, non_blocking=True)
    return count / (synchronised(loop.device) - began)


def feeding(loop: Loop, steps: int, workers: int) -> None:
    """Prints how long a step of this loop waits for its ECGs."""
    print("\nsupervised, feeding          ms/step    share")
    alone = step_seconds(loop, steps, fed=False)
    print(f"{'the same batch again':<28}{alone * 1000:>8,.1f}")
    for what, resident in (("from the device's memory", True), ("from the memory map", False)):
        loop.train = feed(loop, loop.corpus, loop.corpus.splits["train"], resident=resident)
        step = step_seconds(loop, steps)
        print(f"{what:<28}{step * 1000:>8,.1f}{1 - alone / step:>9.1%}", flush=True)
    speed = loader_per_second(loop, workers, 16 * loop.batch if loop.device.type == "cuda" else 256)
    print(
        f"{f'DataLoader, {workers} workers':<28}{1000 * loop.batch / speed:>8,.1f}"
        f"   {speed:,.0f} ECGs/s, one at a time, without a step"
    )


def feed(loop: Loop, corpus: Corpus, at: np.ndarray, *, resident: bool) -> Feed:
    return Feed(
        corpus, at, source="expert", normalize=loop.config.normalize, device=loop.device,
        resident=resident,
    )  # fmt: skip


def full_size(loop: Loop, steps: int, ecgs: int) -> None:
    """Prints the time of steps over so many ECGs, noise that is made where it is used."""
    device = loop.device
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what other paradigms held
        free, _ = torch.cuda.mem_get_info(device)
        ecgs = min(ecgs, (free - HELD_BACK) // (12 * 2500 * 2))
    rng = np.random.default_rng(2)
    everyone = np.arange(ecgs)
    store: Any = SimpleNamespace(
        norm=np.ones((ecgs, 12, 2), np.float32) * np.float32([0, 0.35]),
        signals=SimpleNamespace(shape=(ecgs, 12, 2500)),
    )
    labels = loop.corpus.labels
    values = {"expert": (rng.random((ecgs, len(labels))) < 0.1).astype(np.int8)}
    corpus = Corpus(
        store, labels, everyone, everyone, values, everyone, everyone, {"train": everyone}, "", ""
    )
    loop.train = feed(loop, corpus, everyone, resident=False)
    noise = torch.empty((ecgs, 12, 2500), dtype=torch.int16, device=device)
    for some in noise.split(1 << 14):
        some.random_(-600, 600)
    loop.train.resident = noise
    loop.steps, loop.batch = batch_sizes(ecgs, loop.config.batch)
    memory(device)
    step = step_seconds(loop, steps)
    hours = loop.steps * step / 3600
    print(
        f"\nsupervised over {ecgs:,} ECGs in the device's memory: {step * 1000:,.1f} ms/step, "
        f"{loop.batch / step:,.0f} ECGs/s, {hours:,.2f} h per epoch, {memory(device)} GiB"
    )


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--encoder", help="Default: resnet50, on a CPU tiny.")
    parser.add_argument("--steps", type=int, help="Steps that are timed. Default: 60, on a CPU 5.")
    parser.add_argument("--ecgs", type=int, help="Default: 8192, on a CPU 320.")
    parser.add_argument("--full", type=int, help=f"Default: {FULL}, on a CPU 1000.")
    parser.add_argument("paradigms", nargs="*", default=PARADIGMS, help="Default: all.")
    given = parser.parse_args()
    device = torch.device(given.device)
    cuda = device.type == "cuda"
    encoder = given.encoder or ("resnet50" if cuda else "tiny")
    steps = given.steps or (60 if cuda else 5)
    workers = os.cpu_count() or 1
    began = time.monotonic()
    paradigms = list(given.paradigms)
    if find_spec("transformers") is None:
        print("without transformers: no contrastive paradigms")
        paradigms = [each for each in paradigms if each not in CONTRASTIVE]

    flops, moved = peaks(device)
    name = torch.cuda.get_device_name(device) if cuda else f"{torch.get_num_threads()} CPU threads"
    print(f"{name}, torch {torch.__version__}")
    print(f"matrix product {flops / 1e12:,.3g} TFLOP/s, copy {moved / 1e12:,.3g} TB/s")
    forward = forward_flops(encoder)
    print(f"{encoder}: {forward / 1e9:,.2f} GFLOP per ECG forward")

    with TemporaryDirectory() as folder:
        place = Path(folder)
        ecgs = VALIDATION + (given.ecgs or (8192 if cuda else 320))
        write_store(place / "store", ecgs)
        write_extraction(place / "labels", ecgs)
        right = compared(place, device, paradigms, encoder)
        resumed(place, device, encoder)
        print(
            f"\n{'paradigm':<14}{'batch':>6}{'ms/step':>9}{'ECGs/s':>9}{'ceiling':>9}{'ratio':>7}"
            f"{'GiB':>7}"
        )
        for paradigm in paradigms:
            loop = made_loop(paradigm, place, device, encoder=encoder)
            timed(loop, steps, flops, moved, forward)
        loop = made_loop("supervised", place, device, encoder=encoder)
        feeding(loop, steps, workers)
        full_size(loop, steps, given.full or (FULL if cuda else 1000))
    print(f"all of it: {time.monotonic() - began:,.0f} s")
    if not right:
        sys.exit("loss or gradients on the device are not those on the CPU")


if __name__ == "__main__":
    main()
