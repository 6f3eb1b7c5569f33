"""``pellucid show depth``: what excites the units of a network, from the first layer on."""

from __future__ import annotations

from typing import Annotated

import typer

from ...errors import ArgumentError
from ...names import shown
from .. import runs
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..messages import as_options
from ..trained import DataDirOption, DataOption, RunArgument, SplitOption, images_of

__all__ = ["command"]


def command(
    run: RunArgument,
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME,...",
            help="Only these; classes stands for the scores. "
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
        int, typer.Option(metavar="N", min=1, max=50, help="How many units of a layer.")
    ] = 5,
    steps: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Of the ascent to an optimal input; 0 for none."),
    ] = 200,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Look at N images only, evenly chosen.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the ascent's noise.")] = 0,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    split: SplitOption = "train",
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw the nine image patches that excite units most, and an input made to excite them.

    A patch is what the unit sees of the image; what lies outside the image is hatched.
    """
    import numpy as np
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    from ... import viz
    from ...formats import load

    require_deliverable(out, window)
    model = load(runs.model_path(run))
    names = None
    if layers is not None:
        names = [name.strip() for name in layers.split(",")]
        names = ["" if name == "classes" else name for name in names]
    numbers = None if channels is None else _numbers(channels)
    train, test = images_of(model, run, data, data_dir)
    dataset = train if split == "train" else test
    if limit is not None and limit < len(dataset):
        dataset = dataset.subset(np.arange(limit) * len(dataset) // limit)
    many = len(names) if names is not None else len(viz.unit_layers(model)) + 1
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=many * len(dataset))

        def advance(layer: str, images: int) -> None:
            what = shown(layer, 40) if layer else "classes"
            said = what if images else f"{what}: optimal inputs"
            progress.update(task, advance=images, description=escape(said))

        with as_options(layer="--layers", channels="--channels", count="--units"):
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
