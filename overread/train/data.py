"""What a run learns from: windows of a store with their labels, and their way to the device.

A `Corpus` is all windows that have a row in the label table, with their labels and splits. A `Feed`
turns positions in it into batches on the device. Which positions come when is a pure function of
(seed, step): a run that goes on from any step sees what it would have seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from overread.errors import OverreadError, TableError, UsageError
from overread.manifest import RUN_FILE
from overread.signals.splits import SPLITS, split_of
from overread.signals.store import Store, open_store
from overread.tables import ID, LEADS, PATIENT, SOURCES
from overread.train.config import TrainConfig
from overread.train.label_table import read_label_table

STORES: Final = (Path("overread-out/store"), Path("overread-out/synth/store"))

SMALLEST_SD: Final = 0.005  # mV: a lead flatter than this is not blown up by z-scoring
_MILLIVOLT: Final = 0.001  # of one count of the store
_MATCHED: Final = 0.99  # of the windows must have labels
_TIMEOUT_S: Final = 300  # to read one batch
#: Device memory kept free of data: for the program, and per ECG that goes through the net at once.
#: A ResNet-50 keeps 16 MB of activations per ECG (bfloat16), unfused about twice that.
_RESERVE: Final = 4 << 30
_PER_ECG: Final = 32 << 20

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Windows with labels: n windows, c labels.

    ``rows`` (n,) int64 are the windows' indices in the store, ``table_row`` (n,) their rows in the
    label table. ``values`` holds for each source int8 (n, c): 1, 0, -1 for unknown. ``ecg`` and
    ``patient`` (n,) number ECGs and patients. ``splits`` maps a split's name to positions 0..n-1.
    """

    store: Store
    labels: tuple[str, ...]
    rows: Integers
    table_row: Integers
    values: dict[str, npt.NDArray[np.int8]]
    ecg: Integers
    patient: Integers
    splits: dict[str, Integers]
    #: SHA-256 of windows, labels and splits, and of the splits alone.
    sha256: str
    splits_sha256: str
    vocabulary: str | None = None
    #: Folder of the label extraction, where the table came from one.
    extraction: Path | None = None
    #: Windows (indices in the store) of the training split, with labels to learn from or not.
    training: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    #: What the user should know about the join, the splits and the fraction.
    notes: list[str] = field(default_factory=list)

    @property
    def synthetic(self) -> bool:
        """Whether a program invented these ECGs."""
        return bool(self.store.manifest.options.get("synthetic"))

    def only(self, split: str, positions: Integers) -> Corpus:
        """The same with fewer positions in a split."""
        return replace(self, splits={**self.splits, split: positions})


class Batch(NamedTuple):
    """n ECGs on the device.

    ``ecgs`` float32 (n, 12, 2500), normalised; ``noise_unit`` (n, 12, 1): one standard deviation of
    each lead in their units; ``labels`` float32 (n, c) 0 or 1; ``known`` bool (n, c); ``at`` int64
    (n,) on the host: positions in the corpus.
    """

    ecgs: Tensor
    noise_unit: Tensor
    labels: Tensor
    known: Tensor
    at: Integers


def load_corpus(config: TrainConfig) -> Corpus:
    """Joins the store with the label table and checks both.

    Raises ``TableError`` where under 99 % of the windows have a row and that was not allowed, where
    a patient stands in two splits, or where nothing is left to learn from.
    """
    store = open_store(config.store) if config.store else _first_store()
    records = store.records
    ecgs = records[ID].cast(pa.string())
    table = read_label_table(config, ecgs)
    row = pc.index_in(ecgs, value_set=table.frame[ID].combine_chunks())
    found = np.flatnonzero(row.is_valid().to_numpy())
    unseen = len(table.frame) - len(pc.unique(row.drop_null()))
    notes = [
        f"{len(found):,} of {len(store):,} windows have labels, {len(store) - len(found):,} have "
        f"not; {unseen:,} labelled ECGs have no signal"
    ]
    if not len(found) or (len(found) < _MATCHED * len(store) and not config.allow_unmatched):
        raise TableError(
            f"{notes[0]}. Next step: give the label table of these ECGs, or --allow-unmatched to "
            "train on those that match."
        )
    table_row = row.drop_null().to_numpy().astype(np.int64)
    ids = records[ID].take(found).to_pylist()
    values = {source: table.values(source)[table_row] for source in SOURCES}
    if config.split_column:
        names = table.splits(config.split_column)[table_row]
    elif config.split == "record":
        names = np.array([split_of(None, id) for id in ids])
    else:
        names = records["split"].take(found).to_numpy(zero_copy_only=False).astype(str)
    keys = _patients(ids, records[PATIENT].take(found).to_pylist())
    splits = {name: np.flatnonzero(names == name) for name in SPLITS}
    # Of ECGs without a row the split is known only where the store tells it.
    told = config.split_column or config.split == "record"
    training = found[splits["train"]] if told else store.indices("train")
    patient = np.unique(keys, return_inverse=True)[1]
    notes += table.notes
    notes += _shared_patients(patient, splits, allowed=config.split == "record")
    hashes = _hashes(store, ids, names, values[config.labels])
    corpus = Corpus(
        store, table.labels, found, table_row, values, np.unique(ids, return_inverse=True)[1],
        patient, splits, *hashes, table.vocabulary, table.extraction, training, notes,
    )  # fmt: skip
    _check_norm(corpus.store, corpus.rows)
    return _to_learn_from(corpus, keys, config)


def load_unlabeled(config: TrainConfig, corpus: Corpus) -> Corpus:
    """ECGs without labels: the training split of ``--unlabeled``, else of the corpus itself.

    Of the corpus they are all, those beyond ``--fraction`` and without a row of labels too. Splits
    are by a hash of the patient, so that no store's training split holds a patient of another
    one's validation or test split.
    """
    if not config.unlabeled:
        rows, store = corpus.training, corpus.store
    else:
        store = open_store(config.unlabeled)
        rows = store.indices("train")
    records = store.records.select([ID, PATIENT]).take(rows)
    keys = _patients(records[ID].to_pylist(), records[PATIENT].to_pylist())
    rows = rows[_some(keys, config.unlabeled_fraction)]
    if not len(rows):
        raise UsageError("no unlabelled ECGs are left. Next step: give a larger store or fraction.")
    return without_labels(store, rows)


def without_labels(store: Store, rows: Integers) -> Corpus:
    """Windows of a store as a corpus of no labels, all in the split train."""
    _check_norm(store, rows)
    nothing = np.zeros((len(rows), 0), np.int8)
    everyone = np.arange(len(rows))
    return Corpus(
        store, (), rows, everyone, dict.fromkeys(SOURCES, nothing), everyone, everyone,
        {"train": everyone}, *_hashes(store, [str(row) for row in rows], np.array([]), nothing),
        notes=[f"{len(rows):,} windows without labels"],
    )  # fmt: skip


def normalised(signals: Tensor, norm: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """int16 microvolts (n, 12, t) and norm (n, 12, 2) to float32 ECGs and their noise unit.

    ``lead_z``: each lead of each window has mean 0 and standard deviation 1; ``record_z``: all
    leads of a window together have; ``mv``: millivolts. The standard deviation is that of the
    high-passed signal before the notch, as in the paper. The noise unit (n, 12, 1) is a lead's
    standard deviation in the units of the result.

    >>> signals = torch.tensor([[[-1000, 1000], [-3000, 3000]]], dtype=torch.int16)
    >>> norm = torch.tensor([[[0.0, 1.0], [0.0, 3.0]]])
    >>> normalised(signals, norm, "lead_z")[0].round(decimals=3).tolist()
    [[[-1.0, 1.0], [-1.0, 1.0]]]
    >>> ecgs, unit = normalised(signals, norm, "mv")
    >>> ecgs.round(decimals=3).tolist(), unit.flatten().tolist()
    ([[[-1.0, 1.0], [-3.0, 3.0]]], [1.0, 3.0])
    """
    mean, sd = norm[..., :1], norm[..., 1:].clamp_min(SMALLEST_SD)
    millivolts = signals.float() * _MILLIVOLT
    if kind == "lead_z":
        return (millivolts - mean) / sd, torch.ones_like(sd)
    if kind == "record_z":
        centre = mean.mean(1, keepdim=True)
        spread = ((sd**2 + mean**2).mean(1, keepdim=True) - centre**2).sqrt()
        return (millivolts - centre) / spread, sd / spread
    return millivolts, sd


class Feed:
    """Batches of some windows of a corpus on a device, made while the device works on the last one.

    The ECGs lie in the device's memory where they fit. Else a thread gathers the next batch from
    the store into pinned memory and a stream of its own copies it, without stopping the device.
    """

    def __init__(
        self,
        corpus: Corpus,
        positions: Integers,
        *,
        source: str,
        normalize: str,
        device: torch.device,
        resident: bool | Tensor | None,
    ) -> None:
        """``resident``: hold the ECGs on the device; or another feed's ``resident`` of the same."""
        self._corpus, self._positions = corpus, positions
        self._normalize, self._device = normalize, device
        rows = corpus.rows[positions]
        self._norm = torch.from_numpy(corpus.store.norm[rows]).to(device)
        self._values = torch.from_numpy(corpus.values[source][positions]).to(device)
        #: All its ECGs on the device, int16 (n, 12, 2500); None: read from the store.
        self.resident = resident if isinstance(resident, Tensor) else None
        if resident is True:
            self.resident = self._all(rows)
        self._buffers: list[Tensor] = []
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._copied = [torch.cuda.Event() for _ in range(2)]  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self._positions)

    def batches(self, order: Iterator[Integers]) -> Iterator[Batch]:
        """A batch for each array of indices into this feed's positions."""
        with ThreadPoolExecutor(1, "feed") as thread:
            waiting: tuple[Integers, Future[Tensor | None]] | None = None
            for number, at in enumerate(order):
                following = at, thread.submit(self._gathered, number % 2, at)
                if waiting is not None:
                    yield self._on_device((number - 1) % 2, *waiting)
                waiting = following
            if waiting is not None:
                yield self._on_device(number % 2, *waiting)

    def _gathered(self, slot: int, at: Integers) -> Tensor | None:
        """In the thread: the windows in a buffer, and on their way to the device."""
        if self.resident is not None:
            return None
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)  # a new thread begins with the first card
        while len(self._buffers) <= slot or len(self._buffers[slot]) < len(at):
            self._buffers[slot:] = [self._buffer(len(at))]
        if self._device.type != "cuda":
            return self._read(at, self._buffers[slot])
        self._copied[slot].synchronize()  # the device may be steps behind
        windows = self._read(at, self._buffers[slot])
        with torch.cuda.stream(self._stream):
            moved = windows.to(self._device, non_blocking=True)
            self._copied[slot].record(self._stream)
        return moved

    def _on_device(self, slot: int, at: Integers, windows: Future[Tensor | None]) -> Batch:
        try:
            signals = windows.result(_TIMEOUT_S)
        except Late:
            raise OverreadError(
                f"reading a batch of {self._corpus.store.folder.name} takes more than {_TIMEOUT_S} "
                "s. Next step: look at the disk or its network; overread train --resume RUN."
            ) from None
        index = torch.from_numpy(at)
        if self._device.type == "cuda":
            index = index.pin_memory().to(self._device, non_blocking=True)
            if signals is not None:
                stream = torch.cuda.current_stream(self._device)
                stream.wait_event(self._copied[slot])
                signals.record_stream(stream)
        if self.resident is not None:
            signals = self.resident.index_select(0, index)
        assert signals is not None
        values = self._values.index_select(0, index)
        ecgs, unit = normalised(signals, self._norm.index_select(0, index), self._normalize)
        return Batch(ecgs, unit, (values == 1).float(), values >= 0, self._positions[at])

    def _read(self, at: Integers, buffer: Tensor) -> Tensor:
        corpus = self._corpus
        out: Tensor = corpus.store.gather(corpus.rows[self._positions[at]], buffer)
        return out

    def _buffer(self, windows: int) -> Tensor:
        shape = (windows, *self._corpus.store.signals.shape[1:])
        return torch.empty(shape, dtype=torch.int16, pin_memory=self._device.type == "cuda")

    def _all(self, rows: Integers) -> Tensor:
        shape = (len(rows), *self._corpus.store.signals.shape[1:])
        signals = torch.empty(shape, dtype=torch.int16, device=self._device)
        buffer = self._buffer(min(4096, len(rows)))
        for first in range(0, len(rows), len(buffer)):
            some = rows[first : first + len(buffer)]
            signals[first : first + len(some)].copy_(self._corpus.store.gather(some, buffer))
        return signals


def fits(device: torch.device, windows: int, at_once: int) -> bool:
    """Whether so many windows fit into the device's free memory beside a net and its activations.

    ``at_once`` ECGs go through the net in one step. On the CPU the store's map is as good.
    """
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return windows * len(LEADS) * 2500 * 2 < free - _RESERVE - at_once * _PER_ECG


def _first_store() -> Store:
    for folder in STORES:
        if (folder / RUN_FILE).is_file():
            return open_store(folder)
    raise UsageError(
        "there is no store of signals. Next step: overread signals import SOURCE, or "
        "overread signals synth, or give --store FOLDER."
    )


def _shared_patients(patient: Integers, splits: dict[str, Integers], *, allowed: bool) -> list[str]:
    """Refuses a patient in two splits (or tells how many, where records were split)."""
    everyone = patient.max(initial=-1) + 1
    held = {name: np.bincount(patient[at], minlength=everyone) > 0 for name, at in splits.items()}
    names = list(held)
    shared = {
        (one, other): int((held[one] & held[other]).sum())
        for number, one in enumerate(names)
        for other in names[number + 1 :]
    }
    told = [
        f"{count:,} patients stand both in {one} and in {other}"
        for (one, other), count in shared.items()
        if count or allowed
    ]
    if told and not allowed:
        raise TableError(f"{'; '.join(told)}. Next step: split by patient.")
    return told


def _check_norm(store: Store, rows: Integers) -> None:
    norm = store.norm[rows]
    bad = np.flatnonzero(~(np.isfinite(norm).all((1, 2)) & (norm[..., 1] >= 0).all(1)))
    if len(bad):
        raise OverreadError(
            f"{store.folder.name}: mean or standard deviation of {len(bad)} windows is not finite, "
            f"the first is window {rows[bad[0]]}. Next step: overread signals verify, then import "
            "again with --overwrite."
        )


def _to_learn_from(corpus: Corpus, keys: list[str], config: TrainConfig) -> Corpus:
    """Leaves out ECGs without any known label, and training patients beyond the fraction."""
    known = np.any(corpus.values[config.labels] >= 0, axis=1)
    out = {"in no split": len(corpus.rows) - sum(map(len, corpus.splits.values()))}
    unknown = f"without a known {config.labels} label"
    out[unknown] = 0
    for name in ("train", "validation"):
        at = corpus.splits[name]
        corpus = corpus.only(name, at[known[at]])
        out[unknown] += len(at) - len(corpus.splits[name])
    train = corpus.splits["train"]
    corpus = corpus.only("train", train[_some([keys[at] for at in train], config.fraction)])
    out["beyond --fraction"] = len(train) - len(corpus.splits["train"])
    for name in ("train", "validation"):
        if not len(corpus.splits[name]):
            raise TableError(
                f"no ECG of the split {name} has a known {config.labels} label. Next step: look at "
                "the label table, the splits and --fraction."
            )
    sizes = [f"{name} {len(at):,}" for name, at in corpus.splits.items()]
    sizes += [f"{count:,} {why}" for why, count in out.items() if count]
    corpus.notes.append(f"windows: {', '.join(sizes)}")
    return corpus


def _patients(ids: list[str], patients: list[str | None]) -> list[str]:
    """A name for each ECG's patient; without a patient id, an ECG is a patient of its own."""
    return [
        f"ecg {id}" if who is None else f"patient {who}"
        for id, who in zip(ids, patients, strict=True)
    ]


def _some(keys: list[str], fraction: float) -> npt.NDArray[np.bool_]:
    """Which ECGs belong to the share of patients; a smaller share is part of a larger one."""
    if fraction >= 1:
        return np.ones(len(keys), np.bool_)
    shares = {
        key: int.from_bytes(hashlib.blake2b(f"fraction {key}".encode(), digest_size=4).digest())
        for key in set(keys)
    }
    return np.array([shares[key] < fraction * 2**32 for key in keys], np.bool_)


def _hashes(
    store: Store, ids: list[str], names: npt.NDArray[Any], values: npt.NDArray[np.int8]
) -> tuple[str, str]:
    splits = hashlib.sha256(
        "\n".join(f"{id} {name}" for id, name in zip(ids, names, strict=False)).encode(
            "utf-8", "surrogateescape"
        )
    )
    everything = hashlib.sha256(f"{store.sha256} {splits.hexdigest()} {values.shape}".encode())
    everything.update("\n".join(ids).encode("utf-8", "surrogateescape"))
    everything.update(values.tobytes())
    return everything.hexdigest(), splits.hexdigest()
