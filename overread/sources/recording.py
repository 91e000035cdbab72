"""One 12-lead recording, and what every source of recordings offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Recording:
    """One 12-lead ECG as the source holds it: nothing filtered, resampled or cut.

    ``signal`` is float32 millivolts, 12 x samples, leads in the order of ``tables.LEADS``; a sample
    that the source marks as missing is NaN. ``remarks`` are short fixed texts that the import
    counts ("file longer than its header"); they never quote the file.
    """

    id: str
    patient_id: str | None
    fs_hz: float
    signal: npt.NDArray[np.float32]
    remarks: tuple[str, ...] = ()


class SignalSource(Protocol):
    """Recordings that can be read in any order, by several processes (it can be pickled)."""

    @property
    def name(self) -> str:
        """The format, as it stands in the store's ``source`` column: "wfdb", "ptbxl", "muse" ..."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth saying once, such as records that are left out."""
        ...

    def keys(self) -> Sequence[str]:
        """What names each recording inside the source, in an order that is always the same."""
        ...

    def id_of(self, key: str) -> str:
        """The id that the recording will have, without reading it."""
        ...

    def only(self, keys: Sequence[str]) -> SignalSource:
        """The source with these recordings alone: what another process needs for its share."""
        ...

    def signal(self, key: str) -> Recording:
        """Reads one recording. Raises ``BadRecord`` where it cannot be read safely or rightly."""
        ...
