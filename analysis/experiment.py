"""What the scripts share: a corpus, the commands of overread run on it, and where a result goes.

A script goes into one work folder, where every command finds what earlier ones made and does not
make it again: scripts that need the same model train it once.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from overread.report.document import Document
from overread.report.write import write

PARADIGMS = ("supervised", "self-training", "clip", "negclip")

#: What "few labels" means where self-training is to help.
FEW = ("--fraction", "0.1", "--epochs", "40")

FOLDER = Path("overread-out/analysis")


@dataclass(frozen=True)
class Experiment:
    """A corpus and how to train on it.

    ``about`` says in words for a caption what the corpus is.
    """

    about: str
    store: Path
    labels: Path
    seeds: int
    options: tuple[str, ...]

    @classmethod
    def from_command_line(cls, description: str) -> Experiment:
        """The experiment that the script's options describe; makes the corpus where none is given.

        ``description`` is the script's docstring. From here on the work folder is the current one.
        """
        parser = argparse.ArgumentParser(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--store", type=Path, help="your store of signals; needs --labels")
        parser.add_argument("--labels", type=Path, help="your folder of overread labels extract")
        parser.add_argument(
            "--ecgs", type=int, default=3000, help="size of the synthetic corpus (default: 3000)"
        )
        parser.add_argument(
            "--plain",
            action="store_true",
            help="synthetic labels as rare as in the paper's Table A.1, not at least 8 %% each",
        )
        parser.add_argument(
            "--seeds", type=int, default=1, help="trainings of each kind (default: 1)"
        )
        parser.add_argument("--out", type=Path, help=f"work folder (default: {FOLDER}/CORPUS)")
        parser.add_argument(
            "train", nargs="*", help="after --: options for every overread train, such as --epochs"
        )
        given = parser.parse_args()
        if (given.store is None) != (given.labels is None):
            parser.error("--store and --labels belong together")
        kind = "plain" if given.plain else "enriched"
        corpus = given.store.name if given.store else f"synthetic-{kind}-{given.ecgs}"
        about = corpus if given.store else f"{given.ecgs:,} synthetic ECGs ({kind})"
        made = Path("overread-out")
        experiment = cls(
            about,
            given.store.absolute() if given.store else made / "synth/store",
            given.labels.absolute() if given.labels else made / "labels",
            given.seeds,
            tuple(given.train),
        )
        folder = given.out or FOLDER / corpus
        folder.mkdir(parents=True, exist_ok=True)
        print(f"$ cd {folder}")
        os.chdir(folder)
        if given.store is None:
            enriched = () if given.plain else ("--enriched",)
            experiment.overread("signals", "synth", "-n", str(given.ecgs), *enriched)
            experiment.overread("labels", "extract", "overread-out/synth/reports.csv")
        return experiment

    def overread(self, *arguments: str) -> None:
        """Prints a command of overread and runs it; ends the script if it fails.

        Code 3 (done, with records left out) is no failure.
        """
        print(f"$ overread {shlex.join(arguments)}", flush=True)
        command = [sys.executable, "-m", "overread.cli.main", *arguments]
        if (code := subprocess.run(command).returncode) not in (0, 3):
            sys.exit(code)

    def train(self, name: str, *options: str) -> list[Path]:
        """The folders of the models trained with these options, one for each seed."""
        names = [f"{name}-{seed}" for seed in range(self.seeds)]
        data = ("--store", str(self.store), "--label-table", str(self.labels))
        for seed, run in enumerate(names):
            told = ("--name", run, "--seed", str(seed))
            self.overread("train", *data, *told, *options, *self.options)
        return [Path("overread-out/runs") / run for run in names]


def write_result(document: Document, folder: Path = Path()) -> None:
    """Writes tables and figures into a folder named after the script, with the script's command."""
    script = Path(sys.argv[0]).stem
    command = shlex.join(["python", f"analysis/{script}.py", *sys.argv[1:]])
    footer = f"{document.footer} Made by: {command}".strip()
    folder = folder / script
    folder.mkdir(parents=True, exist_ok=True)
    document = replace(document, footer=footer)
    write(document, folder, "html", "md", "csv", "latex", overwrite=True)
    print(f"written: {folder.absolute()}/report.html, .md, .tex, and each table as .csv")
