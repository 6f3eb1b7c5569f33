"""How each rule of the library is written, in the order of computation, with its numbers."""

from __future__ import annotations

import math

import numpy as np

from ....optim import LAMB, LARS, SGD, AdaGrad, Adam, AdamW, Optimizer, RMSprop
from ....typing import Array
from .update import Step, writes_rule

__all__: list[str] = []


def _decayed(step: Step) -> tuple[str, list[str], dict[str, float]]:
    """Return the letter of the gradient that the rule goes on with, and how it is computed."""
    if not step.decay:
        return "g", [], {}
    return "g′", ["g′ = g + λ · w"], {"λ": step.decay, "g′": step.g_decayed}


@writes_rule(Optimizer)
def _own(optimizer: Optimizer, step: Step) -> tuple[list[str], dict[str, float]]:
    """Write a rule that is not known: what it keeps, before and after."""
    letters = {"t": float(step.t)}
    for slot, value in step.after.items():
        letters |= {slot: step.before.get(slot, 0.0), f"{slot}′": value}
    return [f"w ← {type(optimizer).__name__}(w, g, η)"], letters


@writes_rule(SGD)
def _sgd(optimizer: SGD, step: Step) -> tuple[list[str], dict[str, float]]:
    g, lines, letters = _decayed(step)
    if not optimizer.momentum:
        return [*lines, f"w ← w − η · {g}"], letters
    letters |= {"μ": optimizer.momentum, "v": step.before["v"], "v′": step.after["v"]}
    way = f"({g} + μ · v′)" if optimizer.nesterov else "v′"
    return [*lines, f"v′ = μ · v + {g}", f"w ← w − η · {way}"], letters


@writes_rule(AdaGrad)
def _adagrad(optimizer: AdaGrad, step: Step) -> tuple[list[str], dict[str, float]]:
    g, lines, letters = _decayed(step)
    letters |= {"h": step.before["h"], "h′": step.after["h"], "ε": optimizer.eps}
    return [*lines, f"h′ = h + {g}²", f"w ← w − η · {g} / (√h′ + ε)"], letters


@writes_rule(RMSprop)
def _rmsprop(optimizer: RMSprop, step: Step) -> tuple[list[str], dict[str, float]]:
    g, lines, letters = _decayed(step)
    letters |= {"α": optimizer.alpha, "h": step.before["h"], "h′": step.after["h"]}
    letters["ε"] = optimizer.eps
    return [*lines, f"h′ = α · h + (1 − α) · {g}²", f"w ← w − η · {g} / (√h′ + ε)"], letters


@writes_rule(Adam)
def _adam(optimizer: Adam, step: Step) -> tuple[list[str], dict[str, float]]:
    g, lines, letters = _decayed(step)
    return [*lines, *_moments(g), "w ← w − η · m̂ / (√v̂ + ε)"], {
        **letters, **_adam_numbers(optimizer, step)
    }  # fmt: skip


@writes_rule(AdamW)
def _adamw(optimizer: AdamW, step: Step) -> tuple[list[str], dict[str, float]]:
    letters = _adam_numbers(optimizer, step)
    if not step.decay:
        return [*_moments("g"), "w ← w − η · m̂ / (√v̂ + ε)"], letters
    lines = [*_moments("g"), "w ← (1 − η · λ) · w − η · m̂ / (√v̂ + ε)"]
    return lines, {"λ": step.decay, **letters}


@writes_rule(LARS)
def _lars(optimizer: LARS, step: Step) -> tuple[list[str], dict[str, float]]:
    g, lines, letters = _decayed(step)
    letters |= {"μ": optimizer.momentum, "v": step.before["v"], "v′": step.after["v"]}
    whole, rate = step.whole, "η"
    if whole.decay:
        of_w, of_g = _norm(whole.w), _norm(whole.g)
        letters |= {
            "c": optimizer.trust_coefficient, "‖w‖": of_w, "‖g‖": of_g,
            "q": optimizer.trust(of_w, of_g, step.decay),
        }  # fmt: skip
        below = "(‖g‖ + λ · ‖w‖)" if step.decay else "‖g‖"
        lines, rate = [f"q = c · ‖w‖ / {below}" if of_w and of_g else "q = 1", *lines], "η · q"
    return [*lines, f"v′ = μ · v + {rate} · {g}", "w ← w − v′"], letters


@writes_rule(LAMB)
def _lamb(optimizer: LAMB, step: Step) -> tuple[list[str], dict[str, float]]:
    letters, whole, rate = _adam_numbers(optimizer, step), step.whole, "η"
    lines, u = [*_moments("g"), "r = m̂ / (√v̂ + ε)"], "r"
    letters["r"] = letters["m̂"] / (letters["√v̂"] + optimizer.eps)
    if step.decay:
        lines, u = [*lines, "u = r + λ · w"], "u"
        letters |= {"λ": step.decay, "u": letters["r"] + step.decay * step.w}
    if whole.decay:
        update = optimizer.direction(whole.after, step.t) + step.decay * whole.w
        of_w, of_u = _norm(whole.w), _norm(update)
        letters |= {"‖w‖": of_w, f"‖{u}‖": of_u, "q": optimizer.trust(of_w, of_u)}
        lines, rate = [*lines, f"q = ‖w‖ / ‖{u}‖" if of_w and of_u else "q = 1"], "η · q"
    return [*lines, f"w ← w − {rate} · {u}"], letters


def _norm(a: Array) -> float:
    return float(np.linalg.norm(np.asarray(a, np.float64)))


def _moments(g: str) -> list[str]:
    return [
        f"m′ = β₁ · m + (1 − β₁) · {g}",
        f"v′ = β₂ · v + (1 − β₂) · {g}²",
        "m̂ = m′ / (1 − β₁ᵗ)",
        "v̂ = v′ / (1 − β₂ᵗ)",
    ]


def _adam_numbers(optimizer: Adam | LAMB, step: Step) -> dict[str, float]:
    beta1, beta2 = optimizer.betas
    m, v = step.after["m"], step.after["v"]
    return {
        "β₁": beta1, "β₂": beta2, "ε": optimizer.eps, "t": float(step.t),
        "m": step.before["m"], "m′": m, "v": step.before["v"], "v′": v,
        "m̂": m / (1 - beta1**step.t), "v̂": v / (1 - beta2**step.t),
        "√v̂": math.sqrt(v / (1 - beta2**step.t)),
    }  # fmt: skip
