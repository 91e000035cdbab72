"""Sizes of the nets, what layout and compilation leave alone, and what freezing freezes."""

from __future__ import annotations

from shutil import which

import pytest

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from overread.errors import UsageError  # noqa: E402
from overread.train.nets import (  # noqa: E402
    ENCODERS,
    Classifier,
    Projector,
    freeze_batch_norm,
    make_encoder,
)

EACH = pytest.mark.parametrize("name", sorted(ENCODERS))


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Small batches gain nothing from more, and lose much beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ecgs(n=2, samples=250):
    """One second: enough for every layer, and quick."""
    return torch.randn(n, 12, samples, generator=torch.Generator().manual_seed(0))


def fresh(name, labels=13):
    torch.manual_seed(0)
    return Classifier(make_encoder(name), labels)


def parameters(net):
    return sum(parameter.numel() for parameter in net.parameters())


def test_resnet50_has_the_parameters_of_the_paper():
    """Counted from the table of layers: convolutions, two numbers a channel for each norm."""
    stem = 12 * 64 * 15 + 2 * 64
    blocks, into = 0, 64
    for depth, width in ((3, 64), (4, 128), (6, 256), (3, 512)):
        blocks += into * 4 * width + 2 * 4 * width  # the shortcut of the first block
        for _ in range(depth):
            blocks += into * width + 3 * width * width + width * 4 * width + 2 * 6 * width
            into = 4 * width
    assert parameters(fresh("resnet50")) == stem + blocks + 2048 * 13 + 13
    assert round((stem + blocks + 2048 * 13 + 13) / 1e6, 1) == 16.0


def test_resnet50_takes_3_96_gflop_per_ecg_of_10_s():
    with torch.device("meta"):
        net = fresh("resnet50")
    with FlopCounterMode(display=False) as counter:
        net(torch.empty(1, 12, 2500, device="meta"))
    assert round(counter.get_total_flops() / 1e9, 2) == 3.96


def test_tiny_is_small_beside_resnet18():
    flops = {}
    for name in ("tiny", "resnet18"):
        with torch.device("meta"):
            net = fresh(name)
        with FlopCounterMode(display=False) as counter:
            net(torch.empty(1, 12, 2500, device="meta"))
        flops[name] = counter.get_total_flops()
    assert flops["tiny"] * 15 < flops["resnet18"]


@EACH
def test_shapes(name):
    encoder = make_encoder(name)
    assert encoder(ecgs()).shape == (2, encoder.features)
    assert encoder(ecgs(samples=2500)).shape == (2, encoder.features)
    assert Classifier(encoder, 5)(ecgs(3)).shape == (3, 5)


def test_features_of_the_paper():
    assert make_encoder("resnet50").features == 2048


def test_unknown_encoder_is_answered_with_those_there_are():
    with pytest.raises(UsageError, match=r"'resnet34'.*resnet50.*resnet18.*tiny"):
        make_encoder("resnet34")


@EACH
def test_channels_last_gives_the_same_numbers_and_gradients(name):
    plain, other = fresh(name), fresh(name).to(memory_format=torch.channels_last)
    for net in (plain, other):
        net.double()(ecgs().double()).square().sum().backward()
    for one, two in zip(plain.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad)


@EACH
def test_fresh_nets_start_near_even_odds(name):
    assert fresh(name)(ecgs(4)).abs().max() < 5


@EACH
def test_every_parameter_gets_a_gradient(name):
    net = fresh(name)
    net(ecgs(4)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


def test_compiles_as_one_graph():
    net = fresh("tiny").eval()
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(ecgs()), net(ecgs()))


@pytest.mark.slow
@pytest.mark.skipif(which("g++") is None, reason="inductor needs a C++ compiler")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")
def test_compiled_training_step_equals_the_plain_one():
    grads = []
    for wrap in (lambda net: net, torch.compile):
        net = fresh("tiny").double()
        wrap(net)(ecgs().double()).square().sum().backward()
        grads.append(next(net.parameters()).grad)
    torch.testing.assert_close(*grads)


def test_embeddings_have_length_1_in_float32_under_autocast():
    torch.manual_seed(0)
    projector = Projector(128)
    with torch.autocast("cpu", torch.bfloat16):
        embeddings = projector(torch.randn(6, 128))
    assert embeddings.shape == (6, 512)
    assert embeddings.dtype == torch.float32
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(6))


def test_frozen_batch_norm_ignores_the_batch_and_keeps_its_statistics():
    net = fresh("tiny").train()
    freeze_batch_norm(net)
    before = {name: value.clone() for name, value in net.named_buffers()}
    together = net(ecgs(4))
    torch.testing.assert_close(together[:1], net(ecgs(4)[:1]))
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())
    together.sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    net.train()
    net(ecgs(4))
    assert any(not torch.equal(value, before[name]) for name, value in net.named_buffers())
