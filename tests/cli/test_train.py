"""``overread train``, ``config show``, ``predict`` and ``export`` from the synthetic corpus on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from rich.console import Console  # noqa: E402

from overread.labels.run import write_extraction  # noqa: E402
from overread.manifest import Manifest  # noqa: E402
from overread.signals.store_writer import writing_store  # noqa: E402
from overread.signals.synth import write_corpus  # noqa: E402
from overread.sources.open import open_source  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = ("--device", "cpu", "--set", "encoder=tiny", "--epochs", "1", "--set", "batch=32")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small synthetic corpus and its labels, where the commands look for them."""
    folder = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        out = Path("overread-out")
        assert write_corpus(out / "synth", 160, prevalence="enriched")
        write_extraction(
            open_source(out / "synth" / "reports.csv"), out / "labels", vocab=None,
            uncertain="positive", format="parquet", duplicates="error", workers=1, overwrite=False,
            console=Console(quiet=True),
        )  # fmt: skip
    return folder


@pytest.fixture
def corpus(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)


def test_from_the_corpus_to_predictions_without_further_options(overread, corpus):
    done = overread("train", *QUICK)
    assert done.code == 0, done.err
    assert "160 of 160 windows have labels" in done.out
    run = Path("overread-out/runs/supervised-expert")
    card = (run / "MODEL_CARD.md").read_text()
    assert "Learnt from synthetic ECGs" in card
    assert "up to date" in overread("train", *QUICK).out

    done = overread("predict", run, "overread-out/synth/store")
    assert done.code == 0, done.err
    folder = Path("overread-out/predictions/supervised-expert")
    table = pq.read_table(folder / "predictions.parquet")
    labels = json.loads((run / "run.json").read_text())["labels"]
    carried = ["index", "id", "window", "patient_id", "split"]
    assert table.column_names == [*carried, *(f"score_{label}" for label in labels)]
    records = pq.read_table("overread-out/synth/store/records.parquet")
    assert table.select(carried).equals(records.select(carried).slice(0, 160))
    made = json.loads((folder / "run.json").read_text())["options"]
    assert (made["kind"], made["synthetic"]) == ("probability", True)
    assert "up to date" in overread("predict", run, "overread-out/synth/store").out

    # The exported program needs nothing of overread and gives the same scores.
    assert overread("export", run, "--torch-export", "model.pt2").code == 0
    from overread import open_store

    store = open_store("overread-out/synth/store")
    given = torch.from_numpy(store.signals[:5].copy()), torch.from_numpy(store.norm[:5].copy())
    scores = torch.export.load("model.pt2").module()(*given).detach().numpy()
    expected = np.stack([table[f"score_{label}"].to_numpy()[:5] for label in labels], 1)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_recordings_of_any_format_are_scored(overread, corpus, shared):
    assert overread("train", *QUICK).code == 0
    source = shared / "data" / "ptb-xl" / "records500"
    if not source.is_dir():
        pytest.skip("no folder of WFDB records")
    run = "overread-out/runs/supervised-expert"
    done = overread("predict", run, source, "--out", "scores")
    assert done.code in (0, 3), done.err
    table = pq.read_table("scores/predictions.parquet")
    assert len(table) > 0
    assert all(np.isfinite(table[name].to_numpy()).all() for name in table.column_names[5:])
    assert sorted(path.name for path in Path("scores").iterdir()) == [
        "predictions.parquet",
        "run.json",
    ]


def test_a_store_without_windows_is_not_scored(overread, corpus):
    assert overread("train", *QUICK).code == 0
    with writing_store(Path("empty"), Manifest("test"), overwrite=False) as writer:
        writer.finish({})
    done = overread("predict", "overread-out/runs/supervised-expert", "empty")
    assert done.code == 1
    assert "empty holds 0 windows" in done.err
    assert "Next step" in done.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_usage_error(overread, corpus):
    done = overread("train", *QUICK, "--device", "cuda")
    assert done.code == 2
    assert "finds no GPU. Next step: --device cpu" in done.err


def test_p01_faults_of_a_label_table_end_with_1_and_quote_no_cell(overread, corpus):
    ids = pq.read_table("overread-out/synth/store/records.parquet")["id"].to_pylist()
    header, rows = "id,expert_af,part", [f"{id},{at % 2},train" for at, id in enumerate(ids)]
    rows[4] = f"{ids[4]},1,JOHN CANARY SMITH"
    Path("part.csv").write_text("\n".join([header, *rows]) + "\n")
    rows[4] = f'{ids[4]},"JOHN CANARY SMITH,train'
    Path("quote.csv").write_text("\n".join([header, *rows]) + "\n")
    for table, told in (("part.csv", "row 5, column 'part'"), ("quote.csv", "opened on row 5")):
        done = overread("train", *QUICK, "--label-table", table, "--split-column", "part")
        assert done.code == 1
        assert told in done.err
        assert "CANARY" not in done.out + done.err


LIMITED = """
import resource, signal, sys
from overread.cli.main import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), most))
sys.argv = ["overread", *sys.argv[2:]]
main()
"""


def limited(limit, *words):
    """A command that may write no file larger than the limit: that stands for a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *map(str, words)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert "the disk is full or a size limit is reached" in done.stderr
    assert "Nothing was changed" in done.stderr
    return done.returncode


def test_e08_a_full_disk_keeps_the_old_run_and_the_old_predictions(overread, corpus, hashes):
    """The limits stop the config, or the state; run.json, or the table."""
    assert overread("train", *QUICK).code == 0
    run = Path("overread-out/runs/supervised-expert")
    before = hashes(run)
    for limit in (0, 20_000):
        assert limited(limit, "train", *QUICK, "--seed", "5", "--overwrite") == 1
        assert hashes(run) == before
    assert "up to date" in overread("train", *QUICK).out

    assert overread("predict", run, "overread-out/synth/store", "--out", "scores").code == 0
    before = hashes(Path("scores"))
    for limit in (0, 3_000):
        words = ("predict", run, "overread-out/synth/store", "--out", "scores", "--overwrite")
        assert limited(limit, *words) == 1
        assert hashes(Path("scores")) == before

    assert overread("train", *QUICK, "--seed", "5", "--overwrite").code == 0
    assert json.loads((run / "run.json").read_text())["seed"] == 5
    assert len(list(run.glob("step-*.pt"))) == 2  # none of the old run's


def test_e07_files_of_ones_own_are_not_replaced_unasked(overread, corpus):
    assert overread("train", *QUICK, "--name", "one").code == 0
    run = Path("overread-out/runs/one")
    for name in ("model.safetensors", "MODEL_CARD.md", "config.toml", "metrics.jsonl"):
        own = Path("overread-out/runs/own", name)
        own.parent.mkdir(exist_ok=True)
        own.write_bytes(b"mine")
        done = overread("train", *QUICK, "--name", "own")
        assert (done.code, own.read_bytes()) == (1, b"mine")
        assert f"{name} exists already" in done.err
        assert [path.name for path in own.parent.iterdir()] == [name]
        own.unlink()

    Path("scores").mkdir()
    own = Path("scores/predictions.parquet")
    own.write_bytes(b"mine")
    words = ("predict", run, "overread-out/synth/store", "--out", "scores")
    done = overread(*words)
    assert (done.code, own.read_bytes()) == (1, b"mine")
    assert "give --overwrite" in done.err
    assert overread(*words, "--overwrite").code == 0
    assert len(pq.read_table(own)) == 160


@pytest.mark.parametrize("name", ["x" * 300, "a\nb"])
def test_e10_impossible_names_are_refused_before_the_data_are_read(overread, corpus, name):
    done = overread("train", *QUICK, "--name", name)
    assert (done.code, done.out) == (2, "")
    assert "Next step" in done.err


def test_dry_run_tells_and_writes_nothing(overread, corpus):
    done = overread("train", "--dry-run", *QUICK)
    assert done.code == 0, done.err
    for told in ("ecgs: (", "12, 2500) torch.float32", "parameters", "ms per step", "ECGs/s"):
        assert told in done.out
    assert not Path("overread-out/runs").exists()


def test_the_paper_preset_tells_what_the_paper_leaves_open(overread, corpus):
    done = overread("train", "--dry-run", "--preset", "paper", *QUICK)
    assert done.code == 0, done.err
    assert "patients stand both in train and in test" in done.out
    assert "The source paper leaves open" in done.out


def test_r17_resume_with_another_config_is_a_usage_error(overread, corpus):
    assert overread("train", *QUICK, "--name", "one").code == 0
    done = overread("train", "--resume", "overread-out/runs/one", "--lr", "0.5")
    assert done.code == 2
    assert "lr 0.003 -> 0.5" in done.err
    done = overread("train", "--resume", "overread-out/runs/one", "--epochs", "2", "--fork", "two")
    assert done.code == 0, done.err
    assert (Path("overread-out/runs/two") / "model.safetensors").is_file()
    done = overread("train", "--resume", "overread-out/runs/one", "--fork", "x" * 300)
    assert (done.code, done.out) == (2, "")
    assert "file name too long" in done.err
    assert overread("train", *QUICK, "--name", "one", "--seed", "4").code == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--set", "epoch=3"], "Did you mean 'epochs'"),
        (["--paradigm", "unsupervised"], "'self-training'"),
        (["--fork", "x"], "--fork belongs to --resume"),
        (["--resume", "nowhere"], "no checkpoint"),
        ([], "there is no store of signals"),
        (["--store", "nowhere"], "overread signals import"),
    ],
)
def test_wrong_commands_say_what_to_do(overread, words, told):
    done = overread("train", *words)
    assert done.code == 2
    assert told in done.err


def test_config_show_prints_toml_that_config_reads(overread, tmp_path):
    done = overread("config", "show", "--preset", "paper", "--set", "seed=7")
    assert done.code == 0
    assert 'normalize = "lead_z"  # preset paper' in done.out
    assert "seed = 7  # --set" in done.out
    Path("run.toml").write_text(done.out)
    again = overread("config", "show", "--config", "run.toml")
    assert [line.split("  #")[0] for line in again.out.splitlines()] == [
        line.split("  #")[0] for line in done.out.splitlines()
    ]


def test_a_file_that_is_no_model_is_refused(overread):
    Path("model.safetensors").write_bytes(b"no")
    done = overread("predict", "model.safetensors", ".")
    assert done.code == 1
    assert "no model of overread" in done.err


def test_q02_damaged_predictions_are_not_evaluated(overread, corpus):
    assert overread("train", *QUICK).code == 0
    run = "overread-out/runs/supervised-expert"
    assert overread("predict", run, "overread-out/synth/store", "--out", "scores").code == 0
    path = Path("scores/predictions.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:900] + bytes([whole[900] ^ 4]) + whole[901:])
    done = overread("evaluate", "scores", "--resamples", "100")
    assert done.code == 1
    assert "scores/predictions.parquet is not the file" in done.err
