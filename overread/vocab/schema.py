"""What a vocabulary file may contain. ``vocab/schema.json`` is generated from these classes.

A vocabulary is a folder of YAML files: one per topic (labels, helper concepts, their phrases) and
``context.yaml`` (how a sentence negates, hedges, replaces). Unknown keys are refused everywhere.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

#: Characters of a phrase; more is a sentence that no second report will hold.
MAX_PHRASE = 200
#: Ids are used in file columns and commands.
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]


def _no_state(name: str) -> str:
    """The columns of a label "state_x" would be those of the states of "x"."""
    if name.startswith("state_"):
        raise ValueError("cannot be the id of a label: none begins with 'state_'")
    return name


LabelId = Annotated[Identifier, AfterValidator(_no_state)]
Policy = Literal["positive", "negative", "missing"]
Reach = Literal["next", "list", "series", "clause", "statement"]
SegmentName = Literal[
    "findings", "comparison", "indication", "second_reading", "signature", "device"
]


def _flag(value: object) -> object:
    """YAML values arrive as text: only ``true`` and ``false`` are a yes and a no."""
    if isinstance(value, str):
        if value not in ("true", "false"):
            raise ValueError("write true or false")
        return value == "true"
    return value


Flag = Annotated[bool, BeforeValidator(_flag)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _from_text(value: object) -> object:
    """A plain string in YAML stands for an entry that has nothing but its text."""
    return {"text": value} if isinstance(value, str) else value


class Phrase(_Strict):
    """One wording. ``{name}`` stands for any wording of a term; case, hyphens, accents and line
    breaks do not matter, and age words such as "old" may stand between its words."""

    text: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_PHRASE,
        description="The wording, e.g. 'left axis deviation'",
    )
    regex: str | None = Field(
        None,
        min_length=1,
        description="RE2 pattern on the folded statement; for what no phrase can say",
    )
    lang: Literal["en", "de", "sv"] | None = Field(None, description="Language, where it matters")
    source: str | None = Field(None, description="Where the wording comes from, e.g. '12SL 540'")
    by: str | None = Field(None, description="Initials of who added it")
    on: str | None = Field(None, description="Date it was added, YYYY-MM-DD")
    note: str | None = Field(None, description="Why it is here")
    fuzzy: Flag = Field(True, description="false: misspellings of it are not repaired")
    uncertain: Flag = Field(False, description="true: the wording itself is a hedge (Linkstyp)")
    acronym: Flag = Field(
        False, description="true: counts in capitals only, unless the whole text lacks them"
    )
    not_with: list[str] = Field(
        default_factory=list,
        description="Words that give an acronym its other meaning when the statement holds them",
    )
    only_with: list[str] = Field(
        default_factory=list,
        description="The statement must hold one of these words: paced, for a pattern of beats",
    )


PhraseEntry = Annotated[Phrase, BeforeValidator(_from_text, json_schema_input_type=Phrase | str)]


class Implication(_Strict):
    """Wordings that imply a label without naming it; what the report states outright wins."""

    phrases: list[PhraseEntry] = Field(min_length=1)
    unless: list[Identifier] = Field(
        default_factory=list,
        description="Labels or concepts that, where the same report names them, cancel this",
    )


class Examples(_Strict):
    """Sentences that ``overread vocab check`` runs."""

    match: list[str] = Field(
        default_factory=list, description="Give the label: present or uncertain"
    )
    no_match: list[str] = Field(default_factory=list, description="Do not give the label")
    known_gap: list[str] = Field(
        default_factory=list, description="Ought to give the label and do not yet"
    )


class Codes(_Strict):
    """The label in other code systems."""

    snomed_ct: list[str] = Field(default_factory=list)
    scp_ecg: list[str] = Field(default_factory=list)


class Label(_Strict):
    """One label: a column of the output."""

    name: str = Field(min_length=1, description="Shown in tables, e.g. 'Left Axis Deviation'")
    description: str = Field(min_length=1, description="What counts and what does not")
    codes: Codes = Field(default_factory=lambda: Codes())
    baseline: Flag = Field(
        False, description="true: the normal finding; a negated list does not run on to it"
    )
    uncertain: Policy | None = Field(
        None, description="What an uncertain mention of this label counts as, whatever is asked for"
    )
    phrases: list[PhraseEntry] = Field(min_length=1)
    implied_by: list[Implication] = Field(default_factory=list)
    exclusions: list[PhraseEntry] = Field(
        default_factory=list, description="Wordings that hold a phrase and do not count"
    )
    denied_by: list[Identifier] = Field(
        default_factory=list,
        description="Concepts whose denial denies this label too: 'negative for MI'",
    )
    contradicts: list[Identifier] = Field(
        default_factory=list, description="Labels that cannot stand beside it; counted, not mended"
    )
    examples: Examples = Field(default_factory=lambda: Examples())


class LabelChange(Label):
    """What an overlay adds to a label; one that is new needs all that a label needs."""

    name: str = Field("", min_length=1, description="Shown in tables, in place of the name so far")
    description: str = Field("", min_length=1, description="In place of the description so far")
    phrases: list[PhraseEntry] = Field(default_factory=list)


class Concept(_Strict):
    """A helper: a finding that is no label, so that negation and 'unless' can see it."""

    description: str | None = None
    phrases: list[PhraseEntry] = Field(min_length=1)


class _Topic(_Strict):
    words: dict[str, list[str]] = Field(
        default_factory=dict, description="Other spellings of a word, in every phrase and report"
    )
    terms: dict[Identifier, list[str]] = Field(
        default_factory=dict, description="{name} in a phrase stands for any of these wordings"
    )
    share_a_head: dict[Identifier, list[str]] = Field(
        default_factory=dict,
        description="Words that may share one head: old [inferior and anterior] infarct",
    )
    share_a_modifier: dict[Identifier, list[str]] = Field(
        default_factory=dict,
        description="Heads that may share one word: atrial [fibrillation or flutter]",
    )
    concepts: dict[Identifier, Concept] = Field(default_factory=dict)


class TopicFile(_Topic):
    """A topic: ``rhythm.yaml``, ``axis.yaml`` ..."""

    labels: dict[LabelId, Label] = Field(default_factory=dict)


class Cue(_Strict):
    """Words that decide what a mention asserts."""

    text: str = Field(min_length=1)
    reach: Reach | None = Field(
        None,
        description="next: the nearest finding; list: and what is joined to it; "
        "series: over commas too; clause: every finding up to a comma or a word of contrast; "
        "statement: over commas too",
    )
    lang: Literal["en", "de", "sv"] | None = None
    note: str | None = None


CueEntry = Annotated[Cue, BeforeValidator(_from_text, json_schema_input_type=Cue | str)]


class CueSet(_Strict):
    """Cues of one kind by where the finding stands."""

    forward: list[CueEntry] = Field(default_factory=list, description="before the finding")
    backward: list[CueEntry] = Field(default_factory=list, description="after the finding")
    either: list[CueEntry] = Field(
        default_factory=list, description="before it, or after it where none follows at once"
    )


Side = Literal["present", "past", "absent", "described"]


class Replacement(_Strict):
    """'X has replaced Y': what stands before and after the words."""

    text: str = Field(min_length=1)
    before: Side | None = None
    after: Side | None = None
    both: Flag = Field(
        False, description="counts only where both are findings: 'RBBB is now complete' has one"
    )


class Cues(_Strict):
    negation: CueSet = Field(default_factory=lambda: CueSet())
    uncertainty: CueSet = Field(default_factory=lambda: CueSet())
    past: CueSet = Field(default_factory=lambda: CueSet())
    present: CueSet = Field(default_factory=lambda: CueSet())
    resemblance: CueSet = Field(default_factory=lambda: CueSet())
    not_assessable: CueSet = Field(default_factory=lambda: CueSet())
    replacement: list[Replacement] = Field(default_factory=list)
    inert: list[str] = Field(
        default_factory=list, description="Wordings that hold a cue and are none: 'no change in'"
    )


class Scope(_Strict):
    """Where the reach of a cue ends and goes on."""

    contrast: list[str] = Field(
        default_factory=list, description="ends it in both directions: but, although"
    )
    stop: list[str] = Field(default_factory=list, description="ends a forward reach: with, due to")
    join: list[str] = Field(default_factory=list, description="goes on: and, nor")
    alternatives: list[str] = Field(
        default_factory=list, description="goes on, and hedges both sides: or, versus"
    )
    links: list[str] = Field(
        default_factory=list, description="carry a negation on: 'no Q waves to suggest'"
    )
    fillers: list[str] = Field(
        default_factory=list, description="may stand inside a phrase: old, acute, wall"
    )
    relatives: list[str] = Field(
        default_factory=list, description="opens a clause about the finding before it: which"
    )
    earlier: list[str] = Field(
        default_factory=list, description="an earlier tracing, of which findings may be told"
    )
    told: list[CueEntry] = Field(
        default_factory=list,
        description="tells of an earlier tracing what is past; reach next: only right behind it, "
        "dates and brackets left out",
    )
    origins: list[str] = Field(
        default_factory=list, description="what a change started from: converted to NSR from AF"
    )
    agents: list[str] = Field(
        default_factory=list, description="by, where the verb stands last: durch SR ersetzt"
    )


class Segment(_Strict):
    """A part of a report, found by the words that open it."""

    name: SegmentName
    opens: list[str] = Field(min_length=1, description="wordings at the start of the part")
    not_opens: list[str] = Field(default_factory=list, description="look like one and are none")
    extends: Literal["statement", "report"] = Field(
        "statement", description="how far the part goes; a heading alone on its line goes on"
    )


class ContextFile(_Strict):
    """``context.yaml``: how a report speaks, whatever the label."""

    words: dict[str, list[str]] = Field(default_factory=dict)
    terms: dict[Identifier, list[str]] = Field(default_factory=dict)
    cues: Cues
    scope: Scope
    segments: list[Segment] = Field(default_factory=list)
    no_reading: list[str] = Field(default_factory=list, description="the text says there is none")
    unconfirmed: list[str] = Field(default_factory=list, description="marks the device's own text")
    abbreviations: list[str] = Field(
        default_factory=list, description="a full stop after one of these ends no statement"
    )
    ordinary_words: list[str] = Field(
        default_factory=list, description="real words that are no misspelling of a vocabulary word"
    )


class OverlayFile(_Topic):
    """A topic file of an overlay adds to the vocabulary below it and may retire from it."""

    labels: dict[LabelId, LabelChange] = Field(default_factory=dict)
    retire: dict[Identifier, list[str]] = Field(
        default_factory=dict, description="label or concept id: phrases that no longer count"
    )
