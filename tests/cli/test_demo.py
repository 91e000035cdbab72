"""The demo runs to its end, and what it tells a newcomer to type next works as printed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest


def _overread(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "overread.cli.main", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_demo_and_its_next_steps(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("numba")
    said = _overread(tmp_path, "demo")
    pages = re.findall(r"^  (\S+\.html)$", said, re.MULTILINE)
    assert len(pages) == 2
    for page in pages:
        assert (tmp_path / page).read_text().startswith("<!doctype html>")
    place, *commands = re.findall(r"^  (cd .+|overread .+)$", said, re.MULTILINE)
    folder = tmp_path / place.removeprefix("cd ")
    assert len(commands) >= 3
    for command in commands:
        assert _overread(folder, *shlex.split(command)[1:])
    # A second time it finds everything made.
    assert _overread(tmp_path, "demo").count("up to date") >= 4
