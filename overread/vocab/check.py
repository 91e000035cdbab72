"""What is wrong with a vocabulary that loads: phrases that clash or never count, failing examples.

The text core stands above this file and is handed in: ``normalise`` cuts a text into words as they
are compared, ``expand`` gives every sequence of words that a phrase stands for (terms and other
spellings resolved), ``reads`` gives the words that texts of reports are read as once masked,
``label_text`` gives the state of every label in a sentence.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from overread.errors import Place
from overread.vocab.model import PhraseRef, Vocabulary
from overread.vocab.references import TERM

Words = tuple[str, ...]
Normalise = Callable[[str], Words]
Expand = Callable[[str], Iterable[Words]]
Reads = Callable[[Sequence[str]], Sequence[Words]]
LabelText = Callable[[str], dict[str, str]]
Severity = Literal["error", "warning", "note"]

#: A phrase with more forms than this is compared by its first ones.
MAX_FORMS = 2000

_COUNTS = ("present", "uncertain")
_REGEX_LITERALS = re.compile(r"\\.|\[:\^?\w+:\]|\(\?[^:)]*[:)]")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend (error), to look at (warning) or to know (note)."""

    place: Place
    severity: Severity
    message: str


def check(
    vocabulary: Vocabulary,
    *,
    normalise: Normalise,
    expand: Expand,
    reads: Reads,
    label_text: LabelText | None,
) -> list[Finding]:
    """What there is to mend, by file and line; examples are run where ``label_text`` is given."""
    findings = list(_spellings(vocabulary, normalise))
    findings += _phrases(vocabulary, expand)
    findings += _unreadable(vocabulary, expand, reads)
    if label_text is not None:
        findings += run_examples(vocabulary, label_text)
    files = {file: index for index, file in enumerate(vocabulary.files)}
    return sorted(
        dict.fromkeys(findings),
        key=lambda found: (files.get(found.place.file, -1), found.place.line, found.place.column),
    )


def _spellings(vocabulary: Vocabulary, normalise: Normalise) -> Iterator[Finding]:
    """Other spellings that name two words, or none."""
    owners: dict[Words, str] = {}
    headings = {normalise(word): word for word in vocabulary.words}
    for word, spellings in vocabulary.words.items():
        if len(normalise(word)) != 1:
            said = f"'{word}' is not one word; 'words' can only list single words"
            yield Finding(vocabulary.places["words", word], "error", said)
        for spelling in spellings:
            place = vocabulary.places["words", word, spelling]
            form = normalise(spelling)
            other = owners.setdefault(form, word)
            if not form:
                yield Finding(place, "error", f"'{spelling}' has no letter and no digit in it")
            elif len(form) > 1:
                said = f"'{spelling}' is {len(form)} words; 'words' can only list single words"
                yield Finding(place, "error", said)
            elif other != word:
                said = f"'{spelling}' is a spelling of '{word}' here and of '{other}' in "
                first = next(
                    vocabulary.places["words", other, each]
                    for each in vocabulary.words[other]
                    if normalise(each) == form
                )
                yield Finding(place, "error", f"{said}{first}")
            elif form == normalise(word):
                yield Finding(place, "warning", f"'{spelling}' is '{word}' anyway; delete it")
            elif form in headings:
                said = f"'{spelling}' has spellings of its own; move them under '{word}'"
                yield Finding(place, "warning", said)


def _phrases(vocabulary: Vocabulary, expand: Expand) -> Iterator[Finding]:
    """Phrases that clash with another or can never count."""
    forms: dict[str, frozenset[Words]] = {}
    holders: defaultdict[Words, list[PhraseRef]] = defaultdict(list)
    pairs: dict[tuple[str, str], tuple[PhraseRef, PhraseRef, Words]] = {}
    for ref in vocabulary.phrases:
        if ref.phrase.text is None:
            yield from _never_matching(ref)
            continue
        own = frozenset(itertools.islice(expand(ref.phrase.text), MAX_FORMS))
        forms[ref.id] = own
        if not any(own):
            yield Finding(ref.place, "error", f"nothing of '{ref.wording}' is ever compared")
        for form in own:
            for other in holders[form]:
                pairs.setdefault((other.id, ref.id), (other, ref, form))
            holders[form].append(ref)
    for first, second, form in pairs.values():
        if first.owner != second.owner:
            yield from _between_owners(first, second, form, vocabulary)
        elif first.role == second.role:
            yield from _within_role(first, second, forms[first.id], forms[second.id])
        else:
            yield from _within_owner(first, second)


def _within_role(
    first: PhraseRef, second: PhraseRef, of_first: frozenset[Words], of_second: frozenset[Words]
) -> Iterator[Finding]:
    if first.phrase.uncertain != second.phrase.uncertain:
        said = f"'{second.wording}' and '{first.wording}' in {first.place} are the same words"
        yield Finding(second.place, "error", f"{said}, and only one of them is uncertain")
    elif of_second <= of_first:
        yield _says_no_more(second, first)
    elif of_first <= of_second:
        yield _says_no_more(first, second)


def _within_owner(first: PhraseRef, second: PhraseRef) -> Iterator[Finding]:
    """The same words in two roles of one label: exclusions win, and what is stated outright."""
    rank = {"exclusion": 0, "phrase": 1, "implied": 2}
    winner, loser = sorted((first, second), key=lambda ref: rank[ref.role])
    if winner.role == "exclusion":
        said = f"'{loser.wording}' never counts: {winner.place} excludes the same words"
        yield Finding(loser.place, "error", said)
    else:
        said = f"'{loser.wording}' implies what {winner.place} states outright; delete it here"
        yield Finding(loser.place, "warning", said)


def _says_no_more(extra: PhraseRef, other: PhraseRef) -> Finding:
    said = f"'{extra.wording}' adds nothing to '{other.wording}' in {other.place}"
    return Finding(extra.place, "warning", said)


def _between_owners(
    first: PhraseRef, second: PhraseRef, form: Words, vocabulary: Vocabulary
) -> Iterator[Finding]:
    """The same words for two owners: meant where both list them alike ("inferoposterior")."""
    if "exclusion" in (first.role, second.role) or first.role != second.role:
        return  # "atrial fibrillation" may well be an exclusion of atrial flutter
    # '{posterior} {infarct}' and '{inferior} {infarct}' list a compound alike through their terms.
    alike = TERM.sub("{}", first.wording) == TERM.sub("{}", second.wording)
    only_helpers = {first.owner, second.owner} <= vocabulary.concepts.keys()
    said = (
        f"'{' '.join(form)}' counts for {second.owner} by '{second.wording}' and for {first.owner} "
        f"by '{first.wording}' in {first.place}"
    )
    yield Finding(second.place, "note" if alike or only_helpers else "warning", said)


def _unreadable(vocabulary: Vocabulary, expand: Expand, reads: Reads) -> Iterator[Finding]:
    """Phrases that no statement of a table can hold, such as one with a number, which is masked."""
    left = [ref for ref in vocabulary.phrases if ref.phrase.text is not None]
    said: dict[str, Words] = {}
    for count in (1, MAX_FORMS):  # nearly every phrase is read by its first wording
        forms = [
            (ref.id, form)
            for ref in left
            for form in itertools.islice(expand(ref.wording), count)
            if form
        ]
        read = reads([" ".join(form) for _, form in forms])
        said = {id: words for (id, form), words in zip(forms, read, strict=True)}
        as_written = [id for (id, form), words in zip(forms, read, strict=True) if form == words]
        left = [ref for ref in left if ref.id in said.keys() - set(as_written)]
    for ref in left:
        yield Finding(
            ref.place,
            "warning",
            f"'{ref.wording}' is never found in a table: numbers are masked there, and a report "
            f"that says so is read as '{' '.join(said[ref.id])}'",
        )


def _never_matching(ref: PhraseRef) -> Iterator[Finding]:
    pattern = ref.phrase.regex or ""
    literal = _REGEX_LITERALS.sub("", pattern)
    if "(?i" not in pattern and (literal != literal.lower() or not literal.isascii()):
        said = f"the regex '{pattern}' has capitals or accents, which folded text never holds"
        yield Finding(ref.place, "warning", said)


def run_examples(vocabulary: Vocabulary, label_text: LabelText) -> Iterator[Finding]:
    """Example sentences that do not give what they ought to."""
    for name, label in vocabulary.labels.items():
        for kind, sentences in label.examples:
            for sentence in sentences:
                state = label_text(sentence).get(name, "unmentioned")
                counts = state in _COUNTS
                place = vocabulary.places["examples", name, kind, sentence]
                if kind == "match" and not counts:
                    said = f"'{sentence}' gives {name} {state}; expected present or uncertain"
                    yield Finding(place, "error", said)
                elif kind == "no_match" and counts:
                    yield Finding(place, "error", f"'{sentence}' gives {name} {state}")
                elif kind == "known_gap" and counts:
                    said = f"'{sentence}' gives {name} {state} now; move it to match"
                    yield Finding(place, "warning", said)


def examples_count(vocabulary: Vocabulary) -> int:
    """How many example sentences a vocabulary has."""
    return sum(len(each) for label in vocabulary.labels.values() for _, each in label.examples)
