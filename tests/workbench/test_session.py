"""A session of the page on files that change under it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("jinja2")

from overread.cli.vocab import copy_vocabulary
from overread.errors import UsageError
from overread.vocab.load import load_vocabulary
from overread.workbench import views
from overread.workbench.pages import Page
from overread.workbench.session import Session
from tests.workbench.test_effect import extracted

EXTRA = """labels:
  voltage_low:
    name: Low Voltage
    description: Low QRS voltage.
    phrases: [feeble complexes]
    examples: {match: [Feeble complexes], no_match: [Strong complexes]}
"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """One on a vocabulary with a label of its own, in ``extra.yaml``."""
    copy_vocabulary(tmp_path / "mine")
    (tmp_path / "mine/extra.yaml").write_text(EXTRA)
    on = extracted(
        tmp_path / "labels", [("LVH", "Gubbins")] * 3, load_vocabulary(tmp_path / "mine")
    )
    session = Session(tmp_path / "mine", on)
    yield session
    session.close()


def accepting(owner: str, text: str) -> dict[str, str]:
    return {"wording": text, "owner": owner, "text": text, "means": "present", "by": "AB"}


def test_an_edit_whose_label_an_editor_took_out_is_shown_and_taken_back(session):
    page = Page(session)
    page.accept(accepting("voltage_low", "faint complexes"))
    page.accept(accepting("lvh", "gubbins"))
    (session.folder / "extra.yaml").unlink()
    edits = {each["text"]: each for each in views.pending(session)["pending"]["edits"]}
    assert edits["gubbins"]["place"].startswith("hypertrophy.yaml:")
    assert edits["faint complexes"]["line"] == "Take it back to go on."
    assert "LVH <strong>present" in page.tried({"text": "Gubbins"})["panels"]["tried"]
    page.back({"wording": "faint complexes", "by": "AB"})
    assert [each.file for each in session.write()] == ["hypertrophy.yaml"]
    assert "gubbins" in (session.folder / "hypertrophy.yaml").read_text()


@pytest.mark.parametrize("owner", ["nonsense", "measurement"])
def test_nothing_is_kept_for_a_label_that_there_is_not(session, owner):
    with pytest.raises(UsageError, match=r"no label .* Next step"):
        Page(session).accept(accepting(owner, "gubbins"))
    assert session.decisions.pending() == []


def test_an_ecg_without_an_expert_text_is_no_disagreement(tmp_path):
    rows = [("LVH", "LVH"), ("LVH", "Sinus rhythm"), ("LVH", None)]
    on = extracted(tmp_path / "labels", rows, load_vocabulary())
    copy_vocabulary(tmp_path / "mine")
    session = Session(tmp_path / "mine", on)
    session.standing().phrases.result()  # every phrase is looked for beside the page
    touched = views.disagreements(session, "lvh/lvh")["touched"]
    session.close()
    assert touched["ecgs"] == 2
    assert touched["rows"] == [("both have it", (1,)), ("machine only", (1,))]
