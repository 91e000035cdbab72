"""ECGs in groups: nothing is dropped, and every figure equals that of pandas (FAULTS S08)."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import overread
from overread.discrepancy.api import Discrepancy
from overread.errors import UsageError


def groups(found: Discrepancy, by: Any) -> dict[str, int]:
    """Group -> ECGs, in the order of the table."""
    frame = found.strata(by).filter(label="x")
    return dict(frame.select("stratum", "n").iter_rows())


def with_column(name: str, values: list[Any]) -> Discrepancy:
    frame = pl.DataFrame({"machine_x": [1] * len(values), "expert_x": [1] * len(values)})
    return overread.discrepancy(frame.with_columns(pl.Series(name, values, strict=False)))


CELL = st.sampled_from([0, 1, 1, -1, None])
SITE = st.sampled_from(["North", "South", " North ", "", " ", None, "Unknown", "n/a", "west", "7"])
AGE = st.sampled_from([None, "", "-1", "0", "39", "40", "59.5", "60", "120", "121", "300", "old"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(CELL, CELL, CELL, CELL, SITE, AGE), min_size=1, max_size=40))
def test_groups_equal_pandas_and_add_up(rows: list[tuple[Any, ...]]) -> None:
    names = ("machine_x", "expert_x", "machine_y", "expert_y", "site", "age")
    slow = pd.DataFrame(rows, columns=names).astype(object)
    sides = [slow[["machine_x", "machine_y"]], slow[["expert_x", "expert_y"]]]
    slow = slow[sides[0].notna().any(axis=1) & sides[1].notna().any(axis=1)]
    schema = dict.fromkeys(names[:4], pl.Int8) | dict.fromkeys(names[4:], pl.String)
    frame = pl.DataFrame(rows, schema, orient="row")
    if slow.empty:
        return
    found = overread.discrepancy(frame)
    site = slow["site"].fillna("").str.strip()
    slow["by site"] = site.where(~site.str.lower().isin(["", "unknown", "n/a"]), "unknown")
    age = pd.to_numeric(slow["age"], errors="coerce")
    age = age.where(age.between(0, 120))
    slow["by age"] = pd.cut(
        age, [-1e9, 40, 60, 1e9], right=False, labels=["under 40", "40 to under 60", "60 and over"]
    ).astype(object).fillna("unknown")  # fmt: skip
    if not ((age % 1).fillna(0) == 0).all():
        middle = "40 to under 60"
    else:
        middle = "40 to 59"
    slow["by age"] = slow["by age"].replace("40 to under 60", middle)
    if (
        not pd.to_numeric(slow["age"], errors="coerce").notna().any()
        and (slow["age"] == "old").any()
    ):
        with pytest.raises(UsageError, match="holds no numbers"):
            found.strata(("age", [40, 60]))
        return
    for by, column in (("site", "by site"), (("age", [40, 60]), "by age")):
        table = found.strata(by)
        told = table["stratum"].unique(maintain_order=True).to_list()
        assert told[-1] == "unknown"
        assert set(told) == {*slow[column], "unknown"}
        for row in table.iter_rows(named=True):
            of = slow[slow[column] == row["stratum"]]
            m, e = of[f"machine_{row['label']}"], of[f"expert_{row['label']}"]
            known = m.isin([0, 1]) & e.isin([0, 1])
            assert row["n"] == known.sum()
            assert row["both"] == (known & (m == 1) & (e == 1)).sum()
            assert row["added"] == (known & (m == 0) & (e == 1)).sum()
            assert row["removed"] == (known & (m == 1) & (e == 0)).sum()
        sums = table.group_by("label", maintain_order=True).agg(
            pl.col("n", "both", "removed", "added", "neither").sum()
        )
        assert sums.equals(found.counts.select(sums.columns), null_equal=True)


def test_s08_impossible_ages_are_unknown() -> None:
    found = with_column("age", ["-1", "0", "47", "120", "121", "300", "x", None, "inf"])
    counts = groups(found, ("age", [40, 80]))
    assert counts == {"under 40": 1, "40 to 79": 1, "80 and over": 1, "unknown": 6}


def test_s08_a_text_among_numbers_is_unknown_and_counted() -> None:
    found = with_column("age", [*range(18, 98), -3, 150, "89+", "inf", None])
    assert groups(found, "age") == {
        "0 to 19": 2, "20 to 39": 20, "40 to 59": 20, "60 to 79": 20, "80 and over": 18,
        "unknown": 5,
    }  # fmt: skip
    assert found.grouped("age").notes == [
        "by age: 4 ECGs are unknown because their cell holds no number or an impossible one"
    ]
    few = with_column("age", [30, 40, "89+"])
    assert groups(few, "age") == {"30": 1, "40": 1, "unknown": 1}
    assert groups(with_column("year", [2019, 2020, "ca. 2019"]), "year")["unknown"] == 1


def test_mostly_text_is_text_and_codes_keep_the_texts_among_them() -> None:
    assert list(groups(with_column("age", ["30-39", "40-49", "89"]), "age")) == [
        "30-39", "40-49", "89", "unknown",
    ]  # fmt: skip
    found = with_column("site", ["1", "2", "2", "ICU"])
    assert groups(found, "site") == {"1": 1, "2": 2, "ICU": 1, "unknown": 0}
    assert found.grouped("site").notes == []


@pytest.mark.parametrize("cuts", [[float("nan")], [40, float("inf")], [-1e400, 40]])
def test_bands_that_are_not_finite_are_refused(cuts: list[float]) -> None:
    with pytest.raises(UsageError, match="not all finite"):
        with_column("age", [1]).strata(("age", cuts))


def test_bands_of_a_column_without_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="column 'site' holds no numbers"):
        with_column("site", ["North", "South"]).strata(("site", [40, 60]))
    assert groups(with_column("age", [None, ""]), ("age", [40])) == {"unknown": 2}


@pytest.mark.parametrize("name", ["age", "Age", "age_years", "patient_age"])
def test_ages_are_put_in_round_bands(name: str) -> None:
    found = with_column(name, [*range(18, 98), 150])
    assert list(groups(found, name).items()) == [
        ("0 to 19", 2), ("20 to 39", 20), ("40 to 59", 20), ("60 to 79", 20),
        ("80 and over", 18), ("unknown", 1),
    ]  # fmt: skip


def test_s08_years_before_1950_are_unknown() -> None:
    found = with_column("year", [1900, 2019, 2020, 2019, None, 9999])
    assert groups(found, "year") == {"2019": 2, "2020": 1, "unknown": 3}


def test_names_come_in_their_order_and_numbers_in_theirs() -> None:
    assert list(groups(with_column("site", ["b", "a", "c"]), "site")) == ["a", "b", "c", "unknown"]
    found = with_column("ward", ["10", "9", "2", "9"])
    assert groups(found, "ward") == {"2": 1, "9": 2, "10": 1, "unknown": 0}


def test_a_column_of_blanks_is_all_unknown() -> None:
    assert groups(with_column("site", ["", None, "  "]), "site") == {"unknown": 3}


def test_beyond_forty_groups_the_smallest_are_other() -> None:
    names = [f"s{number:02d}" for number in range(50) for _ in range(50 - number)]
    counts = groups(with_column("site", [*names, None]), "site")
    assert list(counts)[:39] == [f"s{number:02d}" for number in range(39)]
    assert list(counts)[39:] == ["other (11 more)", "unknown"]
    assert counts["other (11 more)"] == sum(range(1, 12))
    assert sum(counts.values()) == len(names) + 1
    assert len(groups(with_column("site", names[: -sum(range(1, 11))]), "site")) == 41


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([0.5, 1.5, 2.5], ["0.5 to under 1", "1.5 to under 2", "2.5 and over"]),
        ([20_000_001 + n for n in range(40)],
         [f"{20_000_000 + n} to {20_000_009 + n}" for n in (0, 10, 20, 30)]
         + ["20000040 and over"]),
        (["1e300", "1", "2"], ["1", "2", "1e+300"]),
        ([-500, *range(20), 900_000], ["-200000 to -1", "0 to 199999", "800000 and over"]),
    ],
)  # fmt: skip
def test_numbers_of_any_size(values: list[Any], names: list[str]) -> None:
    counts = groups(with_column("value", values), "value")
    assert list(counts) == [*names, "unknown"]
    assert sum(counts.values()) == len(values)
    assert counts["unknown"] == 0


def test_bands_of_large_numbers_have_names_of_their_own() -> None:
    found = with_column("value", [20_000_001, 20_000_002, 20_000_003])
    counts = groups(found, ("value", [20_000_001, 20_000_002]))
    assert counts == {"20000001 to 20000001": 1, "20000002 and over": 2, "unknown": 0}


@pytest.mark.parametrize("cuts", [[60, 40], [40, 40]])
def test_bands_that_do_not_rise_are_refused(cuts: list[float]) -> None:
    with pytest.raises(UsageError, match="do not rise"):
        with_column("age", [1]).strata(("age", cuts))


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(UsageError, match=r"no column 'sight'.*there are: site.*--keep sight"):
        with_column("site", ["a"]).strata("sight")


@pytest.mark.parametrize(
    ("dates", "periods"),
    [
        (["2019-05-31", "20190601", "2019-05-01T10:00", "2019-06-30 09:30:00"],
         {"2019-05": 2, "2019-06": 2}),
        ([f"{2015 + n // 12}-{n % 12 + 1:02d}-01" for n in range(36)],
         {f"{2015 + n // 4} Q{n % 4 + 1}": 3 for n in range(12)}),
        ([f"{1990 + n}-01-01" for n in range(30)], {str(1990 + n): 1 for n in range(30)}),
        (["2019", "2020", "2019.0"], {"2019": 2, "2020": 1}),
        (["2019-05", "2020"], {"2019": 1, "2020": 1}),
        (["2019-05-31", "1900-01-01", "2019-13-01", "31.05.2019", "", None, "9999-01-01"],
         {"2019-05": 1, "unknown": 6}),
        ([datetime.date(2019, 5, 31), None], {"2019-05": 1, "unknown": 1}),
        ([datetime.datetime(2019, 5, 31, 12), datetime.datetime(2019, 6, 1)],
         {"2019-05": 1, "2019-06": 1}),
        ([2019, 2020, None], {"2019": 1, "2020": 1, "unknown": 1}),
    ],
)  # fmt: skip
def test_a_trend_takes_months_quarters_or_years(dates: list[Any], periods: dict[str, int]) -> None:
    trend = with_column("date", dates).trend("date")
    assert dict(trend.select("stratum", "n").iter_rows()) == {"unknown": 0} | periods
    assert trend["stratum"].to_list()[-1] == "unknown"


@pytest.mark.parametrize("dates", [["31.05.2019", "x"], ["1900"], [None], ["2019/05/31"]])
def test_a_trend_without_any_date_is_refused(dates: list[Any]) -> None:
    with pytest.raises(UsageError, match="no date such as 2019-05-31"):
        with_column("date", dates).trend("date")


def test_q_is_over_all_labels_and_groups(compare: Callable[..., Discrepancy]) -> None:
    """Benjamini-Hochberg by hand: p of each row, times their number, over its rank from below."""
    frame = pl.DataFrame({
        "machine_x": [1] * 30 + [0] * 30, "expert_x": [1] * 20 + [0] * 10 + [0] * 29 + [1],
        "machine_y": [0, 1] * 30, "expert_y": [1, 1, 0] * 20,
        "site": ["a", "b", "c"] * 20,
    })  # fmt: skip
    table = compare(frame).strata("site").filter(pl.col("n") > 0)
    p = sorted(table["p"].to_list())
    for row in table.iter_rows(named=True):
        assert row["q"] == pytest.approx(
            min(len(p) * value / (at + 1) for at, value in enumerate(p) if value >= row["p"])
        )
