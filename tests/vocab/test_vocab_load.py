"""FAULTS group V: what the loader refuses, in which words, at which line."""

from __future__ import annotations

import json
import pickle
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.errors import Place
from overread.vocab.load import load_vocabulary
from overread.vocab.locate import locate
from overread.vocab.patterns import BadPattern, compile_pattern

Write = Callable[..., Path]
Problems = Callable[..., list[tuple[Place, str]]]

AXIS = """\
labels:
  left_axis:
    name: Left Axis
    description: The axis points left.
    phrases:
      - left axis deviation
"""


def said(found: list[tuple[object, str]]) -> list[str]:
    return [f"{place}: {message}" for place, message in found]


def one_phrase(entry: str) -> str:
    return AXIS.replace("left axis deviation", entry)


def test_places_and_order(write: Write) -> None:
    vocabulary = load_vocabulary(
        write(
            alpha=AXIS.replace("left_axis", "alpha"),
            axis=AXIS,
            rhythm=AXIS.replace("left_axis", "rhythm"),
        )
    )
    assert list(vocabulary.labels) == ["rhythm", "left_axis", "alpha"]
    assert vocabulary.files == ("rhythm.yaml", "axis.yaml", "alpha.yaml", "context.yaml")
    assert str(vocabulary.phrases[1].place) == "axis.yaml:6:9"
    assert vocabulary.phrases[1].id == "left_axis/left-axis-deviation"
    assert str(vocabulary.cue_places["cues", "negation", "forward", "1"]) == "context.yaml:5:9"
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary


def test_hash_ignores_line_ends_and_notices_text(write: Write) -> None:
    first = load_vocabulary(write(axis=AXIS)).sha256
    assert load_vocabulary(write(axis=AXIS.replace("\n", "\r\n"))).sha256 == first
    assert load_vocabulary(write(axis=AXIS.replace("points", "looks"))).sha256 != first


BOMB = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_v01_alias_bomb_is_answered_at_once(problems: Problems) -> None:
    began = time.monotonic()
    found = problems(axis=BOMB)
    assert time.monotonic() - began < 5
    assert said(found)[0] == (
        "axis.yaml:1:4: anchors (&a) are not allowed here; text that starts with '&' needs quotes"
    )
    assert len(found) <= 60


def test_v02_merge_key_bomb_is_answered_at_once(problems: Problems) -> None:
    rows = "".join(f"m{n}: &m{n}\n  <<: [{', '.join([f'*m{n - 1}'] * 9)}]\n" for n in range(1, 9))
    began = time.monotonic()
    found = problems(axis="m0: &m0 {a: b}\n" + rows)
    assert time.monotonic() - began < 5
    assert "axis.yaml:3:3: merge keys ('<<') are not allowed here" in said(found)


def test_v03_self_reference(problems: Problems) -> None:
    found = said(problems(axis="labels: &x [*x]\n"))
    assert found[0].startswith("axis.yaml:1:9: anchors (&x) are not allowed")
    assert found[1].startswith("axis.yaml:1:13: aliases (*x) are not allowed")


@pytest.mark.parametrize("opening", ["[", "{", "- "])
def test_v04_depth(problems: Problems, opening: str) -> None:
    began = time.monotonic()
    found = problems(axis="labels: \n  " + opening * 100_000)
    assert time.monotonic() - began < 10
    assert len(found) == 1


def test_v04_twenty_levels_is_the_limit() -> None:
    assert not locate("[" * 19 + "x" + "]" * 19, "a.yaml").problems
    assert said(locate("[" * 20 + "x" + "]" * 20, "a.yaml").problems) == [
        "a.yaml:1:21: nested more than 20 levels deep"
    ]


def test_v04_size(problems: Problems) -> None:
    found = problems(axis="# " + "x" * 1024 * 1024)
    assert said(found) == [
        "axis.yaml:1:1: larger than 1 MiB; a vocabulary file has a few kilobytes"
    ]


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!str", "!own", "!"])
def test_v05_tags(problems: Problems, tmp_path: Path, tag: str) -> None:
    canary = tmp_path / "canary"
    found = said(problems(axis=one_phrase(f'{tag} ["touch {canary}"]')))
    assert any(line.startswith("axis.yaml:6:9: tags (") for line in found)
    assert not canary.exists()


def test_v06_duplicate_key_names_both_lines(problems: Problems) -> None:
    found = said(problems(axis=AXIS + AXIS.partition("\n")[2]))
    assert found == ["axis.yaml:7:3: the key 'left_axis' stands in line 2 already"]


def test_v06_duplicate_label_in_another_file(problems: Problems) -> None:
    found = said(problems(axis=AXIS, zeta=AXIS))
    assert found == ["zeta.yaml:2:3: the id 'left_axis' is taken by axis.yaml:2:3"]


def test_v06_label_and_concept_may_not_share_an_id(problems: Problems) -> None:
    found = said(problems(axis=AXIS + "concepts:\n  left_axis:\n    phrases: [left]\n"))
    assert found == ["axis.yaml:8:3: the id 'left_axis' is taken by axis.yaml:2:3"]


NASTY = ["no", "on", "NO", "Yes", "2:1", "1:30", "010", "1e3", "0x1F", "2011-02-14", "~", "null"]
NASTY += ["true", "1_000", ".inf", "=", "<<", "12:30:45", "0o17", "-1", "+.5"]


@pytest.mark.parametrize("text", NASTY)
def test_v07_plain_scalars_stay_text(write: Write, text: str) -> None:
    vocabulary = load_vocabulary(write(axis=AXIS + f"words:\n  axis: [{text}, 'x']\n"))
    assert vocabulary.words["axis"] == (text, "x")


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=30
    )
)
def test_v07_text_in_file_is_text_in_memory(text: str) -> None:
    found = locate(f"a: {json.dumps(text, ensure_ascii=False)}", "a.yaml")
    straight = found.value["a"]  # type: ignore[index]
    pairs = [(a, b) for a, b in zip(text, straight, strict=True) if a != b]
    assert all((b in "'\"" and a in "‘’‚‛′“”„‟″") or (b == " " and a.isspace()) for a, b in pairs)
    if text.strip():
        assert not found.problems


@settings(max_examples=300, deadline=None)
@given(st.from_regex(r"[0-9A-Za-z.:+_~=-]{1,12}", fullmatch=True))
def test_v07_plain_words_are_text_or_refused(text: str) -> None:
    found = locate(f"- {text}", "a.yaml")
    assert found.problems or found.value == [text] or isinstance(found.value[0], (dict, list))  # type: ignore[index]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (AXIS.replace("    name", "\tname"), "axis.yaml:3:1: a tab; use spaces"),
        (
            AXIS.replace("left axis", "left\0axis"),
            "axis.yaml:6:13: an invisible character (U+0000)",
        ),
        (
            AXIS.encode().replace(b"left axis", b"l\xfcft axis"),
            "axis.yaml:6:10: the byte FC ('ü' in Windows-1252) is not UTF-8; save the file as",
        ),
        (AXIS.encode("utf-16"), "axis.yaml:1:1: the file is UTF-16; save it as UTF-8"),
        (AXIS.replace("left axis", "left\u2028axis"), "axis.yaml:6:13: an invisible character"),
        ("", "axis.yaml:1:1: the file is empty"),
        ("- a\n", "axis.yaml:1:1: the file does not hold keys"),
        (AXIS + "---\na: b\n", "axis.yaml:7:1: a second document"),
        (AXIS.replace("left axis", "left: axis: x"), "axis.yaml:6:19: a second ': ' in this line"),
        (AXIS.replace("left axis", "'left axis"), "axis.yaml:6:9: a quote is opened and never"),
        (AXIS.replace("left axis", "@left axis"), "axis.yaml:6:9: text may not start with this"),
        (
            AXIS.replace("left axis deviation", '"a\\d"'),
            "axis.yaml:6:11: a backslash inside double",
        ),
    ],
)
def test_v08_bytes_and_syntax_in_plain_words(
    problems: Problems, data: object, expected: str
) -> None:
    found = said(problems(axis=data))
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_v08_nbsp_smart_quotes_and_bom(write: Write) -> None:
    text = "\ufeff" + one_phrase("left\u00a0axis \u201cl\u2019axe\u201d")
    assert load_vocabulary(write(axis=text)).phrases[0].wording == 'left axis "l\'axe"'


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"^(\w+\s?)*$", r"(a|aa)+$"])
def test_v09_no_exponential_pattern(pattern: str) -> None:
    began = time.monotonic()
    # The probe for always-matching patterns refuses the second, in no time either.
    try:
        assert compile_pattern(pattern).search("a" * 28_000 + "!") is None
    except BadPattern:
        assert pattern.startswith("^")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("pattern", "construct"),
    [
        ("(?=lvh)", "(?="),
        ("(?<!no )lvh", "(?<"),
        (r"(a)\1", r"\1"),
        ("a{1,5000}", "{1,5000}"),
        ("(lvh", "not closed"),
        ("*a", "*"),
        (r"(\pL{100}){10}\pN{1000}", "too large"),
    ],
)
def test_v10_v15_outside_re2(
    problems: Problems, capfd: pytest.CaptureFixture[str], pattern: str, construct: str
) -> None:
    found = said(problems(axis=one_phrase(f"{{regex: '{pattern}'}}")))
    assert len(found) == 1
    assert found[0].startswith("axis.yaml:6:9: the regex '")
    assert construct in found[0]
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_v11_one_engine_agrees_with_re_on_folded_text() -> None:
    import re

    draw = random.Random(7)
    words = ["left", "axis", "mi", "1st", "v1", "-45", "st", "lvh", "qrs"]
    texts = [" ".join(draw.choices(words, k=6)) for _ in range(1000)]
    for pattern in (r"\bmi\b", r"qrs\s+axis\s+-?\d+", r"(st|lvh) \w+ v\d", r"^left.*lvh$"):
        ours, theirs = compile_pattern(pattern), re.compile(pattern)
        assert [bool(ours.search(each)) for each in texts] == [
            bool(theirs.search(each)) for each in texts
        ]


@pytest.mark.parametrize("pattern", ["x*", "(lvh)?", r"\b", "|lvh", "a{0}"])
def test_v12_empty_match(problems: Problems, pattern: str) -> None:
    found = said(problems(axis=one_phrase(f"{{regex: '{pattern}'}}")))
    assert found == [
        f"axis.yaml:6:9: the regex '{pattern}': "
        "the pattern also matches where nothing stands, so it matches always"
    ]


MANY = """\
labels:
  left_axis:
    nam: Left Axis
    description: [x]
    uncertain: maybe
    phrases:
      - left axis deviation
      - {text: lad, fuzzy: yes}
      - {lang: en}
      - {text: a, regex: b}
      - "?!"
      - left {wal} axis
      - ST elevation: marked
      - left axis deviation }
    implied_by:
      - phrases: [lafb]
        unless: [right_axs]
  Right Axis:
    name: x
    description:
    phrases: []
concepts:
  right_axis:
    phrases: text
terms:
  wall: [wall, "{wall} wall"]
"""


def test_every_problem_of_every_file_at_once(problems: Problems) -> None:
    context = 'cues:\n  negation:\n    forward: [without, "no {what}"]\nscope: {}\ncolour: blue\n'
    found = said(problems(axis=MANY, context=context))
    assert found == [
        "axis.yaml:2:3: 'name' is missing",
        "axis.yaml:3:5: unknown key 'nam'; did you mean 'name'?",
        "axis.yaml:4:5: 'description' must be text; found a list",
        "axis.yaml:5:5: 'uncertain' is 'maybe'; expected 'positive', 'negative' or 'missing'",
        "axis.yaml:8:21: 'fuzzy' is 'yes'; write true or false",
        "axis.yaml:9:9: the phrase has neither 'text' nor 'regex'; write one of them",
        "axis.yaml:10:9: the phrase has both 'text' and 'regex'; write one of them",
        "axis.yaml:11:9: the phrase '?!' has no letter and no digit in it",
        "axis.yaml:12:9: 'left {wal} axis' uses {wal}, which no file defines under 'terms'; "
        "did you mean 'wall'?",
        "axis.yaml:13:9: unknown key 'ST elevation'; text with ': ' in it needs quotes",
        "axis.yaml:13:9: the phrase has neither 'text' nor 'regex'; write one of them",
        "axis.yaml:14:9: 'left axis deviation }' has a brace that encloses no term; "
        "write it like {wall}",
        "axis.yaml:17:18: 'unless' names 'right_axs', which is no label or concept; "
        "did you mean 'right_axis'?",
        "axis.yaml:18:3: 'Right Axis' is no id: small letters, digits and _, "
        "starting with a letter",
        "axis.yaml:20:5: 'description' has no value; write one or delete the line",
        "axis.yaml:21:5: 'phrases' needs at least one entry",
        "axis.yaml:24:5: 'phrases' must be a list (lines that start with '- '); "
        "found the text 'text'",
        "axis.yaml:26:16: '{wall} wall': a term cannot hold a brace or another term",
        "context.yaml:3:24: 'no {what}' uses {what}, which no file defines under 'terms'",
        "context.yaml:5:1: unknown key 'colour'; expected one of words, terms, cues, scope, "
        "segments, no_reading, unconfirmed, abbreviations, ordinary_words",
    ]


def test_same_phrase_twice(problems: Problems) -> None:
    found = said(problems(axis=AXIS + "      - left axis deviation\n"))
    assert found == ["axis.yaml:7:9: 'left axis deviation' stands in line 6 of phrases already"]


def test_messages_hold_only_the_offending_part(problems: Problems) -> None:
    text = AXIS.replace("The axis points left.", "canary") + "      - {text: a, colour: red}\n"
    assert "canary" not in " ".join(said(problems(axis=text)))


def test_v01_terms_cannot_make_a_phrase_of_millions_of_wordings(problems: Problems) -> None:
    words = ", ".join(f"word{number}" for number in range(10))
    terms = "".join(f"  t{number}: [{words}]\n" for number in range(9))
    text = " ".join(f"{{t{number}}}" for number in range(9))
    found = said(problems(axis=f"terms:\n{terms}{one_phrase(chr(34) + text + chr(34))}"))
    assert found == [
        f"axis.yaml:16:9: '{text}' stands for 1,000,000,000 wordings; at most 50,000: "
        "give it fewer terms"
    ]


def test_an_id_whose_columns_would_be_those_of_another_is_refused(problems: Problems) -> None:
    found = said(problems(axis=AXIS.replace("left_axis:", "state_left_axis:")))
    assert found == [
        "axis.yaml:2:3: 'state_left_axis' cannot be the id of a label: none begins with 'state_'"
    ]


def test_v10_a_class_of_characters_that_re2_lacks_is_named() -> None:
    with pytest.raises(BadPattern, match="no class of characters has this name"):
        compile_pattern(r"\p{Klingon}")
