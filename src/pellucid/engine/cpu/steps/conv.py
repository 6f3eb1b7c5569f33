"""The convolution step, with the ReLU and the max pooling that follow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from ....distributed import Share
from ....kernels import transposition
from ....kernels.convolution.activation import NO_ACTIVATION, RELU, Activation
from ....kernels.convolution.layout import GatedGradient
from ....kernels.pool.threads import run_python
from ....memory import aligned_zeros
from ....nn import Conv2d, Layer, MaxPool2d, ReLU
from ....typing import Array, Shape
from ...reserved import Reserved, Use
from ...step import Step
from ..convolution.choice import filter_gradient, input_gradient, output
from ..convolution.grouped import is_narrow
from ..convolution.products import Product
from ..transposing import transpose_images
from .base import serves, weights

__all__ = ["ConvStep"]

LARGEST_POOL = 4  # cells a side; larger windows gain nothing from going with a convolution


@serves(Conv2d)
class ConvStep(Step):
    """Convolution and bias; ReLU and max pooling without overlap if they follow."""

    channels_last = by_image = True
    sums_by_share = True

    def __init__(
        self, name: str, layer: Conv2d, input_shape: Shape, batch: int,
        relu: bool = False, pool: int = 1,
    ) -> None:  # fmt: skip
        fn, oh, ow = layer.output_shape(input_shape)
        super().__init__(name, (fn, oh // pool, ow // pool), layer.multiply_adds(input_shape))
        self.layer, self.relu, self.pool = layer, relu, pool
        c, h, w = input_shape
        self._shape = (fn, c // layer.groups, *layer.windows(input_shape).window)
        self._geometry = (layer.windows(input_shape), c, fn, layer.groups, pool)
        self._whole = 0
        self.divide(self.share, batch)
        shape = (batch, oh // pool, ow // pool, fn)
        self._y = self.output(shape)
        self._argmax = self.kept(shape if pool > 1 else (1,), np.uint8)
        self._biased = False  # whether the bias of the kernel may be other than zero
        self._packed: bool | None = None  # whether the filters are folded; None before they are
        self.reads_output = relu and pool == 1  # as the gate
        self.norm: Any = None  # the step of a batch norm that is the only reader of the output
        self.activation: Any = None  # that of an activation which is, of it or of the batch norm's
        self.sum: Any = None  # that of a sum which is, of one of these and another value
        # What only training needs comes with the first backward.
        self._filter_gradient: Any = None
        self._input_gradient: Any = None
        self._db = aligned_zeros(0)
        self._dx = self.input_gradient((batch, h, w, c))
        self._transpose: tuple[int, ...] = ()
        self._dy = aligned_zeros(0)

    def divide(self, share: Share, batch_size: int) -> None:
        """Choose the algorithms by the whole batch."""
        super().divide(share, batch_size)
        if batch_size == self._whole:
            return
        self._whole = batch_size
        of = *self._geometry, batch_size, self.precision
        self._when_frozen = output(*of, frozen=True)
        self._take_output(self._when_frozen if self.frozen else output(*of))

    def _take_output(self, algorithm: Any) -> None:
        self._output, pool = algorithm, self.pool
        self.kernel = self._output.name + " + relu" * self.relu
        self.kernel += f" + max {pool}x{pool}" * (pool > 1)

    def compute_in(self, precision: str) -> None:
        """Choose the algorithms anew, if the precision is another."""
        if precision != self.precision:
            self._whole = 0
        super().compute_in(precision)

    @classmethod
    def absorbs(
        cls, layer: Conv2d, follower: Layer, shape: Shape, absorbed: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Absorb a ReLU, and then a max pooling whose windows do not overlap."""
        if type(follower) is ReLU and not absorbed:
            return {"relu": True}
        alone = is_narrow(layer.in_channels, layer.out_channels, layer.groups)
        size = _pool_size(follower, shape) if "pool" not in absorbed and not alone else 1
        return {"pool": size} if size > 1 else None

    @property
    def folds(self) -> bool:
        """Whether a batch norm that follows can be folded into the filters."""
        return not self.relu and self.pool == 1

    @property
    def activates(self) -> bool:
        """Whether it can also apply any other activation that follows."""
        return self.folds and bool(self._when_frozen.activates)  # as only frozen ones do

    def applies(self, activation: Activation) -> bool:
        """Return whether it can apply this activation before it writes the output."""
        return activation in (NO_ACTIVATION, RELU) or self.activates

    @property
    def adds(self) -> bool:
        """Whether it can also add another array of the output's shape, and apply a ReLU after."""
        return self.folds and bool(self._output.adds) and not self._transpose

    @property
    def inputs(self) -> tuple[int, ...]:
        """The images, and what is added to the output, if the sum that follows is folded."""
        return (*self.reads, self.sum.other) if self._sums else self.reads

    @property
    def _sums(self) -> bool:
        return self.sum is not None and self.sum.folded

    def forward(self, x: Array, *plus: Array) -> Array:
        """Return the responses of the filters; ``plus`` is another summand of a sum in passing."""
        self._x = x
        fold = self.norm is not None and self.norm.folded
        activation = RELU if self.relu else NO_ACTIVATION
        if fold:
            activation = self.norm.activation
        if self.activation is not None and self.activation.folded:
            activation = self.activation.in_passing()
        if plus and self.sum.relu:
            activation = RELU
        if not self.frozen or self._packed != fold:
            self._pack(fold, len(x))
        y, argmax = self._y[: len(x)], self._argmax[:]

        def write(images: slice) -> None:
            part, source = y[images], GatedGradient.of(x[images])
            self._output(source, len(part), part, argmax, activation, self.keeps, *plus)

        if self.norm is not None and self.norm.measures:
            self.norm.measure(y, write)
        else:
            write(slice(len(x)))
        return y

    def _pack(self, fold: bool, images: int) -> None:
        """Pack filters and bias for the kernel; with ``fold``, scaled by the batch norm."""
        w, b = weights(self.layer.weight, self._shape, self.name), self.layer.bias
        shift = np.float32(0) if b is None else weights(b, self._shape[:1], self.name)
        if fold:
            w, shift = self.norm.folded_into(w, shift)
        _pack(self._output, np.ascontiguousarray(w), 0 if self.frozen else images)
        biased = b is not None or fold
        if biased or self._biased:  # otherwise it is zeros already
            self._biased = True  # before it is: Ctrl-C may come
            run_python(_write, shift, self._output.bias)
        self._biased = biased
        self._packed = fold

    def repeats(self, images: int) -> bool:
        """Return True: all passes are kernels."""
        return True

    def emit_channels_first(self) -> bool:
        """Make images (N, C, H, W) from now on, if the step can."""
        # A gate is the output, which backward would have to transpose.
        gated = self.relu and self.pool == 1
        able = self._output, self._when_frozen
        if all(one.can_emit_channels_first for one in able) and not gated:
            batch, oh, ow, fn = self._y.shape
            self._transpose = (fn, oh * ow)
            for one in able:
                one.channels_first = True
            self._dy, self._y = self.scratch(self._y.shape), self.output((batch, fn, oh, ow))
        return bool(self._transpose)

    @property
    def adds_gradient(self) -> bool:  # type: ignore[override]
        """Whether the kernel of the input's gradient can add another array."""
        return bool(self._make_input_gradient().adds)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Leave the gradients of filters and bias; return that of the input."""
        return self._backward(dy, need_dx=need_dx)

    def backward_adding(self, dy: Array, plus: Array) -> Array:
        """Do the same, and add another gradient of the input while dx is in registers."""
        return cast(Array, self._backward(dy, need_dx=True, plus=plus))

    def _backward(self, dy: Array, *, need_dx: bool, **adding: Array) -> Array | None:
        n, layer = len(dy), self.layer
        dy = np.ascontiguousarray(dy, dtype=np.float32)
        # After a pooling, the arg-max is also the mask of the ReLU.
        pooled = self.pool > 1
        if self._transpose:
            before, dy = dy, self._dy[:n]
            transpose_images(before, dy, *self._transpose)
        gate = self._y[:n] if self.relu and not pooled else None
        source = GatedGradient.of(dy, gate, self._argmax[:] if pooled else None)
        if self.learns:
            accumulate = self._make_filter_gradient()
            db = self._db if layer.bias is None else self.gradient(layer.bias)
            accumulate(self._x, source, self.gradient(layer.weight), db)
        if not need_dx:
            return None
        convolve = self._make_input_gradient()
        _pack(convolve, weights(layer.weight, self._shape, self.name), n)
        convolve(source, n, self._dx[:n], self._argmax[:], NO_ACTIVATION, **adding)
        return self._dx[:n]

    def _make_filter_gradient(self) -> Any:
        if self._filter_gradient is None:
            self._db = aligned_zeros(self._shape[0])  # without a bias
            gradient = filter_gradient(*self._geometry, self._whole, self.share, self.precision)
            self._filter_gradient = gradient  # last: Ctrl-C may come
        return self._filter_gradient

    def _make_input_gradient(self) -> Any:
        if self._input_gradient is None:
            self._input_gradient = input_gradient(*self._geometry, self._whole, self.precision)
        return self._input_gradient

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of all passes."""
        if not training:
            activation = self.activation.in_passing() if self.activation is not None else None
            if self.norm is not None and self.norm.applies_function and self.activates:
                activation = self.norm.activation
            more = () if activation is None else (self._when_frozen.kernel_for(activation),)
            return [*self._output.uses, *more]
        back = [self._make_filter_gradient()] if self.learns else []
        if not self.first:
            back.append(self._make_input_gradient())
        transpose = (transposition.transpose,) if self._transpose else ()
        return [*self._output.uses, *transpose, *(kernel for one in back for kernel in one.uses)]

    def prepare(self, *, training: bool) -> None:
        """Reserve the packed filters and the partial sums of all passes as scratch.

        Only filters that are packed once, because they are frozen, have memory of their own.
        """
        super().prepare(training=training)
        if training and self.learns:
            self._make_filter_gradient()
        if training and not self.first:
            self._make_input_gradient()
        for one in (self._filter_gradient, self._input_gradient):
            _share(one, Use.BACKWARD)
        _share(self._output, Use.FORWARD, but="filters" if self.frozen else "")
        filters = id(self._output), "filters"
        if self.frozen and filters in self._reserved:
            del self._reserved[filters]
            self._output.filters = aligned_zeros(self._output.filters.shape)

    def holders(self) -> Sequence[object]:
        """Return the step and the algorithms of its passes."""
        passes = (self, self._output, self._filter_gradient, self._input_gradient)
        return [one for one in passes if one is not None]

    def freeze(self) -> None:
        """Pack the filters once more, and then rely on them, by the algorithm that then pays."""
        if not self.frozen:
            self._reserved = {
                key: one for key, one in self._reserved.items() if key[0] != id(self._output)
            }
            self._take_output(self._when_frozen)
        super().freeze()
        self._packed = None


def _share(algorithm: Any, use: Use, but: str = "") -> None:
    """Reserve, in place of an algorithm's own arrays, those that are its ``scratch``, but one."""
    for name in (name for name in getattr(algorithm, "scratch", ()) if name != but):
        own = getattr(algorithm, name)
        if isinstance(own, tuple):
            setattr(algorithm, name, type(own)(*(_as_reserved(a, use) for a in own)))
        else:
            setattr(algorithm, name, _as_reserved(own, use))


def _as_reserved(a: Any, use: Use) -> Any:
    numbers = isinstance(a, np.ndarray) and a.dtype == np.float32 and a.size > 0
    return Reserved(use, a.shape) if numbers else a


def _pack(algorithm: Any, w: Array, images: int) -> None:
    """Pack the filters, where other steps' may have been, or lend them for a few ``images``."""
    if images and isinstance(algorithm, Product) and algorithm.borrow(w, images):
        return
    if getattr(algorithm, "padded", False):
        run_python(algorithm.filters.fill, 0)
    algorithm.pack(w)


def _write(bias: Array, out: Array) -> None:
    """Write a number for each filter to ``out`` (groups, windows in a vector, filters a group)."""
    per_group = out.shape[2]
    out[:] = np.broadcast_to(bias, len(out) * per_group).reshape(-1, 1, per_group)


def _pool_size(layer: Layer, shape: Shape) -> int:
    """Return K if ``layer`` is a max pooling whose KxK windows neither overlap nor need padding."""
    if type(layer) is not MaxPool2d:
        return 1
    windows = layer.windows(shape)
    (k, _), unpadded = windows.window, windows.padding == ((0, 0), (0, 0))
    alike = windows.window == windows.stride == (k, k) and windows.dilation == (1, 1)
    return k if alike and unpadded and k <= LARGEST_POOL else 1
