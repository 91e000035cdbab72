"""Makes the pictures of the vocabulary page: ``python docs/screenshots.py``; needs Chromium.

All reports are synthetic; a few findings are put into other words, so that there is something for
the vocabulary to learn. The pictures differ a little from one machine's fonts to another's.
"""

from __future__ import annotations

import io
import secrets
import sys
import tempfile
from pathlib import Path
from random import Random

import polars as pl
from PIL import Image
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from overread.cli.vocab import copy_vocabulary  # noqa: E402
from overread.labels.run import write_extraction  # noqa: E402
from overread.signals.synth import synthetic_reports  # noqa: E402
from overread.sources.open import from_frame  # noqa: E402
from overread.workbench.extraction import Extraction  # noqa: E402
from overread.workbench.pages import application  # noqa: E402
from overread.workbench.session import Session  # noqa: E402
from tests.workbench.browser import Browser, chromium  # noqa: E402
from tests.workbench.test_guard import running  # noqa: E402

FOLDER = ROOT / "docs" / "images" / "workbench"

#: What the synthetic expert writes, and what an invented colleague writes for it.
OTHER_WORDS = {
    "Left ventricular hypertrophy": ("Increased LV mass", "Thick left ventricle"),
    "Left axis deviation": ("Axis turned to the left",),
    "Right bundle branch block": ("Right bundle fully blocked",),
    "Atrial fibrillation": ("Irregularly irregular rhythm",),
    "Inferior infarct": ("Scarred inferior wall",),
}


def reports(ecgs: int) -> pl.DataFrame:
    """Synthetic pairs in which half of some findings are written in other words."""
    chance, columns = Random(1), synthetic_reports(ecgs, seed=3)

    def reworded(text: str | None) -> str | None:
        for usual, others in OTHER_WORDS.items() if text else ():
            if chance.random() < 0.5:
                other = chance.choice(others)
                text = text.replace(usual, other).replace(usual.lower(), other.lower())
        return text

    columns["expert"] = [reworded(text) for text in columns["expert"]]
    return pl.DataFrame(columns)


def take(page: Browser, name: str) -> None:
    """Saves what is seen, in so few colours that the file is small and they still are true."""
    picture = Image.open(io.BytesIO(page.picture())).convert("RGB")
    picture.quantize(160, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)


def session(page: Browser) -> None:
    """A first session, as docs/cardiologist.md tells it."""
    settle(page)
    page.press("i")
    page.type("AB")
    page.press("Enter")
    look_at(page, "mass")
    take(page, "suggestion")
    page.press("a")
    settle(page)
    look_at(page, "scarred")
    page.press("a")
    settle(page)
    page.press("t")
    page.type("Possible scarred inferior wall, increased LV mass. No LBBB")
    page.until("document.querySelectorAll('#tried mark').length > 2")
    take(page, "sentence")
    page.press("Escape")
    page.press("w")
    page.until("document.querySelector('#proposal[open]')")
    take(page, "write")
    page.press("Enter")
    page.until("document.getElementById('said').innerText.includes('Written')")
    page.press("2")
    page.until("document.getElementById('owner')")
    settle(page)
    page.run("document.getElementById('owner').value = 'lvh'; list('phrases', 0, 'lvh')")
    page.until("document.getElementById('owner').value === 'lvh'")
    settle(page)
    page.run("choose(rows().findIndex((row) => row.innerText.includes('increased lv mass')))")
    settle(page)
    take(page, "phrases")


def look_at(page: Browser, words: str) -> None:
    """Finds a suggestion by its words, and clears the search again."""
    page.press("Escape")
    page.press("/")
    page.run("document.activeElement.select()")
    page.type(words)
    page.press("Enter")
    page.until(f"document.querySelector('.phrase-text').innerText.includes('{words}')")
    key = page.run("document.querySelector('.phrase-text').innerText")
    page.run("document.getElementById('find').value = ''; find()")
    page.run(f"choose(rows().findIndex((row) => row.dataset.key === {key!r}))")
    settle(page)


def settle(page: Browser) -> None:
    """Waits until everything is ranked, counted and shown."""
    awaited = "[...document.querySelectorAll('[data-waiting]')].some((e) => e.dataset.waiting)"
    shown = "document.querySelector('.phrase-text')"
    page.until(f"{shown} && document.querySelector('main').ariaBusy === 'false' && !{awaited}")


def main() -> None:
    """Draws every picture anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    program = chromium()
    if program is None:
        raise SystemExit("Chromium is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_vocabulary(folder / "my-vocab")
        write_extraction(
            from_frame(reports(20_000)), folder / "labels", vocab=folder / "my-vocab",
            uncertain="positive", format="parquet", duplicates="error", workers=1,
            overwrite=False, console=Console(quiet=True),
        )  # fmt: skip
        work = Session(folder / "my-vocab", Extraction.open(folder / "labels"))
        token = secrets.token_urlsafe(32)
        page = Browser(program, folder / "profile")
        with running(application(work, token)) as port:
            page.open(f"http://127.0.0.1:{port}/#{token}")
            session(page)
            page.close()
        work.close()


if __name__ == "__main__":
    main()
