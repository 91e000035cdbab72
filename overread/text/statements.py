"""Where a report breaks into statements, as rewrites that keep every length.

Each rewrite turns a separator into a line break, or protects a mark that only looks like one, and
leaves every other character where it is, so that an offset in the result is one in the report. The
same patterns run in RE2 on one report and in polars on a million: both engines are linear, and both
read the plain subset used here alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import re2

from overread.text.lexicon import Lexicon
from overread.text.normalize import LINE_BREAK
from overread.vocab.model import Vocabulary

#: A break that a phrase runs over: the statement goes on, the line ended.
WRAP = "\v"
_DOT, _COMMA = "\x1d", "\x1e"  # a full stop and a comma that part nothing
_SIGNATURE_COMMAS = 4  # commas of one signature line that are protected


class Rewrite(NamedTuple):
    """A pattern (RE2 and Rust syntax alike) and what stands instead, in Rust's ``${1}`` form."""

    pattern: str
    replacement: str

    @property
    def re2_replacement(self) -> str:
        """The replacement in the form that RE2 takes: ``\\1`` for ``${1}``."""
        out = self.replacement
        for group in range(1, 5):
            out = out.replace(f"${{{group}}}", f"\\{group}")
        return out


def breaks(vocabulary: Vocabulary, lexicon: Lexicon) -> list[Rewrite]:
    """The rewrites, in order, that leave one statement per line and wraps as ``WRAP``."""
    context = vocabulary.context
    openings = [
        opening
        for segment in context.segments
        if segment.name != "findings"
        for opening in segment.opens
        if " " in opening.strip(" :") or opening == "edit:"
    ]
    # "compared with" is the end of "when compared with": a cut before it would part the two.
    cut = [each for each in openings if not any(o.endswith(f" {each}") for o in openings)]
    signed = [o for s in context.segments if s.name == "signature" for o in s.opens]
    inner = [a for a in context.abbreviations if len(a) > 1]
    ends, starts = _wrapping_words(vocabulary, lexicon)
    heads, tails = _comma_pairs(vocabulary, lexicon)
    rewrites = [
        Rewrite(r"\r\n", " \n"),
        Rewrite(r"[\r\t\f\x{85}\x{2028}\x{2029}|•]", "\n"),
        Rewrite(rf"(?i)\b({any_of(inner)})\.", "${1}" + _DOT),
        Rewrite(r"\b([A-Za-z])\.", "${1}" + _DOT),
        Rewrite(rf"(?i)[ ]({any_of(cut)})", "\n${1}"),
        Rewrite(r"\*\*\*", "\n  "),
        # A run of three spaces is the end of a device's line.
        Rewrite(r" {3}", "  \n"),
        Rewrite(r"\n( *)\n", " ${1}\n"),
        Rewrite(r"\n( *)\n", " ${1}\n"),
        Rewrite(r"([\pL\pN)\]%\"'?!*])\.([ \n])", "${1}\n${2}"),
        Rewrite(r"([\pL\pN)\]%\"'?!*])\.$", "${1}\n"),
        Rewrite(r"([a-z]{3})\.([A-Z])", "${1}\n${2}"),
        Rewrite(r"[;!]", "\n"),
    ]
    if heads:
        rewrites.append(
            Rewrite(
                rf"(?i)\b({any_of(heads)}),( *)({any_of(tails)})\b", "${1}" + _COMMA + "${2}${3}"
            )
        )
    # "Confirmed by Doe, Jane (123)": the commas of a signature part nothing.
    signature = Rewrite(rf"(?i)((?:^|\n)[ ]*(?:{any_of(signed)})[^,\n]*),", "${1}" + _COMMA)
    rewrites += [signature] * _SIGNATURE_COMMAS
    rewrites += [
        # "Sinus bradycardia, Right axis deviation": a capital after a comma opens a statement.
        Rewrite(r",( +)([A-Z][a-z])", "\n${1}${2}"),
        Rewrite(r"([\pL])-\n", "${1}-" + WRAP),
        Rewrite(rf"(?i)\b({any_of(ends)})( *,? *)\n", "${1}${2}" + WRAP),
        Rewrite(rf"(?i)\n([ ,]*)({any_of(starts)})\b", WRAP + "${1}${2}"),
        Rewrite(r"\n( *,)", WRAP + "${1}"),
        Rewrite(_DOT, "."),
        Rewrite(_COMMA, ","),
    ]
    return rewrites


class Statement(NamedTuple):
    """A statement and where it stands in the report; inside it a wrapped line is a line break."""

    text: str
    start: int
    end: int


class Splitter:
    """Cuts one report into statements."""

    def __init__(self, rewrites: list[Rewrite]) -> None:
        options = re2.Options()
        options.log_errors = False
        self._rewrites: list[tuple[Any, str]] = [
            (re2.compile(each.pattern, options), each.re2_replacement) for each in rewrites
        ]

    def split(self, report: str) -> list[Statement]:
        """The statements of a report in order.

        >>> from overread.text.labeler import Labeler
        >>> splitter = Labeler().splitter
        >>> [statement.text for statement in splitter.split("Sinus rhythm. LVH, Normal ECG")]
        ['Sinus rhythm', 'LVH', 'Normal ECG']
        """
        marked = report
        for pattern, replacement in self._rewrites:
            marked = pattern.sub(replacement, marked)
        out: list[Statement] = []
        start = 0
        for line in marked.split("\n"):
            body = line.strip(TRIM)
            if body:
                begin = start + len(line) - len(line.lstrip(TRIM))
                out.append(Statement(body.replace(WRAP, LINE_BREAK), begin, begin + len(body)))
            start += len(line) + 1
        return out


#: Left out at both ends of a statement.
TRIM = " .,:*-–—\v\u00a0\u3000"


def any_of(wordings: Iterable[str]) -> str:
    """An alternation of wordings, longest first, blind to umlaut spelling and spacing."""
    return "|".join(flexible(w) for w in sorted(set(wordings), key=lambda w: (-len(w), w)))


def flexible(wording: str) -> str:
    """A wording of the vocabulary as a pattern.

    >>> flexible("unbestaetigt")
    'unbest(?:ae|ä|#)tigt'
    """
    out = []
    for part in fold_spaces(wording).split(" "):
        escaped = re2.escape(part)
        for pair, letter in (("ae", "ä"), ("oe", "ö"), ("ue", "ü"), ("aa", "å")):
            escaped = escaped.replace(pair, f"(?:{pair}|{letter}|#)")
        out.append(escaped)
    return r"[ \v]+".join(out)


def fold_spaces(wording: str) -> str:
    return " ".join(wording.lower().split())


def _wrapping_words(vocabulary: Vocabulary, lexicon: Lexicon) -> tuple[set[str], set[str]]:
    """Words after which, and words before which, a line break is a wrap.

    A word that ends no phrase (bundle, no, suspected) has its phrase go on in the next line; a word
    that starts none (branch, deviation) has it begin in the line before.
    """
    first, last, inside, followers = set[str](), set[str](), set[str](), set[str]()
    forward, backward = set[str](), set[str]()
    for ref in vocabulary.phrases:
        for words in lexicon.expand(ref.phrase.text) if ref.phrase.text else ():
            first.add(words[0])
            last.add(words[-1])
            inside.update(words[:-1])
            followers.update(words[1:])
    cues = vocabulary.context.cues
    for kind in (cues.negation, cues.uncertainty, cues.past, cues.resemblance):
        for cue in kind.forward:
            forward.update(words[-1] for words in lexicon.expand(cue.text))
            first.update(words[0] for words in lexicon.expand(cue.text))
        for cue in kind.backward:
            backward.update(words[0] for words in lexicon.expand(cue.text))
            last.update(words[-1] for words in lexicon.expand(cue.text))
    members = {lexicon.words(m)[0] for group in vocabulary.share_a_head.values() for m in group}
    joins = {w for text in vocabulary.context.scope.join for w in lexicon.words(text)}
    joins |= {w for text in vocabulary.context.scope.alternatives for w in lexicon.words(text)}
    ends = ((inside | forward) - last) | members | joins | {"with"}
    starts = ((followers | backward) - first) | {"with"}
    spelled = lexicon.spellings()
    return _written(ends, spelled), _written(starts, spelled)


def _written(words: set[str], spelled: dict[str, list[str]]) -> set[str]:
    out = {s for word in words for s in (word, *spelled.get(word, ()))}
    return {word for word in out if word.isalpha() and len(word) > 1}


def _comma_pairs(vocabulary: Vocabulary, lexicon: Lexicon) -> tuple[set[str], set[str]]:
    """Words before and after the comma inside a phrase: "infarct, inferior"."""
    heads, tails = set[str](), set[str]()
    for ref in vocabulary.phrases:
        if ref.phrase.text and "," in ref.phrase.text:
            for words in lexicon.expand(ref.phrase.text):
                for i, word in enumerate(words):
                    if word == "," and 0 < i < len(words) - 1:
                        heads.add(words[i - 1])
                        tails.add(words[i + 1])
    spelled = lexicon.spellings()
    return _written(heads, spelled), _written(tails, spelled)
