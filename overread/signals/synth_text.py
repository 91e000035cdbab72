"""Machine and expert texts of synthetic ECGs, in the manner of real reports; all of it invented.

The machine prints short statements, one a line. The expert keeps what is right, strikes or denies
what is not, adds what is missing in words of their own, and signs. A label that is read with little
behind it is often hedged. Statements that stand for none of the labels (repolarisation, intervals,
incomplete blocks) come from the same parameters as the signals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from random import Random
from typing import Final, NamedTuple

from overread.signals.synth_heart import ATRIAL, LABELS, OTHER, VENTRICULAR, Hearts
from overread.signals.synth_readers import Readings

SITES: Final = ("Synthetic North", "Synthetic South", "Synthetic Harbour")
UNREAD: Final = 0.02  # of the ECGs have no over-read

_EPOCH: Final = date(2008, 1, 1)
_MONTHS: Final = (
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
)  # fmt: skip
_NAMES: Final = ("ALDER", "BIRCH", "CEDAR", "ELM", "HAZEL", "LINDEN", "MAPLE", "ROWAN", "WILLOW")
_SLIPS: Final = (
    ("fibrillation", "fibrilation"), ("hypertrophy", "hypertropy"), ("deviation", "deviaton"),
    ("ventricular", "ventriclar"), ("bundle", "bundel"), ("rhythm", "rythm"),
)  # fmt: skip

#: What a comparison with the last ECG speaks of, as it names it.
_RHYTHM_NAMES: Final = {
    "sinus_rhythm": "Sinus rhythm",
    "atrial_fibrillation": "Atrial fibrillation",
    "atrial_flutter": "Atrial flutter",
}
_CHANGE_NAMES: Final = {
    "rbbb": "Right bundle branch block",
    "lbbb": "Left bundle branch block",
    "lvh": "Left ventricular hypertrophy",
    "anterior_mi": "Anterior infarct",
    "inferior_mi": "Inferior infarct",
}
_DENIED: Final = {
    "rbbb": "Criteria for right bundle branch block are not met",
    "lbbb": "No left bundle branch block",
    "left_axis_deviation": "No left axis deviation",
    "lvh": "No LVH",
    "anterior_mi": "No evidence of anterior infarct",
    "inferior_mi": "No definite inferior infarct",
    "posterior_mi": "No posterior infarct",
}


class Line(NamedTuple):
    """One statement and the labels that it asserts."""

    text: str
    labels: frozenset[str] = frozenset()


class Pair(NamedTuple):
    """Both texts of one ECG; no over-read for a few."""

    machine: str
    expert: str | None


def write_reports(
    hearts: Hearts, readings: Readings, sites: Sequence[int], seed: int
) -> list[Pair]:
    """A pair of texts per ECG; ECGs of one patient must follow each other in time.

    ``sites`` gives each ECG's index into `SITES`; the second one prints measurements first.

    >>> import numpy as np
    >>> from overread.signals.synth_heart import draw_hearts
    >>> from overread.signals.synth_readers import rates, read
    >>> rng = np.random.default_rng(5)
    >>> hearts = draw_hearts(rng, 2, {name: rate.expert for name, rate in rates().items()})
    >>> print(write_reports(hearts, read(hearts, rng), [0, 0], seed=1)[0].machine)
    Sinus bradycardia
    Minimal voltage criteria for LVH, may be normal variant
    Abnormal ECG
    No previous ECGs available
    Unconfirmed
    """
    random = Random(seed)
    machine = [_labels(row) for row in readings.machine]
    expert = [_labels(row) for row in readings.expert]
    return [_Report(hearts, readings, machine, expert, i, random).pair(sites[i])
            for i in range(len(hearts))]  # fmt: skip


def day_of(day: int) -> date:
    """The date of an ECG."""
    return _EPOCH + timedelta(days=day)


def _labels(row: Iterable[int]) -> frozenset[str]:
    return frozenset(name for name, value in zip(LABELS, row, strict=True) if value)


class _Report:
    """One ECG on its way to two texts."""

    def __init__(
        self,
        hearts: Hearts,
        readings: Readings,
        machine: Sequence[frozenset[str]],
        expert: Sequence[frozenset[str]],
        i: int,
        random: Random,
    ) -> None:
        self._hearts, self._i, self._random = hearts, i, random
        self._machine, self._expert = machine, expert
        self._doubt = dict(zip(LABELS, readings.doubt[i].tolist(), strict=True))
        self._rate = float(hearts.rate[i])
        self._kinds = set(hearts.kinds[i][hearts.beats[i] == hearts.beats[i]].tolist())

    def pair(self, site: int) -> Pair:
        i = self._i
        lines = self._findings(self._machine[i])
        measured = self._measurements() if site == 1 else []
        edited = self._edited(lines, self._expert[i])
        compared = self._random.random() < 0.6
        machine = [*measured, *lines, self._verdict(lines)]
        expert = [*measured, *edited, self._verdict(edited)]
        if compared:
            header = self._header()
            machine += [*header, *self._changes(self._machine)]
            if self._random.random() < 0.85:
                expert += [*header, *self._changes(self._expert)]
        unread = self._random.random() < UNREAD
        return Pair(
            "\n".join(line.text for line in (*machine, Line("Unconfirmed"))),
            None if unread else "\n".join(line.text for line in (*expert, self._signature())),
        )

    def _hedged(self, name: str) -> bool:
        return self._random.random() < 0.1 + float(self._doubt[name])

    def _findings(self, labels: frozenset[str]) -> list[Line]:
        """What the machine prints: rhythm, conduction, axis, chambers, infarcts, the rest."""
        lines = [self._rhythm(labels)]
        for name in LABELS[1:]:
            if name in labels and name not in _RHYTHM_NAMES:
                lines.append(self._machine_line(name, labels))
        lines = list(dict.fromkeys(lines))  # one line may stand for two infarcts
        lines[1:1] = self._other_conduction(labels)
        return lines + self._others(labels)

    def _rhythm(self, labels: frozenset[str]) -> Line:
        hearts, i, random = self._hearts, self._i, self._random
        rate = self._rate
        if "atrial_fibrillation" in labels:
            tail = (
                " with rapid ventricular response" if rate > 100
                else " with slow ventricular response" if rate < 60 else ""
            )  # fmt: skip
            return _line(f"Atrial fibrillation{tail}", "atrial_fibrillation")
        if "atrial_flutter" in labels:
            ratio = int(hearts.conduction[i])
            tail = f"{ratio}:1 A-V conduction" if ratio else "variable A-V block"
            return _line(f"Atrial flutter with {tail}", "atrial_flutter")
        if "sinus_rhythm" in labels:
            name = (
                "Sinus tachycardia" if rate > 100 else "Sinus bradycardia" if rate < 60
                else "Normal sinus rhythm"
            )  # fmt: skip
            if ATRIAL in self._kinds:
                name += " with Premature atrial complexes"
            elif VENTRICULAR in self._kinds:
                name += " with occasional Premature ventricular complexes"
            elif hearts.pr_ms[i] > 210:
                name = name.replace("Normal s", "S") + " with 1st degree A-V block"
            elif hearts.irregularity[i] > 0.06:
                name += " with sinus arrhythmia"
            return _line(name, "sinus_rhythm")
        if hearts.rhythm[i] == OTHER:
            low = ("Ectopic atrial rhythm", "Unusual P axis, possible ectopic atrial rhythm")
            return Line("Junctional rhythm" if hearts.junctional[i] else random.choice(low))
        if rate > 110:
            return Line(random.choice(("Supraventricular tachycardia", "Narrow QRS tachycardia")))
        return Line(random.choice(
            ("Undetermined rhythm", "Accelerated Junctional rhythm", "Ectopic atrial rhythm",
             "Electronic ventricular pacemaker")
        ))  # fmt: skip

    def _machine_line(self, name: str, labels: frozenset[str]) -> Line:
        """The device's words for one label."""
        hearts, i, random = self._hearts, self._i, self._random
        hedged = self._hedged(name)
        if name in ("rbbb", "lbbb"):
            side = "Right" if name == "rbbb" else "Left"
            return _line(f"{side} bundle branch block", name)
        if name == "left_axis_deviation":
            if hedged:
                leaning = ("Leftward axis", "Borderline left axis deviation")
                return _line(random.choice(leaning), name)
            if hearts.axis_deg[i] < -45 and random.random() < 0.5:
                return _line("Left anterior fascicular block", name)
            return _line(random.choice(("", "Abnormal ")) + "left axis deviation", name)
        if name == "right_axis_deviation":
            return _line("Rightward axis" if hedged else "Right axis deviation", name)
        if name == "right_superior_axis_deviation":
            return _line("Right superior axis deviation", name)
        if name == "lvh":
            if hedged:
                grade = random.choice(("Minimal", "Moderate"))
                return _line(f"{grade} voltage criteria for LVH, may be normal variant", name)
            strained = hearts.strain[i] > 0.3
            tail = " with repolarization abnormality" if strained else ""
            voltage = not strained and random.random() < 0.3
            lead = "Voltage criteria for left" if voltage else "Left"
            return _line(f"{lead} ventricular hypertrophy{tail}", name)
        if name == "rvh":
            return _line(
                "Possible right ventricular hypertrophy" if hedged
                else "Right ventricular hypertrophy", name,
            )  # fmt: skip
        if name == "anterior_mi":
            return _line(self._infarct(self._anterior(), hedged), name)
        if {"inferior_mi", "posterior_mi"} <= labels:
            return _line(self._infarct("Inferior-posterior", hedged), "inferior_mi", "posterior_mi")
        wall = "Inferior" if name == "inferior_mi" else "Posterior"
        return _line(self._infarct(wall, hedged), name)

    def _anterior(self) -> str:
        lateral = self._hearts.lateral[self._i]
        return (
            "Septal" if lateral < 0.2 else "Anteroseptal" if lateral < 0.45
            else "Anterior" if lateral < 0.8 else "Anterolateral"
        )  # fmt: skip

    def _infarct(self, territory: str, hedged: bool) -> str:
        age = "possibly acute" if self._hearts.acute[self._i] else "age undetermined"
        hedge = self._random.choice(("Cannot rule out ", "Possible ")) if hedged else ""
        return f"{hedge}{territory} infarct, {age}"

    def _other_conduction(self, labels: frozenset[str]) -> list[Line]:
        hearts, i = self._hearts, self._i
        lines = []
        for side, name, size in (("right", "rbbb", hearts.rbbb), ("left", "lbbb", hearts.lbbb)):
            if name not in labels and 0.5 < size[i] < 1:
                lines.append(Line(f"Incomplete {side} bundle branch block"))
        return lines

    def _others(self, labels: frozenset[str]) -> list[Line]:
        hearts, i, random = self._hearts, self._i, self._random
        lines = []
        if hearts.torso_gain[i] * hearts.lv_gain[i] < 0.62:
            lines.append(Line("Low voltage QRS"))
        if "lvh" in labels and random.random() < 0.15:
            lines.append(Line("Possible Left atrial enlargement"))
        if hearts.rotation_deg[i] > 30 and "anterior_mi" not in labels and random.random() < 0.5:
            lines.append(Line("Poor R wave progression"))
        if abs(hearts.t_gain[i]) < 0.55 or hearts.t_gain[i] < 0:
            lines.append(Line(random.choice(
                ("Nonspecific T wave abnormality", "T wave abnormality, consider lateral ischemia")
            )))  # fmt: skip
        elif random.random() < 0.06:
            lines.append(Line("Nonspecific ST abnormality"))
        if hearts.qtc_ms[i] > 470:
            lines.append(Line("Prolonged QT"))
        return lines

    def _edited(self, lines: Sequence[Line], labels: frozenset[str]) -> list[Line]:
        """The expert's version: what stands is kept, the rest struck, denied or added."""
        random = self._random
        kept: list[Line] = []
        rhythm, *rest = lines
        if rhythm.labels != labels & _RHYTHM_NAMES.keys():
            rhythm = self._slip(self._rhythm(labels))
        for line in rest:
            if line.labels <= labels:
                if line.labels or random.random() > 0.1:
                    kept.append(line)
            elif random.random() < 0.2:
                denied = sorted((line.labels - labels) & _DENIED.keys())
                kept += [Line(_DENIED[name]) for name in denied]
        said = rhythm.labels.union(*(line.labels for line in kept))
        kept += [self._slip(self._added(name)) for name in LABELS if name in labels - said]
        return [rhythm, *kept]

    def _added(self, name: str) -> Line:
        """The expert's words for a label that the machine did not print."""
        hearts, i, random = self._hearts, self._i, self._random
        hedge = random.choice(("Probable ", "Possible ", "Consider ")) if self._hedged(name) else ""
        territory = self._anterior().lower()
        words = {
            "rbbb": ("RBBB", "Right bundle branch block"),
            "lbbb": ("LBBB", "Left bundle branch block"),
            "left_axis_deviation": ("LAD", "Left axis deviation"),
            "right_axis_deviation": ("RAD", "Right axis deviation"),
            "right_superior_axis_deviation": (
                "Right superior axis deviation", "Northwest axis", "Extreme right axis deviation",
            ),
            "lvh": ("LVH by voltage", "LVH", "Left ventricular hypertrophy"),
            "rvh": ("RVH", "Right ventricular hypertrophy"),
            "anterior_mi": (f"Old {territory} MI", f"{territory.capitalize()} infarct"),
            "inferior_mi": ("Old inferior MI", "Inferior infarct, age undetermined"),
            "posterior_mi": ("Old posterior MI", "Posterior infarct"),
        }[name]  # fmt: skip
        if name == "left_axis_deviation" and hearts.axis_deg[i] < -45:
            words = (*words, "Left anterior fascicular block")
        text = random.choice(words)
        if hedge and not text[:2].isupper():
            text = text[0].lower() + text[1:]
        return _line(hedge + text, name)

    def _slip(self, line: Line) -> Line:
        """Now and then a misspelt word."""
        if self._random.random() < 0.02:
            right, wrong = self._random.choice(_SLIPS)
            return line._replace(text=line.text.replace(right, wrong))
        return line

    def _verdict(self, lines: Sequence[Line]) -> Line:
        first, *rest = lines
        if not rest and first.text == "Normal sinus rhythm":
            return Line("Normal ECG")
        if not rest and first.labels == {"sinus_rhythm"}:
            return Line("Otherwise normal ECG")
        grave = any(line.labels for line in rest) or first.labels != {"sinus_rhythm"}
        return Line("Abnormal ECG" if grave else "Borderline ECG")

    def _measurements(self) -> list[Line]:
        hearts, i = self._hearts, self._i
        qt = hearts.qtc_ms[i] * (60 / self._rate) ** 0.5
        pr = f"{hearts.pr_ms[i]:.0f}" if hearts.p_mv[i] else "*"
        return [
            Line(f"Vent. rate {self._rate:.0f} BPM"),
            Line(f"PR interval {pr} ms"),
            Line(f"QRS duration {hearts.qrs_ms[i]:.0f} ms"),
            Line(f"QT/QTc {qt:.0f}/{hearts.qtc_ms[i]:.0f} ms"),
            Line(f"P-R-T axes {self._random.randrange(20, 80)} {hearts.axis_deg[i]:.0f} "
                 f"{self._random.randrange(0, 90)}"),
        ]  # fmt: skip

    def _header(self) -> list[Line]:
        if not self._hearts.visit[self._i] or not self._i:
            return [Line("No previous ECGs available")]
        before = day_of(int(self._hearts.day[self._i - 1]))
        day = f"{before.day:02d}-{_MONTHS[before.month - 1]}-{before.year}"
        return [Line(f"When compared with ECG of {day} {self._time()},")]

    def _changes(self, side: Sequence[frozenset[str]]) -> list[Line]:
        """What is new or gone since the patient's last ECG, as one side read both."""
        hearts, i = self._hearts, self._i
        if not hearts.visit[i] or not i:
            return []
        now, before = side[i], side[i - 1]
        lines = []
        new = next((name for name in _RHYTHM_NAMES if name in now), None)
        old = next((name for name in _RHYTHM_NAMES if name in before), None)
        if new and old and new != old:
            lines.append(f"{_RHYTHM_NAMES[new]} has replaced {_RHYTHM_NAMES[old]}")
        for name, words in _CHANGE_NAMES.items():
            if name in now - before:
                lines.append(f"{words} is now Present")
            if name in before - now:
                lines.append(f"{words} is no longer Present")
        faster = self._rate - float(hearts.rate[i - 1])
        if abs(faster) > 20:
            way = "increased" if faster > 0 else "decreased"
            lines.append(f"Vent. rate has {way} BY {abs(faster):3.0f} BPM")
        return [Line(text) for text in lines or ["No significant change was found"]]

    def _signature(self) -> Line:
        random = self._random
        read = day_of(int(self._hearts.day[self._i])) + timedelta(days=random.randrange(3))
        name = f"{random.choice(_NAMES)}, {random.choice(_NAMES)} ({random.randrange(1000, 9999)})"
        return Line(f"Confirmed by {name} on {read.month}/{read.day}/{read.year} {self._time()}")

    def _time(self) -> str:
        return f"{self._random.randrange(24):02d}:{self._random.randrange(60):02d}"


def _line(text: str, *names: str) -> Line:
    return Line(text[0].upper() + text[1:], frozenset(names))
