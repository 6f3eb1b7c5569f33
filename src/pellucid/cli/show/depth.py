"""``pellucid show depth``: what excites the units of each layer of a network."""

from __future__ import annotations

from typing import Annotated

import typer

from ...errors import ArgumentError, renamed
from ...names import shown
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..images import part_of
from ..models import model_file
from ..options import DataDirOption, DataOption, RunArgument, SplitOption
from ..terminal import bar

__all__ = ["command"]


def command(
    run: RunArgument,
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME,...",
            help="Layers to draw; classes means the scores. "
            "[dim]Default: five convolutions, first to last, and classes.[/dim]",
        ),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Units of one layer. [dim]Default: those with the largest values.[/dim]",
        ),
    ] = None,
    units: Annotated[
        int, typer.Option(metavar="N", min=1, max=50, help="Number of units per layer.")
    ] = 5,
    steps: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Steps of gradient ascent to an optimal input; 0 for none."
        ),
    ] = 200,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Use only N images, evenly spaced.")
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Seed of the noise that the ascent starts from.")
    ] = 0,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    split: SplitOption = "train",
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw the nine image patches that excite units most, and an input optimised to excite them.

    A patch is the receptive field of the unit; what lies outside the image is hatched.
    """
    import numpy as np
    from rich.markup import escape

    from ... import viz
    from ...formats import load

    require_deliverable(out, window)
    model = load(model_file(run))
    names = None
    if layers is not None:
        asked = [name.strip() for name in layers.split(",")]
        names = [None if name == "classes" else name for name in asked]
    numbers = None if channels is None else _numbers(channels)
    dataset = part_of(model, run, data, data_dir, split)
    if limit is not None and limit < len(dataset):
        dataset = dataset.subset(np.arange(limit) * len(dataset) // limit)
    many = len(names) if names is not None else len(viz.unit_layers(model)) + 1
    with bar() as progress:
        task = progress.add_task("", total=many * len(dataset))

        def advance(layer: str | None, images: int) -> None:
            what = shown(layer, 40) if layer else "classes"
            said = what if images else f"{what}: optimal inputs"
            progress.update(task, advance=images, description=escape(said))

        with renamed(layer="--layers", channels="--channels", count="--units"):
            found = viz.units_by_depth(
                model, dataset, layers=names, channels=numbers, most=units, steps=steps,
                seed=seed, on_batch=advance,
            )  # fmt: skip
    deliver(viz.depth(found), "depth", out, window=window)


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ArgumentError(
            f"must be numbers with commas between, as 0,3,7; received {text!r}.",
            where="--channels",
        )
    return [int(part) for part in parts]
