"""Runs in processes of their own, forked from a server that has read torch: that takes seconds."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from overread.train.config import configure
from overread.train.run import resume, train

SERVER = multiprocessing.get_context("forkserver")
# The last two are read when the first optimizer and text tower are made.
SERVER.set_forkserver_preload(
    [
        "pytest",
        "overread.train.run",
        "overread.train.negclip",
        "torch._dynamo",
        "transformers.models.clip.modeling_clip",
    ]
)


def ended(work: Callable[..., None], *given: Any) -> None:
    """Does some work in a process of its own, to its end."""
    process = SERVER.Process(target=work, args=given, daemon=True)
    process.start()
    process.join(120)
    assert process.exitcode == 0


def begun(run: Path, options: dict[str, Any], *, ranks: int = 1) -> list[BaseProcess]:
    """Begins a run, or without options goes on with it: a process, and its group, for each rank."""
    processes: list[BaseProcess] = [
        SERVER.Process(target=_learn, args=(run, options, rank, ranks), daemon=True)
        for rank in range(ranks)
    ]
    for each in processes:
        each.start()
    return processes


def told(run: Path, processes: list[BaseProcess]) -> str:
    """What the first process printed, once all have ended; processes that hang are ended."""
    for each in processes:
        each.join(120)
    for each in processes:
        each.kill()
    return _out(run).read_text()


def _out(run: Path) -> Path:
    return run.with_suffix(".out")


def _learn(run: Path, options: dict[str, Any], rank: int, ranks: int) -> None:
    os.setsid()
    torch.set_num_threads(1)
    with (_out(run) if rank == 0 else Path(os.devnull)).open("w") as out:
        console = Console(file=out)
        if ranks > 1:
            torch.distributed.init_process_group(
                "gloo", init_method=f"file://{run}.ranks", rank=rank, world_size=ranks
            )
        configured = configure(options=options)
        if options:
            code = train(configured, run, console=console)
        else:
            code = resume(run, configured, console=console)
    if ranks > 1:
        torch.distributed.destroy_process_group()
    sys.exit(code)
