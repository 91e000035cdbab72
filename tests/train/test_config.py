"""What a run is told: precedence, refusals, the paper's preset."""

from __future__ import annotations

import tomllib

import pytest

from overread.errors import UsageError
from overread.train.config import TrainConfig, changed, configure, from_values


def test_later_sources_win_and_are_named(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('preset = "paper"\nepochs = 7\nseed = 1\nlr = 0.5\n')
    made = configure(file, {"seed": 2, "lr": 0.25, "encoder": None}, ["lr=0.125"])
    assert (made.config.epochs, made.config.seed, made.config.lr) == (7, 2, 0.125)
    origins = [made.origin.get(key) for key in ("epochs", "seed", "lr", "patience", "labels")]
    assert origins == ["run.toml", "option", "--set", "preset paper", None]


def test_printed_toml_gives_the_same_config(tmp_path):
    made = configure(
        options={"store": 'a "b" \\c', "weight_decay": 1e-7}, settings=["augment=false"]
    )
    file = tmp_path / "again.toml"
    file.write_text(made.toml())
    assert tomllib.loads(made.toml())["augment"] is False
    assert configure(file).config == made.config


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("learning_rat=1", "no key 'learning_rat'"),
        ("epoch=3", "Did you mean 'epochs'"),
        ("epochs", "has no '='"),
        ("epochs=2.5", "give a int"),
        ("augment=yes", "give a bool"),
        ("fraction=0", "fraction is 0"),
        ("fraction=nan", "fraction is nan"),
        ("encoder=resnet34", "'resnet18'"),
        ("split=record", "--preset paper"),
    ],
)
def test_wrong_settings_are_refused_with_the_way_out(setting, told):
    with pytest.raises(UsageError, match=told):
        configure(settings=[setting])


def test_types_in_toml_are_checked(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('epochs = "3"\n')
    with pytest.raises(UsageError, match=r"run\.toml: epochs is '3'"):
        configure(file)
    file.write_text("epochs = true\n")
    with pytest.raises(UsageError, match="epochs is True"):
        configure(file)
    file.write_text("epochs = \n")
    with pytest.raises(UsageError, match="no TOML"):
        configure(file)
    file.write_text("lr = 1\n")  # a whole number is a number
    assert configure(file).config.lr == 1.0


def test_paper_preset_is_what_the_method_says():
    # METHOD, "Training": AdamW 1e-4, 1e-4, 100 epochs, 512 or 256, patience 10.
    for paradigm, batch in (
        ("supervised", 512),
        ("self-training", 512),
        ("clip", 256),
        ("negclip", 256),
    ):
        paper = configure(options={"preset": "paper", "paradigm": paradigm}).config
        assert (paper.lr, paper.weight_decay, paper.epochs, paper.patience) == (1e-4, 1e-4, 100, 10)
        assert paper.batch == batch
        assert (paper.encoder, paper.normalize, paper.split) == ("resnet50", "lead_z", "record")
        assert (paper.mask, paper.contrast, paper.threshold) == (
            "paper-eq2",
            "paper-identity",
            0.95,
        )


def test_r17_changed_keys_are_listed_but_not_those_of_the_machine():
    old = TrainConfig(lr=0.1, epochs=3)
    assert changed(old, TrainConfig(lr=0.1, epochs=3, device="cpu", precision="fp32")) == []
    assert changed(old, TrainConfig(lr=0.2, epochs=4)) == ["epochs 3 -> 4", "lr 0.1 -> 0.2"]


def test_stored_values_come_back():
    config = configure(options={"epochs": 3, "lr": 0.5}).config
    from dataclasses import asdict

    assert from_values(asdict(config)) == config
