"""The signals of one WFDB record as 12 leads in millivolts.

Format 16, which nearly all 12-lead corpora use, is read here: wfdb takes 9 ms for each header.
Other formats are decoded by wfdb, which sees only copies under plain names with a header that was
written here. Either way every lead must have the first sample and checksum of its header.
"""

from __future__ import annotations

import posixpath
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from overread.errors import BadRecord, UsageError
from overread.sources.tree import Tree
from overread.sources.wfdb_header import LIMIT, Header, Signal, parse_header
from overread.tables import LEADS

Floats = npt.NDArray[np.float32]
Counts = npt.NDArray[Any]  # int16 or int64

LONGER: Final = "signal file longer than its header says"
UNDATED: Final = "date or time in the header not understood"
RENAMED: Final = "record name in the header is not the file's name"
UNCALIBRATED: Final = "no gain in the header, 200 per mV taken"

_UNCALIBRATED_GAIN: Final = 200.0  # per mV, by the format's rules
_PER_MV: Final = {"v": 1e-3, "mv": 1.0, "uv": 1e3, "μv": 1e3, "nv": 1e6}  # after str.casefold

#: Bytes of a sample (None where compressed) and the count that stands for "no sample".
_FORMATS: Final[dict[int, tuple[float | None, int | None]]] = {
    8: (1, None),
    16: (2, -(1 << 15)),
    24: (3, -(1 << 23)),
    32: (4, -(1 << 31)),
    61: (2, -(1 << 15)),
    80: (1, -(1 << 7)),
    160: (2, -(1 << 15)),
    212: (1.5, -(1 << 11)),
    310: (4 / 3, -(1 << 9)),
    311: (4 / 3, -(1 << 9)),
    508: (None, -(1 << 7)),
    516: (None, -(1 << 15)),
    524: (None, -(1 << 23)),
}
_LEAD: Final = {lead.casefold(): place for place, lead in enumerate(LEADS)}


def read_header(tree: Tree, key: str) -> Header:
    """The header file ``key`` of the tree; ``BadRecord`` as of `Tree.read` and `parse_header`."""
    return parse_header(tree.read(key, most=LIMIT, whole=True)[0])


def read_leads(
    tree: Tree, key: str, *, allow_uncalibrated: bool
) -> tuple[float, Floats, tuple[str, ...]]:
    """Sampling rate in Hz, 12 x samples in millivolts in the order of ``LEADS``, and remarks.

    A lead in mV is wfdb's float64 value rounded to float32. Other signals of the record are left
    out. Raises ``BadRecord`` where a lead is absent, twice there, not calibrated, or its samples
    are not those of the header.
    """
    header = read_header(tree, key)
    wanted = _standard_leads(header)
    leads = [header.signals[number] for number in wanted]
    gains = [
        _per_mv(lead, number + 1, allow_uncalibrated=allow_uncalibrated)
        for lead, number in zip(leads, wanted, strict=True)
    ]
    counts, longer = read_counts(tree, key, header, wanted)
    remarks = (
        (LONGER, longer),
        (UNDATED, not header.dated),
        (RENAMED, header.name != posixpath.basename(key).rpartition(".")[0]),
        (UNCALIBRATED, any(lead.gain is None for lead in leads)),
    )
    signal = _millivolts(counts, leads, np.asarray(gains))
    return header.fs_hz, signal, tuple(text for text, holds in remarks if holds)


def read_counts(tree: Tree, key: str, header: Header, wanted: Sequence[int]) -> tuple[Counts, bool]:
    """The samples as stored, signals x samples, of the signals with these numbers (from 0).

    Also whether a file is longer than the header says. Files without a wanted signal are not
    opened.
    """
    folder = posixpath.dirname(key)
    numbers: list[int] = []
    blocks: list[Counts] = []
    for_wfdb: dict[tuple[int, ...], bytes] = {}
    longer = False
    for some in _files(header, wanted):
        signals = [header.signals[number] for number in some]
        data, too_long = _read_file(tree, folder, signals, header.samples)
        longer |= too_long
        if signals[0].format == 16:
            stored = np.frombuffer(data, "<i2", offset=signals[0].offset)
            blocks.append(np.ascontiguousarray(stored.reshape(header.samples, len(some)).T))
            numbers += some
        else:
            for_wfdb[some] = data
    if for_wfdb:
        blocks.append(_decoded(for_wfdb, header))
        numbers += [number for some in for_wfdb for number in some]
    counts = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    if numbers != list(wanted):
        counts = counts[[numbers.index(number) for number in wanted]]
    _verify(counts, header, wanted)
    return counts, longer


def _standard_leads(header: Header) -> list[int]:
    found: dict[int, int] = {}
    for number, signal in enumerate(header.signals):
        place = _LEAD.get(signal.name.casefold())
        if place in found:
            raise BadRecord(f"has the lead {LEADS[place]} twice")
        if place is not None:
            found[place] = number
    if len(found) < len(LEADS):
        raise BadRecord(f"has {len(found)} of the {len(LEADS)} standard leads")
    return [found[place] for place in range(len(LEADS))]


def _per_mv(lead: Signal, number: int, *, allow_uncalibrated: bool) -> float:
    if lead.gain is None:
        if not allow_uncalibrated:
            raise BadRecord(f"has no gain in lead {number}, so its amplitude is not known")
        return _UNCALIBRATED_GAIN
    units = _PER_MV.get(lead.units.casefold())
    if units is None:
        raise BadRecord(f"has a unit in lead {number} that is not V, mV, uV or nV")
    return lead.gain * units


def _files(header: Header, wanted: Iterable[int]) -> list[tuple[int, ...]]:
    """The numbers of the signals in each file that holds a wanted one."""
    files: dict[str, list[int]] = {}
    for number, signal in enumerate(header.signals):
        files.setdefault(signal.file, []).append(number)
    found = [tuple(numbers) for numbers in files.values() if not set(numbers).isdisjoint(wanted)]
    for numbers in found:
        first = header.signals[numbers[0]]
        for number in numbers:
            one = header.signals[number]
            if one.format not in _FORMATS:
                raise BadRecord(f"has the storage format {one.format}, which is not supported")
            if one.per_frame != 1 or one.skew:
                raise BadRecord("has leads of several rates or with a skew, which are not read")
            if (one.format, one.offset) != (first.format, first.offset):
                raise BadRecord("has two storage formats or offsets in one file")
        if numbers[-1] - numbers[0] >= len(numbers):
            raise BadRecord("has signals of one file that are not listed together")
    return found


def _read_file(tree: Tree, folder: str, signals: list[Signal], samples: int) -> tuple[bytes, bool]:
    """The bytes of one signal file, and whether it is longer than the header says."""
    first = signals[0]
    size = _FORMATS[first.format][0]
    frame = len(signals) * (4 if size is None else size)  # FLAC may be larger than the samples
    needed = first.offset + int(np.ceil(samples * frame))
    most = needed if first.format == 16 else needed + LIMIT
    data, length = tree.read(posixpath.join(folder, first.file), most=most)
    if size is None:
        # https://www.rfc-editor.org/rfc/rfc9639#section-8.2: the low 36 bits are the length.
        found = int.from_bytes(data[18:26], "big") & ((1 << 36) - 1)
        longer = found > samples or length > most
    else:
        found = int(max(0, len(data) - first.offset) / frame)
        longer = length > needed + 3 * (first.format in (310, 311))  # these fill 4 bytes
    if found < samples:
        raise BadRecord(f"has {found} of {samples} samples")
    return data, longer


def _decoded(files: dict[tuple[int, ...], bytes], header: Header) -> Counts:
    """Signals x samples of files in other formats than 16, by wfdb."""
    lines = [f"r {sum(map(len, files))} {header.fs_hz} {header.samples}"]
    with TemporaryDirectory(prefix="overread-") as folder:
        for place, (numbers, data) in enumerate(files.items()):
            Path(folder, f"f{place}.dat").write_bytes(data)
            for number in numbers:
                one = header.signals[number]
                stored = f"{one.format}+{one.offset}" if one.offset else one.format
                lines.append(f"f{place}.dat {stored} 200 0 0 {one.first or 0} 0 0 {number}")
        Path(folder, "r.hea").write_text("\n".join(lines) + "\n")
        return _rdrecord(f"{folder}/r")


def _rdrecord(name: str) -> Counts:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas deprecates what wfdb does when it is imported
        try:
            import wfdb
        except ImportError:
            raise UsageError(
                "Some records are in a WFDB format that the package wfdb decodes. "
                "Next step: python3 -m pip install 'overread[signals]'."
            ) from None
        try:
            counts: Counts = wfdb.rdrecord(name, physical=False).d_signal.T
        except Exception as error:  # six unrelated types are known
            kind = type(error).__name__
            raise BadRecord(f"has a signal file that wfdb cannot decode ({kind})") from None
    return counts


def _verify(counts: Counts, header: Header, numbers: Sequence[int]) -> None:
    """Checksums are written signed or unsigned: https://github.com/MIT-LCP/wfdb-python/issues/424"""
    firsts = counts[:, 0].tolist()
    sums = counts.astype(np.uint16).sum(axis=1, dtype=np.uint16).tolist()  # of 16 bits, as stored
    for number, first, total in zip(numbers, firsts, sums, strict=True):
        signal = header.signals[number]
        if signal.first is not None and first != signal.first:
            raise BadRecord(f"has another first sample in lead {number + 1} than its header says")
        if signal.checksum is not None and (total - signal.checksum) & 0xFFFF:
            raise BadRecord(f"has samples in lead {number + 1} that do not add to its checksum")


def _millivolts(counts: Counts, leads: list[Signal], per_mv: npt.NDArray[np.float64]) -> Floats:
    """12 x samples; (count - baseline) / gain as float64 would give it, rounded to float32.

    A quotient of two float32 numbers, computed in float32, is the one computed in float64 and then
    rounded (Figueroa 1995: 53 bits are at least 2 x 24 + 2), so the short way is taken where the
    numbers allow it.
    """
    baselines = np.array([lead.baseline for lead in leads], np.float64)
    short = counts.dtype == np.int16 and bool(
        (per_mv == per_mv.astype(np.float32)).all() and np.abs(baselines).max() < 1 << 23
    )
    signal: npt.NDArray[Any] = counts.astype(np.float32 if short else np.float64)
    if baselines.any():
        signal -= baselines[:, None].astype(signal.dtype)
    signal /= per_mv[:, None].astype(signal.dtype)
    for place, least in enumerate(counts.min(axis=1).tolist()):
        if least == _FORMATS[leads[place].format][1]:  # no count is smaller than the code
            signal[place, counts[place] == least] = np.nan
    return signal.astype(np.float32, copy=False)
