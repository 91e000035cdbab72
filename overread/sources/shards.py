"""One table in several files of one kind, read in the order of their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from overread.errors import TableError, UsageError
from overread.files import listing
from overread.sources.batches import Tally
from overread.sources.raw import Bad, RawTable, Rows

# Numbered as Spark, Hugging Face and Dask write them; years in names are no numbering.
_NUMBERED: Final = re.compile(r"(?:part[-_.]?)?(\d+)-of-(\d+)|part[-_.]?(\d+)", re.IGNORECASE)


def shard_paths(folder: Path, pattern: str) -> list[Path]:
    """The files of a folder that match, sorted; only the folder itself is searched.

    Raises ``UsageError`` where there is none, ``TableError`` where a numbered one is missing.
    """
    paths = [
        path
        for path in listing(folder, "")
        if path.parent == folder and fnmatchcase(path.name, pattern)
    ]
    if not paths:
        raise UsageError(f"No file matches {pattern!r}. Next step: check the folder and the name.")
    _refuse_gaps(paths)
    return paths


class Shards:
    """Several raw tables as one; row numbers run on from one file to the next.

    Raises ``TableError`` naming the first shard whose columns differ from the first one's.
    """

    def __init__(self, name: str, tables: Sequence[RawTable]) -> None:
        self._tables = tables
        self.file = name
        self.name = f"{tables[0].name}, {len(tables)} files"
        self.paths = tuple(path for table in tables for path in table.paths)
        self.columns = tables[0].columns
        for table in tables[1:]:
            odd = [name for name in table.columns if name not in self.columns]
            odd += [name for name in self.columns if name not in table.columns]
            if odd:
                raise TableError(
                    f"{table.file}: its columns differ from those of {tables[0].file} "
                    f"(first: {odd[0]!r}). Next step: export the shards alike."
                )

    def frames(self, names: Sequence[str], *, tally: Tally, bad: Bad) -> Iterator[Rows]:
        """See `RawTable.frames`; a shard's own errors name the shard and its own row."""
        for table in self._tables:
            rows_before, bad_before = tally.rows_in, len(bad)
            for frame, numbers in table.frames(names, tally=tally, bad=bad):
                yield Rows(frame, numbers + rows_before)
            bad[bad_before:] = [(row + rows_before, code) for row, code in bad[bad_before:]]


def _refuse_gaps(paths: Sequence[Path]) -> None:
    matches = [(path, _NUMBERED.search(path.name)) for path in paths]
    numbers = {int(match[1] or match[3]): path for path, match in matches if match}
    if not numbers:
        return
    total = max((int(match[2]) for _, match in matches if match and match[2]), default=0)
    # "-of-" counts from 0 unless the last number is the total; "part" may begin at either.
    first = int(max(numbers) == total) if total else min(min(numbers), 1)
    for number in range(first, max(max(numbers) + 1, first + total)):
        if number not in numbers:
            raise TableError(
                f"Shard number {number} is missing beside {numbers[max(numbers)].name}. "
                "Next step: copy the whole set, or name the files one by one."
            )
