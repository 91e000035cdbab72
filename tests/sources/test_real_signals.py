"""Every real record reads as wfdb reads it, or is refused for the right reason."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from overread.errors import BadRecord, UsageError
from overread.sources.open_signals import open_signals

LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")

READ = [  # folder, format, records, shape, Hz, records with a patient
    ("norwegian-athlete-ecg", "wfdb", 14, (12, 5000), 500, 0),
    ("ptb-xl", "ptbxl", 40, (12, 5000), 500, 15),
    ("ptb-xl/records100", "ptbxl", 200, (12, 1000), 100, 0),
    ("ptb-xl-500/fold01/00032_hr", "ptbxl", 1, (12, 5000), 500, 0),
    ("challenge-2021", "challenge", 50, (12, 5000), 500, 0),
    ("ptbdb", "wfdb", 1, (12, 38400), 1000, 0),
    ("ludb", "wfdb", 1, (12, 5000), 500, 0),
    ("ge-muse-xml", "muse", 3, (12, 5000), 500, 3),
]
REFUSED = [  # folder, format, records, reason
    ("wfdb-formats", "wfdb", 2, "has 0 of the 12 standard leads"),
    ("philips-sierra-xml", "muse", 3, "is not a RestingECG document"),
    ("hl7-aecg", "muse", 2, "is not a RestingECG document"),
    ("mimic-iv-ecg", "mimic", 1, "names a file that is not there"),
]


@pytest.mark.parametrize(("folder", "format", "records", "shape", "fs_hz", "patients"), READ)
def test_real_records_are_read(shared, folder, format, records, shape, fs_hz, patients):
    source = open_signals(shared / "data" / folder)
    found = list(map(source.signal, source.keys()))
    assert (source.name, len(found)) == (format, records)
    assert {(one.signal.shape, one.fs_hz, one.remarks) for one in found} == {(shape, fs_hz, ())}
    assert sum(one.patient_id is not None for one in found) == patients
    assert [one.id for one in found] == list(map(source.id_of, source.keys()))
    assert len({one.id for one in found}) == records
    assert all(np.isfinite(one.signal).all() for one in found)


@pytest.mark.parametrize(("folder", "format", "records", "reason"), REFUSED)
def test_other_real_files_are_refused_by_reason(shared, folder, format, records, reason):
    source = open_signals(shared / "data" / folder)
    reasons = Counter()
    keys = source.keys()
    for key in keys:
        with pytest.raises(BadRecord) as caught:
            source.signal(key)
        reasons[str(caught.value)] += 1
    assert (source.name, reasons) == (format, {reason: records})


@pytest.mark.parametrize("folder", ["cpsc2018", "code-15"])
def test_matlab_files_without_headers_are_not_a_format(shared, folder):
    with pytest.raises(UsageError, match="MATLAB files are read only beside WFDB headers"):
        open_signals(shared / "data" / folder)


def same_as_wfdb(folder, format) -> int:
    """How many records are the same; all values, as float32, and the rate."""
    wfdb = pytest.importorskip("wfdb")
    source = open_signals(folder, format=format)
    keys = source.keys()
    for key in keys:
        found = source.signal(key)
        record = wfdb.rdrecord(str(folder / key.removesuffix(".hea")))
        order = [[name.lower() for name in record.sig_name].index(lead) for lead in LEADS]
        expected = record.p_signal[:, order].T.astype(np.float32)
        assert np.array_equal(found.signal, expected), key
        assert found.fs_hz == record.fs
    return len(keys)


@pytest.mark.filterwarnings("ignore")  # of pandas, for what wfdb does
@pytest.mark.parametrize(("folder", "records"), [
    ("norwegian-athlete-ecg", 14), ("challenge-2021", 50), ("ptbdb", 1), ("ludb", 1),
    ("ptb-xl/records500", 40),
    pytest.param("ptb-xl/records100", 200, marks=pytest.mark.slow),
    pytest.param("ptb-xl-500", 1441, marks=pytest.mark.slow),
])  # fmt: skip
def test_all_values_are_those_of_wfdb(shared, folder, records):
    assert same_as_wfdb(shared / "data" / folder, "wfdb") == records


def test_odd_real_records(shared):
    challenge = shared / "data" / "challenge-2021"
    source = open_signals(challenge)
    for number in range(20_000, 20_020):
        found = source.signal(f"ningbo/JS{number}.hea").signal
        flat = [LEADS[place] for place in range(12) if np.ptp(found[place]) == 0]
        assert flat == (["v2", "v4", "v6"] if number in (20_004, 20_008) else [])
    assert source.id_of("ptb-xl/HR06000.hea") == "6000"
    assert "/mv " in (challenge / "ptb-xl" / "HR06000.hea").read_text()
