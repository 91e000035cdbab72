"""What is suggested, with which label, and what is never taken for the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from overread.labels.run import write_extraction
from overread.sources.open import from_frame
from overread.text.match import Matcher
from overread.vocab.load import load_vocabulary
from overread.vocab.model import Vocabulary
from overread.workbench.decisions import key
from overread.workbench.extraction import Extraction
from overread.workbench.guess import Guesser
from overread.workbench.lists import suggestions_table
from overread.workbench.opposites import Opposites
from overread.workbench.suggest import Suggestion, suggest

Pair = tuple[str | None, str | None]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture
def extracted(tmp_path: Path, vocabulary: Vocabulary):
    def extract(*pairs: tuple[int, str | None, str | None]) -> Extraction:
        rows = [(machine, expert) for times, machine, expert in pairs for _ in range(times)]
        frame = pl.DataFrame(
            [(f"E{number}", *row) for number, row in enumerate(rows)],
            {"id": pl.String, "machine": pl.String, "expert": pl.String},
            orient="row",
        )
        write_extraction(
            from_frame(frame),
            tmp_path / "out",
            vocab=vocabulary,
            uncertain="positive",
            format="parquet",
            duplicates="error",
            workers=1,
            overwrite=False,
            console=Console(quiet=True),
        )
        return Extraction.open(tmp_path / "out")

    return extract


def by_wording(found: Iterable[Suggestion]) -> dict[str, Suggestion]:
    return {each.wording: each for each in found}


def test_a_wording_in_words_of_a_label_is_guessed_for_it(extracted, vocabulary):
    # "right bundle complete block" is no phrase, and its words are those of RBBB.
    on = extracted((12, "Sinus rhythm", "Right bundle complete block"), (20, "Sinus rhythm", "LVH"))
    found = by_wording(suggest(on, vocabulary))["right bundle complete block"]
    assert found.label_guess == "rbbb"
    assert (found.n_machine, found.n_expert, found.ecgs) == (0, 12, 12)
    assert found.separation == -1.0
    assert found.kind == "statement"
    assert found.examples == ("Right bundle complete block",)


def test_the_other_readers_label_tells_what_strange_words_mean(extracted, vocabulary):
    on = extracted((30, "LVH", "Gubbins"), (100, "Sinus rhythm", "Sinus rhythm"), (5, "LVH", "LVH"))
    found = by_wording(suggest(on, vocabulary))["gubbins"]
    assert found.label_guess == "lvh"
    assert "the other states lvh in 30 of 30" in found.reason


def test_what_stands_beside_a_label_on_both_sides_is_not_guessed_for_it(extracted, vocabulary):
    on = extracted(
        (40, "Atrial fibrillation", "Atrial fibrillation. Gubbins"), (60, "Sinus rhythm", "LVH")
    )
    assert by_wording(suggest(on, vocabulary))["gubbins"].label_guess is None


def test_cues_dates_and_numbers_are_no_part_of_a_wording(extracted, vocabulary):
    on = extracted(
        (5, None, "Possible gubbins"),
        (5, None, "No gubbins"),
        (5, None, "Old gubbins, 17 ms"),
        (5, None, "Gubbins since 14-FEB-2011"),
    )
    wordings = by_wording(suggest(on, vocabulary))
    assert wordings["gubbins"].ecgs == 20
    assert not any(
        word in {"possible", "no", "old", "ms", "feb"} or any(c.isdigit() for c in word)
        for wording in wordings
        for word in wording.split()
    )


def test_a_unit_is_part_of_no_wording_even_where_its_number_is_missing(extracted, vocabulary):
    on = extracted((20, "PR interval 160 ms", "QRS 90 ms. LVH"), (5, "PR interval * ms", "QT * ms"))
    assert not any("ms" in wording.split() for wording in by_wording(suggest(on, vocabulary)))


def test_an_opening_and_what_it_goes_on_to_is_no_wording(extracted, vocabulary):
    on = extracted(
        (20, "When compared with ECG of 01-JAN-2020, LVH", "Compared with prior tracing")
    )
    assert suggest(on, vocabulary) == []


def test_what_has_no_guess_and_both_write_alike_comes_last(extracted, vocabulary):
    on = extracted(
        (500, "Zork", "Zork"),
        (12, None, "Frobs"),
        (12, "Sinus rhythm", "Right bundle complete block"),
    )
    assert list(by_wording(suggest(on, vocabulary))) == [
        "right bundle complete block",
        "frobs",
        "zork",
    ]


def test_what_a_term_stands_for_is_one_suggestion_with_variants(extracted, vocabulary):
    on = extracted((9, None, "Inferior infarct"), (4, None, "Inferolateral MI"))
    poorer = replace(
        vocabulary,
        phrases=tuple(r for r in vocabulary.phrases if r.wording != "{inferior} {infarct}"),
    )
    found = suggest(on, poorer)
    head = found[0]
    assert (head.wording, head.label_guess) == ("{inferior} {infarct}", "inferior_mi")
    assert {each.wording: each.n_expert for each in head.variants} == {
        "inferior infarct": 9,
        "inferolateral mi": 4,
    }
    assert all(each.kind == "variant" for each in head.variants)
    assert not {each.wording for each in head.variants} & {each.wording for each in found}


def test_a_longer_wording_stands_before_its_pieces(extracted, vocabulary):
    on = extracted((20, "LVH", "Increased LV mass"), (20, "LVH", "LV mass increased"))
    wordings = by_wording(suggest(on, vocabulary))
    assert {"increased lv mass", "lv mass increased"} <= wordings.keys()
    assert not {"mass", "increased", "lv"} & wordings.keys()


def test_a_finding_and_a_stranger_beside_it_are_two_things(extracted, vocabulary):
    # "sinus rhythm" is read already: what "with" joins to it is none of it.
    on = extracted(
        (30, "Normal sinus rhythm with occasional zigzags", "Normal sinus rhythm"),
        (30, "Sinus rhythm with occasional zigzags", "Sinus rhythm"),
    )
    found = by_wording(suggest(on, vocabulary))
    assert "occasional zigzags" in found
    assert not [wording for wording in found if "sinus" in wording]


def test_what_goes_on_from_a_new_finding_stands_by_itself(extracted, vocabulary):
    # Neither "sinusrhythmus" nor "llt" is known here, and "llt" never stands alone.
    gone = {"sinusrhythmus", "llt"}
    poorer = replace(
        vocabulary,
        phrases=tuple(ref for ref in vocabulary.phrases if ref.wording not in gone),
    )
    on = extracted((200, None, "Sinusrhythmus"), (30, None, "Sinusrhythmus LLT"))
    found = by_wording(suggest(on, poorer))
    assert found["sinusrhythmus"].label_guess == "sinus_rhythm"
    assert "llt" in found
    assert "sinusrhythmus llt" not in found


def test_rejected_wordings_and_their_rest_do_not_come_back(extracted, vocabulary):
    on = extracted((20, None, "Gubbins of zork"), (20, None, "Frobs"))
    before = by_wording(suggest(on, vocabulary)).keys()
    after = by_wording(suggest(on, vocabulary, rejected={key("Gubbins of zork")})).keys()
    assert before == {"gubbins of zork", "frobs"}
    assert after == {"frobs"}


def test_findings_of_no_label_do_not_crowd_out_labels(extracted, vocabulary):
    many = [(40, None, f"Frob{letter} gubbins{letter}") for letter in "abcdefghij"]
    on = extracted(*many, (6, None, "Bundle branch block of the right"))
    found = suggest(on, vocabulary)
    assert (found[0].wording, found[0].label_guess) == ("{bbb} of right", "rbbb")
    assert len([each for each in found if each.label_guess is None]) == 10


def test_known_words_give_nothing(extracted, vocabulary):
    on = extracted((20, "Sinus rhythm. LVH", "Possible LVH. No RBBB, Unconfirmed report"))
    assert suggest(on, vocabulary) == []


def test_the_same_reports_give_the_same_list(extracted, vocabulary):
    on = extracted((5, "Gubbins zork", "Frobs"), (5, "Frobs", "Zork gubbins"))
    assert suggest(on, vocabulary) == suggest(Extraction.open(on.folder), vocabulary)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("left bundle branch block", "right bundle branch block"),
        ("linksschenkelblock", "rechtsschenkelblock"),
        ("vaenster skaenkelblock", "hoeger skaenkelblock"),
        ("anterior infarct", "inferior infarct"),
        ("anteroseptal infarct", "inferolateral infarct"),
        ("vorderwandinfarkt", "hinterwandinfarkt"),
        ("first degree av block", "second degree av block"),
        ("complete right bundle branch block", "incomplete right bundle branch block"),
        ("right bundle branch block", "incomplete right bundle branch block"),
        ("sinus rhythm", "no sinus rhythm"),
        ("sinus rhythm", "not sinus rhythm"),
        ("atrial fibrillation", "atrial flutter"),
        ("vorhofflimmern", "vorhofflattern"),
        ("sinustachykardie", "sinusbradykardie"),
        ("left atrial enlargement", "left ventricular enlargement"),
    ],
)
def test_opposites_are_never_one(vocabulary, left, right):
    assert Opposites(vocabulary).apart(left.split(), right.split())
    assert Opposites(vocabulary).apart(right.split(), left.split())


@pytest.mark.parametrize(
    ("wording", "label"),
    [
        ("left hand bundle branch block", "lbbb"),
        ("right hand bundle branch block", "rbbb"),
        ("anterior wall infarct old", "anterior_mi"),
        ("linksventrikulaere hypertrofie", "lvh"),
        ("vaenster schenkelblock", "lbbb"),
        ("incomplete right bundle branch block", None),
        ("posterior infarct in anterior", None),
        ("hypertrophy left atrial", None),
        ("st depression", None),
        ("drug effect", None),
    ],
)
def test_guesses_keep_side_territory_and_degree(vocabulary, wording, label):
    lexicon = Matcher(vocabulary).lexicon
    words = tuple(word.text for word in lexicon.read(wording))
    guess = Guesser(vocabulary, lexicon).guess(words)
    assert guess.label == label, guess


def test_the_table_shows_rare_wordings_only_on_demand(extracted, vocabulary):
    on = extracted((11, None, "Gubbins"), (10, None, "Frobs"))
    found = suggest(on, vocabulary)
    assert [row[0] for row in suggestions_table(found, rare=False).rows] == ["gubbins"]
    assert [row[0] for row in suggestions_table(found, rare=True).rows] == ["gubbins", "frobs"]
