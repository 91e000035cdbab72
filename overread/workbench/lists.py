"""Suggestions and the use of phrases as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from overread.errors import UsageError
from overread.labels.summary import SHOWN_FROM
from overread.report.table import Cell, Column, Gap, Table
from overread.tables import PHRASE_ID
from overread.vocab.explain import nearest
from overread.vocab.model import Vocabulary
from overread.workbench.suggest import Suggestion

_SUGGESTED: Final = (
    Column("wording", "Wording", "label"),
    Column("kind", "Kind", "text"),
    Column("ecgs", "ECGs", "count"),
    Column("machine", "Machine", "count"),
    Column("expert", "Expert", "count"),
    Column("separation", "Separation", "number", sign="+"),
    Column("label", "Label", "text"),
    Column("reason", "Why", "text"),
)
_ONE_READER: Final = Gap("n/a")
_USED: Final = (
    Column("wording", "Phrase", "label"),
    Column("owner", "Of", "text"),
    Column("role", "Role", "text"),
    Column("place", "In", "text"),
    Column("hits", "Hits", "count"),
    Column("sole_hits", "Sole", "count"),
    Column("conflicts", "Conflicts", "count"),
    Column("machine", "Machine", "count"),
    Column("expert", "Expert", "count"),
    Column("repaired", "Repaired", "percent", digits=1),
)


def suggestions_table(
    suggestions: Sequence[Suggestion], *, rare: bool, indent: str = "  "
) -> Table:
    """The suggestions, variants below their head; those in fewer than 11 ECGs only where ``rare``.

    The statements they come from are never in it.
    """
    rows: list[tuple[Cell, ...]] = []
    hidden = 0
    for head in suggestions:
        for each in (head, *head.variants):
            if each.ecgs < SHOWN_FROM and not rare:
                hidden += 1
                continue
            wording = each.wording if each is head else f"{indent}{each.wording}"
            guess = each.label_guess or "?"
            means = {"exclusion": " (exclusion)", "implied": " (implied)"}.get(each.role, "")
            rows.append(
                (
                    wording,
                    each.kind,
                    each.ecgs,
                    each.n_machine,
                    each.n_expert,
                    _ONE_READER if each.separation is None else each.separation,
                    guess + (means or (" (uncertain)" if each.uncertain else "")),
                    each.reason if each is head else "",
                )
            )
    notes = [
        "Separation: +1 only the machine writes it, -1 only the expert. Label ?: no guess; most "
        "reports say much that is about no label.",
        'Next step: overread vocab accept LABEL "WORDING" --by INITIALS, or overread vocab reject.',
    ]
    if hidden:
        said = f"{hidden} wordings in fewer than {SHOWN_FROM} ECGs are not shown; --with-text does."
        notes.insert(0, said)
    return Table("suggestions", "Wordings to add", _SUGGESTED, tuple(rows), tuple(notes))


def usage_table(
    usage: pl.DataFrame,
    vocabulary: Vocabulary,
    *,
    owner: str | None = None,
    hits: bool = True,
    dead: bool = True,
) -> Table:
    """The phrases of one label or concept, or of all, the most used first.

    ``hits`` and ``dead`` say whether those with and those without hits are listed.

    Raises UsageError where the vocabulary has no such label or concept.
    """
    owners = [*vocabulary.labels, *vocabulary.concepts]
    if owner is not None and owner not in owners:
        raise UsageError(
            f"There is no label or concept '{owner}'{nearest(owner, owners) or '.'} "
            "Next step: give an id as it stands in the files."
        )
    shown = usage.filter(pl.col("owner") == owner) if owner else usage
    unused = int((shown["hits"] == 0).sum())
    phrases = shown.height
    shown = shown.filter(pl.when(pl.col("hits") == 0).then(dead).otherwise(hits))
    shown = shown.sort("hits", PHRASE_ID, descending=[True, False])
    shown = shown.with_columns(pl.col("repaired") * 100).select(column.key for column in _USED)
    notes = (
        f"{unused:,} of {phrases:,} phrases stand in no report"
        + ("." if dead else "; --dead lists them."),
        "Hits are readings, one side of one ECG. Sole: the label's state there comes from this "
        "phrase alone. Conflicts: another phrase there denies the label, or states one that "
        "contradicts it.",
    )
    return Table("phrase_usage", "Phrases in these reports", _USED, tuple(shown.rows()), notes)
