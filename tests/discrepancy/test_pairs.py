"""What may be compared: frames of every kind, files, two tables; and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import overread
from overread.discrepancy.api import Discrepancy
from overread.errors import TableError, UsageError
from overread.labels.api import Extraction
from overread.text.labeler import Labeler

FRAME = pl.DataFrame({
    "id": ["01", "2", "3", "4", "5"],
    "machine_af": [1, 1, 0, 0, 1],
    "expert_af": [1, 0, 1, 0, None],
    "machine_lvh": [0, -1, 1, 1, 1],
    "expert_lvh": [0, 1, 1, 0, None],
})  # fmt: skip
#: n, both, removed, added, neither, by hand: ECG 5 has no over-read, ECG 2 no value of lvh.
BY_HAND = [("af", 4, 1, 1, 1, 1), ("lvh", 3, 1, 1, 0, 1)]
CELLS = ("label", "n", "both", "removed", "added", "neither")


def cells(found: Discrepancy) -> list[tuple[Any, ...]]:
    return found.counts.select(CELLS).rows()


def typed(dtype: Any) -> pl.DataFrame:
    return FRAME.with_columns(pl.exclude("id").cast(dtype))


FORMS: dict[str, Callable[[], Any]] = {
    "polars": lambda: FRAME,
    "lazy": lambda: FRAME.lazy(),
    "pandas": lambda: FRAME.to_pandas(),
    "pandas, floats with NaN": lambda: pd.DataFrame(FRAME.to_dict(as_series=False)),
    "pandas, nullable": lambda: FRAME.to_pandas().convert_dtypes(),
    "int8": lambda: typed(pl.Int8),
    "float32": lambda: typed(pl.Float32),
    "floats with NaN": lambda: typed(pl.Float64).fill_null(float("nan")),
    "text": lambda: typed(pl.String),
    "text of floats": lambda: typed(pl.Float64).with_columns(pl.exclude("id").cast(pl.String)),
    "padded text": lambda: typed(pl.String).with_columns(
        pl.format(" {} ", pl.col(name)).alias(name) for name in FRAME.columns[1:]
    ),
    "blank text": lambda: typed(pl.String).fill_null(""),
    "categories": lambda: typed(pl.String).cast({"machine_af": pl.Categorical}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_frame_gives_the_same_counts(
    form: str, compare: Callable[..., Discrepancy]
) -> None:
    assert cells(compare(FORMS[form]())) == BY_HAND


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_files(suffix: str, tmp_path: Path, compare: Callable[..., Discrepancy]) -> None:
    path = tmp_path / f"labels.{suffix}"
    if suffix == "parquet":
        FRAME.write_parquet(path)
    else:
        FRAME.write_csv(path, separator="," if suffix == "csv" else "\t")
    found = compare(path)
    assert cells(found) == BY_HAND
    assert found.cases("af", "added")["id"].to_list() == ["3"]
    assert cells(compare(str(path))) == BY_HAND


def test_booleans(compare: Callable[..., Discrepancy]) -> None:
    frame = pl.DataFrame({"machine_x": [True, True, False], "expert_x": [True, False, None]})
    assert cells(compare(frame)) == [("x", 2, 1, 1, 0, 0)]
    words = frame.cast(pl.String)
    assert cells(compare(words)) == [("x", 2, 1, 1, 0, 0)]
    assert cells(compare(frame.to_pandas())) == [("x", 2, 1, 1, 0, 0)]


def test_an_extraction_and_its_folder(
    read: Callable[..., Extraction], compare: Callable[..., Discrepancy], overread_folder: Path
) -> None:
    texts = ("Atrial fibrillation", "Atrial flutter"), ("LVH", None), ("Normal ECG", "Normal ECG")
    found = compare(read(*texts))
    assert found.pairs.n == 2
    written = compare(overread_folder)
    for name in ("counts", "flows", "hedges", "transitions"):
        assert getattr(found, name).equals(getattr(written, name)), name
    assert written.cases("atrial_flutter", "added").columns[-1] == "expert_evidence"


@pytest.fixture
def overread_folder(tmp_path: Path, labeler: Labeler, monkeypatch: pytest.MonkeyPatch) -> Path:
    from rich.console import Console

    from overread.labels.run import write_extraction
    from overread.sources.open import open_source

    monkeypatch.setattr("overread.labels.run.Labeler", lambda *_: labeler)
    (tmp_path / "reports.csv").write_text(
        "id,machine,over_read\n1,Atrial fibrillation,Atrial flutter\n2,LVH,\n"
        "3,Normal ECG,Normal ECG\n"
    )
    write_extraction(
        open_source(tmp_path / "reports.csv"), tmp_path / "labels", vocab=None,
        uncertain="positive", format="parquet", duplicates="error", workers=1, overwrite=False,
        console=Console(quiet=True),
    )  # fmt: skip
    return tmp_path / "labels"


def test_two_tables_by_id(compare: Callable[..., Discrepancy]) -> None:
    machine = pl.DataFrame({"ecg_id": ["01", "1", "x"], "af": [1, 0, 1], "site": ["n", "s", "n"]})
    expert = pl.DataFrame({"id": ["x", "9", "01"], "af": [0, 1, 1], "reader": ["a", "b", "c"]})
    found = compare(machine, expert)
    assert cells(found) == [("af", 2, 1, 1, 0, 0)]
    assert found.cases("af", "removed").select("id", "site").row(0) == ("x", "n")


def test_two_tables_by_row(compare: Callable[..., Discrepancy]) -> None:
    machine, expert = pl.DataFrame({"af": [1, 0], "sex": ["m", "f"]}), pd.DataFrame({"af": [1, 1]})
    found = compare(machine.lazy(), expert)
    assert cells(found) == [("af", 2, 1, 0, 1, 0)]
    assert found.cases("af", "added")["id"].to_list() == ["2"]


def test_one_side_without_any_value_of_a_label(compare: Callable[..., Discrepancy]) -> None:
    """All blank on one side: nothing to compare for this label, and the others stay whole."""
    found = compare(FRAME.with_columns(pl.lit(None).alias("expert_af")))
    assert cells(found)[0] == ("af", 0, 0, 0, 0, 0)
    assert found.table_a1.row(0) == ("af", 0, 0, 0, None, None)
    assert found.agreement.row(0, named=True)["kappa"] is None
    assert found.document(detail=True)


def test_t21_missing_over_reads_leave_the_denominator(compare: Callable[..., Discrepancy]) -> None:
    """Were a missing over-read no label, all three would have been removed."""
    frame = pl.DataFrame({
        "machine_af": [1, 1, 1, 1, None, None],
        "expert_af": [1, None, None, None, 0, None],
    })  # fmt: skip
    found = compare(frame)
    assert found.table_a1.row(0) == ("af", 1, 1, 0, 0.0, 0.0)
    account = found.pairs.account
    assert (account.rows, account.paired, account.machine_only) == (6, 1, 3)
    assert (account.expert_only, account.neither) == (1, 1)
    facts = dict(found.document().facts)
    assert facts["ECGs with both readings"] == "1"
    assert facts["Left out, no over-read"] == "3"


@pytest.mark.parametrize(
    ("column", "values", "row"),
    [
        ("machine_af", [0.2, 0.7], 1),
        ("expert_af", [1.0, 0.7], 2),
        ("machine_af", [float("nan"), 0.7], 2),
        ("machine_af", ["1", "MUELLER"], 2),
        ("machine_af", [" ", "yes"], 2),
        ("machine_af", [1, 2], 2),
        ("expert_af", [[1], [0]], 1),
    ],
)
def test_other_than_decisions_is_refused_by_row_and_column(
    column: str, values: list[Any], row: int, compare: Callable[..., Discrepancy]
) -> None:
    frame = pl.DataFrame({"machine_af": [1, 0], "expert_af": [1, 0]}).with_columns(
        pl.Series(column, values)
    )
    with pytest.raises(TableError, match=f"row {row}, column '{column}'") as refused:
        compare(frame)
    assert "MUELLER" not in str(refused.value)
    assert "0.7" not in str(refused.value)


def test_scores_beside_decisions_are_refused_not_left_out(
    compare: Callable[..., Discrepancy],
) -> None:
    machine = pl.DataFrame({"af": [0.2, 0.7], "lvh": [1, 0], "age": [50, 60]})
    expert = pl.DataFrame({"af": [0, 1], "lvh": [1, 0], "age": [50, 60]})
    with pytest.raises(TableError, match="row 1, column 'af'"):
        compare(machine, expert)


def test_a_common_column_that_is_no_label_is_kept(compare: Callable[..., Discrepancy]) -> None:
    machine = pl.DataFrame({"af": [0, 1], "age": [50, 60], "note": [None, None]})
    expert = pl.DataFrame({"af": [0, 1], "age": [50, 60], "note": ["a", None]})
    found = compare(machine, expert)
    assert found.labels == ("af",)
    assert found.pairs.ecgs["age"].to_list() == [50, 60]


@pytest.mark.parametrize("which", ["one", "machine", "expert"])
def test_ids_that_stand_twice_are_refused(which: str, compare: Callable[..., Discrepancy]) -> None:
    once = pl.DataFrame({"id": ["7", "8", "9"], "af": [1, 0, 1]})
    twice = once.with_columns(id=pl.Series(["7", "8", "7"]))
    if which == "one":
        given: tuple[Any, ...] = (
            twice.rename({"af": "machine_af"}).with_columns(expert_af=pl.lit(1)),
        )
    else:
        given = (twice, once) if which == "machine" else (once, twice)
    with pytest.raises(TableError, match="1 ids twice"):
        compare(*given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((pl.DataFrame({"machine_af": [1]}),), "machine_X"),
        ((pl.DataFrame({"machine_": [1], "expert_": [1]}),), "machine_X"),
        ((FRAME.clear(),), "none of the 0 ECGs"),
        ((pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [1, 0]})), "1 and 2 rows"),
        ((pl.DataFrame({"a": [1]}), pl.DataFrame({"b": [1]})), "no common column"),
        (
            (pl.DataFrame({"id": ["1"], "a": [1]}), pl.DataFrame({"id": ["2"], "a": [1]})),
            "share no id",
        ),
        ((FRAME.with_columns(label_row=1),), "label_row"),
    ],
)
def test_what_cannot_be_compared_says_why(
    given: tuple[Any, ...], words: str, compare: Callable[..., Discrepancy]
) -> None:
    with pytest.raises(TableError, match=words) as refused:
        compare(*given)
    assert "Next step: " in str(refused.value)


def test_other_things_are_refused(compare: Callable[..., Discrepancy], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="dict is no label table"):
        compare({"machine_af": [1], "expert_af": [1]})
    with pytest.raises(UsageError, match="holds no extraction"):
        compare(tmp_path)
    with pytest.raises(UsageError, match="holds no extraction"):
        compare(tmp_path / "overread-out" / "labels")
    with pytest.raises(UsageError, match="no such file"):
        compare(tmp_path / "labels.csv")


def test_x11_one_side_alone_is_no_comparison(
    read: Callable[..., Extraction], labeler: Labeler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither reading of any ECG has the other beside it."""
    with pytest.raises(TableError, match="1 have the machine's alone, 1 the expert's alone"):
        overread.discrepancy(read(("LVH", None), (None, "RVH")))
    monkeypatch.setattr("overread.labels.api.Labeler", lambda *_: labeler)
    only = overread.extract(pl.DataFrame({"id": ["1"], "machine": ["LVH"]}), workers=1)
    with pytest.raises(UsageError, match="machine readings alone"):
        overread.discrepancy(only)


@pytest.mark.parametrize(
    "name", ["row", "by", "stratum", "n", "label", "index", "statement", "machine_model", "source"]
)
def test_kept_columns_of_any_name(
    name: str, read: Callable[..., Extraction], compare: Callable[..., Discrepancy]
) -> None:
    found = compare(read(("LVH", "RVH"), ("LVH", "LVH"), **{name: ["u", "v"]}))
    assert found.strata(name).filter(stratum="u", label="lvh")["removed"].item() == 1
    case = found.cases("lvh", "removed", by=[(name, "u")])
    assert case.select("id", name).row(0) == ("1", "u")
    assert found.document(by=[name], detail=True)
    assert found.edits is not None
    (number,) = found.edits.statements("deleted")["statement"]
    assert found.statement_cases("deleted", number)["id"].to_list() == ["1"]


ODD = ["$\\frac{1}{2}$", "<script>alert(1)</script>", "=1+1", "a_state_b", "x" * 200, "Ä ö", "100%"]


def test_e04_label_names_with_odd_characters(compare: Callable[..., Discrepancy]) -> None:
    frame = pl.DataFrame({
        **{f"machine_{name}": [1, 0, 1, 0] for name in ODD},
        **{f"expert_{name}": [1, 1, 0, 0] for name in ODD},
        "site": ["<b>", "=2", "<b>", "$x"],
    })  # fmt: skip
    found = compare(frame)
    assert found.labels == tuple(ODD)
    page = found.to_html(by=["site"])
    assert "<script>alert" not in page
    assert "<b>" not in page
    assert found.to_latex()
    assert "'=1+1" in dict(csv_of(found))["table_a1.csv"]


def csv_of(found: Discrepancy) -> list[tuple[str, str]]:
    from overread.report.write import files

    return [(name, content.decode()) for name, content in files(found.document(), "csv")]


def test_states_that_do_not_fit_the_values_are_refused(
    read: Callable[..., Extraction], compare: Callable[..., Discrepancy]
) -> None:
    labels = read(("LVH", "RVH"), ("Normal ECG", "LVH")).labels
    edited = labels.with_columns(expert_lvh=pl.Series([0, 0], dtype=pl.Int8))
    with pytest.raises(TableError, match="row 2: 'expert_lvh' and 'expert_state_lvh'"):
        compare(edited)


@pytest.mark.parametrize("policy", ["positive", "negative", "missing"])
def test_the_policy_of_an_extraction_holds_for_labels_that_were_never_hedged(
    policy: str, read: Callable[..., Extraction], compare: Callable[..., Discrepancy]
) -> None:
    found = compare(read(("Possible LVH", "LVH"), ("RVH", "RVH"), uncertain=policy))
    assert set(found.pairs.policies.values()) == {policy}
    assert dict(found.document().facts)["Uncertain mentions count as"] == policy
    lvh = {"positive": (1, 1), "negative": (0, 1), "missing": (0, 0)}[policy]
    row = found.table_a1.filter(label="lvh").row(0, named=True)
    assert (row["machine"], row["over_read"]) == lvh


def test_not_assessable_counts_as_the_table_has_it(compare: Callable[..., Discrepancy]) -> None:
    """Under "missing" it is -1 and leaves the counts, also where nothing was ever hedged."""
    frame = pl.DataFrame({
        "machine_a": [1, -1], "machine_state_a": [4, 5],
        "expert_a": [1, 1], "expert_state_a": [4, 4],
    })  # fmt: skip
    assert cells(compare(frame)) == [("a", 1, 1, 0, 0, 0)]
