"""Reports cut into masked statements, a batch at a time: the table form of ``overread.text``.

The rewrites are those of ``text.statements``, run by polars, so that a report cut here and one cut
by ``Labeler.label`` give the same statements. Masking keeps every length: a span in the masked
statement is one in the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.text.normalize import LINE_BREAK
from overread.text.segments import FINDINGS, SEGMENTS, SegmentRule
from overread.text.statements import TRIM_END, TRIM_START, WRAP, Rewrite

#: Months are masked inside dates only: "may be" is a hedge.
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mai|okt|dez"
_DATE = rf"(?i)\b(\d{{1,2}}[-/. ]?)(?:{_MONTHS})([-/. ]?\d{{2,4}})\b"
_UNIT = r"(?:bpm|ms|msec|mm|mv|hz|sec|yrs?|years?|min|deg|degrees)?"
_LONGEST_NUMBER = 8

#: Free text of these segments is never shown: names stand in it. Only their opening words stay.
_HIDDEN = np.array([name in ("signature", "indication", "device") for name in SEGMENTS])


def mask(texts: pl.Series) -> pl.Series:
    """Texts with dates and free-standing numbers blanked; digits inside words (V1, 1st) stay.

    >>> mask(pl.Series(["ECG of 14-FEB-2011 10:12, rate 72bpm, V1 may be"])).to_list()
    ['ECG of 00-xxx-0000 00:00, rate 00bpm, V1 may be']
    """
    texts = texts.str.replace_all(_DATE, "${1}xxx${2}")
    for length in range(1, _LONGEST_NUMBER + 1):
        texts = texts.str.replace_all(rf"(?i)\b\d{{{length}}}({_UNIT})\b", "0" * length + "${1}")
    return texts


@dataclass(slots=True)
class Pieces:
    """The statements of a batch of reports, in order; all arrays have one entry per statement.

    ``report`` is the number of the report in the batch, ``statement`` the number in the corpus.
    """

    report: npt.NDArray[np.int64]
    statement: npt.NDArray[np.uint32]
    start: npt.NDArray[np.uint32]
    end: npt.NDArray[np.uint32]


@dataclass(slots=True)
class Corpus:
    """The distinct statements of all batches so far, numbered as they first occur."""

    rewrites: Sequence[Rewrite]
    rules: Sequence[SegmentRule]
    texts: list[str] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    _known: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"text": pl.String, "number": pl.UInt32})
    )
    _of_key: npt.NDArray[np.int64] = field(default_factory=lambda: np.full(1024, -1, np.int64))

    def add(self, reports: pl.Series) -> Pieces:
        """Cuts the reports (text; null has no statements), numbering statements not yet seen."""
        lines = self._lines(reports)
        distinct = lines.select(pl.col("body").unique(maintain_order=True)).with_row_index("code")
        code = lines.join(distinct, on="body", how="left", maintain_order="left")["code"].to_numpy()
        opened, lasts = self._openings(distinct["body"])
        report = lines["report"].to_numpy().astype(np.int64)
        segment = _carried(report, opened[code], lasts[code])
        shown, hidden = self._masked(distinct["body"], opened)
        number = np.where(_HIDDEN[segment], hidden[code], shown[code])
        return Pieces(
            report,
            self._statements(number, segment),
            lines["start"].to_numpy(),
            lines["end"].to_numpy(),
        )

    def _lines(self, reports: pl.Series) -> pl.DataFrame:
        """One row per statement: report, body, start, end."""
        marked = reports
        for rewrite in self.rewrites:
            marked = marked.str.replace_all(rewrite.pattern, rewrite.replacement)
        length = pl.col("marked").str.len_chars() + 1
        frame = (
            pl.DataFrame({"marked": marked})
            .with_row_index("report")
            .filter(pl.col("marked").is_not_null())
            .with_columns(before=length.cum_sum() - length)
            .select("report", "before", line=pl.col("marked").str.split("\n"))
            .explode("line")
        )
        size = pl.col("line").str.len_chars() + 1
        line = pl.col("line")
        lead = line.str.len_chars() - line.str.strip_chars_start(TRIM_START).str.len_chars()
        return (
            frame.with_columns(
                body=line.str.strip_chars_end(TRIM_END).str.strip_chars_start(TRIM_START),
                start=(size.cum_sum() - size - pl.col("before") + lead).cast(pl.UInt32),
            )
            .filter(pl.col("body") != "")
            .select(
                "report",
                "start",
                end=pl.col("start") + pl.col("body").str.len_chars(),
                body=pl.col("body").str.replace_all(WRAP, LINE_BREAK, literal=True),
            )
        )

    def _openings(self, bodies: pl.Series) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
        """For each distinct statement the segment it opens (-1: none) and whether that lasts."""
        opened = np.full(len(bodies), -1, np.int8)
        lasts = np.zeros(len(bodies), bool)
        free = np.ones(len(bodies), bool)
        for rule in self.rules:
            fits = free & bodies.str.contains(rule.pattern).to_numpy()
            if rule.not_pattern and fits.any():
                fits &= ~bodies.str.contains(rule.not_pattern).to_numpy()
            if not fits.any():
                continue
            opened[fits] = rule.code
            heading = bodies.filter(fits).str.contains(rule.heading).to_numpy()
            lasts[fits] = rule.to_the_end | heading
            free &= ~fits
        return opened, lasts

    def _masked(
        self, bodies: pl.Series, opened: npt.NDArray[np.int8]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Numbers of each distinct statement's masked text: as shown, and with names hidden."""
        shown = mask(bodies)
        opening = pl.Series([""] * len(bodies), dtype=pl.String)
        for rule in self.rules:
            if _HIDDEN[rule.code] and (opened == rule.code).any():
                found = shown.str.extract(f"({rule.pattern})")
                opening = opening.zip_with(pl.Series(opened != rule.code), found)
        rest = pl.DataFrame({"text": shown, "opening": opening}).select(
            pl.col("opening")
            + pl.col("text")
            .str.slice(pl.col("opening").str.len_chars())
            .str.replace_all(r"\pL", "x")
            .str.replace_all(r"\pN", "0")
        )
        numbers = self._numbers(pl.concat([shown, rest.to_series()])).astype(np.int64)
        return numbers[: len(bodies)], numbers[len(bodies) :]

    def _numbers(self, texts: pl.Series) -> npt.NDArray[np.uint32]:
        """The number of each masked text, new ones numbered in order."""
        asked = pl.DataFrame({"text": texts})
        fresh = asked.unique(maintain_order=True).join(
            self._known, on="text", how="anti", maintain_order="left"
        )
        if len(fresh):
            first = len(self._known)
            numbered = fresh.with_columns(
                number=pl.int_range(first, first + len(fresh), dtype=pl.UInt32)
            )
            self._known = pl.concat([self._known, numbered])
        found = asked.join(self._known, on="text", how="left", maintain_order="left")
        return np.asarray(found["number"].to_numpy(), np.uint32)

    def _statements(
        self, number: npt.NDArray[np.int64], segment: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.uint32]:
        """The number of each (masked text, segment), new ones numbered in order."""
        key = number * len(SEGMENTS) + segment
        size = len(self._known) * len(SEGMENTS)
        if size > len(self._of_key):
            grown = np.full(2 * size, -1, np.int64)
            grown[: len(self._of_key)] = self._of_key
            self._of_key = grown
        unseen = key[self._of_key[key] < 0]
        if len(unseen):
            distinct, first = np.unique(unseen, return_index=True)
            fresh = distinct[np.argsort(first, kind="stable")]
            self._of_key[fresh] = np.arange(len(self.texts), len(self.texts) + len(fresh))
            self.texts += self._known["text"].gather(fresh // len(SEGMENTS)).to_list()
            self.segments += (fresh % len(SEGMENTS)).tolist()
        return np.asarray(self._of_key[key], np.uint32)


def _carried(
    report: npt.NDArray[np.int64], opened: npt.NDArray[np.int8], lasts: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int8]:
    """The segment of each statement: the one it opens, else the last of its report that lasts."""
    count = len(report)
    if not count:
        return np.zeros(0, np.int8)
    here = np.arange(count)
    first = np.maximum.accumulate(np.where(np.r_[True, report[1:] != report[:-1]], here, 0))
    # A lasting part that the statement itself opens counts from the next one on.
    source = np.maximum.accumulate(np.where(lasts, here, -1))
    inherited = np.where(source >= first, opened[np.maximum(source, 0)], SEGMENTS.index(FINDINGS))
    return np.where(opened >= 0, opened, inherited).astype(np.int8)
