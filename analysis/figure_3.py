"""Figure 3: learning from single statements against whole reports, the text encoder held fixed."""

from __future__ import annotations

from compare import write_comparison
from experiment import Experiment


def main() -> None:
    """Trains CLIP and NegCLIP on either kind of text."""
    experiment = Experiment.from_command_line(__doc__)
    settings = {
        f"{title}\n{text}": experiment.train(
            paradigm if text == "statements" else f"{paradigm}-{text}",
            *("--paradigm", paradigm, "--text", text),
        )
        for paradigm, title in (("clip", "CLIP"), ("negclip", "NegCLIP"))
        for text in ("statements", "whole-report")
    }
    write_comparison(
        experiment, settings, title="Single statements and whole reports", axis="Learnt from"
    )


if __name__ == "__main__":
    main()
