"""Files that outlive a run: the training state, to go on from, and the model, to score with.

A state is ``step-N.pt`` with its SHA-256 beside it, ``step-N.pt.sha256``. Both are written whole or
not at all, the hash last: a state without a hash that fits is no state. The last two are kept, so
that there is always one that can be read. States hold tensors, numbers, text, lists and dicts only
and are read with ``weights_only=True``: nothing in the file can run.

A model is ``model.safetensors``; its metadata holds all that scoring needs.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor, nn

from overread.errors import OverreadError, UsageError
from overread.files import atomic_write, input_file

MODEL_FILE: Final = "model.safetensors"
#: Of the state and of the model; raised when one of an older number could not be read as it is.
STATE_FORMAT: Final = 1
MODEL_FORMAT: Final = 1

_KEPT: Final = 2
_METADATA: Final = "overread"
_HASH: Final = "sha256"


def save_state(run: Path, step: int, state: Mapping[str, Any]) -> None:
    """Writes the state of a step; older ones than the last two go.

    Raises ``OverreadError`` on a full disk, before anything is written; older states stay.
    """
    for path, data in state_files(run, step, state).items():
        atomic_write(path, data, overwrite=True)
    for old in _states(run)[_KEPT:]:
        _sidecar(old).unlink(missing_ok=True)
        old.unlink(missing_ok=True)


def state_files(run: Path, step: int, state: Mapping[str, Any]) -> dict[Path, bytes]:
    """What `save_state` writes, in that order: the state, then its hash.

    Raises ``OverreadError`` where the disk has no room for it.
    """
    _check_plain("state", state)
    buffer = io.BytesIO()
    torch.save({"format": STATE_FORMAT, **state}, buffer)
    data = buffer.getvalue()
    free = shutil.disk_usage(run).free
    if free < len(data):
        raise OverreadError(
            f"disk full: a checkpoint needs {len(data) >> 20} MB and {free >> 20} MB are free. "
            "Earlier ones are kept. Next step: free space, then overread train --resume RUN."
        )
    path = run / f"step-{step:09d}.pt"
    return {path: data, _sidecar(path): hashlib.sha256(data).hexdigest().encode()}


def load_state(run: Path) -> tuple[dict[str, Any], list[str]]:
    """The newest state that is whole, and a line about each newer one that is not.

    Raises ``UsageError`` where the run has no state, ``OverreadError`` where none can be read.
    """
    problems: list[str] = []
    for path in _states(run):
        try:
            return _read_state(path), problems
        except OverreadError as error:
            problems.append(str(error))
    if problems:
        raise OverreadError("\n".join([*problems, "Next step: start the run anew."]))
    raise UsageError(
        f"{run.name} has no checkpoint to go on from. Next step: overread train without --resume."
    )


def save_model(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Writes weights and metadata (JSON values) as one safetensors file, with a hash of both."""
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    content = {"format": MODEL_FORMAT, **metadata}
    content[_HASH] = _digest(plain, content)
    # One entry: safetensors writes several in an order of chance.
    header = {_METADATA: json.dumps(content, sort_keys=True, allow_nan=False)}
    atomic_write(path, save(plain, header), overwrite=True)


def load_model(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and metadata of a model file, or of the run folder that it lies in.

    Raises ``OverreadError`` for a damaged file or one of another format.
    """
    from safetensors import SafetensorError, safe_open

    file = Path(path)
    file = input_file(file / MODEL_FILE if file.is_dir() else file)
    try:
        with safe_open(file, "pt") as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        metadata = json.loads(header[_METADATA])
        written = metadata.pop(_HASH)
    except (SafetensorError, KeyError, ValueError):
        raise OverreadError(
            f"{file.name} is no model of overread, or is damaged. "
            "Next step: give a model.safetensors that overread train wrote."
        ) from None
    if metadata.get("format") != MODEL_FORMAT:
        raise OverreadError(_other_format(file.name, metadata.get("format"), MODEL_FORMAT))
    if written != _digest(tensors, metadata):
        raise OverreadError(
            f"{file.name} is damaged: its content is not what was written. "
            "Next step: copy it again, or train again."
        )
    return tensors, metadata


def load_weights(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Puts weights into a net; raises ``OverreadError`` where they are of another net."""
    try:
        net.load_state_dict(tensors)
    except RuntimeError:
        raise OverreadError(
            "the weights do not fit the net: another version of overread made them. "
            "Next step: use that version, or train again."
        ) from None


def _read_state(path: Path) -> dict[str, Any]:
    """Raises ``OverreadError`` with our own words: torch's advise to read with less care."""
    data = path.read_bytes()
    sidecar = _sidecar(path)
    if not sidecar.is_file():
        raise OverreadError(f"{path.name} has no hash beside it: it was not written to the end")
    if hashlib.sha256(data).hexdigest().encode() != sidecar.read_bytes():
        raise OverreadError(f"{path.name} is damaged: its content is not what was written")
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        format = state["format"]
    except Exception:  # whatever torch makes of bytes that are no checkpoint
        raise OverreadError(f"{path.name} is no checkpoint of overread") from None
    if format != STATE_FORMAT:
        raise OverreadError(_other_format(path.name, format, STATE_FORMAT))
    return state


def _other_format(name: str, found: object, known: int) -> str:
    return (
        f"{name} has format {found!r}, and this version reads {known}. "
        "Next step: use the version of overread that wrote it."
    )


def _states(run: Path) -> list[Path]:
    """All states, the newest first."""
    return sorted(run.glob("step-*.pt"), reverse=True)


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _check_plain(place: str, value: object) -> None:
    """What ``weights_only=True`` reads back everywhere: found out before the old state goes."""
    if type(value) in (dict, OrderedDict):
        for key, inner in cast(dict[str, object], value).items():
            _check_plain(f"{place}.{key}", inner)
    elif type(value) in (list, tuple):
        for number, inner in enumerate(cast(list[object], value)):
            _check_plain(f"{place}.{number}", inner)
    elif not (value is None or type(value) in (int, float, str, bool) or isinstance(value, Tensor)):
        raise TypeError(f"{place} is a {type(value).__name__}, which a checkpoint cannot hold")


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
