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
#: The file of an overlay that has none yet.
NEW_FILE = "local.yaml"
_KEYS: dict[Role, str] = {"phrase": "phrases", "exclusion": "exclusions", "implied": "implied_by"}
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
            f"Who decides this? Up to {_INITIALS} letters. Next step: give your initials."
        )
    return by


class Insertion(NamedTuple):
    """What changed: line ``line`` of ``file`` (from 1) is now ``text``.

    ``before`` is None for a line that is new, else the line as it was (a list in ``[...]``). In an
    overlay that did not have the label yet ``text`` is several new lines.
    """

    file: str
    line: int
    text: str
    before: str | None = None

    @property
    def lines(self) -> list[str]:
        """The text line by line."""
        return self.text.split("\n")

    @property
    def last(self) -> int:
        """The line of the phrase itself."""
        return self.line + len(self.lines) - 1


def insert(
    files: Mapping[str, bytes], phrase: NewPhrase, *, overlay: str = ""
) -> tuple[Insertion, bytes]:
    """Where the phrase goes in the files of a valid vocabulary, and that file with it.

    It goes to the end of its list. ``overlay`` is what the names of an overlay's files begin with:
    the phrase goes into these then, below the id of its label, which comes along where only files
    below the overlay have it. Raises UsageError where no file has the label or concept, and where
    the list is written in a form that cannot be continued without changing other bytes.

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
    name, section, root = _owner_of(files, phrase.owner, overlay)
    if section == "concepts" and phrase.role != "phrase":
        raise UsageError(
            f"'{phrase.owner}' is a concept and has phrases only. Next step: choose a label."
        )
    was = files.get(name, b"")
    text = _Text(was)
    insertion = text.put(_spot(root, section, phrase, text.lines), name)
    after = text.data()
    values = locate(was.decode("utf-8-sig"), name).value if was else {}
    if locate(after.decode("utf-8-sig"), name).value != _with_entry(values, section, phrase):
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
    new = insertion.lines
    stands = [at for at in range(len(text.lines)) if text.lines[at : at + len(new)] == new]
    if insertion.line - 1 in stands:
        stands = [insertion.line - 1]
    if len(stands) != 1:
        raise UsageError(
            f"{insertion.file}:{insertion.last} was changed since. "
            "Next step: take the phrase out in an editor."
        )
    if insertion.before is None:
        text.delete(stands[0], len(new))
    else:
        text.lines[stands[0]] = insertion.before
    return text.data()


class _Spot(NamedTuple):
    """After line ``line`` (from 0) if ``column`` is None, else inside it; and what goes there."""

    line: int
    column: int | None
    text: str


def _owner_of(files: Mapping[str, bytes], owner: str, overlay: str) -> tuple[str, str, Any]:
    """File, section and node tree that a phrase of a label or concept goes into.

    That is where the id stands; else, in an overlay, its first file, or one that is to be made.
    """
    known: dict[str, str] = {}
    roots: dict[str, Any] = {}
    # Parsing takes most of the time: first the files that hold the id at all.
    for name, data in sorted(files.items(), key=lambda file: owner.encode() not in file[1]):
        root = yaml.compose(data.decode("utf-8-sig"), Loader=LOADER)
        roots[name] = root
        for section in ("labels", "concepts"):
            for key, _ in getattr(_get(root, section), "value", ()):
                known[key.value] = section
                if key.value == owner and name.startswith(overlay):
                    return name, section, root
    if owner not in known:
        raise UsageError(
            f"There is no label or concept '{owner}'{nearest(owner, known) or '.'} "
            "Next step: give an id as it stands in the files."
        )
    name = next((name for name in files if name.startswith(overlay)), overlay + NEW_FILE)
    return name, known[owner], roots.get(name)


def _spot(root: Any, section: str, phrase: NewPhrase, lines: list[str]) -> _Spot:
    """Where the entry goes, and the text that goes there."""
    key = _KEYS[phrase.role]
    path = [section, phrase.owner, key]
    node = root
    while path and _get(node, path[0]) is not None:
        node = _get(node, path.pop(0))
    entry = phrase.entry()
    if phrase.role == "implied":
        for group in node.value if not path else ():
            unless = _get(group, "unless")
            if {each.value for each in (unless.value if unless else ())} == set(phrase.unless):
                return _at_end(_get(group, "phrases"), entry, lines)
        unless_text = f", unless: [{', '.join(phrase.unless)}]" if phrase.unless else ""
        entry = f"{{phrases: [{entry}]{unless_text}}}"
    if not path:
        return _at_end(node, entry, lines)
    phrases = _get(node, "phrases") if path == [key] else None
    if node is not None and node.flow_style:
        entry = f"[{entry}]"
        for each in reversed(path[1:]):
            entry = f"{{{each}: {entry}}}"
        after = phrases or (node.value[-1][1] if node.value else None)
        if after is None:
            return _Spot(node.start_mark.line, node.start_mark.column + 1, f"{path[0]}: {entry}")
        return _Spot(after.end_mark.line, after.end_mark.column, f", {path[0]}: {entry}")
    indent = node.start_mark.column if node is not None else 0
    if phrases is not None:
        line = f"{' ' * indent}{key}: [{entry}]"
        return _Spot(_last_line(phrases, lines), None, line)
    new = [f"{' ' * (indent + 2 * depth)}{each}:" for depth, each in enumerate(path)]
    new.append(f"{' ' * (indent + 2 * len(path))}- {entry}")
    at = _last_line(node, lines) if node is not None else len(lines) - 1
    return _Spot(at, None, "\n".join(new))


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
    owner = out.setdefault(section, {}).setdefault(phrase.owner, {})
    entries, fields = owner.setdefault(_KEYS[phrase.role], []), phrase.fields()
    if phrase.role != "implied":
        entries.append(fields)
        return out
    fits = [each for each in entries if set(each.get("unless", ())) == set(phrase.unless)]
    if fits:
        fits[0]["phrases"].append(fields)
    else:
        unless = {"unless": list(phrase.unless)} if phrase.unless else {}
        entries.append({"phrases": [fields], **unless})
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
        new = spot.text.split("\n")
        end = self.ends[spot.line] if self.lines else "\n"
        usual = next(iter(self.ends), "") or "\n"
        if self.lines and not end:  # no line end: the new last line shall have none either
            self.ends[spot.line] = usual
        self.lines[spot.line + 1 : spot.line + 1] = new
        self.ends[spot.line + 1 : spot.line + 1] = [*[end or usual] * (len(new) - 1), end]
        return Insertion(file, spot.line + 2, spot.text)

    def delete(self, at: int, count: int) -> None:
        """Takes lines out."""
        if not self.ends[at + count - 1] and at:
            self.ends[at - 1] = ""
        del self.lines[at : at + count], self.ends[at : at + count]

    def data(self) -> bytes:
        """The file again."""
        text = "".join(line + end for line, end in zip(self.lines, self.ends, strict=True))
        return _BOM * self.bom + text.encode()


def _scalar(text: str) -> str:
    """A text as YAML between braces: bare where no program could take it for something else."""
    bare = _BARE.fullmatch(text) and text not in _NO_TEXT and any(map(str.isalpha, text))
    return text if bare else json.dumps(text, ensure_ascii=False)
