"""The label table of a run: of overread's own extraction, or any table of 1, 0, -1 and nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from overread.errors import TableError, UsageError
from overread.manifest import Manifest
from overread.signals.splits import SPLITS
from overread.tables import ID, LABELS_FILE, MISSING, PATIENT, value_column
from overread.train.config import TrainConfig

LABELS_FOLDER: Final = Path("overread-out/labels")


def read_label_table(
    config: TrainConfig,
) -> tuple[pa.Table, tuple[str, ...], tuple[str | None, Path | None]]:
    """The table (text ids, each once), its labels in their order, vocabulary hash and extraction.

    Raises ``UsageError`` where there is none, ``TableError`` for one that cannot be used.
    """
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    path = Path(config.label_table) if config.label_table else LABELS_FOLDER
    folder = path if path.is_dir() else None
    file = path / LABELS_FILE if folder else path
    if not file.is_file():
        raise UsageError(
            f"there is no label table {file}. Next step: overread labels extract reports.csv, or "
            "give --label-table TABLE."
        )
    manifest = Manifest.read(folder) if folder else None
    try:
        if file.suffix.lower() == ".csv":
            types = csv.ConvertOptions(column_types={ID: pa.string(), PATIENT: pa.string()})
            table = csv.read_csv(file, convert_options=types)
        else:
            table = pq.read_table(file)
    except (pa.ArrowException, OSError):
        raise TableError(
            f"{file.name} cannot be read as a table. Next step: give Parquet, or CSV with commas."
        ) from None
    labels = manifest.labels if manifest else _labels(table, config.labels)
    if ID not in table.column_names or not labels:
        raise UsageError(
            f"{file.name} has no column {ID!r}, or none that begins with {config.labels}_. "
            "Next step: name them id, expert_LABEL and machine_LABEL."
        )
    table = table.set_column(table.column_names.index(ID), ID, table[ID].cast(pa.string()))
    if (twice := len(table) - len(pc.unique(table[ID]))) or table[ID].null_count:
        raise TableError(
            f"{file.name}: {twice} ids come twice, {table[ID].null_count} are missing. Next step: "
            "give each ECG one row."
        )
    return table, labels, (manifest.vocabulary if manifest else None, folder)


def _labels(table: pa.Table, source: str) -> tuple[str, ...]:
    """The labels of a table from elsewhere: its columns <source>_<label>, less the states."""
    names = [
        name.removeprefix(f"{source}_")
        for name in table.column_names
        if name.startswith(f"{source}_")
    ]
    return tuple(name for name in names if not (name.startswith("state_") and name[6:] in names))


def label_values(table: pa.Table, source: str, labels: tuple[str, ...]) -> npt.NDArray[np.int8]:
    """int8 (rows, labels): 1, 0, and -1 for unknown; a source without columns is unknown."""
    out = np.full((len(table), len(labels)), MISSING, np.int8)
    for at, label in enumerate(labels):
        name = value_column(source, label)
        if name not in table.column_names:
            continue
        try:
            column = pc.fill_null(table[name].cast(pa.int8()), MISSING).to_numpy()
        except pa.ArrowException:
            column = np.array([2])
        if not np.isin(column, (1, 0, MISSING)).all():
            raise TableError(
                f"column {name!r} holds other values than 1, 0, -1 and nothing. "
                "Next step: mend the table."
            )
        out[:, at] = column
    return out


def split_names(table: pa.Table, column: str) -> npt.NDArray[np.str_]:
    """The split of each row, "" for ECGs to leave out; "val" is validation."""
    if column not in table.column_names:
        raise UsageError(f"the label table has no column {column!r}. Next step: name another one.")
    names = np.array(table[column].cast(pa.string()).fill_null("").to_pylist())
    names[names == "val"] = "validation"
    strange = sorted(set(names.tolist()) - set(SPLITS) - {""})
    if strange:
        raise UsageError(
            f"column {column!r} holds {strange[0]!r}. Next step: write {', '.join(SPLITS)}, or "
            "nothing for ECGs to leave out."
        )
    return names
