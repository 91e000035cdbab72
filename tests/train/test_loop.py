"""The loop: it learns, guards what is not finite, stops in time, and tells what it did."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from overread.errors import OverreadError, UsageError
from overread.stats.ranking import auroc
from overread.train.checkpoint import load_state
from overread.train.config import TrainConfig
from overread.train.data import Batch, load_corpus
from overread.train.log import EVENT_FILES, METRICS_FILE
from overread.train.loop import _told
from overread.train.paradigm import Step
from overread.train.scoring import by_ecg, macro_auprc, report, score

from .conftest import LABELS, weights, write_store, write_table
from .processes import ended


def lines(loop):
    return [json.loads(line) for line in (loop.folder / METRICS_FILE).read_text().splitlines()]


def validation_scores(loop):
    return score(
        loop.paradigm, loop.validation, labels=len(LABELS), batch=16, device=torch.device("cpu")
    )


def test_it_learns_what_can_be_seen(make_loop):
    loop = make_loop(epochs=8)
    assert loop.fit() == 0
    judged = by_ecg(
        loop.corpus, loop.corpus.splits["validation"], validation_scores(loop), "expert"
    )
    for label in (0, 1):
        assert auroc(*judged.known(label)[1:]) > 0.95
    told = [line for line in lines(loop) if "epoch" in line]
    assert [line["epoch"] for line in told] == list(range(1, 9))
    assert {line["labels"] for line in told} == {2}  # R16: "never" has no positive ECG
    losses = [line["loss"] for line in lines(loop) if "loss" in line]
    assert losses[-1] < losses[0] / 2


def test_r16_macro_is_the_mean_over_what_can_be_estimated(make_loop):
    from sklearn.metrics import average_precision_score

    loop = make_loop(epochs=1)
    loop.fit()
    at = loop.corpus.splits["validation"]
    scores = validation_scores(loop)
    judged = by_ecg(loop.corpus, at, scores, "expert")
    value, labels = macro_auprc(judged)
    values = loop.corpus.values["expert"][at]
    each = [
        average_precision_score(values[values[:, c] >= 0, c], scores[values[:, c] >= 0, c])
        for c in (0, 1)
    ]
    assert labels == 2
    assert value == pytest.approx(np.mean(each))
    assert value == pytest.approx(loop.position.best)
    never = report(judged, LABELS)["never"]
    assert (never["auroc"], never["threshold"]) == ([None] * 3, None)


def test_r16_nothing_to_judge_by_is_no_crash(tmp_path, files, make_loop):
    from .conftest import ECGS

    nobody = [0] * ECGS
    write_table(tmp_path / "t.parquet", nobody, nobody)
    loop = make_loop(label_table=str(tmp_path / "t.parquet"), epochs=3, patience=1)
    assert loop.fit() == 0
    assert loop.position.epoch == loop.position.best_epoch == 3
    assert lines(loop)[-1]["validation_macro_auprc"] is None


def test_windows_of_one_ecg_are_averaged(tmp_path, config):
    write_store(
        tmp_path / "s", [0] * 4, [0] * 4, id=["a", "a", "b", "c"], window=[0, 1, 0, 0],
        patient_id=["A", "A", "B", "C"],
    )  # fmt: skip
    (tmp_path / "t.csv").write_text("id,expert_x,part\na,1,validation\nb,0,validation\nc,1,train\n")
    corpus = load_corpus(
        config(store=str(tmp_path / "s"), label_table=str(tmp_path / "t.csv"), split_column="part")
    )
    scores = np.array([[0.25], [0.75], [0.125]], np.float32)
    judged = by_ecg(corpus, corpus.splits["validation"], scores, "expert")
    assert judged.scores.ravel().tolist() == [0.5, 0.125]
    assert judged.values.ravel().tolist() == [1, 0]


def poisoned(loop, steps):
    """The ECGs of some steps hold a NaN."""
    update = loop.update

    def changed(batch: Batch, unlabeled: Batch | None) -> None:
        if loop.position.step in steps:
            batch.ecgs[0, 0, 1250] = float("nan")
        update(batch, unlabeled)

    loop.update = changed
    return loop


def test_r14_one_nan_is_skipped_and_counted(make_loop):
    loop = poisoned(make_loop(epochs=2), {2})
    seen = {}
    update = loop.update

    def watched(batch, unlabeled):
        before = {name: each.clone() for name, each in loop.paradigm.net.state_dict().items()}
        update(batch, unlabeled)
        after = loop.paradigm.net.state_dict()
        moved = [
            name
            for name, each in before.items()
            if not torch.equal(each, after[name]) and "num_batches" not in name
        ]
        seen[loop.position.step - 1] = moved

    loop.update = watched
    assert loop.fit() == 0
    assert seen[2] == []  # neither weights nor statistics of batch norm
    assert all(seen[step] for step in seen if step != 2)
    assert sum(line.get("skipped", 0) for line in lines(loop)) == 1
    assert all(each.isfinite().all() for each in loop.paradigm.net.state_dict().values())
    # Skipped steps count neither for Adam's averages nor for the mean loss.
    assert {int(each["step"]) for each in loop.optimizer.state.values()} == {2 * loop.steps - 1}
    assert all(np.isfinite(line["loss"]) for line in lines(loop) if "loss" in line)


def test_r14_many_in_a_row_go_back_once_and_then_stop(make_loop):
    loop = make_loop(epochs=4, log_every=5)
    told = []
    loop.console = Console(quiet=True)
    loop.console.print = lambda text, **_: told.append(text)  # type: ignore[method-assign]
    first = loop.steps
    poisoned(loop, range(first, first + 10))
    assert loop.fit() == 0
    assert loop.position.rolled_back
    [line] = [text for text in told if "back to the weights" in text]
    assert "not finite in 10 steps in a row" in line

    again = poisoned(make_loop("again", epochs=9, log_every=5), range(first, 10_000))
    with pytest.raises(OverreadError, match=r"diverges.*Next step: a smaller --lr"):
        again.fit()
    state, _ = load_state(again.folder)
    assert state["position"]["step"] <= first + 10  # the weights of step 5, gone back to
    assert all(each.isfinite().all() for each in state["net"].values())


def test_r15_a_loss_that_explodes_stops_with_the_last_good_state(make_loop):
    loop = make_loop(lr=1e30, epochs=9, log_every=5)
    with pytest.raises(OverreadError, match="diverges"):
        loop.fit()
    state, _ = load_state(loop.folder)
    assert all(each.isfinite().all() for each in state["net"].values() if each.is_floating_point())


def test_early_stop_keeps_the_best_weights(make_loop):
    loop = make_loop(epochs=30, patience=2)
    values = iter([0.2, 0.5, 0.4, 0.5, 0.9])
    kept = []

    def judge(*_):
        kept.append({name: each.clone() for name, each in loop.paradigm.net.state_dict().items()})
        return next(values), 2

    import overread.train.loop as module

    original, module.macro_auprc = module.macro_auprc, judge
    try:
        assert loop.fit() == 0
    finally:
        module.macro_auprc = original
    assert (loop.position.epoch, loop.position.best_epoch, loop.position.best) == (4, 2, 0.5)
    for name, each in loop.best_net.items():
        assert torch.equal(each, kept[1][name])


def test_r22_a_clock_that_stands_still_and_a_batch_larger_than_the_data(make_loop, monkeypatch):
    loop = make_loop(batch=4096, epochs=1)
    monkeypatch.setattr("overread.train.log.time.monotonic", lambda: 7.0)
    assert loop.steps == 1
    assert loop.fit() == 0
    assert [line["ecgs_per_s"] for line in lines(loop) if "ecgs_per_s" in line] == [0.0]


def test_r24_no_step_and_no_choice_sees_the_test_split(make_loop):
    loop = make_loop(epochs=2)
    loop.fit()
    train, validation, test = (
        set(loop.corpus.splits[name].tolist()) for name in ("train", "validation", "test")
    )
    seen = set(np.concatenate(loop.seen).tolist())
    assert seen <= train
    assert set(loop.validation._positions.tolist()) == validation
    assert test
    assert not test & (seen | validation)


WITHOUT = """
import sys
for name in ("polars", "spacy", "wfdb", "pydantic", "re2", "rapidfuzz", "matplotlib"):
    sys.modules[name] = None
import json
from pathlib import Path
from rich.console import Console
from overread.evaluate.predict import predict
from overread.train.config import configure
from overread.train.run import train
options, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
quiet = Console(quiet=True)
assert train(configure(options=options), folder, console=quiet) == 0
assert predict(folder, Path(options["store"]), folder / "scores", console=quiet) == 0
"""


def test_it_runs_where_polars_spacy_and_wfdb_are_not_installed(files, tmp_path):
    options = {
        "store": str(files.store), "label_table": str(files.table), "paradigm": "self-training",
        "encoder": "tiny", "epochs": 1, "device": "cpu",
    }  # fmt: skip
    subprocess.run(
        [sys.executable, "-c", WITHOUT, json.dumps(options), str(tmp_path / "run")], check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert (tmp_path / "run" / "scores" / "predictions.parquet").is_file()


def more_than_there_is(said):
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + (1 << 28), held + (1 << 28)))
    try:
        with _told(TrainConfig(batch=512)):
            torch.empty(1 << 32)
    except OverreadError as error:
        said.write_text(str(error))


def test_r21_memory_that_runs_out_is_told(tmp_path):
    ended(more_than_there_is, tmp_path / "said")
    said = (tmp_path / "said").read_text()
    assert "memory is not enough for batches of 512" in said
    assert "set batch=N" in said


def test_r11_the_end_of_another_process_is_told():
    """As gloo and NCCL report it; see test_resume.py for a process that really is killed."""
    for error in (
        RuntimeError("[gloo/transport/tcp/pair.cc:537] Read error: Connection reset by peer."),
        torch.distributed.DistBackendError("NCCL error in: ProcessGroupNCCL.cpp:1 remote process"),
    ):
        told = pytest.raises(OverreadError, match=r"want of memory.*checkpoint is kept.*--resume")
        with told, _told(TrainConfig()):
            raise error


class Capped:
    """Steps of more ECGs than fit end as the CPU's allocator ends them."""

    def __init__(self, loop, most):
        self.loop, self.most, self.tried = loop, most, []
        self.update = loop.update
        loop.update = self

    def __call__(self, batch, unlabeled):
        self.tried.append(len(batch.at))
        if len(batch.at) > self.most:
            for each in self.loop.paradigm.net.buffers():
                each.add_(1)  # as a forward pass that comes half way moves the statistics
            torch.empty(1 << 60)
        self.update(batch, unlabeled)


def test_r21_without_being_asked_the_batch_stays_and_the_state_is_kept(make_loop):
    loop = make_loop(batch=47)
    capped = Capped(loop, 30)
    with pytest.raises(OverreadError, match=r"batches of 47\. The last .* kept.*--auto-batch"):
        loop.fit()
    assert capped.tried == [47]
    again = make_loop(batch=47)
    again.restore(load_state(loop.folder)[0])
    assert again.fit() == 0


def test_r21_auto_batch_is_then_the_run_with_the_smaller_batch(make_loop):
    """From the first step on, so that the run that never had the larger batch is its equal."""
    plain = make_loop("plain", batch=23, epochs=2)
    assert plain.fit() == 0
    loop = make_loop("halved", batch=94, epochs=2, auto_batch=True)
    told = []
    loop.console.print = lambda text, **_: told.append(text)  # type: ignore[method-assign]
    capped = Capped(loop, 30)
    assert loop.fit() == 0
    assert capped.tried[:3] == [94, 47, 18]  # 94 ECGs in batches of at most 23: five of 18
    assert told[:2] == [
        "memory is not enough for batches of 94: from step 0 on they have 47",
        "memory is not enough for batches of 47: from step 0 on they have 18",
    ]
    assert (loop.steps, loop.config.batch) == (plain.steps, 23) == (5, 23)
    assert weights(loop) == weights(plain)


def test_r21_a_halved_run_goes_on_to_the_same_bits(make_loop):
    """Memory runs out in the second epoch; the run is stopped behind that, and resumed."""

    def begun(name):
        loop = make_loop(name, batch=20, epochs=3, auto_batch=True)
        loop.stop_after = loop.steps
        assert loop.fit() == 143
        loop = make_loop(name, batch=20, epochs=3, auto_batch=True)
        loop.restore(load_state(loop.folder)[0])
        Capped(loop, 15)
        return loop

    whole = begun("whole")
    assert whole.fit() == 0
    assert (whole.batch, whole.steps, whole.position.step) == (8, 11, 33)
    for stop in (1, 6):
        first = begun(f"at{stop}")
        first.stop_after = whole.steps + stop
        assert first.fit() == 143
        state = load_state(first.folder)[0]
        second = make_loop(f"at{stop}", **state["config"])
        second.restore(state)
        assert (second.config.batch, second.position.step) == (9, first.stop_after)
        assert second.fit() == 0
        assert weights(second) == weights(whole)
        steps = [line["step"] for line in lines(second)]
        assert steps == sorted(steps)


def test_r21_ecgs_of_a_begun_epoch_do_not_come_again(make_loop):
    """A checkpoint in the middle of an epoch: its first half was seen."""
    first = make_loop(batch=47, epochs=1)
    first.stop_after = 1
    first.fit()
    second = make_loop(batch=47, epochs=1, auto_batch=True)
    second.restore(load_state(second.folder)[0])
    Capped(second, 30)
    assert second.fit() == 0
    assert second.position.step == second.steps == 5
    # 47 ECGs are two batches of 18 and a part of the third.
    after = np.concatenate(second.seen)
    assert len(after) == 3 * 18
    assert len(set(after.tolist()) & set(first.seen[0].tolist())) == 47 - 2 * 18


def test_r21_a_batch_that_cannot_be_halved_stops(make_loop):
    loop = make_loop(batch=8, epochs=1, auto_batch=True)
    capped = Capped(loop, 0)
    with pytest.raises(OverreadError, match="batches of 3"):
        loop.fit()
    assert capped.tried == [7, 2]  # batch norm compares at least two


def test_r21_several_processes_do_not_halve(make_loop, monkeypatch):
    monkeypatch.setattr("overread.train.ranks.ranks", lambda: 2)
    with pytest.raises(UsageError, match="--auto-batch is for one process"):
        make_loop(auto_batch=True)


LIMITED = """
import json, resource, sys
from pathlib import Path
from rich.console import Console
import torch
torch.set_num_threads(1)
from overread.train import run
from overread.train.config import configure
fit = run.Loop.fit
def limited(loop):
    held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + (700 << 20), held + (700 << 20)))
    return fit(loop)
run.Loop.fit = limited
configured = configure(options=json.loads(sys.argv[1]))
sys.exit(run.train(configured, Path(sys.argv[2]), console=Console(width=200)))
"""


@pytest.mark.slow
def test_r21_memory_that_really_runs_out(tmp_path):
    """400 ECGs at once need some 1,200 MB, 100 ECGs 300 MB; there are 700 MB."""
    ecgs = 440
    tall, fast = np.random.default_rng(1).random((2, ecgs)) < 0.3
    write_store(tmp_path / "s", tall, fast)
    part = ["train"] * 400 + ["validation"] * 40
    write_table(tmp_path / "t.parquet", tall, fast, part=part)
    options = {
        "store": str(tmp_path / "s"), "label_table": str(tmp_path / "t.parquet"), "epochs": 1,
        "split_column": "part", "encoder": "tiny", "batch": 400, "device": "cpu",
        "auto_batch": True,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, json.dumps(options), str(tmp_path / "run")],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "memory is not enough for batches of 400: from step 0 on they have 200" in done.stdout
    batch = json.loads((tmp_path / "run" / "run.json").read_text())["counts"]["batch"]
    assert batch in (50, 100, 200)


def test_tensorboard_shows_each_step_once_over_a_stop_and_holds_numbers_only(make_loop):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = make_loop(epochs=2, log_every=2)
    first.stop_after = 7
    assert first.fit() == 143
    state, _ = load_state(first.folder)
    first.fit()  # a run that went on, and then was killed: its last steps are done again
    second = make_loop(epochs=2, log_every=2)
    second.restore(state)
    assert second.fit() == 0

    files = list(second.folder.glob(EVENT_FILES))
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    for secret in (b"tall", b"e12", b"p6", str(second.folder).encode()):
        assert not any(secret in file.read_bytes() for file in files)
    shown = EventAccumulator(str(second.folder)).Reload()
    written = [line for line in lines(second) if "loss" in line]
    assert [event.step for event in shown.Scalars("loss")] == [line["step"] for line in written]
    assert [event.value for event in shown.Scalars("loss")] == pytest.approx(
        [line["loss"] for line in written]
    )


def test_the_learning_rate_falls_as_a_half_cosine_to_zero(make_loop):
    loop = make_loop(epochs=2, lr=0.5)
    rates = []
    update = loop.update

    def watched(batch, unlabeled):
        update(batch, unlabeled)
        rates.append(loop.optimizer.param_groups[0]["lr"])

    loop.update = watched
    loop.fit()
    total = 2 * loop.steps
    expected = 0.25 * (1 + np.cos(np.pi * np.arange(total) / total))
    np.testing.assert_allclose(rates, expected)


def test_parts_and_speed_are_logged(make_loop):
    loop = make_loop(epochs=1, log_every=2)

    def step(batch, unlabeled, generator):
        loss = loop.paradigm.net(batch.ecgs).square().mean()
        return Step(loss, {"part": torch.tensor(3.0)})

    loop.paradigm.step = step
    loop.fit()
    stretches = [line for line in lines(loop) if "part" in line]
    assert [line["step"] for line in stretches] == [2, 4, loop.steps][: len(stretches)]
    assert all(line["part"] == 3.0 and line["ecgs_per_s"] > 0 for line in stretches)
    assert (loop.folder / METRICS_FILE).stat().st_mode & 0o777 == 0o600
