"""Accepting phrases: what is refused, what is written, and who else may write meanwhile."""

from __future__ import annotations

import multiprocessing
import shutil
import stat
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from overread.cli.vocab import app, findings_of
from overread.errors import Busy, UsageError, VocabularyError
from overread.files import locked, replace_unchanged
from overread.text.labeler import Labeler
from overread.vocab import load
from overread.vocab.edit import NewPhrase
from overread.vocab.load import load_vocabulary, shipped_vocabulary, vocabulary_of
from overread.workbench import accept as accepting
from overread.workbench.accept import accept, propose, refusals, take_back, write_pending
from overread.workbench.decisions import FILE, Decisions

DAY = date(2024, 5, 1)
AXIS = """\
# The frontal axis.
words:
  axis: [achse]

terms:
  much: [marked, extreme]

labels:
  left_axis:
    name: Left Axis
    description: The axis points left.
    phrases:
      - left axis  # most sites
      - "{much} left axis"
      - {text: linkstyp, uncertain: true}
    exclusions:
      - left axis of the t wave
    examples:
      match: [left axis]
      no_match: [left atrial enlargement]

  right_axis:
    name: Right Axis
    description: The axis points right.
    phrases:
      - right axis
    implied_by:
      - phrases: [posterior hemiblock]

concepts:
  voltage:
    phrases: [low voltage]
"""
CONTEXT = "cues:\n  negation:\n    forward: [no]\nscope:\n  stop: [but]\n  fillers: [old]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "vocabulary"
    made.mkdir()
    (made / "axis.yaml").write_text(AXIS)
    (made / "context.yaml").write_text(CONTEXT)
    return made


def new(owner: str, text: str, **more: object) -> NewPhrase:
    return NewPhrase(owner, text, "AB", DAY, **more)  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".yaml"}


# What is written ---------------------------------------------------------------------------


def test_v13_no_change_without_its_diff(folder: Path) -> None:
    dry = propose(folder, [new("right_axis", "axis to the right")])
    assert contents(folder) == dry.before
    assert (folder / "axis.yaml").read_text() == AXIS

    made = accept(folder, [new("right_axis", "axis to the right")])
    assert made.diff() == dry.diff()
    assert made.diff().split("\n") == [
        "--- axis.yaml",
        "+++ axis.yaml",
        "@@ -26,2 +26,3 @@",
        "       - right axis",
        "+      - {text: axis to the right, by: AB, on: 2024-05-01}",
        "     implied_by:",
    ]
    lines = (folder / "axis.yaml").read_text().split("\n")
    insertion = made.insertions[0]
    assert lines.pop(insertion.line - 1) == insertion.text
    assert "\n".join(lines) == AXIS
    assert Labeler(folder).label("axis to the right").states["right_axis"] == "present"
    assert made.vocabulary.sha256 == load_vocabulary(folder).sha256


def test_several_phrases_have_the_lines_of_the_finished_file(folder: Path) -> None:
    phrases = [
        new("right_axis", "bb"),
        new("left_axis", "cc"),
        new("voltage", "dd"),
        new("left_axis", "ee"),
    ]
    made = accept(folder, phrases)
    lines = (folder / "axis.yaml").read_text().split("\n")
    assert [lines[each.line - 1] for each in made.insertions] == [e.text for e in made.insertions]
    assert [each.text.partition("text: ")[2][0] for each in made.insertions] == ["b", "c", "d", "e"]


WORDS = ("left", "right", "axis", "achse", "marked", "of", "t", "wave", "voltage", "überdreht",
         "V1", "st-t", "no", "old", "(", ",", "{much}")  # fmt: skip


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary that no test writes to."""
    made = tmp_path_factory.mktemp("standing")
    (made / "axis.yaml").write_text(AXIS)
    (made / "context.yaml").write_text(CONTEXT)
    return made


@settings(max_examples=80, deadline=None)
@given(
    words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
    owner=st.sampled_from(["left_axis", "right_axis", "voltage"]),
    uncertain=st.booleans(),
)
def test_what_is_accepted_passes_the_check(
    standing: Path, words: list[str], owner: str, uncertain: bool
) -> None:
    try:
        made = propose(standing, [new(owner, " ".join(words), uncertain=uncertain)])
    except UsageError:
        return
    assert len(made.after["axis.yaml"].splitlines()) == len(AXIS.splitlines()) + (
        made.insertions[0].before is None
    )
    found = findings_of(vocabulary_of(made.after))
    assert [each for each in found if each.severity == "error"] == []
    # A wider phrase may leave one without use; nothing else is to be looked at.
    assert all("adds nothing" in each.message for each in found)


def test_the_shipped_vocabulary_passes_the_check_with_new_phrases(tmp_path: Path) -> None:
    shutil.copytree(shipped_vocabulary(), tmp_path / "mine")
    before = findings_of(load_vocabulary(tmp_path / "mine"))
    phrases = [
        new("lvh", "increased lv mass"),
        new("rbbb", "right bundle issue", uncertain=True),
        new("sinus_rhythm", "rhythm from the sinus node", lang="en"),
        new("anterior_mi", "scar of the v3 kind", role="exclusion"),
    ]
    made = accept(tmp_path / "mine", phrases)
    assert made.examples == sum(
        len(sentences)
        for label in load_vocabulary().labels.values()
        for sentences in (label.examples.match, label.examples.no_match, label.examples.known_gap)
    )
    after = findings_of(load_vocabulary(tmp_path / "mine"))
    assert len(after) == len(before)
    assert {each.severity for each in after} == {"note"}


# What is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phrase", "said"),
    [
        (new("right_axis", "left axis"), "counts for left_axis already, .*axis.yaml:13:9"),
        (new("right_axis", "Left Achse"), "counts for left_axis already, .*axis.yaml:13:9"),
        (new("right_axis", "extreme left axis"), r"'\{much\} left axis' in axis.yaml:14:9"),
        (new("right_axis", "low voltage"), "counts for voltage already, .*axis.yaml:32:15"),
    ],
)
def test_v13_two_labels_claim_one_phrase(folder: Path, phrase: NewPhrase, said: str) -> None:
    before = contents(folder)
    with pytest.raises(UsageError, match=said):
        accept(folder, [phrase])
    assert contents(folder) == before
    both = accept(folder, [phrase], shared=True)
    owners = {ref.owner for ref in both.vocabulary.phrases if ref.phrase.by == "AB"}
    assert owners == {"right_axis"}


def test_v13_two_labels_claim_one_new_phrase(folder: Path) -> None:
    both = [new(owner, "axis nowhere") for owner in ("left_axis", "right_axis")]
    with pytest.raises(UsageError, match=r"left_axis .*the same words"):
        accept(folder, both)
    assert len(accept(folder, both, shared=True).insertions) == 2
    apart = [new("left_axis", "axis of p", role="exclusion"), new("voltage", "axis of p")]
    assert len(accept(folder, apart).insertions) == 2


@pytest.mark.parametrize(
    ("phrase", "said"),
    [
        (new("left_axis", "left axis"), "adds nothing: .*axis.yaml:13:9"),
        (new("left_axis", "LEFT-Achse"), "adds nothing: .*axis.yaml:13:9"),
        (new("left_axis", "marked left axis"), "adds nothing: .*axis.yaml:14:9"),
        (new("left_axis", "linkstyp"), r"contradict .*axis.yaml:15:9 \(uncertain\)"),
        (new("left_axis", "left axis", uncertain=True), "contradict .*axis.yaml:13:9"),
        (new("left_axis", "left axis", role="exclusion"), "contradict .*axis.yaml:13:9"),
        (new("left_axis", "left axis of the t wave"), r"contradict .*axis.yaml:17:9 \(exclusion\)"),
        (new("right_axis", "posterior hemiblock"), r"contradict .*axis.yaml:28:19 \(implied\)"),
        (new("left_axis", "no"), "a word of context.yaml"),
        (new("left_axis", "old"), "a word of context.yaml"),
        (new("left_axis", "{mush} axis"), r"\{mush\} is no term"),
        (new("left_axis", "axis} left"), "a brace encloses no term"),
        (new("left_axes", "axis left"), "did you mean 'left_axis'"),
        (new("voltage", "low amplitude", role="exclusion"), "is a concept"),
    ],
)
def test_phrase_is_refused_with_the_place(folder: Path, phrase: NewPhrase, said: str) -> None:
    before = contents(folder)
    with pytest.raises(UsageError, match=said):
        accept(folder, [new("right_axis", "good"), phrase])  # all or none
    assert contents(folder) == before


def test_a_phrase_with_a_number_that_tables_mask_is_refused(folder: Path) -> None:
    before = contents(folder)
    for text in ("axis at 120", "axis #1 odd", "axis on 3/4/2020"):
        with pytest.raises(UsageError, match=r"never found in a table.* Next step: leave"):
            accept(folder, [new("right_axis", text)])
    assert contents(folder) == before
    for text in ("1st right axis", "right axis in v1"):  # digits inside words stay
        assert refusals(Labeler(folder), new("right_axis", text)) == []


def test_a_wider_phrase_may_hold_one_that_is_there(folder: Path) -> None:
    assert refusals(Labeler(folder), new("right_axis", "{much} right axis")) == []
    accept(folder, [new("right_axis", "marked right axis"), new("right_axis", "right")])
    assert refusals(Labeler(folder), new("right_axis", "{much} right axis")) == []


def test_v13_examples_run_and_refuse_what_breaks_them(folder: Path) -> None:
    before = contents(folder)
    broken = r"axis.yaml:20:18: 'left atrial enlargement' gives left_axis present"
    with pytest.raises(UsageError, match=broken):
        accept(folder, [new("left_axis", "left atrial enlargement")])
    assert contents(folder) == before
    assert accept(folder, [new("left_axis", "axis left")]).examples == 2

    (folder / "axis.yaml").write_text(
        AXIS.replace("match: [left axis]", "match: [left axis there]")
    )
    with pytest.raises(UsageError, match=r"axis.yaml:19:15: .* gives left_axis unmentioned"):
        accept(folder, [new("voltage", "left axis there")])


def test_an_example_that_failed_before_refuses_nothing(folder: Path) -> None:
    text = AXIS.replace("match: [left axis]", "match: [left axis, nothing known]")
    (folder / "axis.yaml").write_text(text)
    assert accept(folder, [new("left_axis", "axis left")]).examples == 3


def test_a_vocabulary_with_problems_is_mended_first(folder: Path) -> None:
    (folder / "axis.yaml").write_text(AXIS.replace("phrases:", "phrase:", 1))
    with pytest.raises(VocabularyError, match=r"axis.yaml:12:5: unknown key 'phrase'"):
        accept(folder, [new("left_axis", "axis left")])


def test_the_installed_vocabulary_is_not_edited(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "_vocab")
    monkeypatch.setattr(load, "_PACKAGE", tmp_path)
    for arguments in (
        ["accept", "left_axis", "axis left", "--by", "AB"],
        ["reject", "axis left", "--by", "AB"],
    ):
        with pytest.raises(UsageError, match="overread vocab init DIR"):
            CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert sorted(p.name for p in (tmp_path / "_vocab").iterdir()) == ["axis.yaml", "context.yaml"]


# Others who write ---------------------------------------------------------------------------


def _accept_many(folder: Path, reader: str) -> None:
    for number in range(6):
        phrase = NewPhrase("left_axis", f"axis {reader} x{number}", reader, DAY)
        accept(folder, [phrase], decisions=Decisions.open(folder))


def test_two_programs_at_once_lose_nothing(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(_accept_many, [folder] * 2, ["AB", "CD"]))
    expected = {f"axis {reader} x{number}" for reader in ("AB", "CD") for number in range(6)}
    added = {ref.wording for ref in load_vocabulary(folder).phrases if ref.phrase.by}
    assert added == expected
    written = [each.wording for each in Decisions.open(folder).history() if each.kind == "write"]
    assert sorted(written) == sorted(wording.lower() for wording in expected)
    assert not [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]


def test_an_editor_that_saves_in_between_loses_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The editor saves after the files were read and before the new one takes its place."""
    saved = []

    def editor_first(changes: dict[Path, tuple[bytes, bytes]]) -> bool:
        if len(saved) < 3:
            saved.append(f"# line {len(saved)} of the editor\n")
            (folder / "axis.yaml").write_text("".join(saved) + AXIS)
        return replace_unchanged(changes)

    monkeypatch.setattr(accepting, "replace_unchanged", editor_first)
    made = accept(folder, [new("left_axis", "axis left")])
    text = (folder / "axis.yaml").read_text()
    assert text.startswith("".join(saved) + "# The frontal axis.")
    assert text.split("\n")[made.insertions[0].line - 1] == made.insertions[0].text
    assert len(text) == len("".join(saved) + AXIS + made.insertions[0].text + "\n")


def test_files_that_never_rest_are_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "replace_unchanged", lambda _: False)
    with pytest.raises(Busy, match="nothing was written"):
        accept(folder, [new("left_axis", "axis left")], decisions=Decisions.open(folder))
    assert (folder / "axis.yaml").read_text() == AXIS
    assert Decisions.open(folder).history() == []


def test_another_run_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "_WAIT_S", 0.1)
    with locked(folder), pytest.raises(Busy, match=r"holds it since .* Next step: try again\.$"):
        accept(folder, [new("left_axis", "axis left")])
    assert accept(folder, [new("left_axis", "axis left")]).insertions


def test_a_stale_labeler_is_not_trusted(folder: Path) -> None:
    old = Labeler(folder)
    accept(folder, [new("left_axis", "axis left")], labeler=old)
    with pytest.raises(UsageError, match="adds nothing"):
        accept(folder, [new("left_axis", "axis left")], labeler=old)


def test_v13_a_proposal_that_an_editor_overtook_is_made_anew(folder: Path) -> None:
    phrases = [new("left_axis", "axis left")]
    proposed = propose(folder, phrases)
    (folder / "axis.yaml").write_text(AXIS.replace("- right axis\n", "- axis left\n"))
    with pytest.raises(UsageError, match="counts for right_axis already"):
        accept(folder, phrases, proposed=proposed)
    (folder / "axis.yaml").write_text("# Saved by an editor.\n" + AXIS)
    accept(folder, phrases, proposed=proposed)
    written = contents(folder)["axis.yaml"].decode()
    assert written.startswith("# Saved by an editor.\n")
    assert "text: axis left" in written


def test_permissions_and_links_of_the_files_stay(folder: Path, tmp_path: Path) -> None:
    shared = tmp_path / "elsewhere.yaml"
    (folder / "axis.yaml").rename(shared)
    shared.chmod(0o664)
    (folder / "axis.yaml").symlink_to(shared)
    accept(folder, [new("left_axis", "axis left")])
    assert (folder / "axis.yaml").is_symlink()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o664
    assert "axis left" in shared.read_text()


def test_several_files_change_together_or_not_at_all(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"changed since")
    assert not replace_unchanged({one: (b"1", b"new"), two: (b"2", b"new")})
    assert one.read_bytes() == b"1"
    assert replace_unchanged({one: (b"1", b"new"), two: (b"changed since", b"new")})
    assert (one.read_bytes(), two.read_bytes()) == (b"new", b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


# Pending, written, taken back ----------------------------------------------------------------


def test_pending_phrases_are_written_in_one_go(folder: Path) -> None:
    decisions = Decisions.open(folder)
    assert write_pending(folder, decisions) is None
    for owner, text in (("left_axis", "axis left"), ("right_axis", "axis right")):
        decisions.accept(new(owner, text))
    made = write_pending(folder, decisions)
    assert made is not None
    assert len(made.insertions) == 2
    assert decisions.pending() == []
    assert write_pending(folder, decisions) is None


def test_what_a_killed_run_wrote_is_not_written_twice(folder: Path) -> None:
    decisions = Decisions.open(folder)
    decisions.accept(new("left_axis", "axis left"))
    decisions.accept(new("right_axis", "axis right"))
    accept(folder, [new("left_axis", "axis left")])  # and killed before it is noted
    made = write_pending(folder, decisions)
    assert made is not None
    assert [each.text.partition("text: ")[2][:10] for each in made.insertions] == ["axis right"]
    assert decisions.pending() == []


def test_written_lines_are_taken_out_again(folder: Path) -> None:
    made = accept(folder, [new("left_axis", "bb"), new("left_axis", "cc"), new("right_axis", "dd")])
    accept(folder, [new("left_axis", "ee")])
    take_back(folder, made.insertions)
    (line,) = set((folder / "axis.yaml").read_text().split("\n")) - set(AXIS.split("\n"))
    assert "text: e" in line
    with pytest.raises(UsageError, match="changed since"):
        take_back(folder, made.insertions)


def test_a_line_that_an_example_needs_stays(folder: Path) -> None:
    made = accept(folder, [new("left_axis", "axis left")])
    text = (folder / "axis.yaml").read_text()
    with_example = text.replace("match: [left axis]", "match: [axis left]", 1)
    (folder / "axis.yaml").write_text(with_example)
    with pytest.raises(UsageError, match="it breaks these examples"):
        take_back(folder, made.insertions)
    assert (folder / "axis.yaml").read_text() == with_example


# Commands ------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_try_shows_the_place_before_and_after_and_writes_nothing(folder: Path) -> None:
    before = contents(folder)
    said = run("try", "Axis left. No right axis", "--vocab", str(folder))
    assert 'right axis \N{RIGHTWARDS ARROW} right_axis absent (by "no") axis.yaml:26:9' in said
    assert "Axis left" not in said.split("\n", 1)[1]
    said = run(
        "try", "Axis left. No right axis", "--add", "left_axis=axis left", "--vocab", str(folder)
    )
    first, _, second = said.partition("after ")
    assert first.startswith("before ")
    assert "left_axis present" not in first
    assert (
        "Axis left \N{RIGHTWARDS ARROW} left_axis present (plain mention) axis.yaml:16:9" in second
    )
    assert second.endswith(
        "2 examples run, none broken. Nothing is written.\n"
        'Next step: overread vocab accept left_axis "axis left" --by INITIALS\n'
    )
    assert contents(folder) == before
    with pytest.raises(UsageError, match="no '='"):
        run("try", "Axis left", "--add", "axis left", "--vocab", str(folder))


def test_accept_says_what_changed_and_what_is_next(folder: Path) -> None:
    said = run(
        "accept", "left_axis", "axis left", "--by", "AB", "--date", "2024-05-01", "--lang", "en",
        "--source", "12SL 370", "--uncertain", "--vocab", str(folder),
    )  # fmt: skip
    line = (
        "- {text: axis left, lang: en, uncertain: true, by: AB, on: 2024-05-01, source: 12SL 370}"
    )
    assert f"\n+      {line}\n" in said
    assert "Written to axis.yaml:16; 2 examples run, none broken.\nNext step: " in said
    assert f"      {line}\n" in (folder / "axis.yaml").read_text()
    (accepted, written) = Decisions.open(folder).history()
    assert (accepted.kind, written.kind, written.of) == ("accept", "write", accepted.id)


def test_every_role_can_be_accepted(folder: Path) -> None:
    given = ("--by", "AB", "--date", "2024-05-01", "--vocab", str(folder))
    run("accept", "right_axis", "fascicle gone", "--implied", "--unless", "left_axis", *given)
    run("accept", "right_axis", "right axis of it", "--exclusion", *given)
    roles = {ref.wording: (ref.role, ref.unless) for ref in load_vocabulary(folder).phrases}
    assert roles["fascicle gone"] == ("implied", ("left_axis",))
    assert roles["right axis of it"] == ("exclusion", ())
    with pytest.raises(UsageError, match="--unless"):
        run("accept", "right_axis", "some axis", "--unless", "left_axis", *given)


def test_an_overlay_takes_phrases_and_the_vocabulary_below_stays(folder: Path) -> None:
    ours = folder.parent / "ours"
    ours.mkdir()
    before = contents(folder)
    given = ("--by", "AB", "--date", "2024-05-01", "--vocab", str(folder), "--overlay", str(ours))
    assert "Written to ours/local.yaml:4; 2 examples run" in run(
        "accept", "left_axis", "axis left", *given
    )
    assert "Written to ours/local.yaml:5; 2 examples run" in run(
        "accept", "left_axis", "leftish axis", *given
    )
    for phrase, said in (
        ("axis left", "'axis left' in ours/local.yaml:4:9 already"),
        ("left achse", "'left axis' in axis.yaml:13:9 already"),
    ):
        with pytest.raises(UsageError, match=said):
            run("accept", "left_axis", phrase, *given)
    with pytest.raises(UsageError, match=r"(?s)breaks these examples.*axis.yaml:20:18: 'left atr"):
        run("accept", "left_axis", "left atrial enlargement", *given)
    run("reject", "axis somewhere", *given[:2], *given[4:])
    assert contents(folder) == before
    assert (ours / "local.yaml").read_text() == (
        "labels:\n  left_axis:\n    phrases:\n"
        "      - {text: axis left, by: AB, on: 2024-05-01}\n"
        "      - {text: leftish axis, by: AB, on: 2024-05-01}\n"
    )
    decisions = Decisions.open(ours)
    assert (decisions.pending(), decisions.rejected()) == ([], {"axis somewhere"})
    vocabulary = load_vocabulary(folder, overlays=[ours])
    assert Labeler(vocabulary).label("Axis left").labels["left_axis"] == 1
    with pytest.raises(UsageError, match=r"ours has no context.yaml.*--overlay"):
        run("accept", "left_axis", "lefter axis", "--by", "AB", "--vocab", str(ours))


def test_lines_written_into_an_overlay_are_taken_out_again(folder: Path) -> None:
    ours = folder.parent / "ours"
    ours.mkdir()
    (ours / "site.yaml").write_text("words: {axis: [axe]}\n")
    phrases = [new("left_axis", "axis left"), new("left_axis", "axis lefter")]
    made = accept(folder, phrases, overlays=[ours])
    assert [each.last for each in made.insertions] == [5, 6]
    take_back(folder, made.insertions, overlays=[ours])
    assert (ours / "site.yaml").read_text() == "words: {axis: [axe]}\n"


def test_reject_changes_no_vocabulary_file(folder: Path) -> None:
    before = contents(folder)
    said = run(
        "reject", "Axis  somewhere", "--by", "AB", "--note", "too vague", "--vocab", str(folder)
    )
    assert said.startswith(f"Noted in {FILE}; no YAML file changed. Next step: ")
    assert contents(folder) == before
    assert Decisions.open(folder).rejected() == {"axis somewhere"}


def test_p_a_copy_of_the_vocabulary_takes_no_decisions_along(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("reject", "axis somewhere", "--by", "AB", "--vocab", str(folder))
    monkeypatch.setattr("overread.vocab.load.shipped_vocabulary", lambda: folder)
    run("init", str(tmp_path / "copy"))
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == [
        "axis.yaml",
        "context.yaml",
    ]
