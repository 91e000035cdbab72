"""The label table of a run: of overread's own extraction, or any table of 1, 0, -1 and nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from overread.errors import TableError, UsageError
from overread.manifest import Manifest, check_output
from overread.signals.splits import SPLITS
from overread.sources.csv_text import CsvText
from overread.sources.left_out import left_out, near_name
from overread.sources.sniff import kind_of, refuse_other_than
from overread.tables import (
    DECISIONS,
    ID,
    ID_NAMES,
    LABELS_FILE,
    MISSING,
    PATIENT_NAMES,
    SOURCES,
    known_as,
    plain_name,
    state_column,
    value_column,
)
from overread.train.config import TrainConfig

LABELS_FOLDER: Final = Path("overread-out/labels")

# Among values of 1, 0 and -1.
_BLANK: Final = -2
_OTHER: Final = 2


@dataclass(frozen=True, slots=True)
class LabelTable:
    """A table with text ids, each once, and its labels in their order.

    ``vocabulary`` is the hash that its labels were extracted with, and ``extraction`` the folder,
    where it has one. ``notes`` tell which columns are not read.
    """

    file: str
    frame: pa.Table
    labels: tuple[str, ...]
    vocabulary: str | None
    extraction: Path | None
    notes: list[str]

    def values(self, source: str) -> npt.NDArray[np.int8]:
        """int8 (rows, labels): 1, 0, and -1 for unknown; a source without columns is unknown.

        Raises ``TableError`` for anything else, naming its row.
        """
        out = np.full((len(self.frame), len(self.labels)), MISSING, np.int8)
        for at, label in enumerate(self.labels):
            name = value_column(source, label)
            if name not in self.frame.column_names:
                continue
            values = _decisions(self.frame[name])
            if (values == _OTHER).any():
                raise TableError(
                    f"{self.file}: row {np.argmax(values == _OTHER) + 1}, column {name!r}: "
                    "something else than 1, 0, -1 or a blank. Next step: mend the table."
                )
            out[:, at] = np.maximum(values, MISSING)
        return out

    def splits(self, column: str) -> npt.NDArray[np.str_]:
        """The split of each row, "" for ECGs to leave out; "val" is validation.

        Raises ``TableError`` for another name, naming its row.
        """
        if column not in self.frame.column_names:
            near = near_name(column, self.frame.column_names)
            raise UsageError(
                f"{self.file} has no column {column!r}. "
                f"{f'The nearest is {near!r}. ' if near else ''}Next step: name another one."
            )
        texts = _text(self.frame[column], f"{self.file}, column {column!r}")
        cells = texts.fill_null("").to_pylist()
        names = np.array(["validation" if cell == "val" else cell for cell in cells], np.str_)
        strange = ~np.isin(names, (*SPLITS, ""))
        if strange.any():
            raise TableError(
                f"{self.file}: row {np.argmax(strange) + 1}, column {column!r}: no name of a "
                f"split. Next step: write {', '.join(SPLITS)}, or nothing for ECGs to leave out."
            )
        return names


def read_label_table(config: TrainConfig, ecgs: pa.ChunkedArray) -> LabelTable:
    """The label table of a config.

    ``ecgs`` are the ids of the signals: of several columns with usual names of ids, the one that
    holds most of them is the id. A table without ``expert_X`` and ``machine_X`` columns is one
    reader's, and its labels are the columns that hold nothing but 1, 0, -1 and blanks. Raises
    ``UsageError`` where there is no table, ``TableError`` for one that cannot be used.
    """
    path = Path(config.label_table) if config.label_table else LABELS_FOLDER
    folder = path if path.is_dir() else None
    file = path / LABELS_FILE if folder else path
    if not file.is_file():
        raise UsageError(
            f"there is no label table {file}. Next step: overread labels extract reports.csv, or "
            "give --label-table TABLE."
        )
    manifest = Manifest.read(folder) if folder else None
    table = _with_id(_read(check_output(file) if manifest else file), ecgs, file.name)
    notes: list[str] = []
    if manifest:
        labels = manifest.labels
    elif _has_readers(table):
        labels = _labels(table, config.labels)
        notes = _unread(table, labels, config)
    else:
        plain = [name for name in _further(table, config) if _holds_decisions(table[name])]
        rest = [name for name in _further(table, config) if name not in plain]
        notes = left_out("left out, not all 1, 0, -1 or blank", rest, plain)
        labels = tuple(plain)
        table = table.rename_columns(
            [value_column(config.labels, n) if n in plain else n for n in table.column_names]
        )
    if ID not in table.column_names or not labels:
        raise TableError(
            f"{file.name} has no column {ID!r}, or no labels of the {config.labels}. Next step: "
            f"name them id and {config.labels}_LABEL; or give one reader's labels as plain columns "
            "of 1, 0, -1 and blanks."
        )
    if (twice := len(table) - len(pc.unique(table[ID]))) or table[ID].null_count:
        raise TableError(
            f"{file.name}: {twice} ids come twice, {table[ID].null_count} are missing. Next step: "
            "give each ECG one row."
        )
    return LabelTable(
        file.name, table, labels, manifest.vocabulary if manifest else None, folder, notes
    )


def _read(file: Path) -> pa.Table:
    """A Parquet file, or delimited text with every cell as text; columns without name are left."""
    import pyarrow.parquet as pq

    kind = kind_of(file)
    refuse_other_than(file, kind, "Parquet", "text")
    if kind == "text":
        try:
            return _parsed(CsvText(file))
        except TableError as error:
            # The options of `overread labels extract` are no way out here.
            raise TableError(error.plain) from None
    try:
        table = pq.read_table(file)
        table.validate(full=True)
    except (pa.ArrowException, OSError):
        raise TableError(
            f"{file.name} is a damaged Parquet file, or its text is not UTF-8. Next step: copy it "
            "or write it again."
        ) from None
    if len(set(table.column_names)) < len(table.column_names):
        twice = next(n for n in table.column_names if table.column_names.count(n) > 1)
        raise TableError(f"{file.name}: column {twice!r} appears twice. Next step: rename one.")
    return table


def _parsed(text: CsvText) -> pa.Table:
    """The rows of delimited text; a blank cell is null, a quoted blank one ""."""
    import pyarrow.csv as csv

    # By number: columns may have no name.
    numbers = [str(at) for at in range(len(text.names))]
    types = dict.fromkeys(numbers, pa.string())
    parts = [pa.table({name: pa.array([], pa.string()) for name in numbers})]
    for one in text.slices():
        if not len(one.rows):
            continue
        try:
            part = csv.read_csv(
                pa.BufferReader(one.data),
                # One block: a block may not end within a cell.
                csv.ReadOptions(column_names=numbers, block_size=len(one.data) + 1),
                csv.ParseOptions(
                    delimiter=text.delimiter, newlines_in_values=True, ignore_empty_lines=False
                ),
                csv.ConvertOptions(
                    column_types=types,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowException:
            part = parts[0]  # its text may quote a cell
        size = sum(pc.sum(pc.binary_length(column)).as_py() or 0 for column in part.columns)
        text.refuse_unlike(one, len(part), size)
        parts.append(part)
    if len(parts) == 1:
        raise TableError(f"{text.file} has a header and 0 rows. Next step: check the export.")
    named = [number for number, name in zip(numbers, text.names, strict=True) if name]
    table = pa.concat_tables(parts).select(named)
    return table.rename_columns([name for name in text.names if name])


def _with_id(table: pa.Table, ecgs: pa.ChunkedArray, file: str) -> pa.Table:
    """The table with the column that names these ECGs as text ``id``, where there is one."""
    names = table.column_names
    found = [ID] if ID in names else known_as(ID_NAMES, names)
    if not found:
        return table
    texts = {name: _text(table[name], f"{file}, column {name!r}") for name in found}
    held = {name: pc.sum(pc.is_in(ecgs, value_set=texts[name])).as_py() or 0 for name in found}
    name = max(found, key=lambda one: held[one])
    return table.set_column(names.index(name), ID, texts[name])


def _text(column: pa.ChunkedArray, place: str) -> pa.ChunkedArray:
    """The column as text; refuses what is no text."""
    try:
        texts = column.cast(pa.string())
    except pa.ArrowException:
        raise TableError(
            f"{place} holds neither text nor numbers. Next step: write it as text."
        ) from None
    if pc.any(holds := pc.match_substring(texts, "\0")).as_py():
        row = pc.index(holds, True).as_py() + 1
        raise TableError(f"{place}: row {row} holds a NUL byte. Next step: mend it.")
    return texts


def _has_readers(table: pa.Table) -> bool:
    openings = tuple(value_column(source, "") for source in SOURCES)
    return any(name.startswith(openings) for name in table.column_names)


def _further(table: pa.Table, config: TrainConfig) -> list[str]:
    """The columns that are neither ids, patients nor splits."""
    names = table.column_names
    others = {*known_as(ID_NAMES, names), *known_as(PATIENT_NAMES, names), config.split_column}
    return [name for name in names if name not in others]


def _labels(table: pa.Table, source: str) -> tuple[str, ...]:
    """The labels of a table from elsewhere: its columns <source>_<label>, less the states."""
    opening = value_column(source, "")
    names = [name.removeprefix(opening) for name in table.column_names if name.startswith(opening)]
    return tuple(name for name in names if not (name.startswith("state_") and name[6:] in names))


def _unread(table: pa.Table, labels: tuple[str, ...], config: TrainConfig) -> list[str]:
    """A line on columns that look like labels and are none that this run learns or could learn."""
    every = dict.fromkeys([*labels, *(label for s in SOURCES for label in _labels(table, s))])
    used = {value_column(source, label) for source in SOURCES for label in labels}
    used |= {state_column(source, label) for source in SOURCES for label in every}
    openings = tuple(value_column(source, "") for source in SOURCES)
    alone = [
        name
        for name in _further(table, config)
        if name not in used
        and (plain_name(name).startswith(openings) or _holds_decisions(table[name]))
    ]
    known = [value_column(config.labels, label) for label in every]
    return left_out(f"left out, no labels of the {config.labels}", alone, known)


def _holds_decisions(column: pa.ChunkedArray) -> bool:
    """Whether a column holds something, and nothing but 1, 0, -1 and blanks."""
    values = _decisions(column)
    return bool((values != _OTHER).all() and (values != _BLANK).any())


def _decisions(column: pa.ChunkedArray) -> npt.NDArray[np.int8]:
    """int8 (rows,): 1, 0, -1, and `_BLANK` or `_OTHER`."""
    kind = column.type.value_type if t.is_dictionary(column.type) else column.type
    if t.is_string(kind) or t.is_large_string(kind):
        told = [_BLANK if value is None else value for value in DECISIONS.values()]
        texts = pc.utf8_trim_whitespace(column.cast(pa.string()).fill_null(""))
        known = pc.index_in(texts, value_set=pa.array(list(DECISIONS))).fill_null(len(told))
        decided: npt.NDArray[np.int8] = np.array([*told, _OTHER], np.int8)[known.to_numpy()]
        return decided
    out = np.where(column.is_null().to_numpy(), _BLANK, _OTHER).astype(np.int8)
    if any(test(kind) for test in (t.is_integer, t.is_floating, t.is_boolean)):
        numbers = column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy()
        out[np.isnan(numbers)] = _BLANK
        for value in (1, 0, MISSING):
            out[numbers == value] = value
    return out
