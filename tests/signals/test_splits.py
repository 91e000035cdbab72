"""The split of a patient: a share of a hash, the same everywhere, one per patient."""

from __future__ import annotations

from collections import Counter, defaultdict
from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from overread.signals.splits import SPLITS, patient_text, split_of


def test_shares_are_64_16_and_20_percent():
    found = Counter(split_of(str(patient), "x") for patient in range(100_000))
    # Five standard errors of 100,000 draws are 0.8 percentage points at most.
    assert abs(found["train"] - 64_000) < 800
    assert abs(found["validation"] - 16_000) < 800
    assert abs(found["test"] - 20_000) < 800
    assert sum(found.values()) == 100_000


def test_r23_no_patient_is_in_two_splits():
    """Twenty ECGs of each of 500 patients, ids in any order."""
    splits = defaultdict(set)
    for patient in range(500):
        for ecg in range(20):
            splits[patient].add(split_of(f"P{patient}", f"{ecg * 7919 % 10_007}"))
    assert all(len(found) == 1 for found in splits.values())
    assert {name for found in splits.values() for name in found} == set(SPLITS)


@given(st.text(min_size=1), st.text(), st.text())
def test_the_ecg_matters_only_where_there_is_no_patient(patient, one, other):
    assert split_of(patient, one) == split_of(patient, other)
    assert split_of(None, one) in SPLITS


def test_the_rule_as_documented_for_other_programs():
    """The first four bytes of BLAKE2b-32 of "patient 15709", as a share of 2**32."""
    share = int(blake2b(b"patient 15709", digest_size=4).hexdigest(), 16) / 2**32
    expected = "train" if share < 0.64 else "validation" if share < 0.8 else "test"
    assert split_of("15709", "1") == expected


def test_a_patient_number_written_as_a_float_is_the_same_patient():
    assert patient_text("15709.0") == patient_text("15709.000") == patient_text("15709") == "15709"
    assert patient_text("007") == "007"
    assert patient_text("7.5") == "7.5"
    assert patient_text("1e5") == "1e5"
    assert patient_text("") is patient_text(None) is None
