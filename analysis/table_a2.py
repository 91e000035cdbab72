"""Table A.2: the labels, their names and what each means, from the vocabulary in use."""

from __future__ import annotations

from experiment import FOLDER, write_result

import overread
from overread.report.document import Document, Section
from overread.report.table import Column, Table


def main() -> None:
    """Lists the labels of the vocabulary."""
    columns = (
        Column("label", "Label", "label"),
        Column("id", "Id", "text"),
        Column("meaning", "Counts", "text"),
        Column("snomed_ct", "SNOMED CT", "text"),
        Column("phrases", "Phrases", "count"),
    )
    vocabulary = overread.load_vocabulary()
    rows = tuple(
        (
            label.name,
            id,
            label.description,
            ", ".join(label.codes.snomed_ct),
            sum(ref.owner == id and ref.role == "phrase" for ref in vocabulary.phrases),
        )
        for id, label in vocabulary.labels.items()
    )
    table = Table("table_a2", "Labels (Table A.2)", columns, rows)
    section = Section("Vocabulary", (), (table,))
    write_result(Document("Table A.2", sections=(section,)), FOLDER)


if __name__ == "__main__":
    main()
