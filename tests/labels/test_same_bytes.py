"""The same reports give the same tables: workers, batches, order, processes (D01 to D05)."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import polars as pl
import pytest

from overread.labels.output import table_files
from overread.signals.synth import synthetic_reports
from overread.sources.batches import ROWS
from overread.sources.open import from_frame

TABLES = ("labels", "statements", "report_statements", "evidence")


def assert_same(one, other):
    for name in TABLES:
        assert getattr(one, name).equals(getattr(other, name)), name
    assert one.summary == other.summary


class InSmallBatches:
    """A source that hands out its rows a few at a time."""

    def __init__(self, source, rows):
        self._source, self._rows = source, rows

    def __getattr__(self, name):
        return getattr(self._source, name)

    def batches(self, *, rows=ROWS):
        assert rows == ROWS
        return self._source.batches(rows=self._rows)


@pytest.mark.parametrize(("rows", "count"), [(1, 12), (7, 50), (64, 90)])
def test_d02_batch_size_does_not_matter(extract, rows, count):
    frame = pl.DataFrame(synthetic_reports(count, seed=3))
    assert_same(extract(InSmallBatches(from_frame(frame), rows)), extract(frame))


def test_d02_row_order_does_not_matter(extract):
    frame = pl.DataFrame(synthetic_reports(300, seed=4))
    plain = extract(frame, keep=("site", "year"))
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1)
    other = extract(shuffled, keep=("site", "year"))
    assert other.labels["id"].to_list() == shuffled["id"].to_list()
    assert other.labels.sort("id").equals(plain.labels.sort("id"))
    columns = ["text", "segment", "n_machine", "n_expert"]
    assert (
        other.statements.select(columns)
        .sort(columns)
        .equals(plain.statements.select(columns).sort(columns))
    )


def letters(number: int) -> str:
    """A word of its own for every number; masking leaves letters alone."""
    return "q" + "".join(chr(ord("a") + int(digit)) for digit in f"{number:05d}") + "q"


def many_statements(count: int) -> pl.DataFrame:
    findings = ("Sinus rhythm", "No LVH", "Possible inferior infarct", "AF, RBBB", "remark")
    texts = [f"{findings[n % len(findings)]} {letters(n)}" for n in range(count)]
    return pl.DataFrame({"id": [str(n) for n in range(count)], "machine": texts})


def test_worker_processes_do_not_matter_and_a_script_needs_no_main_guard(extract, tmp_path):
    frame = many_statements(4_500)
    frame.write_csv(tmp_path / "reports.csv")
    (tmp_path / "script.py").write_text(
        "import overread, overread.labels.statements\n"
        "overread.labels.statements._ALONE = 1\n"  # so few statements would have no workers
        "print('started')\n"
        "overread.extract('reports.csv', workers=2).write('out')\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.stdout, done.stderr) == ("started\n", "")
    alone = extract(frame, workers=1)
    assert len(alone.statements) == 4_500
    for name in TABLES:
        written = pl.read_parquet(tmp_path / "out" / f"{name}.parquet")
        assert written.equals(getattr(alone, name)), name


SCRIPT = """
import sys
from pathlib import Path
import overread
overread.extract(sys.argv[1], keep=("site",)).write(Path(sys.argv[2]))
"""


def hashes(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_d05_environment_does_not_change_a_byte(tmp_path):
    pl.DataFrame(synthetic_reports(200, seed=6)).write_csv(tmp_path / "reports.csv")
    found = []
    for number, changed in enumerate(
        (
            {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"},
            {
                "PYTHONHASHSEED": "4242",
                "TZ": "Pacific/Auckland",
                "LC_ALL": "tr_TR.UTF-8",
                "POLARS_MAX_THREADS": "1",
            },
        )
    ):
        out = tmp_path / f"out{number}"
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "reports.csv"), str(out)],
            env={**os.environ, **changed},
            check=True,
        )
        found.append(hashes(out))
    assert len(found[0]) == 4
    assert found[0] == found[1]


def test_written_tables_read_back_as_they_were(tmp_path, extract):
    found = extract(pl.DataFrame(synthetic_reports(50, seed=8)))
    found.write(tmp_path / "out")
    for name in TABLES:
        assert pl.read_parquet(tmp_path / "out" / f"{name}.parquet").equals(getattr(found, name))
    found.write(tmp_path / "again")
    assert hashes(tmp_path / "out") == hashes(tmp_path / "again")


def test_tables_of_two_runs_are_never_mixed(tmp_path, extract):
    """A failure while the last table is written leaves every table of the earlier run."""
    out = tmp_path / "out"
    extract(pl.DataFrame(synthetic_reports(20, seed=1))).write(out)
    before = hashes(out)
    other = extract(pl.DataFrame(synthetic_reports(30, seed=2)))

    def write() -> None:
        with table_files(out, overwrite=True) as sink:
            sink("labels.parquet", other.labels)
            sink("statements.parquet", other.statements)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert hashes(out) == before
