"""The processes of one run (`torchrun`): what they share, so that many learn as one would.

Alone, nothing here does anything. A process holds its own part of the batch; gradients, counts and
scores are put together here. Contrastive losses, whose terms span the batch, gather embeddings with
``torch.distributed.nn.functional.all_gather``, which gradients flow through, in their own file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

from overread.errors import UsageError


@contextmanager
def joined(device: str) -> Iterator[torch.device]:
    """The device of this process; under `torchrun`, with the other processes joined.

    ``device`` is that of `chosen`.
    """
    cuda = chosen(device) == "cuda"
    here = (
        torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else torch.device("cpu")
    )
    if cuda:
        torch.cuda.set_device(here)
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or dist.is_initialized():
        yield here
        return
    dist.init_process_group("nccl" if cuda else "gloo", device_id=here if cuda else None)
    try:
        yield here
    finally:
        dist.destroy_process_group()


def chosen(device: str) -> str:
    """The "cpu" or "cuda" that "auto" (a GPU where there is one), "cpu" or "cuda" stands for.

    Raises ``UsageError`` where there is no GPU and one was asked for.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            f"--device cuda: torch {torch.__version__} finds no GPU. Next step: --device cpu, or "
            "install the torch for this machine's GPU and driver."
        )
    return device


def rank() -> int:
    """The number of this process, from 0; process 0 writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def ranks() -> int:
    """How many processes learn together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(count: Tensor) -> Tensor | float:
    """This process's count by the mean count of all.

    The mean over all entries of all processes is the mean over processes of (mean over its entries
    times its share).
    """
    if ranks() == 1:
        return 1.0
    total = count.detach().float().clone()
    dist.all_reduce(total)
    return count * ranks() / total.clamp_min(1)


def average_(tensors: Sequence[Tensor]) -> None:
    """Sets each tensor to its mean over the processes, in one exchange."""
    if ranks() == 1:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= ranks()
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    torch._foreach_copy_(
        list(tensors), [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]
    )


def sum_(tensor: Tensor) -> Tensor:
    """Sets the tensor to its sum over the processes."""
    if ranks() > 1:
        dist.all_reduce(tensor)
    return tensor


def any_(flag: bool, device: torch.device) -> bool:
    """Whether any process says so. Waits for the others."""
    return flag if ranks() == 1 else bool(sum_(torch.tensor(float(flag), device=device)))


def same_start(net: nn.Module) -> nn.Module:
    """Process 0's weights in all; on GPUs, batch norm over the ECGs of all processes."""
    if ranks() == 1:
        return net
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            dist.broadcast(tensor, 0)
    if next(net.parameters()).is_cuda:
        net = nn.SyncBatchNorm.convert_sync_batchnorm(net)  # type: ignore[no-untyped-call]
    return net


def same_statistics(net: nn.Module) -> None:
    """Process 0's batch norm statistics in all, so that all score alike."""
    if ranks() > 1:
        for buffer in net.buffers():
            dist.broadcast(buffer, 0)
