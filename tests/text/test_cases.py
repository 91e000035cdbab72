"""Every sentence of tests/cases and, where it is at hand, of the shared set of hard sentences."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from overread.text.labeler import Labeler

CASES = Path(__file__).resolve().parents[1] / "cases"


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table; the two characters ``\\n`` stand for a line break."""
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [{**row, "text": row["text"].replace("\\n", "\n")} for row in found]


def names(cell: str) -> set[str]:
    return set(cell.replace(",", " ").split())


def asserted(labeler: Labeler, text: str) -> tuple[set[str], set[str]]:
    states = labeler.label(text).states
    return (
        {label for label, state in states.items() if state == "present"},
        {label for label, state in states.items() if state == "uncertain"},
    )


SENTENCES = {
    f"{path.stem}:{number}": row
    for path in sorted(CASES.glob("*.tsv"))
    for number, row in enumerate(rows(path), start=2)
}


@pytest.mark.parametrize("case", SENTENCES.values(), ids=SENTENCES)
def test_sentence_gives_its_labels(labeler, case):
    expected = names(case["present"]), names(case["uncertain"])
    assert asserted(labeler, case["text"]) == expected, case["why"]


def test_v13_there_are_many_sentences_each_once_with_known_labels(labeler):
    assert len(SENTENCES) >= 300
    texts = [case["text"] for case in SENTENCES.values()]
    assert len(texts) == len(set(texts))
    known = set(labeler.vocabulary.labels)
    for place, case in SENTENCES.items():
        assert names(case["present"]) | names(case["uncertain"]) <= known, place


def test_hard_sentences_have_the_right_positives_in_98_of_100(labeler, shared):
    table = shared / "text_cases.tsv"
    if not table.is_file():
        pytest.skip("the shared sentences are not at hand")
    wrong = []
    found = rows(table)
    for number, row in enumerate(found, start=2):
        unscored = names(row["not_scored"])
        expected = (names(row["present"]) | names(row["uncertain"])) - unscored
        present, uncertain = asserted(labeler, row["text"])
        if (present | uncertain) - unscored != expected:
            wrong.append((number, row["text"], sorted(expected), sorted(present | uncertain)))
    assert len(found) >= 100
    assert len(wrong) <= 0.02 * len(found), wrong
