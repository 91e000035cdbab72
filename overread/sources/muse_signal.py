"""The rhythm waveform of a GE MUSE export as 12 leads in millivolts.

MUSE stores I, II and V1 to V6 and leaves the other four limb leads to arithmetic (Einthoven,
Goldberger): III = II - I, aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from overread.errors import BadRecord
from overread.sources import muse_xml
from overread.sources.muse_xml import LIMIT, PATIENT, ROOT
from overread.sources.recording import Recording
from overread.sources.tree import Tree
from overread.sources.wfdb_header import MOST_HZ, MOST_SAMPLES
from overread.tables import LEADS

UNCHECKED: Final = "no CRC-32 of a lead in the file"

_WAVEFORM: Final = (ROOT, "Waveform")
_LEAD: Final = (*_WAVEFORM, "LeadData")
_NAMES: Final = {lead.upper(): lead for lead in LEADS}
#: Of 15- and 18-lead exports; they are left out.
_OTHER_LEADS: Final = {"V7", "V8", "V9", "V1R", "V2R", "V3R", "V4R", "V5R", "V6R", "X", "Y", "Z"}
_DERIVED: Final = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}
_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_WHOLE: Final = re.compile(r"-?[0-9]{1,10}")

Fields = dict[str, str]
Lead = tuple[npt.NDArray[np.float64], float]  # counts, microvolts per count


@dataclass(frozen=True, slots=True)
class MuseRecords:
    """The waveforms of MUSE XML files; see `SignalSource`. The id is the file's stem."""

    tree: Tree
    names: tuple[str, ...]
    name: str = "muse"
    notes: tuple[str, ...] = ()

    def keys(self) -> Sequence[str]:
        """The files' names, sorted."""
        return self.names

    def id_of(self, key: str) -> str:
        """The file's stem."""
        return PurePath(key).stem

    def only(self, keys: Sequence[str]) -> MuseRecords:
        """The source with these files alone."""
        return replace(self, names=tuple(keys))

    def signal(self, key: str) -> Recording:
        """Reads one export; ``BadRecord`` as of `read_waveform` and `Tree.read`."""
        data, _ = self.tree.read(key, most=LIMIT, whole=True)
        patient, fs_hz, signal, remarks = read_waveform(data)
        return Recording(self.id_of(key), patient, fs_hz, signal, remarks)


def read_waveform(
    data: bytes,
) -> tuple[str | None, float, npt.NDArray[np.float32], tuple[str, ...]]:
    """Patient, sampling rate in Hz, 12 x samples in millivolts, and remarks.

    Limb leads that are stored are taken as they are; the others are computed in float64 from the
    stored counts. Raises ``BadRecord`` where a lead's bytes are not those its own fields describe.
    """
    found = _Waveforms()
    notes = muse_xml.collect(data, found)
    rhythms = [wave for wave in found.waves if wave[0].get("WaveformType", "").lower() == "rhythm"]
    if len(rhythms) != 1:
        raise BadRecord(f"has {len(rhythms)} rhythm waveforms, and 1 is read")
    [(fields, blocks)] = rhythms
    fs_hz = _rate(fields)
    leads: dict[str, Lead] = {}
    for block in blocks:
        name = block.get("LeadID", "").upper()
        if name in _OTHER_LEADS:
            continue
        if name not in _NAMES:
            raise BadRecord("has a lead whose name is not known")
        if _NAMES[name] in leads:
            raise BadRecord(f"has the lead {_NAMES[name]} twice")
        leads[_NAMES[name]] = _samples(block, _NAMES[name])
    if any(not block.get("LeadDataCRC32") for block in blocks):
        notes += (UNCHECKED,)
    lengths = {len(counts) for counts, _ in leads.values()}
    if len(lengths) > 1:
        raise BadRecord("has leads of different lengths")
    return found.patient, fs_hz, np.array(list(_millivolts(leads)), np.float32), notes


def _rate(fields: Fields) -> float:
    """SampleBase times 10 to the power of SampleExponent."""
    exponent = fields.get("SampleExponent") or "0"
    if not _WHOLE.fullmatch(exponent) or not -3 <= int(exponent) <= 3:
        raise BadRecord("has a SampleExponent that is not between -3 and 3")
    fs_hz = _positive(fields, "SampleBase") * 10.0 ** int(exponent)
    if fs_hz > MOST_HZ:
        raise BadRecord(f"has a sampling rate above {MOST_HZ} Hz")
    if fields.get("SampleType", "CONTINUOUS_SAMPLES") != "CONTINUOUS_SAMPLES":
        raise BadRecord("has samples that are not CONTINUOUS_SAMPLES")
    return fs_hz


def _samples(fields: Fields, lead: str) -> Lead:
    """Stored counts and microvolts per count of one lead, once all its fields agree."""
    scale = _positive(fields, "LeadAmplitudeUnitsPerBit")
    if fields.get("LeadAmplitudeUnits") != "MICROVOLTS":
        raise BadRecord(f"has LeadAmplitudeUnits that are not MICROVOLTS in lead {lead}")
    for tag in ("LeadTimeOffset", "LeadOffsetFirstSample"):
        if fields.get(tag, "0") != "0":
            raise BadRecord(f"has a {tag} in lead {lead}, so its leads do not begin together")
    if fields.get("LeadSampleSize", "2") != "2":
        raise BadRecord(f"has samples that are not of 2 bytes in lead {lead}")
    try:
        # b64decode() skips characters that are no base64 unless told to validate, blanks too then.
        stored = b64decode("".join(fields.get("WaveFormData", "").split()), validate=True)
    except (Base64Error, ValueError):
        raise BadRecord(f"has waveform data that are no base64 in lead {lead}") from None
    for tag, value in (
        ("LeadByteCountTotal", len(stored)),
        ("LeadSampleCountTotal", len(stored) / 2),
        ("LeadDataCRC32", crc32(stored)),
    ):
        text = fields.get(tag, "")
        if tag == "LeadDataCRC32" and not text:
            continue
        if not _WHOLE.fullmatch(text) or (int(text) - value) % (1 << 32):  # some write it signed
            raise BadRecord(f"has a {tag} in lead {lead} that its data do not have")
    if not 0 < len(stored) <= 2 * MOST_SAMPLES:
        raise BadRecord(f"has a number of samples that is not between 1 and {MOST_SAMPLES}")
    return np.frombuffer(stored, "<i2").astype(np.float64), scale


def _millivolts(leads: dict[str, Lead]) -> Iterator[npt.NDArray[np.float64]]:
    for name in LEADS:
        if name in leads:
            counts, scale = leads[name]
        elif name in _DERIVED and "I" in leads and "II" in leads:
            (first, scale), (second, other) = leads["I"], leads["II"]
            if scale != other:
                raise BadRecord("has leads I and II in different units")
            a, b = _DERIVED[name]
            counts = a * first + b * second  # exact: halves of small whole numbers
        else:
            raise BadRecord(f"has no lead {name}")
        yield counts * scale / 1000


def _positive(fields: Fields, tag: str) -> float:
    text = fields.get(tag, "")
    if not _NUMBER.fullmatch(text) or not float(text):
        raise BadRecord(f"has no {tag} that is a positive number")
    return float(text)


class _Waveforms:
    """Collects each waveform's fields and its leads' fields; see `muse_xml.Collector`."""

    tags = frozenset(
        (
            "PatientID", "WaveformType", "SampleType", "SampleBase", "SampleExponent", "LeadID",
            "LeadByteCountTotal", "LeadSampleCountTotal", "LeadDataCRC32", "LeadSampleSize",
            "LeadAmplitudeUnitsPerBit", "LeadAmplitudeUnits", "LeadTimeOffset",
            "LeadOffsetFirstSample", "WaveFormData",
        )
    )  # fmt: skip

    def __init__(self) -> None:
        self.patient: str | None = None
        self.waves: list[tuple[Fields, list[Fields]]] = []

    def opened(self, path: muse_xml.Path) -> None:
        """A waveform, or a lead in it, begins."""
        if path == _WAVEFORM:
            self.waves.append(({}, []))
        elif path == _LEAD:
            self.waves[-1][1].append({})

    def closed(self, path: muse_xml.Path, text: str) -> None:
        """A field of a waveform or lead; a field given twice is refused."""
        if path == PATIENT:
            self.patient = text or None
        elif path[-1] in self.tags and path[:-1] in (_WAVEFORM, _LEAD):
            fields, leads = self.waves[-1]
            into = fields if path[:-1] == _WAVEFORM else leads[-1]
            if path[-1] in into:
                raise BadRecord(f"has the element {path[-1]} twice")
            into[path[-1]] = text
