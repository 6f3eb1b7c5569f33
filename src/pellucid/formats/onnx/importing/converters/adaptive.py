"""Pooling over bins that cover the image, which ONNX does not have and PyTorch does."""

from __future__ import annotations

from collections.abc import Callable

from .....nn import AdaptiveAvgPool2d, AdaptiveMaxPool2d, Layer
from ..node import Reading
from ..registry import reads
from ..values import Image
from .sliding import slid

__all__: list[str] = []


def _bins(operator: str, layer: Callable[[tuple[int, int]], Layer]) -> None:
    @reads(operator, domain="pellucid")
    def convert(node: Reading) -> Image:
        sizes = node.integers("output_size")
        rows, columns = sizes if len(sizes) == 2 else (1, *sizes)  # a signal is one row
        return slid(node, layer((rows, columns)))


_bins("AdaptiveAveragePool", AdaptiveAvgPool2d)
_bins("AdaptiveMaxPool", AdaptiveMaxPool2d)
