"""The commands of the vocabulary workbench: what they list, refuse and tell to do next."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from overread.cli.vocab import copy_vocabulary
from overread.labels.run import write_extraction
from overread.sources.open import open_source

ROWS = (
    *[("Sinus rhythm. LVH", "Sinus rhythm. Gubbins")] * 12,
    *[("PR interval 160 ms. RBBB", "PR interval 160 ms. RBBB")] * 20,
    *[("PR interval * ms. RBBB", "PR interval * ms. RBBB")] * 4,
    *[("When compared with ECG of 01-JAN-2020", "Compared with prior tracing")] * 12,
    *[("Sinus rhythm", "Frobs")] * 4,
    *[("Sinus rhythm", "Sinus rhythm")] * 12,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``mine``, a copy of the vocabulary, and an extraction in the folder that is the default."""
    folder = tmp_path_factory.mktemp("workbench")
    copy_vocabulary(folder / "mine")
    write(folder / "reports.csv", ROWS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_extraction(
            open_source(Path("reports.csv")), Path("overread-out/labels"), vocab=Path("mine"),
            uncertain="positive", format="parquet", duplicates="error", workers=1, overwrite=False,
            console=Console(quiet=True),
        )  # fmt: skip
    return folder


@pytest.fixture
def extracted(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path, dirs_exist_ok=True))


def write(path: Path, rows: tuple[tuple[str, str], ...], sides=("machine", "expert")) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", *sides])
        table.writerows([f"E{n}", *row[-len(sides) :]] for n, row in enumerate(rows))


def listed(printed: str, key: str) -> dict[str, dict[str, str]]:
    return {row[key]: row for row in csv.DictReader(io.StringIO(printed))}


def suggested(overread: Callable, *words: object) -> dict[str, dict[str, str]]:
    done = overread("vocab", "suggest", "--workers", 1, "--format", "csv", *words)
    assert done.code == 0, done.err
    return listed(done.out, "wording")


def test_suggest_lists_counts_and_the_guess(overread, extracted):
    found = suggested(overread, "--vocab", "mine")
    assert list(found) == ["gubbins"]  # no units, openings of comparisons, or rare wordings
    row = found["gubbins"]
    assert (row["ecgs"], row["machine"], row["expert"]) == ("12", "0", "12")
    assert (row["separation"], row["label"]) == ("-1.0", "lvh")
    assert "12 of 12" in row["reason"]


def test_suggest_shows_rare_wordings_on_demand_and_says_how_many_are_not_shown(overread, extracted):
    shown = overread("vocab", "suggest", "--vocab", "mine", "--workers", 1)
    assert "frobs" not in shown.out
    assert "1 wordings in fewer than 11 ECGs are not shown; --with-text does." in shown.out
    assert "Next step: overread vocab accept" in shown.out
    assert suggested(overread, "--vocab", "mine", "--with-text")["frobs"]["ecgs"] == "4"
    assert len(suggested(overread, "--vocab", "mine", "--with-text", "--limit", 1)) == 1


@pytest.mark.parametrize("wording", ["Gubbins", "  GUBBINS. "])
def test_suggest_leaves_out_what_was_rejected_or_accepted(overread, extracted, wording):
    before = {path: path.read_bytes() for path in (extracted / "mine").iterdir()}
    suggested(overread, "--vocab", "mine")
    assert {path: path.read_bytes() for path in (extracted / "mine").iterdir()} == before
    assert overread("vocab", "reject", wording, "--by", "AB", "--vocab", "mine").code == 0
    assert overread("vocab", "accept", "lvh", "frobs", "--by", "AB", "--vocab", "mine").code == 0
    assert suggested(overread, "--vocab", "mine", "--with-text") == {}


def test_rejecting_a_word_as_the_report_spells_it_rejects_what_was_suggested(overread, extracted):
    # The vocabulary reads "waves" as "wave", and suggests it so.
    write(extracted / "waves.csv", (("RBBB", "Saw tooth waves"),) * 12)
    overread("labels", "extract", "waves.csv", "--out", "waves", "--workers", 1)
    on = ("--vocab", "mine", "--on", "waves")
    assert list(suggested(overread, *on)) == ["saw tooth wave"]
    overread("vocab", "reject", "Saw tooth waves", "--by", "AB", "--vocab", "mine")
    assert suggested(overread, *on) == {}


def test_with_one_reader_there_is_no_separation(overread, extracted):
    write(extracted / "one.csv", ROWS, sides=("expert",))
    overread("labels", "extract", "one.csv", "--out", "one", "--workers", 1)
    found = suggested(overread, "--vocab", "mine", "--on", "one")
    assert found["gubbins"]["separation"] == "n/a"


def test_stats_counts_the_phrases_of_a_label(overread, extracted):
    done = overread(
        "vocab", "stats", "--vocab", "mine", "--label", "rbbb", "--workers", 1, "--format", "csv"
    )
    rows = listed(done.out, "wording")
    assert {name for name, row in rows.items() if row["hits"] != "0"} == {"rbbb"}
    row = rows["rbbb"]
    assert (row["hits"], row["sole_hits"]) == ("48", "48")  # 24 ECGs, both sides
    assert (row["machine"], row["expert"], row["conflicts"]) == ("24", "24", "0")
    assert row["place"].startswith("conduction.yaml:")
    dead = overread("vocab", "stats", "--vocab", "mine", "--label", "rbbb", "--dead")
    assert "rsb" in dead.out
    assert "conduction.yaml:44:" not in dead.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("suggest", "--limit", 0), "--limit"),
        (("suggest", "--on", "mine"), "mine holds no extraction. Next step:"),
        (("suggest", "--on", "none"), "none holds no extraction. Next step:"),
        (("suggest", "--vocab", "none"), "does not exist. Next step:"),
        (("stats", "--label", "nonsense"), "no label or concept 'nonsense'. Next step:"),
        (("stats", "--label", "LVH"), "'LVH'; did you mean 'lvh'? Next step:"),
        (("accept", "lvhh", "gubbins", "--by", "AB"), "did you mean 'lvh'? Next step:"),
        (
            ("accept", "Left Axis Deviation", "gubbins", "--by", "AB"),
            "did you mean 'left_axis_deviation'? Next step:",
        ),
        (("accept", "lvh", "x", "--by", "AB"), "no word of two letters. Next step:"),
        (("accept", "lvh", "120", "--by", "AB"), "no word of two letters. Next step:"),
        (("accept", "lvh", "lvh", "--by", "AB"), "already. Next step:"),
    ],
)
def test_what_is_wrong_is_named_with_the_next_step(overread, extracted, words, said):
    vocab = () if "--vocab" in words else ("--vocab", "mine")
    done = overread("vocab", *words, *vocab)
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_try_refuses_a_wrong_edit_before_it_prints_anything(overread):
    done = overread("vocab", "try", "Gubbins", "--add", "lvhh=gubbins")
    assert (done.code, done.out) == (2, "")
    assert "did you mean 'lvh'?" in done.err


def test_the_command_that_try_prints_can_be_pasted(overread):
    done = overread("vocab", "try", "Gubbins", "--add", 'lvh=the "gubbins"')
    assert "accept lvh 'the \"gubbins\"' --by INITIALS" in done.out


def test_diff_names_both_and_refuses_a_page_that_exists_before_the_work(overread, extracted):
    copy_vocabulary(extracted / "other")
    overread("vocab", "accept", "lvh", "gubbins", "--by", "AB", "--vocab", "other")
    (extracted / "change.html").write_text("mine")
    words = ("vocab", "diff", "mine", "other", "--workers", 1, "--html", "change.html")
    refused = overread(*words)
    assert (refused.code, refused.out) == (1, "")
    assert "change.html exists already. Next step:" in refused.err
    assert (extracted / "change.html").read_text() == "mine"
    done = overread(*words, "--overwrite")
    assert done.code == 0
    assert "Version before: mine " in done.out
    assert "Version after: other " in done.out
    assert "<title>" in (extracted / "change.html").read_text()


def test_reports_that_the_vocabulary_knows_leave_nothing_to_suggest(overread, tmp_path):
    write(tmp_path / "reports.csv", (("LVH", "Sinus rhythm"), ("LVH", "Sinus rhythm. LVH")))
    assert overread("labels", "extract", "reports.csv", "--workers", 1).code == 0
    done = overread("vocab", "suggest", "--workers", 1)
    assert done.out == "Every wording of these reports is known or rejected.\n"


@pytest.mark.parametrize(
    "words",
    [
        ("accept", "lvh", "atrial fibrillation", "--by", "AB"),  # another label has it
        ("accept", "no_such_label", "gubbins", "--by", "AB"),
        ("accept", "lvh", "gubbins", "--by", " "),
        ("reject", "...", "--by", "AB"),
        ("reject", "gubbins", "--by", " "),
    ],
)
@pytest.mark.parametrize("into", ["--vocab", "--overlay"])
def test_what_is_refused_leaves_no_file(overread, tmp_path, hashes, words, into):
    copy_vocabulary(tmp_path / "mine")
    (tmp_path / "beside").mkdir()
    overlay = () if into == "--vocab" else ("--overlay", "beside")
    before = hashes(tmp_path)
    done = overread("vocab", *words, "--vocab", "mine", *overlay)
    assert done.code == 2, done.err
    assert hashes(tmp_path) == before
