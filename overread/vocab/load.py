"""A folder of YAML files -> the vocabulary, or every reason why it is not one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from overread.errors import Place, VocabularyError
from overread.vocab.explain import validated
from overread.vocab.locate import Located, Problem, locate
from overread.vocab.merge import Part, merge
from overread.vocab.model import Vocabulary
from overread.vocab.schema import ContextFile, OverlayFile, TopicFile
from overread.vocab.source import CONTEXT_FILE, Source, decode, digest, read_folder

_NO_CONTEXT = (
    "an overlay cannot change context.yaml; copy the whole vocabulary with 'overread vocab init'"
)
_CONTEXT_MISSING = (
    "context.yaml is missing; 'overread vocab init DIR' copies a complete vocabulary, and a folder "
    "with your changes only is given by --overlay"
)

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_vocabulary() -> Path:
    """The folder of the vocabulary that comes with overread: in a wheel, else in the checkout."""
    in_wheel = _PACKAGE / "_vocab"
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / "vocab"


def folder_in_use(path: Path | str | None = None) -> Path:
    """The folder given, else that in ``$OVERREAD_VOCAB``, else the shipped vocabulary."""
    return Path(path or os.environ.get("OVERREAD_VOCAB") or shipped_vocabulary())


def is_installed(folder: Path) -> bool:
    """Whether a folder is the vocabulary inside an installed package, which an update replaces."""
    return folder.resolve() == (_PACKAGE / "_vocab").resolve()


def load_vocabulary(
    path: Path | str | None = None, *, overlays: Sequence[Path | str] = ()
) -> Vocabulary:
    """The vocabulary of a folder, with overlays applied in order.

    Without ``path`` it is the folder in ``$OVERREAD_VOCAB``, else the shipped one. Raises
    VocabularyError with every problem of all files, UsageError where a folder does not exist.

    >>> vocabulary = load_vocabulary()
    >>> vocabulary.labels["lvh"].name
    'LVH'
    """
    return _loaded(*read_folder(folder_in_use(path), [Path(each) for each in overlays]))


def vocabulary_of(files: Mapping[str, bytes]) -> Vocabulary:
    """The vocabulary of folders that held what `read_bytes` gives; raises VocabularyError."""
    return _loaded(*decode(files))


def _loaded(sources: list[Source], problems: list[Problem]) -> Vocabulary:
    unread = {place.file for place, _ in problems}
    layers: dict[str, list[Part]] = {"": []}
    for source in sources:
        layer = layers.setdefault(source.prefix, [])
        if not _is_context(source):
            model = OverlayFile if source.prefix else TopicFile
            layer.append(_part(source, model, problems))
        elif source.prefix:
            problems.append((Place(source.name, 1), _NO_CONTEXT))
    context = _context([each for each in sources if not each.prefix], unread, problems)
    vocabulary = merge(
        list(layers.values()),
        context,
        problems,
        sha256=digest(sources),
        files=tuple(source.name for source in sources),
    )
    if vocabulary is None:
        raise VocabularyError(_in_reading_order(problems))
    return vocabulary


def _is_context(source: Source) -> bool:
    return source.base == CONTEXT_FILE


def _part(
    source: Source, model: type[TopicFile] | type[OverlayFile], problems: list[Problem]
) -> Part:
    part, found = _parsed(source, model)
    problems += found
    return part


@lru_cache(maxsize=32)  # whoever edits one file has the others read again unchanged
def _parsed(
    source: Source, model: type[TopicFile] | type[OverlayFile]
) -> tuple[Part, tuple[Problem, ...]]:
    located = locate(source.text, source.name)
    value, found = validated(model, located)
    return Part(located, value), (*located.problems, *found)


def _context(
    sources: list[Source], unread: set[str], problems: list[Problem]
) -> tuple[Located, ContextFile | None] | None:
    for source in sources:
        if _is_context(source):
            located = locate(source.text, source.name)
            value, found = validated(ContextFile, located)
            problems += located.problems + found
            return located, value
    if CONTEXT_FILE not in unread:
        problems.append((Place(CONTEXT_FILE, 1), _CONTEXT_MISSING))
    return None


def _in_reading_order(problems: list[Problem]) -> list[Problem]:
    """By file as read and by line within; a problem that is found twice is said once."""
    order = {file: index for index, file in enumerate(dict.fromkeys(p.file for p, _ in problems))}
    return sorted(
        dict.fromkeys(problems),
        key=lambda problem: (order[problem[0].file], problem[0].line, problem[0].column),
    )
