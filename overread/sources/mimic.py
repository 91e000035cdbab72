"""MIMIC-IV-ECG's ``machine_measurements`` table: the machine's statements in numbered columns.

Gow et al., doi:10.13026/4nqg-sb35.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from overread.sources.batches import Columns
from overread.sources.table import Meaning

#: The columns that show a table to be MIMIC-IV-ECG's.
COLUMNS: Final = ("study_id", "report_0")


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
