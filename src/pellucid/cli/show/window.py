"""``pellucid show window``: the window of a convolution, its products and their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import numbers
from ..figure_output import WindowOption
from ..gif_output import AnimatedOption, deliver_still_or_moving, is_moving, require_animated
from ..window_options import (
    BiasOption,
    DilationOption,
    FilterOption,
    MisfitOption,
    NumbersOption,
    PaddingOption,
    SeedOption,
    StepOption,
    StrideOption,
    sliding,
    told_by_options,
)

if TYPE_CHECKING:
    from ...typing import Array

__all__ = ["FILTER", "INPUT", "command", "example"]

# "Deep Learning from Scratch", section 7.2.2
INPUT, FILTER, BIAS = "1,2,3,0;0,1,2,3;3,0,1,2;2,3,0,1", "2,0,1;0,1,2;1,0,2", 3.0


def command(
    input_: NumbersOption = None,
    filter_: FilterOption = None,
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
    """Draw the window of a convolution on its input, with its products and their sum.

    Padding is dashed, unread cells are hatched. With --out window.gif the window moves.
    """
    from ... import viz
    from ...shapes import slide

    require_animated(out, window)
    x, w, b = example(input_, filter_, bias, seed)
    how = sliding(stride, padding, dilation, misfit)
    with told_by_options("window", "--filter"):
        windows = slide(x.shape[1:], w.shape[1:], **how)
        moving = is_moving(out)
        deliver_still_or_moving(
            lambda k: viz.window(x, w, b, step=k or step, so_far=moving, **how),
            windows.count,
            "window",
            out,
            window=window,
        )


def example(
    input_: str | None, filter_: str | None, bias: float | None, seed: int
) -> tuple[Array, Array, float]:
    """Return input (C, H, W), filter (C, FH, FW) and bias: those given, or the textbook's.

    With an input of several channels the filter is random by default: the textbook's has one.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    text = INPUT if input_ is None else input_
    x = numbers.array(text, "--input", rng=rng, default=(1, 4, 4), between=(0, 9))
    if filter_ is None:
        filter_ = FILTER if len(x) == 1 else "random"
        textbook = input_ is None
    else:
        textbook = False
    size = (len(x), 3, 3)
    w = numbers.array(filter_, "--filter", rng=rng, default=size, between=(-2, 2))
    return x, w, (BIAS if textbook else 0.0) if bias is None else bias
