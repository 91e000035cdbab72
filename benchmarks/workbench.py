"""Speed of the vocabulary workbench: ``vocab suggest``, ``vocab diff``, the effect of a phrase.

    python benchmarks/workbench.py --rows 2000000 --distinct 10000
    python benchmarks/workbench.py --rows 2000000 --distinct 300000
    python benchmarks/workbench.py --on overread-out/labels     # an extraction that is there

Reports are those of ``benchmarks/labels.py``. Aims, on 2 processors: suggestions and a diff of 2
million pairs in 20 s each, each action in 200 ms. CPU seconds are those of all processes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Any

from labels import generate

from overread.vocab.edit import NewPhrase, insert
from overread.vocab.load import load_vocabulary, shipped_vocabulary
from overread.workbench.diff import diff
from overread.workbench.effect import LiveEffect
from overread.workbench.extraction import Extraction
from overread.workbench.suggest import suggest

#: From a wording that nothing holds to one that a tenth of all reports hold, and several at once.
_ADDED = (
    ("zigzag sign",),
    ("low voltage qrs",),
    ("premature ventricular complexes",),
    ("st elevation",),
    ("prolonged qt", "low voltage", "rate-related"),
    ("likely chronic",),
)


def timed(what: str, run: Callable[[], Any]) -> Any:
    began, used = time.perf_counter(), cpu_seconds()
    out = run()
    print(f"{what}: {time.perf_counter() - began:.2f} s ({cpu_seconds() - used:.2f} s CPU)")
    return out


def cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    own, started = (getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + started.ru_utime + started.ru_stime


def measure(folder: Path, workers: int) -> None:
    vocabulary = load_vocabulary()
    phrases = [
        [NewPhrase("lvh", text, "AB", date(2024, 5, 1)) for text in texts] for texts in _ADDED
    ]
    extraction = Extraction.open(folder)
    print(f"{extraction.n:,} ECGs, {extraction.statements.height:,} distinct statements")
    opened = partial(Extraction.open, folder)  # each command reads the tables anew
    timed("vocab suggest", lambda: suggest(opened(), vocabulary, limit=40, workers=workers))
    with tempfile.TemporaryDirectory() as other:
        edited = Path(other) / "edited"
        files = {path.name: path.read_bytes() for path in shipped_vocabulary().glob("*.yaml")}
        for phrase in (each for some in phrases for each in some):
            insertion, content = insert(files, phrase)
            files[insertion.file] = content
        edited.mkdir()
        for name, content in files.items():
            (edited / name).write_bytes(content)
        after = load_vocabulary(edited)
        timed("vocab diff", lambda: diff(opened(), vocabulary, after, workers=workers))
    live = timed(
        "opening a live effect", lambda: LiveEffect(extraction, vocabulary, workers=workers)
    )
    timed("its first action (reads who holds what)", lambda: live.with_phrases(phrases[0]).changes)
    for some in phrases:
        walls, used = [], []
        for _ in range(5):
            began, cpu = time.perf_counter(), time.process_time()
            found = live.with_phrases(some)
            changes, shown = found.changes, found.statements
            walls.append(time.perf_counter() - began)
            used.append(time.process_time() - cpu)
        gained = sum(change.gained for change in changes)
        wall, cpu = (1000 * statistics.median(each) for each in (walls, used))
        print(
            f"{', '.join(phrase.text for phrase in some)}: {wall:.0f} ms ({cpu:.0f} ms CPU), "
            f"{shown['statement'].n_unique():,} statements, {gained:,} labels gained"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--distinct", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--on", type=Path, help="An extraction that is there.")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    if given.on:
        measure(given.on, given.workers)
        return
    path = given.folder / f"overread-{given.rows}-{given.distinct}.csv"
    if not path.exists():
        generate(path, given.rows, given.distinct)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        out = Path(folder) / "labels"
        command = [sys.executable, "-m", "overread.cli.main", "labels", "extract", str(path)]
        timed("labels extract", lambda: subprocess.run([*command, "--out", str(out)], check=True))
        measure(out, given.workers)


if __name__ == "__main__":
    main()
