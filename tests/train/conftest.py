"""A small store with a label table whose labels can be seen in the signals, and runs on it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

torch = pytest.importorskip("torch")

from rich.console import Console  # noqa: E402

from overread.manifest import Manifest  # noqa: E402
from overread.signals.store_writer import writing_store  # noqa: E402
from overread.train.config import TrainConfig, configure  # noqa: E402
from overread.train.data import load_corpus, load_unlabeled  # noqa: E402
from overread.train.loop import Loop  # noqa: E402
from overread.train.paradigm import paradigm_class  # noqa: E402

#: tall: every beat of every lead is three times as high; fast: twice as many beats; never: no ECG.
LABELS = ("tall", "fast", "never")
ECGS = 160


class Files(NamedTuple):
    store: Path
    table: Path


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_store(folder: Path, tall: Any, fast: Any, **records: Any) -> None:
    """A window for each pair of flags; records may be given, such as patient_id."""
    rng = np.random.default_rng(0)
    time = np.arange(2500) / 250
    count = len(tall)
    windows = np.empty((count, 12, 2500), np.int16)
    for at in range(count):
        beats = np.sin(2 * np.pi * (2 if fast[at] else 1) * (time + rng.random())) ** 15
        height = (900 if tall[at] else 300) * rng.uniform(0.8, 1.2)
        windows[at] = height * beats + rng.normal(0, 20, (12, 2500))
    millivolts = windows / 1000
    norm = np.stack([millivolts.mean(2), millivolts.std(2)], -1).astype(np.float32)
    filled = {
        "id": [f"e{at}" for at in range(count)],
        "patient_id": [f"p{at // 2}" for at in range(count)],
        "source": ["test"] * count,
        "window": [0] * count,
        "fs_hz": [250.0] * count,
        "quality": [""] * count,
    } | records
    with writing_store(folder, Manifest("test"), overwrite=False) as writer:
        assert writer is not None
        writer.append(windows, norm, filled)
        writer.finish({})


def write_table(path: Path, tall: Any, fast: Any, **columns: Any) -> None:
    """Experts see what is there; the machine calls every ECG tall; some labels are unknown."""
    count = len(tall)
    expert_tall = [None if at % 7 == 3 else int(flag) for at, flag in enumerate(tall)]
    expert_fast = [-1 if at % 5 == 2 else int(flag) for at, flag in enumerate(fast)]
    pq.write_table(
        pa.table(
            {
                "id": [f"e{at}" for at in range(count)],
                "expert_tall": pa.array(expert_tall, pa.int8()),
                "expert_fast": pa.array(expert_fast, pa.int8()),
                "expert_never": pa.array([0] * count, pa.int8()),
                "expert_state_tall": pa.array([4] * count, pa.uint8()),
                "machine_tall": pa.array([1] * count, pa.int8()),
                "machine_fast": pa.array([0] * count, pa.int8()),
                "machine_never": pa.array([0] * count, pa.int8()),
            }
            | columns
        ),
        path,
    )


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("train")
    rng = np.random.default_rng(1)
    tall, fast = rng.random((2, ECGS)) < 0.3
    write_store(folder / "store", tall, fast)
    write_table(folder / "table.parquet", tall, fast)
    return Files(folder / "store", folder / "table.parquet")


@pytest.fixture
def config(files: Files) -> Callable[..., TrainConfig]:
    """A complete config for the small store; values may be given."""

    def make(**values: Any) -> TrainConfig:
        given = {
            "store": str(files.store),
            "label_table": str(files.table),
            "encoder": "tiny",
            "batch": 20,
            "lr": 2e-3,
            "epochs": 2,
            "device": "cpu",
        }
        return configure(options=given | values).config

    return make


class Recorded(Loop):
    """A loop that remembers which ECGs came, and asks itself to stop after a step."""

    stop_after = 0

    def update(self, batch: Any, unlabeled: Any) -> None:
        self.__dict__.setdefault("seen", []).append(batch.at)
        super().update(batch, unlabeled)
        if self.position.step == self.stop_after:
            signal.raise_signal(signal.SIGTERM)


@pytest.fixture
def make_loop(config: Callable[..., TrainConfig], tmp_path: Path) -> Callable[..., Recorded]:
    """A loop in a folder of the temporary one, ready to fit."""

    def make(name: str = "run", **values: Any) -> Recorded:
        chosen = config(**values)
        corpus = load_corpus(chosen)
        unlabeled = load_unlabeled(chosen, corpus) if chosen.paradigm == "self-training" else None
        torch.manual_seed(chosen.seed)
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return Recorded(
            chosen,
            corpus,
            unlabeled,
            paradigm_class(chosen.paradigm).from_corpus(chosen, corpus),
            device=torch.device("cpu"),
            folder=folder,
            console=Console(quiet=True),
        )

    return make


def weights(loop: Loop) -> bytes:
    """All weights and statistics, bit for bit."""
    state = loop.paradigm.net.state_dict()
    return b"".join(state[name].numpy().tobytes() for name in sorted(state))
