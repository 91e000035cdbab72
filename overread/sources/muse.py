"""GE MUSE ``RestingECG`` XML: the device's statements and the over-read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from overread.errors import BadRecord
from overread.sources.batches import Columns, Duplicates
from overread.sources.records import Reading, RecordSource

LIMIT: Final = 64 << 20  # bytes; exports with two waveforms take under 1 MiB
_DEPTH: Final = 64
_BLOCK: Final = 1 << 16
_DECLARED: Final = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_ONE_BYTE: Final = re.compile(rb"iso-?8859-?1(5)?|latin-?[19]|(windows-|cp)1252|us-ascii", re.I)

_ROOT: Final = "RestingECG"
_MACHINE: Final = (_ROOT, "OriginalDiagnosis")
_EXPERT: Final = (_ROOT, "Diagnosis")
_STATUS: Final = (_ROOT, "TestDemographics", "Status")
_PATIENT: Final = (_ROOT, "PatientDemographics", "PatientID")

NOT_OVER_READ: Final = "not over-read"
READ_AS_UTF8: Final = "declared as a one-byte encoding, read as UTF-8"


class MuseSource(RecordSource):
    """A MUSE XML file, or a folder of them; the id is the file's name without ``.xml``."""

    def __init__(self, path: Path, *, quarantining: bool, duplicates: Duplicates) -> None:
        super().__init__(
            path,
            name="GE MUSE XML",
            suffix=".xml",
            read=read_muse,
            columns=Columns("file name", "PatientID", "OriginalDiagnosis", "Diagnosis"),
            limit=LIMIT,
            quarantining=quarantining,
            duplicates=duplicates,
        )


def read_muse(data: bytes) -> Reading:
    """The two readings of one MUSE export.

    The over-read counts only where the status is CONFIRMED and no line says "unconfirmed"; it is
    None otherwise. Raises ``BadRecord`` with the rule broken for anything but one plain
    ``RestingECG`` document.

    >>> read_muse(
    ...     b"<RestingECG><OriginalDiagnosis><DiagnosisStatement><StmtText>AF</StmtText>"
    ...     b"</DiagnosisStatement></OriginalDiagnosis></RestingECG>"
    ... ).machine
    'AF'
    """
    encoding = _true_encoding(data)
    target = _Target()
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
    notes = [READ_AS_UTF8] if encoding else []
    machine, expert = (target.text(path) for path in (_MACHINE, _EXPERT))
    if not target.confirmed or (expert and "unconfirmed" in expert.lower()):
        expert = None
    if expert is None:
        notes.append(NOT_OVER_READ)
    return Reading(machine, expert, target.patient, tuple(notes))


def statement_lines(statements: list[tuple[str, bool]]) -> str | None:
    """Statements (text, ends its line) as lines of text; None where there is no text.

    A statement that begins with a comma goes on without a blank: MUSE splits
    "Lateral infarct" and ", age undetermined".

    >>> statement_lines([("Lateral infarct", False), (", age undetermined", True), ("AF", True)])
    'Lateral infarct, age undetermined\\nAF'
    """
    lines: list[str] = []
    line = ""
    for text, ends in statements:
        glue = "" if not line or not text or text.startswith(",") else " "
        line += glue + text
        if ends and line:
            lines.append(line)
            line = ""
    if line:
        lines.append(line)
    return "\n".join(lines) or None


class _Target:
    """Collects what is needed while the parser runs, so that waveforms take no memory."""

    def __init__(self) -> None:
        self.patient: str | None = None
        self.confirmed = False
        self._path: list[str] = []
        self._parts: list[str] = []
        self._flags: set[str] = set()
        self._statement = ""
        self._found: dict[tuple[str, ...], list[tuple[str, bool]]] = {}
        self._once: set[tuple[str, ...]] = set()

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        """An element opens."""
        self._path.append(tag)
        if len(self._path) > _DEPTH:
            raise BadRecord(f"nests XML elements deeper than {_DEPTH}")
        if self._path[0] != _ROOT:
            raise BadRecord(f"is not a {_ROOT} document")
        path = tuple(self._path)
        if path in (_MACHINE, _EXPERT, _STATUS, _PATIENT):
            if path in self._once:
                raise BadRecord(f"has the element {tag} twice")
            self._once.add(path)
            self._found[path] = []
        if tag == "DiagnosisStatement":
            self._flags, self._statement = set(), ""
        self._parts = []

    def data(self, text: str) -> None:
        """Text inside an element; waveforms are not kept."""
        if self._path[-1] in ("StmtText", "StmtFlag", "Status", "PatientID"):
            self._parts.append(text)

    def end(self, tag: str) -> None:
        """An element closes."""
        path = tuple(self._path)
        self._path.pop()
        text = "".join(self._parts).strip()
        if path == _STATUS:
            self.confirmed = text.upper() == "CONFIRMED"
        elif path == _PATIENT:
            self.patient = text or None
        elif path[:2] in (_MACHINE, _EXPERT) and path[2:3] == ("DiagnosisStatement",):
            if tag == "StmtText":
                self._statement += text
            elif tag == "StmtFlag":
                self._flags.add(text)
            elif tag == "DiagnosisStatement":
                self._found[path[:2]].append((self._statement, "ENDSLINE" in self._flags))
        self._parts = []

    def close(self) -> None:
        """The document ends."""

    def text(self, path: tuple[str, ...]) -> str | None:
        """The lines of a diagnosis; None where it is absent or empty."""
        return statement_lines(self._found.get(path, []))


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
