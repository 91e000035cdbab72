"""The page is one file that runs and loads nothing, whatever the words in it; it reads aloud."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from overread.report.cells import plain, shown
from overread.report.html import templates
from overread.report.page import to_html
from tests.report.conftest import HOSTILE, counts_table

ROOT = Path(__file__).resolve().parents[2]
VOID = {"meta", "img", "br", "hr", "input", "link"}


class Page(HTMLParser):
    """Every element with its attributes and the text right inside it; nesting is checked."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[tuple[str, list[str]]] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        words: list[str] = []
        self.elements.append((tag, dict(attributes), words))
        if tag not in VOID:
            self._open.append((tag, words))

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        for _, words in self._open:
            words.append(data)

    def texts(self, tag: str) -> list[str]:
        return ["".join(words).strip() for name, _, words in self.elements if name == tag]


@pytest.mark.parametrize("kind", ["document", "hostile"])
def test_e04_the_page_runs_and_loads_nothing(kind, request):
    page = Page(to_html(request.getfixturevalue(kind)))
    ours = {
        "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav",
        "section", "h1", "h2", "h3", "p", "ol", "li", "a", "dl", "dt", "dd", "div", "span",
        "figure", "figcaption", "strong", "u", "table", "caption", "thead", "tbody", "tr", "th",
        "td", "svg", "g", "path", "defs", "clippath", "rect", "text", "use",
    }  # fmt: skip
    for tag, attributes, _ in page.elements:
        assert tag in ours
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src", "xlink:href", "action", "data"):
                assert value.startswith("#")
            if name in ("style", "clip-path", "fill"):
                assert "http" not in value
    policies = [a["content"] for tag, a, _ in page.elements if "http-equiv" in a]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_e04_a_plain_page_names_no_address(document):
    text = to_html(document)
    assert "http" not in text.replace("http-equiv", "")
    assert "@import" not in text
    assert "url(" not in text.replace("url(#", "")


def test_e04_hostile_words_are_shown_as_they_are(hostile):
    page = Page(to_html(hostile))
    assert page.texts("h2") == [plain(text).strip() for text in HOSTILE]
    assert page.texts("h1") == [plain(" ".join(HOSTILE)).strip()]
    assert set(map(plain, HOSTILE)) <= {*page.texts("th"), *(t + " " for t in page.texts("th"))}


def test_table_is_made_for_screen_readers():
    table = counts_table()
    page = Page(templates().get_template("table.html").render(table=table))
    assert page.texts("caption") == ["Machine against over-read"]
    scopes = [attributes.get("scope") for tag, attributes, _ in page.elements if tag == "th"]
    assert scopes == ["col"] * 7 + ["row"] * 4
    assert page.texts("td") == [
        shown(column, cell)
        for row in table.rows
        for column, cell in zip(table.columns[1:], row[1:], strict=True)
    ]
    assert page.texts("strong") == ["0.50 [0.45, 0.55]"]
    assert page.texts("u") == ["0.50 [0.45, 0.55]"]
    gaps = ["".join(w) for _, attributes, w in page.elements if attributes.get("class") == "gap"]
    assert gaps == ["n/a (0 machine)", "<11", "not estimable"]


def test_figures_have_words_for_those_who_do_not_see_them(document):
    page = Page(to_html(document))
    said = [attributes["aria-label"] for _, attributes, _ in page.elements if "role" in attributes]
    assert said == [figure.alt for figure in document.figures]
    assert len(page.texts("figcaption")) == 4


def test_every_id_stands_once_and_every_link_leads_somewhere(document):
    page = Page(to_html(document))
    ids = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes, _ in page.elements if tag == "a"]
    assert links == ["#section-1", "#section-3"]
    used = [a["href"] for tag, a, _ in page.elements if tag == "use"]
    assert {link[1:] for link in (*links, *used)} <= set(ids)


def test_a_name_that_is_missing_in_a_template_is_an_error():
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        templates().from_string("{{ no_such_name }}").render()


def test_templates_are_in_the_package():
    folder = ROOT / "overread" / "report" / "templates"
    assert {path.name for path in folder.iterdir()} == {"page.html", "page.css", "table.html"}


BYTES = """
import hashlib, locale, sys
sys.path.insert(0, {root!r})
try:
    locale.setlocale(locale.LC_ALL, "")
except locale.Error:
    pass
from overread.report.document import Document, Section
from overread.report.write import files
from tests.report.conftest import counts_table, figures_of
document = Document("T", sections=(Section("S", (), (counts_table(), *figures_of(("a", "b", "c")))),))
digest = hashlib.sha256()
for format in ("html", "md", "latex", "json", "csv"):
    for name, content in files(document, format):
        digest.update(name.encode() + content)
for figure in document.figures:
    digest.update(figure.png(50))
print(digest.hexdigest())
"""  # noqa: E501


def test_d05_locale_time_zone_hash_seed_and_matplotlibrc_change_no_byte(tmp_path):
    (tmp_path / "matplotlibrc").write_text(
        "axes.facecolor: red\nfont.size: 20\nsvg.fonttype: path\n"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", BYTES.format(root=str(ROOT))],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        for environment in (
            {"LC_ALL": "C", "TZ": "UTC", "PYTHONHASHSEED": "1"},
            {
                "LC_ALL": "de_DE.UTF-8",
                "TZ": "Asia/Tokyo",
                "PYTHONHASHSEED": "2",
                "MATPLOTLIBRC": str(tmp_path),
            },
        )
    ]
    first, second = (run.communicate()[0].strip() for run in runs)
    assert len(first) == len(hashlib.sha256().hexdigest())
    assert first == second
