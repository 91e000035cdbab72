"""WFDB headers: a guarded parser of single-segment ones.

The fields are those of https://physionet.org/physiotools/wag/header-5.htm. What 12-lead ECGs never
have (several segments, counts beyond the bounds below) is refused before anything is computed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from typing import Final, NamedTuple

from overread.errors import BadRecord, UsageError

LIMIT: Final = 64 << 10  # bytes; a header has a line per lead and some comments
_LINE: Final = 1 << 10  # characters; comments may be longer, no pattern runs over them
_LEADS: Final = 32
MOST_HZ: Final = 2_000
MOST_SAMPLES: Final = 600 * MOST_HZ

_WHOLE: Final = re.compile(r"-?[0-9]{1,15}")
_NUMBER: Final = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_RATE: Final = re.compile(r"([^/(]+)(?:/[^(]*(?:\(.*\))?)?")  # counter frequencies are not needed
_SIGNAL: Final = re.compile(
    r"""(\S+)                                                    # file
    [ \t]+ ([0-9]{1,15}) (?:x([0-9]{1,15}))? (?::([0-9]{1,15}))? (?:\+([0-9]{1,15}))?
    (?:[ \t]+ ([^\s(/]+) (?:\((-?[0-9]{1,15})\))? (?:/(\S+))?    # gain (baseline) / units
    (?:[ \t]+ -?[0-9]{1,15}                                      # resolution of the converter
    (?:[ \t]+ (-?[0-9]{1,15})                                    # its zero
    (?:[ \t]+ (-?[0-9]{1,15})                                    # first sample
    (?:[ \t]+ (-?[0-9]{1,15})                                    # checksum
    (?:[ \t]+ -?[0-9]{1,15}                                      # block size
    (?:[ \t]+ (\S.*))?                                           # description
    )?)?)?)?)?)?""",
    re.VERBOSE,
)
_TIME: Final = re.compile(r"([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?")
_DATE: Final = re.compile(r"([0-9]{1,2})([/-])([0-9]{1,2}|[A-Za-z]{3})\2([0-9]{4})")
_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip


class Signal(NamedTuple):
    """One signal line. ``gain`` is in counts per ``units``; None means: not calibrated.

    ``first`` and ``checksum`` are None where the header does not give them.
    """

    file: str
    format: int
    per_frame: int
    skew: int
    offset: int
    gain: float | None
    baseline: int
    units: str
    first: int | None
    checksum: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Header:
    """One header; ``dated`` is False where it gives a date or time that is not understood."""

    name: str
    fs_hz: float
    samples: int
    date: date | None
    time: time | None
    dated: bool
    signals: tuple[Signal, ...]
    comments: tuple[str, ...]


def parse_header(data: bytes) -> Header:
    """The header in the bytes of a ``.hea`` file, UTF-8 or latin-1.

    Raises ``BadRecord`` with the rule broken; signals are cited by number, from 1.

    >>> header = parse_header(b"r1 1 500 5000\\nr1.dat 16 1000/mV 16 0 -5 123 0 aVR\\n# Age: 59\\n")
    >>> header.signals[0].name, header.signals[0].gain, header.fs_hz, header.comments
    ('aVR', 1000.0, 500.0, ('Age: 59',))
    """
    if len(data) > LIMIT:
        raise BadRecord(f"has a header larger than {LIMIT} bytes")
    try:
        lines, comments = header_lines(data, "utf-8")
    except UnicodeDecodeError:
        lines, comments = header_lines(data, "latin-1")
    if not lines:
        raise BadRecord("has an empty header")
    if max(map(len, lines)) > _LINE:
        raise BadRecord(f"has a header line longer than {_LINE} characters")
    name, count, fs_hz, samples, rest = _record_line(lines[0])
    if count != len(lines) - 1:
        raise BadRecord(f"has a header that says {count} leads, {len(lines) - 1} lines found")
    day, hour, dated = _recorded(rest)
    signals = tuple(_signal_line(line, number) for number, line in enumerate(lines[1:], 1))
    return Header(name, fs_hz, samples, day, hour, dated, signals, tuple(comments))


def header_lines(data: bytes, encoding: str) -> tuple[list[str], list[str]]:
    """The lines that are neither blank nor comments, and the comments without their ``#``.

    Raises ``BadRecord`` for a NUL byte, ``UnicodeDecodeError`` where the encoding is another,
    ``UsageError`` where it does not exist.
    """
    if b"\0" in data:
        raise BadRecord("holds a NUL byte")
    try:
        text = data.decode(encoding)
    except LookupError:
        raise UsageError(f"The encoding {encoding!r} is not known. Next step: utf-8.") from None
    # Not splitlines(): it also cuts at characters that may stand inside a comment.
    all_lines = text.removeprefix("\ufeff").replace("\r", "\n").split("\n")
    lines = [line.strip() for line in all_lines if line and not line.startswith("#")]
    comments = [line[1:].strip() for line in all_lines if line.startswith("#")]
    return [line for line in lines if line], comments


def _record_line(line: str) -> tuple[str, int, float, int, str]:
    name, *fields = line.split(None, 4)
    if not fields or not _WHOLE.fullmatch(fields[0]):
        raise BadRecord("is not a WFDB header (no line with name and number of signals)")
    if "/" in name:
        raise BadRecord("has several segments, which no 12-lead ECG has")
    if len(fields) < 3:
        raise BadRecord("has a header without sampling rate or number of samples")
    count = int(fields[0])
    if not 1 <= count <= _LEADS:
        raise BadRecord(f"has a header that says {count} leads; 1 to {_LEADS} are read")
    rate = _RATE.fullmatch(fields[1])
    fs_hz = _number(rate[1]) if rate else None
    if fs_hz is None or not 0 < fs_hz <= MOST_HZ:
        raise BadRecord(f"has a sampling rate that is not between 0 and {MOST_HZ} Hz")
    if not _WHOLE.fullmatch(fields[2]) or not 0 < int(fields[2]) <= MOST_SAMPLES:
        raise BadRecord(f"has a number of samples that is not between 1 and {MOST_SAMPLES}")
    # The Challenge of 2020 wrote some record names with the signal file's ending.
    return name.removesuffix(".mat"), count, fs_hz, int(fields[2]), "".join(fields[3:])


def _signal_line(line: str, number: int) -> Signal:
    found = _SIGNAL.fullmatch(line)
    if not found:
        raise BadRecord(f"has a header whose signal line {number} is not understood")
    file, format, per_frame, skew, offset, gain, baseline, units, zero, first, checksum, name = (
        found.groups()
    )
    zero = zero or "0"
    return Signal(
        file,
        int(format),
        int(per_frame or 1),
        int(skew or 0),
        int(offset or 0),
        _gain(gain, number),
        int(baseline or zero),
        units or "mV",
        None if first is None else int(first),
        None if checksum is None else int(checksum),
        name or "",
    )


def _gain(text: str | None, number: int) -> float | None:
    """By the format's rules a missing gain, or one of 0, says that the lead is not calibrated."""
    if text is None:
        return None
    gain = _number(text)
    if gain is None or (gain != 0 and not 1e-9 <= gain <= 1e12):
        raise BadRecord(f"has a gain that is not between 1e-9 and 1e12 in lead {number}")
    return gain or None


@lru_cache(maxsize=256)  # the same few gains and rates in every record
def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _recorded(text: str) -> tuple[date | None, time | None, bool]:
    """Day and time in either order; the Challenges write ``05-May-2020 11:39:16``."""
    day: date | None = None
    hour: time | None = None
    dated = True
    for word in text.split():
        try:
            if day is None and (found := _DATE.fullmatch(word)):
                month = found[3].lower()
                number = _MONTHS.index(month) + 1 if month.isalpha() else int(month)
                day = date(int(found[4]), number, int(found[1]))
            elif hour is None and (found := _TIME.fullmatch(word)):
                fraction = (found[4] or "0").ljust(6, "0")
                hour = time(int(found[1]), int(found[2]), int(found[3]), int(fraction))
            else:
                dated = False
        except ValueError:  # 31/02/2020, 25:00:00, a month that is none
            dated = False
    return day, hour, dated
