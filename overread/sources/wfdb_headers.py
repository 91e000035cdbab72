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
from overread.sources.wfdb_header import LIMIT, header_lines
from overread.tables import SOURCES

# As in the Norwegian Endurance Athlete ECG Database, doi:10.13026/qpjf-gk87.
MACHINE_COMMENT: Final = "SL12:"
EXPERT_COMMENT: Final = "C:"


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
    try:
        lines, comments = header_lines(data, encoding)
    except UnicodeDecodeError:
        raise BadRecord(f"is not {encoding} text; --encoding latin-1 reads any") from None
    record_line = lines[0].split() if lines else []
    if len(record_line) < 2 or not record_line[1].isdecimal():
        raise BadRecord("is not a WFDB header (no line with name and number of signals)")
    return Reading(_behind(comments, machine_comment), _behind(comments, expert_comment))


def _behind(comments: list[str], prefix: str) -> str | None:
    found = [one.removeprefix(prefix).strip() for one in comments if one.startswith(prefix)]
    return "\n".join(found) if found else None
