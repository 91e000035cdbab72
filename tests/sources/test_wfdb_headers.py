"""Reports in WFDB header comments."""

from __future__ import annotations

import os

import pytest

from overread.errors import BadRecord, UsageError
from overread.sources.wfdb_headers import read_comments

HEADER = "r 12 500 5000\r\nr.dat 16 50000/mV 16 0 1 1 0 I\r\n"


def test_real_headers_are_read_as_by_eye(shared, account):
    source, rows = account(shared / "data" / "norwegian-athlete-ecg")
    assert [row[0] for row in rows] == [f"ath_{n:03d}" for n in range(1, 15)]
    assert all(row[2] and row[3] for row in rows)
    assert rows[0][2:] == (
        "Sinus bradycardia with marked sinus arrhythmia, Right axis deviation, Borderline ECG",
        "Sinus arrhythmia,  Normal ECG",
    )
    assert rows[10][3] == "Sinus arrhythmia, Normal ECG"  # no line end behind it
    assert not any("\r" in text for row in rows for text in row[2:])
    assert sum("***Critical test result: STEMI" in row[2] for row in rows) >= 1
    assert source.tally.used == 14


def test_beginnings_are_options_and_several_comments_are_lines():
    data = HEADER + "#Age: 40\n# GE: AF\n#GE:  Abnormal ECG \n#MD: Sinus: rhythm"
    found = read_comments(data.encode(), machine_comment="GE:", expert_comment="MD:")
    assert (found.machine, found.expert) == ("AF\nAbnormal ECG", "Sinus: rhythm")


def test_absent_comment_is_none_and_an_empty_one_is_empty():
    found = read_comments((HEADER + "#C:\n").encode())
    assert (found.machine, found.expert) == (None, "")


@pytest.mark.parametrize("data", [
    b"", b"\0" * 40, HEADER.encode() + b"#C: JOHN SMITH\0", b"#C: JOHN SMITH", b"JOHN SMITH\n",
    HEADER.encode() + b"#C: M\xfcller JOHN SMITH",
])  # fmt: skip
def test_bad_headers_are_bad_records(data):
    with pytest.raises(BadRecord) as caught:
        read_comments(data)
    assert "JOHN" not in str(caught.value)


def test_encoding_option_reads_latin1():
    data = (HEADER + "#C: Müller").encode("latin-1")
    assert read_comments(data, encoding="latin-1").expert == "Müller"


def test_large_headers_links_and_pipes_are_bad_records(tmp_path, refusal, account):
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / "a.hea").write_text(HEADER + "#C: AF\n")
    (folder / "b.hea").write_text(HEADER + "#C: " + "x" * 70_000)
    os.mkfifo(folder / "c.hea")
    (tmp_path / "secret.hea").write_text(HEADER + "#C: JOHN SMITH\n")
    (folder / "d.hea").symlink_to(tmp_path / "secret.hea")
    message = refusal(folder, error=BadRecord)
    assert "record 2" in message
    assert "larger than" in message
    source, rows = account(folder, quarantine=True)
    assert [row[0] for row in rows] == ["a"]
    assert source.tally.rows_in == 2  # pipes and links are no records


def test_no_such_comment_anywhere_is_refused(tmp_path, refusal):
    (tmp_path / "a.hea").write_text(HEADER + "#Dx: 1\n")
    message = refusal(tmp_path)
    assert "#SL12: or #C:" in message
    assert "--machine-comment" in message


def test_equal_beginnings_are_a_usage_error(tmp_path, refusal):
    (tmp_path / "a.hea").write_text(HEADER)
    refusal(tmp_path, error=UsageError, machine_comment="C:")
