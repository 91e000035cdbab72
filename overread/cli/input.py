"""A text that a command is given, in its place or as its input."""

from __future__ import annotations

import typer


def text_given(text: str) -> str:
    """The text itself; for "-" what stands in the input. Raises OverreadError if not UTF-8."""
    from overread.errors import OverreadError

    if text != "-":
        return text
    try:
        return typer.get_text_stream("stdin", encoding="utf-8-sig").read()
    except UnicodeDecodeError:
        raise OverreadError(
            "the input is not UTF-8. Next step: turn it into UTF-8, such as with "
            "iconv -f cp1252 -t utf-8."
        ) from None
