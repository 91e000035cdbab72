"""How fast training is, beside what the card could do: python benchmarks/train.py

Makes a synthetic corpus, and takes the steps that a run takes. On a GPU: ResNet-50, batches of 512
(256 for texts), bf16, compiled; under ten minutes. On a CPU: the tiny encoder and few ECGs, to see
that it works. The ceiling is the smaller of two: operations by the matrix product, and bytes by the
copy that are measured in the same run. Of texts it counts nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from overread.signals.synth import write_corpus
from overread.train.config import CONTRASTIVE, configure
from overread.train.data import load_corpus, load_unlabeled
from overread.train.loop import Loop
from overread.train.nets import make_encoder
from overread.train.paradigm import paradigm_class
from overread.train.run import resolved

PARADIGMS = ("supervised", "self-training", "clip", "negclip")

#: Bytes that a ResNet-50 moves per ECG forward and backward in bf16, with batch norm, ReLU and
#: addition fused into the convolutions' passes; forward alone about a third.
RESNET50_BYTES = 152e6


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


def made_loop(paradigm: str, store: Path, folder: Path, device: torch.device, **more: Any) -> Loop:
    """A run as ``overread train`` would begin it."""
    batch = 32 if device.type == "cpu" else 256 if paradigm in CONTRASTIVE else 512
    config = configure(
        options={
            "paradigm": paradigm,
            "store": str(store / "store"),
            "label_table": str(store / "labels"),
            "resident": "yes",
            "batch": batch,
            **more,
        }
    ).config
    corpus = load_corpus(config)
    unlabeled = load_unlabeled(config, corpus) if paradigm == "self-training" else None
    config = resolved(config, len(corpus.splits["train"]), device)
    made = paradigm_class(paradigm).from_corpus(config, corpus)
    quiet = Console(quiet=True)
    loop = Loop(config, corpus, unlabeled, made, device=device, folder=folder, console=quiet)
    loop.paradigm.net.train()
    return loop


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


def loader_per_second(loop: Loop, workers: int, count: int) -> float:
    """ECGs per second of a DataLoader that reads one ECG at a time, and does nothing else."""
    corpus = loop.corpus
    rows = corpus.rows[corpus.splits["train"]]
    rows = rows.repeat(-(-count // len(rows)))[:count]
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


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--encoder", help="Default: resnet50, on a CPU tiny.")
    parser.add_argument("--steps", type=int, help="Steps that are timed. Default: 60, on a CPU 5.")
    parser.add_argument("--ecgs", type=int, help="Default: 8192, on a CPU 400.")
    parser.add_argument("paradigms", nargs="*", default=PARADIGMS)
    given = parser.parse_args()
    device = torch.device(given.device)
    cuda = device.type == "cuda"
    encoder = given.encoder or ("resnet50" if cuda else "tiny")
    steps = given.steps or (60 if cuda else 5)

    flops, moved = peaks(device)
    name = torch.cuda.get_device_name(device) if cuda else f"{torch.get_num_threads()} CPU threads"
    print(f"{name}, torch {torch.__version__}")
    print(f"matrix product {flops / 1e12:,.1f} TFLOP/s, copy {moved / 1e12:,.2f} TB/s")
    forward = forward_flops(encoder)
    print(f"{encoder}: {forward / 1e9:,.2f} GFLOP per ECG forward\n")

    with TemporaryDirectory() as folder:
        place = Path(folder)
        workers = os.cpu_count() or 1
        write_corpus(place, given.ecgs or (8192 if cuda else 400), workers=workers)
        subprocess.run(
            [sys.executable, "-m", "overread.cli.main", "labels", "extract",
             str(place / "reports.csv"), "--out", str(place / "labels")],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        print(f"{'paradigm':<14}{'batch':>6}{'ms/step':>9}{'ECGs/s':>9}{'ceiling':>9}{'ratio':>7}")
        for paradigm in given.paradigms:
            try:
                loop = made_loop(paradigm, place, place, device, encoder=encoder)
            except ModuleNotFoundError as error:
                print(f"{paradigm:<14}{error}")
                continue
            step = step_seconds(loop, steps)
            # Forward and backward cost three times a forward pass; self-training adds a weak pass.
            passes = 3.5 if paradigm == "self-training" else 3
            speed = loop.batch * (2 if paradigm == "self-training" else 1) / step
            ceiling = flops / (passes * forward)
            if encoder == "resnet50":
                ceiling = min(ceiling, moved / (RESNET50_BYTES * passes / 3))
            print(
                f"{paradigm:<14}{loop.batch:>6}{step * 1000:>9,.1f}{speed:>9,.0f}{ceiling:>9,.0f}"
                f"{speed / ceiling:>7.2f}",
                flush=True,
            )
            del loop

        print("\nsupervised, feeding          ms/step    share")
        loop = made_loop("supervised", place, place, device, encoder=encoder)
        alone = step_seconds(loop, steps, fed=False)
        print(f"{'the same batch again':<28}{alone * 1000:>8,.1f}")
        for what, resident in (("from the device's memory", "yes"), ("from the memory map", "no")):
            loop = made_loop("supervised", place, place, device, encoder=encoder, resident=resident)
            step = step_seconds(loop, steps)
            print(f"{what:<28}{step * 1000:>8,.1f}{1 - alone / step:>9.1%}")
        speed = loader_per_second(loop, workers, 16 * loop.batch if cuda else 256)
        print(
            f"{f'DataLoader, {workers} workers':<28}{1000 * loop.batch / speed:>8,.1f}"
            f"   {speed:,.0f} ECGs/s, one at a time, without a step"
        )


if __name__ == "__main__":
    main()
