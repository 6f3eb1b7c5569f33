"""Batch norms, factors and summands that become part of the convolution before them.

    s · (w·x + b) + t = w'·x + b',   w' = w · s,   b' = b · s + t

with one number a filter: s = γ / √(σ² + ε) and t = β - μ · s of a batch norm.
"""

from __future__ import annotations

import numpy as np

from .....typing import Array
from ...operations import Operation
from .rewriting import Rewriting

__all__ = ["folded_norms"]


def folded_norms(network: Rewriting) -> None:
    """Fold all that alone read what a convolution makes, one after another."""
    for norm in network.each("BatchNormalization", "Mul", "Add"):
        for name in norm.inputs[:1] if norm.op == "BatchNormalization" else norm.inputs:
            conv = network.maker(name, "Conv", "ConvTranspose", "Gemm")
            if conv is not None and network.only_reader(name) is norm:
                _fold(network, norm, conv)
                break


def _fold(network: Rewriting, norm: Operation, conv: Operation) -> None:
    arrays = [network.constant(name) for name in conv.inputs[1:]]
    if any(array is None for array in arrays):
        return
    if conv.op == "Gemm" and conv.attributes.keys() - {"transB"}:
        return
    weight = np.asarray(arrays[0], dtype=np.float64)
    bias = np.asarray(arrays[1], dtype=np.float64) if len(arrays) > 1 else np.zeros(())
    along = _along_filters(conv.op, conv.attributes, weight.ndim)
    if along is None or bias.ndim > 1:
        return
    filters = weight.shape[along.index(-1)]
    # The axes that what the convolution makes has after that of the filters.
    found = _of_each_filter(network, norm, conv, filters, weight.ndim - 2)
    if found is None:
        return
    s, t = found
    names = (
        network.changed(conv.inputs[1], (weight * s.reshape(along)).astype(np.float32)),
        network.add_constant(f"{conv.inputs[1]}_bias", (bias * s + t).astype(np.float32)),
    )
    network.replace(norm, [conv], conv.op, [conv.inputs[0], *names], **conv.attributes)


def _of_each_filter(
    network: Rewriting, norm: Operation, conv: Operation, filters: int, axes: int
) -> tuple[Array, Array] | None:
    """Return s and t, one number of each a filter; None if the operation does otherwise."""
    if norm.op != "BatchNormalization":
        (other,) = [name for name in norm.inputs if name != conv.outputs[0]] or [""]
        given = network.constant(other)
        of_filters = ((filters, *(1,) * axes), (1, filters, *(1,) * axes))
        if given is None or (given.shape not in (*of_filters, (), (1,))):
            return None
        row: Array = np.broadcast_to(given.astype(np.float64).reshape(-1), (filters,))
        return (row, np.zeros(filters)) if norm.op == "Mul" else (np.ones(filters), row)
    if any(network.is_read(name) for name in norm.outputs[1:] if name):
        return None
    arrays = [network.constant(name) for name in norm.inputs[1:5]]
    if any(array is None for array in arrays) or norm.attributes.get("training_mode", 0):
        return None
    gamma, beta, mean, variance = (np.asarray(array, dtype=np.float64) for array in arrays)
    s = gamma / np.sqrt(variance + norm.attributes.get("epsilon", 1e-5))
    return (s, beta - mean * s) if s.shape == (filters,) else None


def _along_filters(op: str, attributes: dict[str, object], ndim: int) -> tuple[int, ...] | None:
    """Return the shape that puts one number a filter along the weight's axis of filters."""
    if op == "Conv":
        return (-1, *(1,) * (ndim - 1))
    if op == "Gemm":
        return (-1, 1) if attributes.get("transB") else (1, -1)
    return (1, -1, *(1,) * (ndim - 2)) if attributes.get("group", 1) == 1 else None
