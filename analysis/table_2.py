"""Table 2: learnt from machine labels or from expert labels, tested on either."""

from __future__ import annotations

from experiment import Experiment, write_result

import overread
from overread.report.document import Document, Section


def main() -> None:
    """Trains a supervised model on each reader's labels and tests them on the same ECGs."""
    experiment = Experiment.from_command_line(__doc__)
    runs = experiment.train("supervised-machine", "--labels", "machine")
    runs += experiment.train("supervised", "--paradigm", "supervised")
    table = overread.evaluate(runs, experiment.labels).table_2
    write_result(Document("Table 2", sections=(Section(experiment.about, (), (table,)),)))


if __name__ == "__main__":
    main()
