"""The effect of an edit equals a new extraction with the edited vocabulary."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from overread.errors import Place, UsageError
from overread.labels.run import write_extraction
from overread.sources.open import from_frame
from overread.tables import SOURCES
from overread.text.labeler import Labeler
from overread.vocab.edit import NewPhrase
from overread.vocab.load import load_vocabulary
from overread.vocab.model import PhraseRef, Vocabulary
from overread.vocab.schema import Phrase
from overread.workbench.effect import (
    Effect,
    LabelChange,
    LiveEffect,
    compared,
    effect,
    relabel,
    view,
    with_phrases,
)
from overread.workbench.extraction import Extraction
from overread.workbench.index import StatementIndex
from overread.workbench.recut import cut_otherwise

Pair = tuple[str | None, str | None]


def extracted(
    folder: Path, pairs: Iterable[Pair], vocabulary: Vocabulary, uncertain: str = "positive"
) -> Extraction:
    """An extraction of pairs of texts, written and opened."""
    pairs = list(pairs)
    frame = pl.DataFrame(
        {
            "id": [f"E{number}" for number in range(len(pairs))],
            "machine": [machine for machine, _ in pairs],
            "expert": [expert for _, expert in pairs],
        },
        schema=dict.fromkeys(("id", "machine", "expert"), pl.String),
    )
    write_extraction(
        from_frame(frame),
        folder,
        vocab=vocabulary,
        uncertain=uncertain,
        format="parquet",
        duplicates="error",
        workers=1,
        overwrite=False,
        console=Console(quiet=True),
    )
    return Extraction.open(folder)


def phrase(owner: str, text: str, role: str = "phrase", **more: object) -> PhraseRef:
    return PhraseRef(owner, role, Phrase(text=text, **more), Place("new.yaml", 1))  # type: ignore[arg-type]


def edited(vocabulary: Vocabulary, *added: PhraseRef, without: Iterable[str] = ()) -> Vocabulary:
    """The vocabulary with phrases put in and others (by id) taken out."""
    gone = set(without)
    kept = tuple(ref for ref in vocabulary.phrases if ref.id not in gone)
    return replace(vocabulary, phrases=kept + added, sha256="edited")


def assert_same_as_extracting(found: Effect, again: Extraction, but: Iterable[int] = ()) -> None:
    """States before plus the changes are those of a new extraction, but for some readings."""
    for code in found.before.extraction.sides:
        states = found.before.extraction.states(SOURCES[code])
        expected = again.states(SOURCES[code])
        assert found.labels == again.labels
        for row in found.readings.filter(pl.col("source") == code).iter_rows(named=True):
            at = found.labels.index(row["label"])
            assert states[row["row"], at] == (255 if row["before"] is None else row["before"])
            states[row["row"], at] = 255 if row["after"] is None else row["after"]
        left_out = [reading // 2 for reading in but if reading % 2 == code]
        assert np.array_equal(np.delete(states, left_out, 0), np.delete(expected, left_out, 0))


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


REPORTS: tuple[Pair, ...] = (
    ("Sinus rhythm. Zigzag axis.", "Sinus rhythm. Left axis deviation."),
    ("Normal ECG. Zigzag axis.", "Normal ECG."),
    ("Zigzag axis.", "No zigzag axis."),
    ("Possible zigzag axis.", None),
    ("ECG not interpreted.", "Zigzag axis. Unconfirmed report."),
    ("", "..."),
    ("Left axis deviation", "Left axis deviation. Possible zigzag axis"),
)
ZIGZAG = phrase("left_axis_deviation", "zigzag axis")


def changes(found: Effect) -> set[LabelChange]:
    return {each for each in found.changes if each.gained or each.lost}


def test_a_new_phrase_gains_readings(tmp_path: Path, vocabulary: Vocabulary) -> None:
    extraction = extracted(tmp_path, REPORTS, vocabulary)
    after = edited(vocabulary, ZIGZAG)
    found = effect(extraction, vocabulary, after, workers=1)
    # Counted by hand: the denied one, the one that is not over-read, and the one that has the label
    # already gain nothing.
    assert changes(found) == {LabelChange("left_axis_deviation", "machine", 1, 5, 4, 0)}
    assert_same_as_extracting(found, extracted(tmp_path / "again", REPORTS, after))
    rows = found.statements.filter(pl.col("label") == "left_axis_deviation")
    assert {(r["text"], r["before"], r["after"]) for r in rows.iter_rows(named=True)} == {
        ("Zigzag axis", "unmentioned", "present"),
        ("No zigzag axis", "unmentioned", "absent"),
        ("Possible zigzag axis", "unmentioned", "uncertain"),
    }


@pytest.mark.parametrize(("uncertain", "gained"), [("positive", 4), ("negative", 3)])
def test_hedges_count_by_the_policy_of_the_extraction(
    tmp_path: Path, vocabulary: Vocabulary, uncertain: str, gained: int
) -> None:
    extraction = extracted(tmp_path, REPORTS, vocabulary, uncertain)
    found = effect(extraction, vocabulary, edited(vocabulary, ZIGZAG), workers=1)
    assert [each.gained for each in changes(found)] == [gained]


def test_a_label_with_another_policy_moves_readings_whose_states_stay(
    tmp_path: Path, vocabulary: Vocabulary
) -> None:
    pairs: list[Pair] = [("Possible LVH.", "LVH."), ("Possible LVH.", "Possible LVH."), ("LVH", "")]
    labels = dict(vocabulary.labels)
    labels["lvh"] = labels["lvh"].model_copy(update={"uncertain": "negative"})
    after = replace(vocabulary, labels=labels, sha256="edited")
    found = effect(extracted(tmp_path, pairs, vocabulary), vocabulary, after, workers=1)
    assert changes(found) == {
        LabelChange("lvh", "machine", 3, 1, 0, 2),
        LabelChange("lvh", "expert", 2, 1, 0, 1),
    }
    assert found.readings.is_empty()


def test_a_reading_that_was_silent_begins_to_speak(tmp_path: Path, vocabulary: Vocabulary) -> None:
    """A word more in a text that holds no reading: all its labels come to be known."""
    pairs: list[Pair] = [("Tracing only. Zigzag axis.", "LVH"), ("Zigzag axis", None)]
    extraction = extracted(tmp_path / "a", pairs, vocabulary)
    assert (extraction.states("machine")[0] == 255).all()
    after = edited(vocabulary, ZIGZAG)
    found = effect(extraction, vocabulary, after, workers=1)
    assert_same_as_extracting(found, extracted(tmp_path / "b", pairs, after))
    silent = found.readings.filter(pl.col("before").is_null())
    assert silent.height == len(vocabulary.labels)


def test_a_label_that_is_new_and_one_that_is_gone(tmp_path: Path, vocabulary: Vocabulary) -> None:
    extraction = extracted(tmp_path, REPORTS, vocabulary)
    labels = dict(vocabulary.labels)
    labels["zigzag"] = labels.pop("sinus_rhythm").model_copy(update={"implied_by": []})
    refs = tuple(ref for ref in vocabulary.phrases if ref.owner != "sinus_rhythm")
    new = phrase("zigzag", "zigzag axis")
    after = replace(vocabulary, labels=labels, phrases=(*refs, new), sha256="edited")
    found = effect(extraction, vocabulary, after, workers=1)
    told = {(each.label, each.source): each[2:] for each in changes(found)}
    assert told["zigzag", "machine"] == (0, 4, 4, 0)
    before = extraction.summary.positives("machine", "sinus_rhythm")["positive"]
    assert told["sinus_rhythm", "machine"] == (before, 0, 0, before)


# Sentences in which the rules that cross statements decide: what is implied, cancelled, denied, and
# that there is no reading.
CROSSING = (
    "Normal ECG", "Within normal limits", "Sinus rhythm", "Negative for MI", "Negative for infarct",
    "No infarct", "Atrial fibrillation", "Possible atrial flutter", "ECG not interpreted",
    "Paced rhythm", "Unconfirmed", "Old inferior infarct", "Cannot rule out anterior infarct",
    "Otherwise normal ECG", "Left anterior fascicular block", "Right and left bundle branch block",
    "Supraventricular tachycardia", "Left axis deviation", "Low voltage QRS", "anteriore Infarkt",
)  # fmt: skip


def corpus(rng: Random, sentences: list[str], n: int, joint: str = ". ") -> list[Pair]:
    def text() -> str:
        some = rng.choices(sentences, k=rng.randint(0, 2)) + rng.choices(CROSSING, k=2)
        return joint.join(rng.sample(some, len(some)))

    return [(text(), None if rng.random() < 0.1 else text()) for _ in range(n)]


def some_phrases(rng: Random, statements: list[str], vocabulary: Vocabulary) -> list[NewPhrase]:
    """Phrases of words as they stand in statements, some of them misspelled or with a hyphen."""
    out = []
    for _ in range(rng.choice((1, 1, 2, 4))):
        words = [w for w in rng.choice(statements).lower().split() if w.isalnum()] or ["zigzag"]
        first = rng.randrange(len(words))
        words = words[first : first + rng.choice((1, 2, 3))]
        at = rng.randrange(len(words))
        word, cut = words[at], rng.randrange(len(words[at]))
        if rng.random() < 0.4:
            words[at] = word[:cut] + rng.choice(("-", "", "x", "ss")) + word[cut + 1 :]
        if rng.random() < 0.2:
            words.insert(0, "{" + rng.choice(list(vocabulary.terms)) + "}")
        text = " ".join(words)
        if not re.search(r"[^\W\d_]{2}", text):  # refused as a phrase
            continue
        role = rng.choice(("phrase", "phrase", "phrase", "exclusion", "implied"))
        owners = [*vocabulary.labels, *(vocabulary.concepts if role == "phrase" else ())]
        unless = ("atrial_fibrillation",) if role == "implied" and rng.random() < 0.5 else ()
        out.append(NewPhrase(rng.choice(owners), text, "AB", DAY, role=role, unless=unless))
    return out


DAY = date(2024, 5, 1)


@pytest.mark.parametrize("seed", range(4))
def test_an_effect_is_that_of_extracting_everything_anew(
    tmp_path: Path, vocabulary: Vocabulary, sentences: list[str], seed: int
) -> None:
    rng = Random(seed)
    pairs = corpus(rng, sentences, 120)
    before = vocabulary
    if seed % 2:  # the version so far may be the smaller one, and may not be the extraction's
        before = edited(vocabulary, without=[r.id for r in rng.sample(vocabulary.phrases, 60)])
    extraction = extracted(tmp_path / "before", pairs, before)
    gone = [ref.id for ref in rng.sample(vocabulary.phrases, rng.choice((0, 20, 200)))]
    phrases = some_phrases(rng, extraction.statements["text"].to_list(), vocabulary)
    after = replace(edited(vocabulary, without=gone).with_phrases([p.ref() for p in phrases]),
                    sha256="after")  # fmt: skip
    found = effect(extraction, before, after, workers=1)
    again = extracted(tmp_path / "after", pairs, after)
    recut = set(cut_otherwise(extraction, before, after).tolist())
    assert len(recut) < 120  # of 228 readings: the others are told exactly
    assert_same_as_extracting(found, again, but=recut)
    for each in found.changes:
        positive = again.summary.sides[each.source].positives(each.label, "positive")
        assert abs(each.after - positive) <= len(recut)
        assert each.after == each.before + each.gained - each.lost


def without_term(vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary in which "mi" is no infarct any more."""
    infarct = tuple(text for text in vocabulary.terms["infarct"] if text != "mi")
    return replace(vocabulary, terms=vocabulary.terms | {"infarct": infarct}, sha256="edited")


def with_cue(vocabulary: Vocabulary, *, kept: bool) -> Vocabulary:
    """The vocabulary in which "possible" denies, or is no cue at all."""
    context = vocabulary.context.model_copy(deep=True)
    hedges = context.cues.uncertainty.either
    cue = next(each for each in hedges if each.text == "possible")
    hedges.remove(cue)
    context.cues.negation.either.extend([cue] * kept)
    return replace(vocabulary, context=context, sha256="edited")


def with_silence(vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary in which "paced rhythm" says that there is no reading."""
    said = [*vocabulary.context.no_reading, "paced rhythm"]
    context = vocabulary.context.model_copy(update={"no_reading": said})
    return replace(vocabulary, context=context, sha256="edited")


def with_normal(vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary in which atrial fibrillation is normal, and a denied infarct denies less."""
    labels = dict(vocabulary.labels)
    for name, less in (("atrial_fibrillation", {"baseline": True}), ("inferior_mi", {})):
        labels[name] = labels[name].model_copy(update={"denied_by": [], **less})
    return replace(vocabulary, labels=labels, sha256="edited")


@pytest.fixture(scope="module")
def crossing(
    tmp_path_factory: pytest.TempPathFactory, vocabulary: Vocabulary, sentences: list[str]
) -> Extraction:
    pairs = corpus(Random(7), sentences, 60)
    return extracted(tmp_path_factory.mktemp("crossing"), pairs, vocabulary)


@pytest.mark.parametrize(
    "edit",
    [
        without_term,
        lambda vocabulary: with_cue(vocabulary, kept=False),
        lambda vocabulary: with_cue(vocabulary, kept=True),
        with_silence,
        with_normal,
    ],
    ids=["a term", "a cue gone", "a cue turned", "a text without reading", "labels"],
)
def test_what_changes_is_found_by_its_words(
    crossing: Extraction, vocabulary: Vocabulary, edit: Callable[[Vocabulary], Vocabulary]
) -> None:
    edited = edit(vocabulary)
    labelled = [view(crossing, each, workers=1) for each in (vocabulary, edited)]
    # Forth, the extraction was made with the first of the two; back, with the second.
    for pair in (labelled, labelled[::-1]):
        found = effect(crossing, pair[0].vocabulary, pair[1].vocabulary, workers=1)
        whole = compared(*pair)
        assert found.changes == whole.changes
        assert found.readings.equals(whole.readings)
        assert found.statements.equals(whole.statements)
        for after in (False, True):
            states = (each.all_states(crossing.labels, after=after) for each in (found, whole))
            assert np.array_equal(*states)
    assert found.statements.height
    # Not by reading all of them with both.
    some = StatementIndex(crossing, Labeler(vocabulary)).candidates(Labeler(edited))
    assert 0 < len(some) < crossing.statements.height / 2


def test_an_extraction_keeps_what_its_labelling_found(
    crossing: Extraction, vocabulary: Vocabulary
) -> None:
    kept = crossing.ranks(vocabulary)
    anew = relabel(crossing, Labeler(vocabulary), np.arange(crossing.statements.height), workers=1)
    assert kept is not None
    assert kept.frame().equals(anew.frame())
    # Another version of the package may read otherwise, and so may another vocabulary.
    other = replace(crossing.manifest, versions={**crossing.manifest.versions, "overread": "0"})
    assert replace(crossing, manifest=other).ranks(vocabulary) is None
    assert crossing.ranks(replace(vocabulary, sha256="edited")) is None


@pytest.mark.parametrize("seed", range(2))
def test_a_live_effect_is_that_of_the_whole_vocabulary(
    tmp_path: Path, vocabulary: Vocabulary, sentences: list[str], seed: int
) -> None:
    rng = Random(seed)
    extraction = extracted(tmp_path, corpus(rng, sentences, 80), vocabulary)
    live = LiveEffect(extraction, vocabulary, workers=1)
    statements = extraction.statements["text"].to_list()
    for _ in range(8):
        phrases = some_phrases(rng, statements, vocabulary)
        found = live.with_phrases(phrases)
        whole = compared(live.view, view(extraction, with_phrases(vocabulary, phrases), workers=1))
        assert found.changes == whole.changes, phrases
        assert found.readings.equals(whole.readings)
        assert found.statements.equals(whole.statements)
    moved = live.moved(phrases)  # what it knows of every reading is what labelling all anew gives
    assert np.array_equal(moved.view.known, whole.after.all_states(extraction.labels))
    assert all((counts == whole.after.counts[at]).all() for at, counts in moved.view.counts.items())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("zigzag inferiorly", "Zigzag  inferiorly"),  # a new wording
        ("brandnewword", "brandnewwrod sign"),  # a misspelling that the new word repairs
        ("zigzagaxis", "Zigzag-axis here"),  # a hyphen that joins to the new word
        ("vorderwandzacke", "Vorder- und Hinterwandzacke"),  # an ending that two words share
        ("unerhoertes zeichen", "Unerh#rtes Zeichen"),  # a letter lost on its way
        ("zigzag bundle branch block", "right and zigzag left bundle branch block"),  # a qualifier
        ("minor non-specific", "minor non specific st changes"),  # a hyphen known by a later phrase
        ("st-t segment changes", "ST-T segment changes"),
    ],
)
def test_statements_that_only_the_rules_of_words_connect_to_a_phrase(
    tmp_path: Path, vocabulary: Vocabulary, text: str, said: str
) -> None:
    extraction = extracted(tmp_path, [(said, "LVH"), ("Sinus rhythm", said)], vocabulary)
    live = LiveEffect(extraction, vocabulary, workers=1)
    phrases = [NewPhrase("other_infarct", text, "AB", DAY), NewPhrase("lvh", text, "AB", DAY)]
    found = live.with_phrases(phrases)
    whole = compared(live.view, view(extraction, with_phrases(vocabulary, phrases), workers=1))
    assert found.changes == whole.changes
    assert found.statements.equals(whole.statements)


def test_a_live_effect_goes_on_from_written_phrases(tmp_path: Path, vocabulary: Vocabulary) -> None:
    extraction = extracted(tmp_path, REPORTS, vocabulary)
    live = LiveEffect(extraction, vocabulary, workers=1)
    first = NewPhrase("left_axis_deviation", "zigzag axis", "AB", DAY)
    moved = live.moved([first])
    assert not changes(moved.with_phrases([]))
    assert {c.gained for c in changes(live.with_phrases([first]))} == {4}
    other = NewPhrase("right_axis_deviation", "zigzag axis", "AB", DAY)
    assert {(c.label, c.before, c.after) for c in changes(moved.with_phrases([other]))} == {
        ("right_axis_deviation", 0, 4),  # machine
        ("right_axis_deviation", 0, 1),  # expert
    }


def test_an_unknown_label_or_term_is_refused(vocabulary: Vocabulary) -> None:
    for owner, text in (("no_such", "zigzag"), ("lvh", "{no_such} zigzag")):
        with pytest.raises(UsageError, match="no_such"):
            with_phrases(vocabulary, [NewPhrase(owner, text, "AB", DAY)])


def test_an_extended_labeler_leaves_the_first_as_it_was(
    labeler: Labeler, sentences: list[str]
) -> None:
    some = sentences[::20]
    before = [labeler.label(text) for text in some]
    more = labeler.extended([phrase("lvh", "sinus rhythm"), phrase("rbbb", "axis")])
    assert [labeler.label(text) for text in some] == before
    whole = Labeler(more.vocabulary)
    assert [more.label(text).states for text in some] == [whole.label(t).states for t in some]


def test_readings_are_those_that_hold_a_statement(
    tmp_path: Path, vocabulary: Vocabulary, sentences: list[str]
) -> None:
    extraction = extracted(tmp_path, corpus(Random(1), sentences, 80), vocabulary)
    table = pl.read_parquet(tmp_path / "report_statements.parquet")
    for some in ([0], [3, 5, 11], list(range(40)), []):
        rows, sources = extraction.rows_of(np.array(some, np.int64))
        held = table.filter(pl.col("statement").is_in(some)).select("row", "source").unique()
        assert list(zip(rows, sources, strict=True)) == held.sort("row", "source").rows()
    assert extraction.ids(np.array([2, 0])) == ["E2", "E0"]


def test_w_line_ends_that_new_words_might_make_wraps_are_counted(
    tmp_path: Path, vocabulary: Vocabulary, sentences: list[str]
) -> None:
    rng = Random(3)
    pairs = [("Left axis\nzigzagging", "LVH"), ("RBBB\nLVH", None)]
    pairs += corpus(rng, sentences, 60, joint="\n")
    extraction = extracted(tmp_path / "a", pairs, vocabulary)
    after = edited(vocabulary, phrase("left_axis_deviation", "left axis zigzagging"))
    counted = set(cut_otherwise(extraction, vocabulary, after).tolist())
    assert 0 in counted
    assert 2 not in counted
    again = extracted(tmp_path / "b", pairs, after)
    assert_same_as_extracting(effect(extraction, vocabulary, after, workers=1), again, but=counted)
    assert again.states("machine")[0, again.labels.index("left_axis_deviation")] == 4


def test_v14_another_vocabulary_than_that_of_the_extraction_is_refused(
    tmp_path: Path, vocabulary: Vocabulary
) -> None:
    extraction = extracted(tmp_path, REPORTS, vocabulary)
    extraction.check_vocabulary(vocabulary)
    other = edited(vocabulary, ZIGZAG)
    extraction.check_vocabulary(vocabulary, other)
    with pytest.raises(UsageError, match=vocabulary.sha256[:12]) as refused:
        extraction.check_vocabulary(other)
    assert "--force" in str(refused.value)
    extraction.check_vocabulary(other, force=True)


def test_a_folder_without_an_extraction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="overread labels extract"):
        Extraction.open(tmp_path)
