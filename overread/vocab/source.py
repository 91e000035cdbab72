"""The bytes of vocabulary files: which files a folder has, and whether each is plain text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from overread.errors import Place, UsageError, VocabularyError
from overread.vocab.locate import Problem

CONTEXT_FILE = "context.yaml"
MAX_BYTES = 1024 * 1024

#: Reading order, hence column order; other files follow by name.
_FIRST = ("rhythm.yaml", "conduction.yaml", "axis.yaml", "hypertrophy.yaml", "infarction.yaml")

# Control characters, and line breaks that no editor counts as one (NEL, LS, PS).
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Source:
    """One file: the name that places use, with its overlay's, and its text with plain line ends."""

    name: str
    text: str

    @property
    def prefix(self) -> str:
        """The name of the overlay with a slash; nothing for a file of the vocabulary itself."""
        return self.name.removesuffix(self.base)

    @property
    def base(self) -> str:
        """The file name without the folder of an overlay."""
        return self.name.rpartition("/")[2]


def folders(folder: Path, overlays: Sequence[Path] = ()) -> dict[str, Path]:
    """What the names of a vocabulary's files begin with, and the folder these files lie in.

    >>> list(folders(Path("vocab"), [Path("clinic/ours"), Path("ward/ours")]))
    ['', 'ours/', 'ours+/']
    """
    out = {"": folder}
    for overlay in overlays:
        prefix = overlay.resolve().name + "/"
        while prefix in out:
            prefix = prefix.replace("/", "+/")
        out[prefix] = overlay
    return out


def read_folder(folder: Path, overlays: Sequence[Path] = ()) -> tuple[list[Source], list[Problem]]:
    """The vocabulary files of a folder and its overlays in reading order, and what keeps any from
    being read.

    Raises UsageError where there is no such folder or no YAML file in it.
    """
    sources: list[Source] = []
    problems: list[Problem] = []
    for name, path in _files(folder, overlays).items():
        data, found = _read(path, name)
        text, more = _decoded(data, name) if not found else ("", [])
        problems += found + more
        if not found + more:
            sources.append(Source(name, text))
    return sources, problems


def read_bytes(folder: Path, overlays: Sequence[Path] = ()) -> dict[str, bytes]:
    """The vocabulary files of a folder and its overlays as they are, by name in reading order.

    Raises what `read_folder` raises, and VocabularyError where a file cannot be read.
    """
    files: dict[str, bytes] = {}
    problems: list[Problem] = []
    for name, path in _files(folder, overlays).items():
        files[name], found = _read(path, name)
        problems += found
    if problems:
        raise VocabularyError(problems)
    return files


def decode(files: Mapping[str, bytes]) -> tuple[list[Source], list[Problem]]:
    """The same as `read_folder` gives for folders of these files."""
    sources: list[Source] = []
    problems: list[Problem] = []
    for name, data in files.items():
        text, found = _decoded(data, name)
        problems += found
        if not found:
            sources.append(Source(name, text))
    return sources, problems


def _files(folder: Path, overlays: Sequence[Path]) -> dict[str, Path]:
    return {
        prefix + name: path / name
        for prefix, path in folders(folder, overlays).items()
        for name in _names(path, overlay=bool(prefix))
    }


def _names(folder: Path, *, overlay: bool) -> list[str]:
    """The YAML files of a folder in reading order."""
    what = "overlay" if overlay else "vocabulary folder"
    make = "overread vocab init DIR copies the shipped vocabulary."
    if overlay:
        make = "make the folder; overread vocab accept --overlay DIR writes its first file."
    if not folder.is_dir():
        said = f"does not exist. Next step: {make}"
        if folder.exists():
            said = "is a file. Next step: give the folder it is in."
        raise UsageError(f"the {what} {folder} {said}")
    try:
        everything = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise UsageError(
            f"the {what} {folder} cannot be read: {error.strerror}. "
            "Next step: check its permissions."
        ) from None
    found = [n for n in everything if n.endswith((".yaml", ".yml")) and not n.startswith(".")]
    if not found:
        raise UsageError(f"the {what} {folder} holds no .yaml file. Next step: {make}")
    return sorted(found, key=_reading_order)


def digest(sources: Iterable[Source]) -> str:
    """The sha256 of names and texts; neither order nor line ends nor the names of overlays change
    it.

    >>> a, b = Source("a.yaml", "x"), Source("b.yaml", "y")
    >>> digest([a, b]) == digest([b, a])
    True
    """
    total = hashlib.sha256()
    numbers: dict[str, str] = {"": ""}
    named = []
    for source in sources:
        number = numbers.setdefault(source.prefix, f"{len(numbers)}/")
        named.append((number + source.base, source.text))
    for pair in sorted(named):
        for part in (each.encode() for each in pair):
            total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()


def _reading_order(name: str) -> tuple[int, str]:
    if name in _FIRST:
        return _FIRST.index(name), name
    return len(_FIRST) + (name == CONTEXT_FILE), name


def _read(path: Path, name: str) -> tuple[bytes, list[Problem]]:
    """The bytes of a file and what speaks against reading it."""
    if path.suffix == ".yml":
        return b"", [(Place(name, 1), "rename the file: its name must end in .yaml")]
    if not path.is_file():
        # A named pipe would wait for ever.
        return b"", [(Place(name, 1), "not a regular file")]
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return b"", [(Place(name, 1), f"cannot be read: {error.strerror}")]
    return data, []


def _decoded(data: bytes, name: str) -> tuple[str, list[Problem]]:
    """The text of a file and what speaks against using it."""
    if len(data) > MAX_BYTES:
        return "", [(Place(name, 1), "larger than 1 MiB; a vocabulary file has a few kilobytes")]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "", [(Place(name, 1), "the file is UTF-16; save it as UTF-8")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return "", [_not_utf8(error, name)]
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, _unreadable_characters(text, name)


def _not_utf8(error: UnicodeDecodeError, name: str) -> Problem:
    before = error.object[: error.start].decode("utf-8-sig", "replace")
    byte = error.object[error.start : error.start + 1]
    likely = byte.decode("cp1252", "ignore")
    meant = f" ('{likely}' in Windows-1252)" if likely.isprintable() and likely else ""
    return (
        _place(before, len(before), name),
        f"the byte {byte.hex().upper()}{meant} is not UTF-8; save the file as UTF-8",
    )


def _unreadable_characters(text: str, name: str) -> list[Problem]:
    problems: list[Problem] = []
    for found in _UNPRINTABLE.finditer(text):
        said = f"an invisible character (U+{ord(found[0]):04X}); delete it"
        problems.append((_place(text, found.start(), name), said))
        if len(problems) == 20:
            break
    tab = text.find("\t")
    if tab >= 0:
        more = sum("\t" in line for line in text.split("\n")) - 1
        lines = f" (and in {more} more lines)" if more else ""
        problems.append((_place(text, tab, name), f"a tab{lines}; use spaces"))
    return problems


def _place(text: str, position: int, name: str) -> Place:
    line_start = text.rfind("\n", 0, position) + 1
    return Place(name, text.count("\n", 0, position) + 1, position - line_start + 1)
