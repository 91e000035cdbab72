"""The house has floors: a file imports from its own or a lower one, heavy packages late."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "overread"

FLOORS = (
    ("errors", "tables", "manifest", "files", "interrupt", "engine"),
    ("report", "stats"),
    ("vocab",),
    ("text",),
    ("sources",),
    ("labels", "signals"),
    ("discrepancy", "train"),
    ("evaluate",),
    ("workbench",),
    ("cli",),
)
FLOOR_OF = {name: height for height, names in enumerate(FLOORS) for name in names}
HEAVY = ("torch", "spacy", "wfdb", "matplotlib", "scipy.stats", "pandas")
#: Run where polars, spaCy and wfdb are not installed.
LEAN = ("errors", "tables", "manifest", "stats", "train", "signals/store", "signals/synth")

# The package's front door names the public classes; it loads them when they are first used.
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def named(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def imported(nodes: Iterator[ast.AST]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import among the nodes; relative ones do not occur."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def run_on_import(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs when the module is imported: no function body, nothing for type checkers only."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def belongs(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_every_file_stands_on_a_floor():
    assert FILES
    assert {named(path).split("/")[0] for path in FILES} <= set(FLOOR_OF)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_file_imports_from_its_floor_or_below(path):
    own = FLOOR_OF[named(path).split("/")[0]]
    for line, name in imported(ast.walk(ast.parse(path.read_text()))):
        parts = name.split(".")
        if parts[0] == "overread":
            assert FLOOR_OF[parts[1]] <= own, f"{named(path)}, line {line}: {name} stands higher"


@pytest.mark.parametrize("path", FILES, ids=named)
def test_heavy_packages_are_imported_where_they_are_used(path):
    # Nets and losses are torch all through: who imports them does so where they are used.
    allowed = ("torch",) if named(path).startswith("train/") else ()
    for line, name in imported(run_on_import(ast.parse(path.read_text()))):
        late = belongs(name, HEAVY) and not belongs(name, allowed)
        assert not late, f"{named(path)}, line {line}: {name} at module level"


@pytest.mark.parametrize("path", [p for p in FILES if named(p).startswith(LEAN)], ids=named)
def test_lean_files_do_without_polars_spacy_and_wfdb(path):
    for line, name in imported(ast.walk(ast.parse(path.read_text()))):
        assert not belongs(name, ("polars", "spacy", "wfdb")), f"line {line}: {name}"
