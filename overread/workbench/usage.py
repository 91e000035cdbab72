"""What each phrase of a vocabulary does in the reports of an extraction; dead ones with 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from overread.engine import map_chunks
from overread.labels.output import scan_table
from overread.tables import (
    PHRASE_ID,
    REPORT_STATEMENTS_FILE,
    ROW,
    SCORE,
    SEGMENT,
    SOURCE,
    SOURCES,
    STATEMENT,
    TEXT,
)
from overread.text.labeler import RANK, Labeler
from overread.text.lexicon import EXACT
from overread.text.segments import ASSERTING
from overread.vocab.model import Vocabulary

if TYPE_CHECKING:
    from overread.workbench.extraction import Extraction

_SHARE: Final = 4_000  # statements per task
_ALONE: Final = 12_000  # below this a second process costs more than it brings
_STATED: Final = RANK["uncertain"]  # from here on a mention states its label
_IMPLIED: Final = -10  # what is stated outright goes before what is implied

_FOUND = {STATEMENT: pl.UInt32, "phrase": pl.UInt32, "rank": pl.Int8, SCORE: pl.UInt8}
_Found = tuple[int, int, int]  # phrase, rank, score


def phrase_usage(
    extraction: Extraction,
    vocabulary: Vocabulary,
    *,
    found: pl.DataFrame | None = None,
    workers: int | None = None,
) -> pl.DataFrame:
    """One row per phrase of ``vocabulary``, in its order.

    Columns: phrase_id, owner, role, wording, place; ``hits``: readings (one side of one ECG) that
    hold it, ``machine`` and ``expert`` of them; ``sole_hits``: readings whose state of that label
    comes from this phrase alone; ``conflicts``: readings in which it states its label while another
    phrase denies that label, or states one that contradicts it; ``repaired``: the share of the hits
    in which its spelling was mended (0 where there are none). ``found`` is what
    `statements_of_phrases` gave for the two, where that is known.
    """
    if found is None:
        found = statements_of_phrases(extraction, vocabulary, workers=workers)
    refs = vocabulary.phrases
    labels = {name: number for number, name in enumerate(vocabulary.labels)}
    phrases = pl.DataFrame(
        {
            "phrase": pl.Series(range(len(refs)), dtype=pl.UInt32),
            PHRASE_ID: [ref.id for ref in refs],
            "owner": [ref.owner for ref in refs],
            "role": [ref.role for ref in refs],
            "wording": [ref.wording for ref in refs],
            "place": [str(ref.place) for ref in refs],
            # Exclusions and concepts state no label.
            "label": pl.Series(
                [None if ref.role == "exclusion" else labels.get(ref.owner) for ref in refs],
                dtype=pl.UInt8,
            ),
        }
    )
    reading = pl.col(ROW).cast(pl.UInt32) * len(SOURCES) + pl.col(SOURCE)
    held = (
        scan_table(extraction.folder, REPORT_STATEMENTS_FILE)
        .select(reading=reading, statement=STATEMENT)
        .join(found.lazy(), on=STATEMENT)
        .group_by("reading", "phrase")
        .agg(pl.col("rank").max(), mended=pl.col(SCORE).max() < EXACT)
        .join(phrases.lazy().select("phrase", "label"), on="phrase")
        .collect()
    )
    stating = held.filter(pl.col("label").is_not_null())
    # The state of a label comes from the mentions of the highest rank.
    deciding = stating.filter(pl.col("rank") == pl.col("rank").max().over("reading", "label"))
    sole = deciding.filter(pl.len().over("reading", "label") == 1)
    expert = pl.col("reading") % len(SOURCES) == SOURCES.index("expert")
    return (
        phrases.join(
            held.group_by("phrase").agg(
                hits=pl.len(),
                machine=(~expert).sum(),
                expert=expert.sum(),
                repaired=pl.col("mended").mean(),
            ),
            on="phrase",
            how="left",
        )
        .join(sole.group_by("phrase").agg(sole_hits=pl.len()), on="phrase", how="left")
        .join(_conflicts(stating, vocabulary), on="phrase", how="left")
        .sort("phrase")
        .select(
            PHRASE_ID, "owner", "role", "wording", "place",
            *(pl.col(name).fill_null(0).cast(pl.Int64)
              for name in ("hits", "sole_hits", "conflicts", "machine", "expert")),
            pl.col("repaired").fill_null(0.0),
        )
    )  # fmt: skip


def _conflicts(stating: pl.DataFrame, vocabulary: Vocabulary) -> pl.DataFrame:
    """Phrases and in how many readings each states what another phrase there denies."""
    labels = list(vocabulary.labels)
    against = [(labels.index(n), labels.index(o)) for n in labels for o in _against(vocabulary, n)]
    pairs = pl.DataFrame(against, {"label": pl.UInt8, "other": pl.UInt8}, orient="row")
    outright = pl.col("rank") > 0
    stated = stating.filter(outright & (pl.col("rank") >= _STATED))
    denied = stating.filter(outright & (pl.col("rank") == RANK["absent"]))
    opposed = stated.select("reading", other="label").unique().join(pairs, on="other")
    opposed = pl.concat([opposed.select("reading", "label"), denied.select("reading", "label")])
    clashing = stated.join(opposed.unique(), on=["reading", "label"], how="semi")
    return clashing.group_by("phrase").agg(conflicts=pl.len())


def _against(vocabulary: Vocabulary, label: str) -> list[str]:
    """The labels that cannot stand beside one, whichever of the two says so."""
    return [
        name
        for name, other in vocabulary.labels.items()
        if name in vocabulary.labels[label].contradicts or label in other.contradicts
    ]


def statements_of_phrases(
    extraction: Extraction, vocabulary: Vocabulary, *, workers: int | None = None
) -> pl.DataFrame:
    """Which phrase stands in which statement: statement, phrase (its place in the vocabulary),
    rank of what it asserts, score of its spelling."""
    statements = extraction.statements.filter(pl.col(SEGMENT).is_in(list(ASSERTING)))
    texts = statements[TEXT].to_list()
    shares = [texts[first : first + _SHARE] for first in range(0, len(texts), _SHARE)]
    alone = 1 if len(texts) < _ALONE else workers
    columns: dict[str, list[Any]] = {name: [] for name in _FOUND}
    numbers = iter(statements[STATEMENT].to_list())
    for answers in map_chunks(_Reader(vocabulary), shares, workers=alone):
        for found in answers:
            number = next(numbers)
            for row in found:
                for name, value in zip(_FOUND, (number, *row), strict=True):
                    columns[name].append(value)
    return pl.DataFrame(columns, schema=_FOUND)


class _Reader:
    """The phrases in shares of statements; the labeler is built where it works."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._labeler: Labeler | None = None
        self._numbers: dict[int, int] = {}

    def __call__(self, share: Sequence[str]) -> list[list[_Found]]:
        labeler = self._labeler = self._labeler or Labeler(self._vocabulary)
        self._numbers = self._numbers or {
            id(ref): number for number, ref in enumerate(labeler.vocabulary.phrases)
        }
        return [self._phrases(labeler, text) for text in share]

    def _phrases(self, labeler: Labeler, text: str) -> list[_Found]:
        out = []
        for finding in labeler.statement(text)[0]:
            rank = RANK.get(finding.assertion, 0)
            if finding.phrase.role == "implied":
                rank += _IMPLIED
            out.append((self._numbers[id(finding.phrase)], rank, finding.score))
        return out
