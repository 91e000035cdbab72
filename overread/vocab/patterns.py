"""Regular expressions of the vocabulary: RE2 only, so that none can take exponential time."""

from __future__ import annotations

from typing import Any

# What RE2 says -> what it means for the author of the pattern.
_PLAIN_WORDS = {
    "invalid perl operator": "look-around and named conditions are not supported",
    "invalid escape sequence": "back-references and this escape are not supported",
    "invalid repetition size": "a repetition may not exceed 1000",
    "no argument for repetition operator": "nothing stands before the repetition",
    "bad repetition operator": "one repetition follows another",
    "missing )": "a bracket '(' is not closed",
    "unexpected )": "a bracket ')' closes nothing",
    "missing ]": "a bracket '[' is not closed",
    "invalid character class range": "the range in [ ] runs backwards",
    "invalid named capture group": "the name of the group is not valid",
    "trailing \\": "a backslash at the end",
    "pattern too large - compile failed": "the pattern is too large with its repetitions",
}

#: A pattern that finds nothing at all somewhere in these would match every report.
_PROBES = ("", "a", "a b")


class BadPattern(ValueError):
    """A pattern that cannot be used; the message says which part of it and why."""


def compile_pattern(pattern: str) -> Any:
    """The compiled RE2 pattern, for use on folded text.

    Raises BadPattern where RE2 does not take it or it can match nothing at all.

    >>> compile_pattern(r"qrs axis -?[0-9]+").search("qrs axis -45").group()
    'qrs axis -45'
    >>> compile_pattern("(?=lvh)")
    Traceback (most recent call last):
    overread.vocab.patterns.BadPattern: look-around and named conditions are not supported: '(?='
    """
    # Only a vocabulary with a pattern pays for the import.
    import re2

    options = re2.Options()
    # RE2 would print the pattern to stderr by itself.
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise BadPattern(_in_words(error)) from None
    for probe in _PROBES:
        if any(found.start() == found.end() for found in compiled.finditer(probe)):
            raise BadPattern("the pattern also matches where nothing stands, so it matches always")
    return compiled


def _in_words(error: Exception) -> str:
    said = error.args[0] if error.args else "not valid"
    said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    reason, _, construct = said.partition(": ")
    plain = _PLAIN_WORDS.get(reason, reason)
    if construct.lower().startswith("\\p"):
        plain = "no class of characters has this name"
    return f"{plain}: '{construct}'" if construct else plain
