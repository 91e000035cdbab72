"""One table in several files of one kind, read in the order of their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from overread.errors import TableError, UsageError
from overread.files import input_file, listing
from overread.sources.batches import Tally
from overread.sources.raw import Bad, RawTable, Rows

# Numbered as Spark, Hugging Face and Dask write them; years in names are no numbering.
_NUMBERED: Final = re.compile(r"(?:part[-_.]?)?(\d+)-of-(\d+)|part[-_.]?(\d+)", re.IGNORECASE)


_OUTPUTS: Final = "overread-out"  # tables that were written here are no input
_PACKED: Final = (".gz", ".bz2", ".xz", ".zst", ".zip")


def matching_paths(folder: Path, pattern: str) -> list[Path]:
    """The files of a folder that match, sorted; only the folder itself is searched.

    Raises ``UsageError`` where there is none and for what matches and is no file of this folder,
    ``TableError`` where a numbered one is missing.
    """
    return _files(
        [path for path in _entries(folder) if fnmatchcase(path.name, pattern)],
        f"No file matches {pattern!r}. Next step: check the folder and the name.",
    )


def shard_paths(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files of a folder with one of the suffixes, in any case, sorted.

    What looks like a further shard and would not be read is refused: packed files, links and
    pipes, tables in folders below. Errors as of `matching_paths`.
    """
    packed = tuple(suffix + ending for suffix in suffixes for ending in _PACKED)
    entries = _entries(folder)
    for path in entries:
        if path.name.lower().endswith(packed):
            raise UsageError(
                f"{path.name} is packed, and would be left out. Next step: unpack it, or move it "
                "out of the folder."
            )
    for path in listing(folder, ""):
        below = path.relative_to(folder).parts
        if len(below) == 1 or any(part[0] == "." or part == _OUTPUTS for part in below):
            continue
        if path.name.lower().endswith((*suffixes, *packed)):
            raise UsageError(
                f"{'/'.join(below)} is in a folder below, and would be left out. Next step: move "
                "all tables into one folder."
            )
    return _files(
        [path for path in entries if path.name.lower().endswith(suffixes)],
        f"The folder {folder.resolve().name} has no {' or '.join(suffixes)} file. "
        "Next step: check the folder.",
    )


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
            rows_before = tally.rows_in
            own: Bad = []  # `bad` may get rows from others meanwhile, numbered through
            for frame, numbers in table.frames(names, tally=tally, bad=own):
                yield Rows(frame, numbers + rows_before)
            bad.extend((row + rows_before, code) for row, code in own)


def _entries(folder: Path) -> list[Path]:
    """All names of a folder, sorted."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(
            f"The folder {folder.resolve().name} cannot be listed ({error.strerror}). "
            "Next step: check the path and its permissions."
        ) from None


def _files(paths: Sequence[Path], none: str) -> list[Path]:
    """Those paths, all of them regular files of their folder."""
    found = [input_file(path) for path in paths if not path.is_symlink()]
    for path in paths:
        # A link to a file that is read anyway loses nothing.
        if path.is_symlink() and path.resolve() not in {one.resolve() for one in found}:
            raise UsageError(
                f"{path.name} is a link, and would be left out. Next step: put the file itself "
                "there, or remove the link."
            )
    if not found:
        raise UsageError(none)
    _refuse_gaps(found)
    return found


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
