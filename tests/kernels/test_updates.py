"""The optimizers' kernels equal the rules to 1e-6, and keep out of the denormal numbers."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import optim
from pellucid.kernels import updates
from pellucid.kernels.blocks import BLOCK, each
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads


def adam(rule, t, weight_decay, shrink):
    return updates.AdamConstants(t, rule.lr, *rule.betas, rule.eps, weight_decay, shrink)


# The kernel of each rule, and the numbers it takes from the rule and the step's ``t``.
RULES = {
    "sgd": (updates.sgd, lambda o, t: (o.lr, o.weight_decay)),
    "momentum": (updates.momentum, lambda o, t: (o.lr, o.momentum, False, o.weight_decay)),
    "nesterov": (updates.momentum, lambda o, t: (o.lr, o.momentum, True, o.weight_decay)),
    "adagrad": (updates.adagrad, lambda o, t: (o.lr, o.eps, o.weight_decay)),
    "rmsprop": (updates.rmsprop, lambda o, t: (o.lr, o.alpha, o.eps, o.weight_decay)),
    "adam": (updates.adam, lambda o, t: (adam(o, t, o.weight_decay, 0.0),)),
    "adamw": (updates.adam, lambda o, t: (adam(o, t, 0.0, o.weight_decay),)),
}
SMALLEST = np.finfo(np.float32).tiny


class _Run:
    """``size`` weights under a rule: by the kernel, and by the rule itself in float64."""

    def __init__(self, name, size, **options):
        self.rule = optim.RULES[name](**options)
        self.kernel, self.constants = RULES[name]
        self.w = np.random.default_rng(size).normal(size=size).astype(np.float32)
        self.memory = {slot: np.zeros_like(self.w) for slot in self.rule.slots}
        self.exact_w = self.w.astype(np.float64)
        self.exact_memory = {slot: np.zeros(size) for slot in self.rule.slots}

    def step(self, g):
        rule = self.rule
        rule.t += 1
        each(self.kernel, self.w, g, *self.memory.values(), *self.constants(rule, rule.t))
        exact = g.astype(np.float64)
        if rule.weight_decay:
            exact = rule.decay(self.exact_w, exact, rule.lr, rule.weight_decay)
        rule.update(self.exact_w, exact, rule.lr, rule.t, **self.exact_memory)


@pytest.mark.parametrize("size", [1, 9, 64, BLOCK + 3, 3 * BLOCK])
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("name", RULES)
def test_a_kernel_takes_the_steps_of_its_rule(name, weight_decay, size):
    run = _Run(name, size, lr=0.05, weight_decay=weight_decay)
    for step in range(5):
        run.step(np.cos(step + np.arange(size, dtype=np.float32)))
    assert_agrees(run.w, run.exact_w, within=1e-6)
    for slot, exact in run.exact_memory.items():
        assert_agrees(run.memory[slot], exact, within=1e-6)


def test_weights_decay_apart_from_the_gradient():
    run = _Run("adamw", 50, lr=0.1, weight_decay=0.5)
    before = run.w.copy()
    run.step(np.zeros(50, np.float32))
    assert_agrees(run.w, 0.95 * before, within=1e-6)


@pytest.mark.parametrize("name", [name for name in RULES if name != "sgd"])
def test_what_is_remembered_never_ends_in_denormal_numbers(name):
    if name == "adagrad":  # it remembers for ever, but a gradient's square may be tiny
        run, steps, first = _Run(name, 100), 1, 1e-20
    else:  # decaying fast, so that no long wait is needed
        fast = {
            "momentum": {"momentum": 0.5}, "nesterov": {"momentum": 0.5}, "rmsprop": {"alpha": 0.5},
        }  # fmt: skip
        run = _Run(name, 100, **fast.get(name, {"betas": (0.5, 0.5)}))
        steps, first = 135, 1
    for step in range(steps):
        run.step(np.full(100, first if step == 0 else 0, np.float32))
    for slot, a in run.memory.items():
        plain = run.exact_memory[slot].astype(np.float32)
        assert ((plain != 0) & (abs(plain) < SMALLEST)).all(), slot
        assert not a.any(), slot


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", RULES)
def test_a_gradient_that_is_not_finite_is_seen(name, bad):
    run, g = _Run(name, 40), np.ones(40, np.float32)
    g[7] = bad
    with np.errstate(invalid="ignore"):
        run.step(g)
    np.testing.assert_array_equal(np.isfinite(run.w), np.isfinite(run.exact_w))
    assert not np.isfinite(run.w[7])
    for slot, a in run.memory.items():
        np.testing.assert_array_equal(np.isnan(a), np.isnan(run.exact_memory[slot]))
        assert not np.isfinite(a[7])


@pytest.mark.parametrize("name", RULES)
def test_the_bits_do_not_depend_on_the_threads(name):
    before, size, results = get_num_threads(), 4 * BLOCK + 17, []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            run = _Run(name, size)
            for step in range(3):
                run.step(np.cos(step + np.arange(size, dtype=np.float32)))
            results.append(run.w.tobytes())
    finally:
        set_num_threads(before)
    assert results[0] == results[1] == results[2]
