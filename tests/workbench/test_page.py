"""The page as a reader uses it, in a real browser, on invented reports."""

from __future__ import annotations

import json
import re
import secrets
from contextlib import contextmanager
from datetime import date

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

from overread.cli.vocab import copy_vocabulary
from overread.report import palette
from overread.text.labeler import Labeler
from overread.vocab.load import load_vocabulary
from overread.workbench import pages
from overread.workbench.decisions import Decisions
from overread.workbench.session import Session
from tests.workbench.browser import Browser, chromium
from tests.workbench.test_effect import extracted as written
from tests.workbench.test_guard import running

#: Machine and expert text, and how many ECGs have them.
REPORTS = (
    ("Sinus rhythm. LVH", "Sinus rhythm. Increased LV mass", 20),
    ("Sinus rhythm", "Sinus rhythm. Increased LV mass", 5),
    ("Sinus rhythm", "Sinus rhythm. No increased LV mass", 4),
    ("Sinus rhythm. LVH", "Sinus rhythm", 3),
    ("Atrial fibrillation", "Irregularly irregular without P waves", 14),
    ("Sinus rhythm. Normal ECG", "Sinus rhythm. Electrodes <b>misplaced</b>", 12),
    ("Sinus rhythm. Normal ECG", "Sinus rhythm. Normal ECG", 10),
)
MASS = "increased lv mass"


@pytest.fixture(scope="module")
def extraction(tmp_path_factory):
    pairs = [texts for *texts, count in REPORTS for _ in range(count)]
    return written(tmp_path_factory.mktemp("labels"), pairs, load_vocabulary())


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    program = chromium()
    if program is None:
        pytest.skip("Chromium is not installed")
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def vocabulary(tmp_path):
    copy_vocabulary(tmp_path / "vocabulary")
    return tmp_path / "vocabulary"


@contextmanager
def opened(chrome, vocabulary, extraction):
    """The address of a new session's page."""
    session = Session(vocabulary, extraction)
    token = secrets.token_urlsafe(32)
    with running(pages.application(session, token)) as port:
        yield f"http://127.0.0.1:{port}/#{token}"
        chrome.open("about:blank")
    session.close()


@pytest.fixture
def page(chrome, extraction, vocabulary):
    """A browser on the page of a new vocabulary, everything ranked and counted."""
    with opened(chrome, vocabulary, extraction) as address:
        yield visit(chrome, address)


@pytest.fixture(scope="module")
def untouched(chrome, extraction, tmp_path_factory):
    """The address of a page on which no test decides anything."""
    folder = tmp_path_factory.mktemp("untouched") / "vocabulary"
    copy_vocabulary(folder)
    with opened(chrome, folder, extraction) as address:
        yield address


@pytest.fixture
def shown(chrome, untouched):
    """A browser on that page, opened anew."""
    return visit(chrome, untouched)


def visit(chrome, address):
    chrome.open("about:blank")
    chrome.complaints.clear()
    chrome.open(address)
    settled(chrome)
    return chrome


def settled(page):
    """Waits until nothing is awaited that is worked out beside the page."""
    awaited = "[...document.querySelectorAll('[data-waiting]')].some((e) => e.dataset.waiting)"
    busy = "document.querySelector('main').ariaBusy !== 'false'"
    page.until(f"document.querySelector('.phrase-text') && !{awaited} && !({busy})")


def listed(page):
    return page.run("[...document.querySelectorAll('#rows .wording')].map((e) => e.textContent)")


def text(page, selector):
    return page.run(f"document.querySelector({json.dumps(selector)}).innerText")


def table(page, selector):
    """The cells of a table, row by row."""
    rows = f"[...document.querySelectorAll({json.dumps(selector + ' tbody tr')})]"
    return page.run(f"{rows}.map((row) => [...row.cells].map((cell) => cell.innerText))")


def pick(page, words):
    """Chooses a row by its words, by the keyboard."""
    page.press("Escape")
    page.press("/")
    page.run("document.activeElement.select()")
    page.type(words)
    page.press("Enter")
    page.until(f"document.querySelector('.phrase-text').innerText.includes({json.dumps(words)})")
    settled(page)


def initialled(page, by="AB"):
    page.press("i")
    page.run("document.activeElement.select()")
    page.type(by)
    page.press("Enter")


def said(page, words):
    page.until(f"document.getElementById('said').innerText.includes({json.dumps(words)})")
    settled(page)


def accepted(page, words=MASS):
    initialled(page)
    pick(page, words)
    page.press("a")
    said(page, "Accepted")


def test_it_opens_with_the_suggestions_and_no_token_in_the_address(shown):
    assert MASS in listed(shown)
    assert shown.run("location.hash + location.search") == ""
    assert shown.run("document.cookie") == ""
    strange = [each for each in shown.complaints if "403" not in each]  # the entrance's own
    assert strange == []


def test_a_suggestion_shows_what_it_would_change_and_which_disagreements_it_touches(shown):
    pick(shown, MASS)
    assert shown.run("document.getElementById('label').value") == "lvh"
    # By hand: 20 + 5 experts say it, 4 deny it; the machine says LVH in 20 + 3 ECGs.
    assert table(shown, "#effect > table:first-of-type") == [
        ["LVH", "expert", "0", "+25", "0", "25"]
    ]
    assert table(shown, "#effect > table:nth-of-type(2)") == [
        ["both have it", "0", "20"],
        ["machine only", "20", "0"],
        ["expert only", "0", "5"],
        ["neither has it", "9", "4"],
    ]
    assert "Increased LV mass" in text(shown, "#effect .texts")


def test_accepting_waits_survives_a_reload_and_is_undone(page, vocabulary):
    before = {path.name: path.read_bytes() for path in vocabulary.glob("*.yaml")}
    accepted(page)
    assert MASS not in listed(page)
    assert re.search(r"hypertrophy\.yaml:\d+", text(page, "#pending .yaml"))
    assert table(page, "#pending") == [["LVH", "expert", "0", "+25", "0", "25"]]
    page.run("location.reload()")
    page.until("document.querySelector('#pending .yaml')")
    settled(page)
    assert MASS not in listed(page)
    page.press("u")
    said(page, "Undone")
    assert MASS in listed(page)
    assert page.run("document.querySelector('#pending .yaml')") is None
    assert before == {path.name: path.read_bytes() for path in vocabulary.glob("*.yaml")}


def test_a_rejected_suggestion_does_not_come_back(page, vocabulary, extraction):
    initialled(page)
    pick(page, "irregular")
    wording = text(page, ".phrase-text")
    page.press("r")
    said(page, "Rejected")
    assert wording not in listed(page)
    another = Session(vocabulary, extraction)
    ranked = another.standing().suggestions.result(60)
    another.close()
    assert MASS in [each.wording for each in ranked]
    assert wording not in [each.wording for each in ranked]


def test_later_puts_a_suggestion_to_the_end(page):
    initialled(page)
    pick(page, MASS)
    page.press("l")
    said(page, "Later")
    page.press("Escape")
    assert listed(page)[-1] == MASS


def test_another_label_and_another_wording_are_chosen_by_keys(page, vocabulary):
    initialled(page)
    pick(page, "irregular")
    page.press("e")
    page.type("irregularly irregular")
    page.press("Escape")
    page.press("c")
    page.run("document.activeElement.value = ''")
    page.type("")
    for letter in "Atrial Fib":
        page.press(letter)
    assert page.run("document.getElementById('label').value") == "atrial_fibrillation"
    page.press("Enter")
    said(page, "Accepted into Atrial Fibrillation: irregularly irregular")
    (pending,) = Decisions.open(vocabulary).pending()
    assert (pending.owner, pending.text, pending.by) == (
        "atrial_fibrillation",
        "irregularly irregular",
        "AB",
    )
    assert pending.on == date.today()


def test_nothing_is_decided_without_initials(page, vocabulary):
    page.run("localStorage.clear(); document.getElementById('by').value = ''")
    pick(page, MASS)
    page.press("a")
    page.until("document.activeElement.id === 'by'")
    assert Decisions.open(vocabulary).history() == []


def test_the_live_box_reads_a_sentence_as_the_labeler_does(page):
    sentence = "Possible LVH, no LBBB. History of atrial flutter. Old inferior infarct"
    accepted(page)
    page.press("t")
    page.type(sentence)
    page.until("document.querySelectorAll('#tried mark').length")
    reading = Labeler().label(sentence)
    marks = page.run(
        "[...document.querySelectorAll('#tried mark')].map((e) => [e.innerText, e.className])"
    )
    assert marks == [[sentence[m.start : m.end], m.assertion] for m in reading.mentions]
    told = text(page, "#tried .found")
    for mention in reading.mentions:
        name = Labeler().vocabulary.labels[mention.label].name
        assert f"{name} {mention.assertion}" in told
        assert mention.place in told
    page.type(". Increased LV mass")
    page.until("document.getElementById('tried').innerText.includes('LVH: uncertain → present')")


def test_words_of_a_sentence_are_taken_as_a_phrase(shown):
    shown.press("t")
    shown.type("Sinus rhythm. Hypertrophied left heart")
    shown.run("document.activeElement.setSelectionRange(14, 38)")
    shown.press("Enter", control=True)
    shown.until("document.getElementById('text')?.value === 'Hypertrophied left heart'")
    assert shown.run("document.activeElement.id") == "label"


def test_writing_puts_one_line_into_the_file_and_can_be_taken_out_again(page, vocabulary):
    before = (vocabulary / "hypertrophy.yaml").read_text().splitlines()
    accepted(page)
    page.press("w")
    page.until("document.querySelector('#proposal[open]')")
    line = f"      - {{text: increased lv mass, by: AB, on: {date.today()}}}"
    assert f"+{line}" in text(page, "#proposal pre").splitlines()
    page.press("Enter")
    said(page, "Written: hypertrophy.yaml:")
    after = (vocabulary / "hypertrophy.yaml").read_text().splitlines()
    assert [each for each in after if each not in before] == [line]
    assert len(after) == len(before) + 1
    assert Labeler(load_vocabulary(vocabulary)).label("Increased LV mass").labels["lvh"] == 1
    # Its phrase is among those of the label now, with who and when.
    page.press("2")
    page.until("document.getElementById('owner')")
    page.run("document.getElementById('owner').value = 'lvh'; document.getElementById('owner')"
             ".dispatchEvent(new Event('input', {bubbles: true}))")  # fmt: skip
    page.until(
        f"[...document.querySelectorAll('#rows .wording')].some((e) => e.innerText === '{MASS}')"
    )
    settled(page)
    rows = "[...document.querySelectorAll('#rows li')]"
    page.run(f"{rows}.find((row) => row.innerText.includes('{MASS}')).click()")
    page.until("document.querySelector('#middle .texts, #middle table')")
    settled(page)
    facts = " ".join(text(page, "#middle .block").split())
    assert f"by AB on {date.today()}" in facts
    assert "hits 29 alone 29" in facts  # 20 + 5 experts say it, 4 deny it
    assert table(page, "#middle .block:nth-child(2)") == [
        ["Increased LV mass", "0", "25"],
        ["No increased LV mass", "0", "4"],
    ]
    assert table(page, "#touched") == [
        ["both have it", "20"],
        ["expert only", "5"],
        ["neither has it", "4"],
    ]
    page.run("document.querySelector('[data-act=unwrite]').click()")
    page.until("document.getElementById('said').innerText.includes('Taken out')")
    assert (vocabulary / "hypertrophy.yaml").read_text().splitlines() == before


def test_the_whole_way_by_keyboard_alone(page, vocabulary):
    page.run("document.activeElement.blur()")
    initialled(page, "CD")
    while text(page, ".phrase-text") != MASS:
        at = page.run("document.querySelector('#rows [aria-selected=true]').id")
        page.press("j")
        page.until(f"document.querySelector('#rows [aria-selected=true]').id !== '{at}'")
        settled(page)
    page.press("Enter")
    said(page, "Accepted")
    page.press("w")
    page.until("document.querySelector('#proposal[open]')")
    page.press("Enter")
    said(page, "Written")
    assert "by: CD" in (vocabulary / "hypertrophy.yaml").read_text()


def test_what_an_editor_saves_meanwhile_is_seen(page, vocabulary):
    file = vocabulary / "hypertrophy.yaml"
    whole = file.read_text()
    file.write_text(whole.replace("phrases:", "phrase:", 1))
    page.press("1")
    page.until("document.querySelector('.notice')?.innerText.includes(\"unknown key 'phrase'\")")
    assert "hypertrophy.yaml:" in text(page, ".notice")
    file.write_text(
        whole.replace(
            "      - lvh by voltage\n", "      - lvh by voltage\n      - increased lv mass\n"
        )
    )
    page.press("1")
    page.until(
        f"![...document.querySelectorAll('#rows .wording')].some((e) => e.innerText === '{MASS}')"
    )


def test_what_waits_outlasts_a_file_that_cannot_be_read(page, vocabulary):
    accepted(page)
    file = vocabulary / "hypertrophy.yaml"
    whole = file.read_text()
    for broken in ("labels: [", "labels: 3 #", "label:"):
        file.write_text(whole.replace("labels:", broken, 1))
        page.press("1")
        page.until("document.querySelector('.notice')?.innerText.includes('cannot be read')")
        assert "when the files can be read again" in text(page, "#pending")
        assert "unexpected" not in text(page, "#said")
        file.write_text(whole)
        page.press("1")
        page.until("!document.querySelector('.notice')")
    page.until("document.getElementById('pending').innerText.includes('hypertrophy.yaml:')")


def test_what_stands_in_a_report_is_text_and_nothing_else(shown):
    assert "Electrodes <b>misplaced</b>" in shown.run("document.body.innerText") or any(
        "misplaced" in each for each in listed(shown)
    )
    shown.press("t")
    shown.type(
        "<img src=x onerror=\"document.title='run'\"> LVH <script>document.title='run'</script>"
    )
    shown.until("document.querySelector('#tried mark')")
    assert shown.run("document.querySelectorAll('#tried img, #tried script').length") == 0
    assert shown.run("document.title") == "Vocabulary – overread"


def test_it_fits_a_laptop_and_nothing_is_cut_off(page):
    accepted(page)
    assert page.run("document.documentElement.scrollWidth") <= 1280
    assert page.run("document.documentElement.scrollHeight") <= 800
    wide = """[...document.querySelectorAll('.columns > *, .bar, .keys')]
      .filter((e) => e.scrollWidth > e.clientWidth + 1).length"""
    assert page.run(wide) == 0


def test_why_nothing_is_written_can_be_read_to_its_end(page, vocabulary):
    accepted(page)
    file = vocabulary / "hypertrophy.yaml"
    assert "      no_match:\n" in file.read_text()
    denied = "      no_match:\n        - Increased LV mass\n"
    file.write_text(file.read_text().replace("      no_match:\n", denied, 1))
    page.press("1")
    settled(page)
    page.press("w")
    said(page, "change the example in an editor")
    cut = "(e => e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)"
    assert not page.run(f"{cut}(document.getElementById('said'))")
    assert page.run("document.documentElement.scrollHeight") <= 800


def test_every_control_has_a_name_and_the_list_tells_what_is_chosen(shown):
    nameless = """[...document.querySelectorAll('button, input, select, textarea')]
      .filter((e) => !e.innerText?.trim() && !e.getAttribute('aria-label') && !e.labels?.length)
      .length"""
    assert shown.run(nameless) == 0
    shown.press("Escape")
    shown.press("j")
    shown.until("document.querySelector('#row-1[aria-selected=true]')")
    assert (
        shown.run("document.getElementById('rows').getAttribute('aria-activedescendant')")
        == "row-1"
    )
    assert shown.run("document.activeElement.id") == "rows"


def test_assertions_differ_by_their_line_too_and_colours_can_be_read(shown):
    shown.press("t")
    shown.type("Possible LVH. No LBBB. RBBB")
    shown.until("document.querySelectorAll('#tried mark').length === 3")
    lines = shown.run("""[...document.querySelectorAll('#tried mark')].map((e) => {
      const style = getComputedStyle(e);
      return style.textDecorationLine + ' ' + style.textDecorationStyle; })""")
    assert len(set(lines)) == 3
    style = (pages._FOLDER / "page.css").read_text()
    named = dict(re.findall(r"--([\w-]+): (#[0-9A-Fa-f]{3,6})", style))
    for name in ("ink", "muted", "rule", "added", "removed"):
        assert named[name].upper() == getattr(palette, name.upper()).upper()
    for paper in ("paper", "ground", "chosen"):
        for name in ("ink", "muted", "added", "removed"):
            assert contrast(named[name], named[paper]) >= 4.5, (name, paper)


def contrast(one, other):
    """The contrast ratio of WCAG 2, 1.4.3."""

    def light(colour):
        digits = colour.lstrip("#")
        digits = digits if len(digits) == 6 else "".join(2 * each for each in digits)
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
