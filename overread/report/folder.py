"""The folder of a report: whether it is up to date; files of any folder replaced at one stroke."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from overread.errors import OutputExists, UsageError
from overread.files import atomic_open, locked
from overread.interrupt import uninterrupted
from overread.manifest import RUN_FILE, Manifest

_FILES: Final = "files"  # key of run.json's counts
_SHOWN: Final = 6


def standing_report(
    folder: Path, planned: Manifest, *, overwrite: bool
) -> tuple[Manifest | None, bool]:
    """The manifest of what stands in a folder, and whether it is this very report, whole.

    With ``overwrite`` it never is. Raises UsageError where the folder holds the output of another
    command, OutputExists where it holds another report that may not be replaced.
    """
    standing = Manifest.standing(folder, overwrite=overwrite)
    if standing is None:
        return None, False
    if standing.command != planned.command:
        raise UsageError(
            f"{folder} holds the output of overread {standing.command}. Next step: --out FOLDER "
            "for another place."
        )
    if overwrite:
        return standing, False
    if not standing.same_work(planned):
        raise OutputExists(
            f"{folder} holds a report of other tables or options. Next step: give --overwrite to "
            "replace it, or --out FOLDER for another place."
        )
    return standing, all(path.is_file() for path in _written_by(standing, folder))


def replace_report(
    folder: Path,
    contents: Mapping[str, bytes],
    made: Manifest,
    standing: Manifest | None,
    *,
    overwrite: bool,
) -> None:
    """Writes the files of a report and ``run.json``; those of the standing one go."""
    made = replace(made, counts={**made.counts, _FILES: sorted(contents)})
    files = {folder / name: content for name, content in contents.items()}
    with locked(folder):
        replace_files(
            {**files, folder / RUN_FILE: made.content()},
            [folder / RUN_FILE, *(set(_written_by(standing, folder)) - set(files))],
            overwrite=overwrite or standing is not None,
        )


def replace_files(
    contents: Mapping[Path, bytes], replaced: Iterable[Path] = (), *, overwrite: bool = False
) -> None:
    """Writes files, all or none; those ``replaced`` go once all are on the disk.

    They get their names in their order. With ``run.json`` last among them and first among those
    replaced, a process killed between two leaves none. Raises what `atomic_open` raises.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_files({Path(folder) / "a": b"1", Path(folder) / "b": b"2"})
    ...     sorted(os.listdir(folder))
    ['a', 'b']
    """
    with ExitStack() as stack:
        for path, content in reversed([*contents.items()]):  # the first to get its name comes last
            file = stack.enter_context(atomic_open(path, overwrite=overwrite))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with uninterrupted():
            for path in replaced:
                path.unlink(missing_ok=True)
            stack.close()


def file_names(written: Collection[str], document: str) -> str:
    """The files of a report in words, those of the document itself first.

    >>> file_names(["b.csv", "evaluation.html", "a.csv"], "evaluation")
    'evaluation.html, a.csv, b.csv'
    """
    names = sorted(written, key=lambda name: (Path(name).stem != document, name))
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _written_by(standing: Manifest | None, folder: Path) -> list[Path]:
    """The files of the report that stands in the folder."""
    names = [] if standing is None else standing.counts.get(_FILES, [])
    return [folder / Path(name).name for name in names]
