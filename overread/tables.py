"""Names of the columns of every table that passes between stages.

Plain constants, so that training can read the tables where polars is not installed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

ID: Final = "id"
PATIENT: Final = "patient_id"

#: What tables from elsewhere call these two columns, as `known_as` compares names.
ID_NAMES: Final = (
    "id", "ecg_id", "study_id", "record_id", "record", "record_name", "exam_id", "report_id",
    "test_id", "filename", "file_name", "file",
)  # fmt: skip
PATIENT_NAMES: Final = (
    "patient_id", "patient", "patientid", "subject_id", "subject", "mrn", "pid", "person_id",
)  # fmt: skip

#: The two readings of one ECG, in the order of their ``source`` codes in report_statements.parquet.
SOURCES: Final = ("machine", "expert")

# labels.parquet: one row per ECG; `<source>_<label>` int8 and `<source>_state_<label>` uint8.
STATES: Final = ("unmentioned", "absent", "past", "uncertain", "present", "not_assessable")
STATE_CODES: Final = {name: code for code, name in enumerate(STATES)}

#: What a person may ask an uncertain mention to count as.
POLICIES: Final = ("positive", "negative", "missing")

#: What a cell of text may say in a column of decisions; None is a blank.
DECISIONS: Final = {
    "": None, "1": 1, "0": 0, "-1": -1, "1.0": 1, "0.0": 0, "-1.0": -1,
    "true": 1, "false": 0, "True": 1, "False": 0, "TRUE": 1, "FALSE": 0,
}  # fmt: skip

MISSING: Final = -1  # label value of "missing by policy"; null means: that side has no reading

#: The order of the leads in every signal.
LEADS: Final = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

LABELS_FILE: Final = "labels.parquet"
STATEMENTS_FILE: Final = "statements.parquet"
REPORT_STATEMENTS_FILE: Final = "report_statements.parquet"
EVIDENCE_FILE: Final = "evidence.parquet"
RANKS_FILE: Final = "ranks.parquet"

# statements.parquet
STATEMENT: Final = "statement"
TEXT: Final = "text"
SEGMENT: Final = "segment"
N_MACHINE: Final = "n_machine"
N_EXPERT: Final = "n_expert"

# report_statements.parquet
ROW: Final = "row"
SOURCE: Final = "source"
POSITION: Final = "position"
START: Final = "start"
END: Final = "end"

# evidence.parquet
LABEL: Final = "label"
ASSERTION: Final = "assertion"
PHRASE_ID: Final = "phrase_id"
VOCAB_FILE: Final = "vocab_file"
VOCAB_LINE: Final = "vocab_line"
CUE: Final = "cue"
SCORE: Final = "score"


def known_as(names: Collection[str], columns: Iterable[str]) -> list[str]:
    """The columns that bear one of some names, however they write letters, blanks and hyphens.

    >>> known_as(ID_NAMES, ["Record", "ECG-ID", "age"])
    ['Record', 'ECG-ID']
    """
    return [column for column in columns if plain_name(column) in names]


def plain_name(column: str) -> str:
    """A column's name as names are compared: lower case, "_" for blanks and hyphens."""
    return column.strip().lower().replace(" ", "_").replace("-", "_")


def value_column(source: str, label: str) -> str:
    """Name of the 1 / 0 / -1 / null column of one label and source.

    >>> value_column("expert", "lvh")
    'expert_lvh'
    """
    return f"{source}_{label}"


def state_column(source: str, label: str) -> str:
    """Name of the state column of one label and source.

    >>> state_column("machine", "lvh")
    'machine_state_lvh'
    """
    return f"{source}_state_{label}"
