"""What training reads of a report: the statements that assert something, as numbers per ECG.

Read are statements of the findings and comparison segments that assert a label, or that name no
label at all, deny nothing and are no bare measurement. Statements that differ only in case,
punctuation and numbers are one. The concept of a statement is the set of labels that it asserts, or
its text where that set is empty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from overread.errors import UsageError
from overread.manifest import Manifest, check_output
from overread.tables import (
    ASSERTION,
    END,
    EVIDENCE_FILE,
    LABEL,
    LABELS_FILE,
    PHRASE_ID,
    REPORT_STATEMENTS_FILE,
    ROW,
    SCORE,
    SEGMENT,
    SOURCE,
    SOURCES,
    START,
    STATEMENT,
    STATEMENTS_FILE,
    TEXT,
)  # fmt: skip

Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: As in overread/text/segments.py, which training does without.
_ASSERTING: Final = ("findings", "comparison")
#: In a statement without any label these words mean: it denies something. Label evidence has its
#: negation from the vocabulary; of other findings the tables keep only the text.
_DENYING: Final = (
    r"\b(?:no|not|without|absent|absence|negative|denies|denied|cannot|never|neither|nor|none|nil"
    r"|kein|keine|keinen|ohne|nicht|ingen|inga|inte|ej)\b"
)
#: Such statements without any label assert nothing: measured values, what an ECG is compared with.
#: As machine-only statements they would be false negatives of every ECG.
_SILENT: Final = (
    r"^(?:(?:when )?compared (?:with|to)\b.*|(?:(?:ventricular|vent|atrial|heart|rate|bpm|p|r|t|rr"
    r"|pr|qrs|qt|qtc|interval|duration|axis|axes|ms|msec|degrees)(?: |$))*)$"
)
#: As many wordings stand for a label.
_WORDINGS: Final = 8


def normalised(texts: pa.Array) -> pa.Array:
    """Lower case, words of letters and digits with one space between; numbers are left out.

    >>> normalised(pa.array(["  T-wave  ABNORMALITY in V1! (QTc 480)"])).to_pylist()
    ['t wave abnormality in v1 qtc']
    """
    lower = pc.utf8_lower(texts.cast(pa.large_string()))
    words = pc.replace_substring_regex(lower, r"(?:[^\pL\pN\pM]|\b\pN+\b)+", " ")
    return pc.utf8_trim_whitespace(words)


@dataclass(frozen=True, slots=True)
class Ragged:
    """Sorted numbers of each row: those of row i are ``values[offsets[i]:offsets[i + 1]]``."""

    offsets: Integers
    values: npt.NDArray[np.int32]

    @classmethod
    def of(cls, keys: Integers, rows: int, width: int) -> Self:
        """From sorted keys ``row * width + value``."""
        offsets = np.searchsorted(keys, np.arange(rows + 1) * width)
        return cls(offsets.astype(np.int64), (keys % width).astype(np.int32))

    def take(self, rows: Integers) -> tuple[Integers, npt.NDArray[np.int32]]:
        """All values of some rows, each with the place 0..n-1 of its row among them.

        >>> ragged = Ragged(np.array([0, 2, 2, 3]), np.array([5, 7, 6], np.int32))
        >>> owner, values = ragged.take(np.array([2, 1, 0]))
        >>> owner.tolist(), values.tolist()
        ([0, 2, 2], [6, 5, 7])
        """
        first = self.offsets[rows]
        counts = self.offsets[rows + 1] - first
        shift = first - (np.cumsum(counts) - counts)
        values = self.values[np.arange(counts.sum()) + np.repeat(shift, counts)]
        return np.repeat(np.arange(len(rows)), counts), values

    def sample(self, rows: Integers, random: np.random.Generator) -> npt.NDArray[np.int32]:
        """One value of each row, -1 where it has none."""
        first = self.offsets[rows]
        counts = self.offsets[rows + 1] - first
        drawn = first + (random.random(len(rows)) * counts).astype(np.int64)
        out = np.full(len(rows), -1, np.int32)
        out[counts > 0] = self.values[drawn[counts > 0]]
        return out


class Columns(NamedTuple):
    """What n reports are compared with.

    ``statements`` (m,); ``positives`` bool (n, m): the report holds the statement; ``left_out``
    bool (n, m): it asserts the same in other words.
    """

    statements: npt.NDArray[np.int32]
    positives: Bools
    left_out: Bools


@dataclass(frozen=True, slots=True)
class Statements:
    """m distinct statements and who makes them; rows are those of the label table.

    ``texts``: normalised; ``ecgs`` (m,): rows in which the reader or the machine alone makes each;
    ``asserts`` bool (m, c): its labels; ``own``: those of the reader that is learnt from;
    ``machine_only``: those of the machine that this reader does not make; ``prompts``: for each
    label the wordings that assert it most often, the most frequent first.
    """

    texts: tuple[str, ...]
    ecgs: Integers
    asserts: Bools
    own: Ragged
    machine_only: Ragged
    prompts: dict[str, list[str]]

    def sha256(self) -> str:
        """A hash of the texts, of what they assert and of who makes them."""
        digest = hashlib.sha256("\n".join(self.texts).encode())
        rows = (
            each for some in (self.own, self.machine_only) for each in (some.offsets, some.values)
        )
        for array in (self.asserts, *rows):
            digest.update(f"{array.shape}".encode())
            digest.update(array.data)
        return digest.hexdigest()

    def columns(self, rows: Integers, values: npt.NDArray[np.int8]) -> Columns:
        """The distinct statements of some reports (n), and what they are to each report.

        ``values`` int8 (n, c) are the labels of the reports: 1, 0, or -1 for unknown.
        """
        owner, made = self.own.take(rows)
        statements, place = np.unique(made, return_inverse=True)
        positives = np.zeros((len(rows), len(statements)), np.bool_)
        positives[owner, place] = True
        return Columns(statements, positives, self._true_of(values, statements) & ~positives)

    def hard(
        self, rows: Integers, values: npt.NDArray[np.int8], columns: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int32], Bools]:
        """Statements (k,) that only machines make of these ECGs and that are no column already,
        and of which report each is false, (n, k).
        """
        statements = np.setdiff1d(self.machine_only.take(rows)[1], columns)
        return statements, ~self._true_of(values, statements)

    def _true_of(self, values: npt.NDArray[np.int8], statements: npt.NDArray[np.int32]) -> Bools:
        """Whether a report asserts all labels of a statement, in whatever words, (n, k).

        A label that is unknown is held against nothing. False for statements without labels, whose
        concept is their text.
        """
        labels = self.asserts[statements].astype(np.float32)
        missing = (values == 0).astype(np.float32) @ labels.T
        true: Bools = (missing == 0) & labels.any(1)
        return true


def read_statements(
    folder: Path,
    labels: Sequence[str],
    *,
    source: str = "expert",
    text: Literal["statements", "whole-report"] = "statements",
    rows: Integers | None = None,
) -> Statements:
    """The statements of an extraction (`overread labels extract`), of some rows or all.

    With ``text="whole-report"`` all that a reader says of an ECG is one text, which asserts all its
    labels. Raises ``UsageError`` where the folder holds no extraction in Parquet.
    """
    manifest = Manifest.read(folder)
    statements = _table(folder, STATEMENTS_FILE, [TEXT, SEGMENT])
    evidence = _table(folder, EVIDENCE_FILE, None)
    held = _table(folder, REPORT_STATEMENTS_FILE, [ROW, SOURCE, STATEMENT])
    total = pq.ParquetFile(folder / LABELS_FILE).metadata.num_rows

    asserts, read = _meaning(statements, evidence, labels, manifest)
    row, reader, statement = (
        held[name].to_numpy().astype(np.int64) for name in (ROW, SOURCE, STATEMENT)
    )
    kept = read[statement]
    if rows is not None:
        kept &= np.isin(np.arange(total), rows)[row]
    report = row[kept] * len(SOURCES) + reader[kept]
    statement = statement[kept]
    own = SOURCES.index(source)
    prompts = _wordings(
        statements, evidence, labels, statement[report % len(SOURCES) == own], manifest
    )
    texts = normalised(statements[TEXT].combine_chunks())
    if text == "whole-report":
        report, statement, texts, asserts = _joined(report, statement, texts, asserts)
    encoded = texts.dictionary_encode()
    code = encoded.indices.to_numpy().astype(np.int64)
    width = max(len(encoded.dictionary), 1)
    keys = report // len(SOURCES) * width + code[statement]
    mine = _distinct(keys[report % len(SOURCES) == own])
    machine = _distinct(keys[report % len(SOURCES) == SOURCES.index("machine")])
    alone = np.setdiff1d(machine, mine, assume_unique=True)

    # Only texts that somebody makes are kept, in the order of their first place in the tables.
    ecgs = np.bincount(np.concatenate((mine, alone)) % width, minlength=width)
    used = np.flatnonzero(ecgs)
    number = np.zeros(width, np.int64)
    number[used] = np.arange(len(used))
    merged = np.zeros((width, len(labels)), np.bool_)
    which, label = asserts.nonzero()
    merged[code[which], label] = True

    def ragged(keys: Integers) -> Ragged:
        return Ragged.of(keys // width * width + number[keys % width], total, width)

    return Statements(
        tuple(encoded.dictionary.take(used).to_pylist()),
        ecgs[used],
        merged[used],
        ragged(mine),
        ragged(alone),
        prompts,
    )


def _distinct(keys: Integers) -> Integers:
    """As ``np.unique``, whose hashing is some twenty times slower for such keys."""
    keys = np.sort(keys)
    distinct: Integers = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]
    return distinct


def _table(folder: Path, name: str, columns: list[str] | None) -> pa.Table:
    file = folder / name
    if not file.is_file():
        raise UsageError(
            f"{folder.name} holds no {name}, and contrastive training reads statements. Next step: "
            "overread labels extract reports.csv"
        )
    return pq.read_table(check_output(file), columns=columns)


def _meaning(
    statements: pa.Table, evidence: pa.Table, labels: Sequence[str], manifest: Manifest
) -> tuple[Bools, Bools]:
    """Which labels each statement asserts (k, c), and whether it is read (k,)."""
    own: Mapping[str, Any] = manifest.counts.get("own_policy", {})
    usual = manifest.options["uncertain"]
    counted = [label for label in labels if own.get(label, usual) == "positive"]
    named = evidence[STATEMENT].to_numpy().astype(np.int64)
    label = pc.fill_null(pc.index_in(evidence[LABEL], pa.array(labels)), -1).to_numpy()
    states = pc.or_(
        pc.equal(evidence[ASSERTION], "present"),
        pc.and_(
            pc.equal(evidence[ASSERTION], "uncertain"),
            pc.is_in(evidence[LABEL], pa.array(counted, pa.string())),
        ),
    ).to_numpy()
    asserts = np.zeros((len(statements), len(labels)), np.bool_)
    found = states & (label >= 0)
    asserts[named[found], label[found]] = True

    unlabelled = np.ones(len(statements), np.bool_)
    unlabelled[named] = False
    words = normalised(statements[TEXT].combine_chunks())
    empty = pc.match_substring_regex(words, f"{_DENYING}|{_SILENT}")
    unlabelled &= ~empty.to_numpy(zero_copy_only=False)
    speaks = pc.is_in(statements[SEGMENT], pa.array(_ASSERTING)).to_numpy()
    return asserts, speaks & (asserts.any(1) | unlabelled)


def _wordings(
    statements: pa.Table,
    evidence: pa.Table,
    labels: Sequence[str],
    made: Integers,
    manifest: Manifest,
) -> dict[str, list[str]]:
    """For each label the wordings by which the statements ``made`` assert it most often.

    Phrases as the vocabulary has them, spelled as readers write them: what the text encoder has
    seen. A label that nobody asserts is called by its name.
    """
    times = np.bincount(made, minlength=len(statements))
    exact = pc.and_(
        pc.and_(pc.equal(evidence[ASSERTION], "present"), pc.equal(evidence[SCORE], 100)),
        pc.invert(pc.match_substring(evidence[PHRASE_ID], "/implied:")),
    )
    rows = evidence.filter(exact).select([STATEMENT, LABEL, START, END])
    rows = rows.filter(pa.array(times[rows[STATEMENT].to_numpy()] > 0))
    texts = statements[TEXT].take(rows[STATEMENT]).to_pylist()
    spans = zip(texts, rows[START].to_pylist(), rows[END].to_pylist(), strict=True)
    wordings = normalised(pa.array([text[start:end] for text, start, end in spans], pa.string()))
    counted = times[rows[STATEMENT].to_numpy()].tolist()
    found: dict[str, dict[str, int]] = {label: {} for label in labels}
    for label, wording, count in zip(
        rows[LABEL].to_pylist(), wordings.to_pylist(), counted, strict=True
    ):
        if label in found:
            found[label][wording] = found[label].get(wording, 0) + count
    names = manifest.counts.get("names", {})
    return {
        label: sorted(counts, key=lambda wording: (-counts[wording], wording))[:_WORDINGS]
        or [plain(names.get(label, label).replace("_", " "))]
        for label, counts in found.items()
    }


def _joined(
    report: Integers, statement: Integers, texts: pa.Array, asserts: Bools
) -> tuple[Integers, Integers, pa.Array, Bools]:
    """One text for all statements of a report, in their order."""
    order = np.argsort(report, kind="stable")
    report, statement = report[order], statement[order]
    reports, starts = np.unique(report, return_index=True)
    offsets = np.append(starts, len(report)).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), texts.take(pa.array(statement)))
    whole = pc.binary_join(lists, pa.scalar(". ", pa.large_string()))
    if len(reports):
        asserts = np.logical_or.reduceat(asserts[statement], starts, axis=0)
    return reports, np.arange(len(reports)), whole, asserts


def plain(text: str) -> str:
    """`normalised` of one text."""
    return str(normalised(pa.array([text]))[0])
