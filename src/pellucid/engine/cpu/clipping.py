"""Clipping gradients by kernels: one pass where a plan has laid them out in one array."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import numpy as np

from ...kernels import updates
from ...kernels.blocks import each
from ...kernels.pool.threads import run
from ...nn import Parameter
from ...optim.checks import require_positive
from ...optim.clipping import active_gradients, block_bounds, factor_for, norm_of
from ...typing import Array
from ..flat import weights_of

__all__ = ["clip_grad_norm", "squares"]


def clip_grad_norm(parameters: Mapping[str, Parameter], max_norm: float) -> float:
    """Do what `pellucid.optim.clip_grad_norm` does, by kernels."""
    max_norm = require_positive(max_norm, "max_norm")
    spans = _spans(parameters)
    norm = norm_of(chain.from_iterable(squares(g, bounds).tolist() for g, bounds in spans))
    factor = factor_for(norm, max_norm)
    if factor < 1:
        for g, _ in spans:
            _scale(g, factor)
    return norm


def squares(g: Array, bounds: Array) -> Array:
    """Return the sum of squares of each part of ``g``, from ``bounds[k, 0]`` to ``bounds[k, 1]``.

    Its bits depend on that part alone.

    Returns
    -------
    float64 array (parts,)
    """
    sums = np.empty(len(bounds))
    run(updates.squares, -(-len(sums) // updates.TOGETHER), _as_taken(g), bounds, sums)
    return sums


def _spans(parameters: Mapping[str, Parameter]) -> list[tuple[Array, Array]]:
    """Return the gradients with the bounds of their blocks; neighbours in a plan's array as one."""
    learning = [p for p in parameters.values() if p.rate and p.grad is not None]
    flat = weights_of(learning[0]) if learning else None
    if flat is None or flat.gradients is None:
        return [_alone(g) for g in active_gradients(parameters)]
    whole, views = flat.gradients
    spans: list[tuple[int, int]] = []
    rest: list[tuple[Array, Array]] = []
    for p in learning:
        k = flat.number.get(id(p))
        if k is None or p.grad is not views[k]:
            rest.append(_alone(p.grad))  # type: ignore[arg-type]
        elif spans and spans[-1][1] == k - 1:
            spans[-1] = spans[-1][0], k
        else:
            spans.append((k, k))
    found = []
    for first, last in spans:
        span = flat.layout.span(first, last)
        begin, end = np.searchsorted(flat.blocks[:, 0], (span.start, span.stop))
        found.append((whole[span], flat.blocks[begin:end] - span.start))
    return found + rest


def _alone(g: Array) -> tuple[Array, Array]:
    return g, block_bounds([0], [g.size])


def _scale(g: Array, factor: float) -> None:
    if g.dtype == np.float32 and g.flags.carray:
        each(updates.scale, g, factor)
    else:
        g *= factor


def _as_taken(g: Array) -> Array:
    return np.require(g, np.float32, ["C", "W", "A"]).reshape(g.size)
