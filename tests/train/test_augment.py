"""What the views change, what they leave, and that every label stays true."""

from __future__ import annotations

from itertools import combinations
from math import cos, radians, sin

import pytest

torch = pytest.importorskip("torch")

from overread.train.augment import gaps, kept_leads, strong, warped_times, weak  # noqa: E402

N, SAMPLES = 100, 2500
VIEWS = pytest.mark.parametrize("view", [weak, strong])

#: Axes of I II III aVR aVL aVF in the frontal plane, degrees.
AXES = (0, 60, 120, -150, -30, 90)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def ramp(n=N):
    """Sample number as the signal, a thousand times as large as any noise here."""
    return 1000 * torch.arange(SAMPLES, dtype=torch.float32).expand(n, 12, SAMPLES)


def ecgs(n=8, dtype=torch.float32):
    return torch.randn(n, 12, SAMPLES, generator=generator(9)).to(dtype)


@VIEWS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_views_keep_shape_and_dtype_and_are_finite(view, dtype):
    given = ecgs(dtype=dtype)
    before = given.clone()
    made = view(given, generator(), torch.full((8, 12, 1), 0.2))
    assert made.shape == given.shape
    assert made.dtype == dtype
    assert torch.isfinite(made).all()
    assert torch.equal(given, before)
    assert not torch.equal(made, given)


@VIEWS
def test_views_are_made_by_the_generator_alone(view):
    torch.manual_seed(1)
    first = view(ecgs(), generator(3))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(view(ecgs(), generator(3)), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(view(ecgs(), generator(4)), first)


@VIEWS
def test_every_ecg_of_a_batch_gets_its_own_draw(view):
    made = view(ecgs(1).expand(8, 12, SAMPLES), generator())
    assert not any(torch.equal(made[i], made[j]) for i, j in combinations(range(8), 2))


@VIEWS
@pytest.mark.parametrize("samples", [2, 300])
def test_short_signals(view, samples):
    assert view(torch.ones(3, 12, samples), generator()).shape == (3, 12, samples)


@VIEWS
def test_empty_batch(view):
    assert view(torch.ones(0, 12, SAMPLES), generator()).shape == (0, 12, SAMPLES)


@pytest.mark.parametrize(("view", "deviation"), [(weak, 0.015), (strong, 0.02)])
def test_noise_has_the_deviation_of_the_paper_in_units_of_each_lead(view, deviation):
    unit = torch.linspace(0.05, 0.6, 12).reshape(1, 12, 1).repeat(40, 1, 1)
    unit[20:] *= 3
    noise = view(torch.zeros(40, 12, SAMPLES), generator(), unit)
    torch.testing.assert_close(
        noise.std(2), deviation * unit[:, :, 0], rtol=0.07, atol=0
    )  # 2,500 draws: a deviation of 1.4 %
    assert noise.mean((1, 2)).abs().max() < deviation * unit.max() * 5 / (12 * SAMPLES) ** 0.5


# --- weak


def test_weak_has_one_gain_for_all_leads_and_samples_between_09_and_11():
    lead_sizes = torch.logspace(0, 3, 12).reshape(1, 12, 1) * 1000
    made = weak(lead_sizes.expand(N, 12, SAMPLES), generator()) / lead_sizes
    gain = made.mean((1, 2))
    assert (made - gain[:, None, None]).abs().max() < 1e-3  # the noise of 0.015 in 1,000
    assert 0.9 <= gain.min() < 0.91
    assert 1.09 < gain.max() < 1.1
    assert gain.mean() == pytest.approx(1, abs=0.01)


def test_weak_moves_all_leads_by_up_to_50_ms_and_repeats_the_edge():
    made = weak(ramp(), generator())
    middle = slice(100, 2400)
    gain = (made[:, :, 2399] - made[:, :, 100]) / (2299 * 1000)
    shift = (made / gain[:, :, None] / 1000 - torch.arange(SAMPLES))[:, :, middle].mean(2)
    assert (shift - shift[:, :1]).abs().max() < 0.01  # all leads together
    whole = shift[:, 0].round()
    assert (shift[:, 0] - whole).abs().max() < 0.01
    assert (whole.min(), whole.max()) == (-12, 12)  # 12 samples at 250 Hz are 48 ms
    late = whole == 12
    assert (made[late, :, -12:] / gain[late, :, None] / 1000 - 2499).abs().max() < 0.01


# --- strong


def test_warp_is_within_10_percent_everywhere_and_smooth():
    times = warped_times(N, SAMPLES, generator()).double()
    speed = times.diff(dim=1)
    assert 0.9 - 1e-3 < speed.min() < 0.93
    assert 1.07 < speed.max() < 1.1 + 1e-3
    # A QRS keeps its shape: less than 2 % of speed is won or lost in 120 ms.
    assert (speed[:, 30:] - speed[:, :-30]).abs().max() < 0.02
    # And what is shown stays: nothing moves by more than a third of a second.
    assert (times - torch.arange(SAMPLES)).abs().max() < 2500 / 3 / 10


def test_resampling_differs_between_ecgs_and_warp_within_them():
    speed = warped_times(N, SAMPLES, generator()).double().diff(dim=1)
    means = speed.mean(1)
    assert means.min() < 0.96
    assert means.max() > 1.04
    assert means.mean() == pytest.approx(1, abs=0.005)
    assert (speed.amax(1) - speed.amin(1) > 0.02).double().mean() > 0.5


def test_strong_reads_the_signal_where_the_warp_says():
    """On a straight line interpolation is exact, and the view shows where it was read."""
    made = strong(ramp(20), generator(5))
    times = warped_times(20, SAMPLES, generator(5)).clamp(0, SAMPLES - 1)
    expected = 1000 * times[:, None, :].expand_as(made)
    shown = made.abs() > 1
    assert shown.float().mean() > 0.5
    assert (made - expected)[shown].abs().max() < 1.5  # float32 at 2,500,000


def test_any_two_limb_leads_give_the_frontal_axis():
    """So that keeping two of them is enough: no two of the six axes are parallel."""
    for a, b in combinations(map(radians, AXES), 2):
        assert abs(cos(a) * sin(b) - sin(a) * cos(b)) >= 0.5 - 1e-9


def test_lead_dropout_never_leaves_the_frontal_axis_unidentifiable():
    kept = kept_leads(5000, generator())
    axes = torch.deg2rad(torch.tensor(AXES, dtype=torch.float64))
    projections = torch.stack((axes.cos(), axes.sin()), 1)  # 6 leads x 2
    left = projections * kept[:, :6, None]
    assert torch.linalg.matrix_rank(left, atol=1e-6).eq(2).all()
    assert kept[:, :6].sum(1).unique().tolist() == [2, 3, 4, 5, 6]
    assert kept[:, 6:].sum(1).unique().tolist() == [3, 4, 5, 6]
    assert kept[:, 6:10].any(1).all()  # V1 to V4
    lost = 1 - kept.double().mean(0)
    assert (lost[:6] - 2 / 6).abs().max() < 0.03  # 2 of 6 on average, none preferred
    assert (lost[6:] - 1.5 / 6).abs().max() < 0.03


def test_lost_leads_and_gaps_hold_only_noise_and_the_rest_is_shown():
    made = strong(1000 * torch.ones(N, 12, SAMPLES), generator())
    silent = made.abs() < 1
    assert ((made - 1000).abs() < 1).logical_or(silent).all()
    lost = silent.all(2)
    gap = silent.all(1)
    assert torch.equal(silent, lost[:, :, None] | gap[:, None, :])
    assert lost[:, :6].sum(1).max() == 4
    assert gap.sum(1).max() <= 250


def test_gaps_are_at_most_two_of_half_a_second():
    hidden = gaps(N, SAMPLES, generator())
    starts = hidden[:, 0].int() + (hidden.int().diff(dim=1) == 1).sum(1)
    assert starts.unique().tolist() == [0, 1, 2] or starts.unique().tolist() == [1, 2]
    assert hidden.sum(1).max() <= 250
    assert hidden.float().sum(1).mean() == pytest.approx(125, rel=0.1)  # two of 62.5 on average


def test_strong_leaves_polarity_and_voltage():
    """Where nothing is lost, a view of a constant is that constant: no gain, no sign."""
    made = strong(torch.tensor([-500.0, 700.0])[:, None, None].expand(2, 12, SAMPLES), generator())
    shown = made.abs() > 1
    assert (made[0][shown[0]] + 500).abs().max() < 0.2
    assert (made[1][shown[1]] - 700).abs().max() < 0.2
