"""A patient's name in every cell stands in nothing that is printed or logged (P01 to P04, C06)."""

from __future__ import annotations

import csv
import io
import json

import polars as pl
import pytest

NAME = "QUOKKABY"
CELL = f"{NAME}, JOHN"
ROW = f"1,{CELL},{CELL}\n".replace(f"{CELL}", f'"{CELL}"')
HEADER = "id,machine,expert\n"


def utf8(text: str) -> bytes:
    return text.encode()


FAULTS = {
    "fine": utf8(HEADER + ROW),
    "short row": utf8(HEADER + ROW + f"2,{NAME}\n"),
    "long row": utf8(HEADER + ROW + f"2,{NAME},{NAME},{NAME}\n"),
    "open quote": utf8(HEADER + ROW + f'2,"{NAME},x\n3,{NAME},y\n'),
    "bare quote": utf8(HEADER + f'2,{NAME}" lead,y\n'),
    "backslash quote": utf8(HEADER + f'2,"{NAME} \\"x\\" ",y\n'),
    "nul": utf8(HEADER + f"2,{NAME}\0,y\n"),
    "latin-1": (HEADER + f"2,{NAME} Müller,y\n").encode("latin-1"),
    "utf-16": (HEADER + ROW).encode("utf-16"),
    "no header": utf8(ROW + ROW.replace("1", "2")),
    "header of data": utf8(f"1,{NAME},{NAME}\n2,{NAME},{NAME}\n"),
    "no text column": utf8(f"id,note\n1,{NAME}\n"),
    "double header": utf8(f"id,machine,machine\n1,{NAME},{NAME}\n"),
    "duplicate id": utf8(HEADER + ROW + ROW),
    "no id": utf8(HEADER + f",{NAME},{NAME}\n"),
    "duplicate name id": utf8(HEADER + f"{NAME},a,b\n{NAME},a,b\n"),
    "large cell": utf8(HEADER + f'1,"{NAME * 200_000}",x\n'),
    "comment": utf8(HEADER + f"# {NAME}\n" + ROW),
    "json": utf8(json.dumps({"id": NAME, "machine": NAME}) + "\n{" + NAME),
    "html": utf8(f"<html><td>{NAME}</td></html>"),
    "gzip": b"\x1f\x8b" + utf8(NAME),
    "cr only": utf8(HEADER.replace("\n", "\r") + f"1,{NAME},{NAME}\r"),
    "odd bytes": bytes(range(256)) + utf8(NAME),
}


def printed_or_logged(ran, tmp_path):
    said = ran.out + ran.err
    for path in tmp_path.rglob("run.json"):
        said += path.read_text()
    return said


@pytest.mark.parametrize("more", [(), ("--quarantine",), ("--debug",)], ids=str)
@pytest.mark.parametrize("fault", FAULTS)
def test_p01_no_message_quotes_a_cell(overread, tmp_path, fault, more):
    (tmp_path / "reports.csv").write_bytes(FAULTS[fault])
    debug = [word for word in more if word == "--debug"]
    words = [word for word in more if word != "--debug"]
    ran = overread(*debug, "labels", "extract", "reports.csv", *words)
    assert ran.code in (0, 1, 2, 3)
    assert NAME not in printed_or_logged(ran, tmp_path)
    if ran.code in (1, 2):
        assert "Next step" in ran.err
        assert "unexpected" not in ran.err
        assert ("Traceback" in ran.err or "File " in ran.err) == bool(debug)
        assert not (tmp_path / "overread-out" / "labels" / "labels.parquet").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("reports.jsonl", f'{{"id": "1", "machine": "{NAME}"}}\n{{"id": "2", "machine": "{NAME}\n'),
        ("reports.jsonl", f'{{"id": "1", "machine": ["{NAME}"]}}\n'),
        ("a.xml", f"<RestingECG><PatientDemographics><PatientLastName>{NAME}</Patient"),
        ("a.xml", f"<html>{NAME}</html>"),
        ("a.hea", f"{NAME}\n#C: {NAME}\n"),
        ("a.hea", f"a 12 500\n#{NAME}\n"),
        ("reports.parquet", f"PAR1{NAME}PAR1"),
        ("reports.xlsx", f"PK\x03\x04{NAME}"),
    ],
)
def test_p01_no_message_quotes_other_files(overread, tmp_path, name, content):
    (tmp_path / name).write_text(content)
    ran = overread("labels", "extract", name)
    assert ran.code in (1, 2)
    assert NAME not in printed_or_logged(ran, tmp_path)
    assert "unexpected" not in ran.err


def test_p02_an_unexpected_error_tells_its_kind_and_no_value(overread, reports, monkeypatch):
    def fail(*_, **__):
        raise ValueError(f"could not read {NAME}")

    monkeypatch.setattr("overread.labels.extract.label_statements", fail)
    ran = overread("labels", "extract", reports)
    assert ran.code == 1
    assert "an unexpected ValueError" in ran.err
    assert NAME not in ran.err
    assert "Traceback" not in ran.err
    debugged = overread("--debug", "labels", "extract", reports)
    assert NAME not in debugged.err
    assert 'File "' in debugged.err


def test_p04_rare_statements_are_not_shown(overread, tmp_path):
    rows = [
        [str(n), f"AF\nWibbly {'ordinary' if n < 11 else NAME} remark", "AF"] for n in range(21)
    ]
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["id", "machine", "expert"], *rows])
    (tmp_path / "reports.csv").write_text(buffer.getvalue())
    ran = overread("labels", "extract", "reports.csv")
    assert ran.code == 0
    assert "Wibbly ordinary remark" in ran.out  # 11 ECGs
    assert NAME not in printed_or_logged(ran, tmp_path)  # 10 ECGs
    assert NAME not in overread("labels", "show").out


def test_names_in_signatures_stand_in_no_output_file(overread, tmp_path):
    text = f"Sinus rhythm\nConfirmed by {NAME}, J. (1234) on 14-FEB-2011\nReferred by: {NAME}"
    pl.DataFrame({"id": ["1"], "machine": [text], "expert": [text]}).write_csv(
        tmp_path / "reports.csv"
    )
    ran = overread("labels", "extract", "reports.csv", "--format", "csv")
    assert ran.code == 0
    explained = overread("labels", "explain", "--id", "1")
    assert NAME not in ran.out + ran.err + explained.out + explained.err
    for path in (tmp_path / "overread-out").rglob("*.*"):
        assert NAME.encode() not in path.read_bytes()


@pytest.mark.parametrize(("format", "n"), [("parquet", 8), ("csv", 7)])
def test_c06_outputs_are_private_to_the_user(overread, tmp_path, modes, format, n):
    (tmp_path / "reports.csv").write_text("id,machine\n1,AF\n2,LVH,x\n")
    words = ("labels", "extract", "reports.csv", "--quarantine", "--format", format)
    assert overread(*words).code == 3
    found = modes(tmp_path / "overread-out" / "labels")
    assert len(found) == n
    folder = str(tmp_path / "overread-out" / "labels")
    assert found == {path: 0o700 if path == folder else 0o600 for path in found}
