"""NegCLIP: its step against METHOD's words in loops, and its edges."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from overread.errors import UsageError  # noqa: E402
from overread.train.clip import Clip  # noqa: E402
from overread.train.negclip import NegClip  # noqa: E402
from tests.train.contrastive import OWN_LABELS, corpus_of, extraction, one_direction  # noqa: E402
from tests.train.test_clip import ROWS, batch_of, made, similarities, step  # noqa: E402


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = extraction(tmp_path_factory.mktemp("pairs") / "labels")
    return corpus_of(folder, train=ROWS)


def texts_of(read, ragged, row):
    return {read.texts[at] for at in ragged.take(np.array([row]))[1]}


def test_step_is_the_method_in_loops(corpus):
    paradigm, batch = made(corpus, NegClip), batch_of([0, 1, 2, 3, 6])
    paradigm.net.eval()
    read, at = paradigm.statements, batch.at.tolist()
    said = [texts_of(read, read.own, row) for row in at]
    machine = set().union(*(texts_of(read, read.machine_only, row) for row in at))
    columns = sorted(set().union(*said))
    hard = sorted(machine - set(columns))
    table = similarities(paradigm, batch, columns + hard)
    by_ecg = []
    for i, row in enumerate(at):
        by_ecg.append([])
        for j, text in enumerate(columns + hard):
            concept = {
                corpus.labels[c] for c in np.flatnonzero(read.asserts[read.texts.index(text)])
            }
            asserted = bool(concept) and concept <= OWN_LABELS[row]
            kind = "positive" if text in said[i] else "left out" if asserted else "negative"
            by_ecg[-1].append((table[i][j], kind))
    by_statement = list(zip(*by_ecg, strict=True))[: len(columns)]  # hard ones have no ECG
    done = step(paradigm, batch)
    reference = (one_direction(by_ecg) + one_direction(by_statement)) / 2
    assert done.loss.item() == pytest.approx(reference, rel=1e-5)
    assert done.parts["hard"].item() == len(hard) == 5


def test_paper_identity_has_every_hard_negative_in_both_directions(corpus):
    paradigm, batch = made(corpus, NegClip, contrast="paper-identity"), batch_of(ROWS)
    paradigm.net.eval()
    read, random = paradigm.statements, paradigm._random(batch.at)
    own = read.own.sample(batch.at, random)
    machine = read.machine_only.sample(batch.at, random)
    assert (own >= 0).all()
    held = np.flatnonzero(machine >= 0)
    s = similarities(paradigm, batch, [read.texts[at] for at in own])
    hard = similarities(paradigm, batch, [read.texts[at] for at in machine[held]])
    n = len(batch.at)
    by_ecg = [
        [(s[i][j], "positive" if i == j else "negative") for j in range(n)]
        + [(each, "negative") for each in hard[i]]
        for i in range(n)
    ]
    by_statement = [
        [(s[i][j], "positive" if i == j else "negative") for i in range(n)]
        + [(hard[i][k], "negative") for i in range(n) for k in np.flatnonzero(held == j)]
        for j in range(n)
    ]
    reference = (one_direction(by_ecg) + one_direction(by_statement)) / 2
    assert step(paradigm, batch).loss.item() == pytest.approx(reference, rel=1e-5)


@pytest.mark.parametrize("contrast", ["multi-positive", "paper-identity"])
def test_r25_without_hard_negatives_it_is_clip(tmp_path, contrast):
    pairs = [(expert.upper(), expert) for expert in ("Sinus rhythm. LVH", "Atrial flutter", "RBBB")]
    corpus = corpus_of(extraction(tmp_path / "labels", pairs))
    batch, losses = batch_of([0, 1, 2]), []
    for paradigm in (Clip, NegClip):
        done = step(made(corpus, paradigm, contrast=contrast), batch)
        losses.append(done.loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert done.parts["hard"].item() == 0


def test_a_hard_negative_is_pushed_away_from_the_ecg(corpus):
    paradigm, batch = made(corpus, NegClip), batch_of([2, 3])
    ecgs = paradigm.net(batch.ecgs).detach().requires_grad_()
    paradigm.loss(ecgs, batch.at)[0].backward()
    with torch.no_grad():
        rbbb = paradigm.embedded(np.array([paradigm.statements.texts.index("rbbb")], np.int32))[0]
        plain = made(corpus, Clip)
        other = ecgs.detach().clone().requires_grad_()
    plain.loss(other, batch.at)[0].backward()
    # Along the embedding of the machine's "RBBB", NegCLIP pulls the ECG away more than CLIP does.
    assert (ecgs.grad[0] @ rbbb).item() > (other.grad[0] @ rbbb).item()


def test_a_machine_does_not_contradict_itself(corpus):
    with pytest.raises(UsageError, match="labels expert"):
        made(corpus, NegClip, labels="machine")
