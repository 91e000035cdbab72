"""``overread labels audit``: how right the labels are on a corpus, judged by a reader of a sample.

A sheet is drawn so that every label is seen and texts without any label are too; a cardiologist
fills it in without our answers; read back, it gives precision and sensitivity per label.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.files import atomic_open, output_file
from overread.labels.audit_score import Sample, Score, score
from overread.labels.audit_sheet import (
    RESERVED,
    Key,
    KeyLabel,
    KeyRow,
    read_key,
    read_sheet,
    sheet_bytes,
    text_hash,
)
from overread.labels.audit_units import Unit, Units, ecg_ids, policies, read_units, texts
from overread.labels.summary import SHOWN_FROM
from overread.manifest import RUN_FILE, Manifest
from overread.stats.sampling import allocate, draw, inclusion

NO_LABEL: Final = "no label"
_EXTRACT: Final = "labels extract"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A draw: the key, where both files lie, and from how many units; see ``draw_audit``."""

    key: Key
    sheet: Path
    key_file: Path
    units: int
    policies: dict[str, str]  # what an uncertain mention counts as, per label
    up_to_date: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A row in which reader and labels differ; ``id`` is an ECG that holds its text."""

    row: int
    id: str
    label: str
    reader: int
    overread: int


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores in the order of the labels, the differences by row, and the account of the rows."""

    key: Key
    scores: dict[str, Score]
    differences: tuple[Difference, ...]
    read: int
    not_read: int
    comment_only: int


def draw_audit(
    folder: Path,
    sheet: Path,
    *,
    rows: int = 200,
    unit: Unit = "statements",
    seed: int = 0,
    rare: bool = False,
    delimiter: str = ",",
    overwrite: bool = False,
) -> Drawn:
    """Draws a blinded sheet from an extraction and writes it with its key (``*.key.json``).

    Units are distinct masked statements, weighted by the reports that hold them, or single reports.
    Statements in fewer than 11 ECGs, and reports, are shown only where ``rare`` (``--with-text``).
    Where the same draw stands there already, filled in or not, nothing is written. Raises
    UsageError, and OutputExists where another sheet stands in the way.
    """
    output_file(sheet, overwrite=True)  # what stands there may be this draw
    key_file = output_file(key_path(sheet), overwrite=True)
    if unit == "reports" and not rare:
        raise UsageError(
            "A sheet of reports shows texts of single patients, masked. Next step: give "
            "--with-text if you may see them, or draw --unit statements."
        )
    manifest = _manifest(folder)
    units = read_units(folder, manifest, unit, rare=rare)
    if not len(units.number):
        raise UsageError(
            f"no statement stands in {SHOWN_FROM} or more ECGs. Next step: give --with-text if you "
            "may see rarer ones."
        )
    key, shown = _drawn(folder, manifest, units, rows=rows, seed=seed, rare=rare)
    standing = sheet.is_file() and key_file.is_file() and read_key(key_file) == key
    drawn = Drawn(
        key, sheet, key_file, len(units.number), policies(manifest), standing and not overwrite
    )
    if drawn.up_to_date:
        return drawn
    data = sheet_bytes(key, shown, about=_about(units, rare), delimiter=delimiter)
    with (
        atomic_open(key_file, overwrite=overwrite) as key_out,
        atomic_open(sheet, overwrite=overwrite) as sheet_out,
    ):
        key_out.write(key.encode())
        sheet_out.write(data)
    return drawn


def score_audit(folder: Path, sheet: Path, *, key_file: Path | None = None) -> Scored:
    """Precision and sensitivity per label from a filled sheet.

    Raises TableError where the sheet cannot be understood, UsageError where it belongs to another
    key, vocabulary or extraction than the one in ``folder``, or where no row is filled in.
    """
    key_file = key_file or key_path(sheet)
    if not key_file.is_file():
        raise UsageError(
            f"the key {key_file.name} is not beside the sheet. Next step: put it there, or give it "
            "by --key; without it nothing is known of the rows."
        )
    key = read_key(key_file)
    _same_extraction(key, _manifest(folder), sheet)
    filled = read_sheet(sheet, key)
    read = filled.read
    if not read.any():
        raise UsageError(
            f"{sheet.name} is not filled in yet. Next step: write 1, 0 or ? into the label columns."
        )
    sample = Sample(
        np.array([row.chance for row in key.rows]), np.array([row.size for row in key.rows]), read
    )
    ours = np.array([row.answers for row in key.rows], np.int8)
    scores = {
        each.label: score(
            ours[:, i],
            filled.marks[:, i],
            sample,
            positives=each.positives,
            negatives=each.negatives,
        )
        for i, each in enumerate(key.labels)
    }
    differ = (filled.marks != ours) & (filled.marks >= 0) & (ours >= 0)
    differences = tuple(
        Difference(
            int(row) + 1,
            key.rows[row].id,
            key.labels[label].label,
            int(filled.marks[row, label]),
            int(ours[row, label]),
        )
        for row, label in np.argwhere(differ)
    )
    return Scored(
        key, scores, differences, int(read.sum()), int((~read).sum()), filled.comment_only
    )


def key_path(sheet: Path) -> Path:
    """Where the key of a sheet lies.

    >>> key_path(Path("audit.csv")).name
    'audit.key.json'
    """
    return sheet.with_suffix(".key.json")


def _drawn(
    folder: Path, manifest: Manifest, units: Units, *, rows: int, seed: int, rare: bool
) -> tuple[Key, list[str]]:
    """The key of a draw and the texts of its rows, both shuffled."""
    labels = manifest.labels
    strata = strata_of(units)
    present = np.unique(strata)
    if rows < len(present):
        raise UsageError(
            f"-n {rows} is too few for {len(present)} groups (the labels found, and texts without "
            f"any). Next step: give {len(present)} or more; 200 is usual."
        )
    random = np.random.default_rng(seed)
    chance = chances_of(units, strata, rows)
    chosen = random.permutation(drawn_from(chance, strata, random))
    numbers = units.number[chosen].tolist()
    shown = texts(folder, units.unit, numbers)
    columns = _columns(labels, manifest.counts.get("names", {}))
    held = [
        (units.size[units.answers[:, i] == 1].sum(), units.size[units.answers[:, i] == 0].sum())
        for i in range(len(labels))
    ]
    key = Key(
        unit=units.unit,
        seed=seed,
        rare=rare,
        covered=units.covered,
        vocabulary=str(manifest.vocabulary),
        extraction=_extraction(manifest),
        labels=tuple(
            KeyLabel(label, column, float(positives), float(negatives))
            for label, column, (positives, negatives) in zip(labels, columns, held, strict=True)
        ),
        rows=tuple(
            KeyRow(
                number=number,
                id=id,
                stratum=[*labels, NO_LABEL][strata[at]],
                chance=float(chance[at]),
                size=float(units.size[at]),
                answers=tuple(units.answers[at].tolist()),
                text=text_hash(text),
            )
            for at, number, id, text in zip(
                chosen, numbers, ecg_ids(folder, units.unit, numbers), shown, strict=True
            )
        ),
    )
    return key, shown


def strata_of(units: Units) -> npt.NDArray[np.int64]:
    """The rarest label of each unit, by its column; the number of labels where it has none."""
    labels = units.named.shape[1]
    strata = np.full(len(units.number), labels)
    frequent_first = np.argsort(-(units.size @ units.named), kind="stable")
    for label in frequent_first:
        strata[units.named[:, label]] = label
    return strata


def chances_of(units: Units, strata: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.float64]:
    """The chance of each unit to be among so many rows, in proportion to size in its stratum."""
    labels = units.named.shape[1]
    mass = np.bincount(strata, weights=units.size, minlength=labels + 1).astype(np.float64)
    count = np.bincount(strata, minlength=labels + 1).astype(np.int64)
    shares = allocate(mass, count, rows)
    chance = np.zeros(len(units.number))
    for stratum, share in enumerate(shares):
        members = strata == stratum
        chance[members] = inclusion(units.size[members], int(share))
    return chance


def drawn_from(
    chance: npt.NDArray[np.float64], strata: npt.NDArray[np.int64], random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Positions of the units drawn, stratum by stratum."""
    members = (np.flatnonzero(strata == stratum) for stratum in np.unique(strata))
    return np.concatenate([each[draw(chance[each], random)] for each in members])


def _columns(labels: Sequence[str], names: dict[str, str]) -> list[str]:
    """Headings: the labels' names where these tell them apart, else their ids."""
    told = [" ".join(names.get(label, label).split()) for label in labels]
    folded = {name.casefold() for name in told}
    return told if len(folded) == len(told) and folded.isdisjoint(RESERVED) else list(labels)


def _about(units: Units, rare: bool) -> str:
    if units.unit == "reports":
        return "masked reports"
    if rare:
        return "masked statements, all of the corpus"
    return (
        f"masked statements that stand in {SHOWN_FROM} or more ECGs, "
        f"{units.covered:.1%} of the corpus"
    )


def _manifest(folder: Path) -> Manifest:
    if not (folder / RUN_FILE).is_file():
        raise UsageError(
            f"{folder} holds no extraction. Next step: overread labels extract reports.csv, or "
            "name the folder by --out."
        )
    manifest = Manifest.read(folder)
    if manifest.command != _EXTRACT or not manifest.labels:
        raise UsageError(f"{folder} holds no label tables. Next step: name their folder by --out.")
    return manifest


def _extraction(manifest: Manifest) -> str:
    """What the label tables are a function of, as a hash."""
    made_from = {
        "inputs": [one.sha256 for one in manifest.inputs],
        "options": dict(manifest.options),
        "vocabulary": manifest.vocabulary,
        "version": manifest.versions.get("overread"),
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _same_extraction(key: Key, manifest: Manifest, sheet: Path) -> None:
    if key.extraction == _extraction(manifest):
        return
    reason = (
        f"another vocabulary ({key.vocabulary[:8]} then, {str(manifest.vocabulary)[:8]} now)"
        if key.vocabulary != manifest.vocabulary
        else "other reports, options or version of overread"
    )
    raise UsageError(
        f"{sheet.name} was drawn from label tables made with {reason}. Next step: name the folder "
        "of those tables by --out, or draw a new sheet."
    )
