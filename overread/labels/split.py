"""Reports cut into masked statements, a batch at a time: the table form of ``overread.text``.

The rewrites are those of ``text.statements``, run by polars, so that a report cut here and one cut
by ``Labeler.label`` give the same statements. Masking keeps every length: a span in the masked
statement is one in the report.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.text.normalize import LINE_BREAK, MONTHS
from overread.text.segments import FINDINGS, SEGMENTS, SegmentRule
from overread.text.statements import TRIM_END, TRIM_START, WRAP, Rewrite, any_of

#: Months are masked inside dates only: "may be" is a hedge.
_DATE = rf"(?i)\b(\d{{1,2}}[-/. ]?)(?:{'|'.join(MONTHS)})([-/. ]?\d{{2,4}})\b"
_UNIT = r"(?:bpm|ms|msec|mm|mv|hz|sec|yrs?|years?|min|deg|degrees)?"
_LONGEST_NUMBER = 8
_PRIVATE = 0xE000  # first of the code points that stand for no letter
_LONGER_NUMBER = re.compile(rf"\b\d{{{_LONGEST_NUMBER + 1},}}(?={_UNIT}\b)", re.I)

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
    long = texts.str.contains(rf"\d{{{_LONGEST_NUMBER + 1}}}").fill_null(False)
    if long.any():
        zeros = [
            _LONGER_NUMBER.sub(lambda number: "0" * len(number.group()), text)
            for text in texts.filter(long)
        ]
        texts = texts.scatter(long.arg_true(), pl.Series(zeros, dtype=pl.String))
    return texts


def marked(texts: pl.Series, rewrites: Sequence[Rewrite]) -> pl.Series:
    """Texts with one statement per line and ``WRAP`` where a line goes on."""
    for each in rewrites:
        texts = texts.str.replace_all(_rust(each.pattern), each.replacement)
    return texts


@dataclass(frozen=True, slots=True)
class Cut:
    """A batch of reports cut into statements, none of them numbered yet.

    One entry per statement, in order: the report it is of, its span there, its segment and its
    place in ``texts``, the distinct masked statements of the batch.
    """

    report: npt.NDArray[np.int64]
    start: npt.NDArray[np.uint32]
    end: npt.NDArray[np.uint32]
    segment: npt.NDArray[np.int8]
    text: npt.NDArray[np.uint32]
    texts: pl.Series


class Cutter:
    """Cuts batches of reports; it holds no state, so that several threads may use it."""

    def __init__(
        self,
        rewrites: Sequence[Rewrite],
        rules: Sequence[SegmentRule],
        unconfirmed: Sequence[str] = (),
    ) -> None:
        self._rewrites = rewrites
        self._rules = rules
        #: Words that stay readable where names are hidden: they decide whose text it is.
        self._unconfirmed = any_of(unconfirmed)

    def cut(self, reports: pl.Series) -> Cut:
        """The statements of a batch of reports (text; null has none)."""
        lines = self._lines(reports)
        bodies = lines.select(pl.col("body").unique(maintain_order=True)).with_row_index("code")
        code = lines.join(bodies, on="body", how="left", maintain_order="left")["code"].to_numpy()
        opened, lasts = self._openings(bodies["body"])
        report = lines["report"].to_numpy().astype(np.int64)
        segment = _carried(report, opened[code], lasts[code])
        masked = pl.concat(self._masked(bodies["body"], opened))
        row = np.where(_HIDDEN[segment], code + len(bodies), code)
        texts = pl.DataFrame({"text": masked.gather(np.unique(row))}).unique(maintain_order=True)
        numbers = (
            pl.DataFrame({"text": masked})
            .join(texts.with_row_index("number"), on="text", how="left", maintain_order="left")
            .get_column("number")
            .fill_null(0)  # of masked texts that no statement of this batch has
        )
        return Cut(
            report,
            lines["start"].to_numpy(),
            lines["end"].to_numpy(),
            segment,
            numbers.to_numpy()[row],
            texts["text"],
        )

    def _lines(self, reports: pl.Series) -> pl.DataFrame:
        """One row per statement: report, body, start, end."""
        length = pl.col("marked").str.len_chars() + 1
        frame = (
            pl.DataFrame({"marked": marked(reports, self._rewrites)})
            .with_row_index("report")
            .filter(pl.col("marked").is_not_null())
            .with_columns(before=length.cum_sum() - length)
            .select("report", "before", line=pl.col("marked").str.split("\n"))
            .explode("line")
        )
        line = pl.col("line")
        size = line.str.len_chars() + 1
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
        for rule in self._rules:
            fits = free & bodies.str.contains(_rust(rule.pattern)).to_numpy()
            if rule.not_pattern and fits.any():
                fits[fits] = ~bodies.filter(fits).str.contains(_rust(rule.not_pattern)).to_numpy()
            if not fits.any():
                continue
            opened[fits] = rule.code
            heading = bodies.filter(fits).str.contains(_rust(rule.heading)).to_numpy()
            lasts[fits] = rule.to_the_end | heading
            free &= ~fits
        return opened, lasts

    def _masked(
        self, bodies: pl.Series, opened: npt.NDArray[np.int8]
    ) -> tuple[pl.Series, pl.Series]:
        """Each distinct statement masked: as shown, and with all names hidden."""
        shown = mask(bodies).alias("text")
        opening = pl.Series([""] * len(bodies), dtype=pl.String)
        for rule in self._rules:
            if _HIDDEN[rule.code] and (opened == rule.code).any():
                found = shown.str.extract(f"({_rust(rule.pattern)})")
                opening = opening.zip_with(pl.Series(opened != rule.code), found)
        rest = pl.col("text").str.slice(pl.col("opening").str.len_chars())
        tail = _names_hidden(rest)
        if self._unconfirmed:
            said = rf"(?is)^(.*?)({self._unconfirmed})(.*)$"
            before, words, after = (rest.str.extract(said, group) for group in (1, 2, 3))
            kept = _names_hidden(before) + words + _names_hidden(after)
            tail = pl.coalesce(kept, tail)
        frame = pl.DataFrame({"text": shown, "opening": opening})
        return shown, frame.select(text=pl.col("opening") + tail)["text"]


@dataclass(slots=True)
class Corpus:
    """The distinct statements of all batches so far, numbered as they first occur."""

    texts: list[str] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    _known: dict[str, int] = field(default_factory=dict)
    _of_key: npt.NDArray[np.int64] = field(default_factory=lambda: np.full(1024, -1, np.int64))

    def number(self, cut: Cut) -> npt.NDArray[np.uint32]:
        """The corpus-wide number of each statement of a batch; new ones get the next numbers."""
        known = self._known
        numbers = np.fromiter(
            (known.setdefault(text, len(known)) for text in cut.texts), np.int64, len(cut.texts)
        )
        key = numbers[cut.text] * len(SEGMENTS) + cut.segment
        size = len(known) * len(SEGMENTS)
        if size > len(self._of_key):
            grown = np.full(2 * size, -1, np.int64)
            grown[: len(self._of_key)] = self._of_key
            self._of_key = grown
        unseen = self._of_key[key] < 0
        if unseen.any():
            distinct, first = np.unique(key[unseen], return_index=True)
            order = np.argsort(first, kind="stable")
            fresh = distinct[order]
            self._of_key[fresh] = np.arange(len(self.texts), len(self.texts) + len(fresh))
            self.texts += cut.texts.gather(cut.text[unseen][first[order]]).to_list()
            self.segments += (fresh % len(SEGMENTS)).tolist()
        return np.asarray(self._of_key[key], np.uint32)


def _names_hidden(text: pl.Expr) -> pl.Expr:
    """Letters and digits blanked; lengths and marks stay."""
    return text.str.replace_all(r"\pL", "x").str.replace_all(r"\pN", "0")


def _rust(pattern: str) -> str:
    """A pattern for polars: its word boundary is ASCII, as RE2's is (and several times faster)."""
    return pattern.replace(r"\b", r"(?-u:\b)")


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
