"""Ranking ECGs by a text that was never a label, with models trained on a small store."""

from __future__ import annotations

import io

import numpy as np
import pyarrow.parquet as pq
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from rich.console import Console  # noqa: E402

from overread.errors import OutputExists, UsageError  # noqa: E402
from overread.evaluate.query import query  # noqa: E402
from overread.manifest import Manifest  # noqa: E402
from overread.stats.ranking import auroc  # noqa: E402
from overread.train import run, text_tower  # noqa: E402
from overread.train.config import configure  # noqa: E402
from tests.train.conftest import write_store  # noqa: E402
from tests.train.contrastive import extraction, seen  # noqa: E402

ECGS = 240
#: A finding that asserts no label.
PHRASE = "Otherwise normal"


@pytest.fixture(scope="module")
def tall():
    return np.random.default_rng(1).random(ECGS) < 0.4


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tall):
    """A store, a label table, and a trained model of each of two paradigms."""
    folder = tmp_path_factory.mktemp("query")
    fast = np.random.default_rng(3).random(ECGS) < 0.3
    write_store(folder / "store", tall, fast)
    extraction(folder / "labels", seen(tall, fast))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_tower, "LAYERS", 1)
        patch.setattr(text_tower, "WIDTH", 64)
        for paradigm, epochs in (("clip", 8), ("supervised", 1)):
            given = {
                "paradigm": paradigm, "store": str(folder / "store"), "encoder": "tiny",
                "label_table": str(folder / "labels"), "epochs": epochs, "batch": 32, "lr": 2e-3,
                "device": "cpu",
            }  # fmt: skip
            configured = configure(options=given)
            assert run.train(configured, folder / paradigm, console=Console(quiet=True)) == 0
    return folder


def ask(folder, text=PHRASE, *, model="clip", out="out", **options):
    told = io.StringIO()
    query(
        folder / model, text, folder / "store", folder / out, device="cpu",
        console=Console(file=told, width=100), **options,
    )  # fmt: skip
    return told.getvalue()


def test_ecgs_are_ranked_by_a_text_that_is_no_label(folder, tall):
    told = ask(folder, top=5)
    table = pq.read_table(folder / "out" / "predictions.parquet")
    assert table.column_names == ["index", "id", "window", "patient_id", "split", "score_query"]
    scores = table["score_query"].to_numpy()
    assert len(scores) == ECGS
    assert np.abs(scores).max() <= 1 + 1e-6
    test = table["split"].to_numpy(zero_copy_only=False) == "test"
    assert auroc(~tall[test], scores[test]) > 0.8
    best = [table["id"][int(at)].as_py() for at in np.argsort(-scores)[:5]]
    shown = [line.split()[0] for line in told.splitlines() if line.strip().startswith("e")]
    assert shown[: len(best)] == best
    options = Manifest.read(folder / "out").options
    assert (options["kind"], options["text"]) == ("similarity", "otherwise normal")


def test_the_same_query_is_read_back_and_another_one_is_refused(folder):
    first = ask(folder, out="again")
    written = (folder / "again" / "predictions.parquet").read_bytes()
    assert ask(folder, "OTHERWISE, normal!", out="again") == first
    with pytest.raises(OutputExists, match="another query"):
        ask(folder, "pericarditis", out="again")
    assert (folder / "again" / "predictions.parquet").read_bytes() == written
    ask(folder, "pericarditis", out="again", overwrite=True)
    assert Manifest.read(folder / "again").options["text"] == "pericarditis"


def test_windows_of_one_ecg_are_averaged():
    import pyarrow as pa

    from overread.evaluate.query import nearest

    table = pa.table({"id": ["a", "b", "b", "c"], "score_query": [0.5, 0.9, 0.3, -0.1]})
    shown = nearest(table, "text", 2)
    assert shown.rows == (("b", pytest.approx(0.6)), ("a", pytest.approx(0.5)))


def test_a_model_without_texts_is_refused(folder):
    with pytest.raises(
        UsageError, match=r"supervised model knows its labels only.*--paradigm clip"
    ):
        ask(folder, model="supervised")


def test_a_text_without_letters_is_refused(folder):
    with pytest.raises(UsageError, match="no letters"):
        ask(folder, " 12! ")


def test_the_command(folder, monkeypatch, tmp_path):
    from typer.testing import CliRunner

    from overread.cli.app import app

    monkeypatch.chdir(tmp_path)
    given = ["query", str(folder / "clip"), PHRASE, "--store", str(folder / "store"), "--top", "2"]
    done = CliRunner().invoke(app, given, catch_exceptions=False)
    assert done.exit_code == 0
    assert "ECGs nearest to: otherwise normal" in done.output
    (written,) = tmp_path.glob("overread-out/queries/*/predictions.parquet")
    assert pq.read_metadata(written).num_rows == ECGS
