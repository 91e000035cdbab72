"""Figure A.4: the share of the unlabelled ECGs that self-training learns from.

Few ECGs have labels, --fraction 0.1 of the patients unless the options after -- say otherwise.
Without unlabelled ECGs it is supervised training.
"""

from __future__ import annotations

from compare import write_comparison
from experiment import FEW, Experiment

_SHARES = ("0.25", "0.5", "1")


def main() -> None:
    """Trains a model with each share."""
    experiment = Experiment.from_command_line(__doc__)
    settings = {"0": experiment.train("supervised-few", "--paradigm", "supervised", *FEW)}
    for share in _SHARES:
        settings[share] = experiment.train(
            f"self-training-few-share-{share}",
            *("--paradigm", "self-training", *FEW, "--unlabeled-fraction", share),
        )
    write_comparison(
        experiment, settings, title="Share of the unlabelled ECGs", axis="Share of patients"
    )


if __name__ == "__main__":
    main()
