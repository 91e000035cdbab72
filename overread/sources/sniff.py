"""What a file is by its first bytes, and a stream of its text as UTF-8."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from overread.errors import TableError, UsageError

HEAD: Final = 1 << 16
_BAD: Final = "\udfff"  # stands for undecodable bytes; the guard then finds its row

_MAGIC: Final = (
    (b"PAR1", "Parquet"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xd0\xcf\x11\xe0", "old Excel (xls)"),
    (b"%PDF", "PDF"),
    (b"ARROW1", "Arrow"),
)
_STEPS: Final = {
    "Parquet": "rename it to .parquet or give --input-format parquet",
    "Excel": "save the sheet as CSV UTF-8 in Excel",
    "old Excel (xls)": "save the sheet as CSV UTF-8 in Excel",
    "HTML": "export the table as CSV",
    "XML": "give --input-format muse if it is a GE MUSE export, else export a CSV",
    "PDF": "export the table as CSV",
    "Arrow": "save the table as Parquet or CSV",
}


def kind_of(path: Path) -> str:
    """The kind of file by its content: "Parquet", "gzip", "Excel", "XML" ... or "text".

    Nothing is unpacked. Raises ``TableError`` for an empty file.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise TableError(f"{path.name} is empty. Next step: export it again.")
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            excel = kind == "zip" and (b"[Content_Types].xml" in head or b"xl/" in head)
            return "Excel" if excel else kind
    if head[257:262] == b"ustar":
        return "tar"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].replace(b"\0", b"").lower()
    if re.match(rb"<!doctype html|<html|<table|<head|<body", start):
        return "HTML"
    if re.match(rb"(\xff\xfe|\xfe\xff)?<(\?xml|!doctype|[a-z])", start):
        return "XML"
    return "text"


def refuse_other_than(path: Path, kind: str, *wanted: str) -> None:
    """Raise ``TableError`` with the way out where the content is none of the kinds wanted."""
    if kind not in wanted:
        article = "an" if kind[0] in "AEHXox" else "a"
        step = _STEPS.get(kind, "unpack it and give the file inside")
        raise TableError(f"{path.name}: this is {article} {kind} file. Next step: {step}.")


class Utf8Text:
    """A text file read as UTF-8 bytes, whatever its encoding, without byte-order mark.

    ``escape="backslash"`` turns ``\\"`` into ``""``, which is what the guard and the parser know.
    Raises ``TableError`` where a file to be read as UTF-8 is UTF-16; ``UsageError`` for an unknown
    encoding.
    """

    def __init__(self, path: Path, *, encoding: str, escape: str | None = None) -> None:
        self._file: IO[bytes] = path.open("rb")
        try:
            self._decoder = _decoder(encoding)
            self._backslash = _escapes(escape)
            head = self._file.read(HEAD)
            self._file.seek(0)
            if self._decoder is None:
                if _looks_utf16(head):
                    raise TableError(
                        f"{path.name} looks like UTF-16. "
                        "Next step: re-save it as UTF-8 or give --encoding utf-16."
                    )
                self._file.seek(len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0)
        except BaseException:
            self._file.close()
            raise
        self._held = b""
        self._begun = False

    def read(self, size: int = -1, /) -> bytes:
        """About ``size`` bytes of source text as UTF-8; b"" only at the end of the file."""
        while True:
            raw = self._file.read(size)
            text = raw if self._decoder is None else self._transcoded(raw)
            if self._backslash:
                text = self._unescaped(text, final=not raw)
            if text or not raw:
                return text

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _transcoded(self, raw: bytes) -> bytes:
        assert self._decoder is not None
        text = self._decoder.decode(raw, final=not raw)
        if not self._begun and text:
            text = text.removeprefix("\ufeff")
            self._begun = True
        return text.encode("utf-8", "surrogatepass")

    def _unescaped(self, text: bytes, *, final: bool) -> bytes:
        text = self._held + text
        trailing = len(text) - len(text.rstrip(b"\\"))
        # An odd number of backslashes at the end may escape what the next block begins with.
        cut = len(text) - (0 if final else trailing % 2)
        self._held = text[cut:]
        return re.sub(rb'\\(["\\])', lambda m: b'""' if m[1] == b'"' else b"\\", text[:cut])


def _decoder(encoding: str) -> codecs.IncrementalDecoder | None:
    try:
        info = codecs.lookup(encoding)
        if not info._is_text_encoding:
            raise LookupError
    except LookupError:
        raise UsageError(
            f"The encoding {encoding!r} is not known. Next step: utf-8, cp1252, latin-1 or utf-16."
        ) from None
    if info.name in ("utf-8", "utf-8-sig", "ascii"):
        return None
    codecs.register_error("overread.mark", _mark)
    return info.incrementaldecoder("overread.mark")


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return _BAD, error.end


def _escapes(escape: str | None) -> bool:
    if escape not in (None, "backslash"):
        raise UsageError(f"--escape {escape!r} is not known. Next step: --escape backslash.")
    return escape is not None


def _looks_utf16(head: bytes) -> bool:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    # Without a mark: in UTF-16 nearly every other byte of a Western text is zero.
    start = head[:2000]
    return len(start) >= 4 and max(start[::2].count(0), start[1::2].count(0)) > 0.4 * len(start) / 2


def starts_as_json(path: Path) -> bool:
    """Whether the first character that is not blank opens a JSON object."""
    with path.open("rb") as file:
        return file.read(HEAD).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def looks_like_data(names: Sequence[str]) -> bool:
    """Whether a first line is rather a row than a header; then its cells stay out of messages.

    >>> looks_like_data(["1", "JOHN SMITH", "AF"]), looks_like_data(["id", "12_lead"])
    (True, False)
    """
    return any(len(name) > 60 or re.fullmatch(r"[\d.,:/ -]+", name) for name in names)
