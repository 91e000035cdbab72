"""Exit codes, messages with a next step, signals, full disks, odd places (E08 to E10, C04, C07)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "words",
    [
        ("labels", "bogus"),
        ("labels", "extract"),
        ("labels", "extract", "absent.csv"),
        ("labels", "extract", "reports.csv", "--uncertain", "maybe"),
        ("labels", "extract", "reports.csv", "--preview", "-1"),
        ("labels", "extract", "reports.csv", "--machine", "site", "--expert", "site"),
        ("labels", "extract", "reports.csv", "--out", "reports.csv"),
        ("labels", "extract", "reports.csv", "--out", "x" * 300),
        ("labels", "extract", "reports.csv", "--out", "a\nb"),
        ("labels", "show"),
        ("labels", "show", "--out", "absent"),
        ("labels", "show", "--out", "x" * 300),
        ("labels", "explain", "--id", "7"),
        ("labels", "explain", "--vocab", "x" * 300, "LVH"),
        ("labels", "audit", "draw", "--sheet", "x" * 300),
        ("labels", "audit", "draw", "--sheet", "x" * 250),  # its key has a longer name
        ("labels", "audit", "draw", "--sheet", "a\nb"),
        ("labels", "audit", "draw", "--sheet", ""),
        ("labels", "audit", "score", "x" * 300),
        ("vocab", "init", "x" * 300),
        ("vocab", "init", "a\nb"),
        ("vocab", "init", "reports.csv/below"),
        ("vocab", "check", "x" * 300),
        ("vocab", "diff", "absent", "absent", "--html", "x" * 300),
        ("vocab", "diff", "absent", "absent", "--html", "a\nb"),
        ("vocab", "diff", "absent", "absent", "--html", "reports.csv/page.html"),
        ("--bogus",),
    ],
)
def test_wrong_commands_exit_with_2_and_change_nothing(overread, reports, tmp_path, words):
    ran = overread(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err
    assert "Traceback" not in ran.err
    assert "unexpected" not in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reports.csv"]


@pytest.mark.parametrize("html", ["x" * 300, "a\nb", "reports.csv/page.html", ""])
def test_e10_an_impossible_page_is_refused_before_the_work(overread, reports, html):
    """There is no extraction: that would be told of first where the work had begun."""
    ran = overread("vocab", "diff", "absent", "absent", "--html", html)
    assert (ran.code, ran.out) == (2, "")
    assert "extraction" not in ran.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--machine", "machin"), "nearest is 'machine'"),
        (("--keep", "town"), "no column 'town'"),
        (("--vocab", "broken"), "axis.yaml:1:"),
    ],
)
def test_data_errors_exit_with_1_and_tell_what_to_do(overread, reports, tmp_path, words, told):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "axis.yaml").write_text("labls: {}\n")
    ran = overread("labels", "extract", reports, *words)
    assert ran.code == 1
    assert told in ran.err
    assert "Traceback" not in ran.err


def test_help_and_version_exit_with_0(overread):
    for words in (
        ("--help",),
        ("--version",),
        ("labels", "--help"),
        ("labels", "extract", "--help"),
    ):
        ran = overread(*words)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out


def test_debug_shows_places_only_when_asked_for(overread):
    assert 'File "' not in overread("labels", "show").err
    assert 'File "' in overread("--debug", "labels", "show").err


def test_nothing_to_write_in_is_refused_at_once(overread, reports, monkeypatch):
    """Nobody can make a folder in /proc, not even root."""
    monkeypatch.chdir("/proc")
    ran = overread("labels", "extract", reports)
    assert (ran.code, ran.out) == (2, "")
    assert "Next step" in ran.err
    assert "Traceback" not in ran.err


def test_c07_works_without_home_cache_or_locale(process, reports, tmp_path):
    ran = process(
        "labels", "extract", reports, HOME=None, XDG_CACHE_HOME=None, XDG_CONFIG_HOME=None,
        LC_ALL="C", LANG=None, TERM=None, TMPDIR="/nonexistent",
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["overread-out", "reports.csv"]


NO_NETWORK = """
import socket, sys

def refuse(*_, **__):
    raise AssertionError("a socket was asked for")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
events = []
sys.addaudithook(lambda event, _: events.append(event) if event.startswith("socket.") else None)
from overread.cli.main import main
for words in ("labels extract reports.csv", "labels show", "vocab check"):
    sys.argv = ["overread", *words.split()]
    try:
        main()
    except SystemExit as stop:
        print("code", stop.code, "events", events)
"""


def test_c07_no_command_uses_the_network(reports, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", NO_NETWORK],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    ended = [line for line in done.stdout.splitlines() if line.startswith("code ")]
    assert ended == ["code 0 events []"] * 3, done.stderr


LIMITED = """
import resource, signal, sys
from pathlib import Path
from overread.cli.main import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
sys.argv = ["overread", *sys.argv[1:]]
def files():
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
before = files()
for limit in (0, 2 << 10, 5 << 10):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    try:
        main()
    except SystemExit as stop:
        print("code", stop.code, "as before", files() == before)
"""


def test_e08_e09_a_full_disk_keeps_every_old_table(overread, reports, tmp_path, hashes):
    overread("labels", "extract", reports)
    before = hashes(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "labels", "extract", str(reports), "--uncertain", "missing",
         "--overwrite"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    ended = [line for line in done.stdout.splitlines() if line.startswith("code ")]
    assert ended == ["code 1 as before True"] * 3, done.stderr
    assert done.stderr.count("disk is full") == 3
    assert "Traceback" not in done.stderr
    assert hashes(tmp_path) == before


@pytest.mark.parametrize("limit", [0, 5 << 10])
def test_e08_a_full_disk_leaves_no_part_of_a_vocabulary(overread, tmp_path, limit):
    """The first file does not fit, or a larger one."""
    code = LIMITED.replace("(0, 2 << 10, 5 << 10)", f"({limit},)")
    done = subprocess.run(
        [sys.executable, "-c", code, "vocab", "init", "mine"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.stdout == "code 1 as before True\n", done.stderr
    assert "disk is full" in done.stderr
    assert list((tmp_path / "mine").iterdir()) == []
    assert overread("vocab", "init", "mine").code == 0


STARTED = """
import sys
from overread.cli.main import main
sys.argv = ["overread", *sys.argv[1:]]
print("started", flush=True)
main()
"""


@pytest.fixture
def interrupted(tmp_path):
    """Runs a command, sends it a signal after a while; exit code and what it told."""

    def run(number: int, wait_s: float, *words: object) -> tuple[int, str]:
        running = subprocess.Popen(
            [sys.executable, "-c", STARTED, *map(str, words)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            start_new_session=True,
            # A shell's background job has Ctrl-C ignored, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline() == "started\n"
        try:
            _, told = running.communicate(timeout=wait_s)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, number)  # as a terminal does: workers hear it too
            try:
                _, told = running.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                raise
        return running.returncode, told

    return run


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_c04_a_signal_leaves_the_old_tables_or_the_new(
    overread, interrupted, tmp_path, hashes, number, code
):
    import polars as pl

    from overread.signals.synth import synthetic_reports

    pl.DataFrame(synthetic_reports(4_000, seed=5)).write_csv(tmp_path / "reports.csv")
    out = tmp_path / "overread-out" / "labels"
    words = ("labels", "extract", "reports.csv", "--overwrite", "--workers", "1")
    overread(*words, "--uncertain", "missing")
    new = {n: h for n, h in hashes(out).items() if n != "run.json"}
    overread(*words)
    old = hashes(out)
    codes = []
    for wait_s in (0.03, 0.5, 0.9):
        ended, told = interrupted(number, wait_s, *words, "--uncertain", "missing")
        codes.append(ended)
        assert ended in (0, code, -number), told
        assert "Traceback" not in told
        left = hashes(out)
        if left == old:
            assert ended == code
            continue
        assert {n: h for n, h in left.items() if n != "run.json"} == new
        overread(*words)
        old = hashes(out)
    assert code in codes


@pytest.mark.slow
def test_c04_ctrl_c_among_workers_is_quiet_and_leaves_nothing(interrupted, tmp_path):
    lines = ["id,machine"]
    for n in range(40_000):
        word = "".join(chr(ord("a") + int(digit)) for digit in f"{n:05d}")
        lines.append(f"{n},Sinus rhythm q{word}q")
    (tmp_path / "reports.csv").write_text("\n".join(lines) + "\n")
    words = ("labels", "extract", "reports.csv", "--workers", "2")
    for wait_s in (0.9, 1.3, 2.2):
        ended, told = interrupted(signal.SIGINT, wait_s, *words)
        assert ended in (0, 130, -signal.SIGINT), told  # the last: in the interpreter's own end
        assert "Traceback" not in told
        names = {path.name for path in (tmp_path / "overread-out").rglob("*") if path.is_file()}
        assert len(names) == (0 if ended == 130 else 5)


def test_output_cut_off_by_head_is_no_error(tmp_path):
    done = subprocess.run(
        f"{sys.executable} -m overread.cli.main --help | head -1",
        shell=True, capture_output=True, text=True, cwd=REPOSITORY, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_full_output_is_told_in_one_line(reports, tmp_path):
    for words in (("--version",), ("labels", "extract", str(reports)), ("vocab", "check")):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "overread.cli.main", *words],
                stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            )  # fmt: skip
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert "cannot be written: no space left on device" in line
        assert "Next step" in line


@pytest.mark.parametrize("words", [("labels", "explain", "-"), ("vocab", "try", "-")])
def test_input_that_is_not_utf8_is_refused(tmp_path, words):
    def ran(given: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "overread.cli.main", *words],
            input=given, capture_output=True, cwd=tmp_path, check=False,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "ascii"},
        )  # fmt: skip

    done = ran("Vorhofflimmern für JOHN SMITH".encode("cp1252"))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"overread: the input is not UTF-8. Next step")
    assert b"SMITH" not in done.stderr
    done = ran("\ufeffVorhofflimmern für möglich gehalten".encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"atrial_fibrillation" in done.stdout


@pytest.mark.slow
def test_memory_is_bounded_by_the_distinct_statements(tmp_path):
    """T25: sixty thousand pairs; the bound is far above what they need."""
    script = (
        "import overread\n"
        "from overread.signals.synth import synthetic_reports\n"
        "import polars as pl\n"
        "frame = pl.DataFrame(synthetic_reports(2_000, seed=1))\n"
        "frame = pl.concat([frame] * 30).with_columns(id=pl.int_range(60_000).cast(pl.String))\n"
        "print(overread.extract(frame, workers=1).labels.height)\n"
        # Not getrusage: its peak begins with that of the process that started this one.
        "status = open('/proc/self/status').read()\n"
        "print(status.split('VmHWM:')[1].split()[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    rows, peak_kib = map(int, done.stdout.split())
    assert rows == 60_000
    assert peak_kib < 2 << 20
