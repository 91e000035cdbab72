"""Samples of WFDB records: what is read, and those faults of group W that show there."""

from __future__ import annotations

import os
import random
import tracemalloc

import numpy as np
import pytest

from overread.errors import BadRecord
from overread.sources.open_signals import open_signals
from overread.sources.tree import Tree
from overread.sources.wfdb_signal import read_counts, read_header

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def test_plain_record_in_millivolts(wfdb_record, only_signal):
    counts = wfdb_record()
    found = only_signal()
    assert (found.id, found.patient_id, found.fs_hz, found.remarks) == ("r", None, 500, ())
    assert found.signal.dtype == np.float32
    assert np.array_equal(found.signal, (counts / 1000).astype(np.float32))


@pytest.mark.parametrize("gain", ["1000", "50000", "204.8", "0.3", "1e9"])
@pytest.mark.parametrize("baseline", [0, -7, 16_777_217])
def test_millivolts_are_the_float64_quotient_rounded_once(wfdb_record, only_signal, gain, baseline):
    counts = np.arange(-32_767, 32_753, dtype=np.int16).reshape(12, -1)
    wfdb_record(counts=counts, stored=f"16 {gain}({baseline})/mV")
    exact = (counts.astype(np.float64) - baseline) / float(gain)
    assert np.array_equal(only_signal().signal, exact.astype(np.float32))


def test_leads_in_another_order_and_case_are_put_in_order(wfdb_record, only_signal):
    def reversed_names(text: str) -> str:
        head, *lines = text.splitlines()
        names = [lead.upper() for lead in reversed(LEADS)]
        stems = [line.rpartition(" ")[0] for line in lines]
        return "\r\n".join([head, *map(" ".join, zip(stems, names, strict=True))])

    counts = wfdb_record(edit=reversed_names)
    assert np.array_equal(only_signal().signal, (counts[::-1] / 1000).astype(np.float32))


@pytest.mark.parametrize("target", ["../secret.dat", "/etc/passwd", "SECRET", "a/../../secret.dat"])
def test_w01_signal_file_outside_the_folder_is_never_opened(
    tmp_path, wfdb_record, bad_signal, opened, target
):
    secret = tmp_path / "secret.dat"
    secret.write_bytes(b"\0" * 5000)
    target = str(secret) if target == "SECRET" else target
    wfdb_record("in/r", edit=lambda text: text.replace("r.dat", target))
    opened.clear()
    assert "outside its folder" in bad_signal(tmp_path / "in")
    assert "outside its folder" in bad_signal(tmp_path / "in", follow_symlinks=True)
    assert not [name for _, name in opened if "secret" in name or "passwd" in name]


@pytest.mark.parametrize("what", ["r.dat", "r.hea", "."])
def test_w02_links_out_of_the_folder_are_refused_unless_followed(
    tmp_path, wfdb_record, bad_signal, only_signal, opened, what
):
    wfdb_record("outside/r")
    inside = tmp_path / "in"
    inside.mkdir()
    if what == ".":
        (inside / "linked").symlink_to(tmp_path / "outside")
    else:
        for name in ("r.hea", "r.dat"):
            (tmp_path / "outside" / name).rename(inside / name)
        (inside / what).rename(tmp_path / "outside" / what)
        (inside / what).symlink_to(tmp_path / "outside" / what)
        opened.clear()
        assert "outside its folder" in bad_signal(inside)
        assert not [name for _, name in opened if f"outside/{what}" in name]
    assert only_signal(inside, follow_symlinks=True).signal.shape == (12, 40)


def test_w02_links_inside_the_folder_and_links_in_a_circle(tmp_path, wfdb_record, only_signal):
    wfdb_record("r")
    (tmp_path / "r.dat").rename(tmp_path / "store")
    (tmp_path / "r.dat").symlink_to(tmp_path / "store")
    (tmp_path / "again").symlink_to(tmp_path)
    assert only_signal().signal.shape == (12, 40)
    assert only_signal(follow_symlinks=True).signal.shape == (12, 40)


@pytest.mark.parametrize("name", ["r.dat", "r.hea"])
def test_w03_pipes_are_refused_and_not_waited_for(tmp_path, wfdb_record, bad_signal, name):
    wfdb_record()
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    assert "not a regular file" in bad_signal()


def test_w03_a_folder_or_nothing_in_place_of_the_signal_file(tmp_path, wfdb_record, bad_signal):
    wfdb_record()
    (tmp_path / "r.dat").unlink()
    assert "not there" in bad_signal()
    (tmp_path / "r.dat").mkdir()
    assert "not a regular file" in bad_signal()
    wfdb_record("other", edit=lambda text: text.replace("other.dat", "x" * 300))
    (tmp_path / "r.hea").unlink()
    assert "cannot be opened" in bad_signal()


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/r.dat", "s3://b/r.dat", "file:///etc/passwd"]
)
def test_w04_addresses_as_signal_files_reach_no_network(wfdb_record, bad_signal, opened, address):
    wfdb_record(edit=lambda text: text.replace("r.dat", address))
    assert "not there" in bad_signal()  # a path like any other
    assert not [event for event, _ in opened if event.startswith("socket.")]


def test_w06_uncalibrated_leads_are_refused_unless_allowed(wfdb_record, bad_signal, only_signal):
    counts = wfdb_record(edit=lambda text: text.replace("1000(0)/mV", "0(0)/mV", 2))
    assert "no gain in lead 1" in bad_signal()
    found = only_signal(allow_uncalibrated=True)
    assert found.remarks == ("no gain in the header, 200 per mV taken",)
    assert np.array_equal(found.signal[1], (counts[1] / 200).astype(np.float32))
    assert np.array_equal(found.signal[2], (counts[2] / 1000).astype(np.float32))


def test_w09_w23_file_cut_at_every_byte_is_refused(tmp_path, wfdb_record, bad_signal):
    wfdb_record(counts=np.arange(120, dtype=np.int16).reshape(12, 10))
    data = (tmp_path / "r.dat").read_bytes()
    assert len(data) == 240
    for cut in range(240):
        (tmp_path / "r.dat").write_bytes(data[:cut])
        assert f"has {cut // 24} of 10 samples" in bad_signal()


def test_w10_longer_file_is_read_and_remarked(tmp_path, wfdb_record, only_signal):
    counts = wfdb_record()
    with (tmp_path / "r.dat").open("ab") as file:
        file.truncate(1 << 32)  # only what the header names is read
    found = only_signal()
    assert found.remarks == ("signal file longer than its header says",)
    assert np.array_equal(found.signal, (counts / 1000).astype(np.float32))


def test_w11_checksums_and_first_samples_are_verified(wfdb_record, bad_signal, only_signal):
    counts = wfdb_record()
    third = f"16 0 {counts[2][0]} {int(counts[2].sum()) & 0xFFFF} 0 III"
    signed = f"16 0 {counts[2][0]} {int(counts[2].sum().astype(np.int16))} 0 III"
    wfdb_record(edit=lambda text: text.replace(third, signed))
    assert only_signal().signal.shape == (12, 40)
    wfdb_record(edit=lambda text: text.replace(third, "16 0 1 1 0 III"))
    assert "first sample in lead 3" in bad_signal()
    wfdb_record(edit=lambda text: text.replace(third, f"16 0 {counts[2][0]} 12345 0 III"))
    assert "checksum" in bad_signal()


@pytest.mark.parametrize("stored", [
    "16x1000000000", "16:1000000000", "16+1000000000", "16x2", "16:5", "16:501",
])  # fmt: skip
def test_w12_frames_skews_and_offsets_are_refused_before_any_allocation(
    wfdb_record, bad_signal, stored
):
    wfdb_record(stored=f"{stored} 1000/mV")
    bad_signal()
    tracemalloc.start()
    try:
        bad_signal()
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_w12_the_largest_record_asks_for_no_more_than_its_file_holds(wfdb_record, bad_signal):
    wfdb_record(edit=lambda text: text.replace("r 12 500 40", "r 12 500 1200000"))
    tracemalloc.start()
    try:
        assert "has 40 of 1200000 samples" in bad_signal()
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_w14_unknown_format(wfdb_record, bad_signal):
    wfdb_record(stored="99 1000/mV")
    assert "storage format 99" in bad_signal()


def test_w14_files_that_mix_formats_or_are_not_in_one_piece(wfdb_record, bad_signal):
    wfdb_record(edit=lambda text: text.replace("r.dat 16 ", "r.dat 61 ", 1))
    assert "two storage formats" in bad_signal()
    wfdb_record(edit=lambda text: text.replace("r.dat", "s.dat", 2).replace("s.dat", "r.dat", 1))
    assert "not listed together" in bad_signal()


def test_w16_names_and_dates_of_the_challenges(tmp_path, wfdb_record, only_signal):
    counts = wfdb_record(
        "A0001",
        edit=lambda text: text.replace(
            "A0001 12 500 40", "A0001.mat 12 500 40 05-Mai-2020"
        ).replace("A0001.dat", "a/b.mat"),
        stored="16x1+24 1000(0)/mV",
        before=b"x" * 24,
    )
    (tmp_path / "a").mkdir()
    (tmp_path / "A0001.dat").rename(tmp_path / "a" / "b.mat")
    found = only_signal()
    assert found.id == "A0001"
    assert found.remarks == ("date or time in the header not understood",)
    assert np.array_equal(found.signal, (counts / 1000).astype(np.float32))


def test_header_under_another_name_is_remarked(wfdb_record, only_signal):
    wfdb_record("copy", edit=lambda text: text.replace("copy 12", "r 12"))
    assert only_signal().remarks == ("record name in the header is not the file's name",)


@pytest.mark.parametrize(("old", "new", "part"), [
    (" V6", " v5", "lead V5 twice"),
    (" V6", " V7", "11 of the 12"),
    (" V6", "", "11 of the 12"),
    ("1000(0)/mV", "1000(0)/mmHg", "unit in lead 1"),
])  # fmt: skip
def test_w18_lead_names_and_units(wfdb_record, bad_signal, old, new, part):
    wfdb_record(edit=lambda text: text.replace(old, new, 1))
    assert part in bad_signal()


@pytest.mark.parametrize(("unit", "millivolts"), [
    ("uV", 1e-3), ("µV", 1e-3), ("μV", 1e-3), ("V", 1e3), ("nV", 1e-6), ("mv", 1), ("MV", 1),
])  # fmt: skip
def test_w18_units_are_converted(tmp_path, wfdb_record, only_signal, unit, millivolts):
    counts = wfdb_record()
    path = tmp_path / "r.hea"
    path.write_text(path.read_text().replace("1000(0)/mV", f"8(0)/{unit}", 1))
    found = only_signal().signal
    assert found[0] == pytest.approx(counts[0] / 8 * millivolts, rel=1e-6)
    assert np.array_equal(found[1], (counts[1] / 1000).astype(np.float32))


def test_w19_the_code_for_no_sample_is_nan(wfdb_record, only_signal):
    counts = np.full((12, 5), 100, np.int16)
    counts[3, 2] = -32_768
    counts[7] = 0
    wfdb_record(counts=counts, stored="16 1000(0)/mV")
    found = only_signal().signal
    assert np.argwhere(np.isnan(found)).tolist() == [[3, 2]]
    assert not found[7].any()  # a flat lead is for the preprocessing to refuse


def test_more_leads_in_a_second_file_are_left_out_and_their_file_not_opened(
    wfdb_record, only_signal, opened
):
    def frank(text: str) -> str:
        return text.replace("r 12", "r 15") + "".join(f"r.xyz 16 0 0 0 0 0 0 v{x}\n" for x in "xyz")

    wfdb_record(edit=frank)
    assert only_signal().signal.shape == (12, 40)
    assert not [name for _, name in opened if name.endswith(".xyz")]


def test_w20_every_changed_byte_of_the_samples_is_found(tmp_path, wfdb_record, bad_signal):
    wfdb_record()
    data = (tmp_path / "r.dat").read_bytes()
    draw = random.Random(5)
    for _ in range(300):
        place = draw.randrange(len(data))
        changed = data[place] ^ draw.randrange(1, 256)
        (tmp_path / "r.dat").write_bytes(data[:place] + bytes([changed]) + data[place + 1 :])
        bad_signal()


def test_w21_damaged_mat_files_are_refused_or_read_as_before(tmp_path, wfdb_record):
    """The samples begin at byte 24; what MATLAB wrote before them is not looked at."""
    before = bytes([10, 0, 0, 0, 12, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]) + b"val\0"
    counts = wfdb_record(stored="16x1+24 1000(0)/mV", before=before)
    data = (tmp_path / "r.dat").read_bytes()
    source = open_signals(tmp_path)
    draw = random.Random(6)
    refused = 0
    for _ in range(600):
        changed = bytearray(data)
        for _ in range(draw.choice([1, 1, 2, 5])):
            changed[draw.randrange(len(data))] = draw.randrange(256)
        del changed[draw.choice([len(data), len(data), draw.randrange(len(data))]) :]
        (tmp_path / "r.dat").write_bytes(changed)
        try:
            found = source.signal("r.hea")
        except BadRecord:
            refused += 1
        else:
            assert np.array_equal(found.signal, (counts / 1000).astype(np.float32))
    assert 400 < refused < 600


@pytest.mark.filterwarnings("ignore")  # of pandas, for what wfdb does
@pytest.mark.parametrize("name", ["binformats", "flacformats"])
def test_formats_decoded_by_wfdb_are_its_samples(shared, name):
    wfdb = pytest.importorskip("wfdb")
    folder = shared / "data" / "wfdb-formats"
    tree = Tree(os.path.realpath(folder))
    header = read_header(tree, f"{name}.hea")
    counts, longer = read_counts(tree, f"{name}.hea", header, range(len(header.signals)))
    expected = wfdb.rdrecord(str(folder / name), physical=False).d_signal
    assert not longer
    assert np.array_equal(counts, expected.T)


@pytest.mark.filterwarnings("ignore")  # of pandas, for what wfdb does
@pytest.mark.parametrize("format", [24, 32, 80, 212, 508, 516, 524])
def test_w09_w10_w19_other_formats(tmp_path, bad_signal, only_signal, format):
    """Records written by wfdb, with its code for "no sample" in one place."""
    wfdb = pytest.importorskip("wfdb")
    bits = {24: 24, 32: 32, 80: 8, 212: 12, 508: 8, 516: 16, 524: 24}[format]
    counts = np.random.default_rng(3).integers(-100, 100, (60, 12))
    counts[7, 4] = -(1 << (bits - 1))
    wfdb.wrsamp(
        "r", fs=500, units=["mV"] * 12, sig_name=list(LEADS), d_signal=counts,
        fmt=[str(format)] * 12, adc_gain=[200.0] * 12, baseline=[0] * 12, write_dir=str(tmp_path),
    )  # fmt: skip
    found = only_signal()
    expected = (counts / 200).astype(np.float32)
    expected[7, 4] = np.nan
    assert found.remarks == ()
    assert np.array_equal(found.signal, expected.T, equal_nan=True)
    path = max(tmp_path.glob("*.dat"))  # FLAC takes two for 12 leads
    data = path.read_bytes()
    for cut in range(0, len(data) - 12, len(data) // 20):
        path.write_bytes(data[:cut])
        bad_signal()
    if format < 500:
        path.write_bytes(data + bytes(40))
        assert only_signal().remarks == ("signal file longer than its header says",)
    header = tmp_path / "r.hea"
    path.write_bytes(data)
    header.write_text(header.read_text().replace("r 12 500 60", "r 12 500 40"))
    bad_signal()  # the checksums are those of 60 samples
