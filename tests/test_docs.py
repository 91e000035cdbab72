"""The documentation says what the program does: examples run, pages are current, links lead on."""

from __future__ import annotations

import importlib.util
import re
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from overread.text.labeler import Labeler

ROOT = Path(__file__).resolve().parents[1]
SENTENCES = "| report says | label | state |"


def _generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


generate = _generator()
DOORS = generate.PAGES
COMMANDS = dict(generate.commands())
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("vocab/*.md")]
    if path.is_file()
)


def read(name: str | Path) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pinned(package: str) -> bool:
    """Whether the version installed is the one that the pages were made with."""
    return f"{package}=={version(package)}" in read("constraints.txt").split()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_is_in_the_command_page(name):
    command = COMMANDS[name]
    assert command.help, f"{name} has no help"
    for parameter in command.params:
        assert parameter.help, f"{name}: {parameter.name} has no help"
    page = read("docs/commands.md")
    assert re.search(rf"^#+ {re.escape(name)}$", page, re.M), "run make docs"
    assert f"Usage: {name} " in page, "run make docs"


def test_the_command_page_is_the_help_of_now():
    if not pinned("typer"):
        pytest.skip("another version of typer words usage lines differently")
    assert read("docs/commands.md") == generate.commands_page(), "run make docs"


def test_the_reference_is_made_from_the_docstrings_of_now():
    assert read("docs/reference.md") == generate.reference_page(), "run make docs"


@pytest.mark.parametrize(
    "name", [name for name, command in COMMANDS.items() if not hasattr(command, "commands")]
)
def test_every_command_is_shown_to_somebody(name):
    assert any(name in read(door) for door in DOORS)


@pytest.mark.parametrize("door", DOORS)
def test_the_examples_of_a_page_run_and_print_what_it_says(door):
    ran = list(generate.examples(read(door)))
    assert ran
    for each in ran:
        place = f"{door}:{each.line}"
        assert not each.problem, f"{place}: {each.problem}\n{each.got}"
        assert generate.alike(each.got) == generate.alike(each.written), f"{place}: run make docs"


def test_the_sentences_of_the_cardiologists_page_are_read_as_it_says():
    labeler = Labeler()
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for table in read("docs/cardiologist.md").split(SENTENCES)[1:]
        for line in table.split("\n\n")[0].splitlines()[2:]
    ]
    assert len(rows) > 20
    wrong = [row for row in rows if labeler.label(row[0]).states[row[1]] != row[2]]
    assert not wrong


def test_the_readme_names_the_two_commands_and_every_label():
    readme = read("README.md")
    assert "make demo" in readme
    assert "make test" in readme
    assert len(readme.splitlines()) <= 150
    for label in Labeler().vocabulary.labels:
        assert f"| `{label}` |" in readme


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}"
        assert file.is_relative_to(ROOT), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {target}"


def anchors(file: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
