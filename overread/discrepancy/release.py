"""Which numbers may leave the hospital: no count of 1 to 10 stands in a release or follows from it.

The rule is that of the Centers for Medicare & Medicaid Services: no cell of 1 to 10, 0 allowed,
nothing derivable. Counts of one label split the ECGs five ways (both, machine only, expert only,
neither, no value). A row of them is open, and then every figure made of it may stand, only where
each of the five is 0 or at least 11: added, removed and both follow from the two margins and
the disagreement (added = (D + O - M) / 2), and percentages give counts away too. Rows of strata
add up to the row of all ECGs, so more are closed until what is closed cannot be told from sums.

Two groupings of one release, and two releases, give away their differences as well. Both are
looked at pair by pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from overread.discrepancy.counts import Counts
from overread.discrepancy.pair import BOTH, EXPERT_ONLY, MACHINE_ONLY, OUT
from overread.discrepancy.strata import OTHER, UNKNOWN, Strata
from overread.errors import UsageError

#: The smallest count that may be told.
SMALLEST: Final = 11
_WIDE: Final = 2 * SMALLEST - 1  # 1 to 10 may all be a part of such a sum, the rest not being so
#: "<11" is told only among so many ECGs: three counts may then be 1 to 10 and one still is not.
TOLD_FROM: Final = 4 * SMALLEST - 3

Margin = Literal["machine", "over_read"]
Bools = npt.NDArray[np.bool_]
Published = Mapping[str, Any]

_MARGINS: Final[dict[Margin, tuple[int, int]]] = {
    "machine": (BOTH, MACHINE_ONLY),
    "over_read": (BOTH, EXPERT_ONLY),
}


@dataclass(frozen=True, slots=True)
class Groups:
    """Counts of a column's groups: groups x labels x 5."""

    column: str
    names: tuple[str, ...]
    counts: Counts

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """ECGs of each group."""
        out: npt.NDArray[np.int64] = self.counts[:, 0].sum(axis=1)
        return out


@dataclass(frozen=True, slots=True)
class Joint:
    """Counts of two columns' groups together: groups of one x groups of the other x labels x 5."""

    columns: tuple[str, str]
    counts: Counts


@dataclass(frozen=True, slots=True)
class Release:
    """What may be shown: rows of all ECGs in full, else perhaps one margin; rows of strata.

    ``total`` (labels,) and ``strata`` (groups x labels, by column) are True where a row is open.
    """

    total: Bools
    margins: tuple[Margin | None, ...]
    strata: Mapping[str, Bools]


def released(
    counts: Counts,
    groups: Sequence[Groups] = (),
    joints: Sequence[Joint] = (),
    earlier: Sequence[Published] = (),
    labels: Sequence[str] = (),
) -> Release:
    """Decides for the counts of all ECGs (labels x 5) and of groups, of which each has its column.

    ``joints`` are the groups of every two columns together, ``earlier`` releases that others may
    hold already (`published`). Raises UsageError where the numbers of ECGs alone give a count of 1
    to 10 away, or where it cannot be known whether they do.
    """
    n = int(counts[0].sum())
    if _small(n):
        raise UsageError(
            f"there are {n} ECGs with both readings. Next step: share nothing of fewer than "
            f"{SMALLEST}."
        )
    total = ~_small(counts).any(axis=1)
    margin_may = np.ones(len(counts), bool)
    for one in earlier:
        if _same_ecgs(one, n, counts, labels):
            _check_same_groups(one, groups)
            continue
        _check_sizes(one, n, groups)
        for at, label in enumerate(labels):
            if label in one["labels"] or label in one["margins"]:
                margin_may[at] = False
                total[at] &= _may_follow(one, label, counts[at], groups, at)
    margins = tuple(
        _margin(row) if may and not is_open else None
        for row, is_open, may in zip(counts, total, margin_may, strict=True)
    )
    is_open = {
        each.column: np.stack(
            [_open_groups(each.counts[:, at], bool(told)) for at, told in enumerate(total)], axis=1
        )
        for each in groups
    }
    for _ in joints:  # what one closes may be what another looked at before
        for joint in joints:
            _close_linked(joint, is_open)
    return Release(total, margins, is_open)


def published(
    release: Release, labels: Sequence[str], counts: Counts, groups: Sequence[Groups] = ()
) -> dict[str, Any]:
    """What a release tells, for later releases to be compared with."""
    return {
        "n": int(counts[0].sum()),
        "labels": {
            label: counts[at].tolist() for at, label in enumerate(labels) if release.total[at]
        },
        "margins": {
            label: [[list(_MARGINS[told]), int(counts[at, list(_MARGINS[told])].sum())]]
            for at, (label, told) in enumerate(zip(labels, release.margins, strict=True))
            if told
        },
        "groups": {
            each.column: {
                "n": dict(zip(each.names, each.sizes.tolist(), strict=True)),
                "labels": {
                    label: {
                        name: each.counts[group, at].tolist()
                        for group, name in enumerate(each.names)
                        if release.strata[each.column][group, at]
                    }
                    for at, label in enumerate(labels)
                },
            }
            for each in groups
        },
    }


def checked(found: Any) -> Published:
    """What `published` wrote, read back from JSON; raises TypeError and the like for others."""

    def rows(some: Any) -> dict[str, list[int]]:
        return {name: [int(n) for n in row] for name, row in some.items()}

    return {
        "n": int(found["n"]),
        "labels": rows(found["labels"]),
        "margins": {
            label: [([int(at) for at in parts], int(told)) for parts, told in some]
            for label, some in found["margins"].items()
        },
        "groups": {
            column: {
                "n": {name: int(n) for name, n in told["n"].items()},
                "labels": {label: rows(some) for label, some in told["labels"].items()},
            }
            for column, told in found["groups"].items()
        },
    }


def distinct(every: Sequence[Strata]) -> list[Strata]:
    """The groupings; one that comes twice, as table and as trend, once.

    Raises UsageError where two of one column differ.
    """
    out: dict[str, Strata] = {}
    for strata in every:
        same = out.setdefault(strata.column, strata)
        if same.names != strata.names or not np.array_equal(same.codes, strata.codes):
            raise UsageError(
                f"groups by {strata.column!r} are asked for in two ways, and their differences "
                "could give counts away. Next step: release one of them."
            )
    return list(out.values())


def pooled(strata: Strata) -> Strata:
    """The strata with those of fewer than 11 ECGs merged into "other", the next smallest too where
    they come to fewer than 11 together."""
    sizes = np.bincount(strata.codes, minlength=len(strata.names))
    merged = [at for at, size in enumerate(sizes) if _small(size)]
    rest = sorted((at for at in range(len(sizes)) if at not in merged and sizes[at]),
                  key=lambda at: (sizes[at], at))  # fmt: skip
    while merged and _small(sizes[merged].sum()) and rest:
        merged.append(rest.pop(0))
    if not merged:
        return strata
    kept = [at for at in range(len(sizes)) if at not in merged]
    names = [strata.names[at] for at in kept]
    place = names.index(UNKNOWN) if UNKNOWN in names else len(names)
    names.insert(place, f"{OTHER} ({len(merged)} small groups)")
    fresh = np.full(len(sizes), place)
    fresh[kept] = [at + (at >= place) for at in range(len(kept))]
    return Strata(strata.column, tuple(names), fresh[strata.codes])


def pair_may_be_told(n: int, left: int, right: int) -> bool:
    """Whether a number of ECGs with two changes may be told beside the totals of both.

    >>> pair_may_be_told(20, 100, 31), pair_may_be_told(20, 100, 25)
    (True, False)
    """
    return not any(_small(count) for count in (n, left - n, right - n))


def _small(count: Any) -> Any:
    """Whether a count (or each of an array) is 1 to 10."""
    return (count > 0) & (count < SMALLEST)


def _margin(row: Counts) -> Margin | None:
    """A margin of a closed row from which none of its parts follows.

    The other counts are told as "<11" or hidden, so that a margin of 12 beside "<11" is 11 and 1.
    """
    for margin, (one, other) in _MARGINS.items():
        pairs = row[[one, other]], row[[at for at in range(OUT) if at not in (one, other)]]
        if all(
            pair.max() >= SMALLEST and (pair.sum() >= _WIDE or not _small(pair).any())
            for pair in pairs
        ):
            return margin
    return None


def _open_groups(groups: Counts, total_is_open: bool) -> Bools:
    """Which groups (x 5 counts) of one label are open.

    A closed group is one row of a table whose closed rows have known sums: the numbers of ECGs of
    the groups across, and what the open rows leave of the totals down. In such a table a cell can
    be anything from max(0, row + column - all) to min(row, column), and nothing narrower (Frechet).
    """
    if not total_is_open:
        return np.zeros(len(groups), bool)
    is_open: Bools = ~_small(groups).any(axis=1)
    while (~is_open).any() and _derivable(groups[~is_open]):
        # The group with the fewest ECGs that have anything to tell is the least loss.
        sizes = np.where(is_open & (groups.sum(axis=1) > 0), groups.sum(axis=1), np.inf)
        if np.isinf(sizes).all():
            break
        is_open[np.argmin(sizes)] = False
    return is_open


def _derivable(closed: Counts) -> bool:
    """Whether a count of 1 to 10 in the closed groups, or their sum, can be narrowed down."""
    rows, columns = closed.sum(axis=1), closed.sum(axis=0)
    if _small(columns).any():
        return True
    low = np.maximum(0, rows[:, None] + columns[None] - rows.sum())
    high = np.minimum(rows[:, None], columns[None])
    return bool((_small(closed) & (high - low < SMALLEST)).any())


def _same_ecgs(one: Published, n: int, counts: Counts, labels: Sequence[str]) -> bool:
    """Whether an earlier release tells of the same ECGs, as far as it tells anything."""
    return one["n"] == n and all(
        one["labels"].get(label, row.tolist()) == row.tolist()
        and all(row[parts].sum() == told for parts, told in one["margins"].get(label, ()))
        for label, row in zip(labels, counts, strict=True)
    )


def _check_same_groups(one: Published, groups: Sequence[Groups]) -> None:
    """Releases of the same ECGs: groups told earlier are compared with the others as joints."""
    told = {each.column: list(each.names) for each in groups}
    for column, before in one["groups"].items():
        if told and told.get(column) != list(before["n"]):
            raise UsageError(
                f"an earlier release of the same ECGs has other groups, by {column!r}, and "
                "differences could give counts away. Next step: group by it in the same way too."
            )


def _check_sizes(one: Published, n: int, groups: Sequence[Groups]) -> None:
    """Raises UsageError where numbers of ECGs differ by 1 to 10, or cannot be compared."""
    told = {each.column: dict(zip(each.names, each.sizes.tolist(), strict=True)) for each in groups}
    columns = {column: before["n"] for column, before in one["groups"].items()}
    differences = [("as a whole", n - one["n"])]
    for column in sorted({*told, *columns}):
        now, before = told.get(column, {}), columns.get(column, {})
        nested = now.keys() <= before.keys() or now.keys() >= before.keys()
        pooled = any(name.startswith(OTHER) for name in {*now, *before})
        if not (now and before and nested) or (pooled and now.keys() != before.keys()):
            raise UsageError(
                f"this release and an earlier one of other ECGs have not the same groups by "
                f"{column!r}, so that differences cannot be checked. Next step: group both by the "
                "same columns and bands, or share only one of them."
            )
        differences += [
            (f"by {column!r}", now.get(name, 0) - before.get(name, 0))
            for name in sorted({*now, *before})
        ]
    for where, difference in differences:
        if _small(abs(difference)):
            raise UsageError(
                f"this release and an earlier one differ {where} by {abs(difference)} ECGs: who "
                "holds both could take one from the other. Next step: share only one of them."
            )


def _may_follow(one: Published, label: str, row: Counts, groups: Sequence[Groups], at: int) -> bool:
    """Whether a label's rows may be told beside those of an earlier release of other ECGs."""
    before = one["labels"].get(label)
    if before is None or _small(np.abs(np.array(before) - row)).any():
        return False
    for each in groups:
        told = one["groups"][each.column]
        rows = dict(zip(each.names, each.counts[:, at], strict=True))
        if told["labels"].get(label, {}).keys() != told["n"].keys():
            return False
        nothing = np.zeros_like(row)
        for name in {*rows, *told["n"]}:
            now, then = rows.get(name, nothing), told["labels"][label].get(name, nothing)
            if _small(now).any() or _small(np.abs(now - np.array(then))).any():
                return False
    return True


def _close_linked(joint: Joint, is_open: Mapping[str, Bools]) -> None:
    """Closes the groups of labels for which two columns together tell more than each alone.

    Where groups of the one lie within groups of the other, or hang together by one cell, that
    cell and sums of rows follow by subtraction: then all rows are told, or none.
    """
    sizes = joint.counts[:, :, 0].sum(axis=-1)
    links, apart = _links(sizes > 0)
    if not (apart or links.any()):
        return
    if _small(sizes[links]).any():
        raise UsageError(
            f"groups by {joint.columns[0]!r} and by {joint.columns[1]!r} differ by 1 to 10 ECGs. "
            "Next step: release one of the two."
        )
    for label in range(joint.counts.shape[2]):
        rows = [is_open[column][:, label] for column in joint.columns]
        if _small(joint.counts[links][:, label]).any() or not all(row.all() for row in rows):
            for row in rows:
                row[:] = False


def _links(together: Bools) -> tuple[Bools, bool]:
    """Cells without which the groups of two columns fall apart, and whether they do anyway."""
    from scipy.sparse.csgraph import connected_components

    def parts(cells: Bools) -> int:
        rows, columns = cells.shape
        graph = np.zeros((rows + columns, rows + columns), bool)
        graph[:rows, rows:] = cells
        return int(connected_components(graph, directed=False)[0])

    whole = parts(together)
    links = np.zeros_like(together)
    for row, column in np.argwhere(together):
        less = together.copy()
        less[row, column] = False
        links[row, column] = parts(less) > whole
    empty = (~together.any(axis=1)).sum() + (~together.any(axis=0)).sum()
    return links, bool(whole - empty > 1)
