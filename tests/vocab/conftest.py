"""Small vocabularies written to disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from overread.errors import Place, VocabularyError
from overread.vocab.load import load_vocabulary

CONTEXT = """\
cues:
  negation:
    forward:
      - "no"
      - {text: without, reach: next}
scope:
  stop: [but]
"""

Write = Callable[..., Path]
Problems = Callable[..., list[tuple[Place, str]]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a vocabulary folder: ``write(axis="labels: ...")``; text or bytes."""

    def writer(folder: str = "vocabulary", context: str | None = CONTEXT, **files: object) -> Path:
        target = tmp_path / folder
        target.mkdir(exist_ok=True)
        contents = files if context is None else {**files, "context": context}
        for name, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            assert isinstance(data, bytes)
            (target / f"{name}.yaml").write_bytes(data)
        return target

    return writer


@pytest.fixture
def problems(write: Write) -> Problems:
    """The problems of a vocabulary that must not load, each with its place."""

    def listed(**files: object) -> list[tuple[Place, str]]:
        with pytest.raises(VocabularyError) as caught:
            load_vocabulary(write(**files))
        return caught.value.problems

    return listed
