"""Agreement of the label extraction with the codes of PTB-XL.

Every report of a ``ptbxl_database`` table is read with the shipped vocabulary, an uncertain mention
counting as the label, and compared with what the table's SCP codes (``scp_codes``) and axis
(``heart_axis``) say of the same ECG:

    python benchmarks/ptbxl_agreement.py [CSV] [--differences LABEL] [--verdicts TSV]

The codes are a second opinion and no truth about the text: PTB-XL's readers coded the ECG, often
against the report. ``--differences`` lists where the two differ; ``--verdicts`` counts what a
reader of text and codes found those differences to be (``ptbxl_verdicts.tsv``) and fails where more
than 1 % of a label's mentions are defects of the extraction.

The mapping below takes a code with any likelihood. Rhythm and form codes always stand with 0, which
in PTB-XL means "not stated"; a low likelihood of the others is a reader's doubt, and doubt in the
report counts as the label, too.

- Anterior, inferior, posterior infarct: the codes whose name holds the territory, so ``IPMI`` and
  ``IPLMI`` are inferior and posterior. ``LMI`` (lateral) and the subendocardial injuries ``INJ..``
  are none of the three.
- LVH: ``VCLVH`` as well, because voltage criteria for LVH count as the label.
- BBB: the complete blocks. A report's unqualified "right bundle branch block" is often coded
  ``IRBBB``, which shows as "text only".
- Atrial fibrillation and flutter: ``AFIB`` and ``AFLT``. "Fibrillation/flutter" is fibrillation; a
  person's (not the device's) is uncertain flutter, too, so "text only" where ``AFLT`` is missing.
- Axis: ``heart_axis`` LAD and ALAD are left, RAD and ARAD right. Rows without an axis and those of
  the borderline AXL and AXR are not scored, nor for the right axis the ARAD rows whose report says
  "extrem überdrehter Rechtstyp": that wording is the right superior axis, which has no code.

Reports that say that there is no reading are in no count.
"""

from __future__ import annotations

import argparse
import ast
import csv
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

from overread.text.labeler import Labeler, Reading

DEFAULT_CSV: Final = (
    Path(__file__).resolve().parents[1] / "../shared/data/ptb-xl/ptbxl_database_subset.csv"
)

#: The SCP codes that mean a label, whatever their likelihood.
SCP_CODES: Final[Mapping[str, frozenset[str]]] = {
    "sinus_rhythm": frozenset({"SR", "STACH", "SBRAD", "SARRH"}),
    "rbbb": frozenset({"CRBBB"}),
    "lbbb": frozenset({"CLBBB"}),
    "atrial_fibrillation": frozenset({"AFIB"}),
    "atrial_flutter": frozenset({"AFLT"}),
    "lvh": frozenset({"LVH", "VCLVH"}),
    "rvh": frozenset({"RVH"}),
    "anterior_mi": frozenset({"AMI", "ASMI", "ALMI"}),
    "inferior_mi": frozenset({"IMI", "ILMI", "IPMI", "IPLMI"}),
    "posterior_mi": frozenset({"PMI", "IPMI", "IPLMI"}),
}

#: The values of ``heart_axis`` that mean a label, and those that say nothing of any.
HEART_AXES: Final[Mapping[str, frozenset[str]]] = {
    "left_axis_deviation": frozenset({"LAD", "ALAD"}),
    "right_axis_deviation": frozenset({"RAD", "ARAD"}),
}
UNSCORED_AXES: Final = frozenset({"", "AXL", "AXR"})
EXTREME_RIGHT: Final = re.compile(r"extrem\s+\S+berdrehter\s+rechtstyp", re.IGNORECASE)

KINDS: Final = ("text only", "code only")
DEFECT: Final = "text-core defect"
VERDICTS: Final = (DEFECT, "code differs from text", "unclear")

#: The share of a label's mentions that may be defects.
ALLOWED: Final = 0.01


class Comparison(NamedTuple):
    """One label of one ECG: what the report says, what the codes say."""

    ecg_id: str
    text: bool
    code: bool

    @property
    def kind(self) -> str | None:
        """How the two differ, None where they agree."""
        if self.text == self.code:
            return None
        return KINDS[0] if self.text else KINDS[1]


class Verdict(NamedTuple):
    """What a reader of one report and its codes found a difference to be."""

    label: str
    ecg_id: str
    kind: str
    verdict: str


class Counts(NamedTuple):
    """Agreement over the scored ECGs of one label."""

    both: int
    text_only: int
    code_only: int

    @classmethod
    def of(cls, comparisons: Sequence[Comparison]) -> Counts:
        """Count comparisons."""
        seen = Counter((each.text, each.code) for each in comparisons)
        return cls(seen[True, True], seen[True, False], seen[False, True])

    @property
    def mentions(self) -> int:
        """ECGs whose report asserts the label."""
        return self.both + self.text_only

    @property
    def coded(self) -> int:
        """ECGs whose codes hold the label."""
        return self.both + self.code_only

    @property
    def differences(self) -> int:
        """ECGs in which the two differ."""
        return self.text_only + self.code_only

    def rates(self) -> tuple[float, float, float]:
        """Precision, recall and F1; NaN where nothing was to be found."""
        return (
            _share(self.both, self.mentions),
            _share(self.both, self.coded),
            _share(2 * self.both, self.mentions + self.coded),
        )


def coded(row: Mapping[str, str], label: str) -> bool | None:
    """Whether the codes of one ECG hold a label, None where they do not speak of it.

    >>> ecg = {"scp_codes": "{'ASMI': 15.0, 'SR': 0.0}", "heart_axis": "AXL", "report": ""}
    >>> coded(ecg, "anterior_mi"), coded(ecg, "lvh"), coded(ecg, "left_axis_deviation")
    (True, False, None)
    """
    if label in SCP_CODES:
        return not SCP_CODES[label].isdisjoint(ast.literal_eval(row["scp_codes"]))
    axis = row["heart_axis"]
    if label not in HEART_AXES or axis in UNSCORED_AXES:
        return None
    if label == "right_axis_deviation" and axis == "ARAD" and EXTREME_RIGHT.search(row["report"]):
        return None
    return axis in HEART_AXES[label]


def compare(
    rows: Sequence[Mapping[str, str]], readings: Mapping[str, Reading], label: str
) -> list[Comparison]:
    """One label over all ECGs in which both sides speak of it."""
    compared = []
    for row in rows:
        value, code = readings[row["report"]].labels[label], coded(row, label)
        if value is not None and code is not None:
            compared.append(Comparison(row["ecg_id"], value == 1, code))
    return compared


def read_verdicts(path: Path) -> list[Verdict]:
    """The verdicts of a TSV file; raises ValueError for a row that is none."""
    with path.open(encoding="utf-8", newline="") as file:
        verdicts = [
            Verdict(row["label"], row["ecg_id"], row["kind"], row["verdict"])
            for row in csv.DictReader(file, delimiter="\t")
        ]
    for line, each in enumerate(verdicts, start=2):
        if each.kind not in KINDS or each.verdict not in VERDICTS:
            raise ValueError(f"{path}:{line}: {each.kind!r}, {each.verdict!r}")
    if len({each[:3] for each in verdicts}) < len(verdicts):
        raise ValueError(f"{path}: a difference has two verdicts")
    return verdicts


def agreement_table(
    compared: Mapping[str, Sequence[Comparison]], mentions: Mapping[str, int]
) -> Table:
    """Agreement per label; labels without a code show their mentions only."""
    table = Table(title="Reports against codes, uncertain counted as positive")
    table.add_column("label")
    for head in ("scored", "mentions", "coded", "precision", "recall", "F1", *KINDS):
        table.add_column(head, justify="right")
    for label, comparisons in compared.items():
        if not comparisons:
            table.add_row(label, "0", str(mentions[label]), *["-"] * 6)
            continue
        counts = Counts.of(comparisons)
        table.add_row(
            label,
            str(len(comparisons)),
            str(counts.mentions),
            str(counts.coded),
            *(f"{rate:.3f}" for rate in counts.rates()),
            str(counts.text_only),
            str(counts.code_only),
        )
    return table


def verdict_table(
    compared: Mapping[str, Sequence[Comparison]], verdicts: Sequence[Verdict]
) -> tuple[Table, bool]:
    """Verdicts per label, and whether every label has few enough defects.

    Verdicts on what is no difference any more are left out and counted as settled. The defects are
    scaled from the differences that were read to all of them.
    """
    table = Table(title="Differences, read")
    table.add_column("label")
    for head in ("differences", "read", *VERDICTS, "settled", "defects / mentions"):
        table.add_column(head, justify="right")
    passed = True
    for label in dict.fromkeys(each.label for each in verdicts):
        counts = Counts.of(compared[label])
        open_ = {(each.ecg_id, each.kind) for each in compared[label] if each.kind}
        given = [each for each in verdicts if each.label == label]
        standing = [each.verdict for each in given if (each.ecg_id, each.kind) in open_]
        defects = _share(standing.count(DEFECT), len(standing)) * counts.differences
        share = _share(defects, counts.mentions)
        passed = passed and share < ALLOWED
        table.add_row(
            label,
            str(counts.differences),
            str(len(standing)),
            *(str(standing.count(verdict)) for verdict in VERDICTS),
            str(len(given) - len(standing)),
            f"{share:.2%}" + ("" if share < ALLOWED else " !"),
        )
    return table, passed


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was asked for; 1 where a label has too many defects."""
    parser = argparse.ArgumentParser(description="Label extraction against the codes of PTB-XL.")
    parser.add_argument("csv", type=Path, nargs="?", default=DEFAULT_CSV, metavar="CSV")
    parser.add_argument("--differences", choices=[*SCP_CODES, *HEART_AXES], metavar="LABEL")
    parser.add_argument("--verdicts", type=Path, metavar="TSV")
    options = parser.parse_args(arguments)
    with options.csv.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = list(dict.fromkeys(row["report"] for row in rows))
    labeler = Labeler(uncertain="positive")
    readings = dict(zip(texts, labeler.pipe(texts), strict=True))
    compared = {label: compare(rows, readings, label) for label in labeler.vocabulary.labels}
    console = Console(width=120 if not sys.stdout.isatty() else None)
    if options.differences:
        for kind in KINDS:
            ids = [each.ecg_id for each in compared[options.differences] if each.kind == kind]
            console.print(f"{kind} ({len(ids)}): {' '.join(ids)}", soft_wrap=True, highlight=False)
        return 0
    mentions = {
        label: sum(readings[row["report"]].labels[label] == 1 for row in rows) for label in compared
    }
    console.print(agreement_table(compared, mentions))
    silent = sum(None in readings[row["report"]].labels.values() for row in rows)
    console.print(f"{len(rows)} ECGs, {len(texts)} different reports, {silent} without a reading")
    if options.verdicts is None:
        return 0
    table, passed = verdict_table(compared, read_verdicts(options.verdicts))
    console.print(table)
    return 0 if passed else 1


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


if __name__ == "__main__":
    raise SystemExit(main())
