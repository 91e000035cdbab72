"""Reports in the comments of WFDB headers, such as ``#SL12:`` (machine) and ``#C:`` (expert)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import polars as pl

from overread.errors import BadRecord, TableError, UsageError
from overread.sources.batches import ROWS, Columns, Duplicates
from overread.sources.records import Reading, RecordSource
from overread.tables import SOURCES

# As in the Norwegian Endurance Athlete ECG Database, doi:10.13026/qpjf-gk87.
MACHINE_COMMENT: Final = "SL12:"
EXPERT_COMMENT: Final = "C:"
LIMIT: Final = 64 << 10  # bytes; a header has a line per lead and some comments


class WfdbSource(RecordSource):
    """A folder of WFDB headers, or one of them; the id is the file's name without ``.hea``."""

    def __init__(
        self,
        path: Path,
        *,
        machine_comment: str,
        expert_comment: str,
        encoding: str,
        quarantining: bool,
        duplicates: Duplicates,
    ) -> None:
        if not machine_comment or not expert_comment or machine_comment == expert_comment:
            raise UsageError(
                "The machine's and the expert's comments need different beginnings. "
                "Next step: give --machine-comment and --expert-comment."
            )
        read = partial(
            read_comments,
            machine_comment=machine_comment,
            expert_comment=expert_comment,
            encoding=encoding,
        )
        super().__init__(
            path,
            name="WFDB header comments",
            suffix=".hea",
            read=read,
            columns=Columns("file name", None, f"#{machine_comment}", f"#{expert_comment}"),
            limit=LIMIT,
            quarantining=quarantining,
            duplicates=duplicates,
        )

    def batches(self, *, rows: int = ROWS) -> Iterator[pl.DataFrame]:
        """As of `RecordSource`; ``TableError`` where no header has any of the comments."""
        texts = 0
        for batch in super().batches(rows=rows):
            texts += 2 * batch.height - sum(batch[name].null_count() for name in SOURCES)
            yield batch
        if self.tally.used and not texts:
            raise TableError(
                f"{self.inputs[0].name}: no header has a comment that begins with "
                f"{self.columns.machine} or {self.columns.expert}. "
                "Next step: give --machine-comment or --expert-comment."
            )


def read_comments(
    data: bytes,
    *,
    machine_comment: str = MACHINE_COMMENT,
    expert_comment: str = EXPERT_COMMENT,
    encoding: str = "utf-8",
) -> Reading:
    """The two readings in one header; several comments of one beginning are lines of one text.

    Raises ``BadRecord`` where this is no WFDB header. Signal lines are not looked at.

    >>> read_comments(b"r 1 500 9\\r\\nr.dat 16\\r\\n#SL12: AF, Abnormal ECG\\r\\n#C: AF").expert
    'AF'
    """
    if b"\0" in data:
        raise BadRecord("holds a NUL byte")
    try:
        lines = data.decode(encoding).removeprefix("\ufeff").splitlines()
    except UnicodeDecodeError:
        raise BadRecord(f"is not {encoding} text; --encoding latin-1 reads any") from None
    except LookupError:
        raise UsageError(f"The encoding {encoding!r} is not known. Next step: utf-8.") from None
    _refuse_other_files(lines)
    comments = [line[1:].lstrip() for line in lines if line.startswith("#")]
    return Reading(_behind(comments, machine_comment), _behind(comments, expert_comment))


def _refuse_other_files(lines: list[str]) -> None:
    """The first line that is no comment has the record's name and its number of signals."""
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    fields = first.split()
    if len(fields) < 2 or not fields[1].isdecimal():
        raise BadRecord("is not a WFDB header (no line with name and number of signals)")


def _behind(comments: list[str], prefix: str) -> str | None:
    found = [one.removeprefix(prefix).strip() for one in comments if one.startswith(prefix)]
    return "\n".join(found) if found else None
