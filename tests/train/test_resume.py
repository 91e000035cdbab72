"""A run that is stopped and resumed, or shared by two processes, is the run that was not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from overread.errors import OutputExists, OverreadError, UsageError
from overread.signals.splits import SPLITS
from overread.train.checkpoint import load_state, save_state
from overread.train.config import configure
from overread.train.log import METRICS_FILE
from overread.train.model import open_model
from overread.train.run import resume, train

from .conftest import ECGS, weights, write_store, write_table
from .processes import begun, told

QUIET = Console(quiet=True)


# In the first epoch, at its end, in the second.
@pytest.mark.parametrize(
    ("paradigm", "stops"), [("supervised", (2, 5, 7)), ("self-training", (7,))]
)
def test_r08_stopped_and_resumed_is_undisturbed_bit_for_bit(make_loop, paradigm, stops):
    values = {"paradigm": paradigm, "epochs": 2, "log_every": 3}
    whole = make_loop("whole", **values)
    assert whole.fit() == 0
    assert whole.steps == 5
    for stop in stops:
        first = make_loop(f"at{stop}", **values)
        first.stop_after = stop
        assert first.fit() == 143
        assert first.position.step == stop
        second = make_loop(f"at{stop}", **values)
        second.restore(load_state(second.folder)[0])
        assert second.fit() == 0
        assert_same_run(second, whole)


def assert_same_run(second, whole):
    assert weights(second) == weights(whole)
    for name, each in whole.best_net.items():
        assert torch.equal(each, second.best_net[name])
    for one, other in zip(
        whole.optimizer.state.values(), second.optimizer.state.values(), strict=True
    ):
        assert all(torch.equal(one[key], other[key]) for key in one)
    # The log has each stretch and epoch once, with the same figures where the stretch is the same.
    both = [
        {
            line["epoch"]: line["validation_macro_auprc"]
            for line in map(json.loads, (loop.folder / METRICS_FILE).read_text().splitlines())
            if "epoch" in line
        }
        for loop in (whole, second)
    ]
    assert both[0] == both[1]
    assert len(both[0]) == 2


def test_r08_without_its_random_state_a_run_would_differ(make_loop):
    one, other = make_loop("one", epochs=1), make_loop("other", epochs=1, seed=1)
    other.paradigm.net.load_state_dict(one.paradigm.net.state_dict())
    one.fit()
    other.fit()
    assert weights(one) != weights(other)


def test_r09_each_ecg_comes_once_in_an_epoch_wherever_it_is_stopped(make_loop):
    whole = make_loop("whole", epochs=2)
    whole.fit()
    expected = [at.tolist() for at in whole.seen]
    epoch = np.concatenate(whole.seen[: whole.steps])
    assert len(set(epoch.tolist())) == len(epoch) > len(whole.train) - whole.steps
    for stop in (1, 8):
        first = make_loop(f"at{stop}", epochs=2)
        first.stop_after = stop
        first.fit()
        second = make_loop(f"at{stop}", epochs=2)
        second.restore(load_state(second.folder)[0])
        second.fit()
        assert [at.tolist() for at in [*first.seen, *second.seen]] == expected


@pytest.fixture(scope="module")
def given(files):
    """Options of a short run on the small store."""
    return {
        "store": str(files.store),
        "label_table": str(files.table),
        "encoder": "tiny",
        "batch": 20,
        "epochs": 2,
        "lr": 2e-3,
        "device": "cpu",
    }


@pytest.fixture(scope="module")
def finished(given, tmp_path_factory):
    """The folder of that run, which stays as it is."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert train(configure(options=given), folder, console=QUIET) == 0
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of that run."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_a_finished_run_is_up_to_date_and_another_is_asked_about(given, folder):
    before = (folder / "model.safetensors").stat()
    assert train(configure(options=given), folder, console=QUIET) == 0
    assert (folder / "model.safetensors").stat() == before
    with pytest.raises(OutputExists, match="--resume"):
        train(configure(options=given | {"seed": 1}), folder, console=QUIET)
    first = (folder / "model.safetensors").read_bytes()
    assert train(configure(options=given), folder, console=QUIET, overwrite=True) == 0
    assert (folder / "model.safetensors").read_bytes() == first  # the same bytes again
    assert resume(folder, configure(), console=QUIET) == 0  # nothing is left to do
    assert (folder / "model.safetensors").read_bytes() == first


def test_the_model_file_is_enough_to_score(finished):
    model = open_model(finished)
    run = json.loads((finished / "run.json").read_text())
    assert run["counts"]["test_windows_scored"] == 0  # R24
    assert model.labels == ("tall", "fast", "never")
    assert model.metadata["preprocessing"]["fs_hz"] == 250
    assert model.metadata["leads"][6:] == ["V1", "V2", "V3", "V4", "V5", "V6"]
    assert set(model.metadata["thresholds"]) == set(model.labels)
    assert model.metadata["thresholds"]["never"] is None
    state, _ = load_state(finished)
    for name, each in model.paradigm.net.state_dict().items():
        assert torch.equal(each, state["best_net"][name])
    card = (finished / "MODEL_CARD.md").read_text()
    assert "Not for" in card
    assert "not estimable" in card
    assert "synthetic" not in card


def test_r17_another_config_is_refused_by_its_keys_and_may_fork(folder, tmp_path):
    forked = tmp_path / "forked"
    changed = configure(options={"lr": 0.5, "weight_decay": 0.25, "device": "cpu", "epochs": 2})
    with pytest.raises(UsageError, match=r"lr 0\.002 -> 0\.5, weight_decay 0\.0001 -> 0\.25\. "):
        resume(folder, changed, console=QUIET)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    longer = configure(options={"epochs": 3, "batch": 16})
    assert resume(folder, longer, console=QUIET, fork=forked) == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    model = open_model(forked)
    assert (model.config.epochs, model.config.batch, model.metadata["epochs"]) == (3, 16, 3)
    with pytest.raises(OutputExists, match="--fork another name"):
        resume(folder, longer, console=QUIET, fork=forked)


def test_r18_other_data_are_refused(given, tmp_path, files):
    import pyarrow.parquet as pq

    shutil.copy(files.table, tmp_path / "t.parquet")
    own = given | {"label_table": str(tmp_path / "t.parquet"), "epochs": 1}
    train(configure(options=own), tmp_path / "run", console=QUIET)
    table = pq.read_table(files.table)
    at = table.column_names.index("expert_tall")
    pq.write_table(
        table.set_column(at, "expert_tall", table["expert_fast"]), tmp_path / "t.parquet"
    )
    with pytest.raises(UsageError, match="not those that run learnt from"):
        resume(tmp_path / "run", configure(), console=QUIET)


def test_r19_another_torch_is_allowed_and_marked(folder):
    state, _ = load_state(folder)
    step = state["position"]["step"]
    state["position"]["finished"] = False
    state["position"]["epoch"], state["position"]["step"] = 1, step // 2
    state["torch"] = "1.0.0"
    save_state(folder, step + 1, state)
    assert resume(folder, configure(), console=QUIET) == 0
    assert open_model(folder).metadata["bit_identical"] is False
    assert "would not give the same bits" in (folder / "MODEL_CARD.md").read_text()


def test_r03_a_damaged_newest_checkpoint_is_told_and_the_one_before_is_used(finished, folder):
    newest = max(folder.glob("step-*.pt"))
    newest.write_bytes(newest.read_bytes()[:-1])
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    assert resume(folder, configure(), console=console) == 0
    console.file.close()
    assert f"{newest.name} is damaged" in console.export_text()
    one, other = open_model(finished), open_model(folder)
    for name, each in one.paradigm.net.state_dict().items():
        assert torch.equal(each, other.paradigm.net.state_dict()[name])


def test_r23_no_overlap_after_resume(make_loop):
    first = make_loop(epochs=2)
    first.stop_after = 3
    first.fit()
    second = make_loop(epochs=2)
    second.restore(load_state(second.folder)[0])
    second.fit()
    patient, splits = second.corpus.patient, second.corpus.splits
    trained = set(patient[np.concatenate([*first.seen, *second.seen])].tolist())
    for name in set(SPLITS) - {"train"}:
        assert not trained & set(patient[splits[name]].tolist())


def test_weights_of_another_net_are_refused(folder):
    state, _ = load_state(folder)
    name = "encoder.stem.1.weight"
    state["net"][name] = state["net"][name][:1]
    save_state(folder, 999, state)
    with pytest.raises(OverreadError, match="do not fit the net"):
        resume(folder, configure(), console=QUIET)


def test_init_takes_over_the_encoder_only(given, finished, tmp_path):
    target = tmp_path / "target"
    # So small a rate that the start is what is left.
    options = given | {
        "init": str(finished / "model.safetensors"),
        "lr": 1e-12,
        "epochs": 1,
        "seed": 5,
    }
    train(configure(options=options), target, console=QUIET)
    one, other = (open_model(each).paradigm.net.state_dict() for each in (finished, target))
    learnt = [name for name in one if name.startswith("encoder.") and name.endswith("weight")]
    assert all(torch.allclose(one[name], other[name], atol=1e-9) for name in learnt)
    assert not torch.allclose(one["head.weight"], other["head.weight"], atol=1e-3)


def test_r10_sigterm_to_the_group_saves_and_ends_with_143(given, tmp_path):
    run = tmp_path / "run"
    processes = begun(run, given | {"epochs": 50, "patience": 50, "batch": 10})
    [process] = processes
    while not list(run.glob("step-0000000[1-9]*.pt.sha256")):  # the second epoch has begun
        assert process.is_alive()
        time.sleep(0.05)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGTERM)
    out = told(run, processes)
    assert process.exitcode == 143, out
    assert time.monotonic() - began < 30
    state, problems = load_state(run)
    assert not problems
    assert f"stopped at step {state['position']['step']}" in out
    assert "--resume" in out


#: Process 1 is killed as the system does where memory runs out.
KILLED = """
import json, os, signal, sys
from pathlib import Path
from rich.console import Console
import torch
torch.set_num_threads(1)
from overread.train import ranks
from overread.train.config import configure
from overread.train.loop import Loop
from overread.train.run import train
update = Loop.update
def killed(loop, *batches):
    if loop.position.step == 7 and ranks.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    update(loop, *batches)
Loop.update = killed
sys.exit(train(configure(options=json.loads(sys.argv[2])), Path(sys.argv[1]), console=Console()))
"""


def test_r11_a_killed_process_ends_the_others_and_the_run_goes_on_from_its_state(given, tmp_path):
    (tmp_path / "killed.py").write_text(KILLED)
    run = tmp_path / "run"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone"]
    began = time.monotonic()
    with subprocess.Popen(
        [*torchrun, tmp_path / "killed.py", run, json.dumps(given | {"batch": 10})],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:  # fmt: skip
        try:
            out = process.communicate(timeout=180)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 1, out
    assert time.monotonic() - began < 120
    assert "exitcode  : -9" in out  # torchrun names the one that was killed
    state, problems = load_state(run)
    assert (state["position"]["step"], state["position"]["epoch"], problems) == (5, 1, [])
    again = begun(run, {}, ranks=2)
    out = told(run, again)
    assert [each.exitcode for each in again] == [0, 0], out
    assert open_model(run).metadata["epochs"] == given["epochs"]
    assert load_state(run)[0]["position"]["step"] == 10


@pytest.mark.parametrize(
    "paradigm", ["supervised", pytest.param("self-training", marks=pytest.mark.slow)]
)
def test_two_ranks_learn_what_one_process_learns_with_the_double_batch(given, tmp_path, paradigm):
    """Batch norm frozen and no augmentation: nothing random or per process is left."""
    # Numbers that divide evenly, and labels that are known unequally often in both halves.
    rng = np.random.default_rng(4)
    tall, fast = rng.random((2, ECGS)) < 0.3
    part = ["train"] * 80 + ["validation"] * 40 + ["test"] * 40
    known = np.where(rng.random(ECGS) < 0.4, -1, fast).astype(np.int8)
    write_store(tmp_path / "s", tall, fast)
    write_table(tmp_path / "t.parquet", tall, fast, part=part, expert_fast=known)
    options = given | {
        "store": str(tmp_path / "s"),
        "label_table": str(tmp_path / "t.parquet"),
        "split_column": "part",
        "paradigm": paradigm,
        "freeze_batch_norm": True,
        "augment": False,
        "epochs": 2,
        "lr": 1e-4,
    }
    assert train(configure(options=options | {"batch": 16}), tmp_path / "one", console=QUIET) == 0
    processes = begun(tmp_path / "two", options | {"batch": 8}, ranks=2)
    out = told(tmp_path / "two", processes)
    assert [each.exitcode for each in processes] == [0, 0], out
    one, two = (load_state(tmp_path / name)[0] for name in ("one", "two"))
    assert (one["ranks"], two["ranks"]) == (1, 2)
    assert one["position"]["step"] == two["position"]["step"] == 10
    assert one["position"]["best"] == pytest.approx(two["position"]["best"], abs=1e-5)
    # Adam's running mean of the gradients is linear in them. Its steps are not: of a gradient that
    # is mostly rounding it makes a step as large as of any other.
    for averages in zip(*(each["optimizer"]["state"].values() for each in (one, two)), strict=True):
        mean, other = (each["exp_avg"] for each in averages)
        torch.testing.assert_close(other, mean, atol=1e-5, rtol=0)
    start = load_start(options)
    for name, each in one["net"].items():
        apart = (two["net"][name] - each).float().norm()
        assert apart <= 1e-5 * each.numel() ** 0.5
        assert apart <= 0.01 * (each - start[name]).float().norm()
    assert (one["net"]["head.weight"] - start["head.weight"]).abs().max() > 3e-4  # it did learn


def load_start(options):
    """The weights that both began with."""
    from overread.train.data import load_corpus
    from overread.train.paradigm import paradigm_class

    config = replace(configure(options=options).config, batch=16)
    torch.manual_seed(config.seed)
    made = paradigm_class(config.paradigm).from_corpus(config, load_corpus(config))
    return made.net.state_dict()
