"""The import: what becomes of every record, real ones and damaged ones, and the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from overread.errors import OutputExists, OverreadError, TableError
from overread.signals import ingest
from overread.signals.cohort import flows_of
from overread.signals.ingest import Given, import_signals
from overread.signals.preprocess import preprocess
from overread.signals.store import open_store
from overread.sources.open_signals import open_signals

pytest.importorskip("numba")


def run(out, *paths, **how):
    """Imports folders; the flow of each."""
    options = {
        "resample": "linear", "duplicates": "error", "max_bad": 0.01, "workers": 1,
        "engine": "processes", "append": False, "overwrite": False,
    }  # fmt: skip
    given = [Given(open_signals(path), path) for path in paths]
    return import_signals(given, out, console=Console(quiet=True), **{**options, **how})


def files_of(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != "run.json"
    }


@pytest.fixture
def small_shares(monkeypatch):
    """Shares of 4 records, so that a handful makes several chunks."""
    monkeypatch.setattr(ingest, "_SHARE", 4)


@pytest.fixture
def records(tmp_path, wfdb_record):
    """Ten records of one window, in a folder."""
    for number in range(10):
        wfdb_record(tmp_path / "records", f"r{number}", seed=number)
    return tmp_path / "records"


def spoil(folder, name):
    """A record whose samples end too early."""
    path = folder / f"{name}.dat"
    path.write_bytes(path.read_bytes()[:-24])


# Real records


def test_real_corpora_by_hand_count(shared, tmp_path):
    """JS20004 and JS20008 have flat V2, V4 and V6; s0010_re has 38.4 s at 1000 Hz."""
    data = shared / "data"
    folders = (
        "norwegian-athlete-ecg", "ptb-xl/records500", "challenge-2021/georgia",
        "challenge-2021/ningbo", "challenge-2021/ptb-xl", "ludb", "ptbdb", "ge-muse-xml",
    )  # fmt: skip
    flows = run(tmp_path / "store", *(data / each for each in folders))
    assert [flow.read for flow in flows] == [14, 40, 20, 20, 10, 1, 1, 3]
    assert [flow.kept for flow in flows] == [14, 40, 20, 18, 10, 1, 1, 3]
    assert [flow.windows for flow in flows] == [14, 40, 20, 18, 10, 1, 3, 3]
    assert sum(flow.quarantined for flow in flows) == 0
    rejected = pq.read_table(tmp_path / "store" / "rejected.parquet").to_pylist()
    assert rejected == [
        {"import": 4, "id": name, "reason": "constant_lead"} for name in ("JS20004", "JS20008")
    ]
    store = open_store(tmp_path / "store")
    rows = store.records.to_pylist()
    assert Counter(row["source"] for row in rows)["challenge"] == 48
    assert [row["window"] for row in rows if row["id"] == "s0010_re"] == [0, 1, 2]
    assert {row["fs_hz"] for row in rows if row["id"] == "s0010_re"} == {1000.0}
    assert {"6000", "6009", "ath_001", "E07500", "muse_ecg1"} <= {row["id"] for row in rows}
    assert store.damaged() == []


def test_ptb_xl_at_100_hz_is_rejected_by_its_rate(shared, tmp_path):
    [flow] = run(tmp_path / "store", shared / "data" / "ptb-xl" / "records100")
    assert (flow.read, flow.kept, flow.windows) == (200, 0, 0)
    assert flow.rejected == {"low_rate": 200}


def test_the_store_holds_what_preprocess_gives(shared, tmp_path):
    """Records of a store in any order are those of the single-record function."""
    folder = shared / "data" / "norwegian-athlete-ecg"
    run(tmp_path / "store", folder)
    store = open_store(tmp_path / "store")
    source = open_signals(folder)
    for index in (13, 0, 6):
        recording = source.signal(source.keys()[index])
        done = preprocess(recording)
        assert store.records["id"][index].as_py() == recording.id
        assert np.array_equal(store.signals[index], done.filtered.signals[0])
        assert np.array_equal(store.norm[index], done.filtered.norm[0])


# What becomes of each record


def test_every_record_is_accounted_for(tmp_path, wfdb_record, small_shares):
    folder = tmp_path / "mixed"
    noise = np.random.default_rng(0).integers(-900, 900, (12, 7500)).astype("<i2")
    constant, missing, partly = (noise[:, :2500].copy(), noise[:, :2500].copy(), noise.copy())
    constant[7] = 12
    missing[3, 99] = -32768  # format 16: no sample
    partly[0, 2500:5000] = 0  # the second of three windows
    wfdb_record(folder, "good", seed=1)
    wfdb_record(folder, "slow", seed=2, fs_hz=100)
    wfdb_record(folder, "short", seed=3, seconds=9.9)
    wfdb_record(folder, "constant", counts=constant)
    wfdb_record(folder, "missing", counts=missing)
    wfdb_record(folder, "long", counts=partly)
    wfdb_record(folder, "cut", seed=4)
    spoil(folder, "cut")
    [flow] = run(tmp_path / "store", folder, max_bad=0.5)
    assert flow.read == 7
    assert flow.quarantined == 1
    assert flow.rejected == {"constant_lead": 1, "low_rate": 1, "nan": 1, "too_short": 1}
    assert (flow.kept, flow.windows, flow.left_out) == (2, 3, 1)
    store = open_store(tmp_path / "store")
    found = [(row["id"], row["window"]) for row in store.records.to_pylist()]
    assert found == [("good", 0), ("long", 0), ("long", 2)]
    reasons = pq.read_table(tmp_path / "store" / "rejected.parquet").to_pylist()
    assert {row["id"]: row["reason"] for row in reasons} == {
        "constant": "constant_lead", "missing": "nan", "short": "too_short", "slow": "low_rate",
    }  # fmt: skip
    assert flows_of(store.manifest) == [flow]


def test_w22_one_bad_record_is_left_out_and_told_without_its_name(
    tmp_path, wfdb_record, small_shares
):
    folder = tmp_path / "MRN4711"
    for number in range(100):
        wfdb_record(folder, f"SMITH{number:03d}", seed=number)
    spoil(folder, "SMITH041")
    [flow] = run(tmp_path / "store", folder)
    assert (flow.read, flow.quarantined, flow.kept) == (100, 1, 99)
    quarantine = (tmp_path / "store" / "quarantine.csv").read_text().splitlines()
    assert quarantine[0] == "import,record,reason"
    assert quarantine[1].startswith("1,42,")
    assert len(quarantine) == 2
    for name in ("quarantine.csv", "run.json"):
        text = (tmp_path / "store" / name).read_text()
        assert "SMITH" not in text
        assert "MRN4711" not in text  # P03


def test_w22_too_many_bad_records_stop_and_a_larger_share_goes_on(
    tmp_path, wfdb_record, small_shares
):
    folder, out = tmp_path / "records", tmp_path / "store"
    for number in range(20):
        wfdb_record(folder, f"r{number:02d}", seed=number)
    spoil(folder, "r09")
    with pytest.raises(OverreadError) as stopped:
        run(out, folder)
    assert "1 of 20 records cannot be read, more than --max-bad" in str(stopped.value)
    assert "record 10 of wfdb" in str(stopped.value)
    assert "r09" not in str(stopped.value)
    assert not (out / "run.json").exists()
    with pytest.raises(OverreadError, match="1 of 20 records"):
        run(out, folder)
    [flow] = run(out, folder, max_bad=0.05)
    assert (flow.read, flow.quarantined, flow.kept) == (20, 1, 19)
    run(tmp_path / "whole", folder, max_bad=0.05)
    assert files_of(out) == files_of(tmp_path / "whole")


# Ids


def test_an_id_that_comes_twice_is_refused_before_anything_is_read(tmp_path, wfdb_record, records):
    other = tmp_path / "other"
    for number in (3, 77):
        wfdb_record(other, f"r{number}", seed=number)
    with pytest.raises(TableError, match=r"wfdb: record 1 has the id of an earlier record"):
        run(tmp_path / "store", records, other)
    flows = run(tmp_path / "store", records, other, duplicates="first", overwrite=True)
    assert [(flow.read, flow.kept) for flow in flows] == [(10, 10), (2, 1)]
    assert flows[1].rejected == {"duplicate_id": 1}
    rejected = pq.read_table(tmp_path / "store" / "rejected.parquet").to_pylist()
    assert rejected == [{"import": 2, "id": "r3", "reason": "duplicate_id"}]


# One import after the other


def test_a_second_source_is_added_with_the_bytes_of_both_at_once(
    tmp_path, wfdb_record, records, small_shares
):
    other = tmp_path / "other"
    for number in range(6):
        wfdb_record(other, f"s{number}", seed=100 + number)
    wfdb_record(other, "short", seconds=3)
    spoil(other, "s5")
    run(tmp_path / "both", records, other, max_bad=0.2)
    run(tmp_path / "store", records)
    with pytest.raises(OutputExists, match="--append"):
        run(tmp_path / "store", other)
    flows = run(tmp_path / "store", other, append=True, max_bad=0.2)
    assert [flow.kept for flow in flows] == [10, 5]
    assert files_of(tmp_path / "store") == files_of(tmp_path / "both")
    with pytest.raises(OutputExists, match="other options"):
        run(tmp_path / "store", other, append=True, resample="fir")


def test_a_rerun_does_nothing_until_something_changed(tmp_path, wfdb_record, records):
    out = tmp_path / "store"
    run(out, records)
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    run(out, records)
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before
    wfdb_record(records, "r3", seed=99)
    with pytest.raises(OutputExists, match="--overwrite"):
        run(out, records)
    run(out, records, overwrite=True)
    assert len(open_store(out)) == 10


def test_outputs_inside_the_source_are_no_part_of_it(wfdb_record, records):
    out = records / "overread-out" / "store"
    run(out, records)
    before = files_of(out)
    run(out, records)
    assert files_of(out) == before


def test_a_renamed_source_is_the_same_source(tmp_path, records):
    run(tmp_path / "store", records)
    records.rename(tmp_path / "renamed")
    before = files_of(tmp_path / "store")
    run(tmp_path / "store", tmp_path / "renamed", append=True)
    assert files_of(tmp_path / "store") == before


def test_other_options_of_reading_are_another_import(tmp_path, records):
    run(tmp_path / "store", records, reading={"allow_uncalibrated": False})
    with pytest.raises(OutputExists, match="another input or option"):
        run(tmp_path / "store", records, reading={"allow_uncalibrated": True})


def test_one_record_is_a_source(tmp_path, records):
    [flow] = run(tmp_path / "store", records / "r4.hea")
    assert (flow.read, flow.windows) == (1, 1)
    assert run(tmp_path / "store", records / "r4.hea") == [flow]


# The same bytes


@pytest.mark.parametrize("how", [
    {"workers": 2},
    pytest.param({"workers": 2, "engine": "ray"}, marks=pytest.mark.slow),
])  # fmt: skip
def test_d02_workers_and_engines_give_the_same_bytes(tmp_path, records, small_shares, how):
    if how.get("engine") == "ray":
        pytest.importorskip("ray")
    run(tmp_path / "alone", records)
    run(tmp_path / "store", records, **how)
    assert files_of(tmp_path / "store") == files_of(tmp_path / "alone")
    alone, other = (
        json.loads((tmp_path / name / "run.json").read_text()) for name in ("alone", "store")
    )
    del alone["written"], other["written"]
    assert alone == other
