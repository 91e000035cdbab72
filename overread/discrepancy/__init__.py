"""Where machine and expert disagree.

``overread.discrepancy`` is both this package and the function that compares two readings, see
``overread.discrepancy.api.discrepancy``.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """Importing a module of the package sets its name in ``overread``; it has to stay callable."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from overread.discrepancy.api import discrepancy

        return discrepancy(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
