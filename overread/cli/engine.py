"""The ``--engine`` and ``--workers`` options, which several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Engine(StrEnum):
    """What works on the chunks of a long job."""

    processes = "processes"
    ray = "ray"


EngineOption = Annotated[
    Engine, typer.Option(help="Processes of this machine, or tasks of a Ray cluster.")
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes. Default: one per processor.")
]
