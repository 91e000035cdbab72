"""What a run tells while it learns: metrics.jsonl, and TensorBoard where that is installed."""

from __future__ import annotations

import json
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

METRICS_FILE: Final = "metrics.jsonl"
#: TensorBoard's; numbers only, but it puts the name of the machine into the name of the file.
EVENT_FILES: Final = "events.out.tfevents.*"


class Log:
    """Sums of what steps return, on the device; lines of metrics.jsonl, and TensorBoard."""

    def __init__(self, folder: Path | None, device: torch.device) -> None:
        self._path = folder and folder / METRICS_FILE
        self._device = device
        self._board: Any = None
        self.last: dict[str, float] = {}
        self._saved = time.monotonic()
        self.forget()

    def forget(self) -> None:
        """Begins a new stretch of steps."""
        self._row = torch.zeros((), device=self._device)  # skipped updates in a row
        self._restart()

    def _restart(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._skipped = torch.zeros((), device=self._device)
        self._steps = self._ecgs = 0
        self._began = time.monotonic()

    def tally(self, parts: dict[str, Tensor], finite: Tensor, ecgs: int) -> None:
        """Adds a step; nothing waits for the device."""
        for name, value in parts.items():
            value = torch.where(finite, value.detach().float(), 0.0)
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._skipped = self._skipped + ~finite
        self._row = torch.where(finite, 0.0, self._row + 1)
        self._steps += 1
        self._ecgs += ecgs

    def bad_in_a_row(self) -> int:
        """Skipped updates up to now; waits for the device."""
        return int(self._row)

    def write(self, step: int, lr: float) -> int:
        """A line about the steps since the last one; returns the skipped updates in a row."""
        if not self._steps:
            return 0
        *sums, skipped, row = torch.stack([*self._sums.values(), self._skipped, self._row]).tolist()
        seconds = time.monotonic() - self._began
        good = max(self._steps - skipped, 1)
        self.last = {name: total / good for name, total in zip(self._sums, sums, strict=True)}
        self.last["ecgs_per_s"] = self._ecgs / seconds if seconds > 0 else 0.0
        self.epoch({"step": step, "lr": lr, "skipped": int(skipped), **self.last})
        self._restart()
        return int(row)

    def epoch(self, line: dict[str, Any]) -> None:
        """Appends a line."""
        if self._path is None:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._board is not None:
            for name, value in line.items():
                if isinstance(value, float):
                    self._board.add_scalar(name, value, line["step"])

    def open(self, step: int) -> None:
        """Goes on from ``step``: lines about steps that are done again go."""
        if self._path is None:
            return
        self._path.touch(mode=0o600)
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        kept = "".join(line for line in whole if json.loads(line)["step"] <= step)
        self._path.write_text(kept, encoding="utf-8")
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            if self._board is not None:
                self._board.close()
            # What stands there of steps that are done again is not shown.
            purge = step + 1 if step else None
            self._board = SummaryWriter(str(self._path.parent), purge_step=purge)
            for file in self._path.parent.glob(EVENT_FILES):
                file.chmod(0o600)

    def since_saved(self) -> float:
        """Seconds since the last checkpoint in the middle of an epoch."""
        return time.monotonic() - self._saved

    def saved(self) -> None:
        """A checkpoint was written now."""
        self._saved = time.monotonic()
