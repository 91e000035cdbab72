"""Join, splits, fractions, normalisation, and the way of ECGs to the device."""

from __future__ import annotations

import time
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.errors import OverreadError, TableError
from overread.signals.store import open_store
from overread.train.checkpoint import load_state
from overread.train.data import (
    SMALLEST_SD,
    Feed,
    load_corpus,
    load_unlabeled,
    normalised,
)
from overread.train.order import batch_sizes, in_order, shuffled

from .conftest import ECGS, LABELS, write_store, write_table


def test_windows_get_the_labels_of_their_id(tmp_path, config):
    # Four windows of three ECGs, the table in another order and with one ECG more.
    write_store(
        tmp_path / "s", [0] * 4, [0] * 4, id=["b", "a", "b", "c"], window=[0, 0, 1, 0],
        patient_id=["P", "Q", "P", None],
    )  # fmt: skip
    table = {
        "id": ["c", "b", "z", "a"],
        "expert_x": pa.array([1, None, 1, 0], pa.int8()),
        "expert_y": pa.array([0, 1, 1, -1], pa.int8()),
        "part": ["train", "validation", "test", "train"],
    }
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    corpus = load_corpus(
        config(
            store=str(tmp_path / "s"), label_table=str(tmp_path / "t.parquet"), split_column="part"
        )
    )
    assert corpus.labels == ("x", "y")
    assert corpus.values["expert"].tolist() == [[-1, 1], [0, -1], [-1, 1], [1, 0]]
    assert (corpus.values["machine"] == -1).all()  # that side stands in no column
    assert corpus.table_row.tolist() == [1, 3, 1, 0]
    assert corpus.ecg[0] == corpus.ecg[2] != corpus.ecg[1]
    assert corpus.splits["train"].tolist() == [1, 3]
    assert corpus.splits["validation"].tolist() == [0, 2]
    assert "1 labelled ECGs have no signal" in corpus.notes[0]


def test_csv_tables_keep_their_ids(tmp_path, config):
    write_store(tmp_path / "s", [0] * 3, [0] * 3, id=["007", "7", "1e3"])
    (tmp_path / "t.csv").write_text("id,expert_x,part\n007,1,train\n7,0,train\n1e3,1,validation\n")
    corpus = load_corpus(
        config(store=str(tmp_path / "s"), label_table=str(tmp_path / "t.csv"), split_column="part")
    )
    assert corpus.values["expert"].ravel().tolist() == [1, 0, 1]


def test_unmatched_windows_are_refused_unless_allowed(tmp_path, files, config):
    table = pq.read_table(files.table)
    pq.write_table(table.slice(0, ECGS - 3), tmp_path / "short.parquet")
    with pytest.raises(TableError, match=r"157 of 160 windows have labels.*--allow-unmatched"):
        load_corpus(config(label_table=str(tmp_path / "short.parquet")))
    corpus = load_corpus(config(label_table=str(tmp_path / "short.parquet"), allow_unmatched=True))
    assert len(corpus.rows) == ECGS - 3


def test_the_account_of_the_windows_adds_up(tmp_path, config):
    # Of ten patients with two ECGs each: who is in no split, of whom nothing is known.
    write_store(tmp_path / "s", [0] * 20, [0] * 20)
    rows = [f"e{at},{'' if at in (2, 3, 8) else at % 2}," for at in range(20)]
    parts = ["train"] * 8 + ["val"] * 4 + ["test"] * 5 + [""] * 3
    text = "\n".join(row + part for row, part in zip(rows, parts, strict=True))
    (tmp_path / "t.csv").write_text(f"id,expert_x,part\n{text}\n")
    given = {"store": str(tmp_path / "s"), "label_table": str(tmp_path / "t.csv")}
    whole = load_corpus(config(**given, split_column="part"))
    assert whole.notes[-1] == (
        "windows: train 6, validation 3, test 5, 3 in no split, 3 without a known expert label"
    )
    part = load_corpus(config(**given, split_column="part", fraction=0.4))
    told = [int(word) for word in part.notes[-1].replace(",", "").split() if word.isdigit()]
    assert part.notes[-1].endswith(" beyond --fraction")
    assert sum(told) == 20


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"id": ["e0"] * ECGS}, "come twice"),
        (
            {"expert_tall": pa.array([2] * ECGS, pa.int8())},
            "row 1, column 'expert_tall': something else",
        ),
        ({"expert_tall": ["yes"] * ECGS}, "row 1, column 'expert_tall': something else"),
    ],
)
def test_wrong_label_tables_are_refused(tmp_path, config, columns, told):
    write_table(tmp_path / "t.parquet", [0] * ECGS, [0] * ECGS, **columns)
    with pytest.raises(TableError, match=told):
        load_corpus(config(label_table=str(tmp_path / "t.parquet")))


def test_a_table_of_plain_labels_is_one_readers(tmp_path, config):
    # Two columns could be the id; "paced" holds nothing, "fold" and "age" are no labels.
    write_store(tmp_path / "s", [0] * 3, [0] * 3, id=["7", "8", "9"], patient_id=["P", "Q", "R"])
    (tmp_path / "t.csv").write_text(
        "record,ECG ID,age,fold,part,af,lvh,paced\n"
        "0008_hr,8,61,1,validation,0,-1,\n0007_hr,7,1,2,train,1,,\n0009_hr,9,0,3,test,,1,\n"
    )
    given = {"store": str(tmp_path / "s"), "label_table": str(tmp_path / "t.csv")}
    corpus = load_corpus(config(**given, split_column="part"))
    assert corpus.labels == ("af", "lvh")
    assert corpus.values["expert"].tolist() == [[1, -1], [0, -1], [-1, 1]]
    machine = load_corpus(config(**given, split_column="part", labels="machine"))
    assert machine.values["machine"].tolist() == corpus.values["expert"].tolist()


def test_r23_patients_in_two_splits_are_refused(tmp_path, config):
    part = ["train", "test"] * (ECGS // 2)  # both ECGs of each patient
    write_table(tmp_path / "t.parquet", [0] * ECGS, [0] * ECGS, part=part)
    with pytest.raises(TableError, match="80 patients stand both in train and in test"):
        load_corpus(config(label_table=str(tmp_path / "t.parquet"), split_column="part"))


def test_r23_no_overlap_by_default_and_the_paper_preset_tells_its_own(config):
    corpus = load_corpus(config())
    who = {name: set(corpus.patient[at].tolist()) for name, at in corpus.splits.items()}
    assert not who["train"] & who["test"]
    assert not who["train"] & who["validation"]
    assert not who["validation"] & who["test"]
    paper = load_corpus(config(preset="paper", encoder="tiny"))
    shared = {name: set(paper.patient[at].tolist()) for name, at in paper.splits.items()}
    both = len(shared["train"] & shared["test"])
    assert both > 0
    assert any(f"{both} patients stand both in train and in test" in note for note in paper.notes)


@settings(deadline=None)  # reads a store each time
@given(small=st.floats(0.05, 1), large=st.floats(0.05, 1))
def test_a_smaller_fraction_is_part_of_a_larger_one(files, small, large):
    from overread.train.config import TrainConfig

    small, large = sorted((small, large))
    kept = []
    for fraction in (small, large):
        chosen = TrainConfig(
            store=str(files.store), label_table=str(files.table), fraction=fraction
        )
        corpus = load_corpus(chosen)
        kept.append(set(corpus.splits["train"].tolist()))
        assert len(corpus.splits["validation"])
        # Both ECGs of a patient, or none.
        assert len(kept[-1]) == 2 * len(set(corpus.patient[corpus.splits["train"]].tolist()))
    assert kept[0] <= kept[1]


def test_r14_a_norm_that_is_not_finite_is_refused(tmp_path, files, config):
    import shutil

    shutil.copytree(files.store, tmp_path / "s")
    norm = np.load(tmp_path / "s" / "norm.npy", mmap_mode="r+")
    norm[5, 3, 1] = np.nan
    norm.flush()
    with pytest.raises(OverreadError, match="1 windows is not finite, the first is window 5"):
        load_corpus(config(store=str(tmp_path / "s")))


def test_r13_a_bad_window_is_named_by_its_number_and_nothing_else(tmp_path, config):
    """Numbers are looked at before the first step; no worker process reads ECGs one by one."""
    write_store(
        tmp_path / "s", [0] * 4, [0] * 4, id=["DOE-JANE"] * 4, window=[0, 1, 2, 3],
        patient_id=["P0815"] * 4, source=["/ward 7/DOE"] * 4,
    )  # fmt: skip
    (tmp_path / "t.csv").write_text("id,expert_x,report,part\nDOE-JANE,1,Inferior MI,train\n")
    norm = np.load(tmp_path / "s" / "norm.npy", mmap_mode="r+")
    norm[2, 7, 0] = np.inf
    norm.flush()
    chosen = config(
        store=str(tmp_path / "s"), label_table=str(tmp_path / "t.csv"), split_column="part"
    )
    with pytest.raises(OverreadError, match="1 windows is not finite, the first is window 2") as at:
        load_corpus(chosen)
    for secret in ("DOE", "P0815", "ward", "Inferior", str(tmp_path)):
        assert secret not in str(at.value)


def test_r13_what_the_reading_thread_meets_reaches_the_run(make_loop):
    loop = make_loop(epochs=1)
    loop.corpus.rows[loop.corpus.splits["train"][50]] = 10**6
    with pytest.raises(IndexError, match=r"^index outside 0\.\.159$"):
        loop.fit()
    assert load_state(loop.folder)[0]["position"]["step"] == 0


def test_r20_a_cut_store_is_told(tmp_path, files, config):
    import shutil

    shutil.copytree(files.store, tmp_path / "s")
    corpus = load_corpus(config(store=str(tmp_path / "s")))
    feed = make_feed(corpus)
    with (tmp_path / "s" / "signals.npy").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(OverreadError, match=r"signals\.npy is cut"):
        next(feed.batches(in_order(len(feed), 4)))


def test_r12_a_disk_that_hangs_is_told(config, monkeypatch):
    corpus = load_corpus(config())
    feed = make_feed(corpus)
    gather = corpus.store.gather

    def slow(*given):
        time.sleep(0.5)
        return gather(*given)

    monkeypatch.setattr(corpus.store, "gather", slow)
    monkeypatch.setattr("overread.train.data._TIMEOUT_S", 0.05)
    with pytest.raises(OverreadError, match="Next step: look at the disk"):
        next(feed.batches(in_order(len(feed), 4)))


def make_feed(corpus, resident=False, normalize="mv"):
    return Feed(
        corpus,
        corpus.splits["train"],
        source="expert",
        normalize=normalize,
        device=torch.device("cpu"),
        resident=resident,
    )


@pytest.mark.parametrize("resident", [False, True])
def test_feed_gives_each_position_its_signal_and_labels(files, config, resident):
    corpus = load_corpus(config())
    store = open_store(files.store)
    feed = make_feed(corpus, resident)
    seen = []
    # Kept, not looked at one by one: a batch must not change when the next one is read.
    batches = list(feed.batches(in_order(len(feed), 32)))
    for batch in batches:
        seen += batch.at.tolist()
        expected = store.signals[corpus.rows[batch.at]] * 0.001
        np.testing.assert_allclose(batch.ecgs.numpy(), expected, atol=1e-6)
        values = corpus.values["expert"][batch.at]
        assert (batch.known.numpy() == (values >= 0)).all()
        assert (batch.labels.numpy() == (values == 1)).all()
    assert set(seen) == set(corpus.splits["train"].tolist())


@given(
    ecgs=st.integers(1, 300),
    batch=st.integers(1, 64),
    ranks=st.integers(1, 3),
    epoch=st.integers(0, 3),
)
def test_an_epoch_has_each_ecg_at_most_once_and_leaves_out_less_than_one_per_batch(
    ecgs, batch, ranks, epoch
):
    if ecgs < ranks:
        return
    steps, size = batch_sizes(ecgs, batch, ranks)
    seen = []
    for rank in range(ranks):
        order = shuffled(ecgs, steps, size, seed=3, step=epoch * steps, rank=rank, ranks=ranks)
        for at in islice(order, steps):
            assert len(at) == size <= batch
            seen += at.tolist()
    assert len(seen) == len(set(seen))
    assert ecgs - len(seen) < steps * ranks


def test_record_z_and_lead_z_against_the_definition():
    rng = np.random.default_rng(0)
    counts = rng.normal(0, 300, (5, 12, 500)).astype(np.int16)
    counts[:, 3] *= 4
    millivolts = counts / 1000
    norm = np.stack([millivolts.mean(2), millivolts.std(2)], -1).astype(np.float32)
    given = torch.from_numpy(counts), torch.from_numpy(norm)
    lead, unit = normalised(*given, "lead_z")
    np.testing.assert_allclose(lead.mean(2), 0, atol=1e-5)
    np.testing.assert_allclose(lead.std(2, correction=0), 1, atol=1e-5)
    assert (unit == 1).all()
    record, unit = normalised(*given, "record_z")
    np.testing.assert_allclose(record.mean((1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(record.std((1, 2), correction=0), 1, atol=1e-5)
    np.testing.assert_allclose(unit[..., 0], record.std(2, correction=0), atol=1e-5)


def test_a_flat_lead_is_not_blown_up():
    counts = torch.zeros(1, 12, 100, dtype=torch.int16)
    counts[0, 0, 50] = 1
    ecgs, _ = normalised(counts, torch.zeros(1, 12, 2), "lead_z")
    assert ecgs.max() == pytest.approx(0.001 / SMALLEST_SD)


def test_unlabelled_ecgs_are_those_of_the_training_split(files, config):
    corpus = load_corpus(config())
    own = load_unlabeled(config(), corpus)
    assert set(own.rows.tolist()) == set(corpus.rows[corpus.splits["train"]].tolist())
    few = load_corpus(config(fraction=0.3))
    assert set(load_unlabeled(config(fraction=0.3), few).rows.tolist()) == set(own.rows.tolist())
    assert len(few.splits["train"]) < len(own.rows)
    other = load_unlabeled(config(unlabeled=str(files.store)), corpus)
    held_out = [corpus.rows[corpus.splits[name]] for name in ("validation", "test")]
    assert not set(other.rows.tolist()) & set(np.concatenate(held_out).tolist())
    fewer = load_unlabeled(config(unlabeled=str(files.store), unlabeled_fraction=0.5), corpus)
    assert set(fewer.rows.tolist()) < set(other.rows.tolist())


def test_label_order_is_that_of_the_table(config):
    assert load_corpus(config()).labels == LABELS
