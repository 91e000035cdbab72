"""Decisions of readers: kept, taken back, private, and safe with several programs at once."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from overread.errors import UsageError
from overread.vocab.edit import NewPhrase
from overread.workbench.decisions import FILE, Decisions, key

DAY = date(2024, 5, 1)


def phrase(text: str, owner: str = "lvh", by: str = "AB") -> NewPhrase:
    return NewPhrase(owner, text, by, DAY, unless=("rvh",), role="implied")


def test_the_last_decision_about_a_wording_counts(tmp_path: Path) -> None:
    decisions = Decisions.open(tmp_path)
    decisions.accept(phrase("lv mass"))
    decisions.reject("Rechts-Typ", "AB", "too vague")
    decisions.later("große T-Wellen", "CD")
    assert decisions.pending() == [phrase("lv mass")]
    assert decisions.rejected() == {"rechts - typ"}
    assert decisions.postponed() == {"grosse t - wellen"}

    decisions.reject("LV  mass", "CD")
    decisions.accept(phrase("rechts-typ"))
    assert decisions.pending() == [phrase("rechts-typ")]
    assert decisions.rejected() == {"lv mass"}


def test_one_wording_may_wait_for_two_labels(tmp_path: Path) -> None:
    decisions = Decisions.open(tmp_path)
    both = [phrase("biventricular", owner) for owner in ("lvh", "rvh")]
    for each in [*both, both[0]]:
        decisions.accept(each)
    assert decisions.pending() == both


def test_undo_takes_back_the_reader_s_own_last_decision_first(tmp_path: Path) -> None:
    decisions = Decisions.open(tmp_path)
    decisions.accept(phrase("one"))
    decisions.reject("two", "AB")
    decisions.reject("three", "CD")
    taken = [decisions.undo("AB"), decisions.undo("AB"), decisions.undo("AB")]
    assert [each and (each.kind, each.wording) for each in taken] == [
        ("reject", "two"),
        ("accept", "one"),
        None,
    ]
    assert decisions.pending() == []
    assert decisions.rejected() == {"three"}


def test_what_is_written_is_neither_pending_nor_undone(tmp_path: Path) -> None:
    decisions = Decisions.open(tmp_path)
    decisions.accept(phrase("one"))
    decisions.wrote([phrase("one"), phrase("two")])  # two was never pending
    assert decisions.pending() == []
    assert decisions.undo("AB") is None
    rows = [(each.kind, each.wording, each.of) for each in decisions.history()]
    assert rows == [
        ("accept", "one", None),
        ("write", "one", 1),
        ("accept", "two", None),
        ("write", "two", 3),
    ]


def test_decisions_are_there_another_day_with_reader_and_time(tmp_path: Path) -> None:
    start = datetime.now(UTC).replace(microsecond=0)
    Decisions.open(tmp_path).reject("one", " AB ", "not ours")
    (row,) = Decisions.open(tmp_path).history()
    assert (row.by, row.note, row.phrase) == ("AB", "not ours", None)
    assert start <= datetime.fromisoformat(row.at) <= datetime.now(UTC)


def test_p_the_file_is_private_and_no_vocabulary_file(tmp_path: Path) -> None:
    Decisions.open(tmp_path).reject("one", "AB")
    (found,) = tmp_path.iterdir()
    assert found.name == FILE
    assert stat.S_IMODE(found.stat().st_mode) == 0o600


def test_a_folder_of_a_group_has_decisions_of_the_group(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    Decisions.open(tmp_path).reject("one", "AB")
    (found,) = tmp_path.iterdir()
    assert stat.S_IMODE(found.stat().st_mode) == 0o660
    assert found.stat().st_gid == tmp_path.stat().st_gid


@pytest.mark.parametrize("wording", ["", " \n", "--"])
def test_an_empty_wording_is_refused(tmp_path: Path, wording: str) -> None:
    with pytest.raises(UsageError, match="no letter and no digit"):
        Decisions.open(tmp_path).reject(wording, "AB")


def test_initials_are_asked_for(tmp_path: Path) -> None:
    decisions = Decisions.open(tmp_path)
    for decide in (decisions.reject, decisions.later):
        with pytest.raises(UsageError, match="give your initials"):
            decide("one", "  ")
    assert decisions.history() == []


def test_a_file_of_another_kind_or_a_newer_one_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all, but text that is long enough to be read")
    with pytest.raises(UsageError, match=r"cannot be used .*move it"):
        Decisions.open(tmp_path)
    (tmp_path / FILE).unlink()
    with sqlite3.connect(tmp_path / FILE) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(UsageError, match="newer overread"):
        Decisions.open(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / FILE).symlink_to(elsewhere)
    with pytest.raises(UsageError, match="cannot be written"):
        Decisions.open(tmp_path)
    assert not elsewhere.exists()


def test_words_are_remembered_as_they_are_compared() -> None:
    assert key("R.B.B.B.,  Überdreht") == key("rbbb, ueberdreht")


def _reject(folder: Path, reader: str) -> None:
    decisions = Decisions.open(folder)
    for number in range(20):
        decisions.reject(f"{reader} {number}", reader)


def test_several_programs_at_once_lose_nothing(tmp_path: Path) -> None:
    readers = ["AB", "CD"]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(_reject, [tmp_path] * 2, readers))
    found = Decisions.open(tmp_path).rejected()
    assert found == {f"{reader.lower()} {number}" for reader in readers for number in range(20)}
