"""Running the command in this process or in one of its own, and looking at what it left."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from overread.cli.main import main
from overread.text.labeler import Labeler
from overread.vocab.load import load_vocabulary
from overread.vocab.model import Vocabulary

REPOSITORY = Path(__file__).resolve().parents[2]


_KEPT: dict[tuple[str, str], Labeler] = {}


def labeler_for(vocab: Vocabulary | Path | None, uncertain: str = "positive") -> Labeler:
    """Building a labeler takes a while: one for each vocabulary and policy of the session."""
    vocabulary = vocab if isinstance(vocab, Vocabulary) else load_vocabulary(vocab)
    key = vocabulary.sha256, uncertain
    return _KEPT.setdefault(key, _KEPT.get(key) or Labeler(vocabulary, uncertain))


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def overread(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Callable[..., Ran]]:
    """Runs ``overread ...`` in the temporary folder; exit code and what was printed."""
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("OVERREAD_DEBUG", "")
    monkeypatch.delenv("OVERREAD_VOCAB", raising=False)
    for module in ("run", "evidence"):
        monkeypatch.setattr(f"overread.labels.{module}.Labeler", labeler_for)

    def run(*words: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["overread", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return Ran(int(stopped.value.code or 0), printed.out, printed.err)

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., Ran]:
    """Runs ``overread ...`` in a process of its own, with changes to the environment."""

    def run(*words: object, cwd: Path = tmp_path, stdin: str = "", **changes: str | None) -> Ran:
        changed = {**os.environ, "PYTHONPATH": str(REPOSITORY), **changes}
        done = subprocess.run(
            [sys.executable, "-m", "overread.cli.main", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=cwd,
            input=stdin,
            env={name: value for name, value in changed.items() if value is not None},
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def hashes_in(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, hidden and temporary ones too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def hashes() -> Callable[[Path], dict[str, str]]:
    return hashes_in


@pytest.fixture
def modes() -> Callable[[Path], dict[str, int]]:
    """Permissions of a folder and of all in it."""

    def found(folder: Path) -> dict[str, int]:
        return {str(p): stat.S_IMODE(p.stat().st_mode) for p in (folder, *folder.rglob("*"))}

    return found


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Four pairs in a CSV file."""
    path = tmp_path / "reports.csv"
    path.write_text(
        "ecg_id,patient_id,machine,over_read,site\n"
        "007,15709.0,Sinus rhythm. Possible LVH,Sinus rhythm,North\n"
        '1e5,A,"Atrial fibrillation\nRBBB",Atrial flutter,South\n'
        "8,A,Normal ECG,,South\n"
        "9,B,Old inferior infarct,No inferior infarct,-1\n"
    )
    return path
