"""Opening recordings of any kind: what a folder or file holds is decided by its content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal, get_args

from overread.errors import UsageError
from overread.files import input_file, is_folder
from overread.sources import challenge, mimic, ptbxl, wfdb_records
from overread.sources.muse_signal import MuseRecords
from overread.sources.recording import SignalSource
from overread.sources.sniff import kind_of
from overread.sources.tree import Tree
from overread.sources.wfdb_records import WfdbRecords

SignalFormat = Literal["wfdb", "ptbxl", "challenge", "mimic", "muse"]
_FORMATS: Final[tuple[str, ...]] = get_args(SignalFormat)
_ARCHIVES: Final = (".zip", ".tar", ".tgz", ".gz")


def open_signals(
    path: str | os.PathLike[str],
    *,
    format: SignalFormat | None = None,
    allow_uncalibrated: bool = False,
    follow_symlinks: bool = False,
) -> SignalSource:
    """The recordings of a folder with WFDB or MUSE records below it, or of one record.

    One record is its ``.hea`` file, that path without ``.hea``, or an XML file. With
    ``allow_uncalibrated`` a WFDB lead without a gain is read at 200 counts per mV; with
    ``follow_symlinks`` links may lead out of the folder. Archives are never unpacked.
    Raises ``UsageError`` for what holds no recordings or several kinds, ``TableError`` where a
    corpus' table cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "00032_hr.hea").write_text("00032_hr 1 500 1\\na.dat 16\\n")
    ...     source = open_signals(folder)
    >>> source.name, source.keys(), source.id_of("00032_hr.hea")
    ('ptbxl', ('00032_hr.hea',), '32')
    """
    if format is not None and format not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise UsageError(f"The format {format!r} is not known. Next step: one of {known}.")
    if "://" in os.fspath(path):
        raise UsageError("Addresses are not opened. Next step: download it and give the folder.")
    path = Path(path)
    if is_folder(path):
        tree = Tree(os.path.realpath(path), follow_symlinks)
        if format == "mimic" or (format is None and Path(tree.root, mimic.RECORDS).is_file()):
            listed = mimic.listed(tree)
            return WfdbRecords("mimic", tree, listed, allow_uncalibrated=allow_uncalibrated)
        headers, documents = _held(tree, path.absolute().name, format)
    else:
        path = _record(path)
        tree = Tree(os.path.realpath(path.parent), follow_symlinks)
        is_header = path.suffix.lower() == ".hea"
        if format is not None and is_header == (format == "muse"):
            raise UsageError(
                f"{path.name} is no {format} record. Next step: leave out --input-format."
            )
        headers, documents = ([path.name], []) if is_header else ([], [path.name])
    if documents:
        return MuseRecords(tree, tuple(documents))
    kind = format or _kind(tree, headers)
    notes: tuple[str, ...] = ()
    if kind == "ptbxl":
        listed, notes = ptbxl.by_name(tree, headers)
    else:
        listed = (challenge if kind == "challenge" else wfdb_records).by_name(headers)
    return WfdbRecords(kind, tree, listed, notes, allow_uncalibrated)


def _kind(tree: Tree, headers: list[str]) -> str:
    if ptbxl.shown_by(headers):
        return "ptbxl"
    return "challenge" if challenge.shown_by(tree, headers) else "wfdb"


def _held(tree: Tree, folder: str, format: str | None) -> tuple[list[str], list[str]]:
    """The names of the WFDB headers or of the XML files; only one kind may be there."""
    names = tree.files("")
    headers = [name for name in names if name.lower().endswith(".hea") and format != "muse"]
    documents = [
        name for name in names if name.lower().endswith(".xml") and format in (None, "muse")
    ]
    if headers and documents:
        raise UsageError(
            f"The folder {folder} holds both WFDB headers and XML files. "
            "Next step: give --input-format wfdb or muse, or one of its folders."
        )
    if headers or documents:
        return headers, documents
    endings = {Path(name).suffix.lower() for name in names}
    hint = ""
    if ".mat" in endings:
        hint = "MATLAB files are read only beside WFDB headers. "
    elif not endings.isdisjoint(_ARCHIVES):
        hint = "Archives are not unpacked. "
    kinds = ".xml file" if format == "muse" else ".hea file" if format else ".hea or .xml file"
    raise UsageError(
        f"The folder {folder} holds no {kinds}. {hint}Next step: give the folder of the records."
    )


def _record(path: Path) -> Path:
    """The header or XML file of one record."""
    header = path.with_name(f"{path.name}.hea")
    if not path.exists() and header.is_file():
        return header
    path = input_file(path)
    kind = kind_of(path)
    if kind == "XML" or (kind == "text" and path.suffix.lower() == ".hea"):
        return path
    if kind in ("zip", "tar", "gzip", "bzip2", "xz", "zstd"):
        raise UsageError(
            f"{path.name} is a {kind} archive, which is not unpacked here. "
            "Next step: unpack it and give the folder."
        )
    if path.with_suffix(".hea").is_file():
        raise UsageError(f"{path.name} has a header beside it. Next step: give the .hea file.")
    is_matlab = path.suffix.lower() == ".mat"
    what = "a MATLAB file without a WFDB header" if is_matlab else "no WFDB header and no MUSE XML"
    raise UsageError(
        f"{path.name} is {what}, which is not read. "
        "Next step: convert it to WFDB, or give a .hea or .xml file."
    )
