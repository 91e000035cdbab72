"""Scores of trained models, and how good they are.

``overread.evaluate`` is both this package and the function that evaluates runs, see
``overread.evaluate.api.evaluate``.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """Importing a module of the package sets its name in ``overread``; it has to stay callable."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from overread.evaluate.api import evaluate

        return evaluate(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
