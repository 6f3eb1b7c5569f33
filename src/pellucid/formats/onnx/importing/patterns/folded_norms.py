"""Batch norms that become part of the convolution before them.

    γ · (w·x + b - μ) / √(σ² + ε) + β = w'·x + b',   w' = w · s,   b' = (b - μ) · s + β

with s = γ / √(σ² + ε), one number a filter.
"""

from __future__ import annotations

import numpy as np

from .rewriting import Rewriting

__all__ = ["folded_norms"]


def folded_norms(network: Rewriting) -> None:
    """Fold all batch norms that alone read what a convolution makes."""
    for norm in network.each("BatchNormalization"):
        conv = network.maker(norm.inputs[0], "Conv", "ConvTranspose", "Gemm")
        if conv is None or network.only_reader(norm.inputs[0]) is not norm:
            continue
        if any(network.is_read(name) for name in norm.outputs[1:] if name):
            continue
        arrays = [network.constant(name) for name in (*norm.inputs[1:5], *conv.inputs[1:])]
        if any(array is None for array in arrays) or norm.attributes.get("training_mode", 0):
            continue
        if conv.op == "Gemm" and conv.attributes.keys() - {"transB"}:
            continue
        gamma, beta, mean, variance, weight = (
            np.asarray(array, dtype=np.float64) for array in arrays[:5]
        )
        bias = np.asarray(arrays[5], dtype=np.float64) if len(arrays) > 5 else np.zeros(())
        s = gamma / np.sqrt(variance + norm.attributes.get("epsilon", 1e-5))
        along = _along_filters(conv.op, conv.attributes, weight.ndim)
        if along is None or weight.shape[along.index(-1)] != s.size or bias.ndim > 1:
            continue
        names = (
            network.changed(conv.inputs[1], (weight * s.reshape(along)).astype(np.float32)),
            network.add_constant(
                f"{conv.inputs[1]}_bias", ((bias - mean) * s + beta).astype(np.float32)
            ),
        )
        inputs = [conv.inputs[0], *names]
        network.replace(norm, [conv], conv.op, inputs, **conv.attributes)


def _along_filters(op: str, attributes: dict[str, object], ndim: int) -> tuple[int, ...] | None:
    """Return the shape that puts one number a filter along the weight's axis of filters."""
    if op == "Conv":
        return (-1, *(1,) * (ndim - 1))
    if op == "Gemm":
        return (-1, 1) if attributes.get("transB") else (1, -1)
    return (1, -1, *(1,) * (ndim - 2)) if attributes.get("group", 1) == 1 else None
