"""WFDB headers: what is read, and faults W05 to W08, W12 to W18 as far as they show there."""

from __future__ import annotations

import random
import tracemalloc
from datetime import date, time

import pytest

from overread.errors import BadRecord
from overread.sources.wfdb_header import parse_header

LINE = "r.dat 16 1000(0)/mV 16 0 5 6 0 I"


def header(first: str = "r 1 500 40", *lines: str) -> bytes:
    return "\n".join((first, *(lines or (LINE,)))).encode()


def refused(data: bytes) -> str:
    with pytest.raises(BadRecord) as caught:
        parse_header(data)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_every_field_of_a_full_line():
    [one] = parse_header(header("r 1 500 40", "r.dat 212x2:3+24 0.5e0 12 1 2 3 4 x")).signals
    assert (one.file, one.format, one.per_frame, one.skew, one.offset) == ("r.dat", 212, 2, 3, 24)
    assert (one.gain, one.units, one.baseline) == (0.5, "mV", 1)  # the zero of the converter
    assert (one.first, one.checksum, one.name) == (2, 3, "x")


@pytest.mark.parametrize(("line", "expected"), [
    ("r.dat 16", (None, 0, "mV", None, None, "")),
    ("r.dat 16 200", (200.0, 0, "mV", None, None, "")),
    ("r.dat 16 1716(6)/uV 0 9 -120 -32198 0 i", (1716.0, 6, "uV", -120, -32198, "i")),
    ("r.dat 16 1000.0(0)/mV 16 0 -119 1508 0 Lead I of two", (1000.0, 0, "mV", -119, 1508,
                                                           "Lead I of two")),
])  # fmt: skip
def test_fields_that_are_left_out(line, expected):
    [one] = parse_header(header("r 1 500 40", line)).signals
    found = (one.gain, one.baseline, one.units, one.first, one.checksum, one.name)
    assert found == expected


@pytest.mark.parametrize("data", [
    b"\xef\xbb\xbf" + header() + b"\r\n# Age: 59\r\n",
    b"# before\n\n" + header() + b"\n#  Age: 59",
    header().replace(b"\n", b"\r\n") + b"\r\n\r\n#Age: 59",
])  # fmt: skip
def test_line_ends_blank_lines_marks_and_comments(data):
    found = parse_header(data)
    assert found.signals[0].name == "I"
    assert found.comments[-1] == "Age: 59"


@pytest.mark.parametrize("letter", ["9", "a", " "])
def test_w05_long_lines_and_headers_are_refused_before_parsing(letter):
    assert "longer than 1024" in refused(header("r 1 500 40", "r.dat 16 " + letter * 50_000 + "x"))
    assert "larger than 65536" in refused(header() + b"\n" + b"#" * 66_000)


def test_w05_a_long_comment_is_no_fault():
    assert len(parse_header(header() + b"\n#C: " + b"x" * 5_000).comments[0]) == 5_003


@pytest.mark.parametrize("gain", ["0", "0.0", "0(0)/mV"])
def test_w06_gain_of_zero_is_no_calibration(gain):
    assert parse_header(header("r 1 500 40", f"r.dat 16 {gain}")).signals[0].gain is None


@pytest.mark.parametrize("gain", [
    "nan", "inf", "-inf", "-200", "-200(0)/mV", "1e999", "1_000", "٣",
])  # fmt: skip
def test_w07_impossible_gain_is_refused_by_lead(gain):
    message = refused(header("r 2 500 40", LINE, f"r.dat 16 {gain} 16 0 0 0 0 II"))
    assert "gain" in message
    assert "lead 2" in message


@pytest.mark.parametrize("first", [
    "r 1 500 -5", "r 1 500 0", "r 1 -250 40", "r 1 0 40", "r 1 nan 40", "r 1 1e999 40", "r 1 500",
    "r 1", "r 1 500 forty", "r 1 500 4_0", "r 0 500 40", "r -1 500 40",
])  # fmt: skip
def test_w08_impossible_or_missing_length_and_rate_are_refused(first):
    refused(header(first))


def test_w08_counter_frequency_is_not_the_rate():
    assert parse_header(header("r 1 360/1000(5) 40")).fs_hz == 360


@pytest.mark.parametrize("data", [
    header("r 1000000000 500 40"), header("r 33 500 40", *[LINE] * 33),
    header("r 1 500 1000000000000"), header("r 1 500 1200001"), header("r 1 1000000000 40"),
])  # fmt: skip
def test_w12_counts_beyond_the_bounds_are_refused_before_any_allocation(data):
    tracemalloc.start()
    try:
        refused(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_w13_number_of_signal_lines():
    assert "says 2 leads, 1 lines found" in refused(header("r 2 500 40"))
    assert "says 1 leads, 2 lines found" in refused(header("r 1 500 40", LINE, LINE))


def test_w15_several_segments_are_refused():
    assert "segments" in refused(b"r/1 1 500 40\nr 40\n")
    assert "segments" in refused(b"m/3 2 250 75000\ns1 25000\ns2 25000\ns3 25000\n")


@pytest.mark.parametrize(("text", "day", "hour", "dated"), [
    ("", None, None, True),
    (" 05-May-2020 11:39:16", date(2020, 5, 5), time(11, 39, 16), True),
    (" 13:05:00.25 05/02/1990", date(1990, 2, 5), time(13, 5, 0, 250_000), True),
    (" 05-feb-2020", date(2020, 2, 5), None, True),
    (" 31/02/2020 11:39:16", None, time(11, 39, 16), False),
    (" 05-Mai-2020", None, None, False),
    (" 05-anf-2020", None, None, False),
    (" yesterday", None, None, False),
])  # fmt: skip
def test_w16_date_and_time_are_read_or_null(text, day, hour, dated):
    found = parse_header(header(f"r 1 500 40{text}"))
    assert (found.date, found.time, found.dated, found.samples) == (day, hour, dated, 40)


def test_w16_record_name_with_mat_and_signal_file_in_a_folder():
    found = parse_header(header("A0001.mat 1 500 40", "a/b.dat 16 1000/mV 16 0 5 6 0 I"))
    assert (found.name, found.signals[0].file) == ("A0001", "a/b.dat")


@pytest.mark.parametrize("data", [
    b"", b"\n \n", b"#only a comment", b"\0" * 40, header() + b"\0", header().replace(b"I", b"\0"),
    b"RIFF\x24\x08\x00WAVEfmt ", b"\xff\xfe" + header().decode().encode("utf-16-le"),
    b"hello world\n", b"r 1 500 40\nr.dat\n", b"r 1 500 40\nr.dat sixteen\n",
    *(random.Random(seed).randbytes(200) for seed in range(20)),
])  # fmt: skip
def test_w17_what_is_no_header_is_a_bad_record(data):
    refused(data)


def test_w17_latin1_and_utf8_are_both_read():
    text = "r 1 500 40\nr.dat 16 1000/µV 16 0 5 6 0 I\n#C: Müller\x85 old\n"
    for encoding in ("latin-1", "utf-8"):
        found = parse_header(text.encode(encoding))
        assert found.signals[0].units == "µV"
        assert found.comments == ("C: Müller\x85 old",)
