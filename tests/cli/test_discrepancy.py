"""``overread discrepancy``: exit codes, files, up to date, and what must never be printed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from overread.labels.run import write_extraction
from overread.report.write import Format
from overread.sources.open import open_source
from overread.text.labeler import Labeler
from tests.cli.conftest import REPOSITORY, Ran

Run = Callable[..., Ran]
OUT = Path("overread-out/discrepancy")

REPORTS = (
    "ecg_id,patient_id,machine,over_read,site,date\n"
    "007,p1,Sinus rhythm. Possible LVH,Sinus rhythm. LVH,North,2019-01-02\n"
    "1e5,p2,Atrial fibrillation. Zanzibar sign,Atrial flutter,South,2019-02-03\n"
    "=8,p2,Normal ECG,,South,2019-02-03\n"
    "9,p3,Old inferior infarct,No inferior infarct,,1900-01-01\n"
    "10,p3,RBBB,RBBB,North,2020-01-01\n"
)


@pytest.fixture(scope="session")
def labels_of(tmp_path_factory: pytest.TempPathFactory, labeler: Labeler) -> Path:
    folder = tmp_path_factory.mktemp("extraction")
    (folder / "reports.csv").write_text(REPORTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("overread.labels.run.Labeler", lambda *_: labeler)
        write_extraction(
            open_source(folder / "reports.csv", keep=("site", "date")), folder / "labels",
            vocab=None, uncertain="positive", format="parquet", duplicates="error", workers=1,
            overwrite=False, console=Console(quiet=True),
        )  # fmt: skip
    return folder / "labels"


@pytest.fixture
def extraction(labels_of: Path, tmp_path: Path) -> Path:
    """An extraction where the command looks for one."""
    target = tmp_path / "overread-out" / "labels"
    shutil.copytree(labels_of, target)
    return target


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A label table of 60 ECGs of 40 patients in two sites."""
    path = tmp_path / "labels.csv"
    pl.DataFrame({
        "id": [str(n) for n in range(60)],
        "machine_af": [1] * 30 + [0] * 30, "expert_af": [1] * 15 + [0] * 30 + [1] * 15,
        "site": ["n", "s"] * 30, "patient_id": [f"p{n % 40}" for n in range(60)],
    }).write_csv(path)  # fmt: skip
    return path


FAST = ("--resamples", 100)


def test_report_reads_the_extraction_and_writes_a_page(
    overread: Run, extraction: Path, tmp_path: Path, modes: Callable[[Path], dict[str, int]]
) -> None:
    ran = overread("discrepancy", "report", *FAST, "--by", "site", "--over", "date")
    assert (ran.code, ran.err) == (0, "")
    assert "Table A.1" in ran.out
    assert "overread discrepancy cases --label" in ran.out
    folder = tmp_path / OUT
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "run.json"]
    assert {mode & 0o077 for mode in modes(folder).values()} == {0}
    written = json.loads((folder / "run.json").read_text())
    assert written["counts"] == {"ecgs": 4, "files": ["report.html"]}
    assert "Zanzibar" not in ran.out + (folder / "report.html").read_text()


def test_the_same_again_is_up_to_date_and_other_options_ask(
    overread: Run, extraction: Path, tmp_path: Path, hashes: Callable[[Path], dict[str, str]]
) -> None:
    assert overread("discrepancy", "report", *FAST).code == 0
    before = hashes(tmp_path / OUT)
    again = overread("discrepancy", "report", *FAST)
    assert (again.code, again.out.strip()) == (0, f"up to date: {OUT}")
    other = overread("discrepancy", "report", *FAST, "--by", "site")
    assert other.code == 1
    assert "--overwrite" in other.err
    assert hashes(tmp_path / OUT) == before
    replaced = overread("discrepancy", "report", *FAST, "--format", "csv", "--overwrite")
    assert replaced.code == 0
    names = {path.name for path in (tmp_path / OUT).iterdir()}
    assert "report.html" not in names
    assert {"table_a1.csv", "run.json"} <= names


def test_a_report_of_which_a_file_is_gone_is_not_up_to_date(
    overread: Run, extraction: Path, tmp_path: Path
) -> None:
    overread("discrepancy", "report", *FAST)
    (tmp_path / OUT / "report.html").unlink()
    assert overread("discrepancy", "report", *FAST).code == 0
    assert (tmp_path / OUT / "report.html").is_file()


def test_d04_the_same_input_gives_the_same_bytes_but_for_the_manifest(
    overread: Run, extraction: Path, tmp_path: Path, hashes: Callable[[Path], dict[str, str]]
) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        overread(
            "discrepancy", "report", *FAST, "--by", "site", "--out", name, "--format", "html",
            "--format", "csv", "--workers", workers,
        )  # fmt: skip
    one, two = (hashes(tmp_path / name) for name in ("one", "two"))
    assert {"run.json", "report.html", "table_a1.csv"} <= one.keys()
    assert {**one, "run.json": ""} == {**two, "run.json": ""}


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}, {"TZ": "Asia/Tokyo"},
     {"PYTHONHASHSEED": "7"}, {"POLARS_MAX_THREADS": "1"}],
)  # fmt: skip
def test_d05_locale_time_zone_hash_seed_and_threads_change_no_byte(
    changes: dict[str, str], process: Run, extraction: Path, tmp_path: Path,
    hashes: Callable[[Path], dict[str, str]],
) -> None:  # fmt: skip
    for name, environment in (("one", {"PYTHONHASHSEED": "0"}), ("two", changes)):
        ran = process(
            "discrepancy", "report", *FAST, "--by", "site", "--out", name, "--format", "html",
            "--format", "csv", **environment,
        )  # fmt: skip
        assert ran.code == 0, ran.err
    one, two = (hashes(tmp_path / name) for name in ("one", "two"))
    assert {"run.json", "report.html", "table_a1.csv"} <= one.keys()
    assert {**one, "run.json": ""} == {**two, "run.json": ""}


@pytest.mark.parametrize(
    ("format", "names"),
    [
        ("html", {"report.html"}),
        ("md", {"report.md", "kappa.svg", "added_removed.svg", "flow_matrix.svg"}),
        ("latex", {"report.tex", "kappa.pdf", "added_removed.pdf"}),
        ("json", {"report.json"}),
        ("csv", {"table_a1.csv", "two_by_two.csv", "agreement.csv", "flows.csv"}),
    ],
)
def test_every_format(
    format: Format, names: set[str], overread: Run, labels: Path, tmp_path: Path
) -> None:
    ran = overread("discrepancy", "report", labels, *FAST, "--format", format, "--out", "o")
    assert ran.code == 0, ran.err
    assert names <= {path.name for path in (tmp_path / "o").iterdir()}


def test_e01_csv_holds_bare_numbers_and_no_formula(overread: Run, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("machine_=1+1,expert_=1+1,site\n1,0,@x\n1,1,-2+3\n1,1,+4\n")
    ran = overread("discrepancy", "report", path, *FAST, "--format", "csv", "--by", "site")
    assert ran.code == 0, ran.err
    for file in (tmp_path / OUT).glob("*.csv"):
        with file.open(newline="") as lines:
            cells = {cell for row in csv.reader(lines) for cell in row}
        assert not {cell for cell in cells if cell[:1] in tuple("=+@\t\r")}, file.name
        assert not {cell for cell in cells if cell[:1] == "-" and not is_number(cell)}, file.name


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_two_tables_and_the_published_kappas(shared: Path, overread: Run, tmp_path: Path) -> None:
    folder = shared / "data" / "code-test" / "annotations"
    ran = overread(
        "discrepancy", "report", folder / "dnn.csv", folder / "cardiologist1.csv", *FAST,
        "--format", "csv", "--format", "json",
    )  # fmt: skip
    assert ran.code == 0
    assert "row by row: 827 rows" in ran.out
    with (tmp_path / OUT / "agreement.csv").open() as file:
        kappas = {row["label"]: round(float(row["kappa"]), 3) for row in csv.DictReader(file)}
    assert kappas == {
        "1dAVb": 0.758, "RBBB": 0.928, "LBBB": 0.964, "SB": 0.770, "AF": 0.696, "ST": 0.847
    }  # fmt: skip


def test_cases_on_the_terminal_and_as_csv(overread: Run, extraction: Path, tmp_path: Path) -> None:
    ran = overread(
        "discrepancy", "cases", "--label", "atrial_fibrillation", "--change", "removed",
        "--also", "atrial_flutter:added", "--where", "site=South", "--csv", "cases.csv",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "1 ECG" in ran.out
    with (tmp_path / "cases.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["id"], row["patient_id"], row["site"]) == ("1e5", "p2", "South")
    assert (row["machine_atrial_fibrillation"], row["expert_atrial_flutter"]) == (
        "present", "present",
    )  # fmt: skip
    assert row["machine_evidence"].startswith("Atrial fibrillation (present, rhythm.yaml:")
    assert (tmp_path / "cases.csv").stat().st_mode & 0o077 == 0
    again = overread(
        "discrepancy", "cases", "--label", "lvh", "--csv", "cases.csv", "--change", "kept"
    )
    assert again.code == 1
    assert "cases.csv exists already" in again.err
    hedge = overread("discrepancy", "cases", "--label", "lvh", "--change", "made_definite")
    assert "007" in hedge.out
    policy = overread(
        "discrepancy", "cases", "--label", "lvh", "--change", "added", "--uncertain", "negative"
    )
    assert "007" in policy.out


def test_cases_of_a_statement_by_number(overread: Run, extraction: Path) -> None:
    statements = pl.read_parquet(extraction / "statements.parquet")
    number = statements.filter(text="Zanzibar sign")["statement"].item()
    ran = overread("discrepancy", "cases", "--statement", number, "--change", "deleted")
    assert ran.code == 0, ran.err
    assert "1e5" in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cases",), "either --label or --statement"),
        (("cases", "--label", "lvh", "--statement", 1), "either --label or --statement"),
        (("cases", "--statement", 1), "without a second statement"),
        (("cases", "--statement", 1, "--change", "reworded"), "without a second statement"),
        (("cases", "--statement", 1, "--change", "deleted", "--where", "site=North"), "--where"),
        (("cases", "--label", "lvh", "--into", 3), "--into"),
        (("cases", "--label", "lhv"), "no label 'lhv'"),
        (("cases", "--label", "lvh", "--also", "rvh"), "--also LABEL:CHANGE"),
        (("cases", "--label", "lvh", "--where", "site"), "--where COLUMN=GROUP"),
        (("report", "--by", "age:x"), "--by age:40,60,80"),
        (("report", "--by", "ward"), "no column 'ward'"),
        (("report", "--over", "site"), "no date"),
        (("report", "--release", "--with-text"), "--release shows no statements"),
        (("report", "--against", "x"), "--against belongs to --release"),
        (("report", "--release", "--against", "x"), "release.json"),
        (("report", "--release"), "4 ECGs with both readings"),
        (("report", "nothing.csv"), "nothing.csv"),
        (("report", "nothing"), "overread labels extract"),
    ],
)
def test_wrong_words_are_answered_with_a_next_step(
    words: tuple[object, ...], said: str, overread: Run, extraction: Path, tmp_path: Path
) -> None:
    ran = overread("discrepancy", *words)
    assert ran.code == 2, ran
    assert said in ran.err
    assert not (tmp_path / OUT / "run.json").exists()
    assert "Traceback" not in ran.err


def test_without_an_extraction_the_next_step_is_told(overread: Run, tmp_path: Path) -> None:
    for words in (("report",), ("cases", "--label", "lvh")):
        ran = overread("discrepancy", *words)
        assert ran.code == 2
        assert "overread labels extract" in ran.err
    assert not (tmp_path / OUT).exists()
    (tmp_path / "empty").mkdir()
    assert "overread labels extract" in overread("discrepancy", "report", "empty").err


def test_p01_errors_hold_no_cell(overread: Run, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("id,machine_af,expert_af\n1,1,0\n2,JOHN SMITH,0\n")
    ran = overread("discrepancy", "report", path)
    assert ran.code == 1
    assert "row 2, column 'machine_af'" in ran.err
    assert "SMITH" not in ran.err + ran.out


def test_e10_folders_that_cannot_be_written(overread: Run, labels: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in ("file", "x" * 300, "a\nb"):
        ran = overread("discrepancy", "report", labels, *FAST, "--out", out)
        assert ran.code == 2, out
        assert "Next step: " in ran.err
    if os.geteuid():
        (tmp_path / "shut").mkdir(mode=0o500)
        assert overread("discrepancy", "report", labels, *FAST, "--out", "shut").code == 2


def test_the_folder_of_another_command_is_not_overwritten(
    overread: Run, extraction: Path, hashes: Callable[[Path], dict[str, str]]
) -> None:
    before = hashes(extraction)
    ran = overread("discrepancy", "report", *FAST, "--out", extraction, "--overwrite")
    assert ran.code == 2
    assert "labels extract" in ran.err
    assert hashes(extraction) == before


def test_e07_a_file_of_someone_else_stays(overread: Run, labels: Path, tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "report.html").write_text("mine")
    ran = overread("discrepancy", "report", labels, *FAST, "--out", "o")
    assert ran.code == 1
    assert (tmp_path / "o" / "report.html").read_text() == "mine"
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["report.html"]


@pytest.mark.parametrize("limit", [pytest.param(0, marks=pytest.mark.slow), 20_000])
def test_e08_e09_a_full_disk_leaves_the_old_report(
    limit: int, overread: Run, labels: Path, tmp_path: Path,
    hashes: Callable[[Path], dict[str, str]],
) -> None:  # fmt: skip
    """A limit on the size of files stands for a full disk; the largest file fails last."""
    assert overread("discrepancy", "report", labels, *FAST, "--format", "csv").code == 0
    before = hashes(tmp_path / OUT)
    code = (
        "import resource, sys; from overread.cli.main import main; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); "
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "discrepancy", "report", str(labels), "--resamples", "100",
         "--by", "site", "--format", "csv", "--format", "html", "--overwrite"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "the disk is full or a size limit is reached" in done.stderr
    assert hashes(tmp_path / OUT) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_c04_a_run_that_is_stopped_leaves_the_old_report(
    number: signal.Signals, overread: Run, tmp_path: Path, labels: Path,
    hashes: Callable[[Path], dict[str, str]],
) -> None:  # fmt: skip
    """Stopped among resamples that would take minutes."""
    assert overread("discrepancy", "report", labels, *FAST).code == 0
    before = hashes(tmp_path / OUT)
    random = np.random.default_rng(0)
    pl.DataFrame(
        {"patient_id": np.arange(20_000)}
        | {f"{side}_{label}": random.integers(0, 2, 20_000)
           for label in range(13) for side in ("machine", "expert")}
    ).write_parquet(tmp_path / "large.parquet")  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "overread.cli.main", "discrepancy", "report", "large.parquet",
         "--resamples", "100000", "--overwrite"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        # A job in the background ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    time.sleep(3)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    # Python may end by the signal itself after all was said: a shell shows 128 + number either way.
    assert process.returncode in (128 + number, -number), said
    assert "stopped" in said
    assert hashes(tmp_path / OUT) == before


def test_c01_a_second_run_into_the_folder_is_told_to_wait(
    overread: Run, labels: Path, tmp_path: Path
) -> None:
    from overread.files import locked, output_folder

    with locked(output_folder(tmp_path / OUT)):
        ran = overread("discrepancy", "report", labels, *FAST)
    assert ran.code == 75


def test_p05_p07_releases(overread: Run, labels: Path, tmp_path: Path) -> None:
    def run(*words: object) -> Ran:
        return overread("discrepancy", "report", *words, *FAST, "--release", "--format", "csv")

    assert run(labels, "--out", "all").code == 0
    names = {path.name for path in (tmp_path / "all").iterdir()}
    assert {"release.json", "table_a1.csv"} <= names
    assert not {"hedges.csv", "changed_together.csv", "statements_deleted.csv"} & names
    frame = pl.read_csv(labels, infer_schema=False)
    frame.head(52).write_csv(tmp_path / "less.csv")
    refused = run("less.csv", "--out", "less", "--against", "all")
    assert refused.code == 2
    assert "by 8 ECGs" in refused.err
    assert not list((tmp_path / "less").glob("*.csv"))
    frame.head(45).write_csv(tmp_path / "fewer.csv")
    assert run("fewer.csv", "--out", "fewer", "--against", "all").code == 0
    (tmp_path / "all" / "release.json").write_text('{"n": "x"}')
    damaged = run("fewer.csv", "--out", "other", "--against", "all")
    assert damaged.code == 1
    assert "release.json is damaged" in damaged.err


def test_with_text_shows_rare_statements(overread: Run, extraction: Path, tmp_path: Path) -> None:
    ran = overread("discrepancy", "report", *FAST, "--with-text")
    assert ran.code == 0
    assert "Zanzibar" not in ran.out
    assert "Zanzibar" in (tmp_path / OUT / "report.html").read_text()


def test_labels_with_colons_can_be_asked_for(overread: Run, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("machine_a,expert_a,machine_b:c,expert_b:c\n1,0,0,1\n")
    ran = overread(
        "discrepancy", "cases", "labels.csv", "--label", "a", "--change", "removed",
        "--also", "b:c:added",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "1 ECG" in ran.out


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (
            "machine_af,expert_af,machine_lvh,expert_rvh",
            "left out, with one reader alone: machine_lvh (near machine_rvh), "
            "expert_rvh (near expert_lvh)",
        ),
        (
            "machine_af,expert_af,Machine_lvh,expert_lvh",
            "left out, with one reader alone: Machine_lvh (near machine_lvh), expert_lvh",
        ),
    ],
)
def test_t22_a_misspelt_label_is_told(
    overread: Run, tmp_path: Path, header: str, told: str
) -> None:
    (tmp_path / "t.csv").write_text(f"{header}\n1,1,0,1\n0,1,1,0\n")
    ran = overread("discrepancy", "report", "t.csv", *FAST)
    assert ran.code == 0, ran.err
    assert f"{told}\n" in ran.out


def test_t22_without_any_pair_the_names_near_are_told(overread: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("machine_lvh,expert_rvh\n1,1\n")
    ran = overread("discrepancy", "report", "t.csv", *FAST)
    assert ran.code == 1
    assert "machine_lvh (near machine_rvh), expert_rvh (near expert_lvh)" in ran.err


def test_t22_a_label_of_one_table_alone_is_told(overread: Run, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("id,af,lbbb_,age\n1,1,0,60\n2,0,1,70\n")
    (tmp_path / "e.csv").write_text("id,af,lbbb\n1,1,0\n2,0,1\n")
    ran = overread("discrepancy", "report", "m.csv", "e.csv", *FAST)
    assert ran.code == 0, ran.err
    assert "left out, in the machine's table alone: lbbb_ (near lbbb)\n" in ran.out
    assert "left out, in the expert's table alone: lbbb (near lbbb_)\n" in ran.out


def test_s08_ages_that_are_no_numbers_are_told(overread: Run, tmp_path: Path) -> None:
    rows = "".join(f"1,{n % 2},{18 + n}\n" for n in range(40))
    (tmp_path / "t.csv").write_text(f"machine_af,expert_af,age\n{rows}1,1,89+\n")
    ran = overread("discrepancy", "report", "t.csv", *FAST, "--by", "age")
    assert ran.code == 0, ran.err
    assert "by age: 1 ECGs are unknown because their cell holds no number" in ran.out
    ran = overread("discrepancy", "report", "t.csv", *FAST, "--by", "age:40,1e400", "--overwrite")
    assert ran.code == 2
    assert "not all finite" in ran.err


TABLE = b"id,machine_af,expert_af\n1,1,0\n2,0,0\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (TABLE + b"3,\xff,1\n", "row 3 (line 4) holds bytes that are not UTF-8"),
        (TABLE.decode().encode("utf-16"), "looks like UTF-16"),
        (TABLE + b"3,1\n", "row 3 (line 4) has 2 fields"),
        (TABLE + b'3,"a\\"b",1\n', "holds a quote in the middle of a cell"),
        (b"id;x,machine_af,expert_af\n1,1,0\n", "more than one delimiter"),
        (b"<?xml version='1.0'?><a/>", "this is an XML file"),
    ],
)
def test_table_errors_name_no_option_that_these_commands_lack(
    overread: Run, tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "pairs.csv").write_bytes(content)
    for words in (
        ("discrepancy", "report", "pairs.csv"),
        ("evaluate", "pairs.csv", "--truth", "x"),
    ):
        ran = overread(*words)
        assert ran.code == 1
        assert "pairs.csv" in ran.err
        assert told in ran.err
        assert "Next step" in ran.err
        assert "--" not in ran.err


def test_values_and_ids_that_are_wrong_are_told_with_file_and_row(
    overread: Run, tmp_path: Path
) -> None:
    plain = b"id,af\n1,1\n2,0\n"
    (tmp_path / "a.csv").write_bytes(TABLE + b"3,2,1\n")
    (tmp_path / "b.csv").write_bytes(TABLE + b"1,1,1\n")
    (tmp_path / "c.csv").write_bytes(plain)
    (tmp_path / "d.csv").write_bytes(plain + b"3,2\n")
    (tmp_path / "e.csv").write_bytes(plain + b"2,1\n")
    for words, told in (
        (["a.csv"], "the table a.csv: row 3, column 'machine_af': something else"),
        (["b.csv"], "the table b.csv has 1 ids twice, the first again in row 3"),
        (["c.csv", "d.csv"], "the expert's table d.csv: row 3, column 'af': something else"),
        (["e.csv", "c.csv"], "the machine's table e.csv has 1 ids twice, the first again in row 3"),
    ):
        ran = overread("discrepancy", "report", *words)
        assert (ran.code, told in ran.err) == (1, True), ran.err


def test_output_in_an_encoding_with_fewer_letters_is_printed_all_the_same(
    process: Run, extraction: Path
) -> None:
    for changes in ({"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}):
        ran = process("discrepancy", "report", "--resamples", "100", "--overwrite", **changes)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.isascii()
        assert "Sinus Rhythm" in ran.out
