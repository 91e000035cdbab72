"""Which label a wording may belong to, and why: by what the vocabulary says of its labels."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from overread.text.lexicon import Lexicon
from overread.vocab.model import PhraseRef, Role, Vocabulary
from overread.vocab.references import TERM
from overread.workbench.likeness import Hint, Like, Likeness, Words
from overread.workbench.opposites import Opposites

LEAST: Final = 0.6  # likeness from which a label is guessed
_LOOKED_AT: Final = 0.3
_ONE_WORD: Final = 0.3  # so sure, a word of longer phrases may be one by itself
_AS_GOOD: Final = 0.95  # a second label so near leaves the guess in doubt
_DOUBT: Final = 0.7
_TRUST: Final = {"name": 1.0, "initials": 0.9, "example": 0.9, "description": 0.8}
_INITIALS: Final = range(3, 6)
_DENIES = re.compile(r"(?i)\b(?:not?|nor)\b")
_CHUNKS = re.compile(r"[,;:()\"“”]|\b(?:and|or|too|is|are|imply|implies|counts?)\b")


class Guess(NamedTuple):
    """A label for a wording, how sure (0 to 1), and the reason in one line.

    ``wording`` is the phrase to write: the words, with the terms that the label's phrases use as
    ``{term}``. ``role`` and ``uncertain`` are those of the phrase that it is like; ``unless`` too.
    ``no_label``: it is like a finding that the vocabulary knows to be none.
    """

    label: str | None
    sure: float
    reason: str
    wording: str
    role: Role = "phrase"
    uncertain: bool = False
    unless: tuple[str, ...] = ()
    no_label: bool = False


class Guesser:
    """Guesses labels by the phrases, names, codes, descriptions and examples of a vocabulary.

    >>> from overread.vocab.load import load_vocabulary
    >>> vocabulary = load_vocabulary()
    >>> lexicon = Lexicon(vocabulary)
    >>> guess = Guesser(vocabulary, lexicon).guess(lexicon.words("wall of old inferior infarct"))
    >>> guess.label
    'inferior_mi'
    """

    def __init__(self, vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        self.opposites = Opposites(vocabulary)
        self._labels = vocabulary.labels
        hints = list(_hints(vocabulary, lexicon))
        self._shared = _shared(vocabulary, lexicon)
        # Words of longer phrases: "left", "marked", "voltage" are none by themselves.
        self._inside = {
            word
            for ref in vocabulary.phrases
            for words in lexicon.expand(ref.phrase.text or "")
            if len(words) > 1
            for word in words
        }
        self._likeness = Likeness(vocabulary, lexicon, self.opposites, hints)
        used = {term for ref in vocabulary.phrases for term in TERM.findall(ref.wording)}
        self._spare = {
            words: f"{{{term}}}"
            for term, texts in vocabulary.terms.items()
            if term not in used
            for words in map(lexicon.words, texts)
        }
        self._terms = {
            name: {
                lexicon.words(text): f"{{{term}}}"
                for term in _terms_of(vocabulary, name)
                for text in vocabulary.terms[term]
            }
            for name in vocabulary.labels
        }

    def guess(self, words: Words, owners: Collection[str] = ()) -> Guess:
        """The guess for a wording, given as the words that the vocabulary reads.

        ``owners`` are concepts that are not compared, because they have the wording already.
        """
        # A term that no phrase uses any more waits for one.
        plain = self._spare.get(words, " ".join(words))
        found = self._likeness.like(words, _LOOKED_AT)
        counts: dict[str, Like] = {}
        excluded: dict[str, Like] = {}
        for like in found:
            into = excluded if _role(like.hint) == "exclusion" else counts
            best = into.setdefault(like.hint.owner, like)
            if like.score == best.score and _hedged(best.hint) and not _hedged(like.hint):
                into[like.hint.owner] = like
        labels = [like for owner, like in counts.items() if owner in self._labels]
        labels.sort(key=lambda like: (-like.score, _hedged(like.hint)))
        if not labels or labels[0].score < LEAST:
            return _far(found, plain)
        best = labels[0]
        label = best.hint.owner
        nearest = max(
            (
                like
                for owner, like in counts.items()
                if owner not in self._labels and owner not in owners
            ),
            key=lambda like: like.score,
            default=best,
        )
        if nearest.score > best.score:
            return _far([nearest], plain)
        if label in excluded and excluded[label].score > best.score:
            return _far([excluded[label]], plain)
        sure = (best.score - LEAST) / (1 - LEAST)
        if len(words) == 1 and (
            words in self._shared
            or (words[0] in self._inside and (sure < _ONE_WORD or best.hint.kind == "description"))
        ):
            return Guess(None, 0.0, f"a piece of '{best.hint.wording.strip()}' of {label}", plain)
        others = [
            like
            for like in labels[1:]
            if like.score >= _AS_GOOD * best.score and like.hint.wording != best.hint.wording
        ]
        reason = _reason(best)
        if others:
            reason += f"; as like {others[0].hint.owner}"
        return Guess(
            label,
            sure * (_DOUBT if others else 1.0),
            reason,
            self._spare.get(words) or self._written(words, label),
            _role(best.hint),
            _hedged(best.hint),
            best.hint.phrase.unless if best.hint.phrase else (),
        )

    def _written(self, words: Words, label: str) -> str:
        """The wording with terms of the label's phrases in place of their wordings."""
        terms = self._terms[label]
        longest = max(map(len, terms), default=0)
        out: list[str] = []
        at = 0
        while at < len(words):
            for end in range(min(len(words), at + longest), at, -1):
                term = terms.get(words[at:end])
                if term is not None:
                    out.append(term)
                    at = end
                    break
            else:
                out.append(words[at])
                at += 1
        return " ".join(out)


def _hints(vocabulary: Vocabulary, lexicon: Lexicon) -> Iterator[Hint]:
    known: set[str] = set()
    for ref in vocabulary.phrases:
        if ref.phrase.text:
            yield Hint(ref.owner, ref.phrase.text, 1.0, "phrase", ref)
            known.update(word for words in lexicon.expand(ref.phrase.text) for word in words)
    for ref in vocabulary.phrases:
        if ref.role == "phrase" and ref.owner in vocabulary.labels:
            for initials in _initials(ref, lexicon):
                if lexicon.words(initials) == (initials,) and initials not in known:
                    yield Hint(ref.owner, initials, _TRUST["initials"], "initials", ref)
    shared = _shared(vocabulary, lexicon)
    for name, label in vocabulary.labels.items():
        for text in (label.name, name.replace("_", " "), *label.codes.scp_ecg):
            yield Hint(name, text.lower(), _TRUST["name"], "name")
        for text in _chunks(label.description):
            if lexicon.words(text) in shared:
                continue  # "anterolateral": of a finding, and none
            yield Hint(name, text, _TRUST["description"], "description")
        for text in (*label.examples.match, *label.examples.known_gap):
            yield Hint(name, text, _TRUST["example"], "example")


def _shared(vocabulary: Vocabulary, lexicon: Lexicon) -> set[Words]:
    """Words that only tell findings apart: left, anterior, fibrillation."""
    groups = (*vocabulary.share_a_head.values(), *vocabulary.share_a_modifier.values())
    return {lexicon.words(text) for texts in groups for text in texts}


def _initials(ref: PhraseRef, lexicon: Lexicon) -> set[str]:
    """What a phrase is cut down to: left ventricular hypertrophy, lvh."""
    if len(TERM.sub("", ref.wording).split()) < 2:
        return set()
    forms = lexicon.expand(ref.wording)
    found = {"".join(word[0] for word in words) for words in forms if len(words) in _INITIALS}
    return {each for each in found if each.isalpha()}


def _chunks(description: str) -> Iterator[str]:
    """The pieces of a description that say what counts; sentences with a "not" are left out."""
    for sentence in description.split(". "):
        if not _DENIES.search(sentence):
            yield from filter(str.strip, _CHUNKS.split(sentence))


def _terms_of(vocabulary: Vocabulary, label: str) -> Iterator[str]:
    for ref in vocabulary.phrases:
        if ref.owner == label and ref.role != "exclusion":
            yield from TERM.findall(ref.wording)


def _role(hint: Hint) -> Role:
    return hint.phrase.role if hint.phrase else "phrase"


def _hedged(hint: Hint) -> bool:
    return hint.phrase is not None and hint.phrase.phrase.uncertain


def _reason(like: Like) -> str:
    hint = like.hint
    match hint.kind:
        case "phrase" if hint.phrase is not None:
            said = "the same words as" if like.score > 0.99 else "like"
            return f"{said} '{hint.wording}' ({hint.phrase.place})"
        case "initials" if hint.phrase is not None:
            return f"the initials of '{hint.phrase.wording}' ({hint.phrase.place})"
        case "name":
            return f"named like the label, '{hint.wording}'"
        case _:
            return f"like its {hint.kind}, '{hint.wording.strip()}'"


def _far(found: list[Like], wording: str) -> Guess:
    """No label, and why."""
    if not found or found[0].score < LEAST or found[0].hint.phrase is None:
        return Guess(None, 0.0, "like nothing in the vocabulary", wording)
    hint = found[0].hint
    reason = f"like '{hint.wording}' of {hint.owner}, which is no label"
    if _role(hint) == "exclusion":
        reason = f"like '{hint.wording}', which does not count for {hint.owner}"
    return Guess(None, 0.0, reason, wording, no_label=True)
