"""GE MUSE XML: the two readings, and faults X01 to X04, X07, X10 and X11."""

from __future__ import annotations

import pytest

from overread.errors import BadRecord, UsageError
from overread.files import read_whole
from overread.sources.muse import LIMIT, read_muse, statement_lines
from overread.sources.open import open_source

DOCTYPE = '<!DOCTYPE RestingECG SYSTEM "restecg.dtd">'


def statements(*lines: str) -> str:
    return "".join(
        f"<DiagnosisStatement><StmtFlag>ENDSLINE</StmtFlag><StmtText>{line}</StmtText>"
        "</DiagnosisStatement>"
        for line in lines
    )


def document(
    machine: str | None = "Wide QRS rhythm",
    expert: str | None = "Ventricular-paced rhythm",
    *,
    status: str = "CONFIRMED",
    declared: str = "ISO-8859-1",
    doctype: str = DOCTYPE,
) -> str:
    return (
        f'<?xml version="1.0" encoding="{declared}"?>\n{doctype}\n<RestingECG>'
        "<PatientDemographics><PatientID>0017</PatientID>"
        "<PatientLastName>JOHN SMITH</PatientLastName></PatientDemographics>"
        f"<TestDemographics><Status>{status}</Status></TestDemographics>"
        + (f"<Diagnosis>{statements(expert)}</Diagnosis>" if expert is not None else "")
        + (
            f"<OriginalDiagnosis>{statements(machine)}</OriginalDiagnosis>"
            if machine is not None
            else ""
        )
        + "<Waveform><WaveFormData>AAAA</WaveFormData></Waveform></RestingECG>"
    )


def refused(data: bytes | str, canary: str = "JOHN SMITH") -> str:
    with pytest.raises(BadRecord) as caught:
        read_muse(data.encode() if isinstance(data, str) else data)
    assert canary not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_real_export_is_read_as_by_eye(shared, read):
    path = shared / "data" / "ge-muse-xml" / "muse_ecg1.xml"
    assert read(path) == [
        (
            "muse_ecg1",
            "JAX01234",
            "Wide QRS rhythm\n"
            "Left axis deviation\n"
            "Non-specific intra-ventricular conduction block\n"
            "Lateral infarct, age undetermined\n"
            "Abnormal ECG\n"
            "When compared with ECG of 10-MAY-2021 18:34,\n"
            "Previous ECG has undetermined rhythm, needs review",
            "Ventricular-paced rhythm\n"
            "When compared with ECG of 10-MAY-2021 14:14,\n"
            "No significant change.\n"
            "Confirmed by Doe, John (123456) on 05/10/2021 1:15:09 PM",
        )
    ]


def test_real_folder_is_read_in_order(shared, account):
    source, rows = account(shared / "data" / "ge-muse-xml")
    assert [row[0] for row in rows] == ["muse_ecg1", "muse_ecg2", "muse_ecg3"]
    assert source.tally.notes == {"expert text equals machine text": 2}


@pytest.mark.parametrize(("parts", "text"), [
    ([], None),
    ([("", True)], None),
    ([("Sinus", False), ("rhythm", False)], "Sinus rhythm"),
    ([("Infarct", False), (", age undetermined", True), ("AF", True)],
     "Infarct, age undetermined\nAF"),
    ([("AF", False), ("", True), ("SR", True)], "AF\nSR"),
])  # fmt: skip
def test_statement_lines(parts, text):
    assert statement_lines(parts) == text


def test_statement_may_have_its_flag_before_or_behind_its_text():
    behind = document().replace(
        "<StmtFlag>ENDSLINE</StmtFlag><StmtText>Wide QRS rhythm</StmtText>",
        "<StmtText>Wide QRS rhythm</StmtText><StmtFlag>USERINSERT</StmtFlag>"
        "<StmtFlag>ENDSLINE</StmtFlag>",
    )
    assert read_muse(behind.encode()) == read_muse(document().encode())


@pytest.mark.parametrize("entity", [
    '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
    ),
    f'<!ENTITY a "{"x" * 50_000}">',
])  # fmt: skip
def test_x01_entity_bombs_are_refused(entity):
    bomb = document("&a;" * 50, doctype=f"<!DOCTYPE RestingECG [{entity}]>")
    assert "entities" in refused(bomb)


def test_x02_external_entity_is_refused_and_never_opened(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("JOHN SMITH")
    doctype = f'<!DOCTYPE RestingECG [<!ENTITY x SYSTEM "file://{secret}">]>'
    assert "entities" in refused(document("&x;", doctype=doctype))


def test_x03_the_usual_doctype_is_accepted_and_not_loaded():
    assert read_muse(document().encode()).machine == "Wide QRS rhythm"


def test_x04_deep_nesting_is_refused():
    deep = document().replace("<Waveform>", "<a>" * 200_000 + "</a>" * 200_000 + "<Waveform>")
    assert "deeper than 64" in refused(deep)


@pytest.mark.parametrize("text", ["Sinus <b>rhythm</b> LVH", "<i/>LVH", "LVH<br/>"])
def test_element_inside_a_text_that_is_read_is_refused(text):
    for machine, expert in ((text, "AF"), ("AF", text)):
        told = refused(document(machine, expert))
        assert told == "has an element inside StmtText, which is plain text"
    assert "inside Status" in refused(document(status="CONFIRMED<x/>"))
    assert read_muse(document("Sinus <!-- a note --> LVH").encode()).machine == "Sinus  LVH"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_x07_utf8_declared_as_latin1_is_read_as_utf8_and_counted(mark):
    reading = read_muse(mark + document("Müller½").encode())
    assert reading.machine == "Müller½"
    assert reading.notes == ("declared as a one-byte encoding, read as UTF-8",)


def test_x07_true_latin1_and_utf16_are_read_as_declared():
    assert read_muse(document("Müller").encode("latin-1")).machine == "Müller"
    text = document("Müller", declared="UTF-16")
    assert read_muse(text.encode("utf-16")).machine == "Müller"
    assert read_muse(document("Müller", declared="windows-1252").encode("cp1252")).machine == (
        "Müller"
    )


def test_x07_bytes_that_do_not_decode_are_refused():
    refused(document("M\u00fcller JOHN SMITH", declared="UTF-8").encode("latin-1"))
    refused(document(declared="x-unknown-99"))


def test_x10_cut_at_every_100th_byte_is_refused():
    data = (document() + "\n").encode()
    for cut in range(0, len(data) - 1, 100):
        refused(data[:cut])


def test_x10_real_export_cut_anywhere_is_refused(shared):
    data = (shared / "data" / "ge-muse-xml" / "muse_ecg1.xml").read_bytes()
    for cut in range(0, len(data) - 100, len(data) // 100):
        refused(data[:cut])


def test_x10_two_roots_other_roots_and_prefixes_are_refused():
    refused(document() + "<RestingECG/>")
    assert "not a RestingECG document" in refused("<SierraECG/>")
    prefixed = '<m:RestingECG xmlns:m="urn:x"><m:OriginalDiagnosis/></m:RestingECG>'
    assert "not a RestingECG document" in refused(prefixed)
    assert "twice" in refused(document().replace("<Waveform>", "<Diagnosis/><Waveform>"))


def test_x10_file_over_the_size_bound_is_not_read(tmp_path):
    path = tmp_path / "large.xml"
    with path.open("wb") as file:
        file.truncate(300 << 20)
    with pytest.raises(BadRecord, match="larger than"):
        read_whole(path, limit=LIMIT)


def test_x11_absent_and_unconfirmed_readings_are_counted(tmp_path, account):
    cases = {
        "a": document(),
        "b": document(machine=None),
        "c": document(status="UNCONFIRMED"),
        "d": document(status=""),
        "e": document(expert="AF\nUnconfirmed report"),
        "f": document(expert=None),
    }
    for name, text in cases.items():
        (tmp_path / f"{name}.XML").write_text(text)
    source, rows = account(tmp_path)
    assert [row[0] for row in rows if row[3]] == ["a", "b"]
    assert [row[0] for row in rows if row[2] is None] == ["b"]
    assert source.tally.notes["not over-read"] == 4
    assert source.tally.notes["no machine text"] == 1
    assert source.tally.notes["no expert text"] == 4


def test_bad_record_stops_the_run_by_number_or_is_counted(tmp_path, refusal, account):
    for name in ("a", "b_JOHN SMITH", "c"):
        (tmp_path / f"{name}.xml").write_text(document() if name[0] != "b" else "<RestingECG>")
    message = refusal(tmp_path, error=BadRecord)
    assert "record 2" in message
    assert "1 records before it were fine" in message
    source, rows = account(tmp_path, quarantine=True)
    assert source.quarantine == [(2, "bad_record")]
    assert [row[0] for row in rows] == ["a", "c"]


def test_same_stem_in_two_folders_is_a_duplicate(tmp_path, refusal, account):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.xml").write_text(document(folder))
    assert "1 rows repeat the id" in refusal(tmp_path)
    assert account(tmp_path, duplicates="first")[1][0][2] == "x"
    assert account(tmp_path, duplicates="last")[1][0][2] == "y"


def test_folder_fingerprint_is_one_entry_without_record_names(tmp_path):
    (tmp_path / "JOHN SMITH.xml").write_text(document())
    [before] = open_source(tmp_path).fingerprints()
    assert "JOHN" not in str(before)
    assert before.files == 1
    (tmp_path / "other.xml").write_text(document())
    assert open_source(tmp_path).fingerprints()[0].sha256 != before.sha256


def test_folder_without_records(tmp_path, refusal):
    assert "no .xml file" in refusal(tmp_path, error=UsageError, format="muse")
