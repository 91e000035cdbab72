"""The folder of a report: whether it is up to date, and its files replaced at one stroke."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from overread.errors import OutputExists, UsageError
from overread.files import atomic_path, locked
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
    again = overwrite or standing is not None
    with locked(folder), ExitStack() as stack:
        for name, content in contents.items():
            path = stack.enter_context(atomic_path(folder / name, overwrite=again))
            path.write_bytes(content)
        # From here on nothing can fail but the disk: the old report goes, the new one gets its
        # names, and a process killed between the two leaves no run.json.
        with uninterrupted():
            (folder / RUN_FILE).unlink(missing_ok=True)
            for path in _written_by(standing, folder):
                if path.name not in contents:
                    path.unlink(missing_ok=True)
            stack.close()
            replace(made, counts={**made.counts, _FILES: sorted(contents)}).write(folder)


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
