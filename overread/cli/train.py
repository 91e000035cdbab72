"""``overread train``, ``config show``, ``predict``, ``export``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

config_app = typer.Typer(no_args_is_help=True, help="The settings of a training run.")

_RUNS: Final = Path("overread-out/runs")
_PREDICTIONS: Final = Path("overread-out/predictions")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="TOML file of settings, as config show prints them.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="One setting, KEY=VALUE; repeat it.")
]
ParadigmOption = Annotated[
    str | None, typer.Option(help="supervised (default), self-training, clip or negclip.")
]
PresetOption = Annotated[
    str | None, typer.Option(help="paper: the source paper to the letter, its record split too.")
]
ModelArgument = Annotated[Path, typer.Argument(help="Folder of a run, or a model.safetensors.")]
DeviceOption = Annotated[str | None, typer.Option(help="auto (default), cpu or cuda.")]
OverwriteOption = Annotated[bool, typer.Option(help="Replace what stands there.")]


def train(
    paradigm: ParadigmOption = None,
    labels: Annotated[
        str | None, typer.Option(help="Whose labels are learnt: expert (default) or machine.")
    ] = None,
    label_table: Annotated[
        Path | None,
        typer.Option(help="Folder of an extraction, or a table of id, expert_X, machine_X."),
    ] = None,
    split_column: Annotated[
        str | None, typer.Option(help="Column of the label table with train, validation, test.")
    ] = None,
    store: Annotated[Path | None, typer.Option(help="Store of the labelled ECGs.")] = None,
    unlabeled: Annotated[Path | None, typer.Option(help="Store of ECGs without labels.")] = None,
    fraction: Annotated[
        float | None, typer.Option(help="Share of the patients with labels, over 0 to 1.")
    ] = None,
    unlabeled_fraction: Annotated[
        float | None, typer.Option(help="Share of the patients without labels.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="For clip and negclip: statements or whole-report.")
    ] = None,
    text_encoder: Annotated[
        str | None, typer.Option(help="For clip and negclip: clip or bert.")
    ] = None,
    text_folder: Annotated[
        Path | None, typer.Option(help="Folder of tokenizer and weights of the text encoder.")
    ] = None,
    normalize: Annotated[str | None, typer.Option(help="mv (default), lead_z or record_z.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="auto (default), tiny, resnet18 or resnet50.")
    ] = None,
    init: Annotated[Path | None, typer.Option(help="A model whose encoder is the start.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the labelled ECGs.")] = None,
    lr: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed trains the same model.")] = None,
    device: DeviceOption = None,
    preset: PresetOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    auto_batch: Annotated[
        bool, typer.Option("--auto-batch", help="Halve the batch where memory runs out.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="Name of the run. Default: PARADIGM-LABELS.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    fork: Annotated[
        str | None, typer.Option(help="With --resume: go on as a run of its own, of this name.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show sizes, memory and time; write nothing.")
    ] = False,
    allow_unmatched: Annotated[
        bool, typer.Option("--allow-unmatched", help="Train though ECGs have no labels.")
    ] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Train a model on the labels of a reader and write it to overread-out/runs/NAME.

    After `overread signals synth` and `overread labels extract` it needs no options.
    """
    from overread.errors import UsageError
    from overread.train.config import configure

    paths = {
        "label_table": label_table,
        "store": store,
        "unlabeled": unlabeled,
        "text_folder": text_folder,
        "init": init,
    }
    configured = configure(
        config,
        {
            "paradigm": paradigm,
            "labels": labels,
            "split_column": split_column,
            "fraction": fraction,
            "unlabeled_fraction": unlabeled_fraction,
            "text": text,
            "text_encoder": text_encoder,
            "normalize": normalize,
            "encoder": encoder,
            "epochs": epochs,
            "lr": lr,
            "seed": seed,
            "device": device,
            "preset": preset,
            "allow_unmatched": allow_unmatched or None,
            "auto_batch": auto_batch or None,
            # Absolute, so that a run can be resumed from another folder.
            **{key: str(path.absolute()) for key, path in paths.items() if path is not None},
        },
        settings or (),
    )
    if fork is not None and resume is None:
        raise UsageError("--fork belongs to --resume. Next step: give --resume RUN too.")
    need_torch()
    from overread.train import run

    console = Console()
    if dry_run:
        run.dry_run(configured, console=console)
        return
    if resume is not None:
        target = None if fork is None else _RUNS / fork
        code = run.resume(resume, configured, console=console, fork=target)
    else:
        chosen = configured.config
        folder = _RUNS / (name or f"{chosen.paradigm}-{chosen.labels}")
        code = run.train(configured, folder, console=console, overwrite=overwrite)
    if code:
        raise typer.Exit(code)


@config_app.command()
def show(
    paradigm: ParadigmOption = None,
    preset: PresetOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
) -> None:
    """Print the settings as TOML, and what set each of them."""
    from overread.train.config import configure

    options = {"paradigm": paradigm, "preset": preset}
    typer.echo(configure(config, options, settings or ()).toml(), nl=False)


def predict(
    model: ModelArgument,
    source: Annotated[
        Path, typer.Argument(help="A store, or recordings as overread signals import reads them.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder. Default: overread-out/predictions/NAME.")
    ] = None,
    device: DeviceOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write the scores of a model for every window of SOURCE."""
    need_torch()
    from overread.evaluate.predict import predict as predict_source

    folder = model if model.is_dir() else model.parent
    code = predict_source(
        model,
        source,
        out or _PREDICTIONS / folder.absolute().name,
        device=device or "auto",
        overwrite=overwrite,
        console=Console(),
    )
    if code:
        raise typer.Exit(code)


def export(
    model: ModelArgument,
    program: Annotated[
        Path, typer.Option("--torch-export", help="The program's file, such as model.pt2.")
    ],
    overwrite: OverwriteOption = False,
) -> None:
    """Write a model as a torch.export program: int16 microvolts and norm in, scores out."""
    need_torch()
    from overread.train.model import export as export_model
    from overread.train.model import open_model

    export_model(open_model(model), program, overwrite=overwrite)
    Console().print(f"written: {program}", highlight=False)


def need_torch() -> None:
    from overread.errors import UsageError

    if find_spec("torch") is None:
        raise UsageError(
            "Training needs torch. Next step: python3 -m pip install 'overread[train]'"
        )
