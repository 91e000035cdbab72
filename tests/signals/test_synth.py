"""The synthetic corpus: what is read, what is written, and that it stays what it is."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil

import numpy as np
import pytest

from overread.errors import Busy, OutputExists, UsageError
from overread.files import locked
from overread.manifest import Manifest
from overread.signals.synth import (
    GENERATOR_VERSION,
    chunks,
    signals_of,
    synthetic_reports,
    write_corpus,
)
from overread.signals.synth_heart import LABELS
from overread.signals.synth_readers import rates
from overread.text.labeler import Labeler

N = 20_000
FEW = 10_000


def hashes(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def readings(made, n):
    """True, machine's and expert's labels, each n x 13 bool."""
    return [
        np.concatenate(parts)[:n] > 0
        for parts in zip(
            *((c.hearts.truth, c.readings.machine, c.readings.expert) for c in made), strict=True
        )
    ]


@pytest.fixture(scope="module")
def made():
    return list(chunks(N, seed=11))


@pytest.fixture(scope="module")
def table(made):
    return readings(made, N)


@pytest.fixture(scope="module")
def enriched():
    return readings(list(chunks(FEW, seed=12, prevalence="enriched")), FEW)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    pytest.importorskip("numba")
    folder = tmp_path_factory.mktemp("synth") / "corpus"
    assert write_corpus(folder, 300, seed=4)
    return folder


def test_labels_are_those_of_the_shipped_vocabulary_in_its_order():
    assert tuple(Labeler().vocabulary.labels) == LABELS


def assert_shares(found, expected, n):
    """Within 4.5 standard errors; a patient's ECGs are alike, so that they count for fewer."""
    error = np.sqrt(4 * expected * (1 - expected) / n)
    assert (np.abs(found - expected) < 4.5 * error + 1e-9).all(), (found - expected) / error


def test_counts_added_and_removed_follow_the_papers_table(table, shared):
    _, machine, expert = table
    with (shared / "table_a1.csv").open(newline="") as file:
        by_label = {row["label"]: row for row in csv.DictReader(file)}
    rows = [by_label[name] for name in LABELS]
    for column, found in (
        ("machine", machine),
        ("over_read", expert),
        ("added", expert & ~machine),
        ("removed", machine & ~expert),
    ):
        share = np.array([int(row[column]) for row in rows]) / 2_050_000
        assert_shares(found.mean(0), share, N)


def test_enriched_has_every_label_often_and_errs_as_often(table, enriched):
    truth, machine, expert = enriched
    assert truth.mean(0).min() > 0.05
    assert expert.mean(0).min() > 0.05
    plain = rates()
    for name, rate in rates("enriched").items():
        place = LABELS.index(name)
        assert rate.added / rate.expert == pytest.approx(plain[name].added / plain[name].expert)
        found = np.array(
            [(expert & ~machine)[:, place].mean(), (machine & ~expert)[:, place].mean()]
        )
        assert_shares(found, np.array([rate.added, rate.removed]), FEW)


def test_expert_errs_little_and_the_machine_more(table):
    truth, machine, expert = table
    missed = (truth & ~expert).sum(0) / truth.sum(0)
    assert (missed < 0.06).all()
    assert (machine != truth).sum() > 5 * (expert != truth).sum()


def test_machine_errs_where_the_sign_is_ambiguous(made, table):
    truth, machine, _ = table

    def of(name):
        return np.concatenate([getattr(chunk.hearts, name) for chunk in made])[:N]

    def split(label):
        at = LABELS.index(label)
        return truth[:, at] & ~machine[:, at], truth[:, at] & machine[:, at]

    missed, seen = split("left_axis_deviation")
    assert np.median(of("axis_deg")[missed]) > -36 > np.median(of("axis_deg")[seen])
    missed, seen = split("lbbb")
    assert np.median(of("qrs_ms")[missed]) < np.median(of("qrs_ms")[seen]) - 5
    missed, seen = split("lvh")
    size = of("lv_gain") * of("torso_gain")
    assert np.median(size[missed]) < 0.9 * np.median(size[seen])
    missed, seen = split("atrial_fibrillation")
    assert np.median(of("irregularity")[missed]) < np.median(of("irregularity")[seen])


def test_classes_exclude_each_other(table, enriched):
    for labels in (*table, *enriched):
        for group in ((0, 1, 2), (3, 4), (5, 6, 7)):
            assert labels[:, group].sum(1).max() == 1


def test_patients_have_several_ecgs_that_are_alike_and_follow_in_time(made, table):
    truth, _, _ = table
    rows = []
    for chunk in made:
        rows += list(zip(chunk.patients, chunk.hearts.day.tolist(), strict=False))
    patients, days = zip(*rows, strict=True)
    _, start, counts = np.unique(patients, return_index=True, return_counts=True)
    assert 1.5 < len(rows) / len(counts) < 3
    assert counts.max() >= 10
    for first, count in zip(start, counts, strict=True):
        assert len(set(patients[first : first + count])) == 1  # they stand together
        assert list(days[first : first + count]) == sorted(days[first : first + count])
    again = np.array(patients[:-1]) == np.array(patients[1:])
    for name in ("lvh", "inferior_mi", "rbbb", "atrial_fibrillation"):
        has = truth[:, LABELS.index(name)]
        assert has[1:][again & has[:-1]].mean() > 4 * has.mean()


def test_d05_same_seed_same_bytes_with_any_number_of_workers(corpus, tmp_path):
    assert write_corpus(tmp_path / "again", 300, seed=4, workers=3)
    one, other = hashes(corpus), hashes(tmp_path / "again")
    assert {name: one[name] for name in one if "run.json" not in name} == {
        name: other[name] for name in other if "run.json" not in name
    }
    assert write_corpus(tmp_path / "other", 300, seed=5)
    assert hashes(tmp_path / "other")["truth.parquet"] != one["truth.parquet"]


def test_a_longer_corpus_begins_with_the_shorter_one():
    pytest.importorskip("numba")
    short, long = synthetic_reports(40, seed=3), synthetic_reports(200, seed=3)
    assert all(long[name][:40] == column for name, column in short.items())
    one, other = (signals_of(next(chunks(n, seed=3))) for n in (40, 200))
    assert np.array_equal(one, other[:40])


def test_tables_of_the_corpus(corpus):
    import pyarrow.parquet as pq

    truth = pq.read_table(corpus / "truth.parquet")
    with (corpus / "reports.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "patient_id", "machine", "expert", "year", "site"]
    assert [row["id"] for row in rows] == truth["id"].to_pylist()
    assert [row["patient_id"] for row in rows] == truth["patient_id"].to_pylist()
    for source in ("true", "machine", "expert"):
        for name in LABELS:
            column = truth[f"{source}_{name}"]
            assert str(column.type) == "int8"
            unread = [not row["expert"] for row in rows] if source == "expert" else [False] * 300
            assert [value is None for value in column.to_pylist()] == unread
    assert {"axis_deg", "qtc_ms", "rhythm", "lvh", "anterior", "age"} <= set(truth.column_names)


def test_store_of_the_corpus(corpus):
    import pyarrow.parquet as pq

    from overread.signals.preprocess import filter_windows

    records = pq.read_table(corpus / "store" / "records.parquet").to_pydict()
    assert records["id"][:2] == ["S0000001", "S0000002"]
    assert set(records["source"]) == {"synthetic"}
    assert set(records["fs_hz"]) == {250.0}
    assert set(records["quality"]) == {""}
    signals, norm = (np.load(corpus / "store" / f"{name}.npy") for name in ("signals", "norm"))
    assert signals.shape == (300, 12, 2500)
    third = list(chunks(300, seed=4))[2]
    filtered = filter_windows(signals_of(third))
    assert np.array_equal(signals[256:], filtered.signals)
    assert np.array_equal(norm[256:], filtered.norm)


def test_every_output_says_that_it_is_synthetic(corpus):
    assert (corpus / "README.txt").read_text().startswith("SYNTHETIC")
    for folder in (corpus, corpus / "store"):
        options = json.loads((folder / "run.json").read_text())["options"]
        assert options["synthetic"] is True
        assert options["generator"] == GENERATOR_VERSION
    with (corpus / "reports.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            assert row["site"].startswith("Synthetic ")
            assert row["id"].startswith("S")
            assert row["patient_id"].startswith("SP")


def test_a_second_run_does_nothing_and_another_one_asks(corpus):
    before = hashes(corpus)
    assert not write_corpus(corpus, 300, seed=4)
    assert hashes(corpus) == before
    with pytest.raises(OutputExists):
        write_corpus(corpus, 300, seed=5)
    with pytest.raises(OutputExists):
        write_corpus(corpus, 300, seed=4, prevalence="enriched")


def test_what_an_interrupted_run_left_out_is_made(corpus):
    """The store was finished, the tables were not."""
    before = hashes(corpus)
    for name in ("truth.parquet", "reports.csv", "run.json"):
        (corpus / name).unlink()
    assert write_corpus(corpus, 300, seed=4)
    after = hashes(corpus)
    assert {n: after[n] for n in after if n != "run.json"} == {
        n: before[n] for n in before if n != "run.json"
    }
    assert Manifest.read(corpus).seed == 4


def test_e07_files_of_something_else_are_not_replaced_unasked(tmp_path):
    pytest.importorskip("numba")
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("reports.csv", "truth.parquet", "README.txt"):
        (folder / name).write_text("mine")
        with pytest.raises(OutputExists, match=f"{name}.*--overwrite"):
            write_corpus(folder, 20)
        assert hashes(folder).keys() == {name}
        assert (folder / name).read_text() == "mine"
        (folder / name).unlink()
    Manifest("labels extract").write(folder)
    before = hashes(folder)
    with pytest.raises(OutputExists, match=r"run\.json.*--overwrite"):
        write_corpus(folder, 20)
    assert hashes(folder) == before
    assert write_corpus(folder, 20, overwrite=True)
    assert Manifest.read(folder).command == "signals synth"


def test_e07_a_table_put_beside_the_store_of_a_stopped_run_is_kept(corpus, tmp_path):
    folder = tmp_path / "stopped"
    shutil.copytree(corpus, folder)
    (folder / "run.json").unlink()
    (folder / "reports.csv").write_text("mine")
    with pytest.raises(OutputExists, match=r"reports\.csv exists already"):
        write_corpus(folder, 300, seed=4)
    assert (folder / "reports.csv").read_text() == "mine"
    assert write_corpus(folder, 300, seed=4, overwrite=True)
    assert hashes(folder)["reports.csv"] == hashes(corpus)["reports.csv"]


def test_c01_a_folder_that_another_run_holds_is_left_alone(tmp_path):
    with locked(tmp_path), pytest.raises(Busy, match="holds it since"):
        write_corpus(tmp_path, 20)
    assert hashes(tmp_path) == {}


@pytest.mark.parametrize(("n", "prevalence"), [(0, "table"), (10_000_000, "table"), (5, "even")])
def test_impossible_arguments_are_refused(tmp_path, n, prevalence):
    with pytest.raises(UsageError):
        write_corpus(tmp_path / "out", n, prevalence=prevalence)
    assert not (tmp_path / "out").exists()


#: Of 64 ECGs of seed 1. A change of the generator changes these and must change its version.
FROZEN_TEXTS = "296f6555248b60f6fd95cf25b4775d2c784b8bf701dbb2af42b4ed26d4d1411d"
FROZEN_SIGNALS = (
    -13.315, 29.453, -19.837, 7.284, 1.014, -22.803, -19.224, 1.31,
    23.108, 2.253, -5.588, 17.262, -24.742, -3.744, 7.606, 11.434,
)  # fmt: skip
FROZEN_TOTAL = 913.482


def test_generator_is_frozen():
    """Texts to the byte. Signals by one weighted sum per ECG, because the last bit of a sample may
    differ between processors, and a hash of anything rounded turns on the bit at the border."""
    pytest.importorskip("numba")
    assert GENERATOR_VERSION == "1"
    columns = synthetic_reports(64, seed=1)
    assert hashlib.sha256(json.dumps(columns).encode()).hexdigest() == FROZEN_TEXTS
    weights = (np.arange(12 * 2500) * 7919 % 13 - 6).reshape(12, 2500)
    sums = (signals_of(next(chunks(64, seed=1))).astype(np.float64) * weights).sum((1, 2))
    assert sums[:16] == pytest.approx(FROZEN_SIGNALS, abs=0.02)
    assert np.abs(sums).sum() == pytest.approx(FROZEN_TOTAL, abs=0.5)
