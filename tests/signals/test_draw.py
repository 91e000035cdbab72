"""The ECG on paper, measured with a ruler: every length is read back from the file in mm."""

from __future__ import annotations

import io
import re
import stat
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from overread.errors import OutputExists, UsageError
from overread.signals.draw import draw
from overread.sources.recording import Recording
from overread.tables import LEADS

SVG = "{http://www.w3.org/2000/svg}"
COLUMN_OF = {lead: index // 3 for index, lead in enumerate(LEADS)}
ROW_OF = {lead: index % 3 for index, lead in enumerate(LEADS)}


def recording(signal, fs_hz=500.0):
    return Recording("patient-4711", "4711", fs_hz, np.asarray(signal, np.float32))


def quiet(samples=5000):
    return np.zeros((12, samples), np.float32)


class Sheet:
    """An SVG file's traces in mm from the upper left corner, y downwards, and its words."""

    def __init__(self, path):
        self.root = ET.parse(path).getroot()
        self.width_mm, self.height_mm = (
            float(self.root.get(side).removesuffix("pt")) * 25.4 / 72
            for side in ("width", "height")
        )
        box = [float(number) for number in self.root.get("viewBox").split()]
        assert box[:2] == [0, 0]
        scale = self.width_mm / box[2]
        assert scale == pytest.approx(self.height_mm / box[3])
        paths = [  # pulses and leads; grid and marks have other line ends
            each
            for each in self.root.iter(f"{SVG}path")
            if "stroke-linecap: round" in each.get("style", "")
        ]
        self.traces = [self._points(each.get("d", "")) * scale for each in paths]
        self.moves = [each.get("d", "").count("M") for each in paths]
        self.words = ["".join(each.itertext()).strip() for each in self.root.iter(f"{SVG}text")]

    @staticmethod
    def _points(d):
        numbers = re.findall(r"[ML] (\S+) (\S+)", d)
        return np.array([[float(x), float(y)] for x, y in numbers]).reshape(-1, 2)

    def pulses(self):
        return [trace for trace in self.traces if len(trace) == 6]

    def rhythm(self):
        return self.traces[-1]


@pytest.fixture
def sheet(tmp_path):
    def drawn(signal, fs_hz=500.0, **options):
        path = tmp_path / "ecg.svg"
        draw(recording(signal, fs_hz), path, overwrite=True, **options)
        return Sheet(path)

    return drawn


def test_the_page_is_a4_across(sheet):
    page = sheet(quiet())
    assert page.width_mm == pytest.approx(297, abs=0.001)
    assert page.height_mm == pytest.approx(210, abs=0.001)


def test_four_calibration_pulses_of_10_mm_for_0_2_s(sheet):
    pulses = sheet(quiet()).pulses()
    assert len(pulses) == 4
    for pulse in pulses:
        assert np.ptp(pulse[:, 1]) == pytest.approx(10, abs=0.001)
        top = pulse[pulse[:, 1] < pulse[0, 1] - 5, 0]
        assert np.ptp(top) == pytest.approx(5, abs=0.001)


@pytest.mark.parametrize("fs_hz", [100, 257, 1000])
def test_a_known_wave_at_25_mm_a_second_and_10_mm_a_millivolt(sheet, fs_hz):
    """1.5 mV of 2 Hz: 30 mm from peak to peak, 12.5 mm from one peak to the next."""
    seconds = np.arange(10 * fs_hz) / fs_hz
    wave = np.tile(1.5 * np.sin(2 * np.pi * 2 * seconds), (12, 1))
    x, y = sheet(wave, fs_hz).rhythm().T
    assert len(x) == 10 * fs_hz  # every sample
    assert np.diff(x) == pytest.approx(25 / fs_hz, abs=1e-4)
    assert np.ptp(y) == pytest.approx(30, abs=0.1)
    middle = (y.max() + y.min()) / 2
    upwards = x[1:][(y[:-1] > middle) & (y[1:] <= middle)]
    assert np.diff(upwards) == pytest.approx(12.5, abs=25 / fs_hz + 1e-3)


def test_each_lead_has_its_own_place_and_2_5_seconds(sheet):
    """A spike of as many tenths of a millivolt as the lead's number, in the middle of its time."""
    signal = quiet()
    for number, lead in enumerate(LEADS, 1):
        signal[number - 1, 1250 * COLUMN_OF[lead] + 625] = number / 10
    page = sheet(signal)
    starts = [pulse[0, 1] for pulse in page.pulses()]
    for number, lead in enumerate(LEADS, 1):
        found = [
            trace
            for trace in page.traces
            if len(trace) > 6 and np.ptp(trace[:, 1]) == pytest.approx(number, abs=0.001)
        ]
        trace = found[0]  # lead II stands a second time, as the rhythm strip
        assert len(found) == (2 if lead == "II" else 1)
        zero = page.rhythm()[0, 0]
        assert trace[0, 0] == pytest.approx(zero + 62.5 * COLUMN_OF[lead], abs=0.001)
        # The last sample of the last column is one step before 10 s.
        assert np.ptp(trace[:, 0]) == pytest.approx(62.5, abs=0.051)
        assert trace[0, 1] == pytest.approx(starts[ROW_OF[lead]], abs=0.001)
        peak = trace[trace[:, 1].argmin()]
        assert peak[0] == pytest.approx(zero + 62.5 * COLUMN_OF[lead] + 31.25, abs=0.001)


def test_grid_of_1_and_5_mm_under_the_baselines(sheet):
    page = sheet(quiet())
    grids = [
        np.array([float(n) for n in re.findall(r"M (\S+)", each.get("d", ""))]) * 25.4 / 72
        for each in page.root.iter(f"{SVG}path")
        if each.get("d").count("M") > 80
    ]
    steps = [np.unique(np.diff(np.unique(grid.round(3))).round(2)).tolist() for grid in grids]
    assert steps == [[1.0], [5.0]]


def test_the_words_of_the_page(sheet):
    words = sheet(quiet()).words
    assert set(LEADS) <= set(words)
    assert words.count("II") == 2
    assert any("25 mm/s 10 mm/mV" in line and "500 Hz" in line for line in words)


def test_nobody_is_named_unless_asked(sheet):
    assert "4711" not in " ".join(sheet(quiet()).words)
    title = "ECG 4711 of $5 & <b>$"
    assert title in sheet(quiet(), title=title).words


def test_an_electrodes_offset_is_set_aside_and_drift_is_not(sheet):
    drift = np.tile(np.linspace(-1, 1, 5000), (12, 1)) + 7
    page = sheet(drift)
    y = page.rhythm()[:, 1]
    assert y[0] - y[-1] == pytest.approx(20, abs=0.01)
    assert (y[0] + y[-1]) / 2 == pytest.approx(page.pulses()[3][0, 1], abs=0.01)


def test_a_shorter_recording_ends_early(sheet):
    page = sheet(quiet(3500))  # 7 s: 2 s in the third column, nothing in the fourth
    assert np.ptp(page.rhythm()[:, 0]) == pytest.approx(7 * 25, abs=0.06)
    assert (
        max(trace[:, 0].max() for trace in page.traces[:-1] if len(trace))
        < page.rhythm()[-1, 0] + 0.06
    )
    assert any("7 s" in line for line in page.words)


def test_of_a_longer_recording_the_first_ten_seconds(sheet):
    page = sheet(np.tile(np.arange(38_400) / 38_400, (12, 1)), 1000.0)
    assert np.ptp(page.rhythm()[:, 0]) == pytest.approx(250, abs=0.001)
    assert any("first 10 s of 38.4 s" in line for line in page.words)


def test_missing_samples_are_a_gap(sheet):
    signal = quiet()
    signal[1, 3000:3100] = np.nan
    signal[0] = np.nan
    page = sheet(signal)
    assert page.moves[-1] == 2
    assert len(page.rhythm()) == 4900


def test_an_empty_recording_is_an_empty_sheet(sheet):
    page = sheet(quiet(0))
    assert len(page.pulses()) == 4
    assert not any(len(trace) > 6 for trace in page.traces)


@pytest.mark.parametrize("level", [12.0, 1e6, 3.4e38])
def test_what_leaves_the_grid_is_cut_at_its_edge(tmp_path, level):
    from PIL import Image

    signal = quiet()
    signal[:, 1000:1500] = level
    signal[:, 2000:2500] = -level
    draw(recording(signal), tmp_path / "ecg.png")
    pixels = np.asarray(Image.open(tmp_path / "ecg.png").convert("L"))
    blank = pixels[:120]  # the upper 12 mm of the page, above the grid
    assert (blank == 255).all()
    assert (pixels < 60).any()


def test_png_has_ten_pixels_to_the_millimetre(tmp_path):
    from PIL import Image

    draw(recording(quiet()), tmp_path / "ecg.png")
    with Image.open(io.BytesIO((tmp_path / "ecg.png").read_bytes())) as image:
        assert image.size == (2970, 2100)
        assert image.info["dpi"] == pytest.approx((254, 254), abs=0.01)


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf", ".SVG"])
def test_the_same_recording_gives_the_same_bytes(tmp_path, suffix):
    signal = np.random.default_rng(0).normal(0, 0.2, (12, 5000))
    for name in ("a", "b"):
        draw(recording(signal), tmp_path / f"{name}{suffix}", title="ECG 7")
    first, second = ((tmp_path / f"{name}{suffix}") for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600


def test_pdf_is_one_page_of_a4(tmp_path):
    draw(recording(quiet()), tmp_path / "ecg.pdf")
    box = re.search(rb"/MediaBox \[ *0 0 (\S+) (\S+) *\]", (tmp_path / "ecg.pdf").read_bytes())
    assert [float(side) * 25.4 / 72 for side in box.groups()] == pytest.approx([297, 210], abs=0.01)


@pytest.mark.parametrize("name", ["ecg.jpg", "ecg", "ecg.svg.gz"])
def test_another_suffix_is_refused_with_what_there_is(tmp_path, name):
    with pytest.raises(UsageError, match=r"\.svg, \.png, \.pdf"):
        draw(recording(quiet()), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_stays(tmp_path):
    (tmp_path / "ecg.svg").write_text("mine")
    with pytest.raises(OutputExists):
        draw(recording(quiet()), tmp_path / "ecg.svg")
    assert (tmp_path / "ecg.svg").read_text() == "mine"
