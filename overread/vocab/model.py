"""The vocabulary as a value: what the loader makes of the YAML files and everybody else reads."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from overread.errors import Place, UsageError
from overread.vocab.schema import Concept, ContextFile, Label, Phrase

Role = Literal["phrase", "implied", "exclusion"]

_ROLE_MARK: dict[Role, str] = {"phrase": "", "implied": "implied:", "exclusion": "not:"}
_SLUG_LENGTH = 60
#: Of the phrases of one owner, in the order of ``Vocabulary.phrases``.
_ORDER: dict[Role, int] = {"phrase": 0, "implied": 1, "exclusion": 2}


def _slug(text: str) -> str:
    """The text as letters, digits and hyphens, with a short hash where that loses something.

    >>> _slug("left axis deviation")
    'left-axis-deviation'
    >>> _slug("LAD?")
    'lad~e033ae'
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")[:_SLUG_LENGTH]
    if slug.replace("-", " ") == text:
        return slug
    return f"{slug}~{hashlib.sha256(text.encode()).hexdigest()[:6]}"


@dataclass(frozen=True, slots=True)
class PhraseRef:
    """One phrase of one label or concept, with the place where it is written."""

    owner: str
    role: Role
    phrase: Phrase
    place: Place
    unless: tuple[str, ...] = ()

    @property
    def wording(self) -> str:
        """The text of the phrase, or the pattern where it has no text."""
        return self.phrase.text or self.phrase.regex or ""

    @property
    def id(self) -> str:
        """``owner/wording``: the same however the lines of the file are ordered.

        >>> PhraseRef("lvh", "exclusion", Phrase(text="septal hypertrophy"), Place("a", 1)).id
        'lvh/not:septal-hypertrophy'
        """
        prefix = "" if self.phrase.text else "regex:"
        return f"{self.owner}/{_ROLE_MARK[self.role]}{prefix}{_slug(self.wording)}"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Labels, their phrases and the context rules of a folder of YAML files.

    ``labels`` keep the order of the files (rhythm, conduction, axis, hypertrophy, infarction, then
    the others by name) and of the keys in them. ``words``, ``terms`` and the ``share_a_`` groups
    are merged over all files, ``context.yaml`` included. ``cue_places`` maps a path in
    ``context.yaml``, such as ``("cues", "negation", "forward", "3")``, to its place; ``places``
    does so for ``("labels", id)``, ``("concepts", id)``, ``("words", word, spelling)``,
    ``("terms", term, wording)`` and ``("examples", label, kind, sentence)``. ``sha256`` covers the
    names and contents of ``files``, whatever their line ends.
    """

    labels: dict[str, Label]
    concepts: dict[str, Concept]
    phrases: tuple[PhraseRef, ...]
    words: dict[str, tuple[str, ...]]
    terms: dict[str, tuple[str, ...]]
    share_a_head: dict[str, tuple[str, ...]]
    share_a_modifier: dict[str, tuple[str, ...]]
    context: ContextFile
    cue_places: dict[tuple[str, ...], Place]
    places: dict[tuple[str, ...], Place]
    sha256: str
    files: tuple[str, ...]

    def with_phrases(self, more: Sequence[PhraseRef]) -> Vocabulary:
        """The vocabulary with more phrases, each at the end of its list; nothing is written.

        Raises UsageError for an owner or a ``{term}`` that there is not.
        """
        phrases = list(self.phrases)
        for ref in more:
            known = self.concepts if ref.role == "phrase" else ()
            if ref.owner not in self.labels and ref.owner not in known:
                raise UsageError(
                    f"there is no label or concept '{ref.owner}' for a phrase of that role. "
                    "Next step: give an id as it stands in the files."
                )
            for term in re.findall(r"{(\w+)}", ref.phrase.text or ""):
                if term not in self.terms:
                    raise UsageError(
                        f"there is no term '{term}'. Next step: name one that stands in the files, "
                        "or write the wordings out."
                    )
            at = [
                place
                for place, each in enumerate(phrases)
                if each.owner == ref.owner and _ORDER[each.role] <= _ORDER[ref.role]
            ]
            phrases.insert(at[-1] + 1, ref)
        return replace(self, phrases=tuple(phrases), sha256="")
