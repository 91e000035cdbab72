"""The atomic writer and the path checks: E07 to E10, T26, and private modes (C06)."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from overread.errors import BadRecord, Busy, OutputExists, OverreadError, TableError, UsageError
from overread.files import (
    atomic_open,
    atomic_path,
    atomic_write,
    fingerprint,
    fingerprint_files,
    input_file,
    listing,
    locked,
    output_file,
    output_folder,
    read_whole,
    unchanged,
)

LONG = "x" * 300


def left_in(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_content_arrives_whole_and_private(tmp_path):
    target = tmp_path / "new" / "deeper" / "a.csv"
    atomic_write(target, b"done")
    assert target.read_bytes() == b"done"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert stat.S_IMODE(target.parent.stat().st_mode) == 0o700
    assert left_in(target.parent) == ["a.csv"]


def test_writers_of_libraries_leave_private_files(tmp_path):
    with atomic_path(tmp_path / "a.parquet") as temporary:
        temporary.unlink()  # a library may make its own file
        pl.DataFrame({"a": [1]}).write_parquet(temporary)
    assert stat.S_IMODE((tmp_path / "a.parquet").stat().st_mode) == 0o600
    assert pl.read_parquet(tmp_path / "a.parquet").height == 1


def test_e07_existing_output_needs_overwrite(tmp_path):
    target = tmp_path / "a.csv"
    target.write_bytes(b"old")
    with pytest.raises(OutputExists, match="--overwrite"):
        atomic_write(target, b"new")
    assert target.read_bytes() == b"old"
    atomic_write(target, b"new", overwrite=True)
    assert target.read_bytes() == b"new"
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        atomic_write(tmp_path / "folder", b"", overwrite=True)


def test_e07_output_made_meanwhile_is_kept(tmp_path):
    target = tmp_path / "a.csv"

    def write() -> None:
        with atomic_open(target) as file:
            file.write(b"mine")
            target.write_bytes(b"theirs")

    with pytest.raises(OutputExists):
        write()
    assert target.read_bytes() == b"theirs"
    assert left_in(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_failure_keeps_the_old_file_and_leaves_nothing(tmp_path, error):
    target = tmp_path / "a.csv"
    target.write_bytes(b"old")

    def write() -> None:
        with atomic_open(target, overwrite=True) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert target.read_bytes() == b"old"
    assert left_in(tmp_path) == ["a.csv"]


SCRIPT = """
import resource, signal, sys
from pathlib import Path
import numpy, polars as pl
from overread.errors import OverreadError
from overread.files import atomic_open, atomic_path

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, kind = Path(sys.argv[1]), sys.argv[2]
numbers = numpy.random.default_rng(0).integers(0, 2**60, 4_000)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
for limit in map(int, sys.argv[3:]):
    target = folder / str(limit)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    try:
        if kind == "open":
            with atomic_open(target, overwrite=True) as file:
                for number in numbers:
                    file.write(b"%d\\n" % number)
        else:
            with atomic_path(target, overwrite=True) as temporary:
                frame = pl.DataFrame({"JOHN SMITH": numbers})
                frame.write_parquet(temporary) if kind == "parquet" else frame.write_csv(temporary)
    except OverreadError as error:
        print("failed:", error)
"""


@pytest.mark.parametrize("kind", ["open", "parquet", "csv"])
def test_e08_e09_full_disk_at_any_write_keeps_the_old_file(tmp_path, kind):
    *short, enough = targets = [
        tmp_path / str(limit) for limit in (0, 4 << 10, 8 << 10, 20 << 10, 30 << 10, 1 << 20)
    ]
    for target in targets:
        target.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path, kind, *(target.name for target in targets)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        check=True,
    )
    assert left_in(tmp_path) == sorted(target.name for target in targets)
    assert done.stdout.count("failed:") == len(short)
    assert done.stdout.count("the disk is full or a size limit is reached") == len(short)
    assert done.stdout.count("Next step: free space") == len(short)
    assert "JOHN SMITH" not in done.stdout + done.stderr
    assert [target.read_bytes() for target in short] == [b"old"] * len(short)
    assert enough.stat().st_size > 20_000


@pytest.mark.parametrize("name", [LONG, "a\nb", "a\x00b", ""])
def test_e10_impossible_names_are_refused_first(tmp_path, name):
    path = f"{tmp_path}/{name}" if name else ""
    with pytest.raises(UsageError, match="Next step"):
        atomic_write(path, b"")
    with pytest.raises(UsageError, match="Next step"):
        output_folder(path)
    with pytest.raises(UsageError, match="Next step"):
        output_file(path, overwrite=True)
    assert left_in(tmp_path) == []


def test_e10_folder_that_is_a_file_or_read_only_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/none")):
        with pytest.raises(UsageError, match="Next step"):
            output_folder(folder)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if not os.access(locked, os.W_OK):  # root may write anyway
        with pytest.raises(UsageError, match="permission"):
            output_folder(locked)


def test_input_file_takes_regular_files_only(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none", tmp_path, tmp_path / "pipe", Path("/dev/zero"), LONG, "a\nb"):
        with pytest.raises(UsageError, match="Next step"):
            input_file(path)
    (tmp_path / "a").write_text("x")
    assert input_file(str(tmp_path / "a")) == tmp_path / "a"


def test_fingerprint_is_the_hash_of_the_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    one = fingerprint(path)
    assert one.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (one.name, one.size, one.mtime_ns) == ("a", 3_000_000, path.stat().st_mtime_ns)


def test_fingerprint_of_files_depends_on_names_and_contents(tmp_path):
    def mark() -> str:
        return fingerprint_files("folder", listing(tmp_path, ".x")).sha256

    (tmp_path / "a.x").write_text("1")
    (tmp_path / "b.x").write_text("2")
    before = mark()
    (tmp_path / "b.x").rename(tmp_path / "c.x")
    assert mark() != before
    (tmp_path / "c.x").rename(tmp_path / "b.x")
    assert mark() == before


def test_t26_unchanged_compares_content(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("one")
    with unchanged(path) as before:
        assert before.size == 3

    def replace() -> None:
        with unchanged(path):
            times = path.stat()
            path.write_text("two")
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    with pytest.raises(TableError, match=r"a\.csv changed while it was read"):
        replace()
    with pytest.raises(TableError, match="changed"), unchanged(path):
        path.unlink()


def test_an_error_while_reading_is_not_hidden_by_the_check(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("one")

    def fail() -> None:
        with unchanged(path):
            path.write_text("two")
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fail()


def test_c08_listing_is_sorted_and_skips_links_and_other_files(tmp_path):
    for name in ("b.XML", "a.xml", "c.txt", "sub/d.xml", "a2/e.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    os.mkfifo(tmp_path / "pipe.xml")
    (tmp_path / "link.xml").symlink_to(tmp_path / "a.xml")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in listing(tmp_path, ".xml")]
    assert found == ["a.xml", "a2/e.xml", "b.XML", "sub/d.xml"]


def test_read_whole_names_no_file(tmp_path):
    path = tmp_path / "JOHN SMITH.xml"
    path.write_text("0123456789")
    assert read_whole(path, limit=10) == b"0123456789"
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    for odd, limit in ((path, 9), (tmp_path / "link", 99), (tmp_path / "pipe", 99)):
        with pytest.raises(BadRecord) as caught:
            read_whole(odd, limit=limit)
        assert "JOHN" not in str(caught.value)


def test_other_errors_of_the_block_pass_unchanged(tmp_path):
    with pytest.raises(OverreadError, match="mine"), atomic_path(tmp_path / "a"):
        raise OverreadError("mine (os error 28)")


def test_c01_a_folder_is_held_by_one_run_at_a_time(tmp_path):
    with locked(tmp_path), pytest.raises(Busy, match="another run"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


HOLDS = """
import sys
from pathlib import Path
from overread.files import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_c01_the_run_that_holds_a_folder_is_named(tmp_path):
    """Another process holds it, and is killed: its note does not outlive the next run."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline() == "held\n"
        with pytest.raises(Busy) as caught, locked(tmp_path):
            pass
        running.kill()
    holder = f"run {running.pid} on host {os.uname().nodename} holds it since "
    told = re.escape(f"another run is writing into this folder: {holder}")
    assert re.search(rf"{told}20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\. Next", str(caught.value))
    with locked(tmp_path):
        [note] = tmp_path.iterdir()
        assert stat.S_IMODE(note.stat().st_mode) == 0o600
        assert f"run {os.getpid()} " in note.read_text()
    assert left_in(tmp_path) == []


def test_a_killed_run_leaves_nothing_behind_for_the_next(tmp_path):
    (tmp_path / ".overread-0a1b2c.tmp").write_text("half a table")
    with locked(tmp_path):
        assert not (tmp_path / ".overread-0a1b2c.tmp").exists()
    assert left_in(tmp_path) == []


def test_missing_parents_are_private_too(tmp_path):
    output_folder(tmp_path / "out" / "labels")
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
