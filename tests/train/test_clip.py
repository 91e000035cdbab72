"""CLIP: its step against METHOD's words in loops, processes, learning, resuming."""

from __future__ import annotations

import shutil
from dataclasses import replace
from math import exp

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from rich.console import Console  # noqa: E402

from overread.errors import TableError, UsageError  # noqa: E402
from overread.stats.ranking import Ranking  # noqa: E402
from overread.train import ranks, text_tower  # noqa: E402
from overread.train.checkpoint import load_state, save_state  # noqa: E402
from overread.train.clip import Clip  # noqa: E402
from overread.train.config import configure  # noqa: E402
from overread.train.data import Batch, load_corpus  # noqa: E402
from overread.train.paradigm import evaluating, paradigm_class  # noqa: E402
from overread.train.run import resume  # noqa: E402
from overread.train.scoring import by_ecg, score  # noqa: E402
from tests.train.conftest import ECGS, weights  # noqa: E402
from tests.train.contrastive import (  # noqa: E402
    OWN_LABELS,
    corpus_of,
    extraction,
    one_direction,
    seen,
    small_config,
)
from tests.train.processes import SERVER  # noqa: E402

ROWS = np.array([0, 1, 2, 3, 5, 6])  # those of PAIRS that have an over-read


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = extraction(tmp_path_factory.mktemp("pairs") / "labels")
    return corpus_of(folder, train=ROWS)


def made(corpus, kind=Clip, /, **given):
    torch.manual_seed(0)
    return kind.from_corpus(small_config(augment=False, **given), corpus)


def batch_of(rows, seed=0):
    ecgs = torch.randn(len(rows), 12, 2500, generator=torch.Generator().manual_seed(seed))
    return Batch(ecgs, torch.ones(len(rows), 12, 1), None, None, np.asarray(rows))


def step(paradigm, batch):
    return paradigm.step(batch, None, torch.Generator().manual_seed(0))


def similarities(paradigm, batch, texts):
    """e . g / tau, each text encoded by itself."""
    tau = exp(paradigm.net.temperature.log_tau.item())
    with evaluating(paradigm.net):
        columns = [paradigm.similarity(batch.ecgs, [text])[:, 0] for text in texts]
    return (torch.stack(columns, 1).double() / tau).tolist()


def test_step_is_the_method_in_loops(corpus):
    paradigm, batch = made(corpus), batch_of([0, 1, 2, 3, 6])
    paradigm.net.eval()
    read = paradigm.statements
    said = [
        {read.texts[at] for at in read.own.take(np.array([row]))[1]} for row in batch.at.tolist()
    ]
    texts = sorted(set().union(*said))
    table = similarities(paradigm, batch, texts)
    rows = []
    for i, row in enumerate(batch.at.tolist()):
        rows.append([])
        for j, text in enumerate(texts):
            concept = {
                corpus.labels[at] for at in np.flatnonzero(read.asserts[read.texts.index(text)])
            }
            if text in said[i]:
                kind = "positive"
            elif concept and concept <= OWN_LABELS[row]:
                kind = "left out"
            else:
                kind = "negative"
            rows[-1].append((table[i][j], kind))
    assert {kind for row in rows for _, kind in row} == {"positive", "left out", "negative"}
    reference = (one_direction(rows) + one_direction(zip(*rows, strict=True))) / 2
    done = step(paradigm, batch)
    assert done.loss.item() == pytest.approx(reference, rel=1e-5)
    assert done.parts["statements"].item() == len(texts)


def test_paper_identity_is_one_statement_per_ecg_and_targets_on_the_diagonal(corpus):
    paradigm, batch = made(corpus, contrast="paper-identity"), batch_of([0, 4, 1, 3])
    paradigm.net.eval()
    read = paradigm.statements
    drawn = read.own.sample(batch.at, paradigm._random(batch.at))
    kept = np.flatnonzero(drawn >= 0)
    assert kept.tolist() == [0, 2, 3]  # ECG 4 has no over-read
    table = np.array(similarities(paradigm, batch, [read.texts[at] for at in drawn[kept]]))[kept]
    kinds = np.where(np.eye(3, dtype=bool), "positive", "negative")
    rows = [
        list(zip(s.tolist(), k.tolist(), strict=True)) for s, k in zip(table, kinds, strict=True)
    ]
    reference = (one_direction(rows) + one_direction(zip(*rows, strict=True))) / 2
    assert step(paradigm, batch).loss.item() == pytest.approx(reference, rel=1e-5)


def test_paper_identity_draws_each_statement_of_an_over_read(corpus):
    paradigm = made(corpus, contrast="paper-identity")
    drawn = set()
    for other in range(60):
        at = np.array([0, other])
        drawn.add(int(paradigm.statements.own.sample(at[:1], paradigm._random(at))[0]))
    assert drawn == set(paradigm.statements.own.take(np.array([0]))[1].tolist())


def test_neither_ecgs_nor_statements_begin_all_in_one_direction(corpus):
    paradigm = made(corpus)
    texts = paradigm.embedded(np.arange(len(paradigm.statements.texts)))
    for embeddings in (paradigm.net(batch_of(ROWS).ecgs), texts):
        cosines = embeddings @ embeddings.T
        assert cosines[~torch.eye(len(cosines), dtype=torch.bool)].mean() < 0.5


@pytest.mark.parametrize("contrast", ["multi-positive", "paper-identity"])
def test_a_step_is_a_function_of_the_batch_and_every_weight_learns(corpus, contrast):
    losses = []
    for _ in range(2):
        paradigm = made(corpus, contrast=contrast)
        done = step(paradigm, batch_of(ROWS))
        done.loss.backward()
        losses.append(done.loss.item())
        grads = {name: each.grad for name, each in paradigm.net.named_parameters()}
        assert [name for name, grad in grads.items() if grad is None] == []
        assert all(torch.isfinite(grad).all() for grad in grads.values())
    assert losses[0] == losses[1]


@pytest.mark.parametrize("contrast", ["multi-positive", "paper-identity"])
def test_a_batch_without_statements_is_a_loss_of_0(corpus, contrast):
    paradigm = made(corpus, contrast=contrast)
    done = step(paradigm, batch_of([4, 4]))
    done.loss.backward()
    assert done.loss.item() == 0
    assert all(torch.isfinite(each.grad).all() for each in paradigm.net.parameters())


@pytest.mark.parametrize("text_encoder", ["clip", "bert"])
def test_scores_are_cosines_with_the_mean_of_the_prompts(corpus, text_encoder):
    paradigm, batch = made(corpus, text_encoder=text_encoder), batch_of(ROWS)
    with evaluating(paradigm.net):
        scores = paradigm.scores(batch.ecgs)
        e = paradigm.net(batch.ecgs).double()
        for at, label in enumerate(corpus.labels):
            each = torch.cat([
                paradigm.net.embed_tokens(paradigm._tokenized([text])).double()
                for text in paradigm.state["prompts"][label]
            ])  # fmt: skip
            mean = each.mean(0)
            torch.testing.assert_close(
                scores[:, at].double(), e @ mean / mean.norm(), rtol=1e-4, atol=1e-5
            )
    assert scores.dtype == torch.float32
    assert scores.abs().max() <= 1 + 1e-6


def test_a_model_scores_again_from_its_labels_state_and_weights(corpus):
    import json

    paradigm, batch = made(corpus), batch_of(ROWS)
    again = Clip(paradigm.config, corpus.labels, json.loads(json.dumps(paradigm.state)))
    again.net.load_state_dict(paradigm.net.state_dict())
    with evaluating(paradigm.net), evaluating(again.net):
        assert torch.equal(again.scores(batch.ecgs), paradigm.scores(batch.ecgs))
        texts = ["LVH", "a wording of no corpus"]
        assert torch.equal(
            again.similarity(batch.ecgs, texts), paradigm.similarity(batch.ecgs, texts)
        )


def test_case_punctuation_and_numbers_of_a_text_do_not_matter(corpus):
    paradigm, batch = made(corpus), batch_of([0])
    with evaluating(paradigm.net):
        one, other = paradigm.similarity(
            batch.ecgs, ["T-wave inversion, 3 mm", "t wave INVERSION mm"]
        )[0]
    assert one == pytest.approx(other.item(), abs=1e-6)


def test_without_statements_there_is_nothing_to_learn(corpus, tmp_path):
    with pytest.raises(UsageError, match="a table of labels has none"):
        made(replace(corpus, extraction=None))
    folder = extraction(tmp_path / "labels", [("Sinus rhythm", "No LVH"), ("AF", "No RBBB")])
    with pytest.raises(TableError, match="asserts anything"):
        made(corpus_of(folder))


KINDS = [
    (name, contrast)
    for name in ("clip", "negclip")
    for contrast in ("multi-positive", "paper-identity")
]


def gradients(corpus, name, contrast, batch):
    """Loss and gradients of one step, with the statistics of batch norm frozen."""
    paradigm = made(corpus, paradigm_class(name), paradigm=name, contrast=contrast)
    paradigm.net.eval()
    done = step(paradigm, batch)
    done.loss.backward()
    return [done.loss.detach().clone(), *(each.grad for each in paradigm.net.parameters())]


def one_of_two(rank, corpus, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
    )
    whole, mine = batch_of(ROWS), slice(rank * 3, rank * 3 + 3)
    batch = Batch(whole.ecgs[mine], whole.noise_unit[mine], None, None, whole.at[mine])
    for number, kind in enumerate(KINDS):
        found = gradients(corpus, *kind, batch)
        ranks.average_(found)
        if rank == 0:
            torch.save(found, f"{folder}/{number}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_learn_as_one_with_the_double_batch(corpus, tmp_path):
    torch.multiprocessing.start_processes(
        one_of_two, (corpus, str(tmp_path)), nprocs=2, start_method=SERVER.get_start_method()
    )
    for number, kind in enumerate(KINDS):
        found = torch.load(tmp_path / f"{number}.pt", weights_only=True)
        for one, whole in zip(found, gradients(corpus, *kind, batch_of(ROWS)), strict=True):
            torch.testing.assert_close(one, whole, atol=1e-5, rtol=1e-4)


# --- whole runs, on the store of conftest.py: tall and fast beats


@pytest.fixture(scope="module")
def readings(tmp_path_factory):
    tall, fast = np.random.default_rng(1).random((2, ECGS)) < 0.3  # as in conftest.py
    return extraction(tmp_path_factory.mktemp("readings") / "labels", seen(tall, fast))


@pytest.fixture
def one_layer(monkeypatch):
    """A text tower that is quick to train."""
    monkeypatch.setattr(text_tower, "LAYERS", 1)
    monkeypatch.setattr(text_tower, "WIDTH", 64)


@pytest.mark.parametrize("name", ["clip", pytest.param("negclip", marks=pytest.mark.slow)])
def test_scores_learn_to_tell_the_labels_apart(make_loop, readings, one_layer, name):
    loop = make_loop(paradigm=name, label_table=str(readings), epochs=8)
    assert loop.fit() == 0
    loop.paradigm.net.load_state_dict(loop.best_net)
    scores = score(loop.paradigm, loop.validation, labels=13, batch=32, device=torch.device("cpu"))
    judged = by_ecg(loop.corpus, loop.corpus.splits["validation"], scores, "expert")
    for label in ("lvh", "atrial_fibrillation", "sinus_rhythm"):
        _, truth, own = judged.known(loop.corpus.labels.index(label))
        assert Ranking(truth, own).auroc() > 0.9, label


@pytest.mark.parametrize(("name", "contrast"), KINDS)
def test_r08_stopped_and_resumed_is_bit_identical(make_loop, readings, one_layer, name, contrast):
    given = {"paradigm": name, "contrast": contrast, "label_table": str(readings), "epochs": 1}
    whole = make_loop("whole", **given)
    assert whole.fit() == 0
    stopped = make_loop("stopped", **given)
    stopped.stop_after = 2
    assert stopped.fit() == 143
    resumed = make_loop("stopped", **given)
    resumed.restore(load_state(resumed.folder)[0])
    assert resumed.position.step == 2
    assert resumed.fit() == 0
    assert weights(resumed) == weights(whole)


@pytest.mark.parametrize(
    ("side", "was", "now"),
    [(1, "Otherwise normal", "Nonspecific T wave abnormality"), (0, "Sinus", "T inversion. Sinus")],
)
def test_r18_other_statements_under_the_same_labels_are_refused(
    make_loop, tmp_path, one_layer, side, was, now
):
    pairs = seen(*np.random.default_rng(1).random((2, ECGS)) < 0.3)
    folder = extraction(tmp_path / "readings", pairs)
    loop = make_loop(paradigm="clip", label_table=str(folder), epochs=1)
    loop.save()
    shutil.rmtree(folder)
    extraction(folder, pairs)
    again = make_loop("again", paradigm="clip", label_table=str(folder), epochs=1)
    assert again.data == loop.data  # of the same reports

    changed = [list(pair) for pair in pairs]
    for pair in changed:
        pair[side] = pair[side].replace(was, now)
    shutil.rmtree(folder)
    extraction(folder, changed)
    assert load_corpus(loop.config).sha256 == loop.corpus.sha256
    with pytest.raises(UsageError, match=r"or statements .* are not those that run learnt from"):
        resume(loop.folder, configure(), console=Console(quiet=True))
    # A run of a version that noted only the hash of the labels cannot be told from a changed one.
    save_state(loop.folder, 1, load_state(loop.folder)[0] | {"data": loop.corpus.sha256})
    with pytest.raises(UsageError, match="or the version that noted them"):
        resume(loop.folder, configure(), console=Console(quiet=True))
