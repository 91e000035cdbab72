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
_OTHER_STEP: Final = "unpack it and give the file inside"
_STEPS: Final = {
    "Parquet": "rename it to .parquet",
    "Excel": "save the sheet as CSV UTF-8 in Excel",
    "old Excel (xls)": "save the sheet as CSV UTF-8 in Excel",
    "HTML": "export the table as CSV",
    "XML": "export the table as CSV",
    "PDF": "export the table as CSV",
    "Arrow": "save the table as Parquet or CSV",
    "text": "check that it is the right file",
}
_OPTIONS: Final = {
    "Parquet": "give --input-format parquet",
    "XML": "give --input-format muse if it is a GE MUSE export",
    "text": "give --input-format csv if it is a table",
}
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the next one does
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF32_BE, "utf-32"),
)


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
        raise TableError(
            f"{path.name}: this is {article} {kind} file. "
            f"Next step: {_STEPS.get(kind, _OTHER_STEP)}.",
            option=_OPTIONS.get(kind, ""),
        )


def other_encoding(encoding: str) -> str:
    """The option to give where a file is not in the encoding it was read in."""
    usual = " (cp1252 is usual for Western Europe)" if encoding == "utf-8" else ""
    return f"name its encoding with --encoding{usual}"


class Utf8Text:
    """A text file read as UTF-8 bytes, whatever its encoding, without byte-order mark.

    ``escape="backslash"`` turns ``\\"`` into ``""``, which is what the guard and the parser know.
    Raises ``TableError`` where the file shows by its first bytes that it is in another encoding;
    ``UsageError`` for an unknown one.
    """

    def __init__(self, path: Path, *, encoding: str, escape: str | None = None) -> None:
        self._file: IO[bytes] = path.open("rb")
        try:
            head = self._file.read(HEAD)
            self._decoder = _decoder(encoding, head, file=path.name)
            self._backslash = _escapes(escape)
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


def _decoder(encoding: str, head: bytes, *, file: str) -> codecs.IncrementalDecoder | None:
    """What decodes the file; None where it is read as UTF-8."""
    try:
        info = codecs.lookup(encoding)
        if not info._is_text_encoding or info.name.startswith("utf-32"):
            raise LookupError
    except LookupError:
        raise UsageError(
            f"The encoding {encoding!r} is not known. Next step: utf-8, cp1252, latin-1 or utf-16."
        ) from None
    wanted = "utf-8" if info.name in ("utf-8-sig", "ascii") else info.name
    shown = _shown_encoding(head, zeros=0.0 if wanted == "utf-16" else 0.4)
    if shown == "utf-32":
        raise TableError(
            f"{file} looks like UTF-32, which is not read. Next step: re-save it as UTF-8."
        )
    if shown == "utf-8" != wanted:
        raise TableError(
            f"{file} is UTF-8, as its byte-order mark says. Next step: leave --encoding out."
        )
    if shown in ("utf-16-le", "utf-16-be") and not wanted.startswith("utf-16"):
        raise TableError(
            f"{file} looks like UTF-16. Next step: re-save it as UTF-8.",
            option="give --encoding utf-16",
        )
    if wanted == "utf-16" and shown is None:
        raise TableError(f"{file} is not UTF-16. Next step: leave --encoding out.")
    if wanted == "utf-8":
        return None
    codecs.register_error("overread.mark", _mark)
    if wanted == "utf-16" and shown is not None:  # says which byte comes first, mark or not
        info = codecs.lookup(shown)
    return info.incrementaldecoder("overread.mark")


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return _BAD, error.end


def _escapes(escape: str | None) -> bool:
    if escape not in (None, "backslash"):
        raise UsageError(f"--escape {escape!r} is not known. Next step: --escape backslash.")
    return escape is not None


def _shown_encoding(head: bytes, *, zeros: float) -> str | None:
    """The encoding that a byte-order mark names, or that more than a share of zero bytes shows."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    # In UTF-16 nearly every other byte of a Western text is zero, in UTF-32 three of four.
    start = head[:2000]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if even + odd > 0.6 * len(start):
        return "utf-32"
    if len(start) >= 4 and max(even, odd) > zeros * len(start) / 2:
        return "utf-16-be" if even > odd else "utf-16-le"
    return None


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
