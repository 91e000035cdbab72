"""Which statements experts delete, add and reword, from the statement tables of an extraction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from overread.discrepancy.pair import LABEL_ROW, Pairs
from overread.errors import UsageError
from overread.tables import (
    ASSERTION,
    LABEL,
    PHRASE_ID,
    ROW,
    SEGMENT,
    SOURCE,
    STATEMENT,
    TEXT,
)

#: What may become of a statement.
STATEMENT_CHANGES: Final = ("deleted", "added", "reworded")

_FINDINGS: Final = "findings"
_ASSERTED: Final = ("present", "uncertain")
_NOT_LETTERS: Final = r"[^\p{L}\p{N}#?/+-]+"
_MASKED: Final = r"\b0+\b"  # a masked number keeps its length
_CONCEPT: Final = "concept"
_MACHINE, _EXPERT = 0, 1


@dataclass(frozen=True, slots=True)
class Edits:
    """Statements of the findings that stand on one side only.

    Two statements are the same where they differ in nothing but case, blanks and punctuation;
    numbers and dates are masked already. ``wordings``: statement, text, n_machine, n_expert (ECGs);
    ``deleted`` and ``added``: row (of the label table), statement; ``concepts``: the labels that a
    statement asserts.
    """

    wordings: pl.DataFrame
    deleted: pl.DataFrame
    added: pl.DataFrame
    concepts: pl.DataFrame

    def statements(self, change: str) -> pl.DataFrame:
        """The statements most often deleted or added ("deleted", "added").

        Columns: statement, text, n (ECGs where it was deleted or added), of (ECGs that hold it on
        that side), pct.
        """
        rows = self.deleted if change == "deleted" else self.added
        held = "n_machine" if change == "deleted" else "n_expert"
        return (
            rows.group_by(STATEMENT)
            .agg(pl.len().cast(pl.Int64).alias("n"))
            .join(self.wordings, on=STATEMENT)
            .select(STATEMENT, TEXT, "n", pl.col(held).alias("of"))
            .with_columns(pct=100 * pl.col("n") / pl.col("of"))
            .sort("n", TEXT, descending=[True, False])
        )

    def reworded(self) -> pl.DataFrame:
        """Statements replaced by one that asserts the same labels.

        An ECG counts where exactly one deleted and one added statement assert that set of labels.
        Columns: statement, text (the machine's), into, into_text (the expert's), n (ECGs).
        """
        pairs = self._rewordings().group_by(STATEMENT, "into")
        named = self.wordings.select(STATEMENT, TEXT)
        return (
            pairs.agg(pl.len().cast(pl.Int64).alias("n"))
            .join(named, on=STATEMENT)
            .join(named.rename({STATEMENT: "into", TEXT: "into_text"}), on="into")
            .select(STATEMENT, TEXT, "into", "into_text", "n")
            .sort("n", TEXT, "into_text", descending=[True, False, False])
        )

    def rows(self, change: str, statement: int, into: int | None = None) -> pl.Series:
        """Rows of the label table behind a number of these tables.

        ``change`` is "deleted", "added" or "reworded" (into which statement, then). Raises
        UsageError for another change, or where ``into`` is missing or has no meaning.
        """
        if change not in STATEMENT_CHANGES or (change == "reworded") != (into is not None):
            raise UsageError(
                f"{change!r} {'with' if into is not None else 'without'} a second statement. "
                "Next step: deleted, added, or reworded with the number of what it became."
            )
        if change == "reworded":
            found = self._rewordings().filter(
                (pl.col(STATEMENT) == statement) & (pl.col("into") == into)
            )
        else:
            found = (self.deleted if change == "deleted" else self.added).filter(
                pl.col(STATEMENT) == statement
            )
        return found[ROW]

    def _rewordings(self) -> pl.DataFrame:
        alone = pl.len().over(ROW, _CONCEPT) == 1
        left, right = (
            rows.join(self.concepts, on=STATEMENT).filter(alone)
            for rows in (self.deleted, self.added)
        )
        right = right.rename({STATEMENT: "into"})
        return left.join(right, on=[ROW, _CONCEPT]).select(ROW, STATEMENT, "into")


def edits_of(
    pairs: Pairs,
    statements: pl.LazyFrame,
    report_statements: pl.LazyFrame,
    evidence: pl.LazyFrame,
) -> Edits:
    """Compares the findings of both texts of every pair; see ``tables`` for the columns."""
    found = statements.filter(pl.col(SEGMENT) == _FINDINGS).collect()
    key = (
        pl.col(TEXT)
        .str.to_lowercase()
        .str.replace_all(_NOT_LETTERS, " ")
        .str.replace_all(_MASKED, "0")
        .str.strip_chars()
    )
    # The wording that most ECGs hold speaks for all that count as the same.
    same = (
        found.with_columns(key=key, n=pl.col("n_machine") + pl.col("n_expert"))
        .filter(pl.col("key") != "")
        .sort("n", STATEMENT, descending=[True, False])
        .with_columns(first=pl.col(STATEMENT).first().over("key"))
    )
    held = (
        report_statements.select(ROW, SOURCE, STATEMENT)
        .join(same.lazy().select(STATEMENT, "first"), on=STATEMENT)
        .join(pairs.ecgs.lazy().select(pl.col(LABEL_ROW).alias(ROW)), on=ROW, how="semi")
        .select(ROW, SOURCE, pl.col("first").alias(STATEMENT))
        .unique()
        .collect()
    )
    machine = held.filter(pl.col(SOURCE) == _MACHINE).drop(SOURCE)
    expert = held.filter(pl.col(SOURCE) == _EXPERT).drop(SOURCE)
    wordings = same.filter(pl.col(STATEMENT) == pl.col("first")).select(STATEMENT, TEXT)
    for name, side in (("n_machine", machine), ("n_expert", expert)):
        n = side.group_by(STATEMENT).agg(pl.len().cast(pl.Int64).alias(name))
        wordings = wordings.join(n, on=STATEMENT, how="left").with_columns(
            pl.col(name).fill_null(0)
        )
    both = [ROW, STATEMENT]
    return Edits(
        wordings=wordings,
        deleted=machine.join(expert, on=both, how="anti").sort(both),
        added=expert.join(machine, on=both, how="anti").sort(both),
        concepts=_concepts(evidence).join(wordings.select(STATEMENT), on=STATEMENT, how="semi"),
    )


def _concepts(evidence: pl.LazyFrame) -> pl.DataFrame:
    """The labels that each statement asserts, joined; statements without any are left out."""
    return (
        evidence.filter(
            pl.col(ASSERTION).is_in(_ASSERTED)
            & ~pl.col(PHRASE_ID).str.contains("/implied:", literal=True)
        )
        .group_by(STATEMENT)
        .agg(pl.col(LABEL).unique().sort().str.join("+").alias(_CONCEPT))
        .collect()
    )
