"""The scores of a trained model for every window of a store, or of recordings of any format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from rich.console import Console

from overread.errors import OutputExists, OverreadError
from overread.files import fingerprint, locked, output_folder, refuse_existing
from overread.manifest import RUN_FILE, Manifest, inputs_of, versions
from overread.report.folder import replace_files
from overread.signals.store import SIGNALS_FILE, Store, open_store

if TYPE_CHECKING:
    import pyarrow as pa

    from overread.train.model import Model

PREDICTIONS: Final = Path("overread-out/predictions")
PREDICTIONS_FILE: Final = "predictions.parquet"
SCORE: Final = "score_"
#: Columns of the store's records that stand before the scores.
CARRIED: Final = ("index", "id", "window", "patient_id", "split")

_COMMAND: Final = "predict"


def predict(
    checkpoint: Path,
    source: Path,
    out: Path,
    *,
    device: str = "auto",
    overwrite: bool = False,
    console: Console,
) -> int:
    """Writes ``predictions.parquet`` and ``run.json``: 0, or 3 where records could not be read.

    A row per window: windows of one ECG are averaged when a model is evaluated. ``kind`` among the
    options in ``run.json`` says whether scores are probabilities or similarities. Does nothing
    where the folder holds these very predictions.
    """
    import pyarrow as pa

    from overread.train import ranks
    from overread.train.checkpoint import MODEL_FILE
    from overread.train.model import open_model

    device = ranks.chosen(device)
    file = checkpoint / MODEL_FILE if checkpoint.is_dir() else checkpoint
    model = open_model(file, device)
    out = output_folder(out)
    refuse_predictions(out, overwrite=overwrite)
    resample = model.metadata["preprocessing"]["resample"] or "linear"
    with locked(out), _store(source, out, resample, console) as (store, code):
        if not len(store):
            raise OverreadError(
                f"{source.name} holds 0 windows to score. Next step: overread signals import says "
                "why recordings are left out; overread signals info how many a store holds."
            )
        planned = Manifest(
            _COMMAND,
            options={
                "store": store.sha256,
                # Of a model that does not tell its stores, nobody knows.
                "learnt_here": store.sha256 in model.metadata.get("stores", [store.sha256]),
                "kind": model.paradigm.kind,
                "paradigm": model.config.paradigm,
                "reader": model.config.labels,
                "split": model.config.split,
                "split_column": model.config.split_column,
                "synthetic": bool(store.manifest.options.get("synthetic")),
                "trained_on_synthetic": model.metadata["synthetic"],
            },
            inputs=inputs_of([fingerprint(file)]),
            vocabulary=model.metadata["vocabulary"],
            versions=versions("torch", "numpy"),
            counts={"windows": len(store)},
            labels=model.labels,
        )
        if (out / RUN_FILE).is_file() and not overwrite:
            if Manifest.read(out).same_work(planned):
                console.print(f"up to date: {out}", highlight=False)
                return code
            raise OutputExists(
                f"{out} holds other predictions. Next step: choose another folder with --out, or "
                "give --overwrite."
            )
        scores = _scores(model, store)
        table = store.records.select(list(CARRIED))
        for label, column in zip(model.labels, scores.T, strict=True):
            table = table.append_column(f"{SCORE}{label}", pa.array(column, pa.float32()))
        write_predictions(out, table, planned, overwrite=overwrite)
    console.print(
        f"{len(table):,} windows scored for {len(model.labels)} labels: {out}", highlight=False
    )
    return code


def refuse_predictions(out: Path, *, overwrite: bool) -> None:
    """Raises ``OutputExists`` where a table stands in the folder that no ``run.json`` tells of."""
    if not (out / RUN_FILE).is_file():
        refuse_existing(out / PREDICTIONS_FILE, overwrite=overwrite)


def write_predictions(out: Path, table: pa.Table, made: Manifest, *, overwrite: bool) -> None:
    """Writes the table and ``run.json``; those that stand there stay until both are written."""
    from overread.signals.store_writer import table_bytes

    run, content = out / RUN_FILE, table_bytes(table)
    made = replace(made, outputs={PREDICTIONS_FILE: hashlib.sha256(content).hexdigest()})
    files = {out / PREDICTIONS_FILE: content, run: made.content()}
    replace_files(files, [run], overwrite=overwrite)


def _scores(model: Model, store: Store) -> npt.NDArray[np.float32]:
    from overread.train.scoring import score_store

    scores = score_store(model.paradigm, store, model.config, len(model.labels))
    if bad := int((~np.isfinite(scores)).any(1).sum()):
        raise OverreadError(
            f"the scores of {bad} windows are not finite. Next step: look for a diverged training "
            "run, or overread signals verify."
        )
    return scores


@contextmanager
def _store(source: Path, out: Path, resample: Any, console: Console) -> Iterator[tuple[Store, int]]:
    """The store, or one made for the time being of the recordings of a source."""
    if (source / SIGNALS_FILE).is_file():
        yield open_store(source), 0
        return
    from overread.report.terminal import TerminalTable
    from overread.signals.cohort import flow_table
    from overread.signals.ingest import Given, import_signals
    from overread.sources.open_signals import open_signals

    with TemporaryDirectory(dir=out) as folder:
        flows = import_signals(
            [Given(open_signals(source), source)],
            Path(folder) / "store",
            resample=resample,
            duplicates="error",
            max_bad=0.01,
            workers=None,
            engine="processes",
            append=False,
            overwrite=False,
            console=Console(quiet=True),
        )
        store = open_store(Path(folder) / "store")
        console.print(TerminalTable(flow_table(store)))
        yield store, 3 if any(flow.quarantined for flow in flows) else 0
