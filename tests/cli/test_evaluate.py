"""``overread evaluate`` on runs of the synthetic corpus and on plain tables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

OUT = Path("overread-out/evaluation")


@pytest.fixture
def tables():
    """Scores and labels of 60 ECGs of 30 patients, of which the second label is rare."""
    random = np.random.default_rng(0)
    sick = random.random((60, 2)) < (0.5, 0.1)
    scores = np.clip(random.normal(0.3 + 0.4 * sick, 0.2), 0, 1).round(3)
    truth = "\n".join(f"e{i},p{i // 2},{a:d},{b:d},{'NS'[i % 2]}" for i, (a, b) in enumerate(sick))
    Path("truth.csv").write_text(f"id,patient_id,AF,my label,site\n{truth}\n")
    for name, drawn in (("net", scores), ("chance", random.random((60, 2)).round(3))):
        rows = "\n".join(f"e{i},{a},{b}" for i, (a, b) in enumerate(drawn))
        Path(f"{name}.csv").write_text(f"id,AF,my label\n{rows}\n")


def evaluated(overread, *words):
    return overread(
        "evaluate", "net.csv", "chance.csv", "--truth", "truth.csv", "--resamples", 100, *words
    )


def test_plain_tables_of_any_label_names(overread, tables):
    done = evaluated(
        overread, "--by", "site", *(w for f in ("html", "csv", "latex") for w in ("--format", f))
    )
    assert done.code == 0, done.err
    assert "joined by id: 60 of 60, 60 of 60 scored ECGs have labels" in done.out
    assert "AUROC and AUPRC against the labels" in done.out
    page = (OUT / "evaluation.html").read_text()
    assert "<script" not in page
    assert "src=" not in page
    assert page.count("<svg") >= 2
    assert "my label" in (OUT / "evaluation.tex").read_text()
    rows = [line.split(",") for line in (OUT / "table1.csv").read_text().splitlines()]
    assert rows[0][:4] == ["label", "net_auroc", "net_auroc_low", "net_auroc_high"]
    assert [row[0] for row in rows[1:]] == ["AF", "my label", "Macro mean"]
    by = (OUT / "group0.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in by[1:]] == [
        ["N", "30"],
        ["S", "30"],
        ["All ECGs", "60"],
    ]


def test_e07_a_report_is_up_to_date_or_needs_overwrite(overread, tables, hashes):
    assert evaluated(overread).code == 0
    before = hashes(OUT)
    assert "up to date" in evaluated(overread).out
    done = evaluated(overread, "--seed", 1)
    assert done.code == 1
    assert "--overwrite" in done.err
    assert hashes(OUT) == before
    assert evaluated(overread, "--seed", 1, "--overwrite").code == 0
    changed = hashes(OUT)
    assert changed != before
    assert evaluated(overread, "--overwrite", "--workers", 2).code == 0
    assert hashes(OUT)["evaluation.html"] == before["evaluation.html"]  # the same bytes


def test_the_output_of_another_command_is_left_alone(overread, tables):
    OUT.mkdir(parents=True)
    (OUT / "run.json").write_text(json.dumps({"command": "train", "inputs": [], "labels": []}))
    done = evaluated(overread, "--overwrite")
    assert done.code == 2
    assert "holds the output of overread train" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no finished run under overread-out/runs"),
        (["net.csv"], "overread labels extract"),
        (["net.csv", "--truth", "nowhere.csv"], "nowhere.csv"),
        (["net.csv", "--truth", "truth.csv", "--split", "dev"], "no split 'dev'"),
        (["net.csv", "--truth", "truth.csv", "--by", "sex"], "no column 'sex'"),
    ],
)
def test_wrong_commands_say_what_to_do(overread, tables, words, told):
    done = overread("evaluate", *words)
    assert done.code == 2
    assert told in done.err


def test_runs_of_the_synthetic_corpus_without_further_options(overread):
    pytest.importorskip("torch")
    pytest.importorskip("numba")
    quick = ("--device", "cpu", "--set", "encoder=tiny", "--epochs", "1", "--set", "batch=32")
    assert overread("signals", "synth", "-n", "160", "--enriched").code == 0
    assert overread("labels", "extract", "overread-out/synth/reports.csv").code == 0
    assert overread("train", *quick).code == 0
    assert overread("train", "--labels", "machine", *quick).code == 0

    done = overread("evaluate", "--resamples", 100, "--format", "csv", "--format", "json")
    assert done.code == 0, done.err
    assert "Synthetic ECGs" in done.out
    assert "up to date" in overread(
        "evaluate", "--resamples", 100, "--format", "csv", "--format", "json"
    ).out  # fmt: skip
    labels = json.loads(Path("overread-out/labels/run.json").read_text())["labels"]
    table_2 = (OUT / "table2.csv").read_text().splitlines()
    assert len(table_2) == 1 + len(labels) + 1

    # AUROC of one label by hand: pairs of test ECGs, from the files that the commands left.
    truth = pq.read_table("overread-out/labels/labels.parquet").to_pylist()
    known = {row["id"]: row["expert_sinus_rhythm"] for row in truth}
    scores = pq.read_table("overread-out/predictions/supervised-expert/predictions.parquet")
    test = [row for row in scores.to_pylist() if row["split"] == "test"]
    sides = [
        [row["score_sinus_rhythm"] for row in test if known[row["id"]] == value] for value in (1, 0)
    ]
    pairs = [(a > b) + (a == b) / 2 for a in sides[0] for b in sides[1]]
    (line,) = [
        line.split(",")
        for line in (OUT / "figures.csv").read_text().splitlines()
        if line.startswith("supervised-expert,supervised,expert,expert,,,sinus_rhythm,")
    ]
    assert [int(line[7]), int(line[8])] == [len(sides[0]) + len(sides[1]), len(sides[0])]
    assert float(line[9].split()[0]) == pytest.approx(100 * np.mean(pairs), abs=0.06)

    # V14: the same labels as if another vocabulary had made them.
    other = Path("other-labels")
    shutil.copytree("overread-out/labels", other)
    manifest = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps(manifest | {"vocabulary": "0123456789abcdef"}))
    done = overread("evaluate", "--truth", other, "--resamples", 100, "--overwrite")
    assert done.code == 0, done.err
    learnt = manifest["vocabulary"][:8]
    assert (
        f"learnt labels of the vocabulary {learnt}, and is judged by those of 01234567" in done.out
    )


@pytest.mark.parametrize(
    ("scores", "truth", "told"),
    [
        ("id,af\n1,0.5\n2,nan\n", "id,af\n1,1\n2,0\n", "scores.csv: row 2, column 'af'"),
        (
            "id,patient_id,split,af\n1,p,train,0.5\n2,p,test,0.1\n",
            "id,af\n1,1\n2,0\n",
            "1 patients of the split test stand in the training split",
        ),
        (
            "id,split,af\n1,train,0.5\n2,tset,0.1\n",
            "id,af\n1,1\n2,0\n",
            "scores.csv: row 2, column 'split'",
        ),
    ],
)
def test_faults_of_the_data_end_with_1(overread, tmp_path, scores, truth, told):
    (tmp_path / "scores.csv").write_text(scores)
    (tmp_path / "truth.csv").write_text(truth)
    done = overread("evaluate", "scores.csv", "--truth", "truth.csv", "--resamples", 100)
    assert done.code == 1
    assert told in done.err
