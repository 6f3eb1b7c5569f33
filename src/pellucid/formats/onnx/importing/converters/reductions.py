"""Reductions: means, sums and extremes over axes."""

from __future__ import annotations

from collections.abc import Callable

from .....nn import (
    Abs,
    Add,
    Exp,
    GlobalAvgPool2d,
    Layer,
    Log,
    Max,
    Mean,
    Min,
    Power,
    Sqrt,
    Subtract,
    Sum,
)
from ..node import Reading
from ..registry import reads
from ..values import Image
from .layout import reshaped

__all__: list[str] = []

Reduction = Callable[..., Layer]


def _axes(node: Reading) -> tuple[tuple[int, ...], bool] | None:
    """Return the axes and whether to keep them; None if nothing is reduced."""
    keep = bool(node.attribute("keepdims", 1))
    x = node.image()
    axes = node.axes(1, x.rank)
    if not axes:
        if node.attribute("noop_with_empty_axes", 0):
            return None
        node.axis(0, x.rank)  # all axes, also that of the images
    node.attribute("noop_with_empty_axes")
    return tuple(sorted(axes or ())), keep


def _register(
    operator: str, reduction: Reduction, before: Reduction | None, after: Reduction | None
) -> None:
    def convert(node: Reading) -> Image:
        x, found = node.image(), _axes(node)
        y = x if before is None else node.add(before(), x, part="before")
        if found is not None:
            axes, keep = found
            layer = reduction(axes, keepdims=keep)
            if reduction is Mean and keep and axes == (2, 3) and x.rank == 4:
                layer = GlobalAvgPool2d()
            y = node.add(layer, y)
        return y if after is None else node.add(after(), y, part="after")

    reads(operator)(convert)


def _square() -> Layer:
    return Power(2)


_register("ReduceMean", Mean, None, None)
_register("ReduceSum", Sum, None, None)
_register("ReduceMax", Max, None, None)
_register("ReduceMin", Min, None, None)
_register("ReduceL1", Sum, Abs, None)
_register("ReduceL2", Sum, _square, Sqrt)
_register("ReduceSumSquare", Sum, _square, None)
_register("ReduceLogSum", Sum, None, Log)


@reads("ReduceLogSumExp")
def _log_sum_exp(node: Reading) -> Image:
    """Add m + log Σ e^(x - m), with the largest number m: no number overflows."""
    x, found = node.image(), _axes(node)
    if found is None:
        return x
    axes, keep = found
    largest = node.add(Max(axes), x, part="max")
    centred = node.add(Subtract(), x, largest, part="centred")
    total = node.add(Sum(axes), node.add(Exp(), centred, part="exp"), part="sum")
    y = node.add(Add(), node.add(Log(), total, part="log"), largest, part="" if keep else "kept")
    kept = tuple(size for axis, size in enumerate(x.shape, 1) if axis not in axes)
    return y if keep else reshaped(node, y, kept)
