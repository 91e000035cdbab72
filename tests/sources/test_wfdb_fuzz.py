"""W20: damaged headers are refused, or read as what they say."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest

from overread.errors import BadRecord
from overread.sources.open_signals import open_signals

LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
TOKENS = (
    b"", b"0", b"-1", b"nan", b"inf", b"1e9", b"999999999999", b"16x2", b"16+24", b"61", b"212",
    b"\0", b"\xb5", b"r.dat",
    b"../r.dat", b"V1", b"I", b"/", b"# ", b"\n", b"uV", b"1000(1)/mV", b"r/2",
)  # fmt: skip
UNITS = {"mv": 1.0, "v": 1e-3, "uv": 1e3, "nv": 1e6, "µv": 1e3, "μv": 1e3}


def mutant(data: bytes, draw: random.Random) -> bytes:
    """One to three changes: bytes, tokens, lines."""
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        kind = draw.randrange(6)
        place = draw.randrange(len(data) or 1)
        if kind == 0:
            data = data[:place] + bytes([draw.randrange(256)]) + data[place + 1 :]
        elif kind == 1:
            data = data[:place] + data[place + draw.randrange(1, 20) :]
        elif kind == 2:
            data = data[:place] + draw.choice(TOKENS) + data[place:]
        elif kind == 3:
            words = data.split(b" ")
            words[draw.randrange(len(words))] = draw.choice([*TOKENS, draw.choice(words)])
            data = b" ".join(words)
        elif kind == 4:
            lines = data.split(b"\n")
            a, b = draw.randrange(len(lines)), draw.randrange(len(lines))
            lines[a], lines[b] = lines[b], lines[a]
            data = b"\n".join(lines)
        else:
            old = draw.choice([b"r.dat 16", b"1000(0)", b"mV", b" 12 ", b" 500 ", b" 40", b" 0 "])
            data = data.replace(old, draw.choice([*TOKENS, b"r.dat 61", b"r.dat 212", b" 4 "]))
    return data


def said_by(data: bytes, counts: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
    """Sampling rate and leads as a header says them, read word by word.

    A line is believed where it names the first sample and checksum of the column that its place
    gives it, so what is expected never comes from samples that the header does not vouch for.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
    head, *rest = [line for line in lines if line and not line.startswith("#")]
    leads = {}
    for column, line in enumerate(rest):
        words = line.split(None, 8)
        if len(words) < 9 or words[8].lower() not in LEADS:
            continue
        row = counts[column]
        assert int(words[5]) == row[0]
        assert (int(words[6]) - int(row.sum())) % 65_536 == 0
        gain, _, unit = words[2].partition("/")
        gain, _, baseline = gain.rstrip(")").partition("(")
        per_mv = float(gain) * UNITS[(unit or "mV").lower()]
        zero = int(baseline) if baseline else int(words[4])
        leads[words[8].lower()] = (row.astype(float) - zero) / per_mv
    return float(head.split()[2].split("/")[0]), leads


@pytest.mark.parametrize("seed", range(4))
def test_w20_a_thousand_damaged_headers(tmp_path, wfdb_record, seed):
    counts = wfdb_record()
    path = tmp_path / "r.hea"
    whole = path.read_bytes() + b"# Age: 59\n# Dx: 426783006\n"
    source = open_signals(tmp_path)
    draw = random.Random(seed)
    loaded = 0
    file = path.open("r+b", buffering=0)  # opening it anew each time takes most of the test
    for _ in range(1000):
        data = mutant(whole, draw)
        file.truncate(0)
        os.pwrite(file.fileno(), data, 0)
        try:
            found = source.signal("r.hea")  # any error but BadRecord fails the test
        except BadRecord:
            continue
        loaded += 1
        fs_hz, leads = said_by(data, counts)
        assert found.fs_hz == fs_hz
        for lead, signal in zip(LEADS, found.signal, strict=True):
            assert np.allclose(signal, leads[lead], rtol=1e-6, atol=0), data
    file.close()
    assert loaded > 50  # changes of comments, dates, gains, names of leads
