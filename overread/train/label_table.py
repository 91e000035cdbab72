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
from overread.tables import (
    ID,
    ID_NAMES,
    LABELS_FILE,
    MISSING,
    PATIENT,
    PATIENT_NAMES,
    SOURCES,
    known_as,
    value_column,
)
from overread.train.config import TrainConfig

LABELS_FOLDER: Final = Path("overread-out/labels")


def read_label_table(
    config: TrainConfig, ecgs: pa.ChunkedArray
) -> tuple[pa.Table, tuple[str, ...], tuple[str | None, Path | None]]:
    """The table (text ids, each once), its labels in their order, vocabulary hash and extraction.

    ``ecgs`` are the ids of the signals: of several columns with usual names of ids, the one that
    holds most of them is the id. A table without ``expert_X`` and ``machine_X`` columns is one
    reader's, and its labels are the columns that hold nothing but 1, 0, -1 and blanks. Raises
    ``UsageError`` where there is no table, ``TableError`` for one that cannot be used.
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
            names = csv.open_csv(file).schema.names
            texts = known_as((*ID_NAMES, *PATIENT_NAMES), names)
            types = csv.ConvertOptions(column_types=dict.fromkeys(texts, pa.string()))
            table = csv.read_csv(file, convert_options=types)
        else:
            table = pq.read_table(file)
    except (pa.ArrowException, OSError):
        raise TableError(
            f"{file.name} cannot be read as a table. Next step: give Parquet, or CSV with commas."
        ) from None
    table = _with_id(table, ecgs)
    if manifest is None:
        table = _of_one_reader(table, config.labels)
    labels = manifest.labels if manifest else _labels(table, config.labels)
    if ID not in table.column_names or not labels:
        raise UsageError(
            f"{file.name} has no column {ID!r}, or no labels of the {config.labels}. Next step: "
            f"name them id and {config.labels}_LABEL; or give one reader's labels as plain columns "
            "of 1, 0, -1 and blanks."
        )
    if (twice := len(table) - len(pc.unique(table[ID]))) or table[ID].null_count:
        raise TableError(
            f"{file.name}: {twice} ids come twice, {table[ID].null_count} are missing. Next step: "
            "give each ECG one row."
        )
    return table, labels, (manifest.vocabulary if manifest else None, folder)


def _with_id(table: pa.Table, ecgs: pa.ChunkedArray) -> pa.Table:
    """The table with the column that names these ECGs as text ``id``, where there is one."""
    names = table.column_names
    found = [ID] if ID in names else known_as(ID_NAMES, names)
    if not found:
        return table
    texts = {name: table[name].cast(pa.string()) for name in found}
    held = {name: pc.sum(pc.is_in(ecgs, value_set=texts[name])).as_py() or 0 for name in found}
    name = max(found, key=lambda one: held[one])
    return table.set_column(names.index(name), ID, texts[name])


def _of_one_reader(table: pa.Table, reader: str) -> pa.Table:
    """Plain columns of 1, 0, -1 and blanks as those of a reader, where none is a reader's."""
    names = table.column_names
    if any(name.startswith(value_column(source, "")) for name in names for source in SOURCES):
        return table
    plain = [name for name in names if name not in (ID, PATIENT) and _holds_values(table[name])]
    return table.rename_columns(
        [value_column(reader, name) if name in plain else name for name in names]
    )


def _holds_values(column: pa.ChunkedArray) -> bool:
    """Whether a column holds something, and nothing but 1, 0, -1 and blanks."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return False
    values = pc.unique(column.drop_null())
    return len(values) > 0 and set(values.to_pylist()) <= {1, 0, MISSING}


def _labels(table: pa.Table, source: str) -> tuple[str, ...]:
    """The labels of a table from elsewhere: its columns <source>_<label>, less the states."""
    opening = value_column(source, "")
    names = [name.removeprefix(opening) for name in table.column_names if name.startswith(opening)]
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
