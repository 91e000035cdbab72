"""Where a report breaks into statements, as rewrites that keep every length.

Each rewrite turns a separator into a line break, or protects a mark that only looks like one, and
leaves every other character where it is, so that an offset in the result is one in the report. The
same patterns run in RE2 on one report and in polars on a million: both engines are linear, and both
read the plain subset used here alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import re2

from overread.text.lexicon import Lexicon
from overread.text.normalize import LINE_BREAK
from overread.vocab.model import Vocabulary

#: A break that a phrase runs over: the statement goes on, the line ended.
WRAP = "\v"
_DOT, _COMMA = "\x1d", "\x1e"  # a full stop and a comma that part nothing
_PART = "\x1c"  # a break that is none of a wrapped line
_NOTHING = r"[^\x{0}-\x{10FFFF}]"  # matches nothing: the alternation of no wordings
_HARDLY = 4  # a word ends a phrase hardly ever: once for four times inside
_HEDGE = 4  # letters at least of a hedge that opens a statement: no "Va", no "Dd"
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
    wrapping = _wrapping_words(vocabulary, lexicon)
    heads, tails = _comma_pairs(vocabulary, lexicon)
    # "Confirmed by Doe, Jane; MD (123)": the commas of a signature part nothing.
    signature = [
        Rewrite(rf"(?i)((?:^|\n)[ ]*(?:{any_of(signed)})[^,;\n]*)[,;]", "${1}" + _COMMA)
    ] * _SIGNATURE_COMMAS + [Rewrite(rf"{_COMMA}( *)\n", f"{_COMMA}${{1}}{WRAP}")]
    rewrites = [
        Rewrite(r"\r\n", " \n"),
        Rewrite(r"[\r\t\f\x{85}\x{2028}\x{2029}|•]", "\n"),
        Rewrite(rf"(?i)\b({any_of(inner)})\.", "${1}" + _DOT),
        Rewrite(r"\b([A-Za-z])\.", "${1}" + _DOT),
        Rewrite(rf"(?i)[ ]({any_of(cut)})", "\n${1}"),
        *signature,
        Rewrite(r"\*\*\*", "\n  "),
        # A run of three spaces is the end of a device's line.
        Rewrite(r" {3}", "  \n"),
        Rewrite(r"\n( *)\n", " ${1}\n"),
        Rewrite(r"\n( *)\n", " ${1}\n"),
        Rewrite(r"([\pL\pN)\]%\"'?!*])\.([ \n])", "${1}" + _PART + "${2}"),
        Rewrite(r"([\pL\pN)\]%\"'?!*])\.$", "${1}" + _PART),
        Rewrite(r"([a-z]{3})\.([A-Z])", "${1}" + _PART + "${2}"),
        Rewrite(r"[;!]", _PART),
        # "Indication: RBBB? Sinus rhythm": the last question mark of a line ends a statement too.
        Rewrite(r"([\pL\pN)])\? ( *[A-Z][\pL]+[^?\n]*(?:\n|$))", "${1}?" + _PART + "${2}"),
    ]
    if heads:
        rewrites.append(
            Rewrite(
                rf"(?i)\b({any_of(heads)}),( *)({any_of(tails)})\b", "${1}" + _COMMA + "${2}${3}"
            )
        )
    everything = [o.removesuffix(":") for s in context.segments for o in s.opens]
    rewrites += [
        # A part of the report that opens is no wrapped line.
        Rewrite(rf"(?i)\n([ ]*(?:{any_of(everything)})\b)", _PART + "${1}"),
        # "Sinus bradycardia, Right axis deviation": a capital after a comma opens a statement.
        Rewrite(r",( +)([A-Z][a-z])", "\n${1}${2}"),
        Rewrite(r"([\pL])-( *)\n", "${1}-${2}" + WRAP),
        # A capital in running text opens a statement: "sinus rhythm Possible LVH".
        Rewrite(
            rf"\b([a-z]+|[A-Z]+[0-9]*) ({_spelled(wrapping.hedges, str.capitalize)})( [A-Za-z])",
            "${1}\n${2}${3}",
        ),
        Rewrite(rf"(?i)\b({any_of(wrapping.hanging)})( *,? *)\n", "${1}${2}" + WRAP),
        # A capital opens a statement: "low voltage QRS", then "Left axis deviation".
        Rewrite(
            rf"\b((?i:{any_of(wrapping.ends)}))( *,? *)\n( *(?:[^A-Z \n]|[A-Z][^a-z]))",
            "${1}${2}" + WRAP + "${3}",
        ),
        Rewrite(rf"(?i)\n([ ,]*)({any_of(wrapping.starts)})\b", WRAP + "${1}${2}"),
        Rewrite(
            rf"\n([ ,]*)({_spelled(wrapping.answers, str.lower, str.upper)})\b",
            WRAP + "${1}${2}",
        ),
        Rewrite(r"\n( *,)", WRAP + "${1}"),
        # A line that is nothing but a hedge of what stands before it: "infarkt", then "möglich".
        Rewrite(rf"(?i)\n([ ]*(?:{any_of(wrapping.alone)})[ ]*(?:\n|{_PART}|$))", WRAP + "${1}"),
        Rewrite(_PART, "\n"),
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
            body = line.rstrip(TRIM_END).lstrip(TRIM_START)
            if body:
                begin = start + line.index(body)
                out.append(Statement(body.replace(WRAP, LINE_BREAK), begin, begin + len(body)))
            start += len(line) + 1
        return out


#: Left out at the ends of a statement; a colon at its end tells a heading.
TRIM_START = " .,:*-–—\v\u00a0\u3000"
TRIM_END = " .,*-–—\v\u00a0\u3000"


def any_of(wordings: Iterable[str]) -> str:
    """An alternation of wordings, longest first, blind to umlaut spelling and spacing."""
    longest_first = sorted(set(wordings), key=lambda w: (-len(w), w))
    return "|".join(map(flexible, longest_first)) or _NOTHING


def flexible(wording: str) -> str:
    """A wording of the vocabulary as a pattern.

    >>> flexible("unbestaetigt")
    'unbest(?:ae|ä|#)tigt'
    """
    out = []
    for part in fold_spaces(wording).split(" "):
        escaped = re2.escape(part)
        for pair, letter in (("ae", "ä"), ("oe", "ö"), ("ue", "ü"), ("aa", "å"), ("ss", "ß")):
            escaped = escaped.replace(pair, f"(?:{pair}|{letter}|#)")
        out.append(escaped)
    return r"[ \v-]+".join(out)


def fold_spaces(wording: str) -> str:
    return " ".join(wording.lower().split())


def _spelled(words: Iterable[str], *writings: Callable[[str], str]) -> str:
    """A pattern of words as some ways of writing them give them, and no other."""
    found = sorted({write(word) for word in words for write in writings if word.isascii()})
    return "|".join(map(re2.escape, found)) or _NOTHING


class _Wrapping(NamedTuple):
    """Words beside a line break that make it a wrap, as reports write them."""

    hanging: set[str]  # at the end of a line: no, suspected, and, with
    ends: set[str]  # at the end of a line, inside a phrase: bundle, inferior
    starts: set[str]  # at the start of a line: branch, deviation
    answers: set[str]  # the same, unless a capital opens a statement: on, was
    alone: set[str]  # whole hedges that, alone on a line, speak of the line before
    hedges: set[str]  # with a capital inside a line they open a statement: Possible, Consider


def _wrapping_words(vocabulary: Vocabulary, lexicon: Lexicon) -> _Wrapping:
    """Words after which, and words before which, a line break is a wrap.

    A word that hardly ever ends a phrase (bundle) has its phrase go on in the next line; a word
    that hardly ever starts one (branch) has it begin in the line before; a cue that ends a line
    (cannot rule out) speaks of the next one.
    """
    places = {role: Counter[str]() for role in ("first", "last", "inside", "follows")}
    for ref in vocabulary.phrases:
        # Each phrase counts once, however many wordings its terms give it.
        for role, found in _places(lexicon.parts(ref.phrase.text or "")).items():
            places[role].update(found)
    cues = vocabulary.context.cues
    single, forward, backward = set[str](), set[str](), set[str]()
    opening, closing = set[str](), set[str]()  # words that start or end a cue of the other kind
    for kind in (cues.negation, cues.uncertainty, cues.past, cues.resemblance):
        for cue in (*kind.forward, *kind.either):
            for words in lexicon.expand(cue.text):
                (single if len(words) == 1 else forward).add(words[-1])
                opening.add(words[0])
        for cue in kind.backward:
            for words in lexicon.expand(cue.text):
                backward.add(words[0])
                closing.add(words[-1])
    members = {lexicon.words(m)[0] for group in vocabulary.share_a_head.values() for m in group}
    scope = vocabulary.context.scope
    joins = {w for text in (*scope.join, *scope.alternatives) for w in lexicon.words(text)}
    ends = {word for word, n in places["inside"].items() if n > _HARDLY * places["last"][word]}
    starts = {word for word, n in places["follows"].items() if n > _HARDLY * places["first"][word]}
    hanging = single | (forward - closing - set(places["last"])) | joins | {"with"}
    ends = (ends - closing) | members
    answers = backward - opening - set(places["first"]) - starts
    starts = starts - opening - set(places["first"])
    hedges = {
        words[0]
        for cue in (*cues.uncertainty.forward, *cues.uncertainty.either)
        for words in lexicon.expand(cue.text)
        if len(words) == 1 and len(words[0]) >= _HEDGE
    }
    alone = {
        text
        for cue in cues.uncertainty.backward
        # As written and as folded: "nicht auszuschliessen" is read as "not auszuschliessen".
        for text in (cue.text, *(" ".join(words) for words in lexicon.expand(cue.text)))
        if text.replace(" ", "").isalpha()
    }
    fillers = {w for text in scope.fillers for w in lexicon.words(text)}
    spelled = lexicon.spellings()
    return _Wrapping(
        _written(hanging - fillers, spelled),
        _written(ends - fillers, spelled),
        _written((starts - fillers) | {"with"}, spelled),
        _written(answers - fillers, spelled),
        alone | {other for words in alone for other in spelled.get(words, ())},
        _written(hedges, spelled),
    )


def _places(parts: list[list[tuple[str, ...]]]) -> dict[str, set[str]]:
    """The words that start a wording of a phrase, end one, go on, and follow.

    >>> places = _places([[("left",), ()], [("bundle", "branch")]])
    >>> sorted(places["first"]), sorted(places["follows"])
    (['bundle', 'left'], ['branch', 'bundle'])
    """
    out = {role: set[str]() for role in ("first", "last", "inside", "follows")}
    for at, part in enumerate(parts):
        before, after = parts[:at], parts[at + 1 :]
        opens, closes = all(() in one for one in before), all(() in one for one in after)
        led, followed = any(map(any, before)), any(map(any, after))
        for words in filter(None, part):
            out["inside"].update(words if followed else words[:-1])
            out["follows"].update(words if led else words[1:])
            if opens:
                out["first"].add(words[0])
            if closes:
                out["last"].add(words[-1])
    return out


def _written(words: set[str], spelled: dict[str, list[str]]) -> set[str]:
    out = {s for word in words for s in (word, *spelled.get(word, ()))}
    return {word for word in out if word.isalpha() and len(word) > 1}


def _comma_pairs(vocabulary: Vocabulary, lexicon: Lexicon) -> tuple[set[str], set[str]]:
    """Words before and after the comma inside a phrase: "infarct, inferior"."""
    heads, tails = set[str](), set[str]()
    for ref in vocabulary.phrases:
        parts = lexicon.parts(ref.phrase.text or "")
        for at, words in ((at, words) for at, part in enumerate(parts) for words in part):
            for i in (i for i, word in enumerate(words) if word == ","):
                before = set(words[i - 1 : i]) or _places(parts[:at])["last"]
                after = set(words[i + 1 : i + 2]) or _places(parts[at + 1 :])["first"]
                if before and after:
                    heads |= before
                    tails |= after
    spelled = lexicon.spellings()
    return _written(heads, spelled), _written(tails, spelled)
