"""The steps of layers in 8-bit integers, with the ReLU that follows them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ....kernels.convolution.activation import NO_ACTIVATION, RELU, Activation, clipping
from ....kernels.simd.bytes import HAS_BYTES
from ....nn import Clip, Layer, QuantizedConv2d, QuantizedLinear, ReLU, ReLU6
from ....typing import Array, Shape
from ...step import Step
from ..convolution.integers import IntegerProduct, layout_of, layout_of_rows
from .base import serves

__all__ = ["QuantizedConvStep", "QuantizedLinearStep"]

# What a plan's table says of bounds that have a name; of others, " + clip".
WORDS = {NO_ACTIVATION: "", RELU: " + relu", clipping(0, 6): " + relu6"}


class QuantizedStep(Step):
    """Base class: an integer product, rounded from float32 and scaled back, within two bounds."""

    what: ClassVar[str]
    reads_input = reads_output = False

    def __init__(
        self, name: str, layer: Any, output_shape: Shape, multiply_adds: int,
        activation: Activation,
    ) -> None:  # fmt: skip
        super().__init__(name, output_shape, multiply_adds)
        self.layer, self._activation = layer, activation
        self.kernel = f"int8 {self.what}{WORDS.get(activation, ' + clip')}"
        self.kernel += "" if HAS_BYTES else ", without instructions for bytes"
        self.sum: Any = None  # the step of a sum that is the only reader of the output
        self._product: IntegerProduct
        self._y: Array
        self._packed = False

    @classmethod
    def absorbs(
        cls, layer: Any, follower: Layer, shape: Shape, absorbed: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Absorb an activation that is a pair of bounds."""
        bounds = None if absorbed else _bounds(follower)
        return None if bounds is None else {"activation": clipping(*bounds)}

    def forward(self, x: Array, *plus: Array) -> Array:
        """Return the layer's output; ``plus`` is another summand of a sum in passing."""
        if not (self.frozen and self._packed):
            self._product.pack(self.layer)
            self._packed = True
        y = self._y[: len(x)]
        activation = RELU if plus and self.sum.relu else self._activation
        self._product(x, y, len(x), activation, *plus)
        return y

    def repeats(self, images: int) -> bool:
        """Return whether the weights stay packed: the rest is a kernel."""
        return self.frozen

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Refuse, as the layer does."""
        dx: Array = self.layer.backward(dy)
        return dx

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels."""
        return self._product.uses

    def holders(self) -> Sequence[object]:
        """Return the step and its product."""
        return self, self._product

    def freeze(self) -> None:
        """Pack the weights once more, and then rely on them."""
        super().freeze()
        self._packed = False


@serves(QuantizedConv2d)
class QuantizedConvStep(QuantizedStep):
    """A convolution in 8-bit integers."""

    what = "convolution"
    channels_last = by_image = True

    def __init__(
        self, name: str, layer: QuantizedConv2d, input_shape: Shape, batch: int,
        activation: Activation = NO_ACTIVATION,
    ) -> None:  # fmt: skip
        fn, oh, ow = layer.output_shape(input_shape)
        super().__init__(name, layer, (fn, oh, ow), layer.multiply_adds(input_shape), activation)
        layout = layout_of(layer.windows(input_shape), input_shape[0], layer.groups)
        self._product = IntegerProduct(layout, fn, layer.groups, batch)
        self._y = self.output((batch, oh, ow, fn))

    @property
    def adds(self) -> bool:
        """Whether it can also add another array of the output's shape, and apply a ReLU after."""
        return self._activation == NO_ACTIVATION

    @property
    def inputs(self) -> tuple[int, ...]:
        """The images, and what is added to the output, if the sum that follows is folded."""
        folded = self.sum is not None and self.sum.folded
        return (*self.reads, self.sum.other) if folded else self.reads


@serves(QuantizedLinear)
class QuantizedLinearStep(QuantizedStep):
    """A fully connected layer in 8-bit integers; each row along the last axis alone."""

    what = "product"

    def __init__(
        self, name: str, layer: QuantizedLinear, input_shape: Shape, batch: int,
        activation: Activation = NO_ACTIVATION,
    ) -> None:  # fmt: skip
        shape = layer.output_shape(input_shape)
        super().__init__(name, layer, shape, layer.multiply_adds(input_shape), activation)
        self.channels_last = False if len(input_shape) == 3 else None
        layout = layout_of_rows(math.prod(input_shape[:-1]), layer.in_features)
        self._product = IntegerProduct(layout, layer.out_features, 1, batch)
        self._y = self.output((batch, *shape))


def _bounds(layer: Layer) -> tuple[float, float] | None:
    """Return the bounds that an activation keeps numbers between; None if it does otherwise."""
    if type(layer) is ReLU:
        return 0.0, math.inf
    if type(layer) in (Clip, ReLU6):
        low, high = layer.low, layer.high  # type: ignore[attr-defined]
        return -math.inf if low is None else low, math.inf if high is None else high
    return None
