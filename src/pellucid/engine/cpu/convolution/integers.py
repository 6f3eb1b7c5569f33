"""A convolution, or a matrix product, in 8-bit integers: filters packed, tables made."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np

from ....kernels.convolution.activation import Activation
from ....kernels.gemm.packing import HEIGHT, WIDTH
from ....kernels.integers.codes import Codes, Frame, encode
from ....kernels.integers.product import (
    BYTES,
    PAD,
    Epilogue,
    Results,
    Source,
    Tasks,
    Windows,
    multiply,
    narrow,
)
from ....kernels.jit import LANES
from ....memory import aligned_zeros
from ....nn.quantized import Quantized
from ....shapes import Windows as Sliding
from ....typing import Array
from ...reserved import Reserved, Use
from ..launch import launch
from ..steps.base import flat

__all__ = ["IntegerProduct", "Layout", "layout_of", "layout_of_rows"]

NEAR = 2**18  # bytes of the windows of a task, which stay in the level-2 cache
TILES, TASKS = 16, 16  # of a task at most; that a layer should have
BEYOND = 64  # bytes that a copy may read after the last code
NOTHING = np.zeros(1, np.float32)


class Layout(NamedTuple):
    """How the windows of a layer lie in its input, and whether it must be framed."""

    windows: Windows
    frame: Frame | None
    per_image: int  # windows


def layout_of(sliding: Sliding, channels: int, groups: int) -> Layout:
    """Return the layout of a convolution on channels-last images."""
    (h, w), (fh, fw), (oh, ow) = sliding.input, sliding.window, sliding.output
    ((top, bottom), (left, right)), (step_h, step_w) = sliding.padding, sliding.stride
    down, across = sliding.dilation
    depth, columns, rows = channels // groups, w + left + right, h + top + bottom
    pixels = (fh, fw) == (1, 1) and (rows, columns) == (h, w)
    frame = None if pixels else Frame(h, w, channels, rows, columns, top, left)
    line = columns * channels
    runs, run = np.arange(fh) * down * line, fw * depth
    if groups > 1 or across > 1:  # the numbers of a row of a window are not side by side
        runs, run = (runs[:, np.newaxis] + np.arange(fw) * across * channels).ravel(), depth
    windows = Windows(
        oh, ow, rows * line, step_h * line, step_w * channels, runs.astype(np.int64), run, depth
    )
    return Layout(windows, frame, oh * ow)


def layout_of_rows(per_image: int, depth: int) -> Layout:
    """Return the layout of a matrix product: each image is as many rows."""
    start = np.zeros(1, np.int64)
    windows = Windows(1, per_image, per_image * depth, 0, depth, start, depth, depth)
    return Layout(windows, None, per_image)


class IntegerProduct:
    """Windows of codes times filters of bytes, then float32."""

    def __init__(self, layout: Layout, columns: int, groups: int, batch: int) -> None:
        self.layout, self.columns, self.groups = layout, columns, groups
        s, frame = layout.windows, layout.frame
        self.panels = -(-columns // groups // WIDTH)  # of a group
        self.of_run = -(-s.run // BYTES)
        self.words = len(s.run_offset) * self.of_run
        self.filters = aligned_zeros(groups * self.panels * self.words * WIDTH)
        wide = groups * self.panels * WIDTH
        self.shift = np.zeros(wide, np.int32)
        self.factor, self.bias = aligned_zeros(wide), aligned_zeros(wide)
        self.how = Codes(np.float32(1), np.float32(0))
        size = 0 if frame is None else frame.rows * frame.columns * frame.c * batch
        self.codes = cast(Array, Reserved(Use.FORWARD, size + BEYOND, np.uint8))
        self.uses = (multiply,) if frame is None else (encode, multiply)

    def pack(self, layer: Quantized) -> None:
        """Take over the weights, the scales and the bias of a layer."""
        s, codes = self.layout.windows, layer.weight.data.astype(np.int8, copy=False)
        self.how = Codes(
            np.float32(1) / np.float32(layer.input_scale), np.float32(layer.zero_point)
        )
        w = codes if codes.ndim == 2 else codes.transpose(0, 2, 3, 1)
        panels = np.zeros(
            (self.groups, self.panels * WIDTH, len(s.run_offset), self.of_run * BYTES), np.int8
        )
        per_group = self.columns // self.groups
        panels[:, :per_group, :, : s.run] = w.reshape(self.groups, per_group, -1, s.run)
        cut = panels.reshape(self.groups, self.panels, WIDTH, self.words, BYTES)
        words = np.ascontiguousarray(cut.transpose(0, 1, 3, 2, 4)).view(np.float32)
        self.filters[:] = words.ravel()
        if narrow(per_group - (self.panels - 1) * WIDTH):
            last = self.filters.reshape(self.groups, self.panels, -1)[:, -1]
            last[:, : self.words * LANES] = words[:, -1, :, :LANES, 0].reshape(self.groups, -1)
        sums = codes.reshape(self.columns, -1).sum(axis=1, dtype=np.int32)
        self._spread(self.shift, -layer.zero_point * sums)
        scales = layer.weight_scale.data.astype(np.float32)
        self._spread(self.factor, np.float32(layer.input_scale) * scales)
        self._spread(self.bias, 0 if layer.bias is None else layer.bias.data)

    def __call__(
        self, x: Array, y: Array, n: int, activation: Activation, plus: Array | None = None
    ) -> None:
        """Write the outputs ``y`` of ``n`` images; add ``plus`` before the activation."""
        s, frame = self.layout.windows, self.layout.frame
        rows, numbers, codes = n * self.layout.per_image, flat(x), self.codes[:]
        if frame is not None:
            lines = n * frame.rows
            launch(encode, lines, lines * frame.columns * frame.c, numbers, codes, frame, self.how)
        tasks = self._tasks(rows, plus is not None)
        launch(
            multiply, tasks.down * tasks.across, rows * self.words * self.columns,
            Source(numbers, codes, self.how, frame is not None), self.filters,
            Results(flat(y), NOTHING if plus is None else flat(plus)), s, tasks,
            Epilogue(
                self.shift, self.factor, self.bias, np.float32(activation.a),
                np.float32(activation.b),
            ),
        )  # fmt: skip

    def _tasks(self, rows: int, added: bool) -> Tasks:
        """Return how the product is cut."""
        tiles, of_tile = -(-rows // HEIGHT), HEIGHT * (self.words * BYTES + PAD)
        down = -(-tiles // max(1, min(TILES, NEAR // of_tile)))
        across = min(self.groups * self.panels, -(-TASKS // down))
        return Tasks(rows, self.columns, down, across, self.groups, added)

    def _spread(self, panels: Array, columns: Any) -> None:
        """Write one number a column into panels."""
        per_group = self.columns // self.groups
        of_group = panels.reshape(self.groups, -1)[:, :per_group]
        of_group[...] = np.broadcast_to(columns, self.columns).reshape(self.groups, per_group)
