"""Finding columns, T22."""

from __future__ import annotations

import pytest

from overread.errors import TableError, UsageError
from overread.sources.columns import USUAL, find_columns


def test_usual_names_are_found_whatever_their_case():
    found = find_columns(["Exam ID", "MRN", "Original-Diagnosis", "Over-read"], file="f")
    assert (found.id, found.patient) == ("Exam ID", "MRN")
    assert (found.machine, found.expert) == ("Original-Diagnosis", "Over-read")


def test_no_usual_name_stands_for_two_roles():
    names = [name for role in USUAL.values() for name in role]
    assert len(names) == len(set(names))


def test_t22_misspelt_column_lists_names_and_the_nearest(table, refusal, canary):
    message = refusal(table(f"id,machine_txt,site\n1,{canary},x\n"))
    assert "'id', 'machine_txt', 'site'" in message
    assert "nearest is 'machine_txt'" in message
    assert "--machine or --expert" in message


def test_t22_named_column_absent_lists_names_and_the_nearest(table, refusal, canary):
    message = refusal(table(f"id,report_de,x\n1,{canary},x\n"), machine="report_dee")
    assert "no column 'report_dee'" in message
    assert "nearest is 'report_de'" in message
    assert "--machine" in message


def test_t22_two_candidates_are_refused_unless_one_is_named(table, refusal, read):
    path = table("id,expert,cardiologist\n1,a,b\n")
    message = refusal(path)
    assert "2 columns that could be the expert: 'expert', 'cardiologist'" in message
    assert "--expert" in message
    assert read(path, expert="cardiologist") == [("1", None, None, "b")]


def test_name_given_to_one_role_is_no_candidate_of_another():
    found = find_columns(["id", "diagnosis", "over_read"], file="f", machine="diagnosis")
    assert (found.machine, found.expert) == ("diagnosis", "over_read")


def test_one_column_in_two_roles_is_refused():
    with pytest.raises(UsageError, match="two roles"):
        find_columns(["id", "text"], file="f", machine="text", expert="text")


def test_kept_columns_are_checked():
    with pytest.raises(TableError, match="--keep"):
        find_columns(["id", "machine", "site"], file="f", keep=("sites",))
    with pytest.raises(UsageError, match="cannot be kept"):
        find_columns(["ecg_id", "id", "machine"], file="f", id="ecg_id", keep=("id",))
    with pytest.raises(UsageError, match="tuple"):
        find_columns(["id", "machine", "site"], file="f", keep="site")
    assert find_columns(["machine", "site"], file="f", keep=("site", "site")).keep == ("site",)
