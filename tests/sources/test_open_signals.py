"""Opening signals: what a folder or file is, ids and patients, and what is refused (C05, W04)."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from overread.errors import BadRecord, OverreadError, TableError, UsageError
from overread.sources.open_signals import open_signals


def refused(path, error: type[OverreadError] = UsageError, **options) -> str:
    with pytest.raises(error) as caught:
        open_signals(path, **options)
    assert "Next step" in str(caught.value)
    return str(caught.value)


def test_keys_are_sorted_and_the_source_can_be_pickled(tmp_path, wfdb_record):
    for name in ("b/2", "a/10", "a/2", "c"):
        wfdb_record(name)
    source = open_signals(tmp_path)
    assert source.name == "wfdb"
    assert source.keys() == ("a/10.hea", "a/2.hea", "b/2.hea", "c.hea")
    assert list(map(source.id_of, source.keys())) == ["10", "2", "2", "c"]
    again = pickle.loads(pickle.dumps(source))
    assert np.array_equal(again.signal("c.hea").signal, source.signal("c.hea").signal)


@pytest.mark.parametrize("key", ["../r.hea", "/etc/passwd", "x.hea", "http://a/r.hea"])
def test_w04_keys_that_are_not_the_sources_are_refused(tmp_path, wfdb_record, opened, key):
    wfdb_record()
    source = open_signals(tmp_path)
    opened.clear()
    with pytest.raises(UsageError):
        source.signal(key)
    assert not opened


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a", "s3://bucket/a", "file:///etc/passwd"])
def test_w04_addresses_are_not_opened(opened, address):
    assert "Addresses" in refused(address)
    assert not opened


@pytest.mark.parametrize("name", ["r", "r.hea"])
def test_one_record_is_a_source_of_one_key(tmp_path, wfdb_record, name):
    wfdb_record()
    wfdb_record("other")
    assert open_signals(tmp_path / name).keys() == ("r.hea",)
    assert "header beside it" in refused(tmp_path / "r.dat")
    assert "no muse record" in refused(tmp_path / name, format="muse")


def test_ptbxl_ids_patients_and_rates(tmp_path, wfdb_record):
    wfdb_record("records100/00000/00007_lr")
    wfdb_record("records100/00000/00032_lr")
    wfdb_record("records500/00000/00032_hr")
    wfdb_record("records500/21000/21005_hr")
    (tmp_path / "scp_statements.csv").write_text(",description\nNORM,normal\n")
    (tmp_path / "ptbxl_database.csv").write_text("ecg_id,patient_id,age\n32,15709.0,50\n7,8,9\n")
    source = open_signals(tmp_path)
    assert source.name == "ptbxl"
    found = list(map(source.signal, source.keys()))
    assert [(one.id, one.patient_id) for one in found] == [("32", "15709"), ("21005", None)]
    assert source.notes == (
        "records500 is read and records100 is not; 1 ECGs are in records100 alone",
        "1 of 2 ECGs have no patient in a table beside the records",
    )


def test_ptbxl_with_one_ecg_of_two_patients_is_refused(tmp_path, wfdb_record):
    wfdb_record("00032_hr")
    (tmp_path / "a.csv").write_text("ecg_id,patient_id\n32,1\n32,2\n")
    assert "ECG 32 has two patients" in refused(tmp_path, TableError)


def test_names_stay_where_the_format_is_given(tmp_path, wfdb_record):
    wfdb_record("00032_hr")
    assert open_signals(tmp_path, format="wfdb").id_of("00032_hr.hea") == "00032_hr"
    assert open_signals(tmp_path).id_of("00032_hr.hea") == "32"


def test_challenge_is_known_by_its_mat_files(tmp_path, wfdb_record):
    (tmp_path / "A.hea").write_text("broken")
    for name in ("georgia/E00001", "ptb-xl/HR00032"):
        wfdb_record(
            name,
            edit=lambda text: text.replace(".dat", ".mat"),
            stored="16x1+24 1000(0)/mV",
            before=b"x" * 24,
        )
        dat = tmp_path / f"{name}.dat"
        dat.rename(dat.with_suffix(".mat"))
    source = open_signals(tmp_path)
    assert source.name == "challenge"
    assert list(map(source.id_of, source.keys())) == ["A", "E00001", "32"]
    assert source.signal("ptb-xl/HR00032.hea").id == "32"
    with pytest.raises(BadRecord):
        source.signal("A.hea")


MIMIC = "subject_id,study_id,file_name,ecg_time,path\n"


def test_mimic_records_are_those_of_the_list(tmp_path, wfdb_record):
    wfdb_record("files/p1000/p10000032/s40689238/40689238")
    (tmp_path / "record_list.csv").write_text(
        MIMIC + "10000032,40689238,40689238,2180,files/p1000/p10000032/s40689238/40689238\n"
        "10000033,7,7,2180,files/absent\n"
    )
    source = open_signals(tmp_path)
    assert source.name == "mimic"
    first, second = source.keys()
    assert [source.id_of(first), source.id_of(second)] == ["7", "40689238"]
    found = source.signal(second)
    assert (found.id, found.patient_id) == ("40689238", "10000032")
    with pytest.raises(BadRecord, match="not there"):
        source.signal(first)


@pytest.mark.parametrize(("path", "part"), [
    ("/etc/passwd", "leads out"), ("a/../../b", "leads out"), ("s3://b/r", "leads out"),
    ("", "no path"), ("files/1", "repeats a path"),
])  # fmt: skip
def test_w04_mimic_paths_that_lead_out_are_refused_by_row(tmp_path, path, part):
    rows = f"1,1,1,2180,files/1\n2,2,2,2180,{path}\n"
    (tmp_path / "record_list.csv").write_text(MIMIC + rows)
    message = refused(tmp_path, TableError)
    assert "row 2" in message
    assert part in message
    (tmp_path / "record_list.csv").write_text("subject_id,study_id\n1,2\n")
    assert "'path'" in refused(tmp_path, TableError)


def test_mimic_without_its_list_is_refused(tmp_path, wfdb_record):
    wfdb_record()
    assert "record_list.csv" in refused(tmp_path, format="mimic")


def test_folders_of_two_kinds_need_the_format(tmp_path, wfdb_record):
    wfdb_record()
    (tmp_path / "a.XML").write_text("<RestingECG/>")
    assert "--input-format wfdb or muse" in refused(tmp_path)
    assert open_signals(tmp_path, format="muse").keys() == ("a.XML",)
    assert open_signals(tmp_path, format="wfdb").keys() == ("r.hea",)


def test_empty_folders_and_other_files_say_what_is_read(tmp_path):
    assert "no .hea or .xml file" in refused(tmp_path)
    assert "no .xml file" in refused(tmp_path, format="muse")
    (tmp_path / "A1980.mat").write_bytes(b"MATLAB 5.0 MAT-file, Platform: PCWIN64")
    assert "MATLAB" in refused(tmp_path)
    assert "MATLAB" in refused(tmp_path / "A1980.mat")
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM")
    assert "no WFDB header and no MUSE XML" in refused(tmp_path / "a.dcm")
    assert "dicom" in refused(tmp_path, format="dicom")
    refused(tmp_path / "missing")


@pytest.mark.parametrize("kind", ["zip", "tar", "gzip"])
def test_c05_archives_are_never_unpacked(tmp_path, kind):
    path = tmp_path / "records.bin"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("../slipped.hea", "r 1 500 1")
    else:
        with tarfile.open(path, "w" if kind == "tar" else "w:gz") as archive:
            archive.addfile(tarfile.TarInfo("../slipped.hea"), io.BytesIO())
    assert "is not unpacked" in refused(path)
    path.rename(path.with_suffix(".zip"))
    assert "Archives are not unpacked" in refused(tmp_path)
    assert sorted(one.name for one in tmp_path.parent.glob("**/slipped*")) == []
