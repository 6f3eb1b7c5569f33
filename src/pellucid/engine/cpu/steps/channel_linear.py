"""The step of a Linear over the channels of each pixel: that of a convolution of 1x1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....nn import ChannelLinear, Conv2d, Layer, Parameter
from ....nn.init import without_values
from ....typing import Array, Shape
from .base import serves
from .conv import ConvStep

__all__ = ["ChannelLinearStep"]


class _Filters(Parameter):
    """The weight (out, in) of a ChannelLinear, seen as filters (out, in, 1, 1)."""

    def __init__(self, weight: Parameter) -> None:
        self.weight = weight

    @property
    def data(self) -> Array:  # type: ignore[override]
        return self.weight.data[..., None, None]

    @property
    def rate(self) -> float:  # type: ignore[override]
        return self.weight.rate


@serves(ChannelLinear)
class ChannelLinearStep(ConvStep):
    """A convolution of 1x1, with all that follows it, whose filters are a view of the weight."""

    def __init__(
        self, name: str, layer: ChannelLinear, input_shape: Shape, batch: int, **absorbed: Any
    ) -> None:
        super().__init__(name, _convolution(layer), input_shape, batch, **absorbed)
        self._weight = layer.weight
        self.parameters = list(layer.parameters().values())

    @classmethod
    def absorbs(
        cls, layer: Any, follower: Layer, shape: Shape, absorbed: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Absorb what a convolution absorbs."""
        return super().absorbs(_convolution(layer), follower, shape, absorbed)

    def gradient(self, parameter: Parameter) -> Array:
        """Return the buffer for a parameter's gradient, in the shape of the filters."""
        if isinstance(parameter, _Filters):
            return super().gradient(self._weight)[..., None, None]
        return super().gradient(parameter)


def _convolution(layer: ChannelLinear) -> Conv2d:
    """Return the convolution that ``layer`` is, with its parameters."""
    with without_values():
        convolution = Conv2d(layer.in_features, layer.out_features, 1)
    convolution.weight, convolution.bias = _Filters(layer.weight), layer.bias
    return convolution
