"""The step of local response normalisation, over channels-last images or plain rows (N, C)."""

from __future__ import annotations

from typing import Any

from ....kernels import normalization
from ....memory import aligned_zeros
from ....nn import LocalResponseNorm
from ....typing import Array, Shape
from .base import serves
from .pixel_blocks import PixelBlockStep

__all__ = ["LocalResponseNormStep"]


@serves(LocalResponseNorm)
class LocalResponseNormStep(PixelBlockStep):
    """Local response normalisation."""

    layer: LocalResponseNorm
    kernel = "local response norm"
    passes = (normalization.local_response, normalization.local_response_backward)

    def __init__(self, name: str, layer: LocalResponseNorm, input_shape: Shape, batch: int) -> None:
        block = normalization.RESPONSE_BLOCK
        super().__init__(name, layer.output_shape(input_shape), batch, block)
        self.layer = layer
        self._make_scratch()

    @classmethod
    def takes(cls, layer: LocalResponseNorm, input_shape: Shape) -> bool:
        """Return whether the channels are the last axis, in the layout of the step."""
        return len(input_shape) in (1, 3)

    def forward(self, x: Array) -> Array:
        """Return the normalised ``x``."""
        self._x, y = x, self._y[: len(x)]
        self._respond(normalization.local_response, x, y)
        return y

    def repeats(self, images: int) -> bool:
        """Return True: it is a kernel."""
        return True

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the gradient for the input."""
        if not need_dx:
            return None
        dx = self._dx[: len(dy)]
        self._respond(normalization.local_response_backward, dy, self._x, dx)
        return dx

    def _respond(self, kernel: Any, *images: Array) -> None:
        n, layer = self.layer.size, self.layer
        if n != self._neighbours:
            self._make_scratch()
        k, alpha, beta = float(layer.k), float(layer.alpha / n), float(layer.beta)
        response = normalization.Response(self.channels, n, k, alpha, beta)
        self._run(kernel, 2 * n, images, self._scratch, response, self._per)

    def _make_scratch(self) -> None:
        neighbours = self.layer.size
        width = normalization.response_width(self.channels, neighbours)
        self._scratch = aligned_zeros((self._blocks(self._y), 5, width))
        self._neighbours = neighbours  # last: what fits it is there, also if Ctrl-C came
