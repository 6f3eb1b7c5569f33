"""``pellucid show im2col``: the im2col matrix, with one row per window."""

from __future__ import annotations

from typing import Annotated

import typer

from ...shapes import shape_text
from ..figure_output import WindowOption
from ..gif_output import AnimatedOption, deliver_still_or_moving, is_moving, require_animated
from ..window_options import (
    BiasOption,
    DilationOption,
    MisfitOption,
    NumbersOption,
    PaddingOption,
    SeedOption,
    StepOption,
    StrideOption,
    sliding,
    told_by_options,
)
from .window import example

__all__ = ["command"]


def command(
    input_: NumbersOption = None,
    filter_: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="ROWS", help="A filter's numbers; once per filter."),
    ] = None,
    bias: BiasOption = None,
    step: StepOption = 1,
    stride: StrideOption = "1",
    padding: PaddingOption = "0",
    dilation: DilationOption = "1",
    misfit: MisfitOption = "floor",
    seed: SeedOption = 0,
    out: AnimatedOption = None,
    window: WindowOption = False,
) -> None:
    """Draw how im2col copies the windows of an image to rows of a matrix, and the matrix product.

    The cells of one window are lettered, and so are the columns they go to. With --out im2col.gif
    the window moves.
    """
    import numpy as np

    from ... import viz
    from ...errors import ArgumentError
    from ...shapes import slide

    require_animated(out, window)
    given: list[str | None] = list(filter_) if filter_ else [None]
    x, first, b = example(input_, given[0], bias, seed)
    others = [example(input_, text, bias, seed + k)[1] for k, text in enumerate(given[1:], 1)]
    shapes = sorted({w.shape for w in (first, *others)})
    if len(shapes) > 1:
        raise ArgumentError(
            "all filters must be of one size; received "
            f"{', '.join(shape_text(shape) for shape in shapes)}.",
            where="--filter",
        )
    w = np.stack([first, *others])
    how = sliding(stride, padding, dilation, misfit)
    with told_by_options("im2col", "--filter"):
        windows = slide(x.shape[1:], w.shape[2:], **how)
        moving = is_moving(out)
        deliver_still_or_moving(
            lambda k: viz.im2col(x, w, b, step=k or step, so_far=moving, **how),
            windows.count,
            "im2col",
            out,
            window=window,
        )
