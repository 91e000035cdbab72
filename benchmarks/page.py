"""How quick the vocabulary page is on an extraction of any size, measured in Chromium.

    python benchmarks/page.py overread-out/labels --vocab my-vocab

First paint is the browser's own figure, while suggestions are being ranked beside the page. An
action counts from the key to the last change of the page that it causes. The vocabulary is copied
first.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from overread.workbench.extraction import Extraction  # noqa: E402
from overread.workbench.pages import application  # noqa: E402
from overread.workbench.session import Session  # noqa: E402
from tests.workbench.browser import Browser, chromium  # noqa: E402
from tests.workbench.test_guard import running  # noqa: E402

_TIMES = 5
# Told by the page itself: from the key to the last change before nothing is asked for any more.
# What it asks for later, because it was worked out beside the page, is no part of an action.
_WATCH = """{
  let asked, rest;
  const begin = () => { began = performance.now(); took = asked = null; };
  addEventListener("keydown", begin, true);
  addEventListener("input", begin, true);
  new MutationObserver(() => {
    const now = performance.now(), busy = document.querySelector("main").ariaBusy === "true";
    asked ||= busy;
    clearTimeout(rest);
    if (asked && !busy) rest = setTimeout(() => { took ??= now - began; }, 50);
  }).observe(document.body, { subtree: true, childList: true, attributes: true });
  window.began = window.took = null;
}"""
# A suggestion without a guess cannot be accepted before a label is chosen.
_ANY_LABEL = """{
  const label = document.getElementById("label");
  if (label && !label.value) label.selectedIndex = 1;
}"""


def ready(page: Browser) -> None:
    """Waits until nothing is asked for, and nothing worked out beside the page."""
    awaited = "[...document.querySelectorAll('[data-waiting]')].some((e) => e.dataset.waiting)"
    answered = "document.querySelector('main').ariaBusy === 'false'"
    page.until(f"document.querySelector('.phrase-text') && {answered} && !{awaited}", 300)


def timed(page: Browser, action: Callable[[], None]) -> tuple[float, float]:
    """Milliseconds from the key to the last change, and of processor time that the server took."""
    cpu = time.process_time()
    action()
    page.until("window.took !== null")
    return page.run("took"), (time.process_time() - cpu) * 1000


def measure(page: Browser, address: str) -> None:
    """Prints a line for each action."""
    page.open(address)
    page.until("performance.getEntriesByType('paint').length && document.querySelector('.bar')")
    paint = page.run("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    print(f"first paint, while ranking            {paint:7.0f} ms")
    began = time.monotonic()
    ready(page)
    print(f"ranked after                          {time.monotonic() - began:7.1f} s")
    for view in "21":
        page.press(view)
        time.sleep(1)
        ready(page)
    print(f"every phrase counted after            {time.monotonic() - began:7.1f} s")
    page.run(_WATCH)
    page.press("i")
    page.type("AB")
    page.press("Enter")
    actions: dict[str, Callable[[], None]] = {
        "next suggestion, with its effect": lambda: page.press("j"),
        "accept": lambda: page.press("a"),
        "undo": lambda: page.press("u"),
        "reject": lambda: page.press("r"),
        "later": lambda: page.press("l"),
        "phrases of a label": lambda: page.press("2"),
        "suggestions": lambda: page.press("1"),
    }
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
    for number in range(_TIMES):
        for _ in range(number + 1):  # to suggestions that were not seen yet
            timed(page, lambda: page.press("PageDown"))
        for name, action in actions.items():
            page.press("Escape")
            page.run(_ANY_LABEL)
            took[name].append(timed(page, action))
    page.press("t")
    took["a sentence"] = [timed(page, lambda: page.type(" LVH, no RBBB.")) for _ in range(_TIMES)]
    page.press("Escape")
    page.run(_ANY_LABEL)
    timed(page, lambda: page.press("a"))
    took["the lines to be written"] = [timed(page, lambda: page.press("w"))]
    took["write"] = [timed(page, lambda: page.press("Enter"))]
    for name, values in took.items():
        walls, cpus = zip(*values, strict=True)
        print(
            f"{name:38}{statistics.median(walls):7.0f} ms  (most {max(walls):.0f}), "
            f"{statistics.median(cpus):.0f} ms of processor time"
        )


def main() -> None:
    """Measures, and prints as it goes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("labels", type=Path, help="folder of an extraction")
    parser.add_argument("--vocab", type=Path, default=ROOT / "vocab")
    given = parser.parse_args()
    program = chromium()
    if program is None:
        raise SystemExit("Chromium is not installed")
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "vocab"
        shutil.copytree(given.vocab, copy, ignore=shutil.ignore_patterns(".*"))
        page = Browser(program, Path(name) / "profile")
        began = time.monotonic()
        session = Session(copy, Extraction.open(given.labels))
        token = secrets.token_urlsafe(32)
        with running(application(session, token)) as port:
            print(f"opened after                          {time.monotonic() - began:7.1f} s")
            measure(page, f"http://127.0.0.1:{port}/#{token}")
        page.close()
        session.close()


if __name__ == "__main__":
    main()
