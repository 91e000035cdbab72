"""Checkpoints and models survive kills, full disks and flipped bits, and run nothing they hold."""

from __future__ import annotations

import io
import os
import pickle
import random
import resource
import shutil
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from overread.errors import OverreadError, UsageError
from overread.files import locked
from overread.train import checkpoint
from overread.train.checkpoint import load_model, load_state, save_model, save_state

from .processes import SERVER, ended

STATE = {"step": 3, "net": {"w": torch.arange(5000.0)}, "list": [1, "a", None, True], "f": 0.5}


def same(one, other):
    return one["list"] == other["list"] and torch.equal(one["net"]["w"], other["net"]["w"])


def keep_saving(folder, step, told):
    while True:
        step += 1
        save_state(folder, step, {"step": step, "w": torch.full((300_000,), float(step))})
        told.send(step)


def test_r01_a_kill_at_any_moment_leaves_a_state_that_can_be_read(tmp_path):
    chance = random.Random(0)
    step = 0
    for _ in range(2):
        reader, writer = SERVER.Pipe(duplex=False)
        process = SERVER.Process(target=keep_saving, args=(tmp_path, step, writer))
        with reader, writer:
            process.start()
            told = reader.recv()
            time.sleep(chance.random() * 0.3)
            process.kill()
            process.join()
            while reader.poll():
                told = reader.recv()
        state, _ = load_state(tmp_path)
        assert state["step"] >= told  # what was told to be saved is there
        assert (state["w"] == state["step"]).all()
        step = state["step"]
    with locked(tmp_path):
        pass
    assert not list(tmp_path.glob(".overread-*.tmp"))


@pytest.mark.slow
def test_r01_twenty_six_kills(tmp_path):
    for _ in range(13):
        test_r01_a_kill_at_any_moment_leaves_a_state_that_can_be_read(tmp_path)


def save_too_much(folder, said):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        save_state(folder, 9, {"w": torch.zeros(100_000)})
    except OverreadError as error:
        said.write_text(str(error))


def test_r02_a_full_disk_is_told_and_the_old_state_stays(tmp_path):
    folder, said = tmp_path / "run", tmp_path / "said"
    folder.mkdir()
    save_state(folder, 3, STATE)
    ended(save_too_much, folder, said)
    assert "the disk is full or a size limit is reached" in said.read_text()
    assert same(load_state(folder)[0], STATE)


def test_r02_free_space_is_looked_at_first(tmp_path, monkeypatch):
    save_state(tmp_path, 3, STATE)
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OverreadError, match="disk full"):
        save_state(tmp_path, 4, STATE)
    assert load_state(tmp_path)[0]["step"] == 3


def test_r02_the_last_two_states_are_kept(tmp_path):
    for step in range(5):
        save_state(tmp_path, step, {"step": step})
    names = sorted(path.name for path in tmp_path.glob("*.pt"))
    assert names == ["step-000000003.pt", "step-000000004.pt"]
    assert len(list(tmp_path.glob("*.sha256"))) == 2
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


def test_r03_every_flipped_bit_is_found_and_the_state_before_is_used(tmp_path):
    save_state(tmp_path, 1, {**STATE, "step": 1})
    save_state(tmp_path, 2, {**STATE, "step": 2})
    path = tmp_path / "step-000000002.pt"
    good = path.read_bytes()
    chance = random.Random(0)
    for _ in range(50):
        at = chance.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :])
        state, problems = load_state(tmp_path)
        assert state["step"] == 1
        assert problems == ["step-000000002.pt is damaged: its content is not what was written"]


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 500, b"<html>404</html>", random.Random(1).randbytes(3000), None]
)
def test_r04_other_bytes_are_refused_in_our_words(tmp_path, content):
    save_state(tmp_path, 1, STATE)
    path = tmp_path / "step-000000001.pt"
    data = path.read_bytes()[:300] if content is None else content  # None: cut
    path.write_bytes(data)
    with pytest.raises(OverreadError) as damaged:
        load_state(tmp_path)
    checkpoint._sidecar(path).write_text(checkpoint.hashlib.sha256(data).hexdigest())
    with pytest.raises(OverreadError) as foreign:
        load_state(tmp_path)
    assert "is no checkpoint of overread" in str(foreign.value)
    for error in (damaged, foreign):
        assert "weights_only" not in str(error.value)


class Evil:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("as_zip", [True, False])
def test_r05_a_pickle_in_a_checkpoint_is_not_run(tmp_path, as_zip):
    path, canary = tmp_path / "step-000000001.pt", tmp_path / "canary"
    buffer = io.BytesIO()
    if as_zip:
        torch.save({"format": 1, "evil": Evil(canary)}, buffer)
    else:
        pickle.dump({"format": 1, "evil": Evil(canary)}, buffer)
    path.write_bytes(buffer.getvalue())
    digest = checkpoint.hashlib.sha256(buffer.getvalue()).hexdigest()
    checkpoint._sidecar(path).write_text(digest)
    with pytest.raises(OverreadError, match="no checkpoint"):
        load_state(tmp_path)
    assert not canary.exists()


@pytest.mark.parametrize(
    "value",
    [np.float64(1), Path("a"), datetime(2000, 1, 1), {1}, Counter(a=1), np.random.get_state()],
)
def test_r06_what_could_not_be_read_back_is_refused_before_writing(tmp_path, value):
    save_state(tmp_path, 1, STATE)
    with pytest.raises(TypeError, match=r"state\.inner\.0"):
        save_state(tmp_path, 2, {"inner": [value]})
    assert same(load_state(tmp_path)[0], STATE)


def test_r06_a_real_state_comes_back(make_loop):
    loop = make_loop(epochs=1)
    loop.fit()
    state, problems = load_state(loop.folder)
    assert not problems
    assert state["position"]["step"] == loop.steps
    for name, tensor in loop.paradigm.net.state_dict().items():
        assert torch.equal(state["net"][name], tensor)


def test_r26_another_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "STATE_FORMAT", 99)
    save_state(tmp_path, 1, STATE)
    monkeypatch.setattr(checkpoint, "MODEL_FORMAT", 99)
    save_model(tmp_path / "model.safetensors", {"w": torch.zeros(2)}, {})
    monkeypatch.undo()
    with pytest.raises(OverreadError, match=r"format 99, and this version reads 1"):
        load_state(tmp_path)
    with pytest.raises(OverreadError, match=r"format 99, and this version reads 1"):
        load_model(tmp_path)


def test_a_folder_without_state_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="without --resume"):
        load_state(tmp_path)


def test_r03_a_model_with_a_flipped_bit_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, {"w": torch.arange(100.0), "n": torch.tensor(3)}, {"labels": ["a"]})
    tensors, metadata = load_model(path)
    assert torch.equal(tensors["w"], torch.arange(100.0))
    assert (metadata["labels"], int(tensors["n"])) == (["a"], 3)
    good = path.read_bytes()
    chance = random.Random(0)
    for _ in range(50):
        at = chance.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :])
        with pytest.raises(OverreadError):
            load_model(path)


def test_model_files_of_the_same_content_have_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        save_model(tmp_path / name, {"b": torch.ones(3), "a": torch.ones(2)}, {"x": 1, "a": [0.5]})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_safetensors_file_of_others_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(OverreadError, match="no model of overread"):
        load_model(tmp_path)
