"""``overread demo``: the main job on a small file that it makes itself."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from rich.console import Console

from overread.files import atomic_path, output_folder
from overread.labels.evidence import explain_id
from overread.labels.run import write_extraction
from overread.signals.synth import synthetic_reports
from overread.sources.open import open_source
from overread.tables import LABELS_FILE

_FOLDER = Path("overread-out/demo")
_ROWS = 2_000


def run() -> None:
    """Writes paired reports, extracts labels from them and shows one ECG."""
    console = Console()
    folder = output_folder(_FOLDER)
    reports = pl.DataFrame(synthetic_reports(_ROWS, seed=7))
    with atomic_path(folder / "reports.csv", overwrite=True) as path:
        reports.write_csv(path)
    console.print(
        f"{_ROWS:,} invented report pairs are in {folder}/reports.csv. Labelling them:\n",
        highlight=False,
    )
    write_extraction(
        open_source(folder / "reports.csv", keep=("site", "year")),
        folder / "labels",
        vocab=None,
        uncertain="positive",
        format="parquet",
        duplicates="error",
        workers=None,
        overwrite=True,
        console=console,
    )
    labels = pl.read_parquet(folder / "labels" / LABELS_FILE)
    differs = (labels["machine_lvh"] == 0) & (labels["expert_lvh"] == 1)
    console.print("\nOne ECG in which the expert added a label:\n")
    explain_id(labels.filter(differs)["id"][0], folder / "labels", console)
    console.print(
        f"\nNext, on your own file: overread labels extract reports.csv\n"
        f"Try a sentence: overread labels explain 'Sinus rhythm has replaced atrial fibrillation'\n"
        f"The tables of this demo: {folder}/labels",
        highlight=False,
    )
