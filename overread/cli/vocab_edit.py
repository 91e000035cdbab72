"""``overread vocab try``, ``accept``, ``reject``: one wording, from a sentence to the YAML file."""

from __future__ import annotations

import shlex
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from overread.cli.input import text_given
from overread.cli.labels import OverlayOption, VocabOption

_SHELL = frozenset('"$`\\!')  # means something between double quotes
ByOption = Annotated[str, typer.Option("--by", help="Your initials.")]


class Language(StrEnum):
    """Languages that a phrase may be marked with."""

    en = "en"
    de = "de"
    sv = "sv"


def try_text(
    text: Annotated[str, typer.Argument(help="A sentence or report; '-' reads it from the input.")],
    add: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=PHRASE", help="As if it were there; may be given again."),
    ] = None,
    vocab: VocabOption = None,
    overlay: OverlayOption = None,
) -> None:
    """Show what a text gives and by which phrase, before and after an edit. Writes nothing."""
    from overread.labels.evidence import explain_text
    from overread.text.labeler import Labeler
    from overread.vocab.edit import NewPhrase
    from overread.vocab.load import folder_in_use, load_vocabulary
    from overread.workbench.accept import propose

    text = text_given(text)
    console = Console()
    pairs = [_label_and_phrase(each) for each in add or ()]
    phrases = [NewPhrase(label, phrase, "try", date.today()) for label, phrase in pairs]
    folder, overlays = folder_in_use(vocab), overlay or ()
    labeler = Labeler(load_vocabulary(folder, overlays=overlays))
    if not phrases:
        explain_text(text, labeler, console)
        return
    proposal = propose(folder, phrases, overlays=overlays, labeler=labeler)
    console.rule("before", align="left")
    explain_text(text, labeler, console)
    console.rule("after", align="left")
    explain_text(text, Labeler(proposal.vocabulary), console)
    typer.echo(f"{proposal.examples} examples run, none broken. Nothing is written.")
    for label, phrase in pairs:
        quoted = shlex.quote(phrase) if _SHELL.intersection(phrase) else f'"{phrase}"'
        typer.echo(f"Next step: overread vocab accept {label} {quoted} --by INITIALS")


def accept(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="The id of a label or concept.")],
    phrase: Annotated[str, typer.Argument(metavar="PHRASE", help="The wording, in quotes.")],
    by: ByOption,
    vocab: VocabOption = None,
    overlay: OverlayOption = None,
    source: Annotated[str, typer.Option(help="Where the wording comes from: '12SL 540'.")] = "",
    exclusion: Annotated[
        bool, typer.Option("--exclusion", help="It holds a phrase and does not count.")
    ] = False,
    implied: Annotated[
        bool, typer.Option("--implied", help="It implies the label, where nothing states it.")
    ] = False,
    unless: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="With --implied: unless this is named. May be repeated."),
    ] = None,
    uncertain: Annotated[
        bool, typer.Option("--uncertain", help="The wording itself is a hedge.")
    ] = False,
    acronym: Annotated[bool, typer.Option("--acronym", help="It counts in capitals only.")] = False,
    lang: Annotated[Language | None, typer.Option(help="Its language.")] = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="Another label has the wording too; it names both.")
    ] = False,
    on_date: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="When. Default: today."),
    ] = None,
) -> None:
    """Write a phrase into the YAML file of its label: one line, with who and when.

    With --overlay into the last of these folders. Refused where it is there already, another label
    has it, or an example would break.
    """
    from overread.errors import UsageError
    from overread.vocab.edit import NewPhrase
    from overread.vocab.load import folder_in_use
    from overread.workbench.accept import accept as write
    from overread.workbench.accept import changeable, propose
    from overread.workbench.decisions import Decisions

    if (exclusion and implied) or (unless and not implied):
        raise UsageError(
            "A phrase is an exclusion or implies its label, and only one that implies has an "
            "--unless. Next step: give --exclusion, or --implied with any --unless."
        )
    folder, overlays = folder_in_use(vocab), overlay or ()
    into = changeable(folder, overlays)
    new = NewPhrase(
        label,
        phrase,
        by,
        on_date.date() if on_date else date.today(),
        source,
        role="exclusion" if exclusion else "implied" if implied else "phrase",
        lang=lang.value if lang else None,
        uncertain=uncertain,
        acronym=acronym,
        unless=tuple(unless or ()),
    )
    proposal = propose(folder, [new], overlays=overlays, shared=shared)
    decisions = Decisions.open(into)  # makes its file: only now is the phrase not refused
    proposal = write(
        folder, [new], overlays=overlays, decisions=decisions, shared=shared, proposed=proposal
    )
    insertion = proposal.insertions[0]
    typer.echo(proposal.diff())
    typer.echo(
        f"Written to {insertion.file}:{insertion.last}; {proposal.examples} examples run, none "
        "broken.\nNext step: overread labels extract, with --overwrite, counts your reports anew."
    )


def reject(
    phrase: Annotated[str, typer.Argument(metavar="PHRASE", help="The wording, in quotes.")],
    by: ByOption,
    vocab: VocabOption = None,
    overlay: OverlayOption = None,
    note: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Remember that a wording is none of the vocabulary: it is not suggested again."""
    from overread.vocab.edit import initials
    from overread.vocab.load import folder_in_use
    from overread.workbench.accept import changeable
    from overread.workbench.decisions import FILE, Decisions, named

    folder = changeable(folder_in_use(vocab), overlay or ())
    named(phrase)  # what is refused makes no file
    initials(by)
    Decisions.open(folder).reject(phrase, by, note)
    typer.echo(
        f"Noted in {FILE}; no YAML file changed. "
        "Next step: overread vocab suggest, or overread vocab accept if it was a slip."
    )


def _label_and_phrase(given: str) -> tuple[str, str]:
    from overread.errors import UsageError

    label, equals, phrase = given.partition("=")
    if not equals:
        raise UsageError(f"--add '{given}' has no '='. Example: --add lvh=\"increased lv mass\"")
    return label.strip(), phrase
