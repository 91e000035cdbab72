"""MIMIC-IV-ECG: its ``machine_measurements`` table, with the machine's statements in numbered
columns, and the WFDB records that its ``record_list`` table names.

Gow et al., doi:10.13026/4nqg-sb35.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

import polars as pl

from overread.errors import TableError
from overread.files import input_file
from overread.sources.batches import Columns, Tally
from overread.sources.csv_table import CsvTable
from overread.sources.table import Meaning, patient_text
from overread.sources.tree import Tree
from overread.sources.wfdb_records import Listed

#: The columns that show a table to be MIMIC-IV-ECG's.
COLUMNS: Final = ("study_id", "report_0")
RECORDS: Final = "record_list.csv"


def meaning(found: Sequence[str], *, keep: tuple[str, ...]) -> Meaning:
    """``report_0``, ``report_1`` ... become one text, a line each; empty ones are skipped."""
    numbered = (name for name in found if re.fullmatch(r"report_\d+", name))
    statements = sorted(numbered, key=lambda name: int(name.removeprefix("report_")))
    filled = [pl.when(pl.col(name) != "").then(pl.col(name)) for name in statements]
    joined = pl.concat_str(filled, separator="\n", ignore_nulls=True)
    patient = "subject_id" if "subject_id" in found else None
    return Meaning(
        Columns("study_id", patient, f"{statements[0]} to {statements[-1]}", None, keep),
        tuple(statements),
        pl.when(joined != "").then(joined),
        None,
    )


def listed(tree: Tree) -> Listed:
    """The records of ``record_list.csv``: ids are ``study_id``, patients ``subject_id``.

    Raises ``TableError`` with the row for a path that is twice there, absolute, an address or
    leads up with ``..``, and where a column is missing.
    """
    table = CsvTable(input_file(Path(tree.root, RECORDS)))
    names = ("study_id", "subject_id", "path")
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise TableError(
            f"{RECORDS} has no column {missing[0]!r}. Next step: take the file as published."
        )
    found: Listed = {}
    for frame, numbers in table.frames(names, tally=Tally(), bad=[]):
        columns = frame.select("path", "study_id", patient_text("subject_id")).iter_rows()
        for number, (path, study, subject) in zip(numbers, columns, strict=True):
            key = f"{path}.hea"
            if not path or not study or key in found:
                fault = "repeats a path" if key in found else "has no path or no study_id"
            elif "://" in path or path.startswith("/") or ".." in PurePosixPath(path).parts:
                fault = "has a path that leads out of the folder"
            else:
                found[key] = (study, subject)
                continue
            raise TableError(f"{RECORDS}: row {number} {fault}. Next step: mend or remove it.")
    return dict(sorted(found.items()))
