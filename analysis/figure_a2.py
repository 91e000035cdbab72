"""Figure A.2: ROC and precision-recall curves of the four paradigms, averaged over labels."""

from __future__ import annotations

from experiment import PARADIGMS, Experiment, write_result

import overread
from overread.report.document import Document


def main() -> None:
    """Trains a model of each paradigm and draws its curves on the same ECGs."""
    experiment = Experiment.from_command_line(__doc__)
    runs = [run for each in PARADIGMS for run in experiment.train(each, "--paradigm", each)]
    found = overread.evaluate(runs, experiment.labels)
    write_result(Document("Figure A.2", sections=(found.curves,)))


if __name__ == "__main__":
    main()
