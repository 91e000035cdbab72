"""The model that a run leaves: one file that scores ECGs by itself, and a card for people."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from overread.files import atomic_write
from overread.manifest import versions
from overread.signals import preprocess
from overread.signals.store import SAMPLES
from overread.tables import LEADS
from overread.train import ranks
from overread.train.checkpoint import MODEL_FILE, load_model, load_weights, save_model
from overread.train.config import TrainConfig, from_values, without_folders
from overread.train.data import SMALLEST_SD, normalised
from overread.train.loop import Loop
from overread.train.paradigm import Paradigm, evaluating, paradigm_class
from overread.train.scoring import by_ecg, macro_auprc, report, score

CARD_FILE: Final = "MODEL_CARD.md"

PREPROCESSING: Final = {
    "fs_hz": preprocess.FS_HZ,
    "samples": SAMPLES,
    "high_pass_hz": preprocess.HIGH_PASS_HZ,
    "notch_hz": list(preprocess.MAINS_HZ),
    "notch_q": preprocess.MAINS_Q,
    "padding": preprocess.PADDING,
    "smallest_sd_mv": SMALLEST_SD,
}

_SYNTHETIC: Final = (
    "**Learnt from synthetic ECGs.** A program invented them; the figures below say nothing about "
    "patients."
)
_MIXED: Final = (
    "Resumed under another version of torch or on another device: a new run would not give the "
    "same bits."
)
_RECORDS: Final = (
    "Split by record as in the source paper: a patient may stand on both sides of the split, which "
    "flatters the figures below."
)


@dataclass(frozen=True, slots=True)
class Model:
    """A trained net with what its file says of it."""

    paradigm: Paradigm
    config: TrainConfig
    metadata: dict[str, Any]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of the scores."""
        return tuple(self.metadata["labels"])

    def scorer(self) -> nn.Module:
        """A module from int16 microvolts (n, 12, 2500) and norm (n, 12, 2) to scores (n, c)."""
        return _Scorer(self.paradigm, self.config.normalize)


class _Scorer(nn.Module):
    def __init__(self, paradigm: Paradigm, normalize: str) -> None:
        super().__init__()
        self.net = paradigm.net
        self._scores, self._normalize = paradigm.scores, normalize

    def forward(self, signals: Tensor, norm: Tensor) -> Tensor:
        return self._scores(normalised(signals, norm, self._normalize)[0])


def open_model(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> Model:
    """The model of a file or a run folder, in evaluation mode."""
    tensors, metadata = load_model(path)
    config = from_values(metadata["config"])
    labels = tuple(metadata["labels"])
    paradigm = paradigm_class(config.paradigm)(config, labels, metadata["state"])
    load_weights(paradigm.net, tensors)
    paradigm.net.to(device).eval()
    return Model(paradigm, config, metadata)


def export(model: Model, target: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Writes the scorer as a ``torch.export`` program for any number of ECGs."""
    import io

    signals = torch.zeros((2, len(LEADS), SAMPLES), dtype=torch.int16)
    norm = torch.ones((2, len(LEADS), 2))
    ecgs = torch.export.Dim("ecgs", min=1)
    with evaluating(model.paradigm.net):
        program = torch.export.export(
            model.scorer(), (signals, norm), dynamic_shapes=({0: ecgs}, {0: ecgs})
        )
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    atomic_write(target, buffer.getvalue(), overwrite=overwrite)


def write_model(loop: Loop) -> dict[str, Any]:
    """Scores the validation split with the best weights; writes model and card; the metadata."""
    config, corpus, paradigm = loop.config, loop.corpus, loop.paradigm
    paradigm.net.load_state_dict(loop.best_net)
    scores = score(
        paradigm,
        loop.validation,
        labels=len(corpus.labels),
        batch=loop.batch,
        device=loop.device,
        autocast=config.precision,
    )
    judged = by_ecg(corpus, corpus.splits["validation"], scores, config.labels)
    validation = report(judged, corpus.labels, seed=config.seed)
    value, labels = macro_auprc(judged)
    metadata = {
        "paradigm": config.paradigm,
        "kind": paradigm.kind,
        "config": without_folders(config),
        "labels": list(corpus.labels),
        "leads": list(LEADS),
        "preprocessing": {
            **PREPROCESSING,
            "resample": corpus.store.manifest.options.get("resample"),
        },
        "normalize": config.normalize,
        "thresholds": {label: row["threshold"] for label, row in validation.items()},
        "validation": validation,
        "validation_macro_auprc": None if value != value else value,
        "validation_macro_labels": labels,
        "best_epoch": loop.position.best_epoch,
        "epochs": loop.position.epoch,
        "bit_identical": not loop.position.mixed,
        "windows": {name: len(at) for name, at in corpus.splits.items()},
        "unlabeled_windows": len(loop.unlabeled) if loop.unlabeled else 0,
        "data_sha256": corpus.sha256,
        "stores": loop.stores,
        "splits_sha256": corpus.splits_sha256,
        "vocabulary": corpus.vocabulary,
        "synthetic": corpus.synthetic,
        "state": paradigm.state,
        "versions": versions("torch", "numpy", "safetensors"),
    }
    if ranks.rank() == 0:
        save_model(loop.folder / MODEL_FILE, paradigm.net.state_dict(), metadata)
        atomic_write(loop.folder / CARD_FILE, card(metadata).encode(), overwrite=True)
    return metadata


def card(metadata: dict[str, Any]) -> str:
    """What a reader has to know before they use the model, as Markdown."""
    config, windows = metadata["config"], metadata["windows"]
    lines = [
        f"# ECG model: {metadata['paradigm']}, {config['labels']} labels",
        "",
        f"Scores 12-lead ECGs of 10 s for {len(metadata['labels'])} labels, learnt from the "
        f"readings of the {config['labels']}. Scores are "
        + (
            "between 0 and 1, and higher than the chance of a label: rare labels weigh more."
            if metadata["kind"] == "probability"
            else "similarities to a text."
        ),
        "",
        "**For** research on readings of ECGs and their disagreement. **Not for** diagnosis, "
        "triage or any decision about a patient: it is no medical device, and nobody tested it on "
        "your ECGs.",
        "",
    ]
    for holds, what in (
        (metadata["synthetic"], _SYNTHETIC),
        (not metadata["bit_identical"], _MIXED),
        (config["split"] == "record", _RECORDS),
    ):
        lines += [what, ""] if holds else []
    lines += [
        f"- encoder {config['encoder']}, normalisation {metadata['normalize']}, "
        f"{metadata['preprocessing']['fs_hz']} Hz, leads {' '.join(metadata['leads'])}",
        f"- windows: training {windows['train']:,}, validation {windows['validation']:,}, kept for "
        f"the test {windows['test']:,} (not used), without labels "
        f"{metadata['unlabeled_windows']:,}",
        f"- best epoch {metadata['best_epoch']} of {metadata['epochs']}, seed {config['seed']}",
        f"- vocabulary {metadata['vocabulary'] or 'not known'}",
        f"- splits {metadata['splits_sha256']}",
        "",
        "## Validation split",
        "",
        "It chose the epoch and the thresholds, so that these figures are too good. Limits (95 %) "
        "are by a bootstrap over patients. Thresholds have the highest F1.",
        "",
        "| label | ECGs | positive | AUROC | AUPRC | threshold |",
        "| :--- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for label, row in metadata["validation"].items():
        cells = [_estimate(row[name]) for name in ("auroc", "auprc")]
        at = "" if row["threshold"] is None else f"{row['threshold']:.4f}"
        lines.append(
            f"| {label} | {row['ecgs']:,} | {row['positive']:,} | {cells[0]} | {cells[1]} | {at} |"
        )
    macro = metadata["validation_macro_auprc"]
    shown = "not estimable" if macro is None else f"{macro:.4f}"
    lines += ["", f"Macro-AUPRC: {shown} over {metadata['validation_macro_labels']} labels.", ""]
    return "\n".join(lines)


def _estimate(cells: list[float | None]) -> str:
    value, low, high = cells
    if value is None:
        return "not estimable"
    if low is None or high is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
