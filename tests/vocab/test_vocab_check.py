"""``overread vocab check`` and ``init``, the schema file, the shipped vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from overread.cli.vocab import app, findings_of
from overread.errors import OutputExists
from overread.text.lexicon import Lexicon
from overread.text.normalize import fold, tokens
from overread.vocab.check import check
from overread.vocab.jsonschema import schema_text
from overread.vocab.load import load_vocabulary, shipped_vocabulary

Write = Callable[..., Path]

CLASHES = """\
words:
  axis: [axes, achse, axis]
  achse: [axe]
  axe: [axes, two words]
terms:
  much: [marked, very]
labels:
  left_axis:
    name: Left Axis
    description: The axis points left.
    phrases:
      - left axis
      - Left Achse
      - "{much} left axis"
      - marked left axis
      - leftward axis
      - lafb
      - {text: leftward Axis!, uncertain: true}
      - {regex: 'QRS'}
      - both axis
    implied_by:
      - phrases: [lafb]
    exclusions:
      - left-axis
    examples:
      match: [left axis, nothing here]
      no_match: [left axis then]
      known_gap: [left axis now]
  right_axis:
    name: Right Axis
    description: The axis points right.
    phrases:
      - both axis
      - Both Axis
"""


def test_phrases_that_no_table_can_hold(write: Write) -> None:
    numbers = """\
terms:
  how_many: [three, 3]
labels:
  pauses:
    name: Pauses
    description: The heart stops.
    phrases:
      - statement 540
      - pause of 3 s
      - pauses 2:1
      - "{how_many} pauses"
      - 1st pause
      - pause in v1
      - pause of the av-node
"""
    found = findings_of(load_vocabulary(write(rhythm=numbers)))
    assert [(each.place.line, each.severity) for each in found] == [
        (8, "warning"),
        (9, "warning"),
        (10, "warning"),
    ]
    assert found[0].message.endswith(
        "numbers are masked there, and a report that says so is read as 'statement 000'"
    )


def test_findings(write: Write) -> None:
    vocabulary = load_vocabulary(write(axis=CLASHES))
    findings = check(
        vocabulary,
        normalise=lambda text: tuple(fold(token.text) for token in tokens(text)),
        expand=Lexicon(vocabulary).expand,
        reads=lambda texts: [tuple(text.split()) for text in texts],
        label_text=lambda text: {"left_axis": "uncertain" if text[:4] == "left" else "absent"},
    )
    found = [f"{each.place} {each.severity}: {each.message}" for each in findings]
    for expected in (
        "axis.yaml:2:23 warning: 'axis' is 'axis' anyway; delete it",
        "axis.yaml:2:16 warning: 'achse' has spellings of its own; move them under 'axis'",
        "axis.yaml:4:9 error: 'axes' is a spelling of 'axe' here and of 'axis' in axis.yaml:2:10",
        "axis.yaml:4:15 error: 'two words' is 2 words; 'words' can only list single words",
        "axis.yaml:12:9 error: 'left axis' never counts: axis.yaml:24:9 excludes the same words",
        "axis.yaml:13:9 warning: 'Left Achse' adds nothing to 'left axis' in axis.yaml:12:9",
        "axis.yaml:15:9 warning: 'marked left axis' adds nothing to '{much} left axis' in "
        "axis.yaml:14:9",
        "axis.yaml:18:9 error: 'leftward Axis!' and 'leftward axis' in axis.yaml:16:9 are the same "
        "words, and only one of them is uncertain",
        "axis.yaml:19:9 warning: the regex 'QRS' has capitals or accents, which folded text never "
        "holds",
        "axis.yaml:22:19 warning: 'lafb' implies what axis.yaml:17:9 states outright; "
        "delete it here",
        "axis.yaml:26:26 error: 'nothing here' gives left_axis absent; "
        "expected present or uncertain",
        "axis.yaml:27:18 error: 'left axis then' gives left_axis uncertain",
        "axis.yaml:28:19 warning: 'left axis now' gives left_axis uncertain now; move it to match",
        "axis.yaml:33:9 note: 'both axis' counts for right_axis by 'both axis' and for left_axis "
        "by 'both axis' in axis.yaml:20:9",
        "axis.yaml:34:9 warning: 'both axis' counts for right_axis by 'Both Axis' and for "
        "left_axis by 'both axis' in axis.yaml:20:9",
    ):
        assert expected in found
    # Also: 'axe' has spellings of its own, 'Left Achse' is excluded, 'Both Axis' adds nothing.
    assert len(found) == 18


def test_schema_file_is_what_the_classes_say() -> None:
    committed = (shipped_vocabulary() / "schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), "python -m overread.vocab.jsonschema vocab/schema.json"


def test_every_shipped_file_names_the_schema() -> None:
    for path in shipped_vocabulary().glob("*.yaml"):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        assert first == "# yaml-language-server: $schema=schema.json", path.name


def test_shipped_vocabulary_has_no_error() -> None:
    vocabulary = load_vocabulary(shipped_vocabulary())
    assert [each for each in findings_of(vocabulary) if each.severity == "error"] == []


def test_check_command_lists_and_exits(write: Write) -> None:
    result = CliRunner().invoke(app, ["check", str(write(axis=CLASHES))])
    assert result.exit_code == 1
    assert "axis.yaml:4:9: error: 'axes' is a spelling of 'axe' here" in result.output
    assert " note: " not in result.output
    assert "2 labels, 13 phrases, 4 examples run" in result.output.splitlines()[-1]


def test_check_command_lists_what_keeps_it_from_loading(write: Write) -> None:
    result = CliRunner().invoke(app, ["check", str(write(axis="label: {}\n"))])
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "axis.yaml:1:1: error: unknown key 'label'; did you mean 'labels'?",
        "1 to mend before the vocabulary can be used",
    ]


def test_init_copies_once(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    result = CliRunner().invoke(app, ["init", str(target)])
    assert result.exit_code == 0
    assert f"overread vocab check {target}" in result.output
    assert load_vocabulary(target).sha256 == load_vocabulary(shipped_vocabulary()).sha256
    again = CliRunner().invoke(app, ["init", str(target)])
    assert isinstance(again.exception, OutputExists)


@pytest.mark.parametrize("command", ["check", "init"])
def test_help(command: str) -> None:
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
