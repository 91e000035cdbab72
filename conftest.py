"""Files that need an optional package are left out where it is not installed."""

from __future__ import annotations

import gc
from importlib.util import find_spec

_NEEDS = {
    "numba": ["overread/signals/filter_numba.py", "overread/signals/synth_kernel.py"],
    "torch": ["overread/train/*.py", "tests/train", "tests/evaluate"],
}
collect_ignore_glob = [
    glob for package, globs in _NEEDS.items() if find_spec(package) is None for glob in globs
]

# torch, spaCy and the like hold half a million objects, and a vocabulary read makes thousands of
# lists: looking at all of them as often as Python does would double the time of reading one.
gc.set_threshold(50_000, 20, 20)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    # Bytes made at collection (gzip writes the time into them) would give the test another name in
    # each process, and the processes that share the work then refuse to start.
    return argname if isinstance(val, bytes) else None


def pytest_collection_finish() -> None:
    gc.freeze()
