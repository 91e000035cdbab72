"""A line on the columns of a table that are not read, so that a misspelt one is seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from overread.sources.sniff import looks_like_data
from overread.tables import plain_name

_NEAR: Final = 0.8  # of 1; names with a common opening such as "expert_" are alike already
_MOST: Final = 40


def left_out(why: str, names: Sequence[str], known: Iterable[str] = ()) -> list[str]:
    """The line, or nothing where no column is left out; a known name that is near stands beside.

    >>> left_out("left out", ["exprt_lvh", "site"], ["expert_lvh", "expert_rvh"])
    ['left out: exprt_lvh (near expert_lvh), site']
    """
    if not names:
        return []
    if looks_like_data(names):
        return [f"{why}: {len(names):,} columns, whose names look like data"]
    known = list(known)
    told = [f"{name} (near {near})" if (near := near_name(name, known)) else name for name in names]
    more = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
    return [f"{why}: {', '.join(told[:_MOST])}{more}"]


def near_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that another one is most like, None where none is near."""
    plain = {plain_name(one): one for one in known if one != name}
    found = get_close_matches(plain_name(name), plain, 1, _NEAR)
    return plain[found[0]] if found else None
