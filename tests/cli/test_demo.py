"""The demo runs to its end, and what it tells a newcomer to type next works as printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PLAIN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}  # no environment is active


def _demo(folder: Path) -> str:
    return _said([sys.executable, "-m", "overread.cli.main", "demo"], folder)


def _said(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=900, env=PLAIN
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_demo_and_its_next_steps(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("numba")
    said = _demo(tmp_path)
    pages = re.findall(r"^  (\S+\.html)$", said, re.MULTILINE)
    assert len(pages) == 2
    for page in pages:
        assert (tmp_path / page).read_text().lower().startswith("<!doctype html>")
    lines = re.findall(r"^  (\. .+|cd .+|overread .+)$", said, re.MULTILINE)
    assert len(lines) >= 5
    told = _said(["sh", "-e", "-c", "\n".join(lines)], tmp_path)
    assert "sinus_rhythm present = 1" in told
    # A second time it finds everything made.
    assert _demo(tmp_path).count("up to date") >= 4
