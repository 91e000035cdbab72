"""Label tables from elsewhere: read whole or refused by row, and what is not read is told."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overread.errors import TableError, UsageError
from overread.train.config import TrainConfig
from overread.train.label_table import read_label_table

IDS = pa.chunked_array([pa.array(["1", "2", "3"])])
WHOLE = "id,expert_af,expert_lvh,part\n1,1,0,train\n2,0,,val\n3,-1,1,\n"
CANARY = "JOHN CANARY SMITH"


def read(folder, text, **config):
    """The label table of these bytes or this text."""
    file = folder / "labels.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_label_table(TrainConfig(label_table=str(file), **config), IDS)


def refused(folder, text):
    with pytest.raises(TableError) as told:
        read(folder, text)
    assert CANARY not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        WHOLE.replace(",", ";"),
        WHOLE.replace(",", "\t"),
        WHOLE.replace("\n", "\r\n\r\n"),
        b"\xef\xbb\xbf" + WHOLE.encode(),
        WHOLE.replace("2,0,,", '2,"0",,').replace("1,1,0", "1,1.0,False"),
    ],
)
def test_t19_the_same_table_however_it_is_written(tmp_path, text):
    table = read(tmp_path, text)
    assert table.labels == ("af", "lvh")
    assert table.values("expert").tolist() == [[1, 0], [0, -1], [-1, 1]]
    assert table.splits("part").tolist() == ["train", "validation", ""]
    assert table.notes == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (WHOLE.replace("2,0", f'2,"{CANARY}'), "quote opened on row 2 (line 3) never closes"),
        (WHOLE.replace("lvh", "af"), "column 'expert_af' appears 2 times (2., 3. column)"),
        (WHOLE.replace("2,0", "2\0,0"), "row 2 (line 3) holds a NUL byte"),
        (WHOLE.replace("3,-1,1,", f"{CANARY},-1"), "row 3 (line 4) has 2 fields, the header has 4"),
        (WHOLE.replace("2,0", "2\xfc,0").encode("latin-1"), "row 2 (line 3) holds bytes that are"),
        (WHOLE.encode("utf-16"), "looks like UTF-16"),
        (WHOLE.splitlines()[0] + "\n", "has a header and 0 rows"),
        (b"PK\x03\x04xl/", "an Excel file"),
    ],
)
def test_malformed_text_is_refused_by_row_and_rule(tmp_path, text, told):
    assert told in refused(tmp_path, text)


@pytest.mark.parametrize("cell", ["NA", "nan", "NULL", "2", CANARY])
def test_t17_only_an_empty_cell_is_a_blank(tmp_path, cell):
    text = WHOLE.replace("2,0", f"2,{cell}")
    with pytest.raises(TableError, match="row 2, column 'expert_af': something else") as told:
        read(tmp_path, text).values("expert")
    assert CANARY not in str(told.value)
    # Of plain columns such a one is no label, and told.
    plain = read(tmp_path, text.replace("expert_", ""), split_column="part")
    assert plain.labels == ("lvh",)
    assert plain.notes == ["left out, not all 1, 0, -1 or blank: af"]


def test_p01_a_wrong_split_is_named_by_its_row(tmp_path):
    table = read(tmp_path, WHOLE.replace("val", CANARY))
    with pytest.raises(TableError, match=r"labels\.csv: row 2, column 'part'") as told:
        table.splits("part")
    assert CANARY not in str(told.value)
    with pytest.raises(UsageError, match=r"no column 'parts'\. The nearest is 'part'"):
        table.splits("parts")


def test_ids_of_parquet_are_whole_text(tmp_path):
    file = tmp_path / "labels.parquet"
    config = TrainConfig(label_table=str(file))
    broken = pa.array([b"1", b"2\xff", b"3"]).view(pa.string())
    for ids, told in ((broken, "not UTF-8"), (["1", "2\0", "3"], "row 2 holds a NUL byte")):
        pq.write_table(pa.table({"id": ids, "expert_af": [1, 0, 1]}), file)
        with pytest.raises(TableError, match=told):
            read_label_table(config, IDS)
    kinds = {"expert_a": [True, None, False], "expert_b": [1.0, np.nan, -1.0]}
    kinds["expert_c"] = pa.array(["1", None, " 0"]).dictionary_encode()
    pq.write_table(pa.table({"id": [1, 2, 3], **kinds}), file)
    values = read_label_table(config, IDS).values("expert")
    assert values.tolist() == [[1, 1, 1], [-1, -1, -1], [0, -1, 0]]


def test_t22_columns_like_labels_that_are_not_read_are_told(tmp_path):
    text = "id,expert_af,exprt_lvh,machine_af,machine_lvh,Machine_rvh,site\n1,1,0,1,0,1,North\n"
    table = read(tmp_path, text)
    assert table.labels == ("af",)
    assert table.notes == [
        "left out, no labels of the expert: exprt_lvh (near expert_lvh), machine_lvh, Machine_rvh"
    ]


def test_reads_without_polars_spacy_and_wfdb(tmp_path):
    (tmp_path / "t.csv").write_text(WHOLE)
    script = f"""
import sys
for name in ("polars", "spacy", "wfdb", "rapidfuzz"):
    sys.modules[name] = None  # importing it fails
import pyarrow as pa
from overread.train.config import TrainConfig
from overread.train.label_table import read_label_table
config = TrainConfig(label_table={str(tmp_path / "t.csv")!r})
print(read_label_table(config, pa.chunked_array([["1"]])).labels)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout == "('af', 'lvh')\n", done.stderr
