"""Fixtures that several tests share."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from overread.text.labeler import Labeler

REPOSITORY = Path(__file__).resolve().parents[1]
CASES = REPOSITORY / "tests" / "cases"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real, openly licensed data beside the checkout; tests that need it skip where it is not."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the folder with real data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def labeler() -> Labeler:
    return Labeler()


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """The texts of all case sentences."""
    found = []
    for path in sorted(CASES.glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                found.append(row["text"].replace("\\n", "\n"))
    return found
