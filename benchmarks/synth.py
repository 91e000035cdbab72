"""The synthetic corpus: ECGs a second on one core, and what can be measured on its ECGs.

    python -P benchmarks/synth.py [--real DIR] [--n 6000]

``--real`` is a folder of PTB-XL records with a ``labels.csv`` (record path, and 1, 0, -1 or blank
per label); the same measurements on them are printed beside the synthetic ones. The measuring code
knows nothing of the generator: it finds the beats, takes their median and measures that.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.signal import butter, find_peaks, sosfiltfilt

FS_HZ = 250
LEAD_I, II, AVL, AVF, V1, V2, V3, V5, V6 = 0, 1, 4, 5, 6, 7, 8, 10, 11
_DRIFT = butter(2, 0.5, "highpass", fs=FS_HZ, output="sos")
_STEEP = butter(2, (8, 25), "bandpass", fs=FS_HZ, output="sos")
_SMOOTH = butter(2, 40, "lowpass", fs=FS_HZ, output="sos")
_ATRIAL = butter(2, (3, 30), "bandpass", fs=FS_HZ, output="sos")

#: What shows each label.
SHOWN_BY = {
    "sinus_rhythm": ("rate", "rr_cv", "p_ii"),
    "rbbb": ("qrs_ms", "late_v1", "late_v6"),
    "lbbb": ("qrs_ms", "net_v1"),
    "atrial_fibrillation": ("rate", "rr_cv", "p_ii", "atrial_uv"),
    "atrial_flutter": ("atrial_hz", "atrial_peak"),
    "left_axis_deviation": ("axis",),
    "right_axis_deviation": ("axis",),
    "right_superior_axis_deviation": ("axis",),
    "lvh": ("sokolow", "cornell"),
    "rvh": ("r_v1", "s_v6"),
    "anterior_mi": ("first_v2", "r_v3"),
    "inferior_mi": ("first_avf", "r_ii"),
    "posterior_mi": ("r_v1", "r_v2"),
}
UNITS = {
    "rate": "beats/min", "rr_cv": "SD / mean of RR", "p_ii": "mV, P in II",
    "qrs_ms": "ms", "late_v1": "mV, last 40 ms of V1", "late_v6": "mV, last 40 ms of V6",
    "net_v1": "uV s, area in V1", "atrial_uv": "uV RMS in V1 between QRS, 3 to 30 Hz",
    "atrial_hz": "Hz, largest in V1 and II, 3.5 to 9", "atrial_peak": "share within 0.25 Hz of it",
    "axis": "degrees, net area in I and aVF", "sokolow": "mV, S V1 + R V5 or V6",
    "cornell": "mV, R aVL + S V3", "r_v1": "mV", "s_v6": "mV", "r_v3": "mV", "r_v2": "mV",
    "r_ii": "mV", "first_v2": "mV, first 40 ms of V2", "first_avf": "mV, first 40 ms of aVF",
    "noise_uv": "uV, from second differences",
}  # fmt: skip


def beats(ecg: np.ndarray) -> np.ndarray:
    """Samples of the R peaks of a 12 x 2500 ECG: where all leads together are steepest."""
    steep = np.gradient(sosfiltfilt(_STEEP, ecg, axis=1), axis=1)
    energy = np.convolve(np.sqrt((steep**2).sum(0)), np.ones(25) / 25, "same")
    tall = np.percentile(energy, 98)
    return find_peaks(energy, height=0.4 * tall, distance=60, prominence=0.3 * tall)[0]


def measure(ecg: np.ndarray) -> dict[str, float]:
    """Measurements of one ECG (12 x 2500, mV, 250 Hz); none where it has under four beats."""
    ecg = sosfiltfilt(_DRIFT, ecg.astype(float), axis=1)
    peaks = beats(ecg)
    inside = peaks[(peaks > 85) & (peaks < ecg.shape[1] - 120)]
    if len(inside) < 3:
        return {}
    rr = np.diff(peaks) / FS_HZ
    smooth = sosfiltfilt(_SMOOTH, ecg, axis=1)
    beat = np.median([smooth[:, at - 85 : at + 120] for at in inside], axis=0)
    on, off = _qrs(beat)
    qrs = (beat - np.median(beat[:, on - 6 : on], axis=1, keepdims=True))[:, on - 1 : off + 1]
    up, down, area = qrs.max(1), -qrs.min(1), qrs.sum(1)
    first, last = qrs[:, :10].mean(1), qrs[:, -10:].mean(1)
    before = beat[II, max(0, on - 55) : on - 8]
    jumps = ecg[:, 2:] - 2 * ecg[:, 1:-1] + ecg[:, :-2]
    return {
        "noise_uv": np.median(np.abs(jumps), axis=1).mean() / 0.6745 / np.sqrt(6) * 1000,
        "rate": 60 / np.median(rr),
        "rr_cv": rr.std() / rr.mean(),
        "p_ii": before.max() - np.median(before),
        "qrs_ms": (off - on) * 1000 / FS_HZ,
        "axis": np.degrees(np.arctan2(area[AVF] * 2 / np.sqrt(3), area[LEAD_I])),
        "sokolow": down[V1] + max(up[V5], up[V6]),
        "cornell": up[AVL] + down[V3],
        "r_ii": up[II], "r_v1": up[V1], "r_v2": up[V2], "r_v3": up[V3], "s_v6": down[V6],
        "net_v1": area[V1] / FS_HZ * 1000,
        "first_v2": first[V2], "first_avf": first[AVF],
        "late_v1": last[V1], "late_v6": last[V6],
        **_atria(ecg, peaks),
    }  # fmt: skip


def _qrs(beat: np.ndarray) -> tuple[int, int]:
    """Onset and end: where all leads together have become slow; the R peak is at 85."""
    speed = np.sqrt((np.gradient(beat, axis=1) ** 2).sum(0))
    top = 70 + int(np.argmax(speed[70:115]))
    quiet = np.percentile(speed, 25)
    slow = np.convolve(speed, np.ones(5) / 5, "same") < quiet + 0.1 * (speed[top] - quiet)
    on = off = top
    while on > 40 and not slow[on - 3 : on].all():
        on -= 1
    while off < 150 and not slow[off : off + 4].all():
        off += 1
    return on, off


def _atria(ecg: np.ndarray, peaks: np.ndarray) -> dict[str, float]:
    """What is left in II and V1 when straight lines replace the QRS complexes."""
    rest = ecg[[II, V1]].copy()
    for peak in peaks:
        start, end = max(0, peak - 15), min(ecg.shape[1] - 1, peak + 20)
        rest[:, start:end] = np.linspace(rest[:, start], rest[:, end], end - start, axis=1)
    rest = sosfiltfilt(_ATRIAL, rest, axis=1)
    power = (np.abs(np.fft.rfft(rest * np.hanning(rest.shape[1]), 10_000)) ** 2).sum(0)
    hz = np.fft.rfftfreq(10_000, 1 / FS_HZ)
    band = (hz > 3.5) & (hz < 9)
    top = hz[np.argmax(np.where(band, power, 0))]
    near = band & (np.abs(hz - top) < 0.25)
    return {
        "atrial_uv": rest[1].std() * 1000,
        "atrial_hz": top,
        "atrial_peak": power[near].sum() / power[band].sum(),
    }


def table(ecgs: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """Measurements of many ECGs as columns; NaN where one could not be measured."""
    rows = [measure(ecg) for ecg in ecgs]
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in UNITS}


def synthetic(n: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Signals as recorded, and the true labels."""
    from overread.signals.synth import LABELS, chunks, signals_of

    made = list(chunks(n, seed=seed))
    truth = np.concatenate([chunk.hearts.truth for chunk in made])[:n]
    return np.concatenate([signals_of(chunk) for chunk in made]), dict(
        zip(LABELS, truth.T, strict=True)
    )


def real(folder: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Every other sample of 500 Hz records, and their labels; -9 where the source says nothing."""
    import wfdb

    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    signals = [
        wfdb.rdrecord(str(folder / row["path"])).p_signal.T[:, ::2].astype(np.float32)
        for row in rows
    ]
    labels = {name: np.array([int(row[name] or -9) for row in rows]) for name in SHOWN_BY}
    return np.stack(signals), labels


def _quantiles(values: np.ndarray) -> str:
    values = values[np.isfinite(values)]
    if not len(values):
        return " " * 32
    low, middle, high = np.percentile(values, (5, 50, 95))
    return f"{len(values):6d} {middle:8.2f} {f'({low:.2f} to {high:.2f})':>20}"


def _speed() -> None:
    from overread.signals.preprocess import filter_windows
    from overread.signals.synth import chunks, signals_of

    for chunk in chunks(256, seed=1):  # compiles
        filter_windows(signals_of(chunk))
    count = 2_048
    start = time.process_time()
    for chunk in chunks(count, seed=2):
        signals_of(chunk)
    made = time.process_time() - start
    start = time.process_time()
    for chunk in chunks(count, seed=2):
        filter_windows(signals_of(chunk))
    print(f"signals and texts: {count / made:,.0f} ECGs a second of one core")
    print(f"filtered, too: {count / (time.process_time() - start):,.0f}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--n", type=int, default=6_000)
    options = parser.parse_args()
    _speed()
    parts = [("synthetic", *synthetic(options.n, seed=1))]
    if options.real:
        parts.append(("real", *real(options.real)))
    tables = [(name, table(signals), labels) for name, signals, labels in parts]
    print("Median (5th to 95th percentile); number of ECGs before it.\n")
    print(f"{'':26}{'':>9}", *(f"{name:>36}" for name, *_ in tables))
    for measured in UNITS:
        columns = [_quantiles(found[measured]) for _, found, _ in tables]
        print(f"{measured:<26}{'all':>9}", *columns, f" {UNITS[measured]}")
    for label, names in SHOWN_BY.items():
        print(f"\n{label}")
        for measured in names:
            for value, word in ((1, "with"), (0, "without")):
                columns = [_quantiles(found[measured][labels[label] == value])
                           for _, found, labels in tables]  # fmt: skip
                print(f"  {measured:<24}{word:>9}", *columns)


if __name__ == "__main__":
    main()
