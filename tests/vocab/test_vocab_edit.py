"""Phrases put into hand-written YAML: one line changes, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.errors import UsageError
from overread.vocab.edit import NewPhrase, insert, remove
from overread.vocab.load import load_vocabulary, shipped_vocabulary, vocabulary_of
from overread.vocab.schema import MAX_PHRASE
from overread.vocab.source import read_bytes

DAY = date(2024, 5, 1)
CONTEXT = b"cues:\n  negation:\n    forward: [no]\nscope:\n  stop: [but]\n"


def new(owner: str = "lvh", text: str = "brand new words", **more: object) -> NewPhrase:
    return NewPhrase(owner, text, "AB", DAY, **more)  # type: ignore[arg-type]


def plain(data: bytes) -> object:
    """The values of a file as PyYAML's own loader of bare texts sees them."""
    return yaml.load(data.decode("utf-8-sig"), Loader=yaml.BaseLoader)


def edited(text: str, phrase: NewPhrase) -> str:
    """The file after the insertion, which is checked to be undone by `remove`."""
    files = {"a.yaml": text.encode()}
    insertion, after = insert(files, phrase)
    assert remove({"a.yaml": after}, insertion) == files["a.yaml"]
    return after.decode()


# Hand-written files ------------------------------------------------------------------------

COMMENTS = st.sampled_from(["", "", "", "  # seen at our site", " # ä: [not, a, list]", "   "])
BETWEEN = st.sampled_from(["", "", "\n", "# old ones\n", "          # - commented out\n\n"])


@st.composite
def items(draw: st.DrawFn, number: int, pad: str) -> str:
    """One item of a block list, in any style, without its dash."""
    word = draw(st.sampled_from(["left side", "größe", "t-wave , inverted", "lvh", "2:1"]))
    text = f"{word} {number}"
    style = draw(st.integers(0, 6))
    if style == 0:
        return text
    if style == 1:
        return f'"{text}"'
    if style == 2:
        return f"{{text: '{text}', by: CD, on: 2023-01-01}}"
    if style == 3:
        return f"text: {text}{draw(COMMENTS)}\n{pad}lang: en"
    if style == 4:  # a long text goes on in the next line
        return f"{text}\n{pad} and more"
    if style == 5:
        return f">-\n{pad}{text}\n{pad}folded"
    return f"{{text: {text.replace(',', '')},\n{pad} # why\n{pad} note: two lines}}"


@st.composite
def lists(draw: st.DrawFn, prefix: str, indent: int, *, least: int) -> str:
    """The value of ``phrases:`` or ``exclusions:``, with the line end it closes with."""
    count = draw(st.integers(least, 3))
    if not count or draw(st.integers(0, 3)) == 0:
        wordings = [f"{prefix} flow {number}" for number in range(count)]
        glue = draw(st.sampled_from([", ", " , ", ",\n" + " " * (indent + 4)]))
        closing = draw(st.sampled_from(["", "", " ", ", " if count else " "]))
        opening = draw(st.sampled_from(["[", "[ "]))
        return f" {opening}{glue.join(wordings)}{closing}]{draw(COMMENTS)}\n"
    own = indent + draw(st.sampled_from([0, 2, 4]))  # the dash may stand under the key
    dash = " " * own + "-" + " " * draw(st.integers(1, 2))
    pad = " " * len(dash)
    out = f"{draw(COMMENTS)}\n"
    for number in range(count):
        out += draw(BETWEEN)
        item = draw(items(number, pad)).replace("lvh", f"lvh {prefix}").replace("side", prefix)
        # A comment must not become part of a text that goes on.
        out += f"{dash}{item}{draw(COMMENTS)}\n" if "\n" not in item else f"{dash}{item}\n"
    return out + draw(BETWEEN)


@st.composite
def files_by_hand(draw: st.DrawFn) -> bytes:
    """A topic file with two labels and a concept, laid out in any way that YAML allows."""
    out = draw(st.sampled_from(["", "# yaml-language-server: $schema=schema.json\n", "\n\n"]))
    step = draw(st.integers(1, 4))
    keys = " " * (2 * step)
    out += "labels:\n"
    for owner in ("lvh", "rvh"):
        phrases = f"{keys}phrases:{draw(lists(owner, 2 * step, least=1))}"
        parts = [
            f"{keys}name: {owner.upper()}\n",
            f"{keys}description: >-\n{keys}  Big. # no comment\n\n{keys}  More.\n",
            phrases,
        ]
        if draw(st.booleans()):
            parts.append(f"{keys}exclusions:{draw(lists('not ' + owner, 2 * step, least=0))}")
        out += draw(BETWEEN) + " " * step + f"{owner}:{draw(COMMENTS)}\n"
        out += draw(BETWEEN).join(draw(st.permutations(parts)))
    if draw(st.booleans()):
        out += f"concepts:\n  helper: {{phrases: [helper words]}}{draw(COMMENTS)}\n"
    if draw(st.booleans()):
        out = out.rstrip("\n ")
    out = out.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\r"])))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + out.encode()


TEXTS = st.sampled_from(
    [
        "brand new words",
        "no: colon",
        'so-called "big"',
        "#1 sign",
        "{word} of it",
        "trüb 3",
        "540 xy",
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    data=files_by_hand(),
    owner=st.sampled_from(["lvh", "rvh"]),
    text=TEXTS,
    role=st.sampled_from(["phrase", "exclusion", "implied"]),
    uncertain=st.booleans(),
)
def test_any_accept_changes_exactly_one_line(
    data: bytes, owner: str, text: str, role: str, uncertain: bool
) -> None:
    data = data.replace(b"labels:", b"terms: {word: [size]}\nlabels:", 1)
    files = {"a.yaml": data, "context.yaml": CONTEXT}
    before = plain(data)
    vocabulary_of(files)  # what hypothesis made is a vocabulary
    phrase = new(owner, text, role=role, uncertain=uncertain, source="12SL 540")

    insertion, after = insert(files, phrase)

    ends = rb"\r\n|\r|\n"
    was, now = re.split(ends, data), re.split(ends, after)
    at = insertion.line - 1
    assert now[at].decode("utf-8-sig") == insertion.text
    if insertion.before is None:
        assert [*now[:at], *now[at + 1 :]] == was or [*now[:at], *now[at + 1 :], b""] == was
    else:
        assert [*now[:at], was[at], *now[at + 1 :]] == was
        assert was[at].decode("utf-8-sig") == insertion.before
        # An entry more inside the line, and every old character still in its order.
        head = len(_common(insertion.before, insertion.text))
        tail = len(insertion.before) - head
        assert insertion.text.endswith(insertion.before[head:])
        assert insertion.text[head : len(insertion.text) - tail].count("text: ") == 1
    assert set(re.findall(ends, after)) <= set(re.findall(ends, data)) or b"\n" not in data
    assert after.endswith((b"\n", b"\r")) == data.endswith((b"\n", b"\r"))
    assert after.startswith(b"\xef\xbb\xbf") == data.startswith(b"\xef\xbb\xbf")

    entry = {"text": text, "by": "AB", "on": "2024-05-01", "source": "12SL 540"}
    entry |= {"uncertain": "true"} if uncertain else {}
    label = before["labels"][owner]  # type: ignore[index]
    if role == "phrase":
        label["phrases"].append(entry)
    elif role == "exclusion":
        label.setdefault("exclusions", []).append(entry)
    else:
        label["implied_by"] = [{"phrases": [entry]}]
    assert plain(after) == before
    found = [
        ref for ref in vocabulary_of({**files, "a.yaml": after}).phrases if ref.wording == text
    ]
    assert [(ref.owner, ref.role, ref.phrase.by) for ref in found] == [(owner, role, "AB")]
    assert found[0].place.line == insertion.line

    assert remove({"a.yaml": after}, insertion) == data


def _common(first: str, second: str) -> str:
    length = 0
    while first[length : length + 1] == second[length : length + 1] != "":
        length += 1
    return first[:length]


# Cases by hand -----------------------------------------------------------------------------

LABEL = "labels:\n  lvh:\n    name: LVH\n    description: Big.\n    phrases:"
ENTRY = "{text: brand new words, by: AB, on: 2024-05-01}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (" [a, b]\n", f" [a, b, {ENTRY}]\n"),
        (" [a, b, ] # ours\n", f" [a, b, {ENTRY}, ] # ours\n"),
        (" [a, # one\n      b  # two\n    ]\n", f" [a, # one\n      b, {ENTRY}  # two\n    ]\n"),
        ("\n    - a\n    # end\n", f"\n    - a\n    - {ENTRY}\n    # end\n"),
        ("\n      - a # one\n\n\n", f"\n      - a # one\n      - {ENTRY}\n\n\n"),
        ("\n      - a", f"\n      - a\n      - {ENTRY}"),
        (
            "\n      - |\n        a\n\n    exclusions: [c]\n",
            f"\n      - |\n        a\n      - {ENTRY}\n\n    exclusions: [c]\n",
        ),
    ],
)
def test_new_phrase_goes_to_the_end_of_its_list(before: str, after: str) -> None:
    assert edited(LABEL + before, new()) == LABEL + after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (" [a]\n    exclusions: []\n", f" [a]\n    exclusions: [{ENTRY}]\n"),
        (
            "\n      - a\n    examples:\n      match: [a]\n",
            f"\n      - a\n    exclusions: [{ENTRY}]\n    examples:\n      match: [a]\n",
        ),
    ],
)
def test_exclusions_are_one_line_too_where_there_was_no_list(before: str, after: str) -> None:
    assert edited(LABEL + before, new(role="exclusion")) == LABEL + after


def test_label_in_braces() -> None:
    text = "labels: {lvh: {name: LVH, description: Big, phrases: [a]}}\n"
    assert edited(text, new(role="exclusion")) == text.replace("[a]", f"[a], exclusions: [{ENTRY}]")


def test_implied_phrase_joins_the_group_with_the_same_exceptions() -> None:
    text = (
        LABEL + " [a]\n    implied_by:\n      - phrases: [b]\n        unless: [c, d]\n"
        "      - phrases: [e]\n"
    )
    implied = new(role="implied", unless=("d", "c"))
    assert edited(text, implied) == text.replace("[b]", f"[b, {ENTRY}]")
    assert edited(text, new(role="implied")) == text.replace("[e]", f"[e, {ENTRY}]")
    other = new(role="implied", unless=("f",))
    assert edited(text, other) == text + f"      - {{phrases: [{ENTRY}], unless: [f]}}\n"


# Overlays ----------------------------------------------------------------------------------

BASE = {
    "a.yaml": b"terms: {word: [size]}\nlabels:\n"
    b"  lvh: {name: LVH, description: Big, phrases: [lv]}\n"
    b"  rvh: {name: RVH, description: Big, phrases: [rv]}\nconcepts:\n  helper: {phrases: [old]}\n",
    "context.yaml": CONTEXT,
}
LISTED = "\n      - {text: ours, by: CD}  # why\n"
LABELS_BY_HAND = st.sampled_from(
    [
        f"  lvh:\n    phrases:{LISTED}",
        f"  lvh:\n    exclusions:{LISTED}    uncertain: negative\n",
        "  lvh:  # no phrase yet\n    examples:\n      match: [lv]\n\n",
        "  lvh: {uncertain: negative}\n",
        "  lvh: {}\n",
        f"  rvh:\n    phrases:{LISTED}    # the end\n",
        "  rvh: {phrases: [ours, theirs]}\n",
    ]
)


@st.composite
def overlays_by_hand(draw: st.DrawFn) -> bytes:
    """A file of an overlay, which holds as little of a label as its writer wanted to change."""
    sections = ["retire:\n  lvh: [lv of old]\n", "words: {axis: [axes]}\n"]
    labels = draw(st.lists(LABELS_BY_HAND, max_size=2, unique_by=lambda text: text[:5]))
    if labels:
        sections.append("labels:\n" + draw(BETWEEN) + draw(BETWEEN).join(labels))
    elif draw(st.booleans()):
        sections.append(
            draw(st.sampled_from(["labels: {}\n", "labels: {lvh: {phrases: [ours]}}\n"]))
        )
    if draw(st.booleans()):
        sections.append("concepts:\n  helper:\n    phrases: [ours]\n")
    kept = draw(st.lists(st.sampled_from(sections), min_size=1, unique=True))
    out = draw(COMMENTS).strip() + "\n" + draw(BETWEEN).join(kept)
    if draw(st.booleans()):
        out = out.rstrip("\n ")
    return out.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))).encode()


@settings(max_examples=60, deadline=None)
@given(
    data=overlays_by_hand(),
    owner=st.sampled_from(["lvh", "rvh", "helper"]),
    role=st.sampled_from(["phrase", "exclusion", "implied"]),
)
def test_an_accept_into_an_overlay_leaves_every_other_line(
    data: bytes, owner: str, role: str
) -> None:
    role = "phrase" if owner == "helper" else role
    base = {**BASE, "a.yaml": BASE["a.yaml"].replace(b"[lv]", b"[lv, lv of old]")}
    files = {**base, "ours/local.yaml": data}
    vocabulary_of(files)  # what hypothesis made is an overlay

    insertion, after = insert(files, new(owner, role=role), overlay="ours/")

    assert insertion.file == "ours/local.yaml"
    was, now = (re.split(r"\r\n|\n", each.decode()) for each in (data, after))
    first = insertion.line - 1
    assert now[first : insertion.last] == insertion.lines
    others = [*now[:first], *([] if insertion.before is None else [insertion.before])]
    others += now[insertion.last :]
    assert others == was or [*others, ""] == was
    assert after.endswith(b"\n") == data.endswith(b"\n")
    assert (b"\r" in after) == (b"\r" in data)
    found = vocabulary_of({**files, "ours/local.yaml": after})
    (ref,) = (ref for ref in found.phrases if ref.wording == "brand new words")
    assert (ref.owner, ref.role, str(ref.place).rpartition(":")[0]) == (
        owner, role, f"ours/local.yaml:{insertion.last}"
    )  # fmt: skip
    others_of = {r.id for r in vocabulary_of(files).phrases}
    assert {r.id for r in found.phrases} == others_of | {ref.id}
    assert remove({**files, "ours/local.yaml": after}, insertion) == data


def test_the_first_phrase_of_an_overlay_makes_its_file() -> None:
    insertion, after = insert(BASE, new(), overlay="ours/")
    assert (insertion.file, insertion.line, insertion.last) == ("ours/local.yaml", 1, 4)
    assert after.decode() == f"labels:\n  lvh:\n    phrases:\n      - {ENTRY}\n"
    second, after = insert({**BASE, insertion.file: after}, new("rvh"), overlay="ours/")
    assert (second.line, second.last) == (5, 7)
    assert after.decode().endswith(f"\n  rvh:\n    phrases:\n      - {ENTRY}\n")
    with pytest.raises(UsageError, match="did you mean 'lvh'"):
        insert(BASE, new("lvhh"), overlay="ours/")


def test_every_list_of_the_shipped_vocabulary_takes_a_phrase() -> None:
    files = read_bytes(shipped_vocabulary())
    standing = load_vocabulary()
    owners = [*standing.labels, *standing.concepts]
    after = dict(files)
    for owner in owners:
        insertion, content = insert(after, new(owner))
        assert remove({insertion.file: content}, insertion) == after[insertion.file]
        after[insertion.file] = content
    added = {ref.id for ref in vocabulary_of(after).phrases} - {ref.id for ref in standing.phrases}
    assert added == {f"{owner}/brand-new-words" for owner in owners}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("LV-mass 3.5+", "LV-mass 3.5+"),
        ("lv-mass", "lv-mass"),
        ("überdreht", "überdreht"),
        ("st: down", '"st: down"'),
        ("st #1", '"st #1"'),
        ("{wall} motion", '"{wall} motion"'),
        ("aa, b", '"aa, b"'),
        ("no", '"no"'),
        (".nan", '".nan"'),
        ('so-called "x" \\ y', r'"so-called \"x\" \\ y"'),
        ("don\u2019t  know\u00a0it", '"don\'t know it"'),
    ],
)
def test_wordings_are_quoted_where_yaml_would_read_something_else(text: str, written: str) -> None:
    entry = new(text=text).entry()
    assert entry == f"{{text: {written}, by: AB, on: 2024-05-01}}"
    assert yaml.load(entry, Loader=yaml.BaseLoader)["text"] == new(text=text).text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": "  "}, "it is empty"),
        ({"text": "--"}, "no word of two letters"),
        ({"text": "x"}, "no word of two letters"),
        ({"text": "12 34"}, "no word of two letters"),
        ({"text": "x" * (MAX_PHRASE + 1)}, f"{MAX_PHRASE} are allowed"),
        ({"text": "a\x07b"}, "invisible character"),
        ({"by": " "}, "give your initials"),
        ({"by": "A" * 41}, "give your initials"),
    ],
)
def test_phrase_that_no_file_could_hold_is_refused(change: dict[str, str], said: str) -> None:
    given = {"owner": "lvh", "text": "lv mass", "by": "AB", **change}
    with pytest.raises(UsageError, match=said):
        NewPhrase(on=DAY, **given)


def test_schema_refuses_the_same_length(write: Callable[..., Path]) -> None:
    folder = write(axis=f"{LABEL} [{'x' * MAX_PHRASE}]\n")
    assert load_vocabulary(folder).phrases[0].wording == "x" * MAX_PHRASE
    folder = write(axis=f"{LABEL} [{'x' * (MAX_PHRASE + 1)}]\n")
    with pytest.raises(Exception, match=f"axis.yaml:5:15: .*longer than {MAX_PHRASE} characters"):
        load_vocabulary(folder)


def test_unknown_label_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no label or concept 'lvhh'; did you mean 'lvh'\? Next"):
        insert({"a.yaml": (LABEL + " [a]\n").encode()}, new("lvhh"))


def test_concept_takes_phrases_only() -> None:
    text = b"concepts:\n  helper:\n    phrases: [a]\n"
    assert b"[a, {text" in insert({"a.yaml": text}, new("helper"))[1]
    with pytest.raises(UsageError, match="is a concept"):
        insert({"a.yaml": text}, new("helper", role="exclusion"))


def test_removing_finds_a_line_that_moved_and_refuses_one_that_changed() -> None:
    text = (LABEL + "\n      - a\n").encode()
    insertion, after = insert({"a.yaml": text}, new())
    moved = b"# a new first line\n" + after
    assert remove({"a.yaml": moved}, insertion) == b"# a new first line\n" + text
    for other in (after.replace(b"brand", b"grand"), moved + after, b""):
        with pytest.raises(UsageError, match=r"a\.yaml:7 was changed since"):
            remove({"a.yaml": other}, insertion)
