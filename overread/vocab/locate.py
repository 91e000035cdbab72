"""YAML text -> plain values, each with its place.

Only the events of the YAML parser are used. Every scalar stays the text that is in the file: YAML's
own typing turns ``2:1`` into 121 and ``no`` into False. Anchors, aliases, merge keys, tags, second
documents, duplicate keys and deep nesting are refused while reading, before anything grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from overread.errors import Place

Path = tuple[str, ...]
Problem = tuple[Place, str]

MAX_DEPTH = 20
#: A file with more problems of form than this is not a vocabulary file; the rest is not listed.
MAX_PROBLEMS = 50

LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

# Typed in an editor or pasted from a word processor, these look like a space or a quote and are
# meant as one. Zero-width characters and soft hyphens are meant as nothing.
_AS_TYPED = {
    **dict.fromkeys(map(ord, "\u00a0\u1680\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u3000"), " "),
    **dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u2032"), "'"),
    **dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u2033"), '"'),
    **dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"), None),
}

# What libyaml or PyYAML say -> what to do about it.
_PLAIN_WORDS = {
    "mapping values are not allowed": "a second ': ' in this line; put the text in quotes",
    "could not find expected ':'": "a key without ':' after it, or text that needs quotes",
    "did not find expected key": "the line does not fit: check its indentation and its quotes",
    "expected <block end>": "the line does not fit: check its indentation and its quotes",
    "did not find expected '-' indicator": "a list goes on here with a line that lacks '- '",
    "did not find expected ',' or": "a list in [ ] or { } is not closed, or lacks a comma",
    "expected ',' or": "a list in [ ] or { } is not closed, or lacks a comma",
    "found unexpected end of stream": "a quote is opened and never closed",
    "cannot start any token": "text may not start with this character; put the text in quotes",
    "found unknown escape character": "a backslash inside double quotes; use single quotes",
    "unknown directive": "text may not start with '%'; put it in quotes",
}


@dataclass(frozen=True, slots=True)
class Located:
    """The value of a file (dict, list and str only), the place of each node, what was refused."""

    file: str
    value: object
    marks: Mapping[Path, tuple[int, int]]
    problems: list[Problem] = field(default_factory=list)
    refused: frozenset[Path] = frozenset()

    def place(self, path: Path) -> Place:
        """Where the node stands: its key, or its first character in a list; else its parent's.

        >>> located = locate("labels:\\n  lvh:\\n    name: LVH\\n", "a.yaml")
        >>> str(located.place(("labels", "lvh", "phrases")))
        'a.yaml:2:3'
        """
        while path and path not in self.marks:
            path = path[:-1]
        return Place(self.file, *self.marks.get(path, (1, 1)))

    def places(self) -> dict[Path, Place]:
        """The place of every node."""
        return {path: Place(self.file, *mark) for path, mark in self.marks.items()}


def locate(text: str, file: str) -> Located:
    """The values and places of YAML text; what is wrong with its form is in ``problems``.

    >>> locate("ratio: [2:1, no, 010]", "a.yaml").value
    {'ratio': ['2:1', 'no', '010']}
    >>> for place, message in locate("a: &x 1\\na: 2\\n", "a.yaml").problems:
    ...     print(f"{place}: {message}")
    a.yaml:1:4: anchors (&x) are not allowed here; text that starts with '&' needs quotes
    a.yaml:2:1: the key 'a' stands in line 1 already
    """
    composer = _Composer(file)
    try:
        value = composer.document(yaml.parse(text, Loader=LOADER))
    except _Stop:
        value = None
    except yaml.MarkedYAMLError as error:
        composer.syntax_error(error)
        value = None
    return Located(file, value, composer.marks, composer.problems, frozenset(composer.refused))


class _Stop(Exception):
    """The file cannot be read on; the reason is among the problems."""


class _Composer:
    """Builds values from parser events and notes the place of each."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.marks: dict[Path, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self.refused: set[Path] = set()

    def refuse(self, event: yaml.Event, message: str, path: Path | None = None) -> None:
        """Notes a problem; values at and below ``path`` are not to be judged any more."""
        self.problems.append((Place(self.file, *_mark(event)), message))
        if path is not None:
            self.refused.add(path)
        if len(self.problems) >= MAX_PROBLEMS:
            raise _Stop

    def syntax_error(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        said = error.problem or "not readable as YAML"
        if said.startswith("found unexpected end of stream") and error.context_mark:
            mark = error.context_mark
        plain = next((words for start, words in _PLAIN_WORDS.items() if start in said), said)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        self.problems.append((Place(self.file, line, column), plain))

    def document(self, events: Iterator[yaml.Event]) -> object:
        """The value of the only document of the stream."""
        value: object = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.refuse(event, "a second document ('---'); one file, one topic")
                    raise _Stop
            elif isinstance(event, yaml.NodeEvent):
                value = self.node(event, events, (), 1)
        return value

    def node(
        self, event: yaml.Event, events: Iterator[yaml.Event], path: Path, depth: int
    ) -> object:
        if depth > MAX_DEPTH:
            self.refuse(event, f"nested more than {MAX_DEPTH} levels deep")
            raise _Stop
        self.marks.setdefault(path, _mark(event))
        if isinstance(event, yaml.AliasEvent):
            self.refuse(
                event,
                f"aliases (*{event.anchor}) are not allowed here; "
                "text that starts with '*' needs quotes",
                path,
            )
            return ""
        assert isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent))
        if event.anchor is not None:
            self.refuse(
                event,
                f"anchors (&{event.anchor}) are not allowed here; "
                "text that starts with '&' needs quotes",
                path,
            )
        if event.tag is not None:
            self.refuse(
                event,
                f"tags ({event.tag}) are not allowed here; text that starts with '!' needs quotes",
                path,
            )
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(events, path, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(events, path, depth)
        assert isinstance(event, yaml.ScalarEvent)
        if not event.value.strip() and path not in self.refused:
            owner = f"'{path[-1]}' has" if path and not path[-1].isdigit() else "there is"
            self.problems.append(
                (
                    Place(self.file, *self.marks[path]),
                    f"{owner} no value; write one or delete the line",
                )
            )
            self.refused.add(path)
        return _value(event)

    def mapping(self, events: Iterator[yaml.Event], path: Path, depth: int) -> dict[str, object]:
        value: dict[str, object] = {}
        lines: dict[str, int] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                self.refuse(event, "a list or a group of keys stands where a key is expected")
                raise _Stop
            key = self.key(event)
            if key in lines:
                self.refuse(event, f"the key '{key}' stands in line {lines[key]} already")
                # The first one counts; the second must not take over its places.
                self.node(next(events), events, (*path, key, "?"), depth + 1)
                continue
            self.marks[(*path, key)] = mark = _mark(event)
            lines[key] = mark[0]
            value[key] = self.node(next(events), events, (*path, key), depth + 1)
        return value

    def key(self, event: yaml.ScalarEvent) -> str:
        if event.anchor is not None or event.tag is not None:
            self.refuse(event, "anchors and tags are not allowed before a key")
        if event.value == "<<" and not event.style:
            self.refuse(event, "merge keys ('<<') are not allowed here")
        if event.value == "":
            self.refuse(event, "a value without a key before it")
        return _value(event)

    def sequence(self, events: Iterator[yaml.Event], path: Path, depth: int) -> list[object]:
        value: list[object] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            value.append(self.node(event, events, (*path, str(len(value))), depth + 1))
        return value


def _mark(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    assert mark is not None
    return mark.line + 1, mark.column + 1


def _value(event: yaml.ScalarEvent) -> str:
    """The text of a scalar; a block loses its last line end."""
    return as_typed(event.value.rstrip("\n") if event.style in ("|", ">") else event.value)


def as_typed(text: str) -> str:
    """The text with the plain spaces and quotes that were meant.

    >>> as_typed("don\u2019t\u00a0know")
    "don't know"
    """
    return text if text.isascii() else text.translate(_AS_TYPED)
