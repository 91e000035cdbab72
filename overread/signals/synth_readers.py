"""How the expert and the machine read a synthetic ECG: right, but for the ambiguous ones.

The table of the source paper gives, for about 2.05 million ECGs, how often each label was read by
the machine, by the expert, added and removed. From it follows how often each class is mistaken for
each other one. *Which* ECGs are mistaken follows from the signs: those that look most like the
other class, plus chance. The thresholds are quantiles among ECGs of a fixed reference population,
so that what is read in an ECG does not depend on how many others are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from overread.signals.synth_heart import (
    AXES,
    BLOCKS,
    FLUTTER,
    LABELS,
    RHYTHMS,
    Floats,
    Hearts,
    draw_hearts,
)  # fmt: skip

Prevalence = Literal["table", "enriched"]


class Rates(NamedTuple):
    """ECGs with a label in the expert's reading; of them not in the machine's; only in that one."""

    expert: float
    added: float
    removed: float


_ECGS: Final = 2_050_000
#: Table A.1 of the source paper (METHOD): over-read, added, removed.
_TABLE: Final = {
    "sinus_rhythm": (1_848_631, 33_115, 10_733),
    "rbbb": (137_237, 8_562, 1_705),
    "lbbb": (59_449, 9_220, 2_458),
    "atrial_fibrillation": (144_652, 10_768, 15_087),
    "atrial_flutter": (43_071, 21_847, 4_342),
    "left_axis_deviation": (205_834, 10_053, 2_501),
    "right_axis_deviation": (50_708, 17_362, 4_021),
    "right_superior_axis_deviation": (9_019, 4_710, 781),
    "lvh": (315_212, 54_387, 10_028),
    "rvh": (42_192, 30_307, 1_272),
    "anterior_mi": (246_358, 35_412, 79_317),
    "inferior_mi": (179_836, 27_360, 27_182),
    "posterior_mi": (28_908, 23_880, 2_155),
}
_FEWEST: Final = 0.08  # of the ECGs with each label in the enriched variant
_EXPERT_ERRS: Final = 0.02  # of a label's ECGs (or the others, if fewer): missed, and as many false
_REFERENCE: Final = 1 << 16  # ECGs from which the thresholds are taken
_REFERENCE_SEED: Final = 20_260

# How easily a row's class is taken for a column's: only ratios within a row count.
_RHYTHM_LIKE: Final = (  # other, sinus, fibrillation, flutter
    (0, 3, 1, 0.5),
    (3, 0, 1, 0.2),
    (1, 1, 0, 1),
    (2, 1, 2, 0),
)
_BLOCK_LIKE: Final = ((0, 1, 1), (1, 0, 0.05), (1, 0.05, 0))
_AXIS_LIKE: Final = (  # none, left, right, right superior
    (0, 1, 1, 0.3),
    (1, 0, 0, 0.3),
    (1, 0, 0, 0.3),
    (0.3, 1, 1, 0),
)
_PLAIN_LIKE: Final = ((0, 1), (1, 0))


@dataclass(frozen=True, slots=True)
class Readings:
    """What both read in n ECGs, n x 13 int8 in the order of ``LABELS``.

    ``doubt`` is between 0 and 1 for each: how little the sign itself decides.
    """

    machine: npt.NDArray[np.int8]
    expert: npt.NDArray[np.int8]
    doubt: Floats


def rates(prevalence: Prevalence = "table") -> Mapping[str, Rates]:
    """Shares of all ECGs per label: those of the paper's table, or with no label under 8 %.

    In the enriched variant added and removed keep their ratio to the expert's readings, and sinus
    rhythm gives way to the other rhythms.

    >>> round(rates()["lvh"].added / rates()["lvh"].expert, 4)
    0.1725
    >>> min(rate.expert for rate in rates("enriched").values())
    0.08
    """
    table = {name: Rates(*(count / _ECGS for count in row)) for name, row in _TABLE.items()}
    if prevalence == "table":
        return table
    share = {name: max(rate.expert, _FEWEST) for name, rate in table.items()}
    gained = sum(share[name] - table[name].expert for name in RHYTHMS[2:])
    share["sinus_rhythm"] -= gained
    return {
        name: Rates(*(part * share[name] / rate.expert for part in rate))
        for name, rate in table.items()
    }


def read(hearts: Hearts, rng: np.random.Generator, prevalence: Prevalence = "table") -> Readings:
    """Both readings of each ECG; the same population and ``rng`` give the same ones."""
    groups = _groups(prevalence)
    return _read(hearts, rng, groups, _thresholds(prevalence))


class _Group(NamedTuple):
    """Classes that exclude each other; mistakes as shares of all ECGs, row class read as column."""

    classes: tuple[str, ...]
    expert: Floats
    machine: Floats


_Thresholds = Mapping[tuple[int, bool, int, int], float]


@cache
def _groups(prevalence: Prevalence) -> tuple[_Group, ...]:
    rate = rates(prevalence)
    plain = [(("", name), _PLAIN_LIKE) for name in LABELS[8:]]
    found = []
    for classes, like in (
        (RHYTHMS, _RHYTHM_LIKE), (BLOCKS, _BLOCK_LIKE), (AXES, _AXIS_LIKE), *plain,
    ):  # fmt: skip
        named = [rate[name] for name in classes[1:]]
        err = [_EXPERT_ERRS * min(each.expert, 1 - each.expert) for each in named]
        none = 1 - sum(each.expert for each in named)
        found.append(
            _Group(
                tuple(classes),
                _mistakes(err, err, like, none),
                _mistakes([e.added for e in named], [e.removed for e in named], like, none),
            )
        )
    return tuple(found)


def _mistakes(
    missed: Sequence[float], false: Sequence[float], like: Sequence[Sequence[float]], none: float
) -> Floats:
    """Shares of class-to-class mistakes whose sums are the named classes' missed and false ones.

    Iterative proportional fitting (Deming WE, Stephan FF. Ann Math Stat 1940;11:427-444). The first
    class, "none of these", takes what is left, but gives away no more than half of its share
    ``none``.

    >>> _mistakes([0.02], [0.01], ((0, 1), (1, 0)), none=0.9).tolist()
    [[0.0, 0.01], [0.02, 0.0]]
    """
    rows, columns = np.array(missed), np.array(false)
    share = np.array(like, np.float64)
    share[0] *= max(columns.sum(), 1e-12)
    for _ in range(500):
        share[1:] *= (rows / share[1:].sum(1))[:, None]
        share[0] *= min(1, none / 2 / share[0].sum())
        share[:, 1:] *= columns / share[:, 1:].sum(0)
    return share


@cache
def _thresholds(prevalence: Prevalence) -> _Thresholds:
    rng = np.random.default_rng(_REFERENCE_SEED)
    expected = {name: rate.expert for name, rate in rates(prevalence).items()}
    hearts = draw_hearts(rng, _REFERENCE, expected, again=False)
    found: dict[tuple[int, bool, int, int], float] = {}
    _read(hearts, rng, _groups(prevalence), found)
    return MappingProxyType(found)


def _read(
    hearts: Hearts,
    rng: np.random.Generator,
    groups: Sequence[_Group],
    thresholds: _Thresholds | dict[tuple[int, bool, int, int], float],
) -> Readings:
    """Reads with the thresholds; fills them in where they are an empty dict."""
    n = len(hearts)
    machine, expert = np.zeros((n, len(LABELS)), np.int8), np.zeros((n, len(LABELS)), np.int8)
    doubt = np.zeros((n, len(LABELS)))
    learn = thresholds if isinstance(thresholds, dict) else None
    for number, (group, like) in enumerate(zip(groups, _likeness(hearts), strict=True)):
        columns = [LABELS.index(name) for name in group.classes[1:]]
        now = (hearts.truth[:, columns] * np.arange(1, len(group.classes))).sum(1).astype(np.int64)
        for by_machine, mistakes in ((False, group.expert), (True, group.machine)):
            noise = rng.standard_normal((n, len(group.classes)))
            read_as = now.copy()
            for old, new in np.argwhere(mistakes > 0):
                key = (number, by_machine, int(old), int(new))
                waiting = np.flatnonzero((now == old) & (read_as == old))
                score = (like[:, new] - like[:, old] + noise[:, new])[waiting]
                if learn is not None:
                    count = round(mistakes[old, new] * n)
                    order = np.sort(score)
                    learn[key] = float(order[-count]) if 0 < count <= len(order) else np.inf
                read_as[waiting[score >= thresholds[key]]] = new
            now = read_as  # the machine errs where the expert stands: it repeats some errors
            (machine if by_machine else expert)[:, columns] = now[:, None] == np.arange(
                1, len(group.classes)
            )
        away = like[:, 1:] - like[:, :1]
        doubt[:, columns] = 1 / (1 + np.exp(np.minimum(np.abs(away), 30)))
    return Readings(machine, expert, doubt)


def _likeness(hearts: Hearts) -> list[Floats]:
    """Per group, n x classes: how much the ECG looks like each class, in units of chance."""
    unsteady = np.log(np.maximum(hearts.irregularity, 1e-3) / 0.08)
    p = np.log2(np.maximum(hearts.p_mv, 0.01) / 0.06)
    waves = np.log2(np.maximum(hearts.f_mv, 0.01) / 0.06)
    regular_fast = np.abs(hearts.rate - 75) / 25
    # Two to one, every other flutter wave hides in the QRS and the rest looks like a P wave.
    hidden = (hearts.rhythm == FLUTTER) * (hearts.conduction == 2)
    rhythm = np.stack(
        [regular_fast - 0.5 * unsteady - p, p - unsteady + hidden, unsteady - 0.3 * waves, waves],
        axis=1,
    )
    none = np.zeros(len(hearts))
    block = np.stack([none, 4 * (hearts.rbbb - 1), 4 * (hearts.lbbb - 1)], axis=1)
    degrees = hearts.axis_deg
    # A small QRS leaves its axis uncertain.
    sharp = 8 / np.clip(hearts.torso_gain * hearts.lv_gain, 0.4, 1.5)
    centre_half = ((30, 60), (-60, 30), (135, 45), (-135, 45))
    axis = np.stack(
        [
            -np.maximum(np.abs((degrees - centre + 180) % 360 - 180) - half, 0) / sharp
            for centre, half in centre_half
        ],
        axis=1,
    )
    voltage = np.log(hearts.lv_gain * hearts.torso_gain) - 0.31
    late = hearts.rotation_deg / 18
    signs = (
        voltage / 0.1,
        3 * (hearts.rvh - 1) + 0.4 * np.maximum(degrees, 0) / 60,
        3 * (hearts.anterior - 1) + late + 2 * hearts.lbbb + np.maximum(voltage, 0) / 0.3,
        3 * (hearts.inferior - 1) - degrees / 60 - 0.6 * hearts.shape[:, 0, 1],
        3 * (hearts.posterior - 1) - 0.7 * late + hearts.rvh,
    )
    return [rhythm, block, axis, *(np.stack([none, sign], axis=1) for sign in signs)]
