"""Files: one atomic writer, fingerprints, and checks of paths before hours of work.

Everything written is private to the user (0600, folders 0700) because it is about patients.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from overread.errors import BadRecord, Busy, OutputExists, OverreadError, TableError, UsageError

_BLOCK = 1 << 20
_TEMPORARY = ".overread-*.tmp"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Writers in Rust and C++ keep the number of the system's error only in their text.
_FULL_TEXT = re.compile(rf"(?:os error|errno) ({'|'.join(str(code) for code in _FULL)})\b", re.I)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file (or the files of one folder) held; ``name`` is the base name only."""

    name: str
    size: int
    mtime_ns: int
    sha256: str
    files: int = 1


def fingerprint(path: str | os.PathLike[str]) -> Fingerprint:
    """Size, time of change and SHA-256 of one file, read in blocks.

    Raises ``UsageError`` where ``path`` is not a readable regular file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "a.csv"
    ...     _ = file.write_bytes(b"id,machine\\n")
    ...     fingerprint(file).size
    11
    """
    path = input_file(path)
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
        changed = os.fstat(file.fileno()).st_mtime_ns
    return Fingerprint(path.name, size, changed, digest.hexdigest())


def fingerprint_files(name: str, paths: Iterator[Path]) -> Fingerprint:
    """One fingerprint of many files: the SHA-256 of their names and SHA-256s, in the order given.

    A folder of 100,000 records becomes one entry, and no record's file name is kept.
    """
    digest = hashlib.sha256()
    size = changed = files = 0
    for path in paths:
        one = fingerprint(path)
        digest.update(f"{len(one.name)}:{one.name}{one.sha256}".encode("utf-8", "surrogateescape"))
        size += one.size
        changed = max(changed, one.mtime_ns)
        files += 1
    return Fingerprint(name, size, changed, digest.hexdigest(), files)


@contextmanager
def unchanged(path: str | os.PathLike[str]) -> Iterator[Fingerprint]:
    """The file's fingerprint; raises ``TableError`` at the end if it is no longer true.

    The whole content is compared, because a file replaced by a copy may keep its size and time.
    """
    before = fingerprint(path)
    yield before
    try:
        same = fingerprint(path) == before
    except UsageError:  # it is gone
        same = False
    if not same:
        raise TableError(
            f"{before.name} changed while it was read. "
            "Next step: run again when nothing writes to it."
        )


def input_file(path: str | os.PathLike[str]) -> Path:
    """The path, once it is known to be a regular, readable file.

    Raises ``UsageError`` for a missing file, a folder, a pipe or a device (reading one may hang).
    """
    path = _plain(path)
    with _path_errors(path):
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise UsageError(f"{path.name} is a folder. Next step: give a file.")
    if not stat.S_ISREG(mode):
        raise UsageError(f"{path.name} is not a regular file. Next step: copy its content to one.")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path.name} may not be read by this user. Next step: chmod u+r.")
    return path


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether the path is a folder; raises ``UsageError`` for an impossible name."""
    path = _plain(path)
    with _path_errors(path):
        return path.is_dir()


def read_whole(path: Path, *, limit: int) -> bytes:
    """All bytes of one record's file.

    Raises ``BadRecord`` for a pipe, device or link, over ``limit`` bytes, or a file that changes
    while it is read. The message names no file: record names may hold patient numbers.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        raise BadRecord(f"cannot be opened ({_reason(error)})") from None
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise BadRecord("is not a regular file")
        if before.st_size > limit:
            raise BadRecord(f"is larger than {limit} bytes")
        data = file.read(limit + 1)
        after = os.fstat(descriptor)
    if (after.st_size, after.st_mtime_ns) != (len(data), before.st_mtime_ns):
        raise BadRecord("changed while it was read")
    return data


def listing(folder: str | os.PathLike[str], suffix: str) -> Iterator[Path]:
    """Regular files under a folder whose name ends with ``suffix`` (any case), sorted by folder.

    One folder's names are held at a time and no handle stays open; links are not followed.
    """
    folder = _plain(folder)
    with _path_errors(folder), os.scandir(folder) as entries:
        found = sorted(
            (entry.name, entry.is_dir(follow_symlinks=False))
            for entry in entries
            if not entry.is_symlink()
        )
    for name, is_folder in found:
        if is_folder:
            yield from listing(folder / name, suffix)
        elif name.lower().endswith(suffix) and (folder / name).is_file():
            yield folder / name


def output_folder(path: str | os.PathLike[str]) -> Path:
    """The folder, made where missing (0700), once a file could be written in it.

    Raises ``UsageError`` where it is a file, may not be written to, or has an impossible name.
    """
    folder = _plain(path)
    with _path_errors(folder):
        for parent in (*reversed(folder.parents), folder):
            with suppress(FileExistsError):
                parent.mkdir(mode=0o700)
        probe = folder / _temporary_name()
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        probe.unlink()
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a folder for one run; raises ``Busy`` where another run holds it, and tells which.

    The kernel lets go of it when the process ends, however it ends.
    """
    note = folder / _TEMPORARY.replace("*", "run")  # goes like the others when a run was killed
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = ""
            with suppress(BadRecord, UnicodeDecodeError):
                holder = read_whole(note, limit=_BLOCK).decode()
            raise Busy(
                f"{folder.name}: another run is writing into this folder{holder}. "
                "Next step: wait for it, or choose another folder with --out."
            ) from None
        for stray in folder.glob(_TEMPORARY):  # of a run that was killed
            stray.unlink(missing_ok=True)
        run = f"run {os.getpid()} on host {os.uname().nodename}"
        try:
            with suppress(OSError):  # a full disk is told of where the outputs meet it
                note.touch(mode=0o600)
                note.write_text(f": {run} holds it since {datetime.now(UTC):%F %T} UTC")
            yield
        finally:
            with suppress(OSError):
                note.unlink()
    finally:
        os.close(descriptor)


def output_file(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """The path, once a file could be written there; its folder is made where missing.

    Raises ``UsageError`` for an impossible path, and what `refuse_existing` raises.
    """
    target = _plain(path)
    with _path_errors(target), suppress(FileNotFoundError):
        os.lstat(target)  # a name that is too long shows here
    refuse_existing(target, overwrite=overwrite)
    output_folder(target.parent)
    return target


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Raise ``OutputExists`` where something stands at ``target`` that may not be replaced."""
    if target.is_dir():
        raise UsageError(f"{target.name or target} is a folder. Next step: choose another output.")
    if os.path.lexists(target) and not overwrite:
        raise OutputExists(
            f"{target.name} exists already. Next step: choose another name or give --overwrite."
        )


@contextmanager
def atomic_path(target: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary path beside ``target``; it takes the target's name when the block succeeds.

    For writers that want a path. On any failure the temporary file goes and the old file stays.
    Raises what `output_file` raises, and ``OverreadError`` on a full disk.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("done")
    ...     (Path(folder) / "a.txt").read_text()
    'done'
    """
    target = output_file(target, overwrite=overwrite)
    temporary = target.parent / _temporary_name()
    try:
        with _path_errors(target):
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield temporary
        _finish(temporary, target, overwrite=overwrite)
    except Exception as error:
        if is_disk_full(error):
            raise _disk_full(target, temporary) from None
        raise
    finally:
        # After the rename there is nothing left under this name.
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def atomic_open(target: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[IO[bytes]]:
    """A binary file that takes the name ``target`` when the block succeeds; see `atomic_path`."""
    with atomic_path(target, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        yield file


def atomic_write(target: str | os.PathLike[str], data: bytes, *, overwrite: bool = False) -> None:
    """Write ``data`` whole or not at all; see `atomic_path`."""
    with atomic_open(target, overwrite=overwrite) as file:
        file.write(data)


def replace_unchanged(changes: Mapping[Path, tuple[bytes, bytes]]) -> bool:
    """Gives files a new content where each still holds the old one: path -> (old, new).

    Returns False, and changes nothing, where another program wrote to one in between. For files
    that people edit too: their group and permissions stay. Raises ``UsageError`` where a file may
    not be written, ``OverreadError`` on a full disk.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "a.yaml"
    ...     _ = file.write_bytes(b"one")
    ...     replace_unchanged({file: (b"one", b"two")}), replace_unchanged({file: (b"one", b"3")})
    (True, False)
    """
    ready: list[tuple[Path, Path, bytes]] = []
    try:
        for path, (old, new) in changes.items():
            target = path.resolve()
            ready.append((target.parent / _temporary_name(), target, old))
            _prepare(*ready[-1][:2], new)
        if any(target.read_bytes() != old for _, target, old in ready):
            return False
        for temporary, target, _ in ready:
            temporary.replace(target)
        for folder in {target.parent for _, target, _ in ready}:
            _sync_folder(folder)
    finally:
        for temporary, _, _ in ready:
            temporary.unlink(missing_ok=True)
    return True


def _prepare(temporary: Path, target: Path, data: bytes) -> None:
    """A finished file beside ``target``, with its permissions."""
    try:
        with _path_errors(target):
            stands = target.stat()
            if not os.access(target, os.W_OK):
                raise PermissionError(errno.EACCES, "may not be written by this user")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                with suppress(PermissionError):  # a group that this user does not belong to
                    os.fchown(file.fileno(), -1, stands.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(stands.st_mode))
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        if is_disk_full(error):
            raise _disk_full(target, temporary) from None
        raise


def _finish(temporary: Path, target: Path, *, overwrite: bool) -> None:
    temporary.chmod(0o600)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    refuse_existing(target, overwrite=overwrite)  # another run may have been faster
    temporary.replace(target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_disk_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return not isinstance(error, OverreadError) and bool(_FULL_TEXT.search(str(error)))


def _disk_full(target: Path, temporary: Path) -> OverreadError:
    written = temporary.stat().st_size if temporary.exists() else 0
    free = shutil.disk_usage(target.parent).free
    return OverreadError(
        f"{target.name}: the disk is full or a size limit is reached "
        f"({written} bytes were written, {free} are free). "
        "Nothing was changed. Next step: free space or choose another folder with --out."
    )


def _temporary_name() -> str:
    # Short and independent of the target's name, which may already be as long as is allowed.
    return _TEMPORARY.replace("*", secrets.token_hex(6))


def _plain(path: str | os.PathLike[str]) -> Path:
    text = os.fspath(path)
    if not text or any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise UsageError(
            "A path is empty or holds a line end or another control character. "
            "Next step: choose a plain name."
        )
    return Path(text)


@contextmanager
def _path_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise
        name = path.name if len(path.name) <= 80 else f"{path.name[:77]}..."
        raise UsageError(
            f"{name or path}: {_reason(error)}. Next step: check the path and its permissions."
        ) from None


def _reason(error: OSError) -> str:
    return (error.strerror or "it cannot be used").lower()
