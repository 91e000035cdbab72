"""GE MUSE ``RestingECG`` documents: the guarded parser behind reports and waveforms.

Nothing of the document type is loaded, entities are refused, and only the texts asked for are
kept, so that what the document holds besides takes no memory.
"""

from __future__ import annotations

import re
from typing import Final, Protocol
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from overread.errors import BadRecord

LIMIT: Final = 64 << 20  # bytes; exports with two waveforms take under 1 MiB
ROOT: Final = "RestingECG"
PATIENT: Final = (ROOT, "PatientDemographics", "PatientID")
READ_AS_UTF8: Final = "declared as a one-byte encoding, read as UTF-8"

_DEPTH: Final = 64
_BLOCK: Final = 1 << 16
_DECLARED: Final = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_ONE_BYTE: Final = re.compile(rb"iso-?8859-?1(5)?|latin-?[19]|(windows-|cp)1252|us-ascii", re.I)

Path = tuple[str, ...]


class Collector(Protocol):
    """What a reader takes from the elements while the parser runs; ``tags`` have text it needs."""

    @property
    def tags(self) -> frozenset[str]:
        """Elements whose text is kept."""
        ...

    def opened(self, path: Path) -> None:
        """An element opens; the path begins with the root."""
        ...

    def closed(self, path: Path, text: str) -> None:
        """An element closes; the text is stripped, and "" for other tags than those needed."""
        ...


def collect(data: bytes, collector: Collector) -> tuple[str, ...]:
    """Runs the document through the collector; returns notes to count.

    Raises ``BadRecord`` with the rule broken for anything but one plain ``RestingECG`` document.
    """
    encoding = _true_encoding(data)
    target = _Target(collector)
    parser = DefusedXMLParser(target=target, encoding=encoding, forbid_dtd=False)
    try:
        for start in range(0, len(data), _BLOCK):
            parser.feed(data[start : start + _BLOCK])
        parser.close()
    except DefusedXmlException:
        raise BadRecord("defines XML entities, which are not read") from None
    except ParseError as error:
        line, column = error.position
        raise BadRecord(f"is not whole XML (line {line}, column {column + 1})") from None
    except (ValueError, LookupError):
        raise BadRecord("is in an XML encoding that is not known") from None
    return (READ_AS_UTF8,) if encoding else ()


class _Target:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._tags = collector.tags
        self._path: list[str] = []
        self._parts: list[str] = []

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        """An element opens."""
        if self._path and self._path[-1] in self._tags:
            raise BadRecord(f"has an element inside {self._path[-1]}, which is plain text")
        self._path.append(tag)
        if len(self._path) > _DEPTH:
            raise BadRecord(f"nests XML elements deeper than {_DEPTH}")
        if self._path[0] != ROOT:
            raise BadRecord(f"is not a {ROOT} document")
        self._parts = []
        self._collector.opened(tuple(self._path))

    def data(self, text: str) -> None:
        """Text inside an element."""
        if self._path[-1] in self._tags:
            self._parts.append(text)

    def end(self, _tag: str) -> None:
        """An element closes."""
        self._collector.closed(tuple(self._path), "".join(self._parts).strip())
        self._path.pop()
        self._parts = []

    def close(self) -> None:
        """The document ends."""


def _true_encoding(data: bytes) -> str | None:
    """ "utf-8" where a one-byte encoding is declared but the bytes are UTF-8, else None."""
    declared = _DECLARED.search(data[:512])
    if data.isascii() or not declared or not _ONE_BYTE.fullmatch(declared[1]):
        return None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "utf-8"
