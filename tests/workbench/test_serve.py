"""``overread vocab edit`` as a program: starts, answers, ends."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

from overread.cli.vocab import copy_vocabulary
from overread.vocab.load import load_vocabulary
from tests.workbench.test_effect import extracted

EDIT = [sys.executable, "-m", "overread.cli.main", "vocab", "edit", "--no-browser"]


@pytest.fixture
def folders(tmp_path):
    copy_vocabulary(tmp_path / "mine")
    extracted(tmp_path / "labels", [("LVH", "No LVH")] * 3, load_vocabulary(tmp_path / "mine"))
    return ["--vocab", str(tmp_path / "mine"), "--on", str(tmp_path / "labels")]


def test_it_prints_its_link_answers_there_and_ends_with_ctrl_c(folders):
    with subprocess.Popen(
        [*EDIT, *folders], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        link = re.search(r"http://127\.0\.0\.1:(\d+)/#([\w-]{43})$", running.stdout.readline())
        asked = http.client.HTTPConnection("127.0.0.1", int(link[1]), timeout=60)
        asked.request("GET", "/", headers={"Cookie": f"overread-{link[1]}={link[2]}"})
        answer = asked.getresponse()
        assert answer.status == 200
        assert b"3 ECGs" in answer.read()
        asked.close()
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "Decisions are kept" in out
    assert link[2] not in out


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_h04_no_option_leads_to_another_address(folders, host):
    done = subprocess.run(
        [*EDIT, *folders, "--host", host], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "--host" in done.stderr


def test_what_is_missing_is_told_before_anything_starts(folders, tmp_path):
    env = {**os.environ, "COLUMNS": "200"}
    for wrong in (["--on", str(tmp_path / "none")], ["--vocab", str(tmp_path / "labels")]):
        done = subprocess.run(
            [*EDIT, *folders, *wrong], capture_output=True, text=True, timeout=60, env=env
        )
        assert done.returncode == 2
        assert "Next step" in done.stderr
