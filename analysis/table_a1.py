"""Table A.1: labels that the expert added to and removed from the machine's reading."""

from __future__ import annotations

from experiment import Experiment, write_result

import overread
from overread.discrepancy.tables import table_a1
from overread.report.document import Document, Section


def main() -> None:
    """Counts both readings of the corpus."""
    experiment = Experiment.from_command_line(__doc__)
    found = overread.discrepancy(experiment.labels)
    table = table_a1(found.counts, found.pairs.name)
    write_result(Document("Table A.1", sections=(Section(experiment.about, (), (table,)),)))


if __name__ == "__main__":
    main()
