"""From hearts to 12-lead signals: a moving heart vector, projected on the leads, and its noise.

The QRS is a sum of forces that each point somewhere for a while: septum, apex, free wall, base, and
what disease adds or takes away. A force stands as (h, v, z): what it gives in lead I, what it gives
in aVF times 2 / sqrt(3), both in mV, and its part towards the back in Frank's z. In these terms the
frontal QRS axis is the direction of the sum of the forces' areas, so that it is set exactly.

Leads from the vector: Dower GE, Machado HB, Osborne JA. On deriving the electrocardiogram from
vectorcardiographic leads. Clin Cardiol 1980;3:87-95 (x to the left, y to the feet, z to the back).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.signals.synth_heart import FIBRILLATION, FLUTTER, OTHER, Floats, Hearts

FS_HZ: Final = 250
SAMPLES: Final = 2500

#: Rows I, aVF, V1 .. V6 of the inverse Dower matrix; aVF = II - I / 2.
_LIMB: Final = np.array([[0.632, -0.235, 0.059], [-0.081, 1.1835, -0.1615]])
_CHEST: Final = np.array(
    [
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
_V: Final = 2 / np.sqrt(3)

# Forces of a normal QRS of 88 ms: (h, v, z) in mV, centre and standard deviation in ms.
_NORMAL: Final = np.array(
    [
        [-0.08, 0.02, -0.14],
        [0.28, 0.28, -0.25],
        [0.52, 0.46, 0.27],
        [0.12, 0.09, 0.72],
        [-0.04, -0.04, 0.24],
    ]
)
_CENTRE: Final = np.array([11.0, 29.0, 42.0, 55.0, 70.0])
_SPREAD: Final = np.array([5.5, 8.0, 7.5, 8.0, 7.0])
# Further ones: the late right force, the right ventricle, anterior, inferior and posterior scar.
_FORCES: Final = 10
_LATE: Final = 5
_INFERIOR: Final = 8


def forces(hearts: Hearts) -> tuple[Floats, Floats, Floats]:
    """The QRS as forces: n x 10 x 3 vectors (h, v, z) in mV, and centres and spreads in ms.

    >>> from overread.signals.synth_heart import LABELS, draw_hearts
    >>> hearts = draw_hearts(np.random.default_rng(1), 50, dict.fromkeys(LABELS, 0.1))
    >>> vectors, centres, spreads = forces(hearts)
    >>> h, v, _ = (vectors * spreads[:, :, None]).sum(axis=1).T
    >>> bool(np.allclose(np.degrees(np.arctan2(v, h)), hearts.axis_deg))
    True
    """
    n = len(hearts)
    late, left = hearts.rbbb[:, None], hearts.lbbb[:, None]
    vector = np.zeros((n, _FORCES, 3))
    base = _NORMAL * (1 + 0.22 * hearts.shape) + np.array([0.02, 0.02, 0.05]) * hearts.shape
    # A left bundle branch block takes the septal force away and sends all others left and back.
    share = np.minimum(left, 1.0)[:, :, None]
    blocked = np.array(
        [[0.10, 0.03, 0.10], [0.28, 0.12, 0.42], [0.42, 0.18, 0.62], [0.40, 0.16, 0.62],
         [0.22, 0.05, 0.40]]
    ) * (1 + 0.15 * hearts.shape)  # fmt: skip
    base = (1 - share) * base + share * (blocked * np.minimum(left, 1.6)[:, :, None])
    vector[:, :5] = base * hearts.lv_gain[:, None, None]
    vector[:, 3, 2] *= (1 - 0.4 * np.minimum(hearts.rbbb, 1.5)) * (
        1 - 0.3 * np.minimum(hearts.rvh, 2)
    )

    # The QRS ends 2.2 standard deviations after its last force: see `Hearts.qrs_ms`.
    stretch = hearts.stretch[:, None]
    centre = np.empty((n, _FORCES))
    spread = np.empty((n, _FORCES))
    centre[:, :5], spread[:, :5] = _CENTRE * stretch, _SPREAD * stretch
    centre[:, _LATE] = 60 + 31 * np.minimum(hearts.rbbb, 2.6)
    spread[:, _LATE] = hearts.late_spread_ms
    late_force = np.array([-0.24, 0.02, -0.72]) * np.minimum(late, 1.5)
    gain = np.sqrt(hearts.lv_gain)[:, None]
    right = hearts.rvh[:, None]
    lateral = hearts.lateral
    scar = gain * hearts.anterior[:, None]
    vector[:, 5] = late_force
    vector[:, 6] = right * np.array([-0.28, 0.08, -1.2])
    vector[:, 7] = scar * np.stack(
        [-0.02 - 0.16 * lateral, np.zeros(n), 0.46 + 0.10 * (1 - lateral)], axis=1
    )
    vector[:, 8] = gain * hearts.inferior[:, None] * np.array([0.0, -0.29, 0.0])
    vector[:, 9] = gain * hearts.posterior[:, None] * np.array([0.0, 0.0, -0.75])
    widths = 1 + 0.36 * hearts.lbbb
    for row, (middle, deviation) in enumerate(((46, 11), (31, 13), (24, 11), (36, 12)), start=6):
        centre[:, row], spread[:, row] = middle * widths, deviation * widths

    return _turned(vector * hearts.torso_gain[:, None, None], spread, hearts), centre, spread


def _turned(vector: Floats, spread: Floats, hearts: Hearts) -> Floats:
    """Rotated about the long axis of the body, then in the frontal plane to the heart's axis.

    Two forces stay where they are, or they would lose their meaning: the late one of a right bundle
    branch block (to the right) and an inferior scar (up). The others turn until the sum of all
    areas has the axis.
    """
    angle = np.radians(hearts.rotation_deg)[:, None]
    h, v, z = np.moveaxis(vector, 2, 0)
    frontal = np.cos(angle) * h - np.sin(angle) * z + 1j * v
    z = np.sin(angle) * h + np.cos(angle) * z
    stays = np.isin(np.arange(_FORCES), (_LATE, _INFERIOR))
    frontal[:, stays] = vector[:, stays, 0] + 1j * vector[:, stays, 1]
    area = frontal * spread
    fixed, rest = area[:, stays].sum(1), area[:, ~stays].sum(1)
    # Where what stays is larger than the rest, some axes cannot be reached.
    share = np.minimum(1, 0.8 * np.abs(rest) / np.maximum(np.abs(fixed), 1e-9))
    fixed = fixed * share
    axis = np.exp(1j * np.radians(hearts.axis_deg))
    along = (fixed * axis.conj()).real
    length = along + np.sqrt(np.abs(rest) ** 2 - np.abs(fixed) ** 2 + along**2)
    turn = (length * axis - fixed) / rest
    frontal *= np.where(stays, share[:, None], turn[:, None])
    return np.stack([frontal.real, frontal.imag, z], axis=2)


def signals(hearts: Hearts, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """The ECGs as recorded: n x 12 x 2500 float32 millivolts at 250 Hz, leads as `tables.LEADS`.

    ``rng`` draws what belongs to the recording: electrode positions, noise, wander and mains.
    Raises ``UsageError`` where numba is not installed.
    """
    try:
        from overread.signals.synth_kernel import record
    except ImportError:
        raise UsageError(
            "Synthetic signals need numba. Next step: python3 -m pip install 'overread[signals]'"
        ) from None
    n = len(hearts)
    ventricles, centres, spreads = _ventricles(hearts)
    premature = _premature(hearts, rng)
    atria, atrial_at, atrial_spread = _p_wave(hearts)
    wave_turns, wave_phases, waves = _flutter_waves(hearts, rng)
    disturbance = _disturbance(n, rng)
    out = np.empty((n, 12, SAMPLES), np.float32)
    record(
        hearts.beats,
        hearts.kinds,
        _frank(ventricles),
        centres / 1000,
        spreads / 1000,
        _frank(premature),
        _frank(atria),
        atrial_at / 1000,
        atrial_spread / 1000,
        wave_turns,
        wave_phases,
        _frank(waves),
        _leads(n, rng),
        *disturbance,
        rng.standard_normal((n, 9, SAMPLES), dtype=np.float32),
        out,
    )
    return out


def _ventricles(hearts: Hearts) -> tuple[Floats, Floats, Floats]:
    """QRS, ST segment and T wave: n x 13 forces."""
    vector, centre, spread = forces(hearts)
    j_ms = hearts.qrs_ms
    block = np.minimum(hearts.lbbb, 2)
    late = np.minimum(hearts.rbbb, 1.5)

    def along(h: float, v: float, z: float, size: Floats) -> Floats:
        return np.outer(size, (h, v, z))

    st = along(-0.10, -0.05, -0.04, hearts.strain * hearts.lv_gain)
    st += along(-0.05, -0.02, -0.11, block)
    st += along(0.1, 0.0, -0.9, hearts.acute * (hearts.anterior > 1))
    st += along(-0.2, 0.9, 0.1, hearts.acute * (hearts.inferior > 1))
    st += along(0.0, 0.05, 0.07, np.clip(hearts.posterior - 0.6, 0, 1))
    t = along(0.12, 0.11, -0.29, hearts.t_gain)
    t *= (1 - 0.8 * np.minimum(block, 1))[:, None]
    t += along(-0.34, -0.16, -0.02, hearts.strain * hearts.lv_gain)
    t += along(-0.16, -0.06, -0.24, block)
    t += along(0.03, 0.0, 0.16, late)
    t += along(0.0, -0.02, 0.26, np.clip(hearts.rvh - 0.5, 0, 1.5))
    t += along(-0.08, 0.0, 0.20, np.clip(hearts.anterior - 0.5, 0, 1.5))
    t += along(0.02, -0.18, 0.0, np.clip(hearts.inferior - 0.5, 0, 1.5))
    t += along(0.0, 0.0, -0.16, np.clip(hearts.posterior - 0.5, 0, 1.5))
    torso = hearts.torso_gain[:, None]
    vector = np.concatenate(
        [vector, np.stack([st * torso, 0.45 * t * torso, 0.75 * t * torso], axis=1)], axis=1
    )
    # A wide QRS pushes its T wave back; a fast heart brings it near (Bazett).
    rr_s = np.clip(60 / hearts.rate, 0.35, 1.6)
    qt_ms = np.maximum(hearts.qtc_ms * np.sqrt(rr_s) + 0.6 * (j_ms - 88), j_ms + 150)
    room = (qt_ms - j_ms) / 270
    t_peak = qt_ms - 75 * room
    rest = np.stack([j_ms + 75 * room, t_peak - 45 * room, t_peak], axis=1)
    centre = np.concatenate([centre, rest], axis=1)
    widths = np.stack([55 * room, 42 * room, 30 * room], axis=1)
    return vector, centre, np.concatenate([spread, widths], axis=1)


def _premature(hearts: Hearts, rng: np.random.Generator) -> Floats:
    """A ventricular premature beat: two slow forces and a T wave against them; n x 3 x 3."""
    way = rng.normal(0, 1, (len(hearts), 2, 3)) * np.array([0.7, 0.7, 0.7])
    way[:, 1] = 0.6 * way[:, 0] + 0.4 * way[:, 1]
    return np.concatenate([way, -0.45 * way.mean(1, keepdims=True)], axis=1)


def _p_wave(hearts: Hearts) -> tuple[Floats, Floats, Floats]:
    """Right and left atrium: n x 2 forces and their times from the QRS onset."""
    n = len(hearts)
    vector = np.tile(np.array([[0.25, 0.75, -0.35], [0.55, 0.55, 0.30]]), (n, 1, 1))
    low = hearts.rhythm == OTHER
    vector[low] *= np.array([0.6, -1.1, 0.5])
    # Retrograde: hidden in the QRS or just after it.
    start = np.where(hearts.junctional, 90.0, -hearts.pr_ms)[:, None]
    at = start + np.array([38.0, 66.0])
    return vector * hearts.p_mv[:, None, None], at, np.full((n, 2), 17.0)


def _flutter_waves(hearts: Hearts, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Waves of fibrillation and flutter as four turning phasors: Hz, phase and vectors, n x 4.

    Flutter: a sawtooth (slow down, fast up in II, III, aVF, upright in V1) made of its harmonics,
    in step with the beats. Fibrillation: four near frequencies that beat against each other.
    """
    n = len(hearts)
    flutter = hearts.rhythm == FLUTTER
    harmonic = np.arange(1.0, 5.0)
    apart = np.array([-0.17, -0.06, 0.05, 0.21]) + rng.normal(0, 0.03, (n, 4))
    hz = hearts.f_hz[:, None] * np.where(flutter[:, None], harmonic, 1 + apart)
    locked = -2 * np.pi * hz * hearts.beats[:, :1] + harmonic * rng.uniform(0, 2 * np.pi, (n, 1))
    phase = np.where(flutter[:, None], locked, rng.uniform(0, 2 * np.pi, (n, 4)))
    way = rng.normal(0, 0.25, (n, 4, 3)) + np.array([-0.3, 0.35, -0.5])
    saw = np.array([-0.08, 0.75, -0.30]) / harmonic[:, None]
    vector = np.where(flutter[:, None, None], saw, 0.55 * way)
    vector *= (
        hearts.f_mv[:, None, None] * np.isin(hearts.rhythm, (FIBRILLATION, FLUTTER))[:, None, None]
    )
    return hz, phase, vector


def _frank(vector: Floats) -> Floats:
    """(h, v, z) as Frank's (x, y, z)."""
    plane = np.linalg.inv(_LIMB[:, :2] * np.array([[1.0], [_V]]))
    flat = vector[..., :2] - vector[..., 2:] * (_LIMB[:, 2] * np.array([1.0, _V]))
    return np.concatenate([flat @ plane.T, vector[..., 2:]], axis=-1)


def _leads(n: int, rng: np.random.Generator) -> Floats:
    """Rows I, II, V1 .. V6 for each ECG, n x 8 x 3, with chest electrodes never quite in place."""
    lead_ii = _LIMB[1] + _LIMB[0] / 2
    rows = np.tile(np.vstack([_LIMB[0], lead_ii, _CHEST]), (n, 1, 1))
    aside = np.radians(rng.normal(0, 5, (n, 6)))
    x, z = rows[:, 2:, 0].copy(), rows[:, 2:, 2].copy()
    rows[:, 2:, 0] = np.cos(aside) * x - np.sin(aside) * z
    rows[:, 2:, 2] = np.sin(aside) * x + np.cos(aside) * z
    rows[:, 2:, 1] += rng.normal(0, 0.08, (n, 1)) + rng.normal(0, 0.06, (n, 6))
    rows[:, 2:] *= np.exp(rng.normal(0, 0.08, (n, 6, 1)))
    return rows


def _disturbance(n: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats, Floats]:
    """Noise of nine electrodes (RA, LA, LL, V1 .. V6): three phasors each, muscle and its colour.

    Two phasors are baseline wander, one is mains at 50 or 60 Hz; n x 9 x 3 for Hz, phase and mV,
    and n x 9 for muscle noise in mV.
    """
    hz = np.empty((n, 9, 3))
    hz[:, :, 0] = rng.uniform(0.15, 0.4, (n, 1))  # breathing moves all electrodes at one rate
    hz[:, :, 1] = rng.uniform(0.03, 0.25, (n, 9))
    hz[:, :, 2] = rng.choice(np.array([50.0, 60.0]), (n, 1)) + rng.normal(0, 0.02, (n, 1))
    size = np.array([0.025, 0.035, 0.0008])
    each = np.exp(
        rng.normal(0, 0.5, (n, 9, 3)) + rng.normal(0, np.array([0.6, 0.6, 1.0]), (n, 1, 3))
    )
    muscle = 0.0008 * np.exp(rng.normal(0, 0.25, (n, 9)) + rng.gumbel(0, 0.35, (n, 1)))
    return hz, rng.uniform(0, 2 * np.pi, (n, 9, 3)), size * each, muscle
