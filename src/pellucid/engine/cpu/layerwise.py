"""The steps of rules that need the norms of a parameter: two launches for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...kernels import layerwise as kernels
from ...kernels.blocks import each
from ...kernels.updates import AdamConstants
from ...optim import LAMB, LARS, Optimizer, ParameterStep
from ...optim.layerwise import adapts
from ...typing import Array

__all__ = ["LAYERWISE"]


def _lars(rule: LARS, step: ParameterStep, arrays: list[Array]) -> None:
    rate, decay = float(step.lr), float(step.weight_decay)
    if adapts(step):
        w, g, _ = arrays
        parts = kernels.parts_for(w.size)
        each(kernels.squares_of_two, w, g, parts)
        rate *= rule.trust(*kernels.norms(parts), decay)
    each(kernels.lars, *arrays, rate, float(rule.momentum), decay)


def _lamb(rule: LAMB, step: ParameterStep, arrays: list[Array]) -> None:
    beta1, beta2 = rule.betas
    constants = AdamConstants(
        step.t, float(step.lr), float(beta1), float(beta2), float(rule.eps),
        float(step.weight_decay), 0.0,
    )  # fmt: skip
    w, g, m, v = arrays
    parts = kernels.parts_for(w.size)
    each(kernels.lamb_moments, w, g, m, v, parts, constants)
    if adapts(step):
        constants = constants._replace(lr=constants.lr * rule.trust(*kernels.norms(parts)))
    each(kernels.lamb, w, m, v, constants)


# By the class itself, as in `pellucid.engine.cpu.updates`: takes the step of one parameter, whose
# weights, gradient and memory are float32 and contiguous.
LAYERWISE: dict[type[Optimizer], Callable[[Any, ParameterStep, list[Array]], None]] = {
    LARS: _lars,
    LAMB: _lamb,
}
