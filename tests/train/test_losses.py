"""Each loss against its equation written out in loops, and at the edges where nothing is left."""

from __future__ import annotations

from math import exp, log

import pytest

torch = pytest.importorskip("torch")

from overread.train.losses import (  # noqa: E402
    Temperature,
    clip,
    consistency,
    contrast,
    negclip,
    paper_clip,
    paper_negclip,
    positive_weights,
    supervised,
)

N, C = 7, 5


def numbers(*shape, seed=0, scale=3.0):
    return scale * torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def coins(*shape, seed=0, share=0.5):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < share


def sigmoid(x):
    return 1 / (1 + exp(-x))


def log_loss(weight, target, p):
    return -(weight * target * log(p) + (1 - target) * log(1 - p))


def same(loss, reference):
    assert loss.item() == pytest.approx(float(reference), rel=1e-9)


# --- equation (1)


def test_positive_weights_are_negatives_by_positives_up_to_50():
    labels = torch.zeros(102, 4)
    labels[:51, 0] = 1  # 51 to 51
    labels[:17, 1] = 1  # 85 to 17
    labels[:2, 2] = 1  # 100 to 2, just the cap
    labels[:1, 3] = 1  # 101 to 1
    known = torch.ones(102, 4, dtype=torch.bool)
    assert positive_weights(labels, known).tolist() == [1, 5, 50, 50]
    assert positive_weights(labels, known, cap=10).tolist() == [1, 5, 10, 10]


def test_unknown_entries_count_on_neither_side_of_the_weight():
    labels = torch.tensor([[1.0], [0], [0], [-1], [float("nan")], [1], [0]])
    known = torch.tensor([[1], [1], [1], [0], [0], [0], [0]], dtype=torch.bool)
    assert positive_weights(labels, known).tolist() == [2]


def test_r16_weights_of_labels_with_one_class_or_none():
    labels = torch.tensor([[0.0, 1, -1], [0, 1, -1]])
    assert positive_weights(labels, labels >= 0).tolist() == [50, 1, 1]


def test_paper_supervised_is_equation_1():
    logits, labels, weights = numbers(N, C), coins(N, C).double(), numbers(C, seed=1).abs()
    reference = sum(
        log_loss(weights[c].item(), labels[i, c].item(), sigmoid(logits[i, c].item()))
        for i in range(N)
        for c in range(C)
    )
    same(supervised(logits, labels, torch.ones(N, C, dtype=torch.bool), weights), reference / N / C)


def test_supervised_is_the_mean_over_known_entries_and_ignores_what_the_others_hold():
    logits, labels, weights = numbers(N, C), coins(N, C).double(), numbers(C, seed=1).abs()
    known = coins(N, C, seed=2, share=0.6)
    kept = [
        log_loss(weights[c].item(), labels[i, c].item(), sigmoid(logits[i, c].item()))
        for i, c in known.nonzero().tolist()
    ]
    same(supervised(logits, labels, known, weights), sum(kept) / len(kept))
    for filler in (-1.0, float("nan")):
        filled = labels.masked_fill(~known, filler)
        same(supervised(logits, filled, known, weights), sum(kept) / len(kept))


def test_supervised_gradient():
    labels, known, weights = coins(N, C).double(), coins(N, C, seed=2), numbers(C, seed=1).abs()
    logits = numbers(N, C).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: supervised(z, labels, known, weights), logits)


def test_supervised_of_nothing_known_is_0_with_gradient_0():
    logits = torch.randn(3, 2, requires_grad=True)
    loss = supervised(logits, torch.full((3, 2), -1.0), torch.zeros(3, 2) > 0, torch.ones(2))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


# --- equation (2)


def teaches(masking, p, row, q, threshold):
    if masking == "paper-eq2":
        return p >= threshold
    if masking == "paper-text":
        return max(row) >= threshold
    return q >= threshold or q <= 1 - threshold


@pytest.mark.parametrize("masking", ["paper-eq2", "paper-text", "debiased"])
def test_consistency_is_equation_2_in_each_reading(masking):
    n = 60
    weak, strong = numbers(n, C, scale=4.0), numbers(n, C, seed=1)
    weights = torch.tensor([0.1, 1, 3, 20, 50], dtype=torch.float64)
    total, kept, positive = 0.0, [0] * C, [0] * C
    for i in range(n):
        row = [sigmoid(weak[i, c].item()) for c in range(C)]
        for c in range(C):
            p, w = row[c], weights[c].item()
            q = p / w / (1 - p + p / w)  # what p = w q / (1 - q + w q) comes from
            if not teaches(masking, p, row, q, 0.95):
                continue
            target, weight = (q, w) if masking == "debiased" else (p, 1.0)
            total += log_loss(weight, target, sigmoid(strong[i, c].item()))
            kept[c] += 1
            positive[c] += target >= 0.5
    result = consistency(strong, weak, weights, masking=masking)
    same(result.loss, total / n / C)
    assert result.kept.tolist() == kept
    assert result.positive.tolist() == positive
    assert 0 < sum(kept) < n * C


def test_the_printed_equation_never_teaches_an_absence():
    result = consistency(numbers(99, C), numbers(99, C), torch.ones(C), masking="paper-eq2")
    assert result.kept.tolist() == result.positive.tolist()


def test_the_text_of_the_paper_keeps_every_label_of_an_ecg_with_sure_sinus_rhythm():
    weak = torch.tensor([[4.0, 0.0, 0.3], [2.0, 0.0, 0.3]])
    result = consistency(weak, weak, torch.ones(3), masking="paper-text")
    assert result.kept.tolist() == [1, 1, 1]


@pytest.mark.parametrize("weight", [0.11, 1.0, 7.0, 50.0])
@pytest.mark.parametrize("q", [0.003, 0.275, 0.9])
def test_weighted_cross_entropy_pulls_to_the_probability_that_consistency_undoes(weight, q):
    """Minimised on 1,000 ECGs of which a share q has the label, by halving where it slopes to."""
    labels = torch.zeros(1000, 1, dtype=torch.float64)
    labels[: round(1000 * q)] = 1
    known, weights = labels >= 0, torch.tensor([weight], dtype=torch.float64)
    low, high = -20.0, 20.0
    for _ in range(60):
        logit = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        supervised(logit.expand(1000, 1), labels, known, weights).backward()
        low, high = (logit.item(), high) if logit.grad < 0 else (low, logit.item())
    p = logit.detach().sigmoid().item()
    assert p == pytest.approx(weight * q / (1 - q + weight * q), rel=1e-9)
    # There the weak view teaches the strong one to stay: both losses rest at the same point.
    weak = logit.detach().reshape(1, 1)
    strong = weak.clone().requires_grad_()
    consistency(strong, weak, weights, threshold=0.5).loss.backward()
    assert strong.grad.item() == pytest.approx(0, abs=1e-9)


def test_at_weight_50_a_score_of_95_percent_stands_for_27_percent_and_does_not_teach():
    p = torch.tensor([[0.95]], dtype=torch.float64)
    result = consistency(p.logit(), p.logit(), torch.tensor([50.0]))
    assert result.kept.item() == 0
    q = 0.275
    assert 50 * q / (1 - q + 50 * q) == pytest.approx(0.95, abs=5e-4)


@pytest.mark.parametrize("masking", ["paper-eq2", "paper-text", "debiased"])
def test_consistency_gradient_is_of_the_strong_view_alone(masking):
    weak = numbers(N, C).requires_grad_()
    weights = numbers(C, seed=1).abs()
    strong = numbers(N, C, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: consistency(z, weak, weights, masking=masking, threshold=0.7).loss, strong
    )
    consistency(strong, weak, weights, masking=masking, threshold=0.7).loss.backward()
    assert strong.grad.any()
    assert weak.grad is None


@pytest.mark.parametrize("masking", ["paper-eq2", "paper-text", "debiased"])
def test_r25_nothing_above_the_threshold_is_a_loss_of_0(masking):
    strong = torch.randn(4, 3, requires_grad=True)
    result = consistency(strong, torch.zeros(4, 3), torch.ones(3), masking=masking)
    result.loss.backward()
    assert result.loss.item() == 0
    assert result.kept.tolist() == [0, 0, 0]
    assert not strong.grad.any()


# --- equations (3) and (4)


def log_softmax(positive, denominators):
    return positive - log(sum(exp(s) for s in denominators))


def one_direction(similarities, positives, kept):
    """Loops over rows; what a row may compare with is positive or kept."""
    rows = []
    for i, row in enumerate(similarities.tolist()):
        own = [s for j, s in enumerate(row) if positives[i][j]]
        held = [s for j, s in enumerate(row) if positives[i][j] or kept[i][j]]
        if own:
            rows.append(-sum(log_softmax(s, held) for s in own) / len(own))
    return sum(rows) / max(len(rows), 1)


def batch(n=6, m=9):
    """Every ECG has a statement; some columns are left out, some have no ECG."""
    similarities = numbers(n, m)
    positives = coins(n, m, seed=3, share=0.3)
    positives[torch.arange(n), torch.arange(n)] = True
    positives[:, m - 1] = False
    left_out = coins(n, m, seed=4, share=0.2) & ~positives
    return similarities, positives, left_out


def test_clip_against_loops():
    similarities, positives, left_out = batch()
    reference = one_direction(similarities, positives, ~left_out) + one_direction(
        similarities.T, positives.T, ~left_out.T
    )
    same(clip(similarities, positives, left_out), reference / 2)


def test_paper_clip_is_the_mean_of_two_cross_entropies():
    similarities = numbers(N, N)
    rows = similarities.tolist()
    columns = similarities.T.tolist()
    reference = -sum(
        log_softmax(rows[i][i], rows[i]) + log_softmax(rows[i][i], columns[i]) for i in range(N)
    )
    same(paper_clip(similarities), reference / 2 / N)


def test_a_statement_left_out_has_no_say():
    similarities, positives, left_out = batch()
    other = torch.where(left_out, similarities + 100, similarities)
    same(clip(other, positives, left_out), clip(similarities, positives, left_out))


def test_negclip_against_loops():
    similarities, positives, left_out = batch()
    hard, negatives = numbers(6, 4, seed=5), coins(6, 4, seed=6)
    own = torch.cat((positives, torch.zeros(6, 4) > 0), 1)
    kept = torch.cat((~left_out, negatives), 1)
    reference = one_direction(torch.cat((similarities, hard), 1), own, kept) + one_direction(
        similarities.T, positives.T, ~left_out.T
    )
    same(negclip(similarities, positives, left_out, hard, negatives), reference / 2)


def test_paper_negclip_is_equation_4():
    similarities, hard = numbers(N, N), numbers(N, N, seed=1)
    present = torch.tensor([True, False, True, True, False, True, True])
    total = 0.0
    for i in range(N):
        own = similarities[i, i].item()
        row = similarities[i].tolist() + [hard[i, j].item() for j in range(N) if present[j]]
        column = similarities[:, i].tolist() + (hard[:, i].tolist() if present[i] else [])
        total -= log_softmax(own, row) + log_softmax(own, column)
    same(paper_negclip(similarities, hard, present), total / 2 / N)


@pytest.mark.parametrize("name", ["clip", "paper_clip", "negclip", "paper_negclip"])
def test_contrastive_gradients(name):
    similarities, positives, left_out = batch()
    square = numbers(6, 6, seed=7).requires_grad_()
    similarities.requires_grad_()
    hard = numbers(6, 4, seed=5).requires_grad_()
    loss, inputs = {
        "clip": (lambda s: clip(s, positives, left_out), (similarities,)),
        "paper_clip": (paper_clip, (square,)),
        "negclip": (
            lambda s, h: negclip(s, positives, left_out, h, coins(6, 4, seed=6)),
            (similarities, hard),
        ),
        "paper_negclip": (
            lambda s, h: paper_negclip(s, h, coins(6, seed=8)),
            (square, numbers(6, 6, seed=9).requires_grad_()),
        ),
    }[name]
    assert torch.autograd.gradcheck(loss, inputs)


def test_r25_no_hard_negatives_makes_negclip_clip():
    similarities, positives, left_out = batch()
    plain = clip(similarities, positives, left_out)
    nothing = torch.zeros(6, 0)
    same(negclip(similarities, positives, left_out, nothing.double(), nothing > 0), plain)
    hard = numbers(6, 4, seed=5)
    same(negclip(similarities, positives, left_out, hard, torch.zeros(6, 4) > 0), plain)
    square = numbers(N, N)
    same(paper_negclip(square, numbers(N, N, seed=1), torch.zeros(N) > 0), paper_clip(square))


def test_ecgs_without_statements_and_empty_batches_give_0_and_finite_gradients():
    nothing = torch.zeros(3, 4) > 0
    for positives, left_out in ((nothing, nothing), (nothing, ~nothing)):
        similarities = torch.randn(3, 4, requires_grad=True)
        loss = clip(similarities, positives, left_out)
        loss.backward()
        assert loss.item() == 0
        assert not similarities.grad.any()


def test_a_sole_ecg_whose_other_statements_are_left_out_is_finite():
    similarities = torch.randn(1, 3, requires_grad=True)
    positives = torch.tensor([[True, False, False]])
    loss = clip(similarities, positives, ~positives)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(similarities.grad).all()


def test_blocks_of_rows_add_up_to_the_whole():
    similarities, positives, left_out = batch()
    parts = [
        contrast(similarities[part], positives[part], ~left_out[part])
        for part in (slice(0, 2), slice(2, 6))
    ]
    whole = contrast(similarities, positives, ~left_out)
    same(whole, (2 * parts[0] + 4 * parts[1]) / 6)


# --- precision and speed


def test_no_loss_reads_a_number_back_from_the_device():
    """Tensors on the meta device hold no numbers: asking for one raises."""
    with torch.device("meta"):
        square, known, weights = torch.empty(4, 4), torch.empty(4, 4) > 0, torch.empty(4)
        supervised(square, square, known, positive_weights(square, known))
        for masking in ("paper-eq2", "paper-text", "debiased"):
            consistency(square, square, weights, masking=masking)
        clip(square, known, known)
        negclip(square, known, known, square, known)
        paper_negclip(square, square, weights > 0)


def test_losses_of_bf16_logits_are_float32_and_finite_at_any_size():
    logits = torch.tensor([[300.0, -300.0], [0.0, 80.0]], dtype=torch.bfloat16)
    known, weights = torch.ones(2, 2) > 0, torch.tensor([50.0, 0.1])
    labels = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    with torch.autocast("cpu", torch.bfloat16):
        losses = [
            supervised(logits, labels, known, weights),
            consistency(logits, -logits, weights).loss,
            paper_clip(logits),
        ]
    assert [loss.dtype for loss in losses] == [torch.float32] * 3
    wrong = 300 + 0.1 * 300 + 50 * log(2) + 80  # far out, -log p is the size of the logit
    assert losses[0].item() == pytest.approx(wrong / 4, rel=1e-6)
    assert all(torch.isfinite(loss) for loss in losses)


def test_temperature_scales_the_cosine_in_float32_under_autocast():
    e = torch.nn.functional.normalize(numbers(3, 16).float())
    g = torch.nn.functional.normalize(numbers(5, 16, seed=1).float())
    with torch.autocast("cpu", torch.bfloat16):
        similarities = Temperature()(e, g)
    assert similarities.dtype == torch.float32
    reference = [
        [sum(a * b for a, b in zip(x, y, strict=True)) / 0.07 for y in g.tolist()]
        for x in e.tolist()
    ]
    torch.testing.assert_close(similarities, torch.tensor(reference))


def test_temperature_stays_above_its_bound_and_can_come_back():
    temperature = Temperature()
    temperature.log_tau.data.fill_(-99)
    e = torch.eye(4)
    assert temperature(e, e).max().item() == pytest.approx(100, rel=1e-5)
    # Only wrong pairs: the warmer the better, so a step down the gradient must raise tau.
    paper_clip(temperature(e, e.roll(1, 0))).backward()
    assert temperature.log_tau.grad.item() < 0
