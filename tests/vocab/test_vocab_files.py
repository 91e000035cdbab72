"""Which files of a folder are read, and which are refused unopened; ids of phrases."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from overread.errors import UsageError, VocabularyError
from overread.vocab.load import load_vocabulary

Write = Callable[..., Path]

AXIS = """\
labels:
  left_axis:
    name: Left Axis
    description: The axis points left.
    phrases:
      - left axis deviation
"""


def test_context_is_required(write: Write) -> None:
    with pytest.raises(VocabularyError, match=r"context\.yaml:1:1: context\.yaml is missing"):
        load_vocabulary(write(axis=AXIS, context=None))


def test_yml_is_not_skipped_silently(write: Write) -> None:
    folder = write(axis=AXIS)
    (folder / "more.yml").write_text(AXIS)
    (folder / ".axis.yaml").write_text("editor leftovers")
    with pytest.raises(VocabularyError, match=r"more\.yml:1:1: rename the file"):
        load_vocabulary(folder)


def test_a_pipe_is_not_opened(write: Write) -> None:
    folder = write(axis=AXIS)
    os.mkfifo(folder / "pipe.yaml")
    with pytest.raises(VocabularyError, match=r"pipe\.yaml:1:1: not a regular file"):
        load_vocabulary(folder)


def test_missing_folder_and_file_for_a_folder(write: Write, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        load_vocabulary(tmp_path / "none")
    with pytest.raises(UsageError, match="give the folder"):
        load_vocabulary(write(axis=AXIS) / "axis.yaml")
    (tmp_path / "bare").mkdir()
    with pytest.raises(UsageError, match=r"holds no \.yaml file"):
        load_vocabulary(tmp_path / "bare")


def test_environment_names_the_folder(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERREAD_VOCAB", str(write(axis=AXIS)))
    assert list(load_vocabulary().labels) == ["left_axis"]


def test_phrase_ids_are_unique_and_survive_reordering(write: Write) -> None:
    more = AXIS + "      - LAD?\n      - lad\n      - {regex: 'lad'}\n"
    ids = [ref.id for ref in load_vocabulary(write(axis=more)).phrases]
    assert len(set(ids)) == 4
    lines = more.splitlines()
    again = "\n".join(lines[:5] + lines[:4:-1])
    assert [ref.id for ref in load_vocabulary(write(axis=again)).phrases] == ids[::-1]


def test_the_wheel_takes_every_file_of_the_vocabulary_and_no_other() -> None:
    root = Path(__file__).parents[2]
    built = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    shipped = built["targets"]["wheel"]["force-include"]
    there = {path.name for path in (root / "vocab").iterdir() if not path.name.startswith(".")}
    assert shipped == {f"vocab/{name}": f"overread/_vocab/{name}" for name in there}
