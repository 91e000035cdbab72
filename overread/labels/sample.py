"""Invented paired reports in the style of real ones, for the demo, tests and benchmarks.

Nobody's reports: statements are drawn at random, the "expert" edits some of them. The names, dates
and rates vary as they do in an export, because masking has to deal with them.
"""

from __future__ import annotations

from random import Random
from typing import Final

import polars as pl

_RHYTHMS: Final = (
    ("Normal sinus rhythm", 50), ("Sinus bradycardia", 12), ("Sinus tachycardia", 10),
    ("Atrial fibrillation", 7), ("Atrial fibrillation with rapid ventricular response", 3),
    ("Atrial flutter with variable AV block", 2), ("Ventricular-paced rhythm", 3),
    ("Normal sinus rhythm with sinus arrhythmia", 6), ("Sinus rhythm with 1st degree AV block", 7),
)  # fmt: skip
_FINDINGS: Final = (
    "Left axis deviation", "Right axis deviation", "Rightward axis", "Right bundle branch block",
    "Incomplete right bundle branch block", "Left bundle branch block",
    "Left anterior fascicular block", "Left ventricular hypertrophy",
    "Minimal voltage criteria for LVH, may be normal variant",
    "Possible right ventricular hypertrophy",
    "Inferior infarct, age undetermined", "Cannot rule out Anterior infarct, age undetermined",
    "Anteroseptal infarct, possibly acute", "Possible posterior infarct",
    "Right superior axis deviation",
    "Nonspecific T wave abnormality", "Prolonged QT", "Low voltage QRS", "Left atrial enlargement",
)  # fmt: skip
_ADDED: Final = (
    "LVH by voltage", "LAD", "RBBB", "Old inferior MI", "No evidence of acute ischemia",
    "Poor R wave progression, probably normal variant", "Atrial fibrilation", "Q waves in III",
)  # fmt: skip
_CHANGES: Final = (
    "No significant change was found", "Sinus rhythm has replaced atrial fibrillation",
    "Left bundle branch block is now present", "Inferior infarct is no longer present",
    "Nonspecific T wave abnormality has resolved",
)  # fmt: skip
_VERDICTS: Final = ("Normal ECG", "Otherwise normal ECG", "Borderline ECG", "Abnormal ECG")
_NAMES: Final = ("Alder", "Birch", "Cedar", "Elm", "Hazel", "Linden", "Maple", "Rowan", "Willow")
_MONTHS: Final = (
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
)


def sample_reports(rows: int, *, seed: int) -> pl.DataFrame:
    """So many invented report pairs: id, patient_id, machine, expert, year, site (all text).

    The same seed gives the same rows. One in fifty over-reads is missing.

    >>> frame = sample_reports(3, seed=1)
    >>> frame.columns
    ['id', 'patient_id', 'machine', 'expert', 'year', 'site']
    """
    random = Random(seed)
    pairs = [_pair(random) for _ in range(rows)]
    return pl.DataFrame(
        {
            "id": [f"{number:06d}" for number in range(1, rows + 1)],
            "patient_id": [
                f"P{random.randrange(1, max(2, rows * 2 // 3)):06d}" for _ in range(rows)
            ],
            "machine": [machine for machine, _ in pairs],
            "expert": [expert for _, expert in pairs],
            "year": [str(random.randrange(2008, 2024)) for _ in range(rows)],
            "site": [random.choice(("North", "South", "Harbour")) for _ in range(rows)],
        },
        schema_overrides={"expert": pl.String},
    )


def _pair(random: Random) -> tuple[str, str | None]:
    rhythm = random.choices(*zip(*_RHYTHMS, strict=True))[0]
    found = random.sample(_FINDINGS, random.choices((0, 1, 2, 3), (40, 30, 20, 10))[0])
    verdict = random.choice(_VERDICTS[2:]) if found else random.choice(_VERDICTS[:2])
    lines = [f"Vent. rate {random.randrange(38, 160)} BPM", rhythm, *found, verdict]
    edited = [line for line in lines if random.random() > 0.06]
    if random.random() < 0.12:
        edited.insert(2, random.choice(_ADDED))
    if random.random() < 0.25:
        day, year = random.randrange(1, 29), random.randrange(2005, 2024)
        change = (
            f"When compared with ECG of {day:02d}-{random.choice(_MONTHS)}-{year} {_time(random)},"
        )
        lines += [change, random.choice(_CHANGES)]
        edited += lines[-2:]
    machine = "\n".join([*lines, "Unconfirmed"])
    reader = f"{random.choice(_NAMES)}, {random.choice(_NAMES)} ({random.randrange(1000, 9999)})"
    date = f"{random.randrange(1, 13)}/{random.randrange(1, 29)}/2020 {_time(random)}"
    signed = f"Confirmed by {reader} on {date}"
    expert = "\n".join([*edited, signed])
    return machine, None if random.random() < 0.02 else expert


def _time(random: Random) -> str:
    return f"{random.randrange(24):02d}:{random.randrange(60):02d}"
