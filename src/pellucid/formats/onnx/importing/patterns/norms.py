"""Layer normalizations that exporters write as means, differences and roots."""

from __future__ import annotations

import numpy as np

from ...operations import Operation
from .rewriting import Rewriting, close

__all__ = ["whole_norms"]


def whole_norms(network: Rewriting) -> None:
    """Replace (x - μ) / √(σ² + ε) · γ + β over the last axis, or over the channels of images."""
    for last in network.each("Div"):
        found = _normalized(network, last)
        if found is None:
            continue
        x, axis, epsilon, parts = found
        scale, scaled = _constant_operand(network, last, "Mul")
        bias, shifted = _constant_operand(network, scaled, "Add") if scaled else (None, None)
        if scale is None or scaled is None:
            continue
        end = shifted or scaled
        inside = [*parts, last, scaled][: None if shifted else -1]
        gamma = network.constant(scale)
        beta = None if bias is None else network.constant(bias)
        assert gamma is not None
        if axis == -1 and gamma.ndim == 1 and (beta is None or beta.shape == gamma.shape):
            inputs = [x, scale, *([bias] if bias else [])]
            network.replace(end, inside, "LayerNormalization", inputs, axis=-1, epsilon=epsilon)
        elif axis == 1 and gamma.size > 1 and gamma.shape == (gamma.size, 1, 1):
            if beta is not None and beta.shape != gamma.shape:
                continue
            zeros = np.zeros(gamma.size, dtype=gamma.dtype)
            shift = network.row(bias) if bias else network.add_constant(f"{scale}_zeros", zeros)
            inputs = [x, network.row(scale), shift]
            network.replace(end, inside, "LayerNormOfChannels", inputs, "pellucid", epsilon=epsilon)


def _normalized(
    network: Rewriting, last: Operation
) -> tuple[str, int, float, list[Operation]] | None:
    """Match (x - μ) / √(σ² + ε); return x, the axis, ε, and the operations inside."""
    centred, root = (network.maker(name, op) for name, op in zip(last.inputs, ("Sub", "Sqrt"),
                                                                strict=True))  # fmt: skip
    if centred is None or root is None:
        return None
    x = centred.inputs[0]
    axis = _mean_axis(network, network.maker(centred.inputs[1], "ReduceMean"), x)
    added = network.maker(root.inputs[0], "Add")
    if axis is None or added is None:
        return None
    names = list(added.inputs)
    epsilon = next((n for n in map(network.number, names) if n is not None), None)
    variance = next((v for name in names if (v := network.maker(name, "ReduceMean"))), None)
    if epsilon is None or variance is None:
        return None
    square = network.maker(variance.inputs[0], "Pow", "Mul")
    if square is None or _mean_axis(network, variance, square.outputs[0]) != axis:
        return None
    again = [centred] + [m for name in square.inputs if (m := network.maker(name, "Sub"))]
    if any(each.inputs != centred.inputs for each in again):
        return None  # the difference may be written twice, but of the same values
    if square.op == "Pow":
        is_square = len(again) == 2 and close(network.number(square.inputs[1]), 2)
    else:
        is_square = len(again) == 3
    mean = network.maker(centred.inputs[1], "ReduceMean")
    if not is_square or mean is None:
        return None
    parts = list({id(p): p for p in (mean, *again, square, variance, added, root)}.values())
    inside = {id(part) for part in (*parts, last)}
    for part in parts:
        made = part.outputs[0]
        if network.returns(made) or any(id(r) not in inside for r in network.readers(made)):
            return None
    return x, axis, epsilon, parts


def _mean_axis(network: Rewriting, mean: Operation | None, x: str) -> int | None:
    """Return the only axis of a mean of ``x`` that keeps it."""
    if mean is None or mean.inputs[0] != x or not mean.attributes.get("keepdims", 1):
        return None
    axes = mean.attributes.get("axes")
    if len(mean.inputs) > 1 and mean.inputs[1]:
        axes = network.constant(mean.inputs[1])
    return int(np.ravel(axes)[0]) if axes is not None and np.size(axes) == 1 else None


def _constant_operand(
    network: Rewriting, made: Operation, op: str
) -> tuple[str | None, Operation | None]:
    """Return the constant that the only reader of a value multiplies by or adds, and the reader."""
    reader = network.only_reader(made.outputs[0])
    if reader is None or reader.op != op or reader.domain:
        return None, None
    (other,) = [name for name in reader.inputs if name != made.outputs[0]] or [""]
    return (other, reader) if network.constant(other) is not None else (None, None)
