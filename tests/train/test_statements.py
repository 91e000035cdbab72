"""What training reads of reports, through real extractions, against lists made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from overread.errors import UsageError
from overread.train.statements import Ragged, read_statements
from tests.train.contrastive import PAIRS, corpus_of, extraction

#: By hand: what each over-read of PAIRS asserts, and what the machine alone asserts.
OWN = [
    {"sinus rhythm", "voltage criteria for lvh"},
    {"sinus bradycardia with left ventricular hypertrophy"},
    {"sinus rhythm"},
    {"atrial fibrillation has replaced sinus rhythm", "t wave abnormality nonspecific"},
    set(),
    {"possible lvh", "compared with ecg of rbbb is new"},
    {"nonspecific t wave abnormality"},
]
MACHINE_ONLY = [
    {"lvh", "nonspecific t wave abnormality"},
    {"sinus rhythm"},
    {"atrial fibrillation", "rbbb"},
    {"normal ecg"},
    {"atrial fibrillation"},
    {"sinus rhythm"},
    {"lvh", "atrial flutter"},
]
ASSERTS = {
    "sinus rhythm": {"sinus_rhythm"},
    "voltage criteria for lvh": {"lvh"},
    "sinus bradycardia with left ventricular hypertrophy": {"sinus_rhythm", "lvh"},
    "atrial fibrillation has replaced sinus rhythm": {"atrial_fibrillation"},
    "t wave abnormality nonspecific": set(),
    "possible lvh": {"lvh"},
    "compared with ecg of rbbb is new": {"rbbb"},
    "normal ecg": {"sinus_rhythm"},
    "atrial flutter": {"atrial_flutter"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return extraction(tmp_path_factory.mktemp("pairs") / "labels")


@pytest.fixture(scope="module")
def corpus(folder):
    return corpus_of(folder)


@pytest.fixture(scope="module")
def read(folder, corpus):
    return read_statements(folder, corpus.labels)


def held(statements, ragged):
    rows = len(ragged.offsets) - 1
    return [{statements.texts[at] for at in ragged.take(np.array([row]))[1]} for row in range(rows)]


def labels_of(statements, corpus, text):
    asserts = statements.asserts[statements.texts.index(text)]
    return {corpus.labels[at] for at in np.flatnonzero(asserts)}


def test_statements_of_over_reads_that_assert_something(read):
    assert held(read, read.own) == OWN


def test_machine_only_statements_whatever_their_case_and_punctuation(read):
    assert held(read, read.machine_only) == MACHINE_ONLY


def test_the_concept_of_a_statement_is_the_labels_that_it_asserts(read, corpus):
    assert {text: labels_of(read, corpus, text) for text in ASSERTS} == ASSERTS


def test_each_text_stands_once_with_the_number_of_ecgs_that_hold_it(read):
    assert len(set(read.texts)) == len(read.texts)
    counts = dict(zip(read.texts, read.ecgs.tolist(), strict=True))
    for text, count in counts.items():
        assert count == sum(text in each for each in (*OWN, *MACHINE_ONLY)), text


def test_prompts_are_the_wordings_that_over_reads_use_else_the_name(read):
    assert read.prompts["sinus_rhythm"] == ["sinus rhythm", "sinus bradycardia"]
    assert set(read.prompts["lvh"]) == {"left ventricular hypertrophy", "voltage criteria for lvh"}
    assert read.prompts["anterior_mi"] == ["anterior mi"]  # nobody has it


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ("positive", {"possible lvh", "compared with ecg of rbbb is new"}),
        ("negative", {"compared with ecg of rbbb is new"}),
        ("missing", {"compared with ecg of rbbb is new"}),
    ],
)
def test_the_policy_says_whether_uncertain_mentions_assert(tmp_path, policy, kept):
    folder = extraction(tmp_path / "labels", uncertain=policy)
    statements = read_statements(folder, corpus_of(folder).labels)
    assert held(statements, statements.own)[5] == kept


def test_what_denies_measures_tells_of_the_past_or_signs_is_not_read(tmp_path):
    denials = [
        "No acute ischemia",
        "No LVH",
        "ST segments are not elevated",
        "Previously atrial fibrillation",
        "Clinical indication: syncope",
        "Confirmed by DOE, JOHN",
        "Vent. rate 77 BPM",
        "QT/QTc 402/431 ms",
        "P-R-T axes 50 12 33",
        "When compared with ECG of 03-MAR-2011",
    ]
    folder = extraction(tmp_path / "labels", [(None, f"{text}\nSinus rhythm") for text in denials])
    statements = read_statements(folder, corpus_of(folder).labels)
    assert set().union(*held(statements, statements.own)) <= {"sinus rhythm"}


def test_a_whole_report_is_one_text_that_asserts_all_its_labels(folder, corpus):
    statements = read_statements(folder, corpus.labels, text="whole-report")
    assert held(statements, statements.own)[0] == {"sinus rhythm. voltage criteria for lvh"}
    assert held(statements, statements.own)[4] == set()
    assert held(statements, statements.machine_only)[2] == {"atrial fibrillation. rbbb"}
    whole = "sinus rhythm. voltage criteria for lvh"
    assert labels_of(statements, corpus, whole) == {"sinus_rhythm", "lvh"}


def test_other_rows_are_neither_read_nor_counted(folder, corpus):
    statements = read_statements(folder, corpus.labels, rows=np.array([0, 2]))
    assert held(statements, statements.own) == [
        own if row in (0, 2) else set() for row, own in enumerate(OWN)
    ]
    assert set(statements.texts) == OWN[0] | OWN[2] | MACHINE_ONLY[0] | MACHINE_ONLY[2]
    assert statements.prompts["sinus_rhythm"] == ["sinus rhythm"]


def test_the_machine_can_be_the_reader_that_is_learnt_from(folder, corpus):
    statements = read_statements(folder, corpus.labels, source="machine")
    assert held(statements, statements.own)[6] == {"atrial flutter", "lvh"}
    assert held(statements, statements.machine_only) == [set()] * len(PAIRS)


def test_columns_are_positive_left_out_or_negative_as_the_method_says(read, corpus):
    rows = np.array([0, 1, 2, 3, 6])
    columns = read.columns(rows, corpus.values["expert"][rows])
    texts = [read.texts[at] for at in columns.statements]
    assert sorted(texts) == sorted(set().union(*(OWN[row] for row in rows)))
    # The over-reads' labels, by hand.
    said = [{"sinus_rhythm", "lvh"}, {"sinus_rhythm", "lvh"}, {"sinus_rhythm"},
            {"atrial_fibrillation"}, set()]  # fmt: skip
    for i, row in enumerate(rows):
        for j, text in enumerate(texts):
            concept = labels_of(read, corpus, text)
            positive = text in OWN[row]
            assert columns.positives[i, j] == positive
            in_other_words = bool(concept) and concept <= said[i] and not positive
            assert columns.left_out[i, j] == in_other_words, (row, text)
    assert columns.left_out.any()


def test_hard_negatives_are_false_of_the_ecg_and_no_column(read, corpus):
    rows = np.array([0, 1, 2])
    values = corpus.values["expert"][rows]
    columns = read.columns(rows, values)
    hard, negatives = read.hard(rows, values, columns.statements)
    texts = [read.texts[at] for at in hard]
    # "sinus rhythm" of the second machine is a column: the first over-read says so.
    assert set(texts) == {"lvh", "nonspecific t wave abnormality", "atrial fibrillation", "rbbb"}
    false = dict(zip(texts, negatives.T.tolist(), strict=True))
    assert false["lvh"] == [False, False, True]  # two over-reads say it in other words
    assert false["atrial fibrillation"] == [True, True, True]
    assert false["nonspecific t wave abnormality"] == [True, True, True]


def test_an_unknown_label_is_held_against_nothing(read, corpus):
    rows = np.array([2])
    values = corpus.values["expert"][rows].copy()
    values[0, corpus.labels.index("rbbb")] = -1
    columns = read.columns(rows, values)
    hard, negatives = read.hard(rows, values, columns.statements)
    false = dict(zip((read.texts[at] for at in hard), negatives[0].tolist(), strict=True))
    assert false == {"atrial fibrillation": True, "rbbb": False}


WORDINGS = [
    "Sinus rhythm", "Normal sinus rhythm", "Atrial fibrillation", "AF", "LVH", "RBBB and LVH",
    "Voltage criteria for LVH", "T wave abnormality", "t-wave ABNORMALITY", "No LVH",
]  # fmt: skip


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """60 pairs of reports of any of these wordings."""
    random = np.random.default_rng(0)
    pairs = [
        tuple(". ".join(random.choice(WORDINGS, random.integers(1, 5))) for _ in range(2))
        for _ in range(60)
    ]
    folder = extraction(tmp_path_factory.mktemp("mixed") / "labels", pairs)
    corpus = corpus_of(folder)
    return corpus, {
        text: read_statements(folder, corpus.labels, text=text)
        for text in ("statements", "whole-report")
    }


@settings(deadline=None)
@given(
    rows=st.lists(st.integers(0, 59), min_size=1, max_size=12).map(np.array),
    text=st.sampled_from(["statements", "whole-report"]),
)
def test_what_an_over_read_asserts_is_never_its_negative(mixed, rows, text):
    corpus, read = mixed[0], mixed[1][text]
    values = corpus.values["expert"][rows]
    columns = read.columns(rows, values)
    hard, false = read.hard(rows, values, columns.statements)
    assert not set(hard) & set(columns.statements)
    every = np.concatenate((columns.statements, hard))
    negative = np.concatenate((~columns.positives & ~columns.left_out, false), 1)
    said = held(read, read.own)
    for i, j in np.argwhere(negative):
        concept = np.flatnonzero(read.asserts[every[j]])
        assert read.texts[every[j]] not in said[rows[i]]
        assert not len(concept) or (values[i, concept] == 0).any()


def test_ragged_rows_against_lists():
    lists = [[3, 1], [], [2], [], [0, 5, 4]]
    keys = np.array(sorted(row * 6 + value for row, some in enumerate(lists) for value in some))
    ragged = Ragged.of(keys, len(lists), 6)
    rows = np.array([4, 1, 0, 4])
    owner, values = ragged.take(rows)
    assert [values[owner == i].tolist() for i in range(4)] == [sorted(lists[r]) for r in rows]
    drawn = np.array([ragged.sample(rows, np.random.default_rng(seed)) for seed in range(99)])
    assert [set(column.tolist()) for column in drawn.T] == [set(lists[row]) or {-1} for row in rows]


def test_a_folder_without_statements_is_refused(folder, tmp_path):
    for name in ("run.json", "labels.parquet"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(UsageError, match=r"no statements\.parquet.*overread labels extract"):
        read_statements(tmp_path, ("lvh",))
