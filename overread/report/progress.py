"""How far a long job is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_EVERY_S: Final = 10.0


class Heard:
    """Shows what it is told, as long as the ``with`` block lasts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._tasks: dict[str, Any] = {}
        self._began: dict[str, tuple[float, int]] = {}
        self._spoken = time.monotonic()

    def __enter__(self) -> Heard:
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, what: str, done: int, total: int | None = None) -> None:
        """``done`` of ``total`` are done; ``what`` names them: "rows read"."""
        now = time.monotonic()
        began, first = self._began.setdefault(what, (now, done))  # an earlier run did the first
        per_s = (done - first) / (now - began) if now > began else 0.0
        rate = f"{per_s:,.0f}/s" if per_s else ""
        if self._bar is not None:
            if what not in self._tasks:
                self._tasks[what] = self._bar.add_task(what, total=total, rate="")
            self._bar.update(self._tasks[what], completed=done, rate=rate)
        elif now - self._spoken > _EVERY_S:
            self._spoken = now
            line = f"{what}: {done:,}"
            if total:
                line += f" of {total:,}"
            if rate:
                line += f", {rate}"
            if total and per_s:
                line += f", {(total - done) / per_s / 60:.0f} min left"
            print(line, file=sys.stderr, flush=True)
