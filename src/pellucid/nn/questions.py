"""Shapes, costs and receptive fields of layers, known without running them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..receptive import ReceptiveField
from ..typing import Array, Shape

if TYPE_CHECKING:
    from .layer import Layer
    from .parameter import Parameter

__all__ = ["LayerRow", "Questions"]

FLOAT = 4  # bytes of a number


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer's line of a `summary`, known without running it.

    ``activation`` is the size of the output for one image, ``multiply_adds`` counts those of one
    image's forward; ``unread`` are input rows and columns that no window reads; ``neurons`` and
    ``without_sharing`` are as in `Layer.neurons` and `Layer.parameters_without_sharing`; ``reads``
    are the names of the values that a node of a `Graph` reads; ``weight_bytes`` is the size of the
    parameters.
    """

    name: str
    layer: str
    output_shape: Shape
    parameters: int
    multiply_adds: int
    activation: int
    field: ReceptiveField
    unread: tuple[int, int]
    neurons: int = 0
    without_sharing: int = 0
    reads: tuple[str, ...] = ()
    weight_bytes: int = 0


class Questions:
    """Base class of `Layer`; `pellucid.nn.summary` adds these numbers up.

    The defaults are those of an element-wise layer without weights.
    """

    if TYPE_CHECKING:  # attributes of `Layer`
        layers: Callable[[], Iterator[tuple[str, Layer]]]
        parameters: Callable[[], dict[str, Parameter]]
        _named_errors: Callable[[], AbstractContextManager[None]]

    def ends(self) -> tuple[int, ...] | None:
        """Return which values of `nodes` forward returns as a tuple; None: the last one alone."""
        return None

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of one output, without N, for one input of ``input_shape``."""
        return input_shape

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return the number of multiply-adds of one image's forward."""
        return 0

    def activation_size(self, input_shape: Shape) -> int:
        """Return the size of one image's output."""
        return math.prod(self.output_shape(input_shape))

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the receptive field of the output, given the ``field`` of the input."""
        return field

    def unread(self, input_shape: Shape) -> tuple[int, int]:
        """Return the number of input rows and columns that no window reads."""
        return 0, 0

    def parameter_count(self) -> int:
        """Return the number of trainable numbers and of quantized ones, of nested layers too."""
        return self._trainable() + sum(numbers for numbers, _ in self._all_fixed())

    def weight_bytes(self) -> int:
        """Return the bytes of the parameters, in float32, and of what is quantized."""
        return FLOAT * self._trainable() + sum(size for _, size in self._all_fixed())

    def fixed_weights(self) -> tuple[int, int]:
        """Return how many numbers of this layer alone nothing trains, and their bytes."""
        return 0, 0

    def _trainable(self) -> int:
        return sum(p.data.size for p in self.parameters().values())

    def _all_fixed(self) -> list[tuple[int, int]]:
        return [layer.fixed_weights() for _, layer in self.layers()]

    def neurons(self, input_shape: Shape) -> int:
        """Return the number of outputs that are weighted sums; 0 for layers without weights."""
        return math.prod(self.output_shape(input_shape)) if self.multiply_adds(input_shape) else 0

    def image_filters(self) -> Array | None:
        """Return the filters (out, C, KH, KW) that it slides over images, or None."""
        return None

    def parameters_without_sharing(self, input_shape: Shape) -> int:
        """Return the number of parameters if no neurons shared weights."""
        return self.parameter_count()

    def rows(self, input_shape: Shape, field: ReceptiveField, path: str = "") -> Iterator[LayerRow]:
        """Yield this layer's line of the summary; containers yield their children's."""
        yield self.row((input_shape,), field, path)

    def row(self, shapes: tuple[Shape, ...], field: ReceptiveField, path: str = "") -> LayerRow:
        """Return this layer's line of the summary, for inputs of these ``shapes``."""
        with self._named_errors():
            return LayerRow(
                name=path,
                layer=repr(self),
                output_shape=self.output_shape(*shapes),
                parameters=self.parameter_count(),
                multiply_adds=self.multiply_adds(*shapes),
                activation=self.activation_size(*shapes),
                field=self.receptive_field(field, *shapes),
                unread=self.unread(*shapes),
                neurons=self.neurons(*shapes),
                without_sharing=self.parameters_without_sharing(*shapes),
                weight_bytes=self.weight_bytes(),
            )
