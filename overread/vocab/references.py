"""What one part of a vocabulary says about another: terms in braces, ids after ``unless``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from overread.errors import Place
from overread.vocab.explain import nearest
from overread.vocab.locate import Located, Path, Problem
from overread.vocab.patterns import BadPattern, compile_pattern

TERM = re.compile(r"\{([a-z][a-z0-9_]*)\}")

_MOST_WORDINGS = 50_000  # of one phrase: all of them are kept in memory
#: Keys under which ids of labels or concepts stand.
_NAMING = ("unless", "denied_by", "contradicts")
#: Parts of a file whose texts may hold a {term}.
_WORDINGS = {"phrases", "exclusions", "cues", "scope", "segments"}
_WORDING_LISTS = {"no_reading", "unconfirmed"}


def check_phrases(file: Located, problems: list[Problem]) -> None:
    """Adds what is wrong with each phrase of a topic file taken alone."""
    for path, entry in _nodes(file.value, ()):
        if len(path) < 4 or path[-2] not in ("phrases", "exclusions") or path in file.refused:
            continue
        if isinstance(entry, str):
            entry = {"text": entry}
        if isinstance(entry, dict):
            text, pattern = entry.get("text"), entry.get("regex")
            problems += [(file.place(path), said) for said in _wrong_with(text, pattern)]


def _wrong_with(text: object, pattern: object) -> Iterator[str]:
    if (text is None) == (pattern is None):
        given = "neither 'text' nor 'regex'" if text is None else "both 'text' and 'regex'"
        yield f"the phrase has {given}; write one of them"
    if isinstance(text, str) and text.strip() and not any(char.isalnum() for char in text):
        yield f"the phrase '{text}' has no letter and no digit in it"
    if isinstance(pattern, str) and pattern.strip():
        try:
            compile_pattern(pattern)
        except BadPattern as error:
            yield f"the regex '{_short(pattern)}': {error}"


def check_references(files: Sequence[Located], problems: list[Problem]) -> None:
    """Adds every {term} and every id after ``unless`` that no file defines.

    The files are read as they were written, so that one the schema refuses still defines its terms.
    """
    terms = {
        name: len(texts) if isinstance(texts, list) else 1
        for file in files
        for name, texts in _section(file, "terms").items()
    }
    owners = {
        name for file in files for kind in ("labels", "concepts") for name in keys(file, kind)
    }
    for file in files:
        for path, text in _nodes(file.value, ()):
            if not isinstance(text, str):
                continue
            named = next((key for key in _NAMING if key in path), None)
            if named is not None and text not in owners:
                said = f"'{named}' names '{text}', which is no label or concept"
                problems.append((file.place(path), said + nearest(text, owners)))
            elif path[0] == "terms" and set("{}") & set(text):
                said = f"'{text}': a term cannot hold a brace or another term"
                problems.append((file.place(path), said))
            elif _is_wording(path):
                _check_braces(text, terms, file.place(path), problems)


def keys(file: Located, section: str) -> list[str]:
    """The keys of a section of a file as it was written.

    >>> from overread.vocab.locate import locate
    >>> keys(locate("terms:\\n  wall: [wall, region]\\n", "a.yaml"), "terms")
    ['wall']
    """
    return list(_section(file, section))


def _section(file: Located, name: str) -> dict[str, Any]:
    content = file.value.get(name) if isinstance(file.value, dict) else None
    return content if isinstance(content, dict) else {}


def _nodes(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _nodes(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nodes(item, (*path, str(index)))


def _is_wording(path: Path) -> bool:
    if path[0] in _WORDING_LISTS:
        return True
    return bool(_WORDINGS.intersection(path)) and (path[-1] == "text" or path[-1].isdigit())


def _check_braces(
    text: str, terms: Mapping[str, int], place: Place, problems: list[Problem]
) -> None:
    """``terms`` tells of each how many wordings it has."""
    if "{" not in text and "}" not in text:
        return
    used = TERM.findall(text)
    for name in used:
        if name not in terms:
            said = f"'{_short(text)}' uses {{{name}}}, which no file defines under 'terms'"
            problems.append((place, said + nearest(name, terms)))
    wordings = math.prod(terms.get(name, 1) for name in used)
    if wordings > _MOST_WORDINGS:
        said = f"'{_short(text)}' stands for {wordings:,} wordings; at most {_MOST_WORDINGS:,}"
        problems.append((place, f"{said}: give it fewer terms"))
    if set("{}") & set(TERM.sub("", text)):
        said = f"'{_short(text)}' has a brace that encloses no term; write it like {{wall}}"
        problems.append((place, said))


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
