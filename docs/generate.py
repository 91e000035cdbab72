"""Makes what the documentation takes from the program: ``make docs``.

``docs/commands.md`` holds every help text, ``docs/reference.md`` the docstrings of the public names
and the columns of the tables. The examples of the other pages are run, and the output under each
command is written anew. The tests make all of it again and compare.

A page's examples run from top to bottom in one new folder. The words after the language of a fence
say what it is:

    ```csv reports.csv          a file of that name (any language, but no diff)
    ```diff mine/rhythm.yaml    an edit of a file that is there by then
    ```console                  commands after "$ " with their output, exit code 0
    ```console exit 1           the same with another exit code
    ```python                   a piece of Python; a ```text right below is what it prints
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import os
import re
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ROOT / "docs" / "commands.md"
REFERENCE = ROOT / "docs" / "reference.md"
#: Pages whose examples are run.
PAGES = (
    "README.md",
    "docs/analyst.md",
    "docs/discrepancy.md",
    "docs/signals.md",
    "docs/trainer.md",
    "docs/evaluation.md",
    "docs/cardiologist.md",
    "vocab/README.md",
)
WIDTH = 100

_MADE = "<!-- Made by docs/generate.py (make docs). Do not edit. -->"
_FENCE = re.compile(r"^```(\w+)([^\n`]*)\n(.*?)^```$", re.M | re.S)
#: The public names, and of classes the methods that are meant for users.
_PUBLIC = {
    "Labeler": ("label", "pipe"),
    "Reading": (),
    "Mention": ("repair",),
    "discrepancy": (),
    "Discrepancy": (
        "agreement",
        "cases",
        "changed_together",
        "contradictions",
        "counts",
        "document",
        "edits",
        "flows",
        "hedges",
        "policies",
        "statement_cases",
        "strata",
        "table_a1",
        "to_html",
        "to_latex",
        "to_pandas",
        "transitions",
        "trend",
    ),
    "evaluate": (),
    "Evaluation": ("document", "macro", "measures", "table_1", "table_2"),
    "extract": (),
    "Extraction": ("to_pandas", "write"),
    "load_vocabulary": (),
    "open_store": (),
    "Store": ("indices", "gather", "batches", "dataset", "damaged"),
}


def commands() -> Iterator[tuple[str, Any]]:
    """Every command and group with its full name, groups before what they hold."""
    import typer

    from overread.cli.app import app

    waiting = [("overread", typer.main.get_command(app))]
    while waiting:
        name, command = waiting.pop(0)
        yield name, command
        inner = getattr(command, "commands", {})
        waiting[:0] = [(f"{name} {key}", value) for key, value in inner.items()]


def help_text(name: str, command: Any) -> str:
    """The help of a command without frames and colours, as screen readers get it."""
    command.rich_markup_mode = None
    context = command.context_class(
        command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH
    )
    text = command.get_help(context)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def commands_page() -> str:
    """The text of docs/commands.md."""
    said = (
        "What `--help` says for every command. A terminal shows the same with frames and colours."
    )
    parts = [_MADE, "# Commands", said]
    for name, command in commands():
        level = min(2 + name.count(" "), 4)
        parts += [f"{'#' * level} {name}", f"```text\n{help_text(name, command)}\n```"]
    return "\n\n".join(parts) + "\n"


_COLUMNS = {
    "labels.parquet": {
        "": "One row per ECG, in the order of the input.",
        "id": "the ECG's id, byte for byte as in the input; the row number where there is none",
        "patient_id": "the patient's id, null where there is none",
        "site": "kept columns (`--keep`) stand here under their own names",
        "<source>_<label>": "1, 0, -1 (missing by policy); null: that side has no reading",
        "<source>_state_<label>": "the state behind it, see below; null with the value",
    },
    "statements.parquet": {
        "": "One row per distinct statement: masked text and segment together.",
        "statement": "number of the statement, from 0",
        "text": "the masked text; dates and numbers have lost their digits, lengths stay",
        "segment": "the part of the report, see below",
        "n_machine": "how many machine reports hold it",
        "n_expert": "how many expert reports hold it",
    },
    "report_statements.parquet": {
        "": "One row per statement of a report.",
        "row": "row of labels.parquet, from 0",
        "source": "0 machine, 1 expert",
        "position": "place in the report, from 0",
        "statement": "number in statements.parquet",
        "start": "first character in the original report, from 0",
        "end": "the character after the last",
    },
    "evidence.parquet": {
        "": "One row per mention of a label in a distinct statement.",
        "statement": "number in statements.parquet",
        "label": "id of the label",
        "assertion": "present, uncertain, absent, past, not_assessable; described asserts nothing",
        "start": "first character in the statement, from 0",
        "end": "the character after the last",
        "phrase_id": "`label/wording` of the phrase that matched",
        "vocab_file": "file of the vocabulary in which the phrase stands",
        "vocab_line": "its line there",
        "cue": "what decided the assertion, null for a plain mention",
        "score": "100 for an exact wording, less where a misspelling was repaired",
    },
    "ranks.parquet": {
        "": "One row per distinct statement: what decides in it, so that the workbench need not "
        "label it anew. Not written as CSV.",
        "statement": "number in statements.parquet",
        "stated_<name>": "0 nothing, 1 absent, 2 past, 3 not assessable, 4 uncertain, 5 present; "
        "of labels, and of findings that cancel an implied label",
        "implied_<n>": "the same of the n-th kind of implied mention of the vocabulary",
        "found": "whether the vocabulary knows a finding in it",
        "unmatched": "whether it knows nothing in it",
        "no_reading": "whether it says that there is no reading",
        "unconfirmed": "whether it says that nobody confirmed the report",
    },
}
_STATES = {
    "unmentioned": "the report does not speak of it",
    "absent": "denied: no LVH",
    "past": "was there once and is not now: history of, has been replaced",
    "uncertain": "hedged: possible, cannot rule out",
    "present": "said plainly",
    "not_assessable": "cannot be judged: LVH cannot be determined in the presence of LBBB",
}


def reference_page() -> str:
    """The text of docs/reference.md."""
    parts = [
        _MADE,
        "<!-- fmt: off -->",
        "# Reference",
        "The public names of the package, then the tables that it writes.",
        "## Python",
    ]
    package = importlib.import_module("overread")
    for name, methods in _PUBLIC.items():
        thing = getattr(package, name)
        if inspect.ismodule(thing):  # a package that can be called
            thing = getattr(importlib.import_module(f"{thing.__name__}.api"), name)
        parts += _described(thing, f"overread.{name}", methods)
    component = importlib.import_module("overread.text.component")
    parts += [
        "### Component for spaCy",
        'Its factory: `nlp.add_pipe("overread", config={"vocab": "my-vocab"})`.',
        _prose(inspect.getdoc(component.OverreadComponent) or ""),
        _prose(inspect.getdoc(component.create_overread) or ""),
    ]
    usual = importlib.import_module("overread.sources.columns").USUAL
    parts += [
        "## Tables",
        *_tables(),
        "## Column names that are found by themselves",
        "Capitals do not matter, and blanks and hyphens count as `_`. Any other name is given by "
        "`--id`, `--patient`, `--machine` or `--expert`.",
        "\n".join(
            f"- {role}: {', '.join(f'`{n}`' for n in names)}" for role, names in usual.items()
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _described(thing: Any, name: str, methods: tuple[str, ...]) -> list[str]:
    parts = [f"### {name}", _signature(thing, name), _prose(inspect.getdoc(thing) or "")]
    for key in methods:
        member, shown = inspect.getattr_static(thing, key), f"{name}.{key}"
        if isinstance(member, property | cached_property):
            parts.append(f"#### {shown} (property)")
        else:
            parts += [f"#### {shown}", _signature(member, shown)]
        parts.append(_prose(inspect.getdoc(member) or ""))
    return parts


def _signature(thing: Any, name: str) -> str:
    given = inspect.signature(thing)
    said = []
    starred = False
    for parameter in given.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            said.append("*")
            starred = True
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        said.append(f"{parameter.name}: {_plain(parameter.annotation)}{default}")
    out = given.return_annotation
    back = "" if inspect.isclass(thing) or out in (None, "None") else f" -> {_plain(out)}"
    line = f"{name}({', '.join(said)}){back}"
    if len(line) > 90:
        line = f"{name}(\n" + "".join(f"    {each},\n" for each in said) + f"){back}"
    return f"```python\n{line}\n```"


def _plain(annotation: Any) -> str:
    text = getattr(annotation, "__forward_arg__", annotation)
    return text if isinstance(text, str) else inspect.formatannotation(text)


def _prose(doc: str) -> str:
    """A docstring as Markdown: examples become code blocks, double backticks single ones."""
    parts = []
    for part in re.split(r"\n\s*\n", doc):
        if part.lstrip().startswith(">>>"):
            parts.append(f"```pycon\n{part}\n```")
        else:
            parts.append(part.replace("``", "`"))
    return "\n\n".join(parts)


def _tables() -> list[str]:
    import polars as pl

    from overread.labels.extract import extract_tables
    from overread.sources.open import from_frame
    from overread.tables import POLICIES, STATE_CODES
    from overread.text.labeler import Labeler, value_of
    from overread.text.segments import SEGMENTS

    frame = pl.DataFrame(
        {"id": ["1"], "patient_id": ["1"], "machine": ["LVH"], "expert": ["LVH"], "site": ["A"]}
    )
    source, schemas = from_frame(frame, keep=["site"]), dict[str, Any]()
    summary = extract_tables(
        source, Labeler(), lambda table, piece: schemas.setdefault(table, piece.schema), workers=1
    )
    labels = list(summary.labels)
    out: list[str] = []
    for file, said in _COLUMNS.items():
        rows = _table_rows(schemas[file], labels)
        if list(rows) != [name for name in said if name]:
            raise SystemExit(f"{file} has other columns than docs/generate.py describes")
        lines = ["| column | type | holds |", "| --- | --- | --- |"]
        lines += [f"| `{name}` | {kind} | {said[name]} |" for name, kind in rows.items()]
        out += [f"### {file}", said[""], "\n".join(lines)]
    out += [
        "`<source>` is `machine` or `expert`; a side without a column in the input has none here. "
        "`<label>` is one of: " + ", ".join(f"`{label}`" for label in labels) + ".",
        "### States",
        "The value is made from the state by the policy for uncertain mentions (`--uncertain`, or "
        "`uncertain` of the label in the vocabulary).",
    ]
    lines = [
        "| code | state | means | " + " | ".join(POLICIES) + " |",
        "| --- | --- | --- |" + " --- |" * len(POLICIES),
    ]
    for state, code in STATE_CODES.items():
        values = " | ".join(str(value_of(state, policy)) for policy in POLICIES)
        lines.append(f"| {code} | {state} | {_STATES[state]} | {values} |")
    out += ["\n".join(lines), "### Segments", ", ".join(f"`{name}`" for name in SEGMENTS) + "."]
    return out


def _table_rows(schema: Any, labels: list[str]) -> dict[str, str]:
    """Columns and types, those of all labels and sources as one pattern each."""
    patterns = {
        rf"^(?:machine|expert)(_state)?_(?:{'|'.join(labels)})$": r"<source>\1_<label>",
        r"^stated_.*": "stated_<name>",
        r"^implied_\d+$": "implied_<n>",
    }
    rows = {}
    for name, kind in schema.items():
        for pattern, shown in patterns.items():
            name = re.sub(pattern, shown, name)
        rows[name] = str(kind)
    return rows


@dataclass(frozen=True)
class Ran:
    """One example: where its output stands in the page, what stands there and what came out."""

    start: int
    end: int
    line: int
    written: str
    got: str
    problem: str = ""


def examples(page: str) -> Iterator[Ran]:
    """Runs the examples of a page in a new folder and yields each that has output."""
    names: dict[str, Any] = {"__name__": "example"}
    printed: str | None = None
    end = 0
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), _plain_terminal():
        for fence in _FENCE.finditer(page):
            language, rest, body = fence[1], fence[2].split(), fence[3]
            line = page.count("\n", 0, fence.start()) + 1
            if printed is not None and language == "text" and not page[end : fence.start()].strip():
                yield Ran(fence.start(3), fence.end(3), line, body, printed)
            printed, end = None, fence.end()
            if language == "console":
                got, codes = _session(body)
                wanted = int(rest[1]) if rest else 0
                wrong = f"exit codes {codes}, not {wanted}" if set(codes) != {wanted} else ""
                yield Ran(fence.start(3), fence.end(3), line, body, got, wrong)
            elif language == "python":
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    exec(compile(body, f"line {line}", "exec"), names)
                printed = out.getvalue()
            elif language == "diff":
                _edit(Path(rest[0]), body)
            elif rest:
                Path(rest[0]).parent.mkdir(parents=True, exist_ok=True)
                Path(rest[0]).write_text(body, encoding="utf-8")


def refreshed(page: str) -> str:
    """The page with the output of its examples as it is now."""
    for ran in reversed(list(examples(page))):
        if ran.problem:
            raise SystemExit(f"line {ran.line}: {ran.problem}\n{ran.got}")
        if _untimed(ran.got) != _untimed(ran.written):
            page = page[: ran.start] + ran.got + page[ran.end :]
    return page


def _session(body: str) -> tuple[str, list[int]]:
    """The commands of a block with what they print now, and their exit codes."""
    blocks, codes = [], []
    for line in re.findall(r"^\$ (.+)$", body, re.M):
        said, code = command_output(shlex.split(line))
        blocks.append(f"$ {line}\n{said}")
        codes.append(code)
    return "\n".join(blocks), codes


def command_output(argv: list[str]) -> tuple[str, int]:
    """What ``overread ...`` prints, on both streams, and its exit code."""
    from overread.cli.main import main

    if argv[0] != "overread":
        raise SystemExit(f"only overread is run in console blocks, not {argv[0]}")
    out, code = io.StringIO(), None
    before, sys.argv = sys.argv, argv
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            main()
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.argv = before
        signal.signal(signal.SIGTERM, handler)
    lines = [line.rstrip() for line in out.getvalue().rstrip().splitlines()]
    return "".join(f"{line}\n" for line in lines), code if isinstance(code, int) else 0


def _edit(path: Path, diff: str) -> None:
    """Applies an edit: the lines without "+" are looked for, those without "-" take their place."""
    lines = diff.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise SystemExit(f"the edit of {path} fits {text.count(old)} places:\n{diff}")
    path.write_text(text.replace(old, new), encoding="utf-8")


@contextlib.contextmanager
def _plain_terminal() -> Iterator[None]:
    """100 columns, no colours, and the shipped vocabulary."""
    before = dict(os.environ)
    for name in ("FORCE_COLOR", "OVERREAD_VOCAB", "OVERREAD_DEBUG", "TTY_COMPATIBLE"):
        os.environ.pop(name, None)
    os.environ.update(COLUMNS=str(WIDTH), NO_COLOR="1", TERM="dumb")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def alike(text: str) -> str:
    """Output without what may differ from run to run or with the next phrase of the vocabulary."""
    text = _untimed(text)
    text = re.sub(r"(\.yaml:)\d+(:\d+)?", r"\1N", text)
    text = re.sub(r"\d+ (phrases|examples run|notes)", r"N \1", text)
    text = re.sub(r"\(sheet [0-9a-f]{8}", "(sheet N", text)
    return re.sub(r"[ ─\n]+", " ", text).strip()


def _untimed(text: str) -> str:
    return re.sub(r"in \d+\.\d s\b", "in N s", text)


def main() -> None:
    """Writes the generated pages and refreshes the examples of the others."""
    pages = {COMMANDS: commands_page(), REFERENCE: reference_page()}
    pages |= {ROOT / door: refreshed((ROOT / door).read_text(encoding="utf-8")) for door in PAGES}
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
