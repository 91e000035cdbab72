"""Small corpora of paired reports for the tests of contrastive training."""

from __future__ import annotations

import io
from math import exp, log
from pathlib import Path

import numpy as np

from overread.manifest import Manifest
from overread.train.config import TrainConfig
from overread.train.data import Corpus

#: (machine, expert); by hand, each line for a reason.
PAIRS = [
    (
        "Sinus rhythm. LVH. Nonspecific T wave abnormality",
        "Sinus rhythm; voltage criteria for LVH.",
    ),
    ("SINUS RHYTHM!", "Sinus bradycardia with left ventricular hypertrophy"),
    ("Atrial fibrillation. RBBB", "Sinus rhythm. No RBBB. No acute ischemia"),
    (
        "Normal ECG",
        "Atrial fibrillation has replaced sinus rhythm. T-wave abnormality, nonspecific",
    ),
    ("Atrial fibrillation", None),
    ("Sinus rhythm", "Possible LVH. Compared with ECG of 3/4/2011, RBBB is new. Confirmed by DOE"),
    ("Atrial flutter. LVH", "nonspecific T-wave abnormality"),
]


def extraction(folder: Path, pairs=PAIRS, **options) -> Path:
    """The label tables of (machine, expert) pairs with the ids e0, e1 ..."""
    # Imported here: the processes of a run of several, which import this file, need none of it.
    import polars as pl
    from rich.console import Console

    from overread.labels.run import write_extraction
    from overread.sources.open import from_frame

    machine, expert = zip(*pairs, strict=True)
    frame = pl.DataFrame(
        {"id": [f"e{i}" for i in range(len(pairs))], "machine": machine, "expert": expert},
        schema=dict.fromkeys(("id", "machine", "expert"), pl.String),
    )
    given = {"vocab": None, "uncertain": "positive", "format": "parquet", "duplicates": "error"}
    write_extraction(
        from_frame(frame), folder, **{**given, **options}, workers=1, overwrite=False,
        console=Console(file=io.StringIO()),
    )  # fmt: skip
    return folder


def corpus_of(folder: Path, *, train=None) -> Corpus:
    """A corpus of all rows of an extraction, without signals."""
    import polars as pl

    table = pl.read_parquet(folder / "labels.parquet")
    labels = Manifest.read(folder).labels
    values = {
        source: table.select(pl.col([f"{source}_{label}" for label in labels]).fill_null(-1))
        .to_numpy()
        .astype(np.int8)
        for source in ("machine", "expert")
    }
    everyone = np.arange(len(table))
    splits = {"train": everyone if train is None else np.array(train), "validation": everyone}
    return Corpus(None, labels, everyone, everyone, values, everyone, everyone, splits, "", "",
                  extraction=folder)  # fmt: skip


def small_config(**given) -> TrainConfig:
    """A run on the CPU with the tiny encoder."""
    usual = {"paradigm": "clip", "encoder": "tiny", "batch": 16, "lr": 1e-3, "device": "cpu"}
    return TrainConfig(**{**usual, **given})


#: By hand: the labels that the over-reads of PAIRS assert.
OWN_LABELS = [
    {"sinus_rhythm", "lvh"}, {"sinus_rhythm", "lvh"}, {"sinus_rhythm"}, {"atrial_fibrillation"},
    set(), {"lvh", "rbbb"}, set(),
]  # fmt: skip


def one_direction(rows):
    """Each row: (similarity, "positive", "negative" or "left out") of its columns; METHOD (3)."""
    losses = []
    for row in rows:
        kept = [s for s, kind in row if kind != "left out"]
        own = [s for s, kind in row if kind == "positive"]
        if own:
            denominator = log(sum(exp(s) for s in kept))
            losses.append(-sum(s - denominator for s in own) / len(own))
    return sum(losses) / len(losses)


def seen(tall, fast):
    """Pairs where experts see what is there, in several wordings, and machines call all tall."""
    rng = np.random.default_rng(2)
    pairs = []
    for high, quick in zip(tall, fast, strict=True):
        rhythm = ("Atrial fibrillation", "AF") if quick else ("Sinus rhythm", "Normal sinus rhythm")
        size = ("LVH", "Voltage criteria for LVH") if high else ("No LVH", "Otherwise normal")
        over_read = f"{rng.choice(rhythm)}. {rng.choice(size)}"
        pairs.append(("Sinus rhythm. Left ventricular hypertrophy", over_read))
    return pairs
