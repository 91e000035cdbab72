"""One phrase put into a vocabulary file, and taken out again; every other byte stays as it is.

The file is neither parsed and printed anew nor laid out again: the end of the list is found in its
text, and one line (or one entry of a ``[...]`` list) is put there.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple

import yaml

from overread.errors import Place, UsageError
from overread.vocab.explain import nearest
from overread.vocab.locate import LOADER, as_typed, locate
from overread.vocab.model import PhraseRef, Role
from overread.vocab.schema import MAX_PHRASE, Phrase

_BOM = b"\xef\xbb\xbf"
_BREAK = re.compile(r"(\r\n|\r|\n)")
# What needs no quotes between braces, in this program and in editors that know YAML 1.2.
_BARE = re.compile(r"[^\W_](?:[\w /.+-]*[\w.+-])?")
_NO_TEXT = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
_INITIALS = 40
_WORD = re.compile(r"[^\W\d_]{2}")  # one letter or a masked number finds anything


@dataclass(frozen=True, slots=True)
class NewPhrase:
    """A wording for a label or concept, and who adds it when; ``source`` says where it was seen.

    Spaces and quotes are made plain. ``unless`` belongs to the role "implied". Raises UsageError
    for a wording that is empty, too long or without a letter, and for missing initials.

    >>> NewPhrase("lvh", "increased  lv mass", "AB", date(2024, 5, 1)).entry()
    '{text: increased lv mass, by: AB, on: 2024-05-01}'
    """

    owner: str
    text: str
    by: str
    on: date
    source: str = ""
    role: Role = "phrase"
    lang: Literal["en", "de", "sv"] | None = None
    uncertain: bool = False
    acronym: bool = False
    unless: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("text", "source"):
            object.__setattr__(self, name, " ".join(as_typed(getattr(self, name)).split()))
            if not getattr(self, name).isprintable():
                raise UsageError(
                    f"The {name} holds an invisible character. Next step: type it anew."
                )
        if not _WORD.search(self.text):
            said = f"'{self.text}' has no word of two letters" if self.text else "it is empty"
            raise UsageError(f"The phrase is refused: {said}. Next step: give the words to find.")
        if len(self.text) > MAX_PHRASE:
            raise UsageError(
                f"The phrase is refused: it has {len(self.text)} characters, {MAX_PHRASE} are "
                "allowed. Next step: give the words that matter, not the whole sentence."
            )
        object.__setattr__(self, "by", initials(self.by))

    def fields(self) -> dict[str, str]:
        """The keys and values of the entry in the file, in their order."""
        given = {
            "text": self.text,
            "acronym": "true" if self.acronym else "",
            "lang": self.lang or "",
            "uncertain": "true" if self.uncertain else "",
            "by": self.by,
            "on": self.on.isoformat(),
            "source": self.source,
        }
        return {key: value for key, value in given.items() if value}

    def entry(self) -> str:
        """The entry as YAML on one line."""
        pairs = ", ".join(
            f"{key}: {value if key == 'on' or value == 'true' else _scalar(value)}"
            for key, value in self.fields().items()
        )
        return f"{{{pairs}}}"

    def ref(self) -> PhraseRef:
        """The phrase as a labeler takes it, before it stands in any file."""
        phrase = Phrase.model_validate(self.fields())
        return PhraseRef(self.owner, self.role, phrase, Place("not yet written", 1), self.unless)


def initials(by: str) -> str:
    """Who decides, as it is written; raises UsageError where that is empty or too long.

    >>> initials(" AB ")
    'AB'
    """
    by = " ".join(as_typed(by).split())
    if not by or len(by) > _INITIALS or not by.isprintable():
        raise UsageError(
            f"Who decides this? Up to {_INITIALS} letters. Next step: give your initials by --by."
        )
    return by


class Insertion(NamedTuple):
    """What changed: line ``line`` of ``file`` (from 1) is now ``text``.

    ``before`` is None for a line that is new, else the line as it was (a list in ``[...]``).
    """

    file: str
    line: int
    text: str
    before: str | None = None


def insert(files: Mapping[str, bytes], phrase: NewPhrase) -> tuple[Insertion, bytes]:
    """Where the phrase goes in the files of a valid vocabulary, and that file with it.

    It goes to the end of its list. Raises UsageError where no file has the label or concept, and
    where the list is written in a form that cannot be continued without changing other bytes.

    >>> text = "labels:\\n  lvh:\\n    phrases: # ours\\n    - lv hypertrophy # old\\n    # end"
    >>> phrase = NewPhrase("lvh", "lvh", "AB", date(2024, 5, 1))
    >>> insertion, after = insert({"a.yaml": text.encode()}, phrase)
    >>> print(after.decode())
    labels:
      lvh:
        phrases: # ours
        - lv hypertrophy # old
        - {text: lvh, by: AB, on: 2024-05-01}
        # end
    >>> insertion.line
    5
    """
    name, section, root = _owner_of(files, phrase.owner)
    if section == "concepts" and phrase.role != "phrase":
        raise UsageError(
            f"'{phrase.owner}' is a concept and has phrases only. Next step: choose a label."
        )
    text = _Text(files[name])
    insertion = text.put(_spot(root, section, phrase, text.lines), name)
    after = text.data()
    was, now = (locate(each.decode("utf-8-sig"), name).value for each in (files[name], after))
    if now != _with_entry(was, section, phrase):
        raise UsageError(
            f"{name}: the phrases of '{phrase.owner}' are written in a form that only a person can "
            f"add to. Next step: write this line there: - {phrase.entry()}"
        )
    return insertion, after


def remove(files: Mapping[str, bytes], insertion: Insertion) -> bytes:
    """The file without an earlier insertion; lines that moved since are found by their text.

    Raises UsageError where the very line stands there no more, or more than once.
    """
    text = _Text(files.get(insertion.file, b""))
    at = insertion.line - 1
    if not (at < len(text.lines) and text.lines[at] == insertion.text):
        if text.lines.count(insertion.text) != 1:
            raise UsageError(
                f"{insertion.file}:{insertion.line} was changed since. "
                "Next step: take the phrase out in an editor."
            )
        at = text.lines.index(insertion.text)
    if insertion.before is None:
        text.delete(at)
    else:
        text.lines[at] = insertion.before
    return text.data()


class _Spot(NamedTuple):
    """After line ``line`` (from 0) if ``column`` is None, else inside it; and what goes there."""

    line: int
    column: int | None
    text: str


def _owner_of(files: Mapping[str, bytes], owner: str) -> tuple[str, str, Any]:
    """File, section and node tree in which a label or concept is defined."""
    known: list[str] = []
    # Parsing takes most of the time: first the files that hold the id at all.
    for name, data in sorted(files.items(), key=lambda file: owner.encode() not in file[1]):
        root = yaml.compose(data.decode("utf-8-sig"), Loader=LOADER)
        for section in ("labels", "concepts"):
            owners = _get(root, section)
            if owners is not None:
                if _get(owners, owner) is not None:
                    return name, section, root
                known += [key.value for key, _ in owners.value]
    raise UsageError(
        f"There is no label or concept '{owner}'{nearest(owner, known) or '.'} "
        "Next step: give an id as it stands in the files."
    )


def _spot(root: Any, section: str, phrase: NewPhrase, lines: list[str]) -> _Spot:
    """Where the entry goes, and the text that goes there."""
    owner = _get(_get(root, section), phrase.owner)
    phrases = _get(owner, "phrases")
    if phrase.role == "phrase":
        return _at_end(phrases, phrase.entry(), lines)
    key = {"exclusion": "exclusions", "implied": "implied_by"}[phrase.role]
    entry, list_node = phrase.entry(), _get(owner, key)
    if phrase.role == "implied":
        for group in list_node.value if list_node is not None else ():
            unless = _get(group, "unless")
            if {each.value for each in (unless.value if unless else ())} == set(phrase.unless):
                return _at_end(_get(group, "phrases"), entry, lines)
        unless_text = f", unless: [{', '.join(phrase.unless)}]" if phrase.unless else ""
        entry = f"{{phrases: [{entry}]{unless_text}}}"
    if list_node is not None:
        return _at_end(list_node, entry, lines)
    if owner.flow_style:
        return _Spot(phrases.end_mark.line, phrases.end_mark.column, f", {key}: [{entry}]")
    indent = " " * owner.start_mark.column
    return _Spot(_last_line(phrases, lines), None, f"{indent}{key}: [{entry}]")


def _at_end(node: Any, entry: str, lines: list[str]) -> _Spot:
    """The end of a list, whatever its style."""
    if not node.flow_style:
        return _Spot(_last_line(node, lines), None, f"{' ' * node.start_mark.column}- {entry}")
    if not node.value:
        return _Spot(node.start_mark.line, node.start_mark.column + 1, entry)
    end = node.value[-1].end_mark
    return _Spot(end.line, end.column, f", {entry}")


def _last_line(node: Any, lines: list[str]) -> int:
    """The last line (from 0) that a node itself fills, without comments and blank lines after."""
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return _last_of_block(node, lines)
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        return int(node.end_mark.line)
    last = node.value[-1]
    return _last_line(last[1] if isinstance(node, yaml.MappingNode) else last, lines)


def _last_of_block(node: Any, lines: list[str]) -> int:
    """The parser ends a block of text where the next key begins: what lies between is no text."""
    first = last = int(node.start_mark.line)
    indent = 0
    for at in range(first + 1, len(lines)):
        found = len(lines[at]) - len(lines[at].lstrip(" "))
        if not lines[at].strip():
            continue
        indent = indent or found
        if found < indent:
            break
        last = at
    return last


def _get(node: Any, key: str) -> Any:
    """The value of a key of a group of keys, or None."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if as_typed(name.value) == key), None)


def _with_entry(value: object, section: str, phrase: NewPhrase) -> object:
    """The values that a file must have after the insertion."""
    out: Any = copy.deepcopy(value)
    owner, fields = out[section][phrase.owner], phrase.fields()
    if phrase.role == "phrase":
        owner["phrases"].append(fields)
    elif phrase.role == "exclusion":
        owner.setdefault("exclusions", []).append(fields)
    else:
        groups = owner.setdefault("implied_by", [])
        fits = [each for each in groups if set(each.get("unless", ())) == set(phrase.unless)]
        if fits:
            fits[0]["phrases"].append(fields)
        else:
            unless = {"unless": list(phrase.unless)} if phrase.unless else {}
            groups.append({"phrases": [fields], **unless})
    return out


class _Text:
    """The lines of a file, each with its own line end."""

    def __init__(self, data: bytes) -> None:
        self.bom = data.startswith(_BOM)
        pieces = _BREAK.split(data.decode("utf-8-sig"))
        self.lines, self.ends = pieces[0::2], [*pieces[1::2], ""]
        if not self.lines[-1]:  # the file ends with a line end
            self.lines.pop()
            self.ends.pop()

    def put(self, spot: _Spot, file: str) -> Insertion:
        """Makes the change."""
        if spot.column is not None:
            line = self.lines[spot.line]
            changed = line[: spot.column] + spot.text + line[spot.column :]
            self.lines[spot.line] = changed
            return Insertion(file, spot.line + 1, changed, line)
        end = self.ends[spot.line]
        if not end:  # the last line has no line end: the new last line shall have none either
            self.ends[spot.line] = next(iter(self.ends), "") or "\n"
        self.lines.insert(spot.line + 1, spot.text)
        self.ends.insert(spot.line + 1, end)
        return Insertion(file, spot.line + 2, spot.text)

    def delete(self, at: int) -> None:
        """Takes a line out."""
        if not self.ends[at] and at:
            self.ends[at - 1] = ""
        del self.lines[at], self.ends[at]

    def data(self) -> bytes:
        """The file again."""
        text = "".join(line + end for line, end in zip(self.lines, self.ends, strict=True))
        return _BOM * self.bom + text.encode()


def _scalar(text: str) -> str:
    """A text as YAML between braces: bare where no program could take it for something else."""
    bare = _BARE.fullmatch(text) and text not in _NO_TEXT and any(map(str.isalpha, text))
    return text if bare else json.dumps(text, ensure_ascii=False)
