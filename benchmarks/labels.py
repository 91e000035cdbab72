"""Speed and memory of ``overread labels extract``, beside the same table work with known answers.

    python benchmarks/labels.py --rows 2000000 --distinct 10000
    python benchmarks/labels.py --rows 2000000 --distinct 300000
    python benchmarks/labels.py --statements            # statements a second, one core

The file is invented: dates, rates and names vary in every report, so that only masking makes
statements alike. The floor does in polars what no labeler can avoid (read, split, mask, distinct,
join back, write the four tables) and is told the labels of the distinct statements; it runs in the
same call, right after the command, on the same file.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import numpy as np
import polars as pl

_CHUNK = 100_000
_OPENERS = (
    "",
    "Possible ",
    "Probable ",
    "Cannot rule out ",
    "No evidence of ",
    "Old ",
    "Marked ",
    "Consider ",
    "New ",
    "Minimal ",
    "Borderline ",
    "Persistent ",
    "Intermittent ",
)
_CORES = (
    "sinus rhythm",
    "sinus bradycardia",
    "atrial fibrillation",
    "atrial flutter",
    "left axis deviation",
    "right axis deviation",
    "right bundle branch block",
    "left bundle branch block",
    "LVH",
    "RVH",
    "incomplete right bundle branch block",
    "left anterior fascicular block",
    "anterior infarct",
    "inferior infarct",
    "posterior infarct",
    "anteroseptal infarct, age undetermined",
    "inferior infarct, possibly acute",
    "left ventricular hypertrophy",
    "right superior axis deviation",
    "1st degree AV block",
    "premature ventricular complexes",
    "nonspecific T wave abnormality",
    "prolonged QT",
    "left atrial enlargement",
    "low voltage QRS",
    "ST elevation",
    "ST depression",
)
_LINKS = (" with ", " and ", ", ", " or ", " in the presence of ")
_TAILS = (
    "",
    " in inferior leads",
    " in anterior leads",
    " in V1",
    " in V2-V4",
    " (lead aVL)",
    ", unchanged",
    ", new since last tracing",
    ", likely chronic",
    " is now present",
    " is no longer present",
    " has resolved",
    ", rate-related",
    ", nonspecific",
)


def statements(count: int) -> list[str]:
    """So many different statements, shortest patterns first, in a fixed order."""
    simple = [f"{o}{c}{t}" for t in _TAILS for o in _OPENERS for c in _CORES]
    paired = (
        f"{o}{a}{link}{b}{t}"
        for t, link, o, a, b in itertools.product(_TAILS, _LINKS, _OPENERS, _CORES, _CORES)
        if a != b
    )
    out = dict.fromkeys(text[0].upper() + text[1:] for text in simple)
    for text in paired:
        if len(out) >= count:
            break
        out[text[0].upper() + text[1:]] = None
    return list(out)[:count]


def generate(path: Path, rows: int, distinct: int) -> None:
    """Writes the CSV: id, patient_id, machine, expert, year, site."""
    pool = pl.Series(statements(distinct))
    random = np.random.default_rng(20)
    names = pl.Series(
        [
            f"{a}{b}"
            for a in ("Al", "Ber", "Cor", "Dal", "Es", "Fal", "Gar", "Hol")
            for b in ("der", "ton", "wick", "field", "ham", "mann", "strom", "ley")
        ]
    )
    months = pl.Series(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
    )

    def pick(series: pl.Series, n: int) -> pl.Series:
        return series.gather(random.integers(0, len(series), n))

    def draw(n: int) -> pl.Series:
        # Two in three statements are among the 400 most common, as in real archives.
        common = random.integers(0, min(400, len(pool)), n)
        return pool.gather(
            np.where(random.random(n) < 0.66, common, random.integers(0, len(pool), n))
        )

    def number(low: int, high: int, n: int) -> pl.Series:
        return pl.Series(random.integers(low, high, n)).cast(pl.String)

    with path.open("wb") as file:
        for first in range(0, rows, _CHUNK):
            n = min(_CHUNK, rows - first)
            lines = {f"s{i}": draw(n) for i in range(3)}
            frame = pl.DataFrame(
                {
                    **lines,
                    "added": draw(n),
                    "rate": number(38, 170, n),
                    "day": number(1, 29, n),
                    "month": pick(months, n),
                    "year": number(2004, 2024, n),
                    "hour": number(10, 24, n),
                    "minute": number(10, 60, n),
                    "last": pick(names, n),
                    "first": pick(names, n),
                    "code": number(1000, 99999, n),
                    "edit": pl.Series(random.random(n)),
                }
            )
            rate = pl.format("Vent. rate {} BPM\n", "rate")
            compared = pl.format(
                "\nWhen compared with ECG of {}-{}-{} {}:{},\n",
                "day",
                "month",
                "year",
                "hour",
                "minute",
            )
            signed = pl.format(
                "\nConfirmed by {}, {} ({}) on {}/{}/2021 {}:{}:00 AM",
                "last",
                "first",
                "code",
                "day",
                "day",
                "hour",
                "minute",
            )
            body = pl.concat_str("s0", "s1", separator="\n")
            changed = (
                pl.when(pl.col("edit") < 0.2)
                .then(pl.concat_str("s0", "added", separator="\n"))
                .otherwise(body)
            )
            tail = compared + pl.col("s2")
            frame.select(
                id=pl.int_range(first, first + n).cast(pl.String).str.zfill(8),
                patient_id=pl.lit("P") + number(1, max(2, rows // 2), n),
                machine=rate + body + tail + "\nUnconfirmed",
                expert=rate + changed + tail + signed,
                year=pl.col("year"),
                site=pl.lit("S") + number(1, 9, n),
            ).write_csv(file, include_header=first == 0)


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds and peak resident GB of the largest process of a command."""
    began = time.perf_counter()
    process = subprocess.Popen(command)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _resident(process.pid))
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"{command[0]} failed with {process.returncode}")
    return time.perf_counter() - began, peak / 1e9


def _resident(pid: int) -> float:
    """Resident bytes of a process and its children together."""
    total = 0.0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    total = pages * resource.getpagesize()
    return total + sum(_resident(int(child)) for child in children)


def floor(path: Path, known: Path, out: Path) -> None:
    """The table work alone: the labels of the distinct statements are read from ``known``."""
    from overread.labels.split import mask
    from overread.text.labeler import Labeler

    rewrites = Labeler().rewrites
    out.mkdir(parents=True, exist_ok=True)
    statements = pl.read_parquet(known / "statements.parquet")
    pl.read_parquet(known / "evidence.parquet").write_parquet(out / "evidence.parquet")
    statements.write_parquet(out / "statements.parquet")
    numbers = statements.select("statement", "text").unique("text", maintain_order=True)
    labels = pl.read_parquet(known / "labels.parquet", n_rows=1)
    values = [name for name in labels.columns if name.startswith(("machine_", "expert_"))]
    half = len(values) // 2
    ranks = np.random.default_rng(0).integers(0, 2, (len(statements), half), dtype=np.uint8)
    table = pl.DataFrame({"statement": statements["statement"]}).hstack(
        pl.DataFrame(ranks, schema=[f"l{i}" for i in range(half)])
    )
    parts, label_parts, row = [], [], 0
    for batch in pl.scan_csv(path, infer_schema=False).collect_batches(chunk_size=_CHUNK):
        texts = batch.with_row_index("row", offset=row).unpivot(
            ["machine", "expert"], index="row", variable_name="source", value_name="text"
        )
        marked = pl.col("text")
        for rewrite in rewrites:
            marked = marked.str.replace_all(rewrite.pattern, rewrite.replacement)
        pieces = (
            texts.select("row", "source", text=marked.str.split("\n"))
            .explode("text")
            .with_columns(pl.col("text").str.strip_chars(), length=pl.col("text").str.len_chars())
            .filter(pl.col("text") != "")
        )
        distinct = pieces.select("text").unique(maintain_order=True)
        distinct = distinct.with_columns(masked=mask(distinct["text"]))
        distinct = distinct.join(numbers, left_on="masked", right_on="text", how="left")
        pieces = pieces.join(
            distinct.select("text", "statement"), on="text", how="left", maintain_order="left"
        )
        parts.append(
            pieces.select(
                "row",
                pl.col("source") == "expert",
                "statement",
                position=pl.int_range(pl.len(), dtype=pl.UInt32).cast(pl.UInt16, strict=False),
                start=pl.col("length"),
                end=pl.col("length"),
            )
        )
        states = (
            pieces.join(table, on="statement", how="left")
            .group_by("row", "source")
            .agg(pl.col(f"l{i}").max() for i in range(half))
        )
        wide = states.filter(pl.col("source") == "machine").join(
            states.filter(pl.col("source") == "expert"), on="row", how="full", coalesce=True
        )
        label_parts.append(
            batch.drop("machine", "expert")
            .with_row_index("row", offset=row)
            .join(wide, on="row", how="left")
        )
        row += len(batch)
    pl.concat(parts).write_parquet(out / "report_statements.parquet")
    pl.concat(label_parts).write_parquet(out / "labels.parquet")


def statements_per_second() -> None:
    """Statements a second on one core, beside spaCy's tokenizer and, where installed, medspaCy."""
    import spacy

    from overread.text.labeler import Labeler

    texts = statements(40_000)
    Random(3).shuffle(texts)
    texts = texts[:20_000]
    labeler = Labeler()
    tokenizer = spacy.blank("en").tokenizer
    runs = {
        "overread, full evidence": lambda: [labeler.statement(text) for text in texts],
        "spaCy tokenizer alone": lambda: [tokenizer(text) for text in texts],
    }
    try:
        import medspacy
        from loguru import logger
        from medspacy.target_matcher import TargetRule

        nlp = medspacy.load()
        matcher = nlp.get_pipe("medspacy_target_matcher")
        matcher.add(
            [
                TargetRule(p.phrase.text, p.owner)
                for p in labeler.vocabulary.phrases
                if p.phrase.text and "{" not in p.phrase.text
            ]
        )
        runs["medspaCy, the plain phrases only"] = lambda: [nlp(text) for text in texts[:1000]]
        logger.disable("PyRuSH")  # it would time its own debug lines
    except ImportError:
        print("medspaCy is not installed here")
    for name, run in runs.items():
        rates = []
        for _ in range(3):
            began = time.perf_counter()
            rates.append(len(run()) / (time.perf_counter() - began))
        print(f"{name}: {sorted(rates)[1]:,.0f} statements/s (median of 3)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--distinct", type=int, default=10_000)
    parser.add_argument("--statements", action="store_true")
    parser.add_argument("--floor", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    if given.statements:
        statements_per_second()
        return
    if given.floor:
        floor(*map(Path, given.floor))
        return
    path = given.folder / f"overread-{given.rows}-{given.distinct}.csv"
    if not path.exists():
        generate(path, given.rows, given.distinct)
    print(f"{path.stat().st_size / 1e6:,.0f} MB, {given.rows:,} ECGs, {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        out = Path(folder) / "labels"
        command = [
            sys.executable,
            "-m",
            "overread.cli.main",
            "labels",
            "extract",
            str(path),
            "--out",
            str(out),
            "--keep",
            "year",
            "--keep",
            "site",
        ]
        whole, peak = timed(command)
        count = pl.scan_parquet(out / "statements.parquet").select(pl.len()).collect().item()
        table, table_peak = timed(
            [sys.executable, __file__, "--floor", str(path), str(out), f"{folder}/floor"]
        )
    print(f"distinct statements after masking: {count:,}")
    print(f"command: {whole:.1f} s, peak {peak:.2f} GB resident")
    print(f"floor:   {table:.1f} s, peak {table_peak:.2f} GB resident")
    print(f"ratio:   {whole / table:.2f}")


if __name__ == "__main__":
    main()
