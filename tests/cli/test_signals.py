"""``overread signals``: exit codes, what is printed, stopping and going on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from overread.files import locked
from overread.signals.store import open_store

pytest.importorskip("numba")

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def records(tmp_path, wfdb_record):
    """Six records in the folder ``records``."""
    for number in range(6):
        wfdb_record(tmp_path / "records", f"r{number}", seed=number)
    return tmp_path / "records"


def test_import_info_verify(overread, records, tmp_path):
    ran = overread("signals", "import", "records", "--workers", "1")
    assert (ran.code, ran.err) == (0, "")
    assert "records kept" in ran.out
    store = tmp_path / "overread-out" / "store"
    assert len(open_store(store)) == 6
    again = overread("signals", "import", "records", "--workers", "1")
    assert (again.code, again.out) == (0, "up to date: overread-out/store\n")
    shown = overread("signals", "info").out
    assert [line.split()[-1] for line in shown.splitlines() if "records" in line][1:] == ["6", "6"]
    assert overread("signals", "verify").out == "6 windows are as they were written\n"
    with (store / "signals.npy").open("rb+") as file:
        file.seek(100_000)
        file.write(b"x")
    ran = overread("signals", "verify")
    assert ran.code == 1
    assert "signals.npy: windows 0 to 5 are not as they were written" in ran.err


def test_w22_quarantined_records_exit_with_3(overread, records, tmp_path):
    (records / "r2.dat").write_bytes(b"short")
    ran = overread("signals", "import", "records", "--workers", "1")
    assert ran.code == 1
    assert "--max-bad" in ran.err
    ran = overread("signals", "import", "records", "--workers", "1", "--max-bad", "0.5")
    assert ran.code == 3
    assert "going on after 6 of 6 records" in ran.out
    assert overread("signals", "import", "records", "--workers", "1").code == 3  # up to date


@pytest.mark.parametrize(
    "words",
    [
        ("signals", "import"),
        ("signals", "import", "absent"),
        ("signals", "import", "records.zip"),
        ("signals", "import", "records", "--max-bad", "2"),
        ("signals", "import", "records", "--out", "records.zip"),
        ("signals", "import", "records", "--out", "x" * 300),
        ("signals", "import", "records", "--out", "a\nb"),
        ("signals", "import", "records", "--out", "/proc/store"),
        ("signals", "info"),
        ("signals", "verify", "--out", "absent"),
        ("signals", "draw", "records"),
        ("signals", "draw", "records/r1.hea", "-o", "ecg.txt"),
    ],
)
def test_c05_e10_wrong_commands_exit_with_2_and_change_nothing(overread, records, tmp_path, words):
    with zipfile.ZipFile(tmp_path / "records.zip", "w") as archive:
        archive.write(records / "r1.hea", "../r1.hea")
    ran = overread(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err
    assert "unexpected" not in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["records", "records.zip"]


def test_c01_a_busy_folder_exits_with_75(overread, records, tmp_path):
    (tmp_path / "store").mkdir()
    with locked(tmp_path / "store"):
        ran = overread("signals", "import", "records", "--out", "store", "--workers", "1")
    assert ran.code == 75
    assert "another run" in ran.err


@pytest.mark.parametrize(
    "name", ["signals.npy", "norm.npy", "records.parquet", "chunks.parquet", "rejected.parquet",
             "quarantine.csv"]
)  # fmt: skip
def test_e07_files_of_ones_own_are_not_replaced_unasked(overread, records, tmp_path, name):
    own = tmp_path / "store" / name
    own.parent.mkdir()
    own.write_text("mine")
    ran = overread("signals", "import", "records", "--out", "store", "--workers", "1")
    assert ran.code == 1
    assert f"{name} exists already" in ran.err
    assert [path.name for path in own.parent.iterdir()] == [name]
    assert own.read_text() == "mine"


def test_e07_with_overwrite_they_are(overread, records, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "records.parquet").write_text("mine")
    words = ("signals", "import", "records", "--out", "store", "--workers", "1", "--overwrite")
    assert overread(*words).code == 0
    assert len(open_store(tmp_path / "store")) == 6


FULL = """
import resource, signal, sys
from overread.cli.main import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), most))
sys.argv = ["overread", *sys.argv[2:]]
main()
"""


@pytest.mark.parametrize("limit", [0, 64, 200])
@pytest.mark.parametrize("words", [("import", "records", "--workers", "1"), ("synth", "-n", "9")])
def test_e08_a_disk_that_is_full_from_the_start_is_told(overread, records, tmp_path, words, limit):
    """Not one byte fits, half a header of an array, or the first files but no samples."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(limit), "signals", *words, "--out", "made"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 1
    assert "the disk is full or a size limit is reached" in done.stderr
    assert "Next step: free space" in done.stderr
    assert overread("signals", *words, "--out", "made").code == 0


def test_one_ecg_is_drawn(overread, records, tmp_path):
    pytest.importorskip("matplotlib")
    ran = overread("signals", "draw", "records/r1", "-o", "one.svg")
    assert (ran.code, ran.out) == (0, "written: one.svg\n")
    assert (tmp_path / "one.svg").read_text().startswith("<svg ")
    assert overread("signals", "draw", "records/r1", "-o", "one.svg").code == 1


def test_record_that_cannot_be_drawn_is_named_with_the_next_step(overread, records):
    (records / "r1.dat").write_bytes(b"short")
    ran = overread("signals", "draw", "records/r1", "-o", "one.svg")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("overread: r1 ")
    assert "Next step" in ran.err


def test_the_folder_one_is_in_is_named(overread, tmp_path):
    for words in (("signals", "import", "."), ("labels", "extract", ".", "--input-format", "muse")):
        ran = overread(*words)
        assert ran.code == 2
        assert f"{tmp_path.name} holds no " in ran.err


def test_repeated_ids_that_are_left_out_exit_with_3(overread, records, tmp_path, wfdb_record):
    wfdb_record(tmp_path / "again", "r0", seed=9)
    words = ("signals", "import", "records", "again", "--workers", "1", "--duplicates", "first")
    ran = overread(*words)
    assert (ran.code, ran.err) == (3, "")
    assert "with the id of an earlier record" in ran.out
    assert overread(*words).code == 3  # up to date


def test_a_synthetic_corpus_has_reports_and_a_store(overread, tmp_path):
    ran = overread("signals", "synth", "--n", "40", "--seed", "3", "--out", "made")
    assert (ran.code, ran.err) == (0, "")
    assert len((tmp_path / "made" / "truth.parquet").read_bytes()) > 0
    assert len(open_store(tmp_path / "made" / "store")) == 40
    assert "40" in overread("signals", "info", "--out", "made/store").out
    again = overread("signals", "synth", "--n", "40", "--seed", "3", "--out", "made")
    assert again.out == "up to date: made\n"


@pytest.fixture
def many(tmp_path, wfdb_record):
    """600 records: three shares, some of them with flaws."""
    for number in range(600):
        seconds = 9 if number % 50 == 7 else 10
        wfdb_record(tmp_path / "many", f"r{number:03d}", seed=number, seconds=seconds)
    return tmp_path / "many"


def started(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "overread.cli.main", "signals", "import", *map(str, words)],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def finished(folder, *words):
    running = started(folder, *words)
    running.communicate()
    return running.returncode


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_r01_an_import_killed_ten_times_gives_the_same_bytes(many, tmp_path, hashes, workers):
    def files(out):
        return {name: sha for name, sha in hashes(tmp_path / out).items() if name != "run.json"}

    began = time.monotonic()
    assert finished(tmp_path, many, "--out", "whole", "--workers", "1") == 0
    usual_s = time.monotonic() - began
    draw, kills = random.Random(workers), 0
    while True:
        running = started(tmp_path, many, "--out", "store", "--workers", workers)
        if kills < 10:
            time.sleep(draw.uniform(0, usual_s))
            os.kill(running.pid, signal.SIGKILL)  # its workers leave by themselves
        running.communicate()
        if running.returncode == 0:
            break
        assert running.returncode == -signal.SIGKILL
        kills += 1
    assert files("store") == files("whole")


@pytest.mark.slow
def test_c04_ctrl_c_keeps_the_work_and_the_next_run_goes_on(many, tmp_path, hashes):
    for wait_s in (0.5, 2.0, 3.0):
        running = started(tmp_path, many, "--out", "store", "--workers", "2")
        time.sleep(wait_s)
        os.killpg(running.pid, signal.SIGINT)
        _, told = running.communicate(timeout=60)
        assert running.returncode in (0, 130, -signal.SIGINT)
        assert "Traceback" not in told
    assert finished(tmp_path, many, "--out", "store", "--workers", "2") == 0
    store = open_store(tmp_path / "store")
    assert len(store) == 588  # 12 are shorter than 10 s
    assert store.damaged() == []
    assert not (tmp_path / "store" / ".import").exists()
