"""Overlays: what a hospital adds to the vocabulary below and takes out of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from overread.errors import VocabularyError
from overread.vocab.load import load_vocabulary
from overread.vocab.model import Vocabulary

Write = Callable[..., Path]

BASE = """\
words:
  axis: [axes]
labels:
  left_axis:
    name: Left Axis
    description: The axis points left.
    phrases:
      - left axis deviation
      - lad
    implied_by:
      - phrases: [lafb, lahb]
        unless: [right_axis]
    examples: {match: [Left axis deviation.]}
concepts:
  right_axis:
    phrases: [right axis deviation, rad]
"""

OVERLAY = """\
words:
  axis: [achse]
labels:
  left_axis:
    uncertain: missing
    phrases:
      - linkstyp
      - {text: left axis deviation, fuzzy: false}
    examples: {match: [Linkstyp.]}
  paced:
    name: Paced
    description: A pacemaker drives the heart.
    phrases: [paced rhythm]
retire:
  left_axis: [lad, lahb]
  right_axis: [rad]
"""


@pytest.fixture
def both(write: Write) -> Callable[[str], Vocabulary]:
    """Loads the base with the text of an overlay on top."""

    def loaded(overlay: str) -> Vocabulary:
        base = write("base", axis=BASE)
        return load_vocabulary(base, overlays=[write("ours", context=None, local=overlay)])

    return loaded


def test_adds_restates_and_retires(both: Callable[[str], Vocabulary]) -> None:
    vocabulary = both(OVERLAY)
    assert [(ref.owner, ref.role, ref.wording, str(ref.place)) for ref in vocabulary.phrases] == [
        ("left_axis", "phrase", "linkstyp", "ours/local.yaml:7:9"),
        ("left_axis", "phrase", "left axis deviation", "ours/local.yaml:8:9"),
        ("left_axis", "implied", "lafb", "axis.yaml:11:19"),
        ("paced", "phrase", "paced rhythm", "ours/local.yaml:13:15"),
        ("right_axis", "phrase", "right axis deviation", "axis.yaml:16:15"),
    ]
    label = vocabulary.labels["left_axis"]
    assert (label.name, label.uncertain) == ("Left Axis", "missing")
    assert not vocabulary.phrases[1].phrase.fuzzy
    assert label.examples.match == ["Left axis deviation.", "Linkstyp."]
    assert vocabulary.words["axis"] == ("axes", "achse")
    assert vocabulary.phrases[2].unless == ("right_axis",)
    assert vocabulary.files == ("axis.yaml", "context.yaml", "ours/local.yaml")


def test_hash_holds_the_overlay_and_not_its_folder(write: Write) -> None:
    base = write("base", axis=BASE)
    plain = load_vocabulary(base).sha256
    one = load_vocabulary(base, overlays=[write("one", context=None, local=OVERLAY)]).sha256
    two = load_vocabulary(base, overlays=[write("two", context=None, local=OVERLAY)]).sha256
    assert plain != one == two


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ("retire: {left_axis: [lda]}", "1:22: 'left_axis' has no phrase 'lda' to retire; did you"),
        ("retire: {left_axes: [lad]}", "1:10: there is no label or concept 'left_axes' to retire"),
        ("retire:\n  right_axis: [rad, right axis deviation]", "every phrase of 'right_axis' is"),
        ("labels:\n  left_axs: {phrases: [x]}", "2:3: there is no label 'left_axs'; did you mean"),
        ("labels:\n  qt: {phrases: [x]}", "'qt'; a new label needs name, description"),
        ("labels: {right_axis: {name: a, description: b, phrases: [c]}}", "is taken by axis.yaml"),
        ("colour: red", "ours/local.yaml:1:1: unknown key 'colour'"),
    ],
)
def test_refused(both: Callable[[str], Vocabulary], overlay: str, expected: str) -> None:
    with pytest.raises(VocabularyError) as caught:
        both(overlay)
    assert len(caught.value.problems) == 1
    assert expected in str(caught.value)


def test_context_belongs_to_the_base(write: Write) -> None:
    with pytest.raises(VocabularyError, match=r"ours/context\.yaml:1:1: an overlay cannot change"):
        load_vocabulary(write("base", axis=BASE), overlays=[write("ours", local=OVERLAY)])


def test_a_broken_base_is_not_blamed_on_the_overlay(write: Write) -> None:
    base = write("base", axis=BASE.replace("    name: Left Axis\n", ""))
    with pytest.raises(VocabularyError) as caught:
        load_vocabulary(base, overlays=[write("ours", context=None, local=OVERLAY)])
    assert [str(place) for place, _ in caught.value.problems] == ["axis.yaml:4:3"]
