"""The convolution step, with the ReLU and the max pooling that follow it."""

from __future__ import annotations

import numpy as np

from ..kernels import conv
from ..kernels.jit import LANES
from ..kernels.layout import Layout, layout, tap_tables
from ..nn import Conv2d
from ..shapes import Windows, slide
from ..typing import Array
from .steps import RectifiedStep, Shape

__all__ = ["ConvStep"]

CACHE = 2**19  # bytes that a core surely keeps near: half of a usual second-level cache
STEPS = 40  # of a weight-gradient tile; adding its lanes takes as long as some ten of them


class ConvStep(RectifiedStep):
    """Convolution and bias; ReLU and non-overlapping max pooling if they follow."""

    def __init__(
        self, name: str, layer: Conv2d, input_shape: Shape, batch: int, relu: bool, pool: int
    ) -> None:
        fn, oh, ow = layer.output_shape(input_shape)
        shape = (fn, oh // pool, ow // pool)
        super().__init__(name, shape, layer.multiply_adds(input_shape), batch, relu)
        self.kernel = "convolution" + " + relu" * relu + f" + max {pool}x{pool}" * (pool > 1)
        self.layer, self.pool = layer, pool
        c, groups = layer.in_channels, layer.groups
        windows = layer.windows(input_shape)
        self._arg = np.empty((batch, *shape) if pool > 1 else (1, 1, 1, 1), dtype=np.float32)
        self._z_shape = (fn, oh, ow)
        self._forward = _Convolution(windows, c, fn, groups, pool)
        lay, taps, reach = self._forward.layout, self._forward.taps, self._forward.reach
        # On small maps the gradient of the convolution's own output, which dx needs anyway, is the
        # shorter one to walk along.
        plain = layout(windows, c, groups)
        self._through_dz = pool > 1 and 1.2 * plain.reach(1) < pool * pool * reach
        if self._through_dz:
            lay, taps, reach = plain, tap_tables(windows, plain), plain.reach(1)
        self._gradient = _WeightGradient(lay, taps, reach, fn)
        self._adjoint = _adjoint(windows, fn, c, groups)
        self._no_bias = np.zeros(fn, dtype=np.float32)
        self._no_shift = np.zeros(c, dtype=np.float32)
        self._dx = np.empty((batch, *input_shape), dtype=np.float32)

    def forward(self, x: Array) -> Array:
        """Return the filters' answers."""
        self._x, y = x, self._y[: len(x)]
        w, b = self.layer.weight.data, self.layer.bias
        shift = self._no_bias if b is None else np.ascontiguousarray(b.data)
        self._forward(x, w, shift, y, self._arg, self.rectify)
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Leave the gradients of filters and bias; return that of the input."""
        dy = np.ascontiguousarray(dy, dtype=np.float32)
        n, layer = len(dy), self.layer
        y = self._y[:n]
        if self._through_dz or need_dx:
            dz = self._before_relu_and_pooling(dy, y)
        if self._through_dz:
            dw, db = self._gradient(self._x, dz, dz, dz, False)
        else:
            dw, db = self._gradient(self._x, dy, y, self._arg, self.rectify)
        layer.weight.grad = dw.reshape(layer.weight.data.shape)
        if layer.bias is not None:
            layer.bias.grad = db
        if not need_dx:
            return None
        dx = self._dx[:n]
        if self._adjoint is None:
            layer.remember(self._x)
            return np.ascontiguousarray(layer.backward(dz))
        flipped = _flipped(layer.weight.data, layer.groups)
        self._adjoint(dz, flipped, self._no_shift, dx, self._arg, False)
        return dx

    def _before_relu_and_pooling(self, dy: Array, y: Array) -> Array:
        if self.pool == 1:
            return self.unrectified(dy)
        if self._dz is None or self._dz.shape[1:] != self._z_shape:
            self._dz = np.empty((len(self._y), *self._z_shape), dtype=np.float32)
        dz = self._dz[: len(dy)]
        conv.unpool(dy, y, self._arg, dz, self.pool, self.rectify)
        return dz


class _Convolution:
    """The forward kernel with its rooms, for one kind of image."""

    def __init__(
        self,
        windows: Windows,
        channels: int,
        filters: int,
        groups: int,
        pool: int = 1,
        spread: tuple[int, int] = (1, 1),
    ) -> None:
        self.layout = layout(windows, channels, groups, pool, spread)
        self.taps = tap_tables(windows, self.layout, pool)
        tile = conv.tile_shape(filters // groups, self.layout)
        self.kernel = conv.forward(*tile)
        self.reach = self.layout.reach(tile[1])
        rooms = (conv.CHUNKS, filters * self.reach)
        self.xs = np.zeros((conv.CHUNKS, self.layout.room(self.reach)), dtype=np.float32)
        self.ys = np.zeros(rooms, dtype=np.float32)
        self.args = np.zeros(rooms if pool > 1 else (conv.CHUNKS, 1), dtype=np.float32)

    def __call__(self, x: Array, w: Array, b: Array, y: Array, arg: Array, rectify: bool) -> None:
        columns = np.ascontiguousarray(w.reshape(len(w), -1).T)  # a tile reads them in a run
        rooms = (self.xs, self.ys, self.args)
        self.kernel(x, columns, b, y, arg, *rooms, self.taps, self.layout, self.reach, rectify)


class _WeightGradient:
    """The weight-gradient kernel with its rooms, for one layout of the images."""

    def __init__(self, lay: Layout, taps: Array, reach: int, filters: int) -> None:
        self.layout, self.reach = lay, reach
        self.per_group, (cells, self.taps) = filters // lay.groups, taps.shape
        tall = _up(self.per_group, conv.INNER_ROWS) * lay.groups
        self.tables = np.zeros((cells, _up(self.taps, conv.INNER_COLUMNS)), dtype=np.int64)
        self.tables[:, : self.taps] = taps
        x_room, d_room = lay.room(reach), cells * tall * reach
        # Enough steps of a tile to make up for adding its lanes, if so many images fit in.
        wanted = _up(STEPS * LANES, cells * reach) // (cells * reach)
        self.together = max(1, min(wanted, CACHE // (4 * (x_room + d_room))))
        rooms = (conv.CHUNKS, self.together)
        self.xs = np.zeros((*rooms, x_room), dtype=np.float32).reshape(conv.CHUNKS, -1)
        self.ds = np.zeros((*rooms, d_room), dtype=np.float32).reshape(conv.CHUNKS, -1)
        self.dw = np.empty((conv.CHUNKS, tall, self.tables.shape[1]), dtype=np.float32)
        self.db = np.empty((conv.CHUNKS, filters), dtype=np.float32)

    def __call__(
        self, x: Array, dy: Array, y: Array, arg: Array, rectify: bool
    ) -> tuple[Array, Array]:
        lay, reach = self.layout, self.reach
        arg = arg if len(self.tables) > 1 else y  # never read
        sums, rooms = (self.dw, self.db), (self.xs, self.ds)
        conv.backward_weights(
            x, dy, y, arg, *sums, *rooms, self.tables, lay, reach, self.together, rectify
        )
        dw = self.dw.sum(axis=0).reshape(lay.groups, -1, self.tables.shape[1])
        dw = dw[:, : self.per_group, : self.taps]
        return np.ascontiguousarray(dw), self.db.sum(axis=0)


def _adjoint(windows: Windows, filters: int, channels: int, groups: int) -> _Convolution | None:
    """Return the convolution that turns dy into dx; None where it would need padding below 0."""
    sizes, padding = [], []
    for axis in (0, 1):
        extent, (before, _) = windows.extent[axis], windows.padding[axis]
        size = windows.stride[axis] * (windows.output[axis] - 1) + 1
        first = extent - 1 - before
        sizes.append(size)
        padding += [first, windows.input[axis] + extent - 1 - size - first]
    if min(padding) < 0:
        return None
    around = slide((sizes[0], sizes[1]), windows.window, 1, padding, windows.dilation)
    return _Convolution(around, filters, channels, groups, spread=windows.stride)


def _flipped(w: Array, groups: int) -> Array:
    """Return the filters (C, FN/groups, FH, FW) of the adjoint: flipped, ends exchanged."""
    fn, c, fh, fw = w.shape
    by_group = w[:, :, ::-1, ::-1].reshape(groups, fn // groups, c, fh, fw)
    return np.ascontiguousarray(by_group.swapaxes(1, 2)).reshape(groups * c, fn // groups, fh, fw)


def _up(n: int, k: int) -> int:
    return -(-n // k) * k
