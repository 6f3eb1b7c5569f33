"""The algorithms of depthwise convolutions, whose every channel has one filter of its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....distributed import Share
from ....kernels.convolution import depthwise, depthwise_gradient
from ....kernels.convolution.activation import CLIP, NO_ACTIVATION, Activation
from ....kernels.convolution.depthwise import Band, Packed, Strip, strip_of
from ....kernels.convolution.layout import GatedGradient
from ....kernels.jit import LANES, REGISTERS
from ....kernels.tree import add_chunks, chunk_count
from ....memory import aligned_zeros
from ....shapes import Windows
from ....typing import Array
from ..launch import launch
from ..steps.base import flat
from .filter_gradients import partial_sums

__all__ = ["Depthwise", "DepthwiseGradient", "is_depthwise"]

PIXELS = 512  # of a strip: 32 KB with AVX-512, four of which stay near a core
NEAR = 2**20  # bytes of a band's rows with all their channels, which stay in a core's own cache
TASKS = 8  # that a batch should have at least
# Pixels of a tile: every number is a kernel to compile. 7 and 14 divide the rows of networks for
# 224x224 pixels, 4 and 8 those for 32x32.
HEIGHTS = (1, 2, 4, 7, 8, 14)


def is_depthwise(channels: int, filters: int, groups: int) -> bool:
    """Return whether each of several channels has one filter of its own."""
    return groups == channels == filters > 1


class Depthwise:
    """The output; with ``back``, the input's gradient."""

    name = "depthwise convolution"
    can_emit_channels_first, activates = False, True
    scratch = ("filters",)

    def __init__(self, windows: Windows, channels: int, *, back: bool = False) -> None:
        s = self.s = strip_of(windows, channels, back=back)
        vectors, self.taps = -(-channels // LANES), math.prod(windows.window)
        self.per, self.vectors = _band(s), vectors
        self.tile = (_height(s.ow // s.apart_w), s.step_w)
        self.filters = aligned_zeros((vectors, self.taps, LANES))
        self.row = aligned_zeros(vectors * LANES)
        self.bias = self.row[:channels].reshape(channels, 1, 1)
        self.uses = (self.kernel_for(NO_ACTIVATION),)
        self.work = s.oh * s.ow * channels * self.taps

    def kernel_for(self, activation: Activation) -> Any:
        """Return the kernel that also applies this activation."""
        return depthwise.forward(*self.tile, activation.kind != CLIP)

    def pack(self, w: Array) -> None:
        """Take over the filters (C, 1, FH, FW)."""
        whole = np.zeros((self.vectors * LANES, self.taps), dtype=np.float32)
        whole[: len(w)] = w.reshape(len(w), -1)
        self.filters[:] = whole.reshape(self.vectors, LANES, -1).transpose(0, 2, 1)

    def __call__(
        self, source: GatedGradient, n: int, y: Array, argmax: Array, activation: Activation,
        keep: bool = True,
    ) -> None:  # fmt: skip
        """Write the output ``y`` of ``n`` images."""
        s = self.s
        rows = -(-s.oh // s.apart_h)
        bands = -(-rows // self.per)
        parts = min(self.vectors, -(-TASKS // (n * bands)))
        packed = Packed(flat(self.filters), self.row, activation)
        launch(
            self.kernel_for(activation), n * bands * parts, n * self.work, source, packed, flat(y),
            s, Band(-(-rows // bands), bands, parts),
        )  # fmt: skip


class DepthwiseGradient:
    """The gradients of filters and bias."""

    scratch = ("sums",)

    def __init__(self, windows: Windows, channels: int, share: Share) -> None:
        s = self.s = strip_of(windows, channels)
        taps, vectors = math.prod(windows.window), -(-channels // LANES)
        self.places = np.ascontiguousarray(s.taps[::2])
        self.per = _band(s)
        passes = -(-taps // (REGISTERS - 6))
        self.kernel = depthwise_gradient.backward_weights(-(-taps // passes))
        self.share, self.chunks = share, chunk_count(vectors * taps * LANES, share.chunks)
        self.sums = partial_sums(share.count(self.chunks), vectors * taps * LANES, channels)
        self.uses = (self.kernel, depthwise_gradient.unpack)
        self.work = s.oh * s.ow * channels * taps

    def __call__(self, x: Array, dy: GatedGradient, dw: Array, db: Array) -> None:
        """Write the gradients of the filters (C, 1, FH, FW) and of the bias (C,)."""
        sums, bias, _ = self.sums
        launch(
            self.kernel, len(sums), len(x) * self.work, GatedGradient.of(x), dy,
            self.sums._replace(bounds=self.share.bounds(self.chunks)), self.places, self.s,
            self.per,
        )  # fmt: skip
        rows = dw.reshape(len(dw), -1)
        launch(depthwise_gradient.unpack, -(-len(dw) // LANES), sums.size, sums, rows)
        add_chunks(bias, 0, len(db))
        db[:] = bias[0]


def _band(s: Strip) -> int:
    """Return how many rows of a phase a band should have."""
    rows = -(-s.oh // s.apart_h)
    strip = (PIXELS // s.pitch - s.rows) // s.step_h + 1
    near = NEAR // (4 * s.c * (s.step_h * s.w + s.apart_h * s.ow))
    per = max(1, min(rows, max(strip, 2), max(near, 2)))
    return -(-rows // -(-rows // per))  # bands of nearly the same size


def _height(columns: int) -> int:
    """Return how many of a phase's pixels in a row make a tile: those of the narrowest phase."""
    fitting = [height for height in HEIGHTS if height <= max(1, columns) and height < REGISTERS - 3]
    return min(fitting, key=lambda height: (-(-columns // height) * max(height, 8), -height))
