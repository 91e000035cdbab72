"""``overread demo``: the whole way on invented ECGs, by the commands that it prints."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import typer
from rich.console import Console

from overread.files import atomic_path, output_folder
from overread.signals.synth import synthetic_reports

_FOLDER = Path("overread-out/demo")
_ECGS = 3_000
_EPOCHS = 8
_SYNTH = Path("overread-out/synth")
_REPORTS = _SYNTH / "reports.csv"


def run() -> None:
    """Makes a corpus, labels its texts, compares the readers, trains and evaluates a model.

    Without the packages for training it makes texts alone and ends at the comparison. What stands
    from an earlier demo is not made again.
    """
    console = Console(highlight=False, soft_wrap=True)
    folder = output_folder(_FOLDER)
    os.chdir(folder)
    console.print(f"$ cd {_FOLDER}", style="bold")
    trains = all(find_spec(package) for package in ("torch", "numba", "safetensors"))
    if trains:
        _step(console, "Invented ECGs, signals and two readings of each", "signals", "synth",
              "-n", str(_ECGS), "--enriched")  # fmt: skip
    else:
        output_folder(_SYNTH)
        with atomic_path(_REPORTS, overwrite=True) as path:
            pl.DataFrame(synthetic_reports(_ECGS, seed=0)).write_csv(path)
    _step(console, "Labels from both texts", "labels", "extract", str(_REPORTS),
          "--keep", "site", "--keep", "year")  # fmt: skip
    _step(console, "Where the readers disagree", "discrepancy", "report", "--by", "site")
    if trains:
        _step(console, "A small model learns the expert's labels", "train", "--encoder", "tiny",
              "--epochs", str(_EPOCHS))  # fmt: skip
        _step(console, "How good it is", "evaluate")
    console.print("\nDone. Open in a browser:", style="bold")
    console.print(f"  {_FOLDER}/overread-out/discrepancy/report.html")
    if trains:
        console.print(f"  {_FOLDER}/overread-out/evaluation/evaluation.html")
    console.print("\nWhat to type next:", style="bold")
    if shutil.which("overread") is None:  # started by `make demo`, in an environment of its own
        console.print(f"  . {shlex.quote(str(Path(sys.prefix, 'bin', 'activate')))}")
    console.print(f"  cd {_FOLDER}")
    console.print("  overread discrepancy cases --label lvh --change added")
    console.print("  overread labels explain 'Sinus rhythm has replaced atrial fibrillation'")
    console.print("  overread vocab suggest")
    if not trains:
        console.print(
            "Training and evaluation are missing here: "
            "python3 -m pip install 'overread[train,signals]', then again overread demo"
        )
    console.print("On your own reports, in a folder of yours: overread labels extract reports.csv")


def _step(console: Console, what: str, *arguments: str) -> None:
    """Says what comes and the command for it, and runs it; the demo ends where it fails."""
    console.print(f"\n[bold]{what}[/]\n$ overread {shlex.join(arguments)}")
    command = [sys.executable, "-m", "overread.cli.main", *arguments]
    if code := subprocess.run(command).returncode:
        raise typer.Exit(code)
