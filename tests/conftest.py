"""Fixtures that several tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from overread.text.labeler import Labeler

REPOSITORY = Path(__file__).resolve().parents[1]


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
