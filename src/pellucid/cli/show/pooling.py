"""``pellucid show pooling``: the maxima, and where the gradient flows."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from .. import numbers
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..window_options import (
    DilationOption,
    MisfitOption,
    NumbersOption,
    PaddingOption,
    SeedOption,
    sliding,
    told_by_options,
)

__all__ = ["command"]

INPUT = "1,2,1,0;0,1,2,3;3,0,1,2;2,4,0,1"  # "Deep Learning from Scratch", section 7.3


def command(
    input_: NumbersOption = INPUT,
    size: Annotated[
        str, typer.Option(metavar="F", help="Cells of the window; or two: rows, columns.")
    ] = "2",
    stride: Annotated[
        str | None,
        typer.Option(
            metavar="S",
            help="Cells that the window moves by; or two. [dim]Default: its size.[/dim]",
        ),
    ] = None,
    kind: Annotated[
        Literal["max", "average", "both"],
        typer.Option(metavar="KIND", help="max, average or both."),
    ] = "both",
    gradient: Annotated[
        str | None,
        typer.Option(
            metavar="ROWS",
            help="Gradient of the output, one number per cell. [dim]Default: 1, 2, 3, ...[/dim]",
        ),
    ] = None,
    padding: PaddingOption = "0",
    dilation: DilationOption = "1",
    misfit: MisfitOption = "floor",
    seed: SeedOption = 0,
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw max and average pooling: the argmax of each window, and where the gradient flows."""
    import numpy as np

    from ... import viz
    from ...ops import pool2d_windows

    require_deliverable(out, window)
    rng = np.random.default_rng(seed)
    x = numbers.array(input_ or INPUT, "--input", rng=rng, default=(1, 4, 4), between=(0, 9))
    how = sliding(stride, padding, dilation, misfit)
    with told_by_options("pooling", "--size"):
        cells = numbers.two(size, "--size")
        windows = pool2d_windows(x.shape, cells, **how)
        shape = (len(x), *windows.output)
        dy = None
        if gradient is not None:
            dy = numbers.array(gradient, "--gradient", rng=rng, default=shape, between=(-9, 9))
        figure = viz.pooling(x, cells, dy=dy, kind=kind, **how)
    deliver(figure, "pooling", out, window=window)
