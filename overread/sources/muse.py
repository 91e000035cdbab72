"""GE MUSE ``RestingECG`` XML: the device's statements and the over-read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from overread.errors import BadRecord
from overread.sources import muse_xml
from overread.sources.batches import NOT_OVER_READ, Columns, Duplicates
from overread.sources.muse_xml import LIMIT, PATIENT, ROOT
from overread.sources.records import Reading, RecordSource

_MACHINE: Final = (ROOT, "OriginalDiagnosis")
_EXPERT: Final = (ROOT, "Diagnosis")
_STATUS: Final = (ROOT, "TestDemographics", "Status")


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
    found = _Statements()
    notes = muse_xml.collect(data, found)
    machine, expert = (found.text(path) for path in (_MACHINE, _EXPERT))
    if not found.confirmed or (expert and "unconfirmed" in expert.lower()):
        expert = None
    if expert is None:
        notes += (NOT_OVER_READ,)
    return Reading(machine, expert, found.patient, notes)


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


class _Statements:
    """Collects the diagnoses, their status and the patient; see `muse_xml.Collector`."""

    tags = frozenset(("StmtText", "StmtFlag", "Status", "PatientID"))

    def __init__(self) -> None:
        self.patient: str | None = None
        self.confirmed = False
        self._flags: set[str] = set()
        self._statement = ""
        self._found: dict[muse_xml.Path, list[tuple[str, bool]]] = {}

    def opened(self, path: muse_xml.Path) -> None:
        """A second diagnosis, status or patient is refused."""
        if path in (_MACHINE, _EXPERT, _STATUS, PATIENT):
            if path in self._found:
                raise BadRecord(f"has the element {path[-1]} twice")
            self._found[path] = []
        if path[-1] == "DiagnosisStatement":
            self._flags, self._statement = set(), ""

    def closed(self, path: muse_xml.Path, text: str) -> None:
        """A statement ends where its line's flag says so."""
        tag = path[-1]
        if path == _STATUS:
            self.confirmed = text.upper() == "CONFIRMED"
        elif path == PATIENT:
            self.patient = text or None
        elif path[:2] in (_MACHINE, _EXPERT) and path[2:3] == ("DiagnosisStatement",):
            if tag == "StmtText":
                self._statement += text
            elif tag == "StmtFlag":
                self._flags.add(text)
            elif tag == "DiagnosisStatement":
                self._found[path[:2]].append((self._statement, "ENDSLINE" in self._flags))

    def text(self, path: muse_xml.Path) -> str | None:
        """The lines of a diagnosis; None where it is absent or empty."""
        return statement_lines(self._found.get(path, []))
