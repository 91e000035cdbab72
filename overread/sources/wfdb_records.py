"""Folders of WFDB records as signal sources; corpora differ in what a record's id is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from overread.errors import UsageError
from overread.sources.recording import Recording
from overread.sources.tree import Tree
from overread.sources.wfdb_signal import read_leads

#: Each header's name in the tree, in sorted order, with its ECG's id and patient.
Listed = dict[str, tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class WfdbRecords:
    """See `SignalSource`; keys are the headers' names under the tree's root."""

    name: str
    tree: Tree
    listed: Listed
    notes: tuple[str, ...] = ()
    allow_uncalibrated: bool = False

    def keys(self) -> Sequence[str]:
        """The headers' names, sorted."""
        return tuple(self.listed)

    def id_of(self, key: str) -> str:
        """The ECG's id, without reading its files."""
        return self._listed(key)[0]

    def only(self, keys: Sequence[str]) -> WfdbRecords:
        """The source with these records alone."""
        return replace(self, listed={key: self._listed(key) for key in keys})

    def signal(self, key: str) -> Recording:
        """Reads one record; ``BadRecord`` as of `read_leads`."""
        id, patient = self._listed(key)
        fs_hz, signal, remarks = read_leads(
            self.tree, key, allow_uncalibrated=self.allow_uncalibrated
        )
        return Recording(id, patient, fs_hz, signal, remarks)

    def _listed(self, key: str) -> tuple[str, str | None]:
        if key not in self.listed:
            raise UsageError("The source has no record of this key. Next step: use its keys().")
        return self.listed[key]


def by_name(headers: Iterable[str]) -> Listed:
    """Ids are the headers' file names without ``.hea``.

    >>> by_name(["b/r2.hea"])
    {'b/r2.hea': ('r2', None)}
    """
    return {name: (PurePath(name).stem, None) for name in headers}
