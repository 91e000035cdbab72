"""A folder of records: what lies in it, and reading its files without ever leaving it."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from overread.errors import BadRecord, UsageError


@dataclass(frozen=True, slots=True)
class Tree:
    """Files under ``root``, a real path. With ``follow_symlinks`` links may lead out of it,
    names with ``..`` still may not.

    Names are relative to the root, with ``/``. They come from headers and tables that somebody
    else wrote, so a file is opened only once its real path is known to lie under the root.
    """

    root: str
    follow_symlinks: bool = False

    def files(self, suffix: str) -> list[str]:
        """Names that end with ``suffix`` (any case), sorted; a link to a folder is not entered.

        A link to a file is listed: whether it may be read shows when it is read.
        """
        return sorted(self._walked("", suffix, ()))

    def read(self, name: str, *, most: int, whole: bool = False) -> tuple[bytes, int]:
        """The file's first ``most`` bytes, and its size; with ``whole`` no larger file is read.

        Raises ``BadRecord`` for a file outside the root, a pipe or a device (opening one may hang)
        and a missing file. The message names no file: record names may hold patient numbers.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.dat").write_bytes(b"12345")
        ...     Tree(posixpath.realpath(folder)).read("a.dat", most=2)
        (b'12', 5)
        """
        try:
            folder, base = posixpath.split(posixpath.join(self.root, name))
            path = posixpath.join(_real_folder(folder), base)
            if posixpath.islink(path):
                path = posixpath.realpath(path)
            leads_up = name.startswith("/") or ".." in name.split("/")
            linked = self.follow_symlinks and not leads_up
            if not (linked or path.startswith(self.root.rstrip("/") + "/")):
                raise BadRecord("names a file outside its folder, which is not opened")
            found = os.stat(path)  # noqa: PTH116
            if not stat.S_ISREG(found.st_mode):
                raise BadRecord("names something that is not a regular file")
            if whole and found.st_size > most:
                raise BadRecord(f"names a file larger than {most} bytes")
            # A pipe put there since the check cannot make this wait.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise BadRecord("names a file that is not there") from None
        except OSError as error:
            raise BadRecord(f"names a file that cannot be opened ({error.strerror})") from None
        with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123
            return file.read(min(most, found.st_size)), found.st_size

    def _walked(self, folder: str, suffix: str, above: tuple[str, ...]) -> Iterator[str]:
        path = Path(self.root, folder)
        real = posixpath.realpath(path)
        if real in above:  # a link that leads back up
            return
        try:
            with os.scandir(path) as entries:
                found = [
                    (one.name, one.is_dir(follow_symlinks=self.follow_symlinks), one.is_dir())
                    for one in entries
                ]
        except OSError as error:
            raise UsageError(
                f"A folder under {Path(self.root).name} cannot be listed ({error.strerror}). "
                "Next step: chmod u+rx."
            ) from None
        for name, entered, is_folder in found:
            if entered:
                yield from self._walked(f"{folder}{name}/", suffix, (*above, real))
            elif not is_folder and name.lower().endswith(suffix):
                yield f"{folder}{name}"


@lru_cache(maxsize=4096)
def _real_folder(path: str) -> str:
    """Resolved once for the thousands of files of a folder; it takes longer than reading one."""
    return posixpath.realpath(path)
