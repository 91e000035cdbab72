"""Uncertain mentions under each policy, per label too, and phrases that are never repaired."""

from __future__ import annotations

import pytest

from overread.errors import UsageError
from overread.text.labeler import Labeler

HYPERTROPHY = """\
labels:
  lvh:
    name: LVH
    description: Left ventricular hypertrophy
    uncertain: {policy}
    phrases:
      - left ventricular hypertrophy
  rvh:
    name: RVH
    description: Right ventricular hypertrophy
    phrases:
      - text: right ventricular hypertrophy
        fuzzy: {fuzzy}
      - text: rightward forces
        uncertain: true
"""
CONTEXT = """\
cues:
  negation:
    forward: ["no"]
  uncertainty:
    forward: [possible]
  not_assessable:
    backward: [cannot be determined]
scope:
  stop: [but]
segments:
  - {name: signature, opens: [confirmed by]}
no_reading: [trace only]
abbreviations: [approx]
"""


@pytest.fixture
def own(tmp_path):
    """A labeler with a vocabulary of two labels."""

    def build(policy: str = "positive", fuzzy: str = "true", asked: str = "positive") -> Labeler:
        folder = tmp_path / f"{policy}-{fuzzy}"
        folder.mkdir(exist_ok=True)
        text = HYPERTROPHY.format(policy=policy, fuzzy=fuzzy)
        (folder / "hypertrophy.yaml").write_text(text)
        (folder / "context.yaml").write_text(CONTEXT)
        return Labeler(folder, uncertain=asked)

    return build


HEDGED = "Possible left ventricular hypertrophy"


@pytest.mark.parametrize(("policy", "value"), [("positive", 1), ("negative", 0), ("missing", -1)])
def test_policy_decides_what_an_uncertain_mention_counts_as(policy, value):
    labeler = Labeler(uncertain=policy)
    reading = labeler.label(HEDGED)
    assert (reading.labels["lvh"], reading.states["lvh"]) == (value, "uncertain")
    assert labeler.label("LVH").labels["lvh"] == 1
    assert labeler.label("No LVH").labels["lvh"] == 0


@pytest.mark.parametrize(("policy", "value"), [("positive", 1), ("negative", 0), ("missing", -1)])
@pytest.mark.parametrize(("asked", "other"), [("positive", 1), ("negative", 0), ("missing", -1)])
def test_the_policy_of_a_label_wins_over_the_one_asked_for(own, policy, value, asked, other):
    labels = (
        own(policy, asked=asked).label(f"{HEDGED}. Possible right ventricular hypertrophy").labels
    )
    assert labels == {"lvh": value, "rvh": other}


def test_what_cannot_be_assessed_is_missing_only_under_that_policy(own):
    text = "Right ventricular hypertrophy cannot be determined"
    values = [own(asked=asked).label(text).labels["rvh"] for asked in ("positive", "missing")]
    assert values == [0, -1]
    assert own().label(text).states["rvh"] == "not_assessable"


def test_a_phrase_may_be_a_hedge_by_itself(own):
    assert own().label("Rightward forces").states["rvh"] == "uncertain"
    assert own().label("No rightward forces").states["rvh"] == "absent"


def test_spelling_repair_can_be_turned_off_for_a_phrase(own):
    misspelt = "Right ventriculer hypertrophy"
    [mention] = own(fuzzy="true").label(misspelt).mentions
    assert mention.score < 100
    assert own(fuzzy="false").label(misspelt).states["rvh"] == "unmentioned"
    assert own(fuzzy="false").label("RIGHT VENTRICULAR HYPERTROPHY").labels["rvh"] == 1


def test_labels_are_those_of_the_vocabulary_whatever_their_number(own):
    reading = own().label("trace only")
    assert reading.labels == {"lvh": None, "rvh": None}
    assert own().label("No right ventricular hypertrophy").labels == {"lvh": 0, "rvh": 0}


def test_an_unknown_policy_is_refused():
    with pytest.raises(UsageError, match="positive, negative, missing"):
        Labeler(uncertain="maybe")
