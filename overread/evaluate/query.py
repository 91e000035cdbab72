"""ECGs ranked against a text that need not be a label: only for models that compare with texts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.console import Console

from overread.errors import OutputExists, UsageError
from overread.evaluate.predict import (
    CARRIED,
    PREDICTIONS_FILE,
    SCORE,
    refuse_predictions,
    write_predictions,
)
from overread.files import fingerprint, locked, output_folder
from overread.manifest import RUN_FILE, Manifest, check_output, inputs_of, versions
from overread.report.table import Column, Table
from overread.signals.store import Store, open_store

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor

    from overread.train.clip import Clip
    from overread.train.model import Model

QUERIES: Final = Path("overread-out/queries")

_COMMAND: Final = "query"
_COLUMN: Final = f"{SCORE}query"


def query(
    checkpoint: Path,
    text: str,
    store: Path,
    out: Path | None = None,
    *,
    top: int = 20,
    device: str = "auto",
    overwrite: bool = False,
    console: Console,
) -> None:
    """Prints the ECGs that are nearest to a text and writes the similarity of every window.

    The table is that of predictions with one column, ``score_query``: the cosine of window and
    text. ``out`` is a folder of its own for each text unless it is given. Raises ``UsageError`` for
    a model that was not trained with texts, or a text without letters.
    """
    import torch

    from overread.report.terminal import TerminalTable
    from overread.train.checkpoint import MODEL_FILE
    from overread.train.clip import Clip
    from overread.train.model import open_model
    from overread.train.statements import plain

    asked = plain(text)
    if not asked:
        raise UsageError("the text has no letters. Next step: give a finding in a few words.")
    device = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    file = checkpoint / MODEL_FILE if checkpoint.is_dir() else checkpoint
    model = open_model(file, device)
    if not isinstance(model.paradigm, Clip):
        raise UsageError(
            f"a {model.config.paradigm} model knows its labels only, and no texts. Next step: "
            "overread train --paradigm clip, then query that model."
        )
    opened = open_store(store)
    out = output_folder(out or QUERIES / hashlib.sha256(asked.encode()).hexdigest()[:12])
    refuse_predictions(out, overwrite=overwrite)
    planned = Manifest(
        _COMMAND,
        options={"store": opened.sha256, "kind": model.paradigm.kind, "text": asked},
        inputs=inputs_of([fingerprint(file)]),
        versions=versions("torch", "numpy"),
        counts={"windows": len(opened)},
    )
    with locked(out):
        if (out / RUN_FILE).is_file() and not overwrite:
            import pyarrow.parquet as pq

            if not Manifest.read(out).same_work(planned):
                raise OutputExists(
                    f"{out} holds another query. Next step: choose another folder with --out, or "
                    "give --overwrite."
                )
            table = pq.read_table(check_output(out / PREDICTIONS_FILE))
        else:
            table = _similarities(model, model.paradigm, asked, opened)
            write_predictions(out, table, planned, overwrite=overwrite)
    console.print(TerminalTable(nearest(table, asked, top)))
    console.print(f"all {len(table):,} windows: {out / PREDICTIONS_FILE}", highlight=False)


def nearest(table: pa.Table, text: str, top: int) -> Table:
    """The ECGs with the highest mean similarity over their windows; equal ones by id."""
    ids, ecg = np.unique(
        table["id"].to_numpy(zero_copy_only=False).astype(str), return_inverse=True
    )
    mean = np.bincount(ecg, table[_COLUMN].to_numpy()) / np.bincount(ecg)
    order = np.argsort(-mean, kind="stable")[:top]
    return Table(
        "nearest",
        f"ECGs nearest to: {text}",
        (Column("id", "ECG", "label"), Column("similarity", "cosine", "number", digits=3)),
        tuple((str(ids[at]), float(mean[at])) for at in order),
        ("A ranking, not a diagnosis: cosines of other texts are not on the same scale.",),
    )


class _Asked:
    """A paradigm's net that scores by its similarity to texts."""

    def __init__(self, paradigm: Clip, texts: Sequence[str]) -> None:
        self.net, self._paradigm, self._texts = paradigm.net, paradigm, texts

    def scores(self, ecgs: Tensor) -> Tensor:
        return self._paradigm.similarity(ecgs, self._texts)


def _similarities(model: Model, paradigm: Clip, text: str, store: Store) -> pa.Table:
    import pyarrow as pa

    from overread.train.scoring import score_store

    asked: Any = _Asked(paradigm, [text])
    scores = score_store(asked, store, model.config, 1)
    table = store.records.select(list(CARRIED))
    return table.append_column(_COLUMN, pa.array(scores[:, 0], pa.float32()))
