"""Figure A.3: the weight of the unlabelled loss (lambda) in self-training.

Few ECGs have labels, --fraction 0.1 of the patients unless the options after -- say otherwise; the
others are learnt from without theirs. Lambda 0 is supervised training.
"""

from __future__ import annotations

from compare import write_comparison
from experiment import FEW, Experiment

_WEIGHTS = ("0", "0.1", "0.3", "1", "3")


def main() -> None:
    """Trains a model with each weight."""
    experiment = Experiment.from_command_line(__doc__)
    settings = {
        weight: experiment.train(
            f"self-training-few-lambda-{weight}",
            *("--paradigm", "self-training", *FEW, "--set", f"unlabeled_weight={weight}"),
        )
        for weight in _WEIGHTS
    }
    write_comparison(experiment, settings, title="Weight of the unlabelled loss", axis="Lambda")


if __name__ == "__main__":
    main()
