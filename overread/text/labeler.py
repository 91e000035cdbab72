"""One report in, labels with evidence out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, NamedTuple

from overread.errors import UsageError
from overread.tables import MISSING, POLICIES, STATE_CODES, STATES
from overread.text.context import assert_findings
from overread.text.lexicon import Word
from overread.text.match import Item, Matcher
from overread.text.scope import Assertion
from overread.text.segments import ASSERTING, Segmenter, segment_rules
from overread.text.statements import Rewrite, Splitter, breaks
from overread.vocab.load import load_vocabulary
from overread.vocab.model import PhraseRef, Vocabulary

#: Of several mentions in one report the highest rank decides (LABELS).
RANK: Final[dict[str, int]] = {
    "present": 5,
    "uncertain": 4,
    "not_assessable": 3,
    "past": 2,
    "absent": 1,
}


#: "no_reading": the statement says that there is none; "unmatched": nothing in it is known.
Note = Literal["matched", "unmatched", "no_reading"]


class Finding(NamedTuple):
    """One phrase in one statement; offsets are those of the statement."""

    phrase: PhraseRef
    assertion: Assertion
    start: int
    end: int
    cue: str | None
    score: int


class Mention(NamedTuple):
    """Evidence for one label: ``report[start:end]`` is the wording that was found.

    ``implied`` mentions ("Normal ECG") count only where nothing states the label. ``score`` is 100
    for an exact wording; ``repair`` then is False.
    """

    label: str
    assertion: Assertion
    start: int
    end: int
    phrase_id: str
    place: str
    cue: str | None
    score: int
    implied: bool

    @property
    def repair(self) -> bool:
        """Whether a misspelling was repaired."""
        return self.score < 100


@dataclass(frozen=True, slots=True)
class Reading:
    """What one report says: per label a value, a state, and the mentions behind them.

    ``labels`` hold 1, 0, -1 (uncertain or not assessable under the policy "missing") or None where
    the text says that there is no reading. ``unmatched`` are the spans of statements in which the
    vocabulary found nothing.
    """

    labels: dict[str, int | None]
    states: dict[str, str]
    mentions: tuple[Mention, ...]
    unmatched: tuple[tuple[int, int], ...]


class Labeler:
    """Reads ECG reports through a vocabulary.

    ``vocab`` is a folder, a loaded Vocabulary, or None for the shipped one. ``uncertain`` says what
    an uncertain mention counts as, unless the label's own policy in the YAML says otherwise:
    "positive", "negative" or "missing". Raises VocabularyError and UsageError.

    >>> reading = Labeler().label("Sinus rhythm has replaced atrial fibrillation. Possible LVH")
    >>> [label for label, value in reading.labels.items() if value == 1]
    ['sinus_rhythm', 'lvh']
    >>> reading.states["atrial_fibrillation"], reading.states["lvh"]
    ('past', 'uncertain')
    """

    def __init__(
        self, vocab: Vocabulary | Path | str | None = None, uncertain: str = "positive"
    ) -> None:
        if uncertain not in POLICIES:
            raise UsageError(f"uncertain is {uncertain!r}; choose one of {', '.join(POLICIES)}")
        self.vocabulary = vocab if isinstance(vocab, Vocabulary) else load_vocabulary(vocab)
        self.matcher = Matcher(self.vocabulary)
        self._uncertain = uncertain
        self.rules = segment_rules(self.vocabulary)
        self.segmenter = Segmenter(self.rules)
        self.policies = {
            name: label.uncertain or uncertain for name, label in self.vocabulary.labels.items()
        }
        self._denied = denied_by(self.vocabulary)
        self._no_reading = {
            words for text in self.vocabulary.context.no_reading for words in self._words(text)
        }
        self._unconfirmed = {
            words for text in self.vocabulary.context.unconfirmed for words in self._words(text)
        }
        self._unconfirmed_heads = {words[0] for words in self._unconfirmed if words}

    def extended(self, phrases: Sequence[PhraseRef]) -> Labeler:
        """A labeler with more phrases, as one built anew of ``Vocabulary.with_phrases`` would be.

        It is made in a fraction of the time; this one stays as it is.
        """
        vocabulary = self.vocabulary.with_phrases(phrases)
        matcher = self.matcher.extended(vocabulary, phrases)
        if matcher is None:
            return Labeler(vocabulary, self._uncertain)
        out = copy(self)
        out.vocabulary, out.matcher = vocabulary, matcher
        for name in ("rewrites", "splitter"):
            vars(out).pop(name, None)
        return out

    @cached_property
    def rewrites(self) -> list[Rewrite]:
        """What cuts a report into statements; made when first asked for."""
        return breaks(self.vocabulary, self.matcher.lexicon)

    @cached_property
    def splitter(self) -> Splitter:
        """The same at work on one report."""
        return Splitter(self.rewrites)

    def label(self, text: str) -> Reading:
        """The reading of one report."""
        if not isinstance(text, str):
            raise UsageError(f"a report must be text, not {type(text).__name__}")
        try:
            statements = self.splitter.split(text)
        except UnicodeEncodeError:
            raise UsageError(
                "the report holds half of a surrogate pair, which is no character. Next step: read "
                "the text with its true encoding"
            ) from None
        segments = self.segmenter.segments([statement.text for statement in statements])
        found: list[tuple[int, Finding]] = []
        unmatched: list[tuple[int, int]] = []
        declared = spoken = False
        for statement, segment in zip(statements, segments, strict=True):
            if segment not in ASSERTING:
                continue
            findings, note = self.statement(statement.text)
            declared = declared or note == "no_reading"
            spoken = spoken or (bool(findings) and note != "no_reading")
            found += [(statement.start, finding) for finding in findings]
            if note == "unmatched":
                unmatched.append((statement.start, statement.end))
        if not text.strip() or (declared and not spoken):
            names = list(self.vocabulary.labels)
            return Reading(dict.fromkeys(names), dict.fromkeys(names, "unmentioned"), (), ())
        states = self.states([finding for _, finding in found])
        return Reading(
            {name: value_of(states[name], self.policies[name]) for name in states},
            states,
            tuple(
                self._mention(label, offset, finding)
                for offset, finding in found
                for label in self.labels_of(finding)
            ),
            tuple(unmatched),
        )

    def labels_of(self, finding: Finding) -> Sequence[str]:
        """The labels that a finding is evidence for; the denial of a concept may deny several."""
        phrase = finding.phrase
        if phrase.owner in self.vocabulary.labels:
            return () if phrase.role == "exclusion" else (phrase.owner,)
        return self._denied.get(phrase.owner, ()) if finding.assertion == "absent" else ()

    @staticmethod
    def _mention(label: str, offset: int, finding: Finding) -> Mention:
        phrase = finding.phrase
        return Mention(
            label=label,
            assertion=finding.assertion,
            start=offset + finding.start,
            end=offset + finding.end,
            phrase_id=phrase.id,
            place=str(phrase.place),
            cue=finding.cue,
            score=finding.score,
            implied=phrase.role == "implied",
        )

    def pipe(self, texts: Iterable[str]) -> Iterator[Reading]:
        """Readings of many reports, in order."""
        return (self.label(text) for text in texts)

    def statement(self, text: str) -> tuple[list[Finding], Note]:
        """The findings of one statement, and what else is to be known of it."""
        words = self.matcher.lexicon.read(text)
        items = self.matcher.items(text, words)
        asserted = assert_findings(items, [word.end for word in words])
        findings = [
            Finding(
                hit.phrase,
                assertion,
                words[hit.first].start,
                words[hit.last - 1].end,
                cue,
                hit.score,
            )
            for hit, assertion, cue in asserted
        ]
        if self._keys(words) in self._no_reading:
            return findings, "no_reading"
        if findings or _understood(items) or self.segmenter.opening(text):
            return findings, "matched"
        return findings, "unmatched"

    def unconfirmed(self, text: str) -> bool:
        """Whether a report says that nobody confirmed it: it is the device's, not the expert's."""
        return any(
            self.statement_unconfirmed(statement.text) for statement in self.splitter.split(text)
        )

    def statement_unconfirmed(self, text: str) -> bool:
        """Whether a statement says that nobody confirmed the report."""
        keys = self._keys(self.matcher.lexicon.read(text))
        return any(
            keys[at : at + len(each)] == each
            for at, key in enumerate(keys)
            if key in self._unconfirmed_heads
            for each in self._unconfirmed
        )

    def states(self, findings: Sequence[Finding]) -> dict[str, str]:
        """The state of every label from all findings of a report."""
        stated: dict[str, Assertion] = {}
        implied: list[Finding] = []
        suggested: dict[str, Assertion] = {}
        for finding in findings:
            phrase, assertion = finding.phrase, finding.assertion
            if phrase.role == "implied":
                implied.append(finding)
            elif assertion == "absent" and phrase.owner in self._denied:
                for label in self._denied[phrase.owner]:
                    stated.setdefault(label, "absent")
            elif phrase.role == "phrase" and assertion != "described":
                standing = stated.get(phrase.owner)
                if standing is None or RANK[assertion] > RANK[standing]:
                    stated[phrase.owner] = assertion
        named = {
            owner for owner, assertion in stated.items() if RANK[assertion] >= RANK["uncertain"]
        }
        for finding in implied:
            owner, rank = finding.phrase.owner, RANK.get(finding.assertion, 0)
            standing = suggested.get(owner)
            if (
                owner not in stated
                and rank >= RANK["uncertain"]
                and (standing is None or rank > RANK[standing])
                and named.isdisjoint(finding.phrase.unless)
            ):
                suggested[owner] = finding.assertion
        known: dict[str, str] = {**suggested, **stated}
        return {name: known.get(name, "unmentioned") for name in self.vocabulary.labels}

    def _words(self, text: str) -> list[tuple[str, ...]]:
        return list(self.matcher.lexicon.expand(text))

    @staticmethod
    def _keys(words: Sequence[Word]) -> tuple[str, ...]:
        return tuple(word.text for word in words if word.text[0].isalnum())


def denied_by(vocabulary: Vocabulary) -> dict[str, list[str]]:
    """Concept -> the labels that its denial denies: "negative for MI" denies every territory."""
    out: dict[str, list[str]] = {}
    for name, label in vocabulary.labels.items():
        for concept in label.denied_by:
            out.setdefault(concept, []).append(name)
    return out


def _understood(items: Sequence[Item]) -> bool:
    """Whether a statement without findings says nothing beyond cues, age words and numbers."""
    return not any(item.meaning is None and item.text.isalpha() for item in items)


def value_of(state: str, policy: str) -> int:
    """The value of a state under a policy: 1, 0, or -1 for "missing".

    >>> value_of("uncertain", "missing"), value_of("past", "positive")
    (-1, 0)
    """
    if state == "present":
        return 1
    if state == "uncertain":
        return {"positive": 1, "negative": 0, "missing": MISSING}[policy]
    if state == "not_assessable":
        return MISSING if policy == "missing" else 0
    return 0


def value_table(policy: str) -> list[int]:
    """``value_of`` for every state code, so that tables can be mapped at once.

    >>> value_table("missing")
    [0, 0, 0, -1, 1, -1]
    """
    return [value_of(state, policy) for state in sorted(STATES, key=STATE_CODES.__getitem__)]
