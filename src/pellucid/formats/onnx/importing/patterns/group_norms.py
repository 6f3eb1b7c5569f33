"""Group normalizations that exporters write as an instance normalization of reshaped images."""

from __future__ import annotations

from ...operations import Operation
from .rewriting import Rewriting

__all__ = ["group_norms"]


def group_norms(network: Rewriting) -> None:
    """Replace (N, C, ...) → (N, G, -1) → normalize → (N, C, ...) → · γ → + β."""
    for norm in network.each("InstanceNormalization"):
        apart = network.maker(norm.inputs[0], "Reshape")
        scale, bias = (network.constant(name) for name in norm.inputs[1:3])
        together = network.only_reader(norm.outputs[0])
        if apart is None or scale is None or bias is None or together is None:
            continue
        if together.op != "Reshape" or (scale != 1).any() or bias.any():
            continue
        x, groups = apart.inputs[0], _groups(network, apart)
        if groups is None or not _restores(network, together, x):
            continue
        if network.only_reader(apart.outputs[0]) is not norm:
            continue
        scaled = network.only_reader(together.outputs[0])
        gamma = _of_channels(network, scaled, "Mul", together.outputs[0])
        shifted = None if scaled is None else network.only_reader(scaled.outputs[0])
        beta = _of_channels(network, shifted, "Add", scaled.outputs[0] if scaled else "")
        if scaled is None or shifted is None or gamma is None or beta is None:
            continue
        network.replace(
            shifted,
            [apart, norm, together, scaled],
            "GroupNormalization",
            [x, network.row(gamma), network.row(beta)],
            num_groups=groups,
            epsilon=norm.attributes.get("epsilon", 1e-5),
        )


def _groups(network: Rewriting, apart: Operation) -> int | None:
    """Return G of a reshape to (N, G, -1)."""
    target = network.constant(apart.inputs[1])
    if target is None or target.shape != (3,) or target[0] != 0 or target[2] != -1:
        return None
    return int(target[1])


def _restores(network: Rewriting, together: Operation, x: str) -> bool:
    """Return whether a reshape gives what it reads the shape of ``x``."""
    shape = network.maker(together.inputs[1], "Shape")
    return shape is not None and shape.inputs[0] == x and not shape.attributes


def _of_channels(network: Rewriting, reader: Operation | None, op: str, made: str) -> str | None:
    """Return the name of the constant (C, 1, 1) that an operation multiplies by or adds."""
    if reader is None or reader.op != op or reader.domain:
        return None
    others = [name for name in reader.inputs if name != made]
    array = network.constant(others[0]) if len(others) == 1 else None
    if array is None or array.ndim < 2 or array.size < 2:
        return None  # one number stands for all channels, however many they are
    if array.shape != (array.size, *(1,) * (array.ndim - 1)):
        return None
    return others[0]
