"""A convolution's gradient for images of few channels, which a network's first layer has.

Nobody needs it there, but a script's own loop asks every layer for one.
"""

from __future__ import annotations

import numpy as np

from ...engine.cpu.launch import launch
from ...kernels.convolution import few_channels
from ...kernels.jit import LANES
from ...shapes import Windows
from ...typing import Array
from .buffers import take

__all__ = ["ImageGradient"]


class ImageGradient:
    """Called with dy (N, OH, OW, F) and filters (F, C, FH, FW), returns dx (N, C, H, W)."""

    def __init__(self, windows: Windows, channels: int, filters: int) -> None:
        self.windows, self.channels = windows, channels
        (fh, fw), (oh, ow) = windows.window, windows.output
        # Rows and columns that no window reads are left out of the padded image's rows.
        self.rows, self.pitch = max(oh + fh - 1, 0), ow + fw - 1
        # Column by column: a vector that overlaps the one just written would have to wait for it.
        v, c, u = np.ogrid[:fw, :channels, :fh]
        places = ((c * self.rows + u) * self.pitch + v).ravel()
        self.height = few_channels.tile_height(places.size)
        self.cells = -(-places.size // self.height) * self.height
        self.at = np.zeros(self.cells, dtype=np.int64)
        self.at[: places.size] = places
        self.w = np.zeros((filters, self.cells), dtype=np.float32)

    @staticmethod
    def serves(windows: Windows, channels: int) -> bool:
        """Return whether this is the way for such windows and images."""
        everything = windows.unread == (0, 0)
        one_by_one = windows.stride == windows.dilation == (1, 1)
        return channels < LANES and one_by_one and everything

    def __call__(self, dy: Array, w: Array) -> Array:
        """Return dx."""
        s, n = self.windows, len(dy)
        (h, wide), (oh, ow), ((top, _), (left, _)) = s.input, s.output, s.padding
        self.w[:, : w[0].size] = w.transpose(0, 3, 1, 2).reshape(len(w), -1)
        dx = take((n, self.channels, h, wide))
        launch(
            few_channels.spread(self.height), n, n * oh * ow * w.size, dy.reshape(dy.size),
            self.w.reshape(self.w.size), dx.reshape(dx.size), self.at, len(w), oh, ow,
            self.channels, h, wide, self.pitch, self.rows, top, left,
        )  # fmt: skip
        return dx
