"""The diff of two vocabularies: what it counts, what it shows, and what it keeps to itself."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from overread.cli.main import main
from overread.discrepancy.api import discrepancy
from overread.errors import UsageError
from overread.report.table import Table
from overread.vocab.load import load_vocabulary, shipped_vocabulary
from overread.workbench.diff import diff
from overread.workbench.extraction import Extraction
from tests.workbench.test_effect import extracted

# 12 ECGs gain LAD on the machine's side, 11 of them agree with the expert then; one is rare.
PAIRS = (
    *[("Sinus rhythm. Zigzag axis.", "Sinus rhythm. Left axis deviation.")] * 11,
    ("Zigzag axis.", "Sinus rhythm."),
    ("LVH. Oddly zigzag axis.", "LVH."),
    *[("Left axis deviation.", "Left axis deviation.")] * 3,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``a`` and ``b``, two vocabularies, and ``labels``, made with the first."""
    folder = tmp_path_factory.mktemp("diff")
    for name in ("a", "b"):
        shutil.copytree(shipped_vocabulary(), folder / name)
    axis = folder / "b" / "axis.yaml"
    text = axis.read_text(encoding="utf-8")
    opening = text.index("phrases:\n", text.index("left_axis_deviation:")) + len("phrases:\n")
    axis.write_text(f"{text[:opening]}      - zigzag axis\n{text[opening:]}", encoding="utf-8")
    extracted(folder / "labels", PAIRS, load_vocabulary(folder / "a"))
    return folder


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """``overread vocab diff`` on the extraction: exit code and all that was printed."""
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("COLUMNS", "160")

    def command(*words: str) -> tuple[int, str]:
        on = ("--on", str(folders / "labels"), "--workers", "1")
        monkeypatch.setattr(sys, "argv", ["overread", "vocab", "diff", *words, *on])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), printed.out + printed.err

    yield command
    signal.signal(signal.SIGTERM, handler)


def tables(folder: Path, *, with_text: bool = False) -> dict[str, Table]:
    a, b = (load_vocabulary(folder / name) for name in ("a", "b"))
    document = diff(Extraction.open(folder / "labels"), a, b, with_text=with_text, workers=1)
    return {table.name: table for table in document.tables}


def test_labels_gained_and_lost_are_those_counted_by_hand(folders: Path) -> None:
    rows = tables(folders)["labels"].rows
    assert rows == (("Left Axis Deviation", "machine", 3, 16, 13, 0),)


def changed_ecgs(folder: Path, before: Path, after: Path) -> str:
    a, b = load_vocabulary(before), load_vocabulary(after)
    return dict(diff(Extraction.open(folder), a, b, workers=1).facts)[
        "ECGs in which a label changes"
    ]


def test_ecgs_are_counted_whose_labels_change_not_what_counts_alike(
    folders: Path, tmp_path: Path
) -> None:
    # 13 ECGs are gained; a denial makes the label absent, which counts as before.
    pairs = [*PAIRS, ("Sinus rhythm.", "No zigzag axis.")]
    extracted(tmp_path, pairs, load_vocabulary(folders / "a"))
    assert changed_ecgs(tmp_path, folders / "a", folders / "b") == "13"
    assert changed_ecgs(tmp_path, folders / "b", folders / "a") == "13"


def test_ecgs_are_counted_whose_labels_change_by_their_policy(
    folders: Path, tmp_path: Path
) -> None:
    shutil.copytree(folders / "a", tmp_path / "strict")
    axis = tmp_path / "strict" / "axis.yaml"
    text = axis.read_text(encoding="utf-8")
    named = "  left_axis_deviation:\n"
    assert text.count(named) == 1
    axis.write_text(text.replace(named, f"{named}    uncertain: negative\n"), encoding="utf-8")
    pairs = [("Possible left axis deviation.", "Possible left axis deviation.")] * 2
    extracted(tmp_path / "labels", [*pairs, *PAIRS], load_vocabulary(folders / "a"))
    assert changed_ecgs(tmp_path / "labels", folders / "a", tmp_path / "strict") == "2"


def test_table_a1_moves_to_that_of_a_new_extraction(folders: Path, tmp_path: Path) -> None:
    extracted(tmp_path, PAIRS, load_vocabulary(folders / "b"))
    expected = discrepancy(tmp_path).table_a1.filter(pl.col("label") == "left_axis_deviation")
    shown = tables(folders)["table_a1"]
    assert len(shown.rows) == 1
    found = {c.key: cell for c, cell in zip(shown.columns, shown.rows[0], strict=True)}
    for key in ("machine", "over_read", "disagreement", "added_pct", "removed_pct"):
        assert found[key] == expected[key][0]
    # Before, the machine gave 3 of the expert's 14; now 14 of 14, and 2 more.
    assert (found["disagreement"], found["disagreement_change"]) == (2, 2 - 11)


def test_statements_in_few_ecgs_are_shown_only_when_asked(folders: Path) -> None:
    shown = {row[0]: row[2:] for row in tables(folders)["statements"].rows}
    assert shown == {"Zigzag axis": ("unmentioned \N{RIGHTWARDS ARROW} present", 12, 0)}
    everything = {row[0] for row in tables(folders, with_text=True)["statements"].rows}
    assert everything == {"Zigzag axis", "Oddly zigzag axis"}


def test_the_command_prints_it_and_writes_one_page(folders: Path, run: Run, tmp_path: Path) -> None:
    page = tmp_path / "diff.html"
    a, b = str(folders / "a"), str(folders / "b")
    code, said = run(a, b, "--html", str(page))
    assert code == 0
    assert "Zigzag axis" in said
    assert "Oddly" not in said + page.read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    assert "Zigzag axis" in text
    assert "<script" not in text
    before = page.read_bytes()
    assert run(a, b, "--html", str(page))[0] == 1  # it stands already
    assert run(a, b, "--html", str(page), "--overwrite")[0] == 0
    assert page.read_bytes() == before


def test_nothing_changes_between_a_version_and_itself(folders: Path, run: Run) -> None:
    code, said = run(str(folders / "a"), str(folders / "a"))
    assert code == 0
    assert "No label changes." in said


def test_v14_an_extraction_of_a_third_vocabulary_is_refused(folders: Path, run: Run) -> None:
    b = str(folders / "b")
    with pytest.raises(UsageError, match="--force"):
        diff(
            Extraction.open(folders / "labels"), *[load_vocabulary(b)] * 2, with_text=False
        )  # fmt: skip
    code, said = run(b, b)
    assert code == 2
    assert "--force" in said
    assert run(b, b, "--force")[0] == 0
