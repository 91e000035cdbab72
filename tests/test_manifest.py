"""run.json: what determines an output, and nothing about where it lies (P03)."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from overread.errors import OverreadError, UsageError
from overread.files import Fingerprint
from overread.manifest import Input, Manifest, inputs_of, versions

FULL = Manifest(
    command="labels extract",
    options={"policy": "positive", "keep": ("site",), "truth": Path("/home/MRN 0017/t.csv")},
    inputs=(Input("reports.csv", "ab12", 3),),
    vocabulary="9f",
    versions={"overread": "1.0", "python": "3.11"},
    seed=7,
    counts={"rows_in": 3, "used": 2, "quarantined": {"nul": 1}},
    labels=("lvh", "afib"),
    columns={"id": "ecg_id", "machine": None},
)


def test_what_is_written_is_read_and_is_the_same_work(tmp_path):
    FULL.write(tmp_path)
    found = Manifest.read(tmp_path)
    assert found.same_work(FULL)
    assert FULL.same_work(found)
    assert (found.labels, found.inputs, found.counts) == (FULL.labels, FULL.inputs, FULL.counts)


def test_file_is_private_sorted_and_replaced_whole(tmp_path):
    FULL.write(tmp_path)
    FULL.write(tmp_path)
    path = tmp_path / "run.json"
    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["run.json"]
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=2) + "\n"


def test_only_the_time_differs_between_two_runs(tmp_path):
    FULL.write(tmp_path / "a")
    FULL.write(tmp_path / "b")
    found = [json.loads((tmp_path / name / "run.json").read_text()) for name in "ab"]
    times = [one.pop("written") for one in found]
    assert found[0] == found[1]
    assert all(datetime.fromisoformat(time).tzinfo for time in times)


@pytest.mark.parametrize("change", [
    {"command": "other"},
    {"options": {"policy": "negative"}},
    {"inputs": (Input("reports.csv", "cd34", 3),)},
    {"inputs": ()},
    {"vocabulary": "a0"},
    {"seed": 8},
    {"versions": {"overread": "1.1", "python": "3.11"}},
])  # fmt: skip
def test_other_work(change):
    assert not FULL.same_work(replace(FULL, **change))


@pytest.mark.parametrize("change", [
    {"inputs": (Input("renamed.csv", "ab12", 3),)},
    {"counts": {}},
    {"versions": {"overread": "1.0", "python": "3.12", "polars": "9"}},
    {"written": "2020-01-01T00:00:00+00:00"},
])  # fmt: skip
def test_same_work(change):
    assert FULL.same_work(replace(FULL, **change))


def test_p03_no_folder_is_named(tmp_path):
    FULL.write(tmp_path)
    text = (tmp_path / "run.json").read_text()
    assert "MRN 0017" not in text
    assert "t.csv" in text


def test_p03_inputs_keep_size_and_hashes_and_no_name():
    (kept,) = inputs_of([Fingerprint("MRN0815.csv", 1, 2, "c", files=4)])
    assert (kept.sha256, kept.size, kept.files) == ("c", 1, 4)
    assert "0815" not in kept.name


def test_versions_leave_out_what_is_absent():
    assert "no-such-package" not in versions("no-such-package")
    assert versions("polars")["polars"]


def test_no_manifest_and_damaged_ones_are_refused(tmp_path):
    with pytest.raises(UsageError):
        Manifest.read(tmp_path)
    for content in ("", "[]", "{}", '{"command": 1, "odd": 2}', "[" * 100_000, "\udcff"):
        (tmp_path / "run.json").write_bytes(content.encode("utf-8", "surrogateescape"))
        with pytest.raises(OverreadError, match="--overwrite"):
            Manifest.read(tmp_path)
