"""Table 1: the four paradigms side by side, learnt from and tested on expert labels."""

from __future__ import annotations

from experiment import PARADIGMS, Experiment, write_result

import overread
from overread.report.document import Document, Section


def main() -> None:
    """Trains a model of each paradigm and tests them on the same ECGs."""
    experiment = Experiment.from_command_line(__doc__)
    runs = [run for each in PARADIGMS for run in experiment.train(each, "--paradigm", each)]
    table = overread.evaluate(runs, experiment.labels).table_1
    write_result(Document("Table 1", sections=(Section(experiment.about, (), (table,)),)))


if __name__ == "__main__":
    main()
