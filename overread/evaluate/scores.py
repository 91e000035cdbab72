"""What is evaluated: the scores of several models for the same ECGs, beside what readers said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.discrepancy.join import id_columns, with_common_ids
from overread.discrepancy.pair import decisions, refuse_twice
from overread.discrepancy.strata import Strata, groups_of
from overread.errors import TableError, UsageError
from overread.evaluate.open import SPLIT, WINDOW, ModelTable, TruthTable
from overread.signals.splits import SPLITS, patient_text
from overread.sources.left_out import left_out
from overread.tables import ID, ID_NAMES, MISSING, PATIENT, known_as

Kind = Literal["probability", "similarity", "score", "decision"]
Integers = npt.NDArray[np.int64]

ALL: Final = "all"

_MOST_NAMED: Final = 8
_BAD_ROW: Final = "row of a score that is no number"


@dataclass(frozen=True, slots=True)
class Scored:
    """One model's scores of n ECGs for c labels, higher for the label.

    ``kind`` says what they are: probabilities, similarities, other scores, or 0/1 decisions.
    ``paradigm`` and ``trained_on`` (expert or machine) are "" where nothing tells. ``values``
    (n, c) are finite.
    """

    name: str
    kind: Kind
    paradigm: str
    trained_on: str
    values: npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The n ECGs of one split, the same and in one order for all models, and their c labels.

    ``labels`` are ids, ``names`` those for people. ``truth`` holds for each reader ("expert",
    "machine", or "truth") int8 (n, c): 1, 0, -1 unknown. ``patient`` int64 (n,) numbers patients
    from 0; an ECG without patient is one of its own. ``groups`` are the columns asked for.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    truth: dict[str, npt.NDArray[np.int8]]
    patient: Integers
    models: tuple[Scored, ...]
    groups: tuple[Strata, ...] = ()

    @property
    def reader(self) -> str:
        """Whose labels count most: the expert's where there are any."""
        return "expert" if "expert" in self.truth else next(iter(self.truth))


@dataclass(frozen=True, slots=True)
class Splits:
    """The ECGs that models are judged by, and those that may choose thresholds and calibration.

    ``validation`` has the same labels, readers and models in the same order; it is None where there
    are no such ECGs, as in plain tables. ``notes`` tell people how the ECGs were found.
    """

    test: Evaluated
    validation: Evaluated | None
    notes: tuple[str, ...]


def align(
    models: Sequence[ModelTable],
    truth: TruthTable,
    *,
    by: Sequence[str | tuple[str, Sequence[float]]] = (),
    split: str = "test",
) -> Splits:
    """The ECGs of a split that all tables hold, joined by id, or by row where none has ids.

    Windows of one ECG are averaged. Tables without splits belong to the split as a whole; ``all``
    judges every ECG of stores that no model learnt from, as those of another hospital. Raises
    ``TableError`` where a patient of the split stands in a model's training split too (unless the
    model was split by record, as only the paper's preset is), where scores are not finite, or where
    no label or ECG is common to all; ``UsageError`` for a split or column that there is not.
    """
    if split not in (*SPLITS, ALL):
        raise UsageError(f"no split {split!r}. Next step: one of {', '.join((*SPLITS, ALL))}.")
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise UsageError(
            f"two of {', '.join(names)} have the same name. Next step: rename a folder or file."
        )
    labels, notes = _labels(models, truth)
    notes += _other_vocabulary(models, truth)
    if split != ALL:
        for model in models:
            _check_splits(model, truth)
    frame, how = _joined(models, truth, labels)
    notes.append(how)
    if split == ALL:
        own: list[pl.Series | None] = [None] * len(models)
        notes += _unseen(models)
    else:
        own = [_split_names(model, number, frame) for number, model in enumerate(models)]
    known = [names for names in own if names is not None]
    judged = _within(known, split, len(frame))
    if blank := int(np.any([(names == "").to_numpy() for names in known], axis=0).sum()):
        notes.append(f"{blank:,} ECGs are in no split: their cell is blank")
    if not judged.any():
        held = sorted({name for names in known for name in names.unique() if name})[:_MOST_NAMED]
        raise TableError(
            f"no ECG with labels is in the split {split} of every run; the splits are called: "
            f"{', '.join(held) or 'nothing'}. Next step: evaluate runs of different splits one by "
            "one, or look at --truth and --split."
        )
    patient = _patients(frame, len(models))
    for model, learnt in zip(models, own, strict=True):
        if learnt is not None and split != "train":
            notes += _shared(model, learnt, patient, judged, split)
    if any(model.synthetic for model in models):
        notes.append("Synthetic ECGs: a program invented them; figures say nothing about patients.")
    within = f"of the split {split}" if known or split == ALL else "of tables that know no splits"
    notes.append(f"{np.count_nonzero(judged):,} ECGs {within}")
    if split != ALL and all(model.learnt_here is False for model in models):
        notes.append(f"No run learnt from the store of these ECGs: --split {ALL} judges them all.")
    chosen = _within(known, "validation", len(frame))
    has_validation = bool(known) and split == "test" and bool(chosen.any())
    both = np.intersect1d(patient[chosen], patient[judged])
    if len(both) and has_validation:
        notes.append(
            f"{len(both):,} patients of the split {split} stand in the validation split too, which "
            "flatters thresholds and calibration."
        )
    kept = frame.filter(judged).select(truth.kept.columns)
    groups = tuple(
        groups_of(kept, one) if isinstance(one, str) else groups_of(kept, *one) for one in by
    )

    # What validation fits is used on the judged ECGs: both are of one kind.
    used = frame.filter(judged | chosen if has_validation else judged)
    kinds = [_kind(model, _values(number, used, labels)) for number, model in enumerate(models)]

    def evaluated(rows: npt.NDArray[np.bool_], groups: tuple[Strata, ...]) -> Evaluated:
        some = frame.filter(rows)
        return Evaluated(
            labels,
            tuple(truth.names.get(label, label) for label in labels),
            {reader: _truth(some, columns, labels) for reader, columns in truth.columns.items()},
            np.unique(patient[rows], return_inverse=True)[1],
            tuple(
                _scored(model, number, kind, some, labels)
                for number, (model, kind) in enumerate(zip(models, kinds, strict=True))
            ),
            groups,
        )

    validation = evaluated(chosen, ()) if has_validation else None
    return Splits(evaluated(judged, groups), validation, tuple(notes))


def _labels(models: Sequence[ModelTable], truth: TruthTable) -> tuple[tuple[str, ...], list[str]]:
    """The labels that all models score and a reader gives, and a note of the others."""
    every = dict.fromkeys((*(label for model in models for label in model.labels), *truth.labels))
    known = set(truth.labels)
    known.intersection_update(*(model.labels for model in models))
    labels = tuple(label for label in every if label in known)
    out = [label for label in every if label not in known]
    other = [label for label in out if label in truth.kept.columns]
    if not labels:
        for label in other:
            decisions(truth.frame, label)  # says in which row something else stands
        raise TableError(
            "no label is common to all runs and the labels. Next step: give the columns of scores "
            "and labels the same names."
        )
    alone = [label for label in out if label not in other]
    why = "left out, not all 1, 0, -1 or blank in the table of labels"
    return labels, [
        *left_out("left out, not in every table", alone, alone),
        *left_out(why, other),
    ]


def _other_vocabulary(models: Sequence[ModelTable], truth: TruthTable) -> list[str]:
    """A note for each model that learnt labels of another vocabulary than those it is judged by."""
    return [
        f"{model.name} learnt labels of the vocabulary {model.vocabulary[:8]}, and is judged by "
        f"those of {truth.vocabulary[:8]}: figures may differ because labels mean something else."
        for model in models
        if model.vocabulary and truth.vocabulary and model.vocabulary != truth.vocabulary
    ]


def _joined(
    models: Sequence[ModelTable], truth: TruthTable, labels: Sequence[str]
) -> tuple[pl.DataFrame, str]:
    """A row per ECG: the label table and of each model its number before its columns; and how."""
    per_ecg = [_per_ecg(model, number, labels) for number, model in enumerate(models)]
    names = ["the label table", *(f"the table of {model.name}" for model in models)]
    frame, *frames = with_common_ids([truth.frame, *per_ecg], names)
    if ID in frame.columns:
        refuse_twice(frame, names[0])
        for model, each in zip(models, frames, strict=True):
            refuse_twice(each, f"the table of {model.name}")
            other = [name for name in known_as(ID_NAMES, each.columns) if name != ID]
            frame = frame.join(each.drop(other), on=ID, how="inner", maintain_order="left")
            if frame.is_empty():
                raise TableError(
                    f"{model.name} shares no id with the labels and the runs before it. Next step: "
                    "check the id columns."
                )
        told = ", ".join(f"{len(frame):,} of {len(each):,}" for each in frames)
        return frame, f"joined by id: {told} scored ECGs have labels"
    if any(len(each) != len(frame) for each in frames):
        raise TableError(
            f"the tables have {', '.join(f'{len(each):,}' for each in (frame, *frames))} rows and "
            "no common id column. Next step: give each an id column."
        )
    return pl.concat([frame, *frames], how="horizontal"), f"joined row by row: {len(frame):,} rows"


def _per_ecg(model: ModelTable, number: int, labels: Sequence[str]) -> pl.DataFrame:
    """One row per ECG, its windows averaged; every column but ids gets the model's number."""
    finite = pl.all_horizontal(pl.col(labels).cast(pl.Float64).is_finite().fill_null(False))
    frame = model.frame.with_row_index(_BAD_ROW, 1).with_columns(
        pl.when(~finite).then(_BAD_ROW).alias(_BAD_ROW)
    )
    others = [name for name in (PATIENT, SPLIT) if name in frame.columns]
    if WINDOW in frame.columns and ID in frame.columns:
        frame = frame.group_by(ID, maintain_order=True).agg(
            pl.col(others).first(),
            pl.col(_BAD_ROW).min(),
            pl.col(labels).cast(pl.Float64).fill_null(float("nan")).mean(),
        )
    return frame.select(
        *id_columns(frame),
        *(pl.col(n).alias(_column(number, n)) for n in (*others, _BAD_ROW, *labels)),
    )


def _column(number: int, name: str) -> str:
    return f"model {number}: {name}"


def _split_names(model: ModelTable, number: int, frame: pl.DataFrame) -> pl.Series | None:
    """The split of each ECG as the model knew it; None where nothing tells."""
    name = _column(number, SPLIT)
    if model.split_column:
        name = model.split_column
        if name not in frame.columns:
            raise UsageError(
                f"{model.name} took its splits from the column {name!r}, which these labels have "
                "not. Next step: give --truth the table that it was trained with."
            )
    elif name not in frame.columns:
        name = SPLIT
    return _splits_in(frame[name]) if name in frame.columns else None


def _splits_in(column: pl.Series) -> pl.Series:
    """The names of splits in a column, "" for none."""
    return column.cast(pl.String).replace("val", "validation").fill_null("")


def _check_splits(model: ModelTable, truth: TruthTable) -> None:
    """Refuses what is no name of a split, by the row of the table that it stands in."""
    own = SPLIT in model.frame.columns and not model.split_column
    frame, column = (model.frame, SPLIT) if own else (truth.frame, model.split_column or SPLIT)
    if column not in frame.columns:
        return
    strange = ~_splits_in(frame[column]).is_in(["", *SPLITS])
    if strange.any():
        file = model.file if own else truth.files[0].name
        raise TableError(
            f"{file}: row {(strange.arg_max() or 0) + 1}, column {column!r}: no name of a split. "
            f"Next step: write {', '.join(SPLITS)}, or nothing for ECGs to leave out."
        )


def _within(known: Sequence[pl.Series], split: str, ecgs: int) -> npt.NDArray[np.bool_]:
    out = np.ones(ecgs, np.bool_)
    for names in known:
        out &= (names == split).to_numpy()
    return out


def _patients(frame: pl.DataFrame, models: int) -> npt.NDArray[np.str_]:
    """A name for each ECG's patient; without one, an ECG is a patient of its own."""
    columns = [_column(number, PATIENT) for number in range(models)]
    given = [name for name in (*columns, PATIENT) if name in frame.columns]
    who = frame.select(pl.coalesce(given) if given else pl.lit(None)).to_series()
    return _keys(who.to_list() if given else [None] * len(frame))


def _keys(patients: Sequence[str | None]) -> npt.NDArray[np.str_]:
    texts = [patient_text(who) for who in patients]
    return np.array(
        [f"ecg {at}" if who is None else f"patient {who}" for at, who in enumerate(texts)]
    )


def _shared(
    model: ModelTable,
    names: pl.Series,
    patient: npt.NDArray[np.str_],
    judged: npt.NDArray[np.bool_],
    split: str,
) -> list[str]:
    """Refuses patients that the model learnt from, or tells how many where records were split."""
    learnt = set(patient[(names == "train").to_numpy()].tolist())
    if SPLIT in model.frame.columns and PATIENT in model.frame.columns and not model.split_column:
        # Also those whose labels are not in this table.
        train = model.frame.filter(pl.col(SPLIT) == "train")[PATIENT].drop_nulls().unique()
        learnt |= set(_keys(train.to_list()).tolist())
    shared = len(learnt.intersection(patient[judged].tolist()))
    if model.by_record:
        return [
            f"{model.name} was split by record as in the source paper: {shared:,} patients of the "
            f"split {split} stand in its training split too, which flatters it."
        ]
    if shared:
        raise TableError(
            f"{shared:,} patients of the split {split} stand in the training split of {model.name} "
            "too. Next step: split by patient."
        )
    return []


def _unseen(models: Sequence[ModelTable]) -> list[str]:
    """Refuses ECGs of a store that a model learnt from; says what is taken for granted."""
    for model in models:
        if model.learnt_here:
            raise UsageError(
                f"{model.name} learnt from ECGs of this store. Next step: --split test, or predict "
                "a store of other patients."
            )
    return ["All ECGs are judged, taken as those of patients from whom no run learnt."]


def _truth(
    frame: pl.DataFrame, columns: Mapping[str, str], labels: Sequence[str]
) -> npt.NDArray[np.int8]:
    out = np.full((len(frame), len(labels)), MISSING, np.int8)
    for at, label in enumerate(labels):
        if label in columns:
            out[:, at] = np.maximum(decisions(frame, columns[label]), MISSING)  # blank: unknown
    return out


def _values(number: int, frame: pl.DataFrame, labels: Sequence[str]) -> npt.NDArray[np.float64]:
    chosen = frame.select(pl.col(_column(number, label)).cast(pl.Float64) for label in labels)
    return chosen.to_numpy()


def _scored(
    model: ModelTable, number: int, kind: Kind, frame: pl.DataFrame, labels: Sequence[str]
) -> Scored:
    bad = frame[_column(number, _BAD_ROW)].drop_nulls()
    if len(bad):
        row = int(bad.min())  # type: ignore[arg-type]
        cells = model.frame.select(pl.col(labels).cast(pl.Float64)).row(row - 1)
        wrong = (not (cell is not None and isfinite(cell)) for cell in cells)
        column = f"{model.opening}{labels[list(wrong).index(True)]}"
        step = (
            "look for a diverged training run or for ECGs that could not be scored"
            if model.paradigm
            else "give a number with a decimal point, or leave the ECG out"
        )
        raise TableError(
            f"{model.file}: row {row}, column {column!r}: no finite number; so it is for "
            f"{len(bad):,} ECGs. Next step: {step}."
        )
    values = _values(number, frame, labels)
    return Scored(model.name, kind, model.paradigm, model.trained_on, values)


def _kind(model: ModelTable, values: npt.NDArray[np.float64]) -> Kind:
    for told in ("probability", "similarity"):
        if model.kind == told:
            return told
    if np.isin(values, (0, 1)).all():
        return "decision"
    return "probability" if values.min() >= 0 and values.max() <= 1 else "score"
