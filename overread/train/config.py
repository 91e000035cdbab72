"""What a training run is told, where each value came from, and the source paper's values.

Later ones win: defaults, preset, ``--config run.toml``, options of the command, ``--set``.
Loads no torch, so that ``overread config show`` is quick.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_type_hints

from overread.errors import UsageError
from overread.files import input_file

Value = str | int | float | bool

#: Paradigms that compare ECGs with texts.
CONTRASTIVE: Final = ("clip", "negclip")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Everything that decides what a run learns, and what it runs on. "" and 0 mean: found out."""

    paradigm: Literal["supervised", "self-training", "clip", "negclip"] = "supervised"
    preset: Literal["", "paper"] = ""

    # Data
    labels: Literal["expert", "machine"] = "expert"  # whose reading is learnt
    label_table: str = ""  # default: overread-out/labels
    split_column: str = ""  # of the label table; default: the splits of the store
    split: Literal["patient", "record"] = "patient"  # record: only with preset "paper"
    store: str = ""  # default: overread-out/store, else overread-out/synth/store
    unlabeled: str = ""  # a store; default: all of the training split
    fraction: float = 1.0  # of the patients with labels
    unlabeled_fraction: float = 1.0
    allow_unmatched: bool = False
    normalize: Literal["lead_z", "record_z", "mv"] = "mv"
    augment: bool = True

    # Texts, for clip and negclip
    text: Literal["statements", "whole-report"] = "statements"
    text_encoder: Literal["clip", "bert"] = "clip"
    text_folder: str = ""  # tokenizer and weights; default: a tokenizer trained on the corpus

    # Model and losses
    encoder: Literal["auto", "tiny", "resnet18", "resnet50"] = "auto"
    init: str = ""  # a model.safetensors whose encoder is the start
    freeze_batch_norm: bool = False
    threshold: float = 0.95  # a of equation (2)
    unlabeled_weight: float = 1.0  # lambda
    mask: Literal["debiased", "paper-eq2", "paper-text"] = "debiased"
    contrast: Literal["multi-positive", "paper-identity"] = "multi-positive"

    # Optimisation
    epochs: int = 0  # 0: 100, with the tiny encoder 30
    batch: int = 0  # per process; 0: 512, contrastive 256, fewer where there are few ECGs
    lr: float = 0.0  # 0: 1e-4, with the tiny encoder 3e-3; a text tower learns at a tenth
    weight_decay: float = 1e-4
    patience: int = 10  # epochs without a better validation macro-AUPRC
    seed: int = 0

    # Machine
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "bf16", "fp32"] = "auto"  # bf16 on a GPU
    compile: Literal["auto", "yes", "no"] = "auto"  # yes on a GPU
    resident: Literal["auto", "yes", "no"] = "auto"  # all ECGs in the device's memory
    auto_batch: bool = False  # half the batch where memory runs out
    log_every: int = 50  # steps

    def __post_init__(self) -> None:
        for key, least, most in (
            ("fraction", 1e-6, 1), ("unlabeled_fraction", 1e-6, 1), ("threshold", 0.5, 1),
            ("unlabeled_weight", 0, None), ("epochs", 0, None), ("batch", 0, None),
            ("lr", 0, None), ("weight_decay", 0, None), ("patience", 1, None),
            ("seed", 0, 2**31), ("log_every", 1, None),
        ):  # fmt: skip
            value = getattr(self, key)
            if not (value >= least and (most is None or value <= most)):
                limit = f"from {least} up" if most is None else f"from {least} to {most}"
                raise UsageError(f"{key} is {value}. Next step: give a number {limit}.")
        if self.split == "record" and self.preset != "paper":
            raise UsageError(
                "split = record puts ECGs of one patient on both sides of the split. "
                "Next step: leave it out, or give --preset paper."
            )


#: Keys that say where a run computes, not what: they may differ when it is resumed.
MACHINE: Final = ("device", "precision", "compile", "resident", "auto_batch", "log_every")

_PATHS: Final = ("label_table", "store", "unlabeled", "text_folder", "init")

#: What the source paper leaves open, and how it is filled here.
UNSTATED: Final = (
    "labelled to unlabelled ECGs in a batch: 1 to 1; an epoch is one pass over the labelled",
    "unlabelled ECGs: those of the training split",
    "lambda: 1 (its grid is not printed); ranges of the augmentations: overread/train/augment.py",
    "patients that stand in several splits: not excluded, the split is of records",
    "text prompts, resamples of the bootstrap, filter edges: see docs/decisions.md",
)

_TYPES: Final[dict[str, Any]] = get_type_hints(TrainConfig)


def paper_preset(paradigm: str) -> dict[str, Value]:
    """The paper's values where they differ from the defaults, or could once they change."""
    return {
        "split": "record",
        "normalize": "lead_z",
        "encoder": "resnet50",
        "mask": "paper-eq2",
        "contrast": "paper-identity",
        "threshold": 0.95,
        "unlabeled_weight": 1.0,
        "epochs": 100,
        "batch": 256 if paradigm in CONTRASTIVE else 512,
        "lr": 1e-4,
        "weight_decay": 1e-4,
        "patience": 10,
    }


@dataclass(frozen=True, slots=True)
class Configured:
    """A config, and for each key what set it."""

    config: TrainConfig
    origin: Mapping[str, str]

    def toml(self) -> str:
        """The config as TOML with the origin of each value as a comment.

        >>> print(configure().toml().splitlines()[0])
        paradigm = "supervised"  # default
        """
        lines = (
            f"{key} = {json.dumps(value)}  # {self.origin.get(key, 'default')}"
            for key, value in asdict(self.config).items()
        )
        return "\n".join(lines) + "\n"


def configure(
    file: Path | None = None,
    options: Mapping[str, Value | None] | None = None,
    settings: Sequence[str] = (),
) -> Configured:
    """Defaults < preset < TOML file < options (None: not given) < ``key=value`` settings.

    Raises ``UsageError`` for an unknown key (naming the nearest), or a value of another type.

    >>> configure(options={"epochs": 5}, settings=["lr=0.01"]).config.lr
    0.01
    >>> configure(settings=["learning_rate=1"])
    Traceback (most recent call last):
    overread.errors.UsageError: --set: no key 'learning_rate'. Next step: overread config show.
    """
    layers: list[tuple[str, Mapping[str, Value]]] = []
    if file is not None:
        layers.append((file.name, _read(file)))
    given = {key: value for key, value in (options or {}).items() if value is not None}
    layers.append(("option", given))
    layers.append(("--set", dict(_setting(text) for text in settings)))
    merged: dict[str, Value] = {}
    origin: dict[str, str] = {}
    for name, values in layers:
        for key, value in values.items():
            merged[key], origin[key] = _checked(name, key, value), name
    if merged.get("preset") == "paper":
        for key, value in paper_preset(str(merged.get("paradigm", "supervised"))).items():
            if key not in merged:
                merged[key], origin[key] = value, "preset paper"
    return Configured(TrainConfig(**merged), origin)  # type: ignore[arg-type]


def from_values(values: Mapping[str, Value]) -> TrainConfig:
    """The config of values that were stored with a run or a model."""
    checked = {key: _checked("the stored config", key, value) for key, value in values.items()}
    return TrainConfig(**checked)  # type: ignore[arg-type]


def without_folders(config: TrainConfig) -> dict[str, Value]:
    """The config as a file may tell others: of paths the last name only.

    >>> without_folders(TrainConfig(store="/home/ann/ecgs/store"))["store"]
    'store'
    """
    return {
        key: Path(value).name if key in _PATHS and value else value
        for key, value in asdict(config).items()
    }


def changed(old: TrainConfig, new: TrainConfig) -> list[str]:
    """Keys that differ and decide what is learnt, as "lr 0.0001 -> 0.01".

    >>> changed(TrainConfig(lr=0.0001), TrainConfig(lr=0.01, device="cpu"))
    ['lr 0.0001 -> 0.01']
    """
    return [
        f"{field.name} {before} -> {after}"
        for field in fields(TrainConfig)
        if field.name not in MACHINE
        and (before := getattr(old, field.name)) != (after := getattr(new, field.name))
    ]


def _read(file: Path) -> dict[str, Value]:
    try:
        return tomllib.loads(input_file(file).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file.name} is no TOML: {error}. Next step: mend that line.") from None


def _setting(text: str) -> tuple[str, Value]:
    """``key=value`` with the value in the type of its key."""
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text!r} has no '='. Next step: give --set key=value.")
    kind = _TYPES.get(key, str)
    if kind is bool and value in ("true", "false"):
        return key, value == "true"
    try:
        return key, kind(value) if kind in (int, float) else value
    except ValueError:
        return key, value  # told with its place by whoever checks types


def _checked(place: str, key: str, value: Any) -> Value:
    if key not in _TYPES:
        near = get_close_matches(key, _TYPES, 1)
        hint = f"Did you mean {near[0]!r}?" if near else "Next step: overread config show."
        raise UsageError(f"{place}: no key {key!r}. {hint}")
    kind = _TYPES[key]
    if choices := get_args(kind):
        if value not in choices:
            known = ", ".join(repr(each) for each in choices)
            raise UsageError(f"{place}: {key} is {value!r}. Next step: give one of {known}.")
    elif kind is float and type(value) is int:
        value = float(value)
    elif type(value) is not kind:
        raise UsageError(f"{place}: {key} is {value!r}. Next step: give a {kind.__name__}.")
    return value  # type: ignore[no-any-return]
