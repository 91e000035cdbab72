"""The scripts of analysis/ run as printed, each from an empty folder on."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "analysis"
_CORPUS = Path("overread-out/analysis/synthetic-enriched-240")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all: what one script made, the next one finds."""
    for extra in ("torch", "numba", "transformers", "safetensors"):
        pytest.importorskip(extra)
    return tmp_path_factory.mktemp("analysis")


def _run(folder: Path, script: str, *arguments: str) -> Path:
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return folder / _CORPUS / script


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        return list(csv.DictReader(opened))


def test_table_a1_counts_the_labels_of_the_corpus(folder: Path) -> None:
    import pyarrow.parquet as pq

    made = _run(folder, "table_a1", "--ecgs", "240")
    labels = pq.read_table(folder / _CORPUS / "overread-out/labels/labels.parquet").to_pylist()
    both = [row for row in labels if row["machine_lvh"] is not None and row["expert_lvh"] in (0, 1)]
    (lvh,) = [row for row in _rows(made / "table_a1.csv") if row["label"] == "LVH"]
    assert int(lvh["machine"]) == sum(row["machine_lvh"] for row in both)
    assert int(lvh["over_read"]) == sum(row["expert_lvh"] for row in both)
    assert "Made by: python analysis/table_a1.py --ecgs 240" in (made / "report.html").read_text()


def test_table_a2_lists_every_label_of_the_vocabulary(tmp_path: Path) -> None:
    _run(tmp_path, "table_a2")
    rows = _rows(tmp_path / "overread-out/analysis/table_a2/table_a2.csv")
    assert len(rows) == 13
    assert rows[8]["label"] == "LVH"
    assert "164873001" in rows[8]["snomed_ct"]


def test_figure_a1_draws_the_flow(folder: Path) -> None:
    made = _run(folder, "figure_a1", "--ecgs", "240")
    drawn = (made / "figure_a1.svg").read_text()
    assert "240 records read" in drawn
    counts = {row["step"]: int(row["import_1"]) for row in _rows(made / "cohort.csv")}
    splits = [counts[f"windows for {split}"] for split in ("train", "validation", "test")]
    assert sum(splits) == 240
    assert f"{splits[0]} train" in drawn


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "table", "rows"),
    [
        ("table_1", "table1", 14),
        ("table_2", "table2", 14),
        ("figure_3", "macro", 4),
        ("figure_a2", None, 0),
        ("figure_a3", "macro", 5),
        ("figure_a4", "macro", 4),
    ],
)
def test_scripts_that_train(folder: Path, script: str, table: str | None, rows: int) -> None:
    made = _run(folder, script, "--ecgs", "240", "--", "--epochs", "1", "--encoder", "tiny")
    assert (made / "report.html").is_file()
    assert (made / "report.tex").is_file()
    if table is None:
        assert list(made.glob("*.svg"))
    else:
        assert len(_rows(made / f"{table}.csv")) == rows
