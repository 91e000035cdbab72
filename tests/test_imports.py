"""Importing overread and asking for help load nothing heavy, and write nothing at all."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "spacy", "scipy.stats", "wfdb", "matplotlib", "pandas")

LOADED = """
import sys
{action}
print("loaded:", *sorted(set({heavy}) & set(sys.modules)))
"""

HELP = """
sys.argv = ["overread", *{words}]
from overread.cli.main import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""

WATCHED = """
import os, sys

seen = []

def watch(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.posix_spawn", "urllib.")):
        seen.append(event)
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.chmod"):
        seen.append(event)
    elif event == "open":
        _, mode, flags = arguments
        writes = flags & (os.O_WRONLY | os.O_RDWR) if isinstance(flags, int) else 0
        if writes or (isinstance(mode, str) and set(mode) & set("wax+")):
            seen.append(event)

sys.addaudithook(watch)
{action}
print("seen:", *seen)
"""


def last_line(script: str) -> str:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("words", [["--help"], ["labels", "extract", "--help"], ["--version"]])
def test_help_loads_no_heavy_package(words):
    action = HELP.format(words=words)
    assert last_line(LOADED.format(action=action, heavy=HEAVY)) == "loaded:"


def test_import_loads_no_heavy_package():
    assert last_line(LOADED.format(action="import overread", heavy=HEAVY)) == "loaded:"


def test_import_opens_nothing_for_writing_and_no_socket():
    assert last_line(WATCHED.format(action="import overread")) == "seen:"


def test_labelling_a_text_opens_nothing_for_writing_and_no_socket():
    action = "import overread; overread.Labeler().label('Sinus rhythm')"
    assert last_line(WATCHED.format(action=action)) == "seen:"


def test_public_names_are_listed_and_load():
    import overread

    for name in overread.__all__:
        assert name in dir(overread)
        assert getattr(overread, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        overread.no_such_name  # noqa: B018
