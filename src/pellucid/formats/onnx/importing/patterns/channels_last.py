"""Chains of operations over the last axis between two transpositions, as ConvNeXt's blocks.

Frameworks with the channels of images in front move them to the end for a linear layer or a layer
normalization, and back. Here both exist for the channels in front.
"""

from __future__ import annotations

import numpy as np

from .....typing import Array
from ...operations import Operation
from .rewriting import Rewriting

__all__ = ["channels_first"]

_TO_LAST, _TO_FRONT = [0, 2, 3, 1], [0, 3, 1, 2]
_PER_NUMBER = {
    "Gelu", "Relu", "Swish", "Sigmoid", "HardSwish", "HardSigmoid", "Tanh", "Mish", "LeakyRelu",
    "Elu", "Clip", "Dropout", "Identity", "Cast",
}  # fmt: skip
_ARITHMETIC = ("Add", "Sub", "Mul", "Div")


def channels_first(network: Rewriting) -> None:
    """Replace such chains by ones without the transpositions."""
    for first in network.each("Transpose"):
        if list(first.attributes.get("perm", ())) != _TO_LAST:
            continue
        chain = _chain(network, first)
        if chain is None:
            continue
        *between, last = chain
        for operation in between:
            _moved(network, operation)
        network.drop_identity(first)
        end = network.maker(last.outputs[0], "Transpose")
        assert end is not None
        network.drop_identity(end)


def _chain(network: Rewriting, first: Operation) -> list[Operation] | None:
    """Return the operations up to the transposition back; None if one needs the last axis."""
    chain: list[Operation] = []
    made = first.outputs[0]
    while True:
        reader = network.only_reader(made)
        if reader is None or len(chain) > 64:
            return None
        chain.append(reader)
        if reader.op == "Transpose":
            moves = list(reader.attributes.get("perm", ())) == _TO_FRONT
            return chain if moves else None
        if reader.inputs[0] != made and reader.op not in _ARITHMETIC:
            return None
        if not _over_channels(network, reader, made):
            return None
        made = reader.outputs[0]


def _over_channels(network: Rewriting, operation: Operation, made: str) -> bool:
    """Return whether an operation acts on the last axis alone, with constants of the file."""
    if any(network.is_read(name) for name in operation.outputs[1:] if name):
        return False
    if operation.domain == "pellucid":
        return operation.op == "Linear"
    if operation.domain:
        return False
    others = [network.constant(name) for name in operation.inputs if name and name != made]
    if operation.op in (*_ARITHMETIC, "MatMul", "LayerNormalization"):
        if not others or any(other is None for other in others):
            return False
        dims = {other.ndim for other in others if other is not None}
        if operation.op == "LayerNormalization":
            return dims == {1} and operation.attributes.get("axis", -1) in (-1, 3)
        if operation.op == "MatMul":
            return dims == {2}
        return all(other is not None and _is_row(other) for other in others)
    return operation.op in _PER_NUMBER


def _moved(network: Rewriting, operation: Operation) -> None:
    """Replace an operation over the last axis by one over the channels in front."""
    inputs = list(operation.inputs)
    if operation.op == "LayerNormalization":
        if len(inputs) < 3:
            scale = network.constant(inputs[1])
            assert scale is not None
            inputs.append(network.add_constant(f"{inputs[1]}_bias", np.zeros_like(scale)))
        epsilon = operation.attributes.get("epsilon", 1e-5)
        network.replace(operation, [], "LayerNormOfChannels", inputs, "pellucid", epsilon=epsilon)
    elif operation.op in ("Linear", "MatMul"):
        network.replace(operation, [], "ChannelLinear", inputs, "pellucid")
    elif operation.op in _ARITHMETIC:
        for k, name in enumerate(inputs):
            array = network.constant(name)
            if array is not None and array.size > 1:
                inputs[k] = network.add_constant(f"{name}_column", array.reshape(-1, 1, 1))
        network.replace(operation, [], operation.op, inputs)


def _is_row(array: Array) -> bool:
    """Return whether a constant has one number, or one a channel along the last of four axes."""
    return array.ndim <= 4 and array.shape[-1:] in ((), (array.size,))
