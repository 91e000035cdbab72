"""Hearts of the synthetic corpus: patients, what is wrong with them, what each ECG will show.

Every disease is one standard normal number per ECG, most of it shared by a patient's ECGs and some
of it between diseases (age, right ventricle and axis, inferior and posterior wall). A label is true
above the quantile that gives its prevalence; how far above or below sets the size of the sign, so
that borderline cases exist on both sides. `synth_waves` turns the result into signals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: The 13 labels that the generator draws, in the order of the shipped vocabulary.
LABELS: Final = (
    "sinus_rhythm", "atrial_fibrillation", "atrial_flutter", "rbbb", "lbbb",
    "left_axis_deviation", "right_axis_deviation", "right_superior_axis_deviation",
    "lvh", "rvh", "anterior_mi", "inferior_mi", "posterior_mi",
)  # fmt: skip

#: Labels that exclude each other, as classes; "" is none of them.
RHYTHMS: Final = ("", "sinus_rhythm", "atrial_fibrillation", "atrial_flutter")
BLOCKS: Final = ("", "rbbb", "lbbb")
AXES: Final = (
    "", "left_axis_deviation", "right_axis_deviation", "right_superior_axis_deviation",
)  # fmt: skip
OTHER, SINUS, FIBRILLATION, FLUTTER = range(4)
NORMAL, LEFT, RIGHT, SUPERIOR = range(4)

#: Kinds of beats: as conducted, atrial premature, ventricular premature.
CONDUCTED, ATRIAL, VENTRICULAR = range(3)
BEATS: Final = 52  # at most in one strip: 10 s at 250 to 300 a minute, and one before

_SECONDS: Final = 10.0
_PATIENT_SHARE: Final = 0.9  # of a disease's variance; the rest differs from ECG to ECG
_RHYTHM_SHARE: Final = 0.75  # paroxysms come and go
_LATENT: Final = (
    "axis", "block", "lv", "rv", "anterior", "inferior", "posterior", "rhythm", "rotation", "torso",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hearts:
    """Parameters of n ECGs; a sign of size 1 stands at the border of its label."""

    patient: Ints  # number of the patient among these ECGs
    visit: Ints  # 0 for a patient's first ECG
    day: Ints  # since 2008-01-01
    age: Floats  # years at this ECG
    rhythm: Ints  # index into RHYTHMS
    junctional: npt.NDArray[np.bool_]  # of OTHER; else the P wave comes from the low atrium
    conduction: Ints  # atrial cycles per beat in flutter, 0 where it varies or there is none
    rate: Floats  # beats per minute, from the mean RR interval
    irregularity: Floats  # standard deviation of RR over its mean
    beats: Floats  # n x BEATS: seconds from the strip's start to each QRS onset; NaN = unused
    kinds: Ints  # n x BEATS: CONDUCTED, ATRIAL or VENTRICULAR
    pr_ms: Floats  # P onset to QRS onset
    p_mv: Floats  # size of the P wave, 0 without one
    f_mv: Floats  # size of fibrillation or flutter waves, 0 without them
    f_hz: Floats  # and their frequency
    axis_deg: Floats  # of the QRS, -180 to 180
    width: Floats  # of the QRS without a block; 1 is 88 ms
    rbbb: Floats
    lbbb: Floats
    lv_gain: Floats  # size of the left ventricular forces; 1 is normal
    torso_gain: Floats  # what the body lets through, the same in all leads
    lvh: Floats
    rvh: Floats
    anterior: Floats
    inferior: Floats
    posterior: Floats
    rotation_deg: Floats  # about the long axis of the body; positive = late transition in V1 to V6
    shape: Floats  # n x 5 x 3: a patient's own deviations of the QRS forces, standard normal
    lateral: Floats  # 0 septal to 1 lateral reach of an anterior scar
    acute: Floats  # ST elevation of a fresh infarct, mV; 0 for most
    strain: Floats  # ST and T opposite to the QRS in hypertrophy, 0 to 1
    t_gain: Floats
    qtc_ms: Floats
    truth: npt.NDArray[np.int8]  # n x 13 in the order of LABELS

    def __len__(self) -> int:
        return len(self.age)

    @property
    def stretch(self) -> Floats:
        """How much longer the left ventricle takes than 88 ms; a block leaves no room for more."""
        own = 1 + (self.width - 1) * (1 - np.minimum(self.lbbb, 1))
        stretched: Floats = own * (1 + 0.36 * self.lbbb)
        return stretched

    @property
    def qrs_ms(self) -> Floats:
        """Duration of the QRS; about 120 ms where a block has size 1."""
        late_ends = 60 + 31 * np.minimum(self.rbbb, 2.6) + 2.2 * self.late_spread_ms
        return np.maximum(88 * self.stretch, np.where(self.rbbb > 0, late_ends, 0))

    @property
    def late_spread_ms(self) -> Floats:
        """Standard deviation of the late force of a right bundle branch block."""
        return 6.5 + 6.5 * np.minimum(self.rbbb, 1.8)


def draw_hearts(
    rng: np.random.Generator, n: int, prevalence: Mapping[str, float], *, again: bool = True
) -> Hearts:
    """Parameters of ``n`` ECGs; a patient has two on average, a few have more than ten.

    With ``again=False`` every patient has one, so that shares of the ECGs vary less.

    ``prevalence`` gives the share of ECGs in which each of ``LABELS`` is true; the three rhythms
    must leave room for others.

    >>> even = dict.fromkeys(LABELS, 0.1)
    >>> hearts = draw_hearts(np.random.default_rng(1), 1000, even)
    >>> hearts.truth.shape, int(hearts.visit.max()) > 5
    ((1000, 13), True)
    """
    patient, visit, day = _visits(rng, n, again)
    old = rng.standard_normal(n)[patient]
    share = np.array([_RHYTHM_SHARE if name == "rhythm" else _PATIENT_SHARE for name in _LATENT])
    mixed = np.sqrt(share) * rng.standard_normal((n, len(_LATENT)))[patient]
    mixed += np.sqrt(1 - share) * rng.standard_normal((n, len(_LATENT)))
    z = dict(zip(_LATENT, mixed.T, strict=True))

    lv = _mix(z["lv"], (0.3, old))
    inferior = _mix(z["inferior"], (0.2, old))
    anterior = _mix(z["anterior"], (0.2, old))
    posterior = _mix(z["posterior"], (0.45, z["inferior"]))
    axis = _mix(z["axis"], (0.55, z["rv"]), (-0.15, z["lv"]), (-0.3, z["inferior"]))
    above = {name: _quantile(1 - prevalence[name]) for name in LABELS}

    rhythm = _rhythm(_mix(z["rhythm"], (0.35, old), (0.1, z["lv"])), prevalence)
    beating = _beating(rng, rhythm)
    axis_class, axis_deg = _axis(axis, prevalence)
    lv_over = lv - above["lvh"]
    signs: dict[str, Any] = {
        "rbbb": _size(z["block"] - above["rbbb"], ramp=0.5, gap=0.12, slope=0.5),
        "lbbb": _size(-z["block"] - above["lbbb"], ramp=0.4, gap=0.15, slope=0.9),
        "rvh": _size(z["rv"] - above["rvh"], ramp=0.6, gap=0.1, slope=0.6),
        "anterior": _size(anterior - above["anterior_mi"], ramp=0.7, gap=0.1, slope=0.6),
        "inferior": _size(inferior - above["inferior_mi"], ramp=0.45, gap=0.12, slope=0.6),
        "posterior": _size(posterior - above["posterior_mi"], ramp=0.6, gap=0.1, slope=0.6),
    }
    truth = np.zeros((n, len(LABELS)), np.int8)
    for name in RHYTHMS[1:]:
        truth[:, LABELS.index(name)] = rhythm == RHYTHMS.index(name)
    for name in AXES[1:]:
        truth[:, LABELS.index(name)] = axis_class == AXES.index(name)
    for name in ("rbbb", "lbbb", "rvh"):
        truth[:, LABELS.index(name)] = signs[name] > 1
    for name in ("anterior", "inferior", "posterior"):
        truth[:, LABELS.index(f"{name}_mi")] = signs[name] > 1
    truth[:, LABELS.index("lvh")] = lv_over > 0

    infarct = np.maximum(signs["anterior"], np.maximum(signs["inferior"], signs["posterior"])) > 1
    return Hearts(
        patient=patient,
        visit=visit,
        day=day,
        age=np.clip(60 + 17 * old, 18, 97) + day / 365.25 * 0.2,
        rhythm=rhythm,
        **beating,
        axis_deg=axis_deg,
        width=np.clip(rng.normal(0.90, 0.08, n)[patient], 0.72, 1.15),
        # Logarithms: a step of 0.12 between the largest normal and the smallest ill ones.
        lv_gain=np.exp(np.where(lv_over > 0, 0.37 + 0.30 * lv_over, 0.25 + 0.25 * lv_over)),
        torso_gain=np.exp(0.13 * z["torso"]),
        lvh=_size(lv_over, ramp=1.0, gap=0.1, slope=0.6),
        **signs,
        rotation_deg=18 * z["rotation"],
        shape=rng.standard_normal((n, 5, 3))[patient],
        lateral=rng.random(n)[patient],
        acute=np.where(infarct & (rng.random(n) < 0.08), rng.uniform(0.1, 0.35, n), 0.0),
        strain=np.clip(0.5 * lv_over, 0, 1) * rng.random(n)[patient],
        t_gain=np.exp(rng.normal(0, 0.35, n)) * np.where(rng.random(n) < 0.06, -0.3, 1.0),
        qtc_ms=rng.normal(418, 22, n),
        truth=truth,
    )


def _visits(rng: np.random.Generator, n: int, again: bool) -> tuple[Ints, Ints, Ints]:
    """Patient, number of the visit and day of each ECG; a patient's ECGs follow each other."""
    often = rng.random(n) < 0.1
    visits = np.minimum(np.where(often, rng.geometric(0.15, n), rng.geometric(0.65, n)), 20)
    if not again:
        visits[:] = 1
    first = np.cumsum(visits) - visits
    patient = np.searchsorted(first, np.arange(n), side="right") - 1
    visit = np.arange(n) - first[patient]
    gap = np.minimum(np.ceil(rng.lognormal(3.5, 1.5, n)), 300) * (visit > 0)
    passed = np.cumsum(gap)
    began = rng.integers(0, 11 * 365, n)
    return patient, visit, (began[patient] + passed - passed[first[patient]]).astype(np.int64)


def _quantile(share: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(share))


def _mix(z: Floats, *shared: tuple[float, Floats]) -> Floats:
    """Standard normal again, correlated with each of the (mutually independent) shared ones."""
    own = np.sqrt(1 - sum(weight**2 for weight, _ in shared))
    mixed: Floats = own * z + sum(weight * other for weight, other in shared)
    return mixed


def _size(over: Floats, *, ramp: float, gap: float, slope: float) -> Floats:
    """Size of a sign: 0 far below the border, 1 at it, then growing.

    ``gap`` is the jump to either side of 1: few hearts stand exactly between well and ill.
    """
    return np.where(over > 0, 1 + gap + slope * over, (1 - gap) * np.clip(1 + over / ramp, 0, 1))


def _rhythm(z: Floats, prevalence: Mapping[str, float]) -> Ints:
    sinus, fibrillation, flutter = (prevalence[name] for name in RHYTHMS[1:])
    borders = [_quantile(sinus), _quantile(1 - fibrillation - flutter), _quantile(1 - fibrillation)]
    return np.array([SINUS, OTHER, FLUTTER, FIBRILLATION])[np.searchsorted(borders, z)]


def _axis(z: Floats, prevalence: Mapping[str, float]) -> tuple[Ints, Floats]:
    """Class and degrees: the classes' borders at -30, 90 and -90 degrees, most cases near them."""
    from scipy.special import ndtr, ndtri

    left, right, superior = (prevalence[name] for name in AXES[1:])
    edges = np.array([0, superior, superior + left, 1 - right, 1])
    u = ndtr(z)
    part = np.clip(np.searchsorted(edges, u, side="right") - 1, 0, 3)
    inside = (u - edges[part]) / (edges[part + 1] - edges[part])
    degrees = np.choose(
        part,
        [
            -90 - 75 * (1 - inside),
            -30 - 58 * (1 - inside) ** 1.7,
            30 + 60 * ndtri(0.02 + 0.96 * inside) / ndtri(0.98),
            90 + 75 * inside**1.7,
        ],
    )
    return np.array([SUPERIOR, LEFT, NORMAL, RIGHT])[part], degrees


def _beating(rng: np.random.Generator, rhythm: Ints) -> dict[str, Any]:
    """Rates, the times of all beats, and the atria."""
    n = len(rhythm)
    sinus, fibrillation, flutter, other = (
        rhythm == code for code in (SINUS, FIBRILLATION, FLUTTER, OTHER)
    )
    junctional = other & (rng.random(n) < 0.5)
    fast = rng.normal(0, 1, n)
    rate = 71 * np.exp(0.2 * fast)
    rate[fibrillation] = np.clip(93 * np.exp(0.28 * fast[fibrillation]), 40, 190)
    rate[other] = 68 * np.exp(0.2 * fast[other])
    rate[junctional] = 52 * np.exp(0.15 * fast[junctional])

    organised = rng.standard_normal(n)  # coarse waves are slower, larger and more regular
    f_hz = np.where(flutter, np.clip(5 + 0.35 * organised, 4.2, 5.8), 6.2 - 0.7 * organised)
    f_hz = np.clip(f_hz, 4.2, 9.0) * (fibrillation | flutter)
    f_mv = np.where(flutter, 0.15, 0.04) * np.exp(np.where(flutter, 0.35, 0.5) * organised)
    f_mv *= fibrillation | flutter

    even = rng.normal(0, 1, (n, BEATS))
    variation = np.exp(rng.normal(np.log(0.022), 0.6, n))
    breath = rng.uniform(0, 2 * np.pi, (n, 1)) + np.arange(BEATS) * rng.uniform(0.9, 1.8, (n, 1))
    relative = 1 + variation[:, None] * (1.2 * np.sin(breath) + 0.35 * even)
    unsteady = np.exp(rng.normal(np.log(0.21), 0.28, n))
    wild = np.exp(unsteady[:, None] * even - unsteady[:, None] ** 2 / 2)
    relative = np.where(fibrillation[:, None], wild, relative)
    relative[junctional] = 1 + 0.006 * even[junctional]
    rr = np.maximum(60 / rate[:, None] * relative, 0.29)

    conduction = rng.choice(np.array([2, 3, 4, 0]), n, p=(0.45, 0.07, 0.28, 0.2)) * flutter
    steps = rng.choice(np.array([2, 3, 4]), (n, BEATS), p=(0.4, 0.2, 0.4))
    steps = np.where(conduction[:, None] > 0, conduction[:, None], steps)
    rr = np.where(flutter[:, None], steps / np.where(flutter, f_hz, 1)[:, None], rr)

    kinds = np.zeros((n, BEATS), np.int64)
    draw = rng.random((n, BEATS))
    often_atrial = np.where(rng.random(n) < 0.08, 0.12, 0.002) * (sinus | other)
    often_ventricular = np.where(rng.random(n) < 0.08, 0.1, 0.001)
    kinds[draw < often_atrial[:, None]] = ATRIAL
    kinds[draw > 1 - often_ventricular[:, None]] = VENTRICULAR
    kinds[:, 0] = CONDUCTED
    kinds[:, 1:][kinds[:, :-1] > 0] = CONDUCTED  # no runs
    early = kinds[:, 1:]
    # rr[k] leads to beat k + 1: a premature beat cuts one and, if ventricular, pays it back.
    rr[:, :-1] *= np.choose(early, [1.0, 0.68, 0.62])
    rr[:, 1:][kinds[:, 1:] == VENTRICULAR] *= 1.38
    rr = np.maximum(rr, 0.24)

    start = -rng.random(n) * rr[:, 0]
    beats = start[:, None] + np.cumsum(rr, axis=1) - rr[:, :1]
    seen = beats < _SECONDS
    beats[~seen] = np.nan
    whole = rr[:, :-1] * seen[:, 1:]
    count = np.maximum(seen[:, 1:].sum(1), 1)
    mean = whole.sum(1) / count
    variance = (((whole - mean[:, None]) * seen[:, 1:]) ** 2).sum(1) / count
    p_mv = 0.09 * np.exp(rng.normal(0, 0.32, n)) * (sinus | other)
    return {
        "junctional": junctional,
        "conduction": conduction,
        "rate": 60 / mean,
        "irregularity": np.sqrt(variance) / mean,
        "beats": beats,
        "kinds": kinds,
        "pr_ms": np.where(
            other, 105, np.clip(rng.normal(158, 20, n), 118, 199)
        ) + np.where(sinus & (rng.random(n) < 0.06), rng.uniform(50, 110, n), 0),
        "p_mv": p_mv,
        "f_mv": f_mv,
        "f_hz": f_hz,
    }  # fmt: skip
