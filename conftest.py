"""Files that need an optional package are left out where it is not installed."""

from __future__ import annotations

from importlib.util import find_spec

_NEEDS = {
    "numba": ["overread/signals/filter_numba.py", "overread/signals/synth_kernel.py"],
    "torch": ["overread/train/*.py", "tests/train", "tests/evaluate"],
}
collect_ignore_glob = [
    glob for package, globs in _NEEDS.items() if find_spec(package) is None for glob in globs
]
