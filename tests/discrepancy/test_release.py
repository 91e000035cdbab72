"""No count of 1 to 10 stands in a release or follows from it (FAULTS P05, P06, P07).

An attacker knows everything that the files of a release tell, and more: all five counts of every
row in which one figure stands, and which groups of two columns share no ECG. A solver over whole
numbers then looks for the smallest and the largest value that each count of 1 to 10 may have.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

import overread
from overread.discrepancy.document import release_document
from overread.discrepancy.release import checked
from overread.errors import UsageError
from overread.report.document import Document
from overread.report.figure import Figure
from overread.report.table import Gap
from overread.report.write import files

CELLS = ("both", "removed", "added", "neither", "out")
SUMS = {
    "machine": ("both", "removed"),
    "over_read": ("both", "added"),
    "disagreement": ("added", "removed"),
    **{cell: (cell,) for cell in CELLS[:4]},
}
ALL = "All ECGs"

Row = tuple[str, str]  # column and group; ("", ALL) is the row of all ECGs


def truth(frame: pl.DataFrame, label: str) -> dict[str, pl.Series]:
    """Which ECGs are in which cell, from the table's own columns."""
    machine, expert = frame[f"machine_{label}"], frame[f"expert_{label}"]
    known = machine.is_not_null() & expert.is_not_null()
    return {
        "both": known & (machine == 1) & (expert == 1),
        "removed": known & (machine == 1) & (expert == 0),
        "added": known & (machine == 0) & (expert == 1),
        "neither": known & (machine == 0) & (expert == 0),
        "out": ~known,
    }


def csv_rows(document: Document, name: str) -> list[dict[str, str]]:
    written = dict(files(document, "csv"))
    return list(csv.DictReader(io.StringIO(written[f"{name}.csv"].decode())))


class Told:
    """What the CSV files of a release tell."""

    def __init__(self, document: Document, columns: Sequence[str]) -> None:
        self.n = int(dict(document.facts)["ECGs with both readings"].replace(",", ""))
        self.totals: dict[str, dict[str, str]] = {}
        for name in ("table_a1", "two_by_two"):
            for row in csv_rows(document, name):
                self.totals.setdefault(row["label"], {}).update(row)
        self.sizes: dict[Row, int] = {}
        self.figures: dict[Row, dict[str, list[str]]] = {}
        for column in columns:
            for part in ("added", "removed"):
                for row in csv_rows(document, f"by_{column}_{part}"):
                    group = column, row.pop("stratum")
                    self.sizes[group] = int(row.pop("n"))
                    for name, figure in row.items():
                        label = name.removesuffix("_pct")
                        self.figures.setdefault(group, {}).setdefault(label, []).append(figure)

    def is_open(self, row: Row, label: str) -> bool:
        """Whether any figure of the label stands in the row."""
        if not row[0]:
            cells = (self.totals[label][key] for key in ("both", "added_pct", "added"))
        else:
            cells = iter(self.figures[row][label])
        return not all(cell == "hidden" or cell == "<11" for cell in cells)

    def groups(self, column: str) -> list[str]:
        return [group for found, group in self.sizes if found == column and group != ALL]


class Attacker:
    """Whole numbers from 0 up under equations; finds how far a sum of them may go."""

    def __init__(self) -> None:
        self.names: dict[Any, int] = {}
        self.rows: list[dict[int, float]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def at(self, name: Any) -> int:
        return self.names.setdefault(name, len(self.names))

    def between(self, terms: Mapping[Any, float], low: float, high: float) -> None:
        self.rows.append({self.at(name): factor for name, factor in terms.items()})
        self.low.append(low)
        self.high.append(high)

    def equal(self, terms: Mapping[Any, float], value: float) -> None:
        self.between(terms, value, value)

    def zero_or_eleven(self, terms: Mapping[Any, float], most: int) -> None:
        choice = ("choice", len(self.rows))
        self.between({choice: 1}, 0, 1)
        self.between({**terms, choice: -float(most)}, -np.inf, 0)
        self.between({**terms, choice: -11.0}, 0, np.inf)

    def range(self, terms: Mapping[Any, float]) -> tuple[int, int]:
        cost = np.zeros(len(self.names))
        for name, factor in terms.items():
            cost[self.names[name]] = factor
        where = [(i, at, f) for i, row in enumerate(self.rows) for at, f in row.items()]
        rows, columns, factors = zip(*where, strict=True)
        matrix = csr_array((factors, (rows, columns)), (len(self.rows), len(self.names)))
        out = []
        for sign in (1, -1):
            found = milp(
                sign * cost,
                constraints=LinearConstraint(matrix, self.low, self.high),
                integrality=np.ones(len(cost)),
                bounds=Bounds(0, np.inf),
            )
            assert found.status == 0, found.message
            out.append(sign * round(found.fun))
        return out[0], out[1]


def knows(
    attacker: Attacker, frame: pl.DataFrame, told: Told, label: str, columns: Sequence[str],
    release: str = "",
) -> dict[tuple[Any, ...], dict[str, int]]:  # fmt: skip
    """Gives the attacker what a release tells of one label; the true counts of every row.

    A row that is not told is known by its number of ECGs alone, and two columns' groups together
    (two rows) only where they share no ECG.
    """
    cells = truth(frame, label)
    groups = {("", ALL): pl.Series([True] * len(frame))}
    for column in columns:
        for group in told.groups(column):
            groups[column, group] = frame[f"{column} as told"] == group
    true: dict[tuple[Any, ...], dict[str, int]] = {
        (row,): {c: int((cells[c] & held).sum()) for c in CELLS} for row, held in groups.items()
    }
    for row, held in groups.items():
        assert int(held.sum()) == (told.n if not row[0] else told.sizes[row])
        attacker.equal({(release, row, cell): 1 for cell in CELLS}, int(held.sum()))
        if told.is_open(row, label):
            for cell in CELLS:
                attacker.equal({(release, row, cell): 1}, true[row,][cell])
    for column in columns:
        for cell in CELLS:
            attacker.equal(
                {(release, ("", ALL), cell): 1}
                | {(release, (column, group), cell): -1 for group in told.groups(column)},
                0,
            )
    for one, other in combinations(columns, 2):
        shared = [
            ((one, a), (other, b))
            for a in told.groups(one)
            for b in told.groups(other)
            if (groups[one, a] & groups[other, b]).any()
        ]
        for cell in CELLS:
            for row in (*((one, a) for a in told.groups(one)),
                        *((other, b) for b in told.groups(other))):  # fmt: skip
                parts = {(release, *pair, cell): -1.0 for pair in shared if row in pair}
                attacker.equal({(release, row, cell): 1.0, **parts}, 0)
            for pair in shared:
                held = groups[pair[0]] & groups[pair[1]]
                true[*pair] = {c: int((cells[c] & held).sum()) for c in CELLS}
    row = ("", ALL)
    for key, parts in SUMS.items():
        figure = told.totals[label][key]
        terms = {(release, row, part): 1.0 for part in parts}
        if figure not in ("hidden", "<11"):
            attacker.equal(terms, int(figure))
    return true


def also_knows_marks(attacker: Attacker, told: Told, label: str) -> None:
    """What "<11" says, and "hidden" beside it: that the count is 0 or at least 11."""
    figures = {key: told.totals[label][key] for key in SUMS}
    if "<11" not in figures.values():
        return
    for key, figure in figures.items():
        terms = {("", ("", ALL), part): 1.0 for part in SUMS[key]}
        if figure == "<11":
            attacker.between(terms, 1, 10)
        elif figure == "hidden":
            attacker.zero_or_eleven(terms, told.n)


def small_targets(
    true: Mapping[tuple[Any, ...], Mapping[str, int]], release: str = ""
) -> list[tuple[bool, Any]]:
    """Every count of 1 to 10 and every such sum that tables show; whether it is of one row."""
    return [
        (len(rows) == 1, {(release, *rows, part): 1.0 for part in parts})
        for rows, counts in true.items()
        for parts in (*SUMS.values(), ("out",))
        if 0 < sum(counts[part] for part in parts) < 11
    ]


def release_of(
    frame: pl.DataFrame, columns: Sequence[str], earlier: Sequence[Any] = ()
) -> tuple[pl.DataFrame, Document, Any]:
    """The release, and the frame with the groups as the release names them."""
    found = overread.discrepancy(frame, replicates=100, workers=1)
    document, published = release_document(found, by=columns, earlier=earlier)
    published = checked(json.loads(json.dumps(published)))
    for column in columns:
        named = Told(document, [column]).groups(column)
        cells = frame[column].cast(pl.String)
        other = next((name for name in named if name.startswith("other")), "unknown")
        told = cells.fill_null("unknown")
        frame = frame.with_columns(
            pl.Series(f"{column} as told", [c if c in named else other for c in told])
        )
    return frame, document, published


def assert_nothing_follows(frame: pl.DataFrame, columns: Sequence[str]) -> int:
    """Solves for every count of 1 to 10 of every label; how many there were."""
    frame, document, _ = release_of(frame, columns)
    told = Told(document, columns)
    solved = 0
    for label in told.totals:
        attacker = Attacker()
        true = knows(attacker, frame, told, label, columns)
        targets = small_targets(true)
        for of_one_row, target in targets:
            low, high = attacker.range(target)
            assert high - low >= (11 if of_one_row else 1), (label, target, low, high)
        also_knows_marks(attacker, told, label)
        for _, target in targets:
            low, high = attacker.range(target)
            assert high > low, (label, target, low)
        solved += len(targets)
    return solved


def random_table(seed: int, columns: int) -> pl.DataFrame:
    """40 to 400 ECGs, two labels of which one may be rare, groups of very different size."""
    random = np.random.default_rng(seed)
    n = int(random.integers(25, 400))
    out: dict[str, Any] = {}
    for label in ("a", "b"):
        shares = random.dirichlet([0.8, 0.3, 0.3, 2, random.choice([1e-3, 0.1])])
        cells = random.choice(5, n, p=shares)
        out[f"machine_{label}"] = [None if c == 4 else int(c < 2) for c in cells]
        out[f"expert_{label}"] = [None if c == 4 else int(c in (0, 2)) for c in cells]
    out["machine_c"], out["expert_c"] = [1] * n, [1] * n  # so that every ECG has both readings
    for number in range(columns):
        names = np.array(["u", "v", "w", "x", None][: random.integers(2, 6)], object)
        groups = random.choice(len(names), n, p=random.dirichlet(np.ones(len(names)) * 0.7))
        if number and random.random() < 0.5:  # a site that is open in some of the years only
            groups = np.minimum(groups, random.integers(0, len(names)) + (out["g0"] == "u"))
        out[f"g{number}"] = names[groups]
    return pl.DataFrame({k: list(v) for k, v in out.items()}, strict=False)


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 6, 7, 8, 10])
def test_p06_no_small_count_follows_from_a_release(seed: int) -> None:
    solve(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 400))
def test_p06_no_small_count_follows_from_many_releases(seed: int) -> None:
    solve(seed)


def solve(seed: int) -> None:
    frame = random_table(seed, columns=seed % 3)
    try:
        assert_nothing_follows(frame, [name for name in frame.columns if name.startswith("g")])
    except UsageError as refused:
        if "differ by 1 to 10" not in str(refused):
            raise


def cells_of(**labels: tuple[int, int, int, int]) -> dict[str, dict[str, int]]:
    return {name: dict(zip(CELLS, counts, strict=False)) for name, counts in labels.items()}


def test_p06_the_examples_of_the_rule(table: Callable[..., pl.DataFrame]) -> None:
    # M=120, O=125, D=9: added (9 + 125 - 120) / 2 = 7, removed 2.
    # M=5,090 with -0.14 %: removed is 7 exactly.
    frame = table(cells_of(a=(118, 2, 7, 9873), b=(5083, 7, 900, 4010)))
    frame, document, _ = release_of(frame, [])
    told = Told(document, [])
    for label, machine in (("a", "120"), ("b", "5090")):
        row = told.totals[label]
        assert row["machine"] == machine  # one margin stands
        assert row["removed"] == "<11"
        hidden = {row[key] for key in ("over_read", "both", "neither", "added_pct", "removed_pct")}
        assert hidden == {"hidden"}
    assert told.totals["a"]["disagreement"] == told.totals["a"]["added"] == "<11"
    assert told.totals["b"]["disagreement"] == told.totals["b"]["added"] == "hidden"
    assert {row["kappa"] for row in csv_rows(document, "agreement")} == {"hidden"}
    assert assert_nothing_follows(frame, []) == 4  # a: added, removed, both together; b: removed


@pytest.mark.parametrize(
    ("counts", "margin"),
    [
        ((11, 1, 500, 500), "over_read"),  # 12 beside "<11" would be 11 and 1
        ((20, 1, 500, 500), "machine"),
        ((500, 500, 500, 3), "machine"),
        ((500, 8, 8, 3), None),  # what is left of all ECGs is 11, and both would follow
        ((0, 0, 5, 900), None),
    ],
)
def test_p06_a_margin_stands_only_where_its_parts_do_not_follow(
    table: Callable[..., pl.DataFrame], counts: tuple[int, int, int, int], margin: str | None
) -> None:
    _, document, _ = release_of(table(cells_of(a=counts)), [])
    row = Told(document, []).totals["a"]
    told = [key for key in ("machine", "over_read") if row[key].isdigit()]
    assert told == ([margin] if margin else [])


def test_p05_small_counts_stand_nowhere_in_the_page(table: Callable[..., pl.DataFrame]) -> None:
    # 9,871 is no count of a told row: whoever finds it knows that a cell was told.
    frame = table(cells_of(a=(118, 4, 7, 9871), b=(5000, 100, 900, 4000)))
    document, _ = release_document(overread.discrepancy(frame, replicates=100))
    for format in ("html", "json", "md", "latex", "csv"):
        written = b"".join(content for _, content in files(document, format))  # type: ignore[arg-type]
        assert not re.search(rb"(?<![\d.,])(9,?871|118)(?![\d.])", written), format
    alts = [item.alt for item in document.items if isinstance(item, Figure)]
    assert all("a: hidden" in alt for alt in alts[:2])


def test_p05_a_release_of_fewer_than_eleven_ecgs_is_refused(
    table: Callable[..., pl.DataFrame],
) -> None:
    with pytest.raises(UsageError, match="10 ECGs"):
        release_of(table(cells_of(a=(5, 0, 0, 5))), [])


def test_p05_q_is_made_of_told_labels_alone(table: Callable[..., pl.DataFrame]) -> None:
    one = table(cells_of(a=(200, 30, 60, 300), b=(300, 20, 40, 230)))
    two = table(cells_of(a=(200, 30, 60, 300), b=(300, 20, 40, 230), c=(300, 1, 9, 280)))
    q = [
        [row["q"] for row in csv_rows(release_of(frame, [])[1], "machine_against_expert")][:2]
        for frame in (one, two)
    ]
    assert q[0] == q[1]


def test_p05_flows_are_told_where_both_changes_stay_hidden_beside_them(
    table: Callable[..., pl.DataFrame],
) -> None:
    """af to flutter 20 of 31; af to lvh 25 of 31, which would leave 6."""
    order = ["af removed, flutter"] * 6 + ["both"] * 14 + ["lvh"] * 11
    rows = [
        {"machine_af": 1, "expert_af": 0,
         "machine_flutter": 0, "expert_flutter": int(kind != "lvh"),
         "machine_lvh": 0, "expert_lvh": int(kind != "af removed, flutter")}
        for kind in order
    ]  # fmt: skip
    still = [dict.fromkeys(rows[0], value) for value in (0, 1) for _ in range(50)]
    _, document, _ = release_of(pl.DataFrame(rows + still), [])
    shown = [(row["removed"], row["added"], row["n"]) for row in csv_rows(document, "flows")]
    assert shown == [("af", "flutter", "20")]


def test_p06_a_group_told_by_the_others_is_closed(table: Callable[..., pl.DataFrame]) -> None:
    """Site x has 4 removals; were y and z told, x would be what is left of all ECGs."""
    counts = cells_of(a=(300, 64, 60, 576))
    sites = list("x" * 80 + "y" * 110 + "z" * 110 + "x" * 4 + "y" * 30 + "z" * 30)
    sites += list("x" * 20 + "y" * 20 + "z" * 20 + "x" * 196 + "y" * 190 + "z" * 190)
    frame, document, _ = release_of(table(counts, site=sites), ["site"])
    told = Told(document, ["site"])
    is_open = {group: told.is_open(("site", group), "a") for group in told.groups("site")}
    assert told.is_open(("", ALL), "a")
    assert is_open["x"] is False
    assert sum(is_open[site] for site in "yz") == 1
    assert assert_nothing_follows(frame.drop("site as told"), ["site"]) == 1


def test_p06_groups_within_groups_are_told_together_or_not_at_all(
    table: Callable[..., pl.DataFrame],
) -> None:
    """Region n is site x and site y; x has 3 removals, so n less y would tell them."""
    counts = cells_of(a=(300, 63, 60, 577), b=(300, 60, 60, 580))
    sites = list("x" * 100 + "y" * 100 + "z" * 100 + "x" * 3 + "y" * 30 + "z" * 30)
    sites += list("x" * 20 + "y" * 20 + "z" * 20 + "x" * 177 + "y" * 200 + "z" * 200)
    frame = table(counts, site=sites).with_columns(
        region=pl.col("site").replace({"x": "n", "y": "n", "z": "s"})
    )
    frame, document, _ = release_of(frame, ["site", "region"])
    told = Told(document, ["site", "region"])
    for column in ("site", "region"):
        groups = [group for group in told.groups(column) if group != "unknown"]
        assert not any(told.is_open((column, group), "a") for group in groups)
    assert assert_nothing_follows(frame, ["site", "region"]) >= 1


def test_p06_two_bands_of_one_column_are_refused(table: Callable[..., pl.DataFrame]) -> None:
    frame = table(cells_of(a=(300, 60, 60, 580)), age=[str(20 + n % 60) for n in range(1000)])
    with pytest.raises(UsageError, match="in two ways"):
        release_document(overread.discrepancy(frame), by=[("age", [40, 60]), ("age", [40, 61])])


def test_the_same_years_as_table_and_trend_are_one_grouping(
    table: Callable[..., pl.DataFrame],
) -> None:
    frame = table(cells_of(a=(300, 60, 60, 580)), year=[str(2015 + n % 3) for n in range(1000)])
    document, _ = release_document(
        overread.discrepancy(frame, replicates=100), by=["year"], over="year"
    )
    assert {item.name for item in document.items} >= {"by_year_added", "trend"}


def random_sites(seed: int) -> pl.DataFrame:
    """Three sites of 60 to 300 ECGs, one label; site c may be the one that is left out."""
    random = np.random.default_rng(seed)
    parts = []
    for site in "abc":
        n = int(random.integers(60, 300))
        cells = random.choice(4, n, p=random.dirichlet([2, 0.7, 0.7, 4]))
        parts.append(pl.DataFrame({
            "machine_a": (cells < 2).astype(int), "expert_a": np.isin(cells, [0, 2]).astype(int),
            "site": [site] * n,
        }))  # fmt: skip
    return pl.concat(parts)


@pytest.mark.parametrize("seed", range(6))
def test_p07_differences_of_two_releases_tell_no_small_count(seed: int) -> None:
    differ(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 300))
def test_p07_differences_of_many_releases_tell_no_small_count(seed: int) -> None:
    differ(seed)


def test_p07_a_site_closed_for_another_does_not_follow_from_a_release_without_it() -> None:
    """a has 4 removals, so c is closed with it; all less all but c would give c, and then a."""
    first = sites(a=(80, 4, 20, 196), b=(110, 30, 20, 190), c=(100, 30, 20, 180))
    told = Told(release_of(first, ["site"])[1], ["site"])
    assert [told.is_open(("site", site), "a") for site in "abc"] == [False, True, False]
    differ_without_c(first, ["site"])


def test_p07_a_later_release_does_not_tell_what_was_closed_before() -> None:
    """Only a has grown: who knows that c has not takes c's row, and with it a's 4 removals."""
    first = sites(a=(80, 4, 20, 196), b=(110, 30, 20, 190), c=(100, 30, 20, 180))
    second = sites(a=(180, 24, 40, 296), b=(110, 30, 20, 190), c=(100, 30, 20, 180))
    _, _, published = release_of(first, ["site"])
    alone, later = (
        Told(release_of(second, ["site"], earlier)[1], ["site"]) for earlier in ([], [published])
    )
    rows = [("", ALL), *(("site", site) for site in "abc")]
    assert [alone.is_open(row, "a") for row in rows] == [True] * 4
    assert [later.is_open(row, "a") for row in rows] == [False] * 4


def sites(**cells: tuple[int, int, int, int]) -> pl.DataFrame:
    """One label: both, removed, added, neither of each site."""
    return pl.concat(
        pl.DataFrame({
            "machine_a": [1] * (both + removed) + [0] * (added + neither),
            "expert_a": [1] * both + [0] * removed + [1] * added + [0] * neither,
            "site": [site] * (both + removed + added + neither),
        })
        for site, (both, removed, added, neither) in cells.items()
    )  # fmt: skip


def differ(seed: int) -> None:
    differ_without_c(random_sites(seed), ["site"] if seed % 2 else [])


def differ_without_c(everything: pl.DataFrame, columns: list[str]) -> None:
    """All sites, then all but c: who holds both knows that c is all they differ by."""
    first, document, published = release_of(everything, columns)
    less = everything.filter(pl.col("site") != "c")
    second, later, _ = release_of(less, columns, earlier=[published])
    attacker = Attacker()
    one = knows(attacker, first, Told(document, columns), "a", columns, "first")
    two = knows(attacker, second, Told(later, columns), "a", columns, "second")
    assert len(two) == (3 if columns else 1)  # a, b and all
    for rows in two:
        for cell in CELLS:
            difference = {("first", *rows, cell): 1.0, ("second", *rows, cell): -1.0}
            if not columns:
                attacker.between(difference, 0, np.inf)
            elif rows[0][0]:  # sites a and b are the same in both
                attacker.equal(difference, 0)
    targets = small_targets(one, "first") + small_targets(two, "second")
    for parts in SUMS.values():
        left = sum(one[("", ALL),][p] - two[("", ALL),][p] for p in parts)
        if 0 < left < 11:
            targets.append((True, {
                (which, ("", ALL), part): sign
                for which, sign in (("first", 1.0), ("second", -1.0)) for part in parts
            }))  # fmt: skip
    for _, target in targets:
        low, high = attacker.range(target)
        assert high - low >= 11, (target, low, high)


def test_p07_releases_that_differ_by_few_ecgs_are_refused(
    table: Callable[..., pl.DataFrame],
) -> None:
    _, _, published = release_of(table(cells_of(a=(300, 60, 60, 580))), [])
    with pytest.raises(UsageError, match="as a whole by 5 ECGs"):
        release_of(table(cells_of(a=(300, 60, 60, 585))), [], earlier=[published])


def test_p07_margins_that_differ_by_few_ecgs_are_not_told(
    table: Callable[..., pl.DataFrame],
) -> None:
    """The machine's 300 were told, now there are 303; as many ECGs both times, other ones."""
    _, document, published = release_of(table(cells_of(a=(297, 3, 60, 640))), [])
    assert Told(document, []).totals["a"]["machine"] == "300"
    frame = table(cells_of(a=(288, 15, 60, 637)))
    row = Told(release_of(frame, [])[1], []).totals["a"]
    assert row["machine"] == "303"
    _, document, _ = release_of(frame, [], earlier=[published])
    assert set(Told(document, []).totals["a"].values()) == {"a", "hidden"}


@pytest.mark.parametrize(("before", "now"), [(["site"], []), ([], ["site"])])
def test_p07_groups_that_cannot_be_compared_are_refused(
    table: Callable[..., pl.DataFrame], before: list[str], now: list[str]
) -> None:
    first = table(cells_of(a=(300, 60, 60, 580)), site=["x", "y"] * 500)
    second = table(cells_of(a=(300, 60, 60, 680)), site=["x", "y"] * 550)
    _, _, published = release_of(first, before)
    with pytest.raises(UsageError, match="not the same groups"):
        release_of(second, now, earlier=[published])


def test_the_same_release_again_is_the_same(table: Callable[..., pl.DataFrame]) -> None:
    frame = table(cells_of(a=(300, 6, 60, 580)), site=["x", "y", "z", None] * 236 + ["x", "y"])
    _, document, published = release_of(frame, ["site"])
    _, again, _ = release_of(frame, ["site"], earlier=[published])
    assert dict(files(document, "csv")) == dict(files(again, "csv"))


def test_gaps_of_a_release_are_the_two_that_its_note_explains(
    table: Callable[..., pl.DataFrame],
) -> None:
    frame = table(cells_of(a=(300, 6, 60, 580), b=(0, 0, 500, 446)))
    _, document, _ = release_of(frame, [])
    gaps = {
        cell.why for one in document.tables for row in one.rows for cell in row
        if isinstance(cell, Gap)
    }  # fmt: skip
    assert gaps - {"n/a (0 machine)", "not estimable", "0.00 (no interval)"} <= {"hidden", "<11"}
