"""CSV and JSON hold the values, Markdown and LaTeX the words; no field can break out of either."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from overread.errors import OutputExists, UsageError
from overread.report.cells import plain, shown
from overread.report.delimited import table_to_csv
from overread.report.document import Document, Section
from overread.report.interchange import table_to_json, to_json
from overread.report.latex import escaped, table_to_latex
from overread.report.markdown import table_to_markdown, to_markdown
from overread.report.spreadsheet import neutral_text
from overread.report.table import Column, Estimate, Gap, Table
from overread.report.write import files, write
from tests.report.conftest import HOSTILE, counts_table
from tests.report.test_spreadsheet import RISKY

FINITE = st.floats(allow_nan=False, allow_infinity=False)
GAPS = st.none() | st.builds(Gap, st.text(min_size=1, max_size=8))
CELLS = {
    Column("label", "Label", "label"): st.text(max_size=12) | GAPS,
    Column("n", "N", "count"): st.integers(0, 10**12) | GAPS,
    Column("pct", "Percent", "percent", sign="+"): FINITE | GAPS,
    Column("kappa", "Kappa", "number", interval=True): st.builds(Estimate, FINITE, FINITE, FINITE)
    | GAPS,
}
TABLES = st.lists(st.tuples(*CELLS.values()), max_size=5).map(
    lambda rows: Table("t", "Title", tuple(CELLS), tuple(rows))
)


def parsed(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(TABLES)
def test_csv_gives_the_values_back(table):
    head, *rows = parsed(table_to_csv(table))
    assert head == ["label", "n", "pct", "kappa", "kappa_low", "kappa_high"]
    assert len(rows) == len(table.rows)
    for row, cells in zip(rows, table.rows, strict=True):
        label, n, percent, kappa = cells
        assert row[0] == (
            "" if label is None else plain(neutral_text(getattr(label, "why", label)))
        )
        for text, cell in zip(row[1:3], (n, percent), strict=True):
            if isinstance(cell, Gap):
                assert text == plain(neutral_text(cell.why))
            else:
                assert cell == (None if text == "" else float(text))
        if isinstance(kappa, Estimate):
            assert tuple(map(float, row[3:])) == kappa
        else:
            assert row[3:] == [plain(neutral_text(kappa.why)) if kappa else "", "", ""]


@given(TABLES)
def test_json_gives_the_values_back(table):
    told = json.loads(table_to_json(table))
    keys = [column["key"] for column in told["columns"]]
    assert keys == ["label", "n", "pct", "kappa"]
    gaps = {(gap["row"], gap["key"]): Gap(gap["why"]) for gap in told["gaps"]}
    rows = [
        tuple(
            gaps.get((number, key))
            or (Estimate(**row[key]) if isinstance(row[key], dict) else row[key])
            for key in keys
        )
        for number, row in enumerate(told["rows"])
    ]
    assert rows == list(table.rows)
    assert (told["name"], told["title"], told["notes"]) == ("t", "Title", [])


def test_e01_csv_has_bare_numbers_and_no_formula():
    first, *_, last = parsed(table_to_csv(counts_table()))[1:]
    assert first[:2] == ["Sinus Rhythm", "1826249"]
    assert [float(text) for text in first[2:4]] == [100 * 33115 / 1826249, 100 * 10733 / 1826249]
    assert first[4:] == ["0.5", "0.45", "0.55", "1e-09", ""]
    assert last == ["RVH", "0", "n/a (0 machine)", "<11", "not estimable", "", "", "1.0", "'-3 mm"]


def test_e01_no_text_field_of_csv_opens_like_a_formula(hostile):
    for _, content in files(hostile, "csv"):
        for row in parsed(content.decode()):
            assert not any(cell.startswith(RISKY) for cell in row)


def test_negative_numbers_are_numbers_and_zero_has_no_sign():
    table = Table("t", "T", (Column("k", "K", "number"),), ((-0.5,), (-0.0,)))
    assert table_to_csv(table) == "k\n-0.5\n0\n"
    assert [row["k"] for row in json.loads(table_to_json(table))["rows"]] == [-0.5, 0]


def test_numpys_floats_are_written_like_any_other():
    table = Table("t", "T", (Column("k", "K", "number"),), ((np.float64(0.25),),))
    assert table_to_csv(table) == "k\n0.25\n"
    assert json.loads(table_to_json(table))["rows"] == [{"k": 0.25}]


def test_json_of_a_document_holds_tables_whole_and_figures_in_words(document):
    told = json.loads(to_json(document))
    assert told["facts"] == [{"name": "ECGs", "value": "2,000,000"}]
    (table,) = told["sections"][0]["tables"]
    assert table == json.loads(table_to_json(counts_table()))
    assert [figure["name"] for figure in told["sections"][0]["figures"]] == [
        "changes", "kappas", "flows", "years",
    ]  # fmt: skip


def markdown_tokens(text: str):
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or ()


def test_markdown_table_is_read_by_a_parser_as_the_same_cells():
    table = counts_table()
    tokens = list(markdown_tokens(table_to_markdown(table)))
    cells = [
        "".join(child.content for child in inline.children)
        for opening, inline in pairwise(tokens)
        if opening.type == "td_open"
    ]
    assert cells == [
        shown(column, cell)
        for row in table.rows
        for column, cell in zip(table.columns, row, strict=True)
    ]
    aligned = [token.attrs["style"] for token in tokens if token.type == "th_open"]
    assert aligned == ["text-align:left"] + ["text-align:right"] * 5 + ["text-align:left"]
    assert "strong_open" in {token.type for token in tokens}


def test_e04_markdown_shows_hostile_words_and_obeys_none(hostile):
    tokens = list(markdown_tokens(to_markdown(hostile)))
    kinds = {token.type for token in tokens}
    assert not kinds & {"html_block", "html_inline", "link_open", "code_inline", "fence"}
    # Only our own figures are images.
    images = [token.attrs["src"] for token in tokens if token.type == "image"]
    assert images == ["changes.svg", "kappas.svg", "flows.svg", "years.svg"]
    headings = [
        "".join(child.content for child in inline.children)
        for opening, inline in pairwise(tokens)
        if opening.type == "heading_open" and opening.tag == "h2"
    ]
    assert headings == [plain(text).strip() for text in HOSTILE]


def test_paragraph_of_markdown_that_opens_like_a_list_stays_a_paragraph():
    openings = ("- a", "1. b", "2) c", "+ d", "--- e", "===", "> f", "# g", "    h")
    text = to_markdown(Document("T", sections=(Section("S", openings),)))
    blocks = [t for t in MarkdownIt("commonmark").parse(text) if t.type != "inline"]
    assert {block.tag for block in blocks} == {"h1", "h2", "p"}
    told = [t.content for t in markdown_tokens(text) if t.type == "inline"][2:]
    assert [line.replace("\\", "") for line in told] == [line.strip() for line in openings]


def test_e06_latex_specials_are_escaped():
    assert escaped(r"& % _ # $ { } ~ ^ \ ") == (
        r"\& \% \_ \# \$ \{ \} \textasciitilde{} \textasciicircum{} \textbackslash{} "
    )
    assert escaped("−0.5 -- a<b [x] 中") == (
        r"$-$0.5 {-}{-} a\textless{}b {[}x] {[}U+4E2D]"
    )  # fmt: skip


@given(st.text())
def test_e06_latex_text_has_balanced_braces_and_no_command_of_its_own(text):
    done = escaped(text)
    bare = re.sub(r"\\[&%_#${}]", "", done)
    assert set(re.findall(r"\\[A-Za-z]+", bare)) <= {
        "\\textbackslash", "\\textasciitilde", "\\textasciicircum", "\\textless", "\\textgreater",
        "\\textbar", "\\textasciigrave", "\\dots", "\\leq", "\\geq", "\\rightarrow", "\\kappa",
        "\\mu",
    }  # fmt: skip
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not set("&%_#^") & set(bare)
    assert all(ord(letter) < 256 for letter in done)


def test_latex_table_has_the_rules_and_marks_of_a_paper():
    text = table_to_latex(counts_table())
    assert text.startswith("\\begin{table}\n\\centering\n\\caption{Machine against over{-}read}")
    assert "\\label{tab:table_a1}" in text
    assert "\\begin{tabular}{lrrrrrl}" in text
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    assert r"Sinus Rhythm & 1,826,249 & +1.81\% & $-$0.59\% & \textbf{0.50 {[}0.45, 0.55]}" in text
    assert r"\underline{0.50 {[}0.45, 0.55]}" in text
    assert r"& \textless{}~0.001 &" in text
    assert "Percent of the machine's count." in text


def test_latex_table_longer_than_a_page_may_break():
    table = Table("t", "T", (Column("n", "N", "count"),), tuple((n,) for n in range(60)))
    text = table_to_latex(table)
    assert r"\begin{longtable}{r}" in text
    assert r"\endhead" in text
    assert r"\begin{table}" not in text


@pytest.mark.parametrize("kind", ["document", "hostile"])
def test_e06_latex_compiles(kind, request, tmp_path):
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed")
    document = request.getfixturevalue(kind)
    latin = "".join(map(chr, (*range(32, 127), *range(160, 256))))
    long = Table(
        "long",
        latin,
        (Column("a", latin, "text"), *(Column(f"n{n}", f"N & {n}", "count") for n in range(10))),
        tuple((latin, *range(10)) for _ in range(60)),
        (latin,),
    )
    document = Document(
        document.title,
        document.facts,
        (*document.sections, Section(latin, (latin,), (long,))),
        document.footer,
    )
    write(document, tmp_path, "latex")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_d02_the_same_document_gives_the_same_bytes(document):
    for format in ("html", "json", "csv"):
        assert list(files(document, format)) == list(files(document, format))


def test_write_names_each_file_and_refuses_to_replace(document, tmp_path):
    write(document, tmp_path, "html", "csv", "md")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "report.html", "table_a1.csv", "report.md",
        "changes.svg", "kappas.svg", "flows.svg", "years.svg",
    }  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(OutputExists):
        write(document, tmp_path, "html")
    assert (tmp_path / "report.html").read_bytes() == before


@pytest.mark.parametrize("name", ["../x", "a b", "", "ä", "a/b", "report"])
def test_names_that_are_no_plain_file_names_are_refused(name):
    table = Table(name, "T", (Column("n", "N", "count"),), ())
    with pytest.raises(UsageError, match="plain name"):
        Document("T", sections=(Section("S", items=(table,)),))
