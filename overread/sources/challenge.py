"""The PhysioNet/CinC Challenges of 2020 and 2021: WFDB headers with the samples in MATLAB v4 files.

A v4 file is read as what its header says it is, format 16 behind 24 bytes, and never as MATLAB:
readers of damaged MATLAB files can end the process. Reyna et al., doi:10.13026/34va-7q14.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from overread.errors import BadRecord
from overread.sources.ids import ptbxl_id
from overread.sources.tree import Tree
from overread.sources.wfdb_records import Listed
from overread.sources.wfdb_signal import read_header


def shown_by(tree: Tree, headers: Iterable[str]) -> bool:
    """Whether the first readable header has its samples in a ``.mat`` file."""
    for name in headers:
        try:
            header = read_header(tree, name)
        except BadRecord:  # it is refused, and counted, when it is its turn
            continue
        return header.signals[0].file.endswith(".mat")
    return False


def by_name(headers: Iterable[str]) -> Listed:
    """Ids are record names; those of PTB-XL, such as HR00032, are its ``ecg_id``.

    >>> by_name(["ptb-xl/g1/HR00032.hea", "georgia/g1/E00001.hea"]).values()
    dict_values([('32', None), ('E00001', None)])
    """
    stems = ((name, PurePath(name).stem) for name in headers)
    return {name: (ptbxl_id(stem) or stem, None) for name, stem in stems}
