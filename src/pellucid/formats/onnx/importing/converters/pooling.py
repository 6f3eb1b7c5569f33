"""Pooling: over windows, and over whole images."""

from __future__ import annotations

from .....nn import (
    AvgPool2d,
    GlobalAvgPool2d,
    GlobalLpPool2d,
    GlobalMaxPool2d,
    LpPool2d,
    Max,
    MaxPool2d,
    Mean,
)
from ..node import Reading
from ..registry import Unsupported, reads
from ..values import Image
from .sliding import slid, sliding

__all__: list[str] = []


@reads("MaxPool")
def _max_pool(node: Reading) -> Image:
    node.single_output()
    node.attribute("storage_order")  # of the indices, which are not computed
    window = sliding(node)
    layer = MaxPool2d(
        window.kernel_size, window.stride, window.padding, window.dilation, misfit=window.misfit
    )
    return slid(node, layer)


@reads("AveragePool")
def _average_pool(node: Reading) -> Image:
    count = bool(node.attribute("count_include_pad", 0))
    window = sliding(node)
    layer = AvgPool2d(
        window.kernel_size, window.stride, window.padding, count_include_pad=count,
        dilation=window.dilation, misfit=window.misfit,
    )  # fmt: skip
    return slid(node, layer)


@reads("LpPool")
def _lp_pool(node: Reading) -> Image:
    p = float(node.attribute("p", 2))
    window = sliding(node)
    layer = LpPool2d(
        p, window.kernel_size, window.stride, padding=window.padding, dilation=window.dilation,
        misfit=window.misfit,
    )  # fmt: skip
    return slid(node, layer)


@reads("GlobalAveragePool")
def _global_average(node: Reading) -> Image:
    x = node.image()
    whole = GlobalAvgPool2d() if len(x.shape) == 3 else Mean(_image_axes(x))
    return node.add(whole, x)


@reads("GlobalMaxPool")
def _global_max(node: Reading) -> Image:
    x = node.image()
    return node.add(GlobalMaxPool2d() if len(x.shape) == 3 else Max(_image_axes(x)), x)


@reads("GlobalLpPool")
def _global_lp(node: Reading) -> Image:
    return slid(node, GlobalLpPool2d(float(node.attribute("p", 2))))


def _image_axes(x: Image) -> tuple[int, ...]:
    if len(x.shape) < 2:
        raise Unsupported("it reads rows (N, C), where images (N, C, H, W) are needed")
    return tuple(range(2, x.rank))
