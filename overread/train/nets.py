"""Encoders of 12-lead ECGs, and the two heads that stand on them.

One-dimensional ResNets, written with two-dimensional convolutions of height 1, because PyTorch has
channels_last only for those: (n, 12, t) goes in and is (n, 12, 1, t) inside. A net may be given
``memory_format=torch.channels_last`` and be compiled; the numbers stay the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final, cast

from torch import Tensor, nn
from torch.nn import functional as F

from overread.errors import UsageError
from overread.tables import LEADS

#: Width of the space that ECGs and statements share in CLIP and NegCLIP.
EMBEDDING: Final = 512


class ResNet(nn.Module):
    """ECGs (n, 12, t) at 250 Hz to features (n, ``features``); made by `make_encoder`.

    ``depths`` blocks of ``widths`` channels a stage. ``halved`` averages pairs of samples first, so
    that the net works at 125 Hz.
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        depths: tuple[int, ...],
        widths: tuple[int, ...],
        *,
        halved: bool = False,
    ) -> None:
        super().__init__()
        width = widths[0]
        self.stem = nn.Sequential(
            nn.AvgPool2d((1, 2)) if halved else nn.Identity(),
            *_conv_norm(len(LEADS), width, 15, 2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d((1, 3), (1, 2), (0, 1)),
        )
        blocks: list[nn.Module] = []
        for stage, (depth, inner) in enumerate(zip(depths, widths, strict=True)):
            for place in range(depth):
                stride = 2 if stage and not place else 1
                blocks.append(block(width, inner, stride))
                width = inner * block.expansion
        self.blocks = nn.Sequential(*blocks)
        #: Length of the vector that stands for one ECG.
        self.features = width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, ecgs: Tensor) -> Tensor:
        return cast(Tensor, self.blocks(self.stem(ecgs.unsqueeze(2))).mean((2, 3)))


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016)."""

    expansion: ClassVar[int] = 1

    def __init__(self, width_in: int, inner: int, stride: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *_conv_norm(width_in, inner, 3, stride),
            nn.ReLU(inplace=True),
            *_conv_norm(inner, inner, 3),
        )
        self.shortcut = _shortcut(width_in, inner, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.branch(x) + self.shortcut(x), inplace=True)


class Bottleneck(nn.Module):
    """Narrow, convolve, widen, beside a shortcut.

    The stride stands on the convolution in the middle, as torchvision has it: that makes the 3.96
    GFLOP of the paper's encoder (on the first it would be 3.81).
    """

    expansion: ClassVar[int] = 4

    def __init__(self, width_in: int, inner: int, stride: int) -> None:
        super().__init__()
        width = inner * self.expansion
        self.branch = nn.Sequential(
            *_conv_norm(width_in, inner, 1),
            nn.ReLU(inplace=True),
            *_conv_norm(inner, inner, 3, stride),
            nn.ReLU(inplace=True),
            *_conv_norm(inner, width, 1),
        )
        self.shortcut = _shortcut(width_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.branch(x) + self.shortcut(x), inplace=True)


def resnet50() -> ResNet:
    """The paper's encoder: 2048 features; 16.0 M parameters and 3.96 GFLOP with its 13-way head."""
    return ResNet(Bottleneck, (3, 4, 6, 3), (64, 128, 256, 512))


def resnet18() -> ResNet:
    """A fifth of the work: 512 features, 3.9 M parameters, 0.89 GFLOP."""
    return ResNet(BasicBlock, (2, 2, 2, 2), (64, 128, 256, 512))


def tiny() -> ResNet:
    """For CPUs and small corpora: 128 features, 0.25 M parameters, 0.058 GFLOP."""
    return ResNet(BasicBlock, (2, 2, 2), (32, 64, 128), halved=True)


ENCODERS: Final[dict[str, Callable[[], ResNet]]] = {
    "resnet50": resnet50,
    "resnet18": resnet18,
    "tiny": tiny,
}


def make_encoder(name: str) -> ResNet:
    """The encoder of that name, freshly initialised from torch's random state.

    >>> make_encoder("resnet50").features
    2048
    """
    if name not in ENCODERS:
        raise UsageError(f"no encoder {name!r}; there are {', '.join(ENCODERS)}")
    return ENCODERS[name]()


class Classifier(nn.Module):
    """ECGs (n, 12, t) to logits (n, ``labels``); probabilities are their sigmoid."""

    def __init__(self, encoder: ResNet, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.features, labels)

    def forward(self, ecgs: Tensor) -> Tensor:
        return cast(Tensor, self.head(self.encoder(ecgs)))


class Projector(nn.Module):
    """Features (n, ``features``) to float32 embeddings (n, ``width``) of length 1."""

    def __init__(self, features: int, width: int = EMBEDDING) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features, width), nn.ReLU(inplace=True), nn.Linear(width, width)
        )

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(self.layers(features).float(), dim=-1)


def freeze_batch_norm(net: nn.Module) -> None:
    """Let batch norm use its running statistics, and leave them alone, until ``net.train()``."""
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _conv_norm(width_in: int, width: int, length: int, stride: int = 1) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(
        width_in, width, (1, length), stride=(1, stride), padding=(0, length // 2), bias=False
    )
    return conv, nn.BatchNorm2d(width)


def _shortcut(width_in: int, width: int, stride: int) -> nn.Module:
    if width_in == width and stride == 1:
        return nn.Identity()
    return nn.Sequential(*_conv_norm(width_in, width, 1, stride))
