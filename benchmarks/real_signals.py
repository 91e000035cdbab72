"""What the tiny encoder learns from 1,441 real ECGs: what normalisation costs, what texts teach.

    overread signals import DIR --out STORE        # DIR: PTB-XL records with a labels.csv
    python -P benchmarks/real_signals.py STORE DIR/labels.csv [--normalize lead_z record_z mv]

    overread labels extract ptbxl_database.csv --out TEXTS
    python -P benchmarks/real_signals.py STORE DIR/labels.csv --texts TEXTS

Five rotations of the folds: train on three, stop on the next, test on the last. Printed: the mean
AUROC over rotations of each label with at least 15 positives, and the macro mean with a 95 %
interval of 1,000 resamples of patients within the test folds. With ``--texts``: of the ECGs that
have a report there, a model that learns (and stops by) what overread reads in the reports beside
one that learns the human codes, both tested on the codes, and their difference over the same
resamples. Another seed of the training is in no interval.

``--out SCORES`` writes each ECG's scores by the model that did not learn from its fold:

    overread evaluate SCORES/mv.csv --truth DIR/labels.csv
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console

from overread.evaluate.predict import predict
from overread.signals.synth import LABELS
from overread.stats.bootstrap import resampling_counts
from overread.stats.ranking import Ranking
from overread.tables import ID, LABELS_FILE, SOURCES, value_column
from overread.train.config import configure
from overread.train.run import train

FOLDS = 5
LEAST = 15
RESAMPLES = 1000

#: An ECG's labels: "1", "0", "-1" or "" for unknown.
Row = dict[str, str]


def rotation(folds: list[int], test: int) -> list[str]:
    """The split of each row where fold ``test`` is tested and the one before it stops training."""
    stop = (test - 2) % FOLDS + 1
    return ["test" if f == test else "validation" if f == stop else "train" for f in folds]


def read_texts(folder: Path) -> dict[str, Row]:
    """Of each ECG of an extraction that has a text, its labels; the expert's where it has two."""
    table = pq.read_table(folder / LABELS_FILE).to_pylist()
    out = {}
    for row in table:
        for source in SOURCES:
            values = {label: row[value_column(source, label)] for label in LABELS}
            if None not in values.values():
                out[row[ID]] = {label: str(value) for label, value in values.items()}
    return out


def scored(
    store: Path, rows: list[Row], learnt: list[Row], name: str, normalize: str
) -> list[tuple[np.ndarray, ...]]:
    """Of every rotation: labels (n, c), -1 for unknown, scores and patients of the test fold."""
    folds = [int(row["strat_fold"]) for row in rows]
    out = []
    for test in range(1, FOLDS + 1):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            with (folder / "labels.csv").open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["id", "split", *(f"expert_{label}" for label in LABELS)])
                for row, values, split in zip(rows, learnt, rotation(folds, test), strict=True):
                    writer.writerow([row["ecg_id"], split, *(values[label] for label in LABELS)])
            options = {
                "label_table": str(folder / "labels.csv"), "split_column": "split",
                "store": str(store), "encoder": "tiny", "normalize": normalize, "seed": test,
                "allow_unmatched": True,  # not every ECG has a report
            }  # fmt: skip
            quiet = Console(quiet=True)
            train(configure(options=options), folder / "run", console=quiet)
            predict(folder / "run", store, folder / "scores", console=quiet)
            table = pq.read_table(folder / "scores" / "predictions.parquet")
        at = {id: place for place, id in enumerate(table["id"].to_pylist())}
        tested = [row for row, fold in zip(rows, folds, strict=True) if fold == test]
        found = [at[row["ecg_id"]] for row in tested]
        truth = np.array([[int(row[label] or -1) for label in LABELS] for row in tested])
        score = np.stack([table[f"score_{label}"].to_numpy() for label in LABELS], 1)[found]
        patient = np.unique([row["patient_id"] for row in tested], return_inverse=True)[1]
        out.append((truth, score, patient))
        print(f"  {name}, fold {test}: {time.monotonic() - began:.0f} s", flush=True)
    return out


def write_scores(file: Path, rows: list[Row], tested: list[tuple[np.ndarray, ...]]) -> None:
    """The scores of all test folds as one table, in the order of the folds."""
    ecgs = [row for fold in range(1, FOLDS + 1) for row in rows if int(row["strat_fold"]) == fold]
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["ecg_id", "patient_id", *LABELS])
        for row, scores in zip(ecgs, np.concatenate([fold[1] for fold in tested]), strict=True):
            writer.writerow([row["ecg_id"], row["patient_id"], *scores.tolist()])


def mean_aurocs(folds: list[tuple[np.ndarray, ...]], labels: list[int]) -> tuple[np.ndarray, ...]:
    """Mean AUROC over rotations: of each label, and of each resample the macro mean.

    A rotation whose test fold has no positive of a label (in a resample) is left out of its mean.
    """
    values, drawn = [], []
    for seed, (truth, score, patient) in enumerate(folds):
        rankings = [
            (truth[:, at] >= 0, Ranking(truth[truth[:, at] >= 0, at] == 1,
                                        score[truth[:, at] >= 0, at])) for at in labels
        ]  # fmt: skip
        values.append([ranking.auroc() for _, ranking in rankings])
        counts = resampling_counts(int(patient.max()) + 1, replicates=RESAMPLES, seed=seed)
        drawn.append(
            [
                [ranking.auroc(each[patient][known]) for known, ranking in rankings]
                for each in counts
            ]
        )
    return np.nanmean(values, axis=0), np.nanmean(drawn, axis=0).mean(axis=1)


def interval(value: float, resamples: np.ndarray) -> str:
    """A value with the middle 95 % of its resamples."""
    low, high = np.quantile(resamples, [0.025, 0.975])
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--normalize", nargs="+", default=["lead_z", "record_z", "mv"])
    parser.add_argument("--texts", type=Path, help="Folder of overread labels extract.")
    parser.add_argument("--out", type=Path, help="Folder for the scores.")
    options = parser.parse_args()
    with options.labels.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if options.texts:
        texts = read_texts(options.texts)
        rows = [row for row in rows if row["ecg_id"] in texts]
        runs = {"texts": ([texts[row["ecg_id"]] for row in rows], "mv"), "codes": (rows, "mv")}
    else:
        runs = {normalize: (rows, normalize) for normalize in options.normalize}
    labels = [at for at, label in enumerate(LABELS) if sum(r[label] == "1" for r in rows) >= LEAST]
    print(f"{len(rows):,} ECGs, {len({row['patient_id'] for row in rows}):,} patients")
    told = {}
    for name, (learnt, normalize) in runs.items():
        tested = scored(options.store, rows, learnt, name, normalize)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            write_scores(options.out / f"{name}.csv", rows, tested)
        each, macros = mean_aurocs(tested, labels)
        told[name] = each.mean(), macros
        print(f"{name}: macro of {len(labels)} labels {interval(*told[name])}")
        for at, value in zip(labels, each, strict=True):
            positive = sum(row[LABELS[at]] == "1" for row in learnt)
            print(f"  {LABELS[at]:32s} {value:.3f}   learnt from {positive} positives")
    if options.texts:
        (text, texts_drawn), (code, codes_drawn) = told.values()
        print(f"texts less codes: {interval(text - code, texts_drawn - codes_drawn)}")


if __name__ == "__main__":
    main()
