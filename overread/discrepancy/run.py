"""One comparison from tables to files: up to date, progress on a terminal, manifest, release."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from overread.discrepancy import tables
from overread.discrepancy.api import By, Discrepancy
from overread.discrepancy.document import release_document
from overread.discrepancy.open import input_files, open_pairs
from overread.discrepancy.release import Published, checked
from overread.errors import OverreadError
from overread.files import fingerprint, input_file, output_folder
from overread.manifest import Manifest, inputs_of, versions
from overread.report.folder import file_names, replace_report, standing_report
from overread.report.terminal import TerminalTable
from overread.report.write import Format, files

RELEASE_FILE: Final = "release.json"

_COMMAND: Final = "discrepancy report"


def write_report(
    source: Path,
    expert: Path | None,
    folder: Path,
    *,
    by: Sequence[By],
    over: str | None,
    formats: Sequence[Format],
    with_text: bool,
    release: bool,
    against: Sequence[Path],
    replicates: int,
    seed: int,
    workers: int | None,
    overwrite: bool,
    console: Console,
) -> None:
    """Compares the readings, prints the main table and writes the report into a folder.

    ``release`` writes nothing from which a count of 1 to 10 follows; the release that lies in the
    folder and those in ``against`` are compared with it. Raises OutputExists where the folder holds
    another report and ``overwrite`` was not given.
    """
    options = {
        "by": [list(one) if isinstance(one, tuple) else one for one in by],
        "over": over,
        "formats": list(formats),
        "with_text": with_text,
        "release": release,
        "replicates": replicates,
    }
    inputs = [fingerprint(path) for path in (*input_files(source, expert), *_releases(against))]
    planned = Manifest(command=_COMMAND, options=options, inputs=inputs_of(inputs), seed=seed)
    folder = output_folder(folder)
    standing, up_to_date = standing_report(folder, planned, overwrite=overwrite)
    if up_to_date:
        console.print(f"up to date: {folder}", highlight=False)
        return
    pairs, texts = open_pairs(source, expert, told=lambda line: _tell(console, line))
    found = Discrepancy(pairs, texts, replicates=replicates, seed=seed, workers=workers)
    for one in by:
        for note in found.grouped(one).notes:
            _tell(console, note)
    published: dict[str, Any] | None = None
    if release:
        paths = [*_releases(against), *_releases([folder], missing_ok=True)]
        text, published = release_document(
            found, by=by, over=over, earlier=[_read_release(path) for path in paths]
        )
    else:
        detail = bool({"csv", "json"} & set(formats))
        text = found.document(by=by, over=over, with_text=with_text, detail=detail)
    written = dict(content for format in formats for content in files(text, format))
    if published is not None:
        written[RELEASE_FILE] = json.dumps(published, sort_keys=True, indent=1).encode() + b"\n"
    made = replace(
        planned,
        versions=versions("polars", "numpy", "scipy", "matplotlib"),
        counts={"ecgs": pairs.n},
        labels=pairs.labels,
    )
    replace_report(folder, written, made, standing, overwrite=overwrite)
    if release:
        console.print(next(table for table in map(TerminalTable, text.tables)))
    else:
        console.print(TerminalTable(tables.table_a1(found.counts, pairs.name)))
    _tell(console, f"\nwritten to {folder}: {file_names(written, text.name)}")
    if not release:
        most = found.counts.sort("disagreement", descending=True).row(0, named=True)
        change = "added" if most["added"] >= most["removed"] else "removed"
        _tell(
            console, f"Next: overread discrepancy cases --label {most['label']} --change {change}"
        )


def open_discrepancy(source: Path, expert: Path | None) -> Discrepancy:
    """The comparison of the tables at these paths."""
    return Discrepancy(*open_pairs(source, expert))


def _releases(folders: Sequence[Path], *, missing_ok: bool = False) -> list[Path]:
    """The published counts in folders of releases."""
    found = [folder / RELEASE_FILE for folder in folders]
    return [path for path in found if path.is_file()] if missing_ok else [*map(input_file, found)]


def _read_release(path: Path) -> Published:
    try:
        return checked(json.loads(path.read_bytes()))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise OverreadError(
            f"{path.parent.name}/{RELEASE_FILE} is damaged. Next step: give the folder of a whole "
            "release."
        ) from None


def _tell(console: Console, line: str) -> None:
    console.print(Text(line), soft_wrap=True)
