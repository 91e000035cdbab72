"""overread: labels from machine and expert ECG readings, and what lies between the two.

Names are loaded when they are first used: ``import overread`` is quick and touches no disk.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overread.discrepancy.api import Discrepancy as Discrepancy
    from overread.discrepancy.api import discrepancy as discrepancy
    from overread.evaluate.api import Evaluation as Evaluation
    from overread.evaluate.api import evaluate as evaluate
    from overread.labels.api import Extraction as Extraction
    from overread.labels.api import extract as extract
    from overread.signals.store import Store as Store
    from overread.signals.store import open_store as open_store
    from overread.text.labeler import Labeler as Labeler
    from overread.text.labeler import Mention as Mention
    from overread.text.labeler import Reading as Reading
    from overread.vocab.load import load_vocabulary as load_vocabulary

_HOME = {
    "Discrepancy": "overread.discrepancy.api",
    "Evaluation": "overread.evaluate.api",
    "Extraction": "overread.labels.api",
    "Labeler": "overread.text.labeler",
    "Mention": "overread.text.labeler",
    "Reading": "overread.text.labeler",
    "Store": "overread.signals.store",
    "discrepancy": "overread.discrepancy",
    "evaluate": "overread.evaluate",
    "extract": "overread.labels.api",
    "load_vocabulary": "overread.vocab.load",
    "open_store": "overread.signals.store",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'overread' has no attribute {name!r}")
    home = import_module(_HOME[name])
    return getattr(home, name, home)  # discrepancy and evaluate are packages that can be called


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
