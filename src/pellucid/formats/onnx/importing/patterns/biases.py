"""Biases that exporters add after a convolution, as Paddle and TensorFlow have them."""

from __future__ import annotations

from ...operations import Operation
from .rewriting import Rewriting

__all__ = ["own_biases"]


def own_biases(network: Rewriting) -> None:
    """Make one number a filter, which is added to what a convolution alone makes, its bias."""
    for added in network.each("Add"):
        for name, other in (added.inputs, added.inputs[::-1]):
            conv = network.maker(name, "Conv", "ConvTranspose")
            if conv is None or len(conv.inputs) > 2 or network.only_reader(name) is not added:
                continue
            weight, bias = network.constant(conv.inputs[1]), network.constant(other)
            if weight is None or bias is None or bias.size != _filters(conv, weight.shape):
                continue
            # One number a filter: F, 1, 1 of images, F, 1 of signals, or with the axis of N.
            axes = weight.ndim - 2
            if bias.shape in ((bias.size, *(1,) * axes), (1, bias.size, *(1,) * axes)):
                inputs = [*conv.inputs, network.row(other)]
                network.replace(added, [conv], conv.op, inputs, **conv.attributes)
                break


def _filters(conv: Operation, shape: tuple[int, ...]) -> int:
    if conv.op == "Conv":
        return shape[0]
    return shape[1] * int(conv.attributes.get("group", 1))
