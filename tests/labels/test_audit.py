"""Audit sheets: what is drawn, what may come back, and whether the intervals keep their word."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from overread.errors import OutputExists, OverreadError, TableError, UsageError
from overread.labels.audit import (
    chances_of,
    draw_audit,
    drawn_from,
    score_audit,
    strata_of,
)
from overread.labels.audit_score import NOT_READ, Sample, score
from overread.labels.audit_sheet import read_key
from overread.labels.audit_units import Units, read_units, texts
from overread.labels.audit_view import drawn_view, scored_view, write_scores
from overread.labels.run import write_extraction
from overread.manifest import Manifest
from overread.signals.synth import synthetic_reports
from overread.sources.open import open_source

CANARY = "JOHN SMITH"


def extraction(folder: Path, reports: pl.DataFrame, uncertain: str = "positive") -> Path:
    folder.mkdir(exist_ok=True)
    reports.write_csv(folder / "reports.csv")
    write_extraction(
        open_source(folder / "reports.csv"), folder / "labels", vocab=None, uncertain=uncertain,
        format="parquet", duplicates="error", workers=1, overwrite=True,
        console=Console(file=io.StringIO()),
    )  # fmt: skip
    return folder / "labels"


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    return extraction(
        tmp_path_factory.mktemp("audit"), pl.DataFrame(synthetic_reports(400, seed=3))
    )


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Three ECGs whose units can be counted by hand."""
    reports = pl.DataFrame(
        {
            "id": ["a", "b", "c"],
            "machine": ["Sinus rhythm\nLVH", "Normal ECG", f"=1+1 {CANARY}\nPossible LVH"],
            "expert": ["Sinus rhythm", None, "No LVH\nSinus rhythm\nUnconfirmed"],
        }
    )
    return extraction(tmp_path_factory.mktemp("few"), reports)


def grid(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def save(path: Path, rows: list[list[str]], *, delimiter=",", end="\n", encoding="utf-8") -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    path.write_bytes(out.getvalue().encode(encoding))


def agreeing(sheet: Path) -> list[list[str]]:
    """The sheet filled in with our own answers."""
    rows, key = grid(sheet), read_key(sheet.with_suffix(".key.json"))
    for row, behind in zip(rows[1:], key.rows, strict=True):
        row[2:-1] = [{1: "1", 0: "0", -1: "?"}[answer] for answer in behind.answers]
    return rows


@pytest.fixture
def sheet(labels, tmp_path):
    path = tmp_path / "audit.csv"
    draw_audit(labels, path, rows=30)
    return path


def refusal(labels: Path, sheet: Path, error: type[OverreadError] = TableError) -> str:
    with pytest.raises(error) as caught:
        score_audit(labels, sheet)
    told = "".join(traceback.format_exception(caught.value))
    assert CANARY not in told
    assert "Next step" in str(caught.value)
    return str(caught.value)


# What is drawn


def test_statement_units_are_counted_in_every_report(few):
    units = read_units(few, Manifest.read(few), "statements", rare=True)
    names = Manifest.read(few).labels
    shown = texts(few, "statements", units.number.tolist())
    rhythm, lvh = names.index("sinus_rhythm"), names.index("lvh")
    found = {
        text: (size, said[rhythm], said[lvh])
        for text, size, said in zip(shown, units.size, units.answers, strict=True)
    }
    assert found == {
        "Sinus rhythm": (3, 1, 0),
        "LVH": (1, 0, 1),
        "Normal ECG": (1, 1, 0),
        f"=0+0 {CANARY}": (1, 0, 0),
        "Possible LVH": (1, 0, 1),
        "No LVH": (1, 0, 0),
    }
    assert units.covered == 1


def test_report_units_are_the_sides_that_have_a_reading(few):
    units = read_units(few, Manifest.read(few), "reports", rare=True)
    # The over-read of c says that nobody confirmed it, b has none.
    assert units.number.tolist() == [0, 2, 4, 1]
    assert texts(few, "reports", [0, 1]) == ["Sinus rhythm | LVH", "Sinus rhythm"]


def test_policies_decide_what_an_uncertain_mention_is(tmp_path):
    reports = pl.DataFrame({"id": ["a"], "machine": ["Possible LVH"], "expert": ["LVH"]})
    for policy, answer in (("positive", 1), ("negative", 0), ("missing", -1)):
        folder = extraction(tmp_path / policy, reports, policy)
        manifest = Manifest.read(folder)
        at = manifest.labels.index("lvh")
        for unit in ("statements", "reports"):
            units = read_units(folder, manifest, unit, rare=True)
            assert units.answers[:, at].tolist() == [answer, 1]
            assert units.named[:, at].all()


def test_p04_rare_statements_are_shown_only_when_asked(labels, tmp_path):
    statements = pl.read_parquet(labels / "statements.parquet")
    ecgs = dict(
        statements.select(
            pl.col("text").str.replace_all(r"\s+", " "), pl.max_horizontal("n_machine", "n_expert")
        ).iter_rows()
    )
    asserting = statements.filter(pl.col("segment").is_in(["findings", "comparison"]))
    held = asserting["n_machine"].cast(int) + asserting["n_expert"].cast(int)
    frequent = asserting.select(pl.max_horizontal("n_machine", "n_expert")).to_series() >= 11
    share = held.filter(frequent).sum() / held.sum()
    drawn = draw_audit(labels, tmp_path / "a.csv")
    rows = grid(drawn.sheet)
    assert min(ecgs[row[1].removeprefix("[comparison] ")] for row in rows[1:]) >= 11
    assert f"11 or more ECGs, {share:.1%} of the corpus" in rows[0][1]
    draw_audit(labels, tmp_path / "b.csv", rare=True)
    assert len(grid(tmp_path / "b.csv")) > len(rows)
    with pytest.raises(UsageError, match="--with-text"):
        draw_audit(labels, tmp_path / "c.csv", unit="reports")
    assert not (tmp_path / "c.csv").exists()


def test_the_sheet_is_blind_private_and_the_same_for_the_same_seed(labels, sheet, tmp_path):
    rows = grid(sheet)
    assert [row[0] for row in rows[1:]] == [str(number) for number in range(1, 31)]
    assert all(row[2:] == [""] * (len(rows[0]) - 2) for row in rows[1:])
    assert rows[0][2:4] == ["Sinus Rhythm", "Atrial Fibrillation"]
    assert rows[0][-1] == "comment"
    key = sheet.with_suffix(".key.json")
    assert all(row[1] not in key.read_text() for row in rows[1:])
    assert {stat.S_IMODE(path.stat().st_mode) for path in (sheet, key)} == {0o600}
    draw_audit(labels, tmp_path / "again.csv", rows=30)
    assert (tmp_path / "again.csv").read_bytes() == sheet.read_bytes()
    draw_audit(labels, tmp_path / "other.csv", rows=30, seed=1)
    assert grid(tmp_path / "other.csv")[1:] != rows[1:]


def test_every_label_found_and_texts_without_any_are_drawn(labels, sheet):
    manifest = Manifest.read(labels)
    units = read_units(labels, manifest, "statements", rare=False)
    named = {manifest.labels[i] for i in np.flatnonzero(units.named.any(axis=0))}
    key = read_key(sheet.with_suffix(".key.json"))
    drawn = {row.stratum for row in key.rows}
    assert "no label" in drawn
    behind = np.array([row.answers for row in key.rows])
    assert {manifest.labels[i] for i in np.flatnonzero((behind == 1).any(axis=0))} == named
    # In proportion to size: the rows of each stratum stand for all of it, whatever was drawn.
    assert sum(row.size / row.chance for row in key.rows) == pytest.approx(units.size.sum())
    with pytest.raises(UsageError, match="is too few"):
        draw_audit(labels, sheet.with_name("few.csv"), rows=5)


def test_e01_formulas_are_neutral_and_read_back(few, tmp_path):
    sheet = tmp_path / "audit.csv"
    draw_audit(few, sheet, rare=True)
    formula = [row[1] for row in grid(sheet) if CANARY in row[1]]
    assert len(formula) == 1
    assert formula[0].startswith("'=")
    rows = agreeing(sheet)
    for row in rows:
        row[1] = row[1].removeprefix("'")  # as a program that hides it may save it
    save(sheet, rows)
    assert score_audit(few, sheet).differences == ()


def test_e10_an_impossible_sheet_is_refused_and_nothing_is_left(labels, tmp_path):
    for sheet in (tmp_path / ("x" * 300), tmp_path / ("x" * 250), tmp_path / "a\nb", Path()):
        with pytest.raises(UsageError, match="Next step"):
            draw_audit(labels, sheet)
    assert list(tmp_path.iterdir()) == []


def test_e07_a_sheet_is_never_replaced_unasked(labels, sheet):
    save(sheet, agreeing(sheet))
    filled = sheet.read_bytes()
    assert draw_audit(labels, sheet, rows=30).up_to_date
    with pytest.raises(OutputExists, match="--overwrite"):
        draw_audit(labels, sheet, rows=31)
    assert sheet.read_bytes() == filled
    draw_audit(labels, sheet, rows=31, overwrite=True)
    assert len(grid(sheet)) == 32


# What may come back


@pytest.mark.parametrize(
    ("delimiter", "end", "encoding"),
    [
        (",", "\n", "utf-8"),
        (";", "\r\n", "utf-8-sig"),
        (";", "\r\n", "cp1252"),
        ("\t", "\r\n", "utf-8"),
    ],
)
def test_sheets_come_back_as_any_spreadsheet_saves_them(labels, sheet, delimiter, end, encoding):
    rows = agreeing(sheet)
    words = {"1": ["1,0", "x", "X", "Ja", "yes"], "0": ["0,0", "", "nein", "No", "0.0"], "?": ["?"]}
    for number, row in enumerate(rows[1:]):
        row[2:-1] = [words[mark][number % len(words[mark])] for mark in row[2:-1]]
        row[2] = row[2] or "0"
    moved = [[row[0], row[-1], *row[2:-1], row[1], ""] for row in rows]
    body = sorted(moved[1:], key=lambda row: row[-2])
    save(
        sheet,
        [moved[0], *body, [""] * len(moved[0])],
        delimiter=delimiter,
        end=end,
        encoding=encoding,
    )
    scored = score_audit(labels, sheet)
    assert scored.read == 30
    assert scored.differences == ()


def test_empty_rows_are_not_read_and_counted_apart(labels, sheet):
    rows = agreeing(sheet)
    for row in rows[1:6]:
        row[2:-1] = [""] * len(row[2:-1])
    rows[1][-1] = "cannot read this"
    save(sheet, rows)
    scored = score_audit(labels, sheet)
    assert (scored.read, scored.not_read, scored.comment_only) == (25, 5, 1)


def test_cells_that_cannot_be_understood_are_told_by_row_and_column(labels, sheet):
    rows = agreeing(sheet)
    rows[4][2] = CANARY
    rows[7][3] = "2"
    save(sheet, rows)
    told = refusal(labels, sheet)
    assert "row 4, column Sinus Rhythm: not 1, 0, x, ?, yes or no" in told
    assert "row 7, column Atrial Fibrillation" in told


def test_rows_that_changed_are_told_by_number(labels, sheet):
    rows = agreeing(sheet)
    changed = [list(row) for row in rows]
    changed[3][1] = CANARY
    save(sheet, changed)
    assert "row 3: the text is not the one that was drawn" in refusal(labels, sheet)
    swapped = [list(row) for row in rows]
    swapped[1][1], swapped[2][1] = swapped[2][1], swapped[1][1]
    save(sheet, swapped)
    assert "row 1: the text" in refusal(labels, sheet)
    save(sheet, [*rows, rows[9]])
    assert "row 9 stands there twice" in refusal(labels, sheet)
    save(sheet, [*rows[:12], *rows[13:]])
    assert "rows that are missing: 12" in refusal(labels, sheet)
    save(sheet, [*rows[:-1], ["31", *rows[-1][1:]]])
    assert "line 31: the row number is none of 1 to 30" in refusal(labels, sheet)


def test_damaged_files_are_refused(labels, sheet):
    whole = sheet.read_bytes()
    rows = grid(sheet)
    save(sheet, [[*rows[0][:-1], "my column"], *rows[1:]])
    assert "column 16 is none of the sheet" in refusal(labels, sheet)
    save(sheet, [row[:2] + row[3:] for row in rows])
    assert "without the column 'Sinus Rhythm'" in refusal(labels, sheet)
    sheet.write_bytes(whole.decode("utf-8-sig").encode("utf-16"))
    assert "UTF-16" in refusal(labels, sheet)
    sheet.write_bytes(whole + b'31,"' + CANARY.encode())
    assert "cannot be read" in refusal(labels, sheet)
    sheet.write_bytes(b"id,machine\n1," + CANARY.encode())
    assert "no audit sheet" in refusal(labels, sheet)
    sheet.write_bytes(whole)
    assert "not filled in yet" in refusal(labels, sheet, UsageError)
    sheet.with_suffix(".key.json").write_text("{}")
    assert "damaged" in refusal(labels, sheet, OverreadError)
    sheet.with_suffix(".key.json").unlink()
    assert "--key" in refusal(labels, sheet, UsageError)


def test_a_sheet_of_another_draw_vocabulary_or_extraction_is_refused(labels, few, sheet, tmp_path):
    save(sheet, agreeing(sheet))
    assert "other reports, options or version" in refusal(few, sheet, UsageError)
    other = tmp_path / "other"
    other.mkdir()
    replace(Manifest.read(labels), vocabulary="0" * 64).write(other)
    assert "another vocabulary" in refusal(other, sheet, UsageError)
    draw_audit(labels, tmp_path / "b.csv", rows=30, seed=1)
    (tmp_path / "b.key.json").replace(sheet.with_suffix(".key.json"))
    assert "the key is that of sheet" in refusal(labels, sheet, UsageError)


# What comes out


def test_scores_of_a_corpus_read_whole_are_plain_counts(few, tmp_path):
    sheet = tmp_path / "audit.csv"
    draw_audit(few, sheet, rare=True)
    rows = agreeing(sheet)
    rhythm = rows[0].index("Sinus Rhythm")
    (normal,) = (row for row in rows if row[1] == "Normal ECG")
    normal[rhythm] = "0"
    (silent,) = (row for row in rows if row[1] == "LVH")
    silent[rhythm] = "yes"
    save(sheet, rows)
    scored = score_audit(few, sheet)
    # We claim it in 3 + 1 reports, 3 are right; one report more has it.
    found = scored.scores["sinus_rhythm"]
    assert found.precision == pytest.approx((0.75, 0.75, 0.75))
    assert found.sensitivity == pytest.approx((0.75, 0.75, 0.75))
    assert (found.claimed, found.right, found.true) == (2, 1, 2)
    assert scored.scores["rbbb"].precision is None
    assert scored.scores["rbbb"].sensitivity is None
    assert {(d.row, d.id, d.reader, d.overread) for d in scored.differences} == {
        (int(normal[0]), "b", 0, 1),
        (int(silent[0]), "a", 1, 0),
    }


def test_s04_nothing_to_estimate_is_said_in_words(few, tmp_path):
    sheet = tmp_path / "audit.csv"
    draw_audit(few, sheet, rare=True)
    save(sheet, agreeing(sheet))
    scored = score_audit(few, sheet)
    scores, differences = write_scores(scored, sheet, overwrite=False)
    table = {row[0]: row for row in grid(scores)}
    assert table["rbbb"][2:8] == ["not estimable", "", "", "not estimable", "", ""]
    assert table["lvh"][2:5] == ["1.000000"] * 3
    assert "nan" not in scores.read_text()
    assert grid(differences) == [["row", "id", "label", "reader", "overread"]]
    assert stat.S_IMODE(scores.stat().st_mode) == 0o600
    console = Console(file=io.StringIO(), width=80)
    console.print(scored_view(scored))
    assert "not estimable" in console.file.getvalue()
    assert CANARY not in console.file.getvalue()


def test_e07_scores_are_never_replaced_unasked(labels, sheet):
    rows = agreeing(sheet)
    save(sheet, rows)
    scores, _ = write_scores(score_audit(labels, sheet), sheet, overwrite=False)
    write_scores(score_audit(labels, sheet), sheet, overwrite=False)  # the same: nothing to do
    before = scores.read_bytes()
    rows[1][2] = "0" if rows[1][2] == "1" else "1"
    save(sheet, rows)
    with pytest.raises(OutputExists, match="--overwrite"):
        write_scores(score_audit(labels, sheet), sheet, overwrite=False)
    assert scores.read_bytes() == before
    write_scores(score_audit(labels, sheet), sheet, overwrite=True)
    assert scores.read_bytes() != before


def test_unsure_rows_count_nowhere():
    everything = Sample(np.ones(4), np.array([6.0, 2, 1, 1]), np.ones(4, bool))
    ours = np.array([1, 1, 1, -1], np.int8)
    found = score(ours, np.array([1, -1, 0, 1], np.int8), everything, positives=9, negatives=0)
    assert found.precision == pytest.approx((6 / 7, 6 / 7, 6 / 7))
    assert (found.claimed, found.right, found.true, found.unsure) == (2, 1, 1, 1)


def test_one_row_left_empty_widens_by_what_it_stands_for():
    ours = np.ones(5, np.int8)
    sample = Sample(np.ones(5), np.array([50.0, 40, 6, 3, 1]), np.array([1, 1, 1, 1, 0], bool))
    reader = np.array([1, 1, 1, 1, NOT_READ], np.int8)
    found = score(ours, reader, sample, positives=100, negatives=0)
    assert found.precision == pytest.approx((1, 0.99, 1))


def test_nothing_missed_in_few_rows_leaves_much_open():
    """60 reports without the label, none of them wrong, stand for 6,000: Wilson's 0 of 60."""
    ours = np.array([1] * 20 + [0] * 60, np.int8)
    chance = np.array([1.0] * 20 + [0.01] * 60)
    sample = Sample(chance, np.ones(80), np.ones(80, bool))
    found = score(ours, ours, sample, positives=20, negatives=6000)
    most_missed = 6000 * 0.06017  # z^2 / (60 + z^2)
    assert found.sensitivity == pytest.approx((1, 20 / (20 + most_missed), 1), rel=1e-3)


def population(unit: str) -> tuple[Units, np.ndarray]:
    """A corpus of which the truth is known: three labels of 50, 15 and 6%, read with errors."""
    random = np.random.default_rng(1)
    count = 20_000 if unit == "reports" else 4_000
    truth = random.random((count, 3)) < [0.5, 0.15, 0.06]
    missed = random.random(truth.shape) < [0.10, 0.20, 0.15]
    invented = random.random(truth.shape) < [0.05, 0.03, 0.012]
    said = np.where(truth, ~missed, invented)
    size = np.ones(count) if unit == "reports" else np.ceil(random.pareto(1.2, count) * 11)
    return Units(unit, np.arange(count), size, said, said.astype(np.int8), 1.0), truth


@pytest.mark.parametrize(
    ("unit", "filled", "least", "most"),
    [
        ("reports", 1.0, 0.93, 0.97),
        pytest.param("reports", 0.6, 0.93, 0.975, marks=pytest.mark.slow),
        # A few statements hold most of the mass; most of them are known, so it errs to be wide.
        pytest.param("statements", 1.0, 0.93, 1.0, marks=pytest.mark.slow),
        ("statements", 0.6, 0.93, 1.0),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(unit, filled, least, most):
    units, truth = population(unit)
    said, size = units.named, units.size[:, None]
    both = (size * (said & truth)).sum(axis=0)
    wanted = np.array([both / (size * said).sum(axis=0), both / (size * truth).sum(axis=0)])
    strata = strata_of(units)
    chance = chances_of(units, strata, 200)
    random = np.random.default_rng(2)
    runs = 1_500
    held = np.zeros((2, 3))
    total = np.zeros((2, 3))
    for _ in range(runs):
        at = drawn_from(chance, strata, random)
        sample = Sample(chance[at], units.size[at], random.random(len(at)) < filled)
        for label in range(3):
            found = score(
                units.answers[at, label],
                np.where(sample.read, truth[at, label], NOT_READ).astype(np.int8),
                sample,
                positives=float(units.size[said[:, label]].sum()),
                negatives=float(units.size[~said[:, label]].sum()),
            )
            for row, limits in enumerate((found.precision, found.sensitivity)):
                held[row, label] += limits.low <= wanted[row, label] <= limits.high
                total[row, label] += limits.value
    assert held.min() / runs >= least
    assert held.max() / runs <= most
    if filled == 1:
        # A ratio has a small bias where few missed texts are seen.
        assert total / runs == pytest.approx(wanted, abs=0.02)


def test_the_commands_from_draw_to_score(labels, tmp_path):
    def overread(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "overread.cli.main", "labels", "audit", *words]
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "COLUMNS": "80",
        }
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
        )

    drawn = overread("draw", "--out", str(labels), "--unit", "reports", "--with-text", "--n", "40")
    assert drawn.returncode == 0, drawn.stderr
    sheet = tmp_path / "overread-out/audit/audit.csv"
    assert f"Then: overread labels audit score {sheet.relative_to(tmp_path)} --out" in drawn.stdout
    rows = agreeing(sheet)
    rows[5][3] = "0" if rows[5][3] == "1" else "1"
    save(sheet, rows, delimiter=";")
    scored = overread("score", "--out", str(labels))
    assert scored.returncode == 0, scored.stderr
    assert "40 rows = 40 filled in + 0 not" in scored.stdout
    assert "Where they differ (1)" in scored.stdout
    assert len(grid(sheet.with_suffix(".scores.csv"))) == 14
    id = json.loads(sheet.with_suffix(".key.json").read_text())["rows"][4]["id"]
    assert f"overread labels explain --id {id}" in scored.stdout
    unfit = overread("score", "nothing.csv", "--out", str(labels))
    assert unfit.returncode == 2
    assert "Next step" in unfit.stderr


def test_the_terminal_tells_how_to_fill_the_sheet_in(labels, tmp_path):
    drawn = draw_audit(labels, tmp_path / "audit.csv", rows=30)
    console = Console(file=io.StringIO(), width=80)
    console.print(drawn_view(drawn))
    told = console.file.getvalue()
    assert f"30 of {drawn.units} statements" in " ".join(told.split())
    assert "11 or more ECGs" in told
    assert "audit.key.json" in told
    assert max(len(line.rstrip()) for line in told.splitlines()) <= 80
