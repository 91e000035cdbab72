"""What can be evaluated: a run, a folder of predictions, a plain table; and what readers said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
from rich.console import Console

from overread.discrepancy.join import id_columns
from overread.discrepancy.open import input_files, read_table
from overread.discrepancy.pair import holds_decisions
from overread.errors import OutputExists, TableError, UsageError
from overread.evaluate.predict import CARRIED, PREDICTIONS, PREDICTIONS_FILE, SCORE
from overread.files import is_folder
from overread.labels.output import scan_table
from overread.labels.run import read_summary
from overread.manifest import RUN_FILE, Manifest, check_output
from overread.signals.splits import split_of
from overread.tables import ID, LABELS_FILE, PATIENT, SOURCES, state_column, value_column

#: Where outputs lie unless told otherwise.
RUNS: Final = Path("overread-out/runs")
LABELS: Final = Path("overread-out/labels")

SPLIT: Final = "split"
WINDOW: Final = "window"


@dataclass(frozen=True, slots=True)
class ModelTable:
    """The scores of one model: ``frame`` has a float column per label, and what else it came with.

    That may be id, patient_id, split, and window where an ECG has several rows. ``kind`` is "score"
    where nothing tells more. ``split_column`` names the column of the label table that the model's
    splits came from; ``by_record`` says that patients may stand in several; ``learnt_here``
    whether the model learnt from the store of these ECGs, None where nothing tells; ``vocabulary``
    is the hash that the labels it learnt were extracted with. ``opening`` stands before the names
    of labels in the file.
    """

    name: str
    kind: str
    paradigm: str
    trained_on: str
    labels: tuple[str, ...]
    frame: pl.DataFrame
    files: tuple[Path, ...]
    split_column: str = ""
    by_record: bool = False
    learnt_here: bool | None = None
    synthetic: bool = False
    vocabulary: str | None = None
    opening: str = ""

    @property
    def file(self) -> str:
        """The name of its file for people."""
        return self.files[0].name if self.files else self.name


@dataclass(frozen=True, slots=True)
class TruthTable:
    """What readers said: ``columns`` holds for each reader the column of each label it knows.

    ``names`` are those of labels for people; ``vocabulary`` is the hash that the labels were
    extracted with, None where they were not.
    """

    frame: pl.DataFrame
    columns: Mapping[str, Mapping[str, str]]
    names: Mapping[str, str]
    files: tuple[Path, ...]
    vocabulary: str | None = None

    @property
    def labels(self) -> list[str]:
        """All labels that any reader knows."""
        return list(dict.fromkeys(label for known in self.columns.values() for label in known))

    @property
    def kept(self) -> pl.DataFrame:
        """Everything but labels: columns to group by."""
        used = {name for known in self.columns.values() for name in known.values()}
        used |= {state_column(s, label) for s in SOURCES for label in self.labels}
        return self.frame.select(name for name in self.frame.columns if name not in used)


def all_runs() -> list[Path]:
    """The runs under overread-out that have ended. Raises UsageError where there are none."""
    found = sorted(path.parent for path in RUNS.glob(f"*/{RUN_FILE}"))
    if not found:
        raise UsageError(
            f"there is no finished run under {RUNS}. Next step: overread train, or "
            "give a table of scores and --truth TABLE."
        )
    return found


def open_model(run: Path, *, overwrite: bool, console: Console) -> tuple[ModelTable, Path | None]:
    """A model's scores, and the label table that it was trained with where that is known.

    A run is predicted first, unless that was done already.
    """
    if not is_folder(run):
        return _plain(run), None
    if (run / PREDICTIONS_FILE).is_file():
        return _predicted(run), None
    return _run(run, overwrite=overwrite, console=console)


def truth_of(opened: Sequence[tuple[ModelTable, Path | None]]) -> Path:
    """The label table that runs were trained with. Raises UsageError where they are several."""
    known = list(dict.fromkeys(path for _, path in opened if path is not None))
    if not known and not (LABELS / RUN_FILE).is_file():
        raise UsageError(
            f"there are no labels to test against: {LABELS} holds no extraction. Next step: "
            "--truth TABLE, or overread labels extract reports.csv"
        )
    if len(known) > 1:
        raise UsageError(
            "the runs were trained with different label tables. Next step: name the one to test "
            "against with --truth."
        )
    return known[0] if known else LABELS


def open_truth(path: Path) -> TruthTable:
    """The labels of an extraction's folder, or of a table.

    A table has ``machine_X`` or ``expert_X`` columns, or plain ones of 1, 0, -1 and blanks, whose
    reader is then called "truth".
    """
    files = tuple(input_files(path, None))
    if is_folder(path):
        summary = read_summary(path)
        frame = scan_table(path, LABELS_FILE).collect()
        given: dict[str, dict[str, str]] = {
            source: {label: value_column(source, label) for label in summary.labels}
            for source in SOURCES
            if source in summary.sides
        }
        vocabulary = Manifest.read(path).vocabulary
        return TruthTable(frame, given, summary.names, files, vocabulary)
    frame = read_table(path)
    found = {source: _columns_of(source, frame.columns) for source in SOURCES}
    columns: dict[str, dict[str, str]] = {s: known for s, known in found.items() if known}
    if not columns:
        plain = [
            name
            for name in frame.columns
            if name not in (ID, PATIENT, SPLIT) and holds_decisions(frame, name)
        ]
        columns = {"truth": {name: name for name in plain}}
    if not any(columns.values()):
        raise TableError(
            f"{path.name} has no column of 1, 0, -1 and blanks. Next step: give labels; scores "
            "belong in the place of a run."
        )
    return TruthTable(frame, columns, {}, files)


def _columns_of(source: str, names: Sequence[str]) -> dict[str, str]:
    """The columns <source>_<label>, less the states of these labels."""
    opening = value_column(source, "")
    labels = [name.removeprefix(opening) for name in names if name.startswith(opening)]
    states = {state_column(source, label) for label in labels}
    return {
        label: value_column(source, label)
        for label in labels
        if label and value_column(source, label) not in states
    }


def _run(run: Path, *, overwrite: bool, console: Console) -> tuple[ModelTable, Path | None]:
    from overread.evaluate.predict import predict
    from overread.train.config import configure
    from overread.train.data import STORES
    from overread.train.run import CONFIG_FILE

    if not (run / RUN_FILE).is_file() or not (run / CONFIG_FILE).is_file():
        raise UsageError(
            f"{run} holds no finished run and no predictions. Next step: overread train, or "
            f"overread train --resume {run}."
        )
    config = configure(run / CONFIG_FILE).config
    found = (store for store in STORES if (store / RUN_FILE).is_file())
    store = Path(config.store) if config.store else next(found, STORES[0])
    if not (store / RUN_FILE).is_file():
        raise UsageError(
            f"the store {store}, which {run.name} was trained with, is not here. Next step: go to "
            f"the folder where it was trained, or overread predict {run} STORE and evaluate that."
        )
    out = PREDICTIONS / run.absolute().name
    try:
        predict(run, store, out, console=console)
    except OutputExists:
        if not overwrite:
            raise
        predict(run, store, out, overwrite=True, console=console)
    return _predicted(out), Path(config.label_table) if config.label_table else LABELS


def _predicted(folder: Path) -> ModelTable:
    if not (folder / RUN_FILE).is_file():
        raise UsageError(
            f"{folder} holds predictions without their {RUN_FILE}: writing them was stopped. Next "
            "step: overread predict again with --overwrite."
        )
    manifest = Manifest.read(folder)
    options = manifest.options
    try:
        frame = pl.read_parquet(check_output(folder / PREDICTIONS_FILE))
    except pl.exceptions.PolarsError:
        raise TableError(
            f"{folder}/{PREDICTIONS_FILE} is cut off or damaged. Next step: overread predict again "
            "with --overwrite."
        ) from None
    frame = frame.rename({f"{SCORE}{label}": label for label in manifest.labels})
    by_record = options.get("split") == "record"
    if by_record:
        ids = frame[ID].to_list()
        frame = frame.with_columns(pl.Series(SPLIT, [split_of(None, id) for id in ids]))
    return ModelTable(
        name=folder.absolute().name,
        kind=options["kind"],
        paradigm=options["paradigm"],
        trained_on=options["reader"],
        labels=manifest.labels,
        frame=frame,
        files=(folder / PREDICTIONS_FILE,),
        split_column=options.get("split_column", ""),
        by_record=by_record,
        learnt_here=options.get("learnt_here"),
        synthetic=bool(options["synthetic"] or options["trained_on_synthetic"]),
        vocabulary=manifest.vocabulary,
        opening=SCORE,
    )


def _plain(path: Path) -> ModelTable:
    """A table of scores or decisions: columns ``score_X`` where there are any, else all numbers."""
    read = read_table(path)
    ids = id_columns(read)
    opening = SCORE if any(name.startswith(SCORE) for name in read.columns) else ""
    scores = {
        name: name.removeprefix(opening)
        for name in read.columns
        if name.startswith(opening) and name not in (*CARRIED, *ids)
    }
    told = pl.col(list(scores)).str.to_lowercase().replace({"true": "1", "false": "0"})
    numbers = read.select(told.cast(pl.Float64, strict=False))
    # A column without a single number is no score: a site, a date.
    held = [name for name in scores if numbers[name].null_count() < len(read)]
    if not held:
        raise TableError(
            f"{path.name} has no column of numbers. Next step: give scores, with a decimal point, "
            "or 0 and 1."
        )
    carried = [name for name in (*ids, PATIENT, SPLIT, WINDOW) if name in read.columns]
    values = numbers.select(pl.col(name).alias(scores[name]) for name in held)
    return ModelTable(
        name=path.stem,
        kind="score",
        paradigm="",
        trained_on="",
        labels=tuple(values.columns),
        frame=pl.concat([read.select(carried), values], how="horizontal"),
        files=(path,),
        opening=opening,
    )
