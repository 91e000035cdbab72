"""Phrases on their way into the YAML files: tried, refused where anything breaks, then written.

The files on disk are the only vocabulary. They are read anew for every change, and written only
where they still are what was read: other programs and editors may save them at any time.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from overread.errors import Busy, UsageError, VocabularyError
from overread.files import atomic_write, locked, replace_unchanged
from overread.text.labeler import Labeler
from overread.text.trie import Meaning
from overread.vocab.check import MAX_FORMS, Finding, Words, examples_count, run_examples
from overread.vocab.edit import Insertion, NewPhrase, insert, remove
from overread.vocab.load import is_installed, vocabulary_of
from overread.vocab.model import PhraseRef, Vocabulary
from overread.vocab.references import TERM
from overread.vocab.source import CONTEXT_FILE, decode, digest, folders, read_bytes
from overread.workbench.decisions import Decisions
from overread.workbench.wordings import in_tables

_WAIT_S = 10.0
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that breaks nothing: the files before and after, and the vocabulary they make.

    ``phrases`` are those that come in; ``examples`` is how many example sentences were run.
    """

    phrases: tuple[NewPhrase, ...]
    before: Mapping[str, bytes]
    after: Mapping[str, bytes]
    insertions: tuple[Insertion, ...]
    vocabulary: Vocabulary
    examples: int

    def diff(self) -> str:
        """The change as a unified diff, which is what is shown before and after it is made."""
        lines: list[str] = []
        for name, data in self.after.items():
            before = self.before.get(name, b"")
            if data != before:
                old, new = (
                    each.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
                    for each in (before, data)
                )
                lines += difflib.unified_diff(old, new, name, name, n=1, lineterm="")
        return "\n".join(lines)


def propose(
    folder: Path,
    phrases: Sequence[NewPhrase],
    *,
    overlays: Sequence[Path] = (),
    labeler: Labeler | None = None,
    shared: bool = False,
) -> Proposal:
    """What accepting the phrases would change; nothing is written.

    They go into ``folder``, or into the last of its ``overlays``. ``labeler`` saves building one
    where it is that of the files as they stand; ``shared`` allows a wording that another label or
    concept has too ("inferoposterior infarct" names two). Raises UsageError where a phrase is there
    already, is claimed by another, names an unknown term, or makes an example sentence fail;
    VocabularyError where the files have problems of their own.
    """
    before = _read(folder, overlays)
    into = list(folders(folder, overlays))[-1]
    standing = _labeler(before, labeler)
    said = [reason for phrase in phrases for reason in refusals(standing, phrase, shared=shared)]
    if said := said or list(_among_themselves(standing, phrases, shared=shared)):
        raise UsageError("\n".join(said))
    after, insertions = dict(before), list[Insertion]()
    for phrase in phrases:
        made, after_file = insert(after, phrase, overlay=into)
        after[made.file] = after_file
        if made.before is None:  # new lines: what stands below them moves down
            insertions = [
                each._replace(line=each.line + len(made.lines))
                if each.file == made.file and each.line >= made.line
                else each
                for each in insertions
            ]
        insertions.append(made)
    labeler = standing.extended([phrase.ref() for phrase in phrases])
    return _checked(before, after, standing, labeler, phrases, insertions)


def accept(
    folder: Path,
    phrases: Sequence[NewPhrase],
    *,
    overlays: Sequence[Path] = (),
    decisions: Decisions | None = None,
    labeler: Labeler | None = None,
    shared: bool = False,
    proposed: Proposal | None = None,
) -> Proposal:
    """Writes the phrases into the files, all or none, and notes it among the decisions.

    What was ``proposed`` for them is not checked again where the files are the same still. Raises
    what `propose` raises; UsageError for the vocabulary inside an installed package; Busy where
    others keep writing to the files.
    """

    def make() -> Proposal:
        if (
            proposed is not None
            and proposed.phrases == tuple(phrases)
            and proposed.before == _read(folder, overlays)
        ):
            return proposed
        return propose(folder, phrases, overlays=overlays, labeler=labeler, shared=shared)

    with _held(changeable(folder, overlays)):
        proposal = _write(folders(folder, overlays), make)
        if decisions is not None:
            decisions.wrote(phrases)
    return proposal


def write_pending(
    folder: Path,
    decisions: Decisions,
    *,
    overlays: Sequence[Path] = (),
    labeler: Labeler | None = None,
    shared: bool = False,
    proposed: Proposal | None = None,
) -> Proposal | None:
    """Writes every phrase that was accepted and is not in the files yet; None where none is left.

    A phrase that a killed run wrote without noting it is noted now. Options and errors are those of
    `accept`.
    """
    pending = decisions.pending()
    standing = vocabulary_in(_read(folder, overlays), labeler.vocabulary if labeler else None)
    left = [phrase for phrase in pending if not _stands_in(standing, phrase)]
    decisions.wrote(phrase for phrase in pending if phrase not in left)
    if not left:
        return None
    return accept(
        folder, left, overlays=overlays, decisions=decisions, labeler=labeler, shared=shared,
        proposed=proposed,
    )  # fmt: skip


def take_back(
    folder: Path,
    insertions: Sequence[Insertion],
    *,
    overlays: Sequence[Path] = (),
    labeler: Labeler | None = None,
) -> Proposal:
    """Takes written lines out again, all or none.

    Raises UsageError where one was changed since or an example sentence needs it, and what
    `accept` raises.
    """

    def make() -> Proposal:
        before = _read(folder, overlays)
        after = dict(before)
        for insertion in reversed(insertions):
            after[insertion.file] = remove(after, insertion)
        return _checked(before, after, _labeler(before, labeler))

    with _held(changeable(folder, overlays)):
        return _write(folders(folder, overlays), make)


def refusals(labeler: Labeler, phrase: NewPhrase, *, shared: bool = False) -> list[str]:
    """Why a phrase cannot be taken into the labeler's vocabulary, each with the place.

    >>> from datetime import date
    >>> phrase = NewPhrase("rbbb", "atrial fibrillation", "AB", date(2024, 5, 1))
    >>> print(refusals(Labeler(), phrase)[0].partition(",")[0])
    'atrial fibrillation' counts for atrial_fibrillation already
    """
    vocabulary = labeler.vocabulary
    unknown = [name for name in TERM.findall(phrase.text) if name not in vocabulary.terms]
    if unknown or set("{}") & set(TERM.sub("", phrase.text)):
        what = f"{{{unknown[0]}}} is no term" if unknown else "a brace encloses no term"
        return [f"'{phrase.text}': {what}. Next step: write the words, or a term of 'terms'."]
    forms = _forms(labeler, phrase)
    meanings = {form: labeler.matcher.meaning(form) for form in forms}
    if any(meaning is not None and _of_context(meaning) for meaning in meanings.values()):
        return [
            f"'{phrase.text}' is a word of context.yaml: it says how a report speaks. "
            "Next step: give the finding with it."
        ]
    if not any(in_tables(labeler, form) for form in forms):
        why = "is never found in a table: numbers are masked there"
        return [f"'{phrase.text}' {why}. Next step: leave the number out."]
    said: dict[str, str] = {}
    standing: list[PhraseRef | None] = []
    for meaning in meanings.values():
        found = meaning.findings if meaning else []
        same = [ref for ref in found if _same_list(phrase, ref)]
        standing.append(same[0] if same else None)
        said |= {ref.id: _clash(phrase, ref, shared) for ref in found if ref not in same}
    ref = standing[0]
    if ref is not None and None not in standing:  # every wording that it stands for is there
        return [
            f"'{phrase.text}' adds nothing: {ref.owner} has '{ref.wording}' in {ref.place} "
            "already. Next step: overread vocab try shows how a sentence is read."
        ]
    return [reason for reason in said.values() if reason]


def _same_list(phrase: NewPhrase, ref: PhraseRef) -> bool:
    return (phrase.owner, phrase.role, phrase.uncertain) == (
        ref.owner,
        ref.role,
        ref.phrase.uncertain,
    )


def _clash(phrase: NewPhrase, ref: PhraseRef, shared: bool) -> str:
    """What speaks against a phrase with the same words as another; empty where nothing does."""
    where = f"'{ref.wording}' in {ref.place}"
    if ref.owner == phrase.owner:
        given = "uncertain" if ref.phrase.uncertain else ref.role
        return (
            f"'{phrase.text}' would contradict {where} ({given}). "
            "Next step: change that line in an editor."
        )
    if shared or ref.role != phrase.role or phrase.role == "exclusion":
        return ""
    return (
        f"'{phrase.text}' counts for {ref.owner} already, by {where}. "
        "Next step: take it out there first, or accept it with --shared if it names both."
    )


def _among_themselves(
    labeler: Labeler, phrases: Sequence[NewPhrase], *, shared: bool
) -> Iterator[str]:
    """Two of the new phrases that have the same words."""
    seen: dict[Words, NewPhrase] = {}
    for phrase in phrases:
        for form in _forms(labeler, phrase):
            other = seen.setdefault(form, phrase)
            if other is phrase:
                continue
            if _same_list(phrase, other.ref()) or _clash(phrase, other.ref(), shared):
                yield (
                    f"'{phrase.text}' for {phrase.owner} and '{other.text}' for {other.owner} are "
                    "the same words. Next step: accept one of them, or both with --shared."
                )
                break


def _forms(labeler: Labeler, phrase: NewPhrase) -> list[Words]:
    return list(islice(labeler.matcher.lexicon.expand(phrase.text), MAX_FORMS))


def _of_context(meaning: Meaning) -> bool:
    """Whether the words are more than findings: a cue, a filler, a word that joins."""
    return meaning != Meaning(meaning.findings)


def _stands_in(vocabulary: Vocabulary, phrase: NewPhrase) -> bool:
    """Whether the very entry is there, with the same reader and day."""
    new = phrase.ref()
    return any(
        (ref.owner, ref.role, ref.phrase) == (new.owner, new.role, new.phrase)
        for ref in vocabulary.phrases
    )


def vocabulary_in(files: Mapping[str, bytes], known: Vocabulary | None) -> Vocabulary:
    """The vocabulary of the files: the one known where it is that. Raises VocabularyError."""
    sources, problems = decode(files)
    if known is not None and not problems and known.sha256 == digest(sources):
        return known
    return vocabulary_of(files)


def _labeler(files: Mapping[str, bytes], given: Labeler | None) -> Labeler:
    """The labeler of the files; the one given where it is that."""
    vocabulary = vocabulary_in(files, given.vocabulary if given else None)
    return given if given and given.vocabulary is vocabulary else Labeler(vocabulary)


def _checked(
    before: Mapping[str, bytes],
    after: Mapping[str, bytes],
    standing: Labeler,
    labeler: Labeler | None = None,
    phrases: Sequence[NewPhrase] = (),
    insertions: Sequence[Insertion] = (),
) -> Proposal:
    """The change, once it loads and every example gives what it gave before.

    ``standing`` and ``labeler`` read as before and after it.
    """
    try:
        vocabulary = vocabulary_of(after)
    except VocabularyError as error:
        said = "\n".join(f"  {place}: {message}" for place, message in error.problems)
        raise UsageError(f"The change is refused, nothing was written.\n{said}") from None
    labeler = labeler or Labeler(vocabulary)
    broken = _failing(labeler, standing.vocabulary)
    if broken:  # some may have failed before
        broken = [each for each in broken if each not in _failing(standing, standing.vocabulary)]
    if broken:
        said = "\n".join(f"  {each.place}: {each.message}" for each in broken)
        raise UsageError(
            f"The change is refused, nothing was written: it breaks these examples.\n{said}\n"
            "Next step: choose other words, or change the example in an editor."
        )
    examples = examples_count(vocabulary)
    return Proposal(tuple(phrases), before, after, tuple(insertions), vocabulary, examples)


def _failing(labeler: Labeler, vocabulary: Vocabulary) -> list[Finding]:
    """The examples of a vocabulary that do not give what they ought to."""
    found = run_examples(vocabulary, lambda text: labeler.label(text).states)
    return [each for each in found if each.severity == "error"]


def _write(paths: Mapping[str, Path], make: Callable[[], Proposal]) -> Proposal:
    """Makes the change and writes it; makes it anew where a file was saved in between.

    ``paths`` are the folders by what the names of their files begin with.
    """
    for _ in range(_TRIES):
        proposal = make()
        changes: dict[Path, tuple[bytes, bytes]] = {}
        for name, data in proposal.after.items():
            head, slash, base = name.rpartition("/")
            path = paths[head + slash] / base
            if name not in proposal.before:
                atomic_write(path, data)
            elif data != proposal.before[name]:
                changes[path] = proposal.before[name], data
        if replace_unchanged(changes):
            return proposal
    raise Busy(
        f"{list(paths.values())[-1].name}: other programs keep saving these files; nothing was "
        "written. Next step: try again."
    )


def changeable(folder: Path, overlays: Sequence[Path] = ()) -> Path:
    """The folder that phrases are written into, once it is known that they may be.

    That is the last of the overlays, else the vocabulary's own. Raises UsageError where it is none
    or lies inside an installed package.
    """
    into = [folder, *overlays][-1]
    if CONTEXT_FILE not in _read(folder, overlays):
        raise UsageError(
            f"{folder.name} has no {CONTEXT_FILE}; an overlay, which holds changes only, has none. "
            f"Next step: give it by --overlay {folder}"
        )
    if is_installed(into):
        raise UsageError(
            "The vocabulary inside the installed package is not edited. Next step: "
            "overread vocab init DIR, then give --vocab DIR or set OVERREAD_VOCAB to it; or keep "
            "your own phrases in a folder beside it: --overlay DIR."
        )
    return into


def _read(folder: Path, overlays: Sequence[Path]) -> dict[str, bytes]:
    """The files; an overlay that is edited may have none yet."""
    if overlays and overlays[-1].is_dir() and not any(overlays[-1].glob("*.y*ml")):
        overlays = overlays[:-1]
    return read_bytes(folder, overlays)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Holds the folder against other runs of overread, after waiting for those at work."""
    deadline = time.monotonic() + _WAIT_S
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(folder))
                break
            except Busy as error:
                if time.monotonic() > deadline:
                    told, _, _ = str(error).partition(" Next step")
                    raise Busy(f"{told} Next step: try again.") from None
                time.sleep(0.02)
        yield
