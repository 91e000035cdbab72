"""The page: no rare statement, no script, no address, groups and trend in it (FAULTS E04, P04)."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import polars as pl
import pytest

from overread.discrepancy.api import Discrepancy
from overread.labels.api import Extraction
from overread.report.write import files


@pytest.fixture(scope="module")
def found(read: Callable[..., Extraction], compare: Callable[..., Discrepancy]) -> Discrepancy:
    """11 ECGs hold the one statement, 10 the other; on either side."""
    common, rare = "Zebra pattern in V1", "Canary of Mr Smith in aVL"
    texts = [(f"Sinus rhythm\n{common}", "Sinus rhythm")] * 11
    texts += [("Sinus rhythm", f"Sinus rhythm\n{common}")] * 11
    texts += [(f"Sinus rhythm\n{rare}", "Sinus rhythm")] * 10
    texts += [("Sinus rhythm", f"Sinus rhythm\n{rare}")] * 10
    texts += [("Left ventricular hypertrophy", "Voltage criteria for Canary LVH")] * 10
    return compare(read(*texts, site=["<script>x</script>"] * len(texts)))


@pytest.mark.parametrize("format", ["html", "md", "latex", "json", "csv"])
def test_p04_statements_of_fewer_than_eleven_ecgs_are_not_shown(
    format: str, found: Discrepancy
) -> None:
    document = found.document(by=["site"], detail=True)
    written = b"".join(content for _, content in files(document, format))  # type: ignore[arg-type]
    assert b"canary" not in written.lower()
    assert b"zebra" in written.lower() or format == "latex"
    shown = found.document(with_text=True)
    written = b"".join(content for _, content in files(shown, format))  # type: ignore[arg-type]
    assert b"canary" in written.lower()


def test_p04_the_rule_is_of_ecgs_not_of_both_sides_together(
    read: Callable[..., Extraction], compare: Callable[..., Discrepancy]
) -> None:
    """Six machine texts and six over-reads of the same six ECGs: six ECGs hold it, not twelve."""
    texts = [("Sinus rhythm\nCanary sign", "Canary sign")] * 6 + [("Canary sign", "RBBB")] * 4
    assert "canary" not in compare(read(*texts)).to_html().lower()


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "data") and value:
                self.addresses.append(value)
            if name.startswith("on"):
                self.handlers.append(name)


def test_e04_the_page_holds_no_script_and_no_address(found: Discrepancy) -> None:
    html = found.to_html(by=["site"])
    page = Page()
    page.feed(html)
    assert "script" not in page.tags
    assert not page.handlers
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert "<script>x" not in html
    outside = re.findall(r"https?://[^\s\"'<>]+", html)
    assert {address for address in outside if "www.w3.org" not in address} == set()
    assert "default-src 'none'" in html


def test_groups_and_trend_stand_in_the_document(compare: Callable[..., Discrepancy]) -> None:
    frame = pl.DataFrame({
        "machine_x": [1, 1, 0, 0], "expert_x": [1, 0, 1, 0],
        "site": ["n", "n", "s", None], "year": [2019, 2020, 2019, 1900],
    })  # fmt: skip
    document = compare(frame).document(by=["site"], over="year", detail=True)
    tables = {table.name: table for table in document.tables}
    removed = {row[0]: row[1:] for row in tables["by_site_removed"].rows}
    assert removed["n"] == (2, 50.0)
    assert removed["unknown"][0] == 1
    assert removed["All ECGs"] == (4, 50.0)
    assert [figure.name for figure in document.figures][-1] == "trend"
    years = {row[0]: row[2] for row in tables["over_time"].rows}
    assert years == {"2019": 2, "2020": 1, "unknown": 1}


def test_columns_of_like_names_have_tables_of_their_own(
    compare: Callable[..., Discrepancy],
) -> None:
    frame = pl.DataFrame({
        "machine_x": [1, 1, 0, 0], "expert_x": [1, 0, 1, 0],
        "Site": ["n", "n", "s", "s"], "site": ["a", "a", "a", "b"],
    })  # fmt: skip
    document = compare(frame).document(by=["Site", "site"])
    rows = {table.name: [row[0] for row in table.rows] for table in document.tables}
    assert rows["by_site_removed"] == ["n", "s", "All ECGs"]
    assert rows["by_site_2_removed"] == ["a", "b", "All ECGs"]


def test_a_table_without_edits_says_so(compare: Callable[..., Discrepancy]) -> None:
    found = compare(pl.DataFrame({"machine_x": [1, 0], "expert_x": [1, 0]}))
    assert "No label was changed in any ECG." in found.to_html()
    assert found.flows.is_empty()
    assert found.changed_together.is_empty()


def test_frames_for_pandas(found: Discrepancy) -> None:
    frames = found.to_pandas()
    assert frames["table_a1"].loc[0, "label"] == "sinus_rhythm"
    assert len(frames["counts"]) == len(found.labels)
