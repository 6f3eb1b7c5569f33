"""Clipping gradients by kernels: one pass where a plan has laid them out in one array."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...kernels import updates
from ...kernels.blocks import blocks, each
from ...kernels.pool.threads import run
from ...nn import Parameter
from ...optim.clipping import active_gradients, clip
from ...typing import Array
from ..flat import weights_of

__all__ = ["clip_grad_norm"]


def clip_grad_norm(parameters: Mapping[str, Parameter], max_norm: float) -> float:
    """Do what `pellucid.optim.clip_grad_norm` does, by kernels."""
    return clip(_arrays(parameters), max_norm, _squares, _scale)


def _arrays(parameters: Mapping[str, Parameter]) -> list[Array]:
    """Return the gradients; those of neighbours in a plan's array as one."""
    learning = [p for p in parameters.values() if p.rate and p.grad is not None]
    flat = weights_of(learning[0]) if learning else None
    if flat is None or flat.gradients is None:
        return active_gradients(parameters)
    whole, views = flat.gradients
    spans: list[tuple[int, int]] = []
    rest: list[Array] = []
    for p in learning:
        k = flat.number.get(id(p))
        if k is None or p.grad is not views[k]:
            rest.append(p.grad)  # type: ignore[arg-type]
        elif spans and spans[-1][1] == k - 1:
            spans[-1] = spans[-1][0], k
        else:
            spans.append((k, k))
    return [whole[flat.layout.span(first, last)] for first, last in spans] + rest


def _squares(g: Array) -> float:
    parts = np.empty(blocks(g.size))
    run(updates.squares, len(parts), _as_taken(g), parts)
    return float(parts.sum())


def _scale(g: Array, factor: float) -> None:
    if g.dtype == np.float32 and g.flags.carray:
        each(updates.scale, g, factor)
    else:
        g *= factor


def _as_taken(g: Array) -> Array:
    return np.require(g, np.float32, ["C", "W", "A"]).reshape(g.size)
