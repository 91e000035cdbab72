"""ECGs in groups: by site, year, age band, or period of time; nothing is ever dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.discrepancy.counts import count_cells, counts_frame
from overread.discrepancy.pair import LABEL_ROW, Pairs
from overread.errors import UsageError
from overread.tables import ID

UNKNOWN: Final = "unknown"
OTHER: Final = "other"

_MOST_GROUPS: Final = 40  # beyond that a table is read by nobody: the rest is "other"
_MOST_BANDS: Final = 8
_MOST_PERIODS: Final = 24
_STEPS: Final = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)
# Before 1950 no device read an ECG: such a year stands for "not known", as 1900 does in exports.
_YEARS: Final = (1950, 2100)
_AGES: Final = (0, 120)
_BLANK: Final = ("", "na", "n/a", "nan", "none", "null", "unknown", "?")


@dataclass(frozen=True, slots=True)
class Strata:
    """A column as groups: their names in order, and the group of each ECG (int64 from 0).

    "unknown" is last and always there, so that the groups add up to all ECGs. ``unread`` of them
    are there for a cell that is no number, or an impossible one, among numbers.
    """

    column: str
    names: tuple[str, ...]
    codes: npt.NDArray[np.int64]
    unread: int = 0

    @property
    def notes(self) -> list[str]:
        """What people should know of cells that were not read."""
        if not self.unread:
            return []
        return [
            f"by {self.column}: {self.unread:,} ECGs are unknown because their cell holds no "
            "number or an impossible one"
        ]


def strata_by(pairs: Pairs, column: str, cuts: Sequence[float] = ()) -> Strata:
    """The groups of a kept column of the pairs; see `groups_of`."""
    return groups_of(pairs.ecgs, column, cuts)


def groups_of(ecgs: pl.DataFrame, column: str, cuts: Sequence[float] = ()) -> Strata:
    """The groups of a column of a frame with a row per ECG.

    Years and texts are groups of their own, other numbers are put in bands ("40 to 59"); ``cuts``
    are lower limits of bands of your own. A column is numbers where most of its cells are. Blank
    cells, texts among numbers, ages outside 0 to 120 and years before 1950 are "unknown". Raises
    UsageError where there is no such column, ``cuts`` do not rise or there is no number for them.
    """
    texts = _column(ecgs, column)
    numbers = texts.cast(pl.Float64, strict=False)
    numbers = numbers.set(~numbers.is_finite().fill_null(False), None)
    known, read = texts.count(), numbers.count()
    if cuts and known and not read:
        raise UsageError(
            f"column {column!r} holds no numbers to put in bands. Next step: --by {column} for "
            "groups by text."
        )
    if not cuts and 2 * read <= known:
        return _named(column, texts)
    numbers = _plausible(column, numbers)
    unread = known - numbers.count()
    if cuts:
        return replace(_bands(column, numbers, _checked(cuts)), unread=unread)
    is_year = _is_year(column, numbers)
    few = numbers.drop_nulls().n_unique() <= _MOST_BANDS
    if not (numbers.drop_nulls() % 1 == 0).all() or not (is_year or few):
        return replace(_bands(column, numbers, _round_cuts(numbers)), unread=unread)
    if read < known and not is_year and not _is_age(column):
        return _named(column, texts)  # codes, such as those of sites, with texts among them
    told = {number: _told(number) for number in numbers.drop_nulls().unique().to_list()}
    named = numbers.replace_strict(told, default=None, return_dtype=pl.String)
    return replace(_named(column, named, order=numbers), unread=unread)


def strata_over_time(pairs: Pairs, column: str) -> Strata:
    """The periods of a date or year column: years, quarters or months, as the span allows.

    Dates are read as YYYY-MM-DD, YYYYMMDD or YYYY with anything after it; what is none is
    "unknown". Raises UsageError where no cell is a date.
    """
    texts = _column(pairs.ecgs, column)
    parts = texts.str.extract_groups(r"^(\d{4})(?:-?(\d{2})(?:-?\d{2})?(?:[ T].*)?)?(?:\.0)?$")
    year = parts.struct.field("1").cast(pl.Int32, strict=False)
    month = parts.struct.field("2").cast(pl.Int32, strict=False)
    possible = year.is_between(*_YEARS) & month.is_between(1, 12).fill_null(True)
    year = year.set(~possible.fill_null(False), None)
    if not year.is_not_null().any():
        raise UsageError(
            f"column {column!r} holds no date such as 2019-05-31 or 2019. "
            "Next step: name a date column, or use --by for groups."
        )
    if (month.is_not_null() | year.is_null()).all():
        frame = pl.DataFrame({"y": year, "m": month})
        for per, name in ((1, "{}-{:02d}"), (3, "{} Q{}")):
            at = frame.select(pl.col("y") * 12 + (pl.col("m") - 1) // per * per).to_series()
            if at.n_unique() - bool(at.null_count()) <= _MOST_PERIODS:
                told = {
                    value: name.format(value // 12, value % 12 // per + 1)
                    for value in at.drop_nulls().unique().to_list()
                }
                return _named(column, at.replace_strict(told, return_dtype=pl.String), order=at)
    return _named(column, year.cast(pl.String), order=year, most=10**6)


def strata_counts(pairs: Pairs, strata: Strata) -> pl.DataFrame:
    """`counts_frame` of every group, with the columns ``by`` and ``stratum`` in front.

    Rows are groups in their order, each with all labels in theirs.
    """
    counts = count_cells(pairs.cells(), strata.codes, len(strata.names))
    return pl.concat(
        counts_frame(pairs.labels, one).select(
            pl.lit(strata.column).alias("by"), pl.lit(name).alias("stratum"), pl.all()
        )
        for name, one in zip(strata.names, counts, strict=True)
    )


def _column(ecgs: pl.DataFrame, column: str) -> pl.Series:
    """The column as trimmed text, blanks as null."""
    if column not in ecgs.columns:
        kept = ", ".join(n for n in ecgs.columns if n not in (LABEL_ROW, ID)) or "none"
        raise UsageError(
            f"there is no column {column!r} beside the labels; there are: {kept}. "
            f"Next step: name one of these, or overread labels extract ... --keep {column}"
        )
    texts = ecgs[column].cast(pl.String).str.strip_chars()
    return texts.set(texts.str.to_lowercase().is_in(list(_BLANK)).fill_null(False), None)


def _plausible(column: str, numbers: pl.Series) -> pl.Series:
    """The numbers, impossible ages and years as null."""
    low, high = float("-inf"), float("inf")
    if _is_age(column):
        low, high = _AGES
    elif _is_year(column, numbers):
        low, high = _YEARS
    keep = numbers.is_between(low, high)
    return numbers.set(~keep.fill_null(False), None)


def _is_age(column: str) -> bool:
    return "age" in column.lower().replace("_", " ").split()


def _is_year(column: str, numbers: pl.Series) -> bool:
    known = numbers.drop_nulls()
    if _is_age(column):  # age_years
        return False
    if "year" in column.lower():
        return True
    return bool(len(known)) and bool(((known % 1 == 0) & known.is_between(*_YEARS)).all())


def _checked(cuts: Sequence[float]) -> list[float]:
    if not np.isfinite(cuts).all():
        raise UsageError(f"bands {list(cuts)} are not all finite. Next step: --by age:40,60,80")
    if any(low >= high for low, high in pairwise(cuts)):
        raise UsageError(f"bands {list(cuts)} do not rise. Next step: --by age:40,60,80")
    return list(cuts)


def _round_cuts(numbers: pl.Series) -> list[float]:
    """Lower limits of at most eight bands of one round width that hold all numbers."""
    known = numbers.drop_nulls()
    if known.is_empty():
        return []
    low, high = float(known.min()), float(known.max())  # type: ignore[arg-type]
    scale = 10.0 ** np.floor(np.log10(max(high - low, 1e-9) / _MOST_BANDS))
    for step in _STEPS:
        width = step * scale
        first = np.floor(low / width)
        if np.floor(high / width) - first < _MOST_BANDS:
            break
    count = int(np.floor(high / width) - first) + 1
    return [float(np.round((first + k) * width, 9)) for k in range(count)]


def _bands(column: str, numbers: pl.Series, cuts: list[float]) -> Strata:
    whole = bool((numbers.drop_nulls() % 1 == 0).all()) and all(cut % 1 == 0 for cut in cuts)
    names = []
    for low, high in zip(cuts, [*cuts[1:], None], strict=True):
        if high is None:
            names.append(f"{_told(low)} and over")
        elif whole:
            names.append(f"{_told(low)} to {_told(high - 1)}")
        else:
            names.append(f"{_told(low)} to under {_told(high)}")
    values = numbers.fill_null(float("nan")).to_numpy()
    codes = np.searchsorted(np.array(cuts), values, side="right") - 1
    if (codes < 0).any() and cuts:
        names = [f"under {_told(cuts[0])}", *names]
        codes = codes + 1
    codes[np.isnan(values)] = len(names)
    return _numbered(column, names, codes.astype(np.int64))


def _told(number: float) -> str:
    return f"{number:.15g}"  # two numbers never look the same


def _named(
    column: str, texts: pl.Series, order: pl.Series | None = None, most: int = _MOST_GROUPS
) -> Strata:
    """Groups by text: in the order given, else by name; the smallest beyond ``most`` as "other"."""
    groups = (
        pl.DataFrame({"text": texts, "order": texts if order is None else order})
        .drop_nulls()
        .group_by("text")
        .agg(pl.col("order").min(), pl.len().alias("n"))
    )
    kept = groups.sort("n", "order", descending=[True, False]).head(
        most if groups.height <= most else most - 1
    )
    names = kept.sort("order")["text"].to_list()
    if groups.height > most:
        names.append(f"{OTHER} ({groups.height - len(names)} more)")
    at = {name: number for number, name in enumerate(names)}
    default = len(names) - 1 if groups.height > most else None
    codes = texts.replace_strict(at, default=default, return_dtype=pl.Int64)
    codes = codes.set(texts.is_null(), len(names))
    return _numbered(column, names, codes.to_numpy())


def _numbered(column: str, names: list[str], codes: npt.NDArray[np.int64]) -> Strata:
    """The groups without those that no ECG is in, "unknown" excepted."""
    held = np.bincount(codes, minlength=len(names) + 1)
    held[len(names)] = 1
    fresh = np.cumsum(held > 0) - 1
    kept = [name for name, n in zip([*names, UNKNOWN], held, strict=True) if n]
    return Strata(column, tuple(kept), fresh[codes])
