"""Waveforms of GE MUSE XML, and faults X01 to X10 as far as they show there."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from xml.etree import ElementTree
from zlib import crc32

import numpy as np
import pytest

from overread.errors import BadRecord
from overread.sources.muse_signal import read_waveform

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
STORED = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
COUNTS = {
    lead: np.random.default_rng(place).integers(-900, 900, 30).astype("<i2")
    for place, lead in enumerate((*LEADS, "V3R", "V4R", "V7"))
}


def lead_data(lead: str, counts: np.ndarray | None = None, name: str | None = None) -> str:
    stored = (COUNTS[lead] if counts is None else counts).tobytes()
    text = b64encode(stored).decode()
    return (
        f"<LeadData><LeadByteCountTotal>{len(stored)}</LeadByteCountTotal>"
        "<LeadTimeOffset>0</LeadTimeOffset>"
        f"<LeadSampleCountTotal>{len(stored) // 2}</LeadSampleCountTotal>"
        "<LeadAmplitudeUnitsPerBit>4.88</LeadAmplitudeUnitsPerBit>"
        "<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>"
        f"<LeadID>{name or lead}</LeadID><LeadSampleSize>2</LeadSampleSize>"
        f"<LeadDataCRC32>{crc32(stored)}</LeadDataCRC32>"
        f"<WaveFormData>\n {text[:40]}\n {text[40:]}\n </WaveFormData></LeadData>"
    )


def document(leads: str | None = None, *, doctype: str = "", kind: str = "Rhythm") -> str:
    leads = "".join(map(lead_data, STORED)) if leads is None else leads
    return (
        f'<?xml version="1.0" encoding="ISO-8859-1"?>\n{doctype}<RestingECG>'
        "<PatientDemographics><PatientID>0017</PatientID>"
        "<PatientLastName>JOHN SMITH</PatientLastName></PatientDemographics>"
        "<Waveform><WaveformType>Median</WaveformType><SampleBase>500</SampleBase></Waveform>"
        f"<Waveform><WaveformType>{kind}</WaveformType><SampleType>CONTINUOUS_SAMPLES</SampleType>"
        f"<SampleBase>500</SampleBase><SampleExponent>0</SampleExponent>{leads}</Waveform>"
        "</RestingECG>"
    )


def read(text: str) -> np.ndarray:
    patient, fs_hz, signal, remarks = read_waveform(text.encode("latin-1"))
    assert (patient, fs_hz, remarks) == ("0017", 500, ())
    assert signal.dtype == np.float32
    return signal


def refused(data: str | bytes) -> str:
    with pytest.raises(BadRecord) as caught:
        read_waveform(data.encode("latin-1") if isinstance(data, str) else data)
    assert "JOHN SMITH" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def by_hand() -> np.ndarray:
    """Twice the counts of every lead, in whole numbers; then millivolts."""
    one, two = COUNTS["I"].astype(int), COUNTS["II"].astype(int)
    twice = [2 * one, 2 * two, 2 * two - 2 * one, -one - two, 2 * one - two, 2 * two - one]
    twice += [2 * COUNTS[lead].astype(int) for lead in STORED[2:]]
    return (np.array(twice) / 2 * 4.88 / 1000).astype(np.float32)


def test_x08_four_leads_are_derived_exactly():
    assert np.array_equal(read(document()), by_hand())


def test_x08_order_and_case_of_the_leads_do_not_matter():
    text = "".join(lead_data(lead, name=lead.lower()) for lead in reversed(STORED))
    assert np.array_equal(read(document(text)), by_hand())


def test_x08_stored_limb_leads_are_taken_as_they_are():
    expected = np.array([COUNTS[lead] * 4.88 / 1000 for lead in LEADS]).astype(np.float32)
    for more in ([], ["V3R", "V4R", "V7"]):
        assert np.array_equal(read(document("".join(map(lead_data, [*LEADS, *more])))), expected)


def test_x08_unknown_missing_and_double_leads_are_refused():
    eight = "".join(map(lead_data, STORED))
    assert "not known" in refused(document(eight + lead_data("V1", name="ES")))
    assert "lead V1 twice" in refused(document(eight + lead_data("V1")))
    assert "no lead V6" in refused(document("".join(map(lead_data, STORED[:-1]))))
    assert "no lead II" in refused(document("".join(map(lead_data, ("I", *STORED[2:])))))
    assert "lengths" in refused(
        document(eight.replace(lead_data("V6"), lead_data("V6", COUNTS["I"][:9])))
    )
    other = eight.replace("4.88", "5", 1)
    assert "different units" in refused(document(other))


@pytest.mark.parametrize("text", ["", "A", "AAA", "AAAA*AAA", "AAAA=AAA", "AAAAé", "AA==AA=="])
def test_x05_what_is_no_base64_is_refused(text):
    damaged = re.sub(r"<WaveFormData>[^<]*<", f"<WaveFormData>{text}<", document(), count=1)
    assert "lead I" in refused(damaged)


@pytest.mark.parametrize("blank", ["\n", "\r\n   ", "\t"])
def test_x05_blanks_inside_are_not_data(blank):
    assert np.array_equal(read(document().replace("\n ", blank)), by_hand())


@pytest.mark.parametrize("tag", ["LeadByteCountTotal", "LeadSampleCountTotal", "LeadDataCRC32"])
@pytest.mark.parametrize("value", ["7", "-1", "x", "1e1"])
def test_x06_counts_and_crc_must_be_those_of_the_data(tag, value):
    damaged = re.sub(f"<{tag}>[^<]*<", f"<{tag}>{value}<", document(), count=1)
    assert f"{tag} in lead I " in refused(damaged)


def test_x06_every_changed_count_is_found_by_the_crc():
    first = b64encode(COUNTS["V5"].tobytes()).decode()
    for place in range(0, len(first) - 4, 7):
        letter = "A" if first[place] != "A" else "B"
        changed = first[:place] + letter + first[place + 1 :]
        text = document().replace(first[:40], changed[:40]).replace(first[40:], changed[40:])
        assert "LeadDataCRC32 in lead V5" in refused(text)


def test_x06_a_file_without_crc_is_read_and_remarked():
    text = re.sub("<LeadDataCRC32>[^<]*</LeadDataCRC32>", "", document())
    assert read_waveform(text.encode())[3] == ("no CRC-32 of a lead in the file",)
    assert "LeadByteCountTotal" in refused(
        text.replace("<LeadByteCountTotal>60</LeadByteCountTotal>", "")
    )


@pytest.mark.parametrize("scale", ["", "0", "-4.88", "nan", "inf", "4,88", "five", "1e3"])
def test_x09_amplitude_units_per_bit_are_needed(scale):
    assert "LeadAmplitudeUnitsPerBit" in refused(document().replace("4.88", scale, 1))


def test_x09_amplitude_units_per_bit_are_used():
    found = read(document().replace("4.88", "5"))
    assert found == pytest.approx(by_hand() / 4.88 * 5, rel=1e-6)
    assert "MICROVOLTS" in refused(document().replace("MICROVOLTS", "MILLIVOLTS"))


@pytest.mark.parametrize(("old", "new", "part"), [
    ("<SampleBase>500</SampleBase><SampleExponent>", "<SampleExponent>", "SampleBase"),
    ("<SampleExponent>0", "<SampleExponent>9", "SampleExponent"),
    ("<SampleExponent>0", "<SampleExponent>1", "above 2000 Hz"),
    ("CONTINUOUS", "COMPRESSED", "CONTINUOUS_SAMPLES"),
    ("<LeadTimeOffset>0", "<LeadTimeOffset>40", "begin together"),
    ("<LeadSampleSize>2", "<LeadSampleSize>4", "2 bytes"),
    ("Rhythm", "Median", "0 rhythm"),
    ("Median", "Rhythm", "2 rhythm"),
    ("<LeadID>I<", "<LeadID>I</LeadID><LeadID>II<", "twice"),
])  # fmt: skip
def test_other_fields_that_do_not_fit(old, new, part):
    assert old in document()
    assert part in refused(document().replace(old, new, 1))


def test_rate_has_an_exponent():
    text = document().replace(
        "500</SampleBase><SampleExponent>0", "25</SampleBase><SampleExponent>1"
    )
    assert read_waveform(text.encode())[1] == 250


def test_x01_to_x04_hold_for_waveforms_too(tmp_path, opened):
    assert "entities" in refused(document(doctype='<!DOCTYPE RestingECG [<!ENTITY a "ha">]>'))
    secret = tmp_path / "secret.txt"
    secret.write_text("JOHN SMITH")
    opened.clear()
    external = f'<!DOCTYPE RestingECG [<!ENTITY x SYSTEM "file://{secret}">]>'
    assert "entities" in refused(document("&x;", doctype=external))
    assert not opened
    usual = '<!DOCTYPE RestingECG SYSTEM "restecg.dtd">'
    assert np.array_equal(read(document(doctype=usual)), by_hand())
    assert "deeper than 64" in refused(document("<a>" * 100_000 + "</a>" * 100_000))


def test_x07_utf8_declared_as_latin1_is_counted():
    data = document().replace("JOHN SMITH", "Müller").encode("utf-8")
    assert read_waveform(data)[3] == ("declared as a one-byte encoding, read as UTF-8",)


def test_x10_cut_at_every_100th_byte_and_other_roots_are_refused():
    data = document().encode()
    for cut in range(0, len(data) - 1, 100):
        refused(data[:cut])
    assert "not a RestingECG" in refused("<SierraECG/>")


def test_x10_file_over_the_size_bound_is_not_read(tmp_path, bad_signal):
    with (tmp_path / "large.xml").open("wb") as file:
        file.truncate(300 << 20)
    assert "larger than" in bad_signal()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_real_exports_are_read_as_by_hand(shared, number):
    path = shared / "data" / "ge-muse-xml" / f"muse_ecg{number}.xml"
    rhythm = ElementTree.parse(path).getroot().findall("Waveform")[1]
    data = {lead.findtext("LeadID"): lead.findtext("WaveFormData").encode() for lead in rhythm[9:]}
    counts = {
        name: np.frombuffer(b64decode(text), "<i2").astype(int) for name, text in data.items()
    }
    _, fs_hz, signal, remarks = read_waveform(path.read_bytes())
    assert (fs_hz, signal.shape, remarks) == (500, (12, 5000), ())
    stored = [0, 1, *range(6, 12)]
    expected = np.array(list(counts.values())) * 4.88 / 1000
    assert np.array_equal(signal[stored], expected.astype(np.float32))
    one, two = counts["I"], counts["II"]
    derived = np.array([2 * (two - one), -(one + two), 2 * one - two, 2 * two - one]) / 2
    assert np.array_equal(signal[2:6], (derived * 4.88 / 1000).astype(np.float32))
