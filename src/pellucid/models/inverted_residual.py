"""The parts of mobile networks: separable convolutions between few channels.

An inverted residual block (Sandler et al. 2018, "MobileNetV2", section 3.3) expands the channels by
a 1x1 convolution, convolves each of them alone ("depthwise"), and projects them to few by another
1x1 convolution, without an activation after it, which would lose what few channels hold (section
3.2). Where the shape stays the same, the block's input is added to its output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..nn import BatchNorm2d, Conv2d, Layer, Linear, ReLU, Sequential, Sigmoid, SqueezeExcitation
from ..nn.init import WeightInit

__all__ = ["Block", "Maker", "divisible"]


class Block(NamedTuple):
    """What an inverted residual block is made of."""

    inputs: int
    expanded: int
    outputs: int
    size: int  # of the depthwise filters
    stride: int
    activation: Callable[[], Layer]
    squeezed: int = 0  # outputs of the first product of squeeze-and-excite; 0 leaves it out

    @property
    def residual(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.inputs == self.outputs


class Maker:
    """Makes the parts, all with weights from one generator.

    Parameters
    ----------
    weight_init : "he", "xavier", float or callable, optional
        Of all layers; by default "he", and ``last_init`` in `linear`.
    last_init : "he", "xavier", float or callable
        Published for the fully connected layers.
    norm : callable
        Makes the batch norm for a number of channels.
    gate : (callable, callable)
        Make the activations of squeeze-and-excite.
    rng : numpy.random.Generator, optional
    """

    def __init__(
        self,
        weight_init: WeightInit | None,
        last_init: WeightInit,
        *,
        norm: Callable[[int], Layer] = BatchNorm2d,
        gate: tuple[Callable[[], Layer], Callable[[], Layer]] = (ReLU, Sigmoid),
        rng: np.random.Generator | None,
    ) -> None:
        self.init, self.last_init = "he" if weight_init is None else weight_init, last_init
        if weight_init is not None:
            self.last_init = weight_init
        self.norm, self.gate = norm, gate
        self.rng = np.random.default_rng() if rng is None else rng

    def conv(
        self, inputs: int, filters: int, size: int = 1, stride: int = 1, groups: int = 1
    ) -> Conv2d:
        """Return a convolution; the batch norm after it has the bias."""
        return Conv2d(
            inputs, filters, size, stride, (size - 1) // 2, groups=groups, bias=False,
            weight_init=self.init, rng=self.rng,
        )  # fmt: skip

    def unit(
        self,
        conv: Conv2d,
        activation: Callable[[], Layer] | None = None,
    ) -> Sequential:
        """Return a convolution, its batch norm, and the activation if there is one."""
        layers = [conv, self.norm(conv.out_channels)]
        return Sequential(*layers, *([] if activation is None else [activation()]))

    def expansion(self, block: Block) -> list[Layer]:
        """Return the units before the projection: expansion, if any, and depthwise filters."""
        inputs, expanded, _, size, stride, activation, _ = block
        deep = self.unit(self.conv(expanded, expanded, size, stride, groups=expanded), activation)
        if expanded == inputs:
            return [deep]
        return [self.unit(self.conv(inputs, expanded), activation), deep]

    def gated(self, block: Block) -> Sequential:
        """Return the units of a block, with squeeze-and-excite before the projection."""
        layers = self.expansion(block)
        if block.squeezed:
            sizes, activations = (block.expanded, block.squeezed), [make() for make in self.gate]
            layers.append(
                SqueezeExcitation(*sizes, *activations, weight_init=self.init, rng=self.rng)
            )
        return Sequential(*layers, self.unit(self.conv(block.expanded, block.outputs)))

    def linear(self, inputs: int, outputs: int) -> Linear:
        """Return a fully connected layer of the classifier."""
        return Linear(inputs, outputs, weight_init=self.last_init, rng=self.rng)


def divisible(channels: float) -> int:
    """Return a multiple of 8 near ``channels``, at most a tenth smaller.

    Examples
    --------
    >>> [divisible(width * 24) for width in (1, 0.75, 0.35)]
    [24, 24, 8]
    """
    near = max(8, int(channels + 4) // 8 * 8)
    return near if near >= 0.9 * channels else near + 8
