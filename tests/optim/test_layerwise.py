"""LARS and LAMB against the papers' algorithms, one number at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.errors import ArgumentError
from pellucid.kernels.blocks import BLOCK
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads
from pellucid.nn import Parameter
from pellucid.optim import LAMB, LARS, Optimizer

by_both = pytest.mark.parametrize("step", [Optimizer.step, engine.update], ids=["rule", "kernel"])
BETAS, EPS, TRUST, MOMENTUM = (0.8, 0.95), 1e-6, 0.02, 0.85


def _norm(numbers):
    return math.sqrt(math.fsum(x * x for x in numbers))


def lars(w, gradients, rates, decay, adapted):
    """Return the weights of You et al. 2017, algorithm 1, whose base rate is γ and decay β."""
    w, v = list(w), [0.0] * len(w)
    for g, gamma in zip(gradients, rates, strict=True):
        local = TRUST * _norm(w) / (_norm(g) + decay * _norm(w)) if adapted else 1.0
        v = [
            MOMENTUM * a + gamma * local * (b + decay * c)
            for a, b, c in zip(v, g, w, strict=True)
        ]  # fmt: skip
        w = [a - b for a, b in zip(w, v, strict=True)]
    return w


def lamb(x, gradients, rates, decay, adapted):
    """Return the weights of You et al. 2020, algorithm 2, with φ the identity."""
    (b1, b2), x = BETAS, list(x)
    m, v = [0.0] * len(x), [0.0] * len(x)
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = [b1 * a + (1 - b1) * b for a, b in zip(m, g, strict=True)]
        v = [b2 * a + (1 - b2) * b * b for a, b in zip(v, g, strict=True)]
        r = [
            (a / (1 - b1**t)) / (math.sqrt(b / (1 - b2**t)) + EPS)
            for a, b in zip(m, v, strict=True)
        ]  # fmt: skip
        u = [a + decay * b for a, b in zip(r, x, strict=True)]
        scale = eta * _norm(x) / _norm(u) if adapted else eta
        x = [a - scale * b for a, b in zip(x, u, strict=True)]
    return x


RULES = {
    "lars": (lars, lambda **o: LARS(0.7, MOMENTUM, trust_coefficient=TRUST, **o)),
    "lamb": (lamb, lambda **o: LAMB(0.7, BETAS, EPS, **o)),
}
every_rule = pytest.mark.parametrize("name", RULES)


@every_rule
@by_both
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_ten_steps_are_those_of_the_paper(name, step, dtype, weight_decay):
    """At a rate that changes; an array of decay 0 is neither decayed nor adapted."""
    rng = np.random.default_rng(3)
    paper, build = RULES[name]
    arrays = {"w": rng.normal(size=(4, 3, 5)), "b": rng.normal(size=7), "half": rng.normal(size=9)}
    factors = {"w": 1.0, "b": 0.0, "half": 0.5}
    ours = {k: Parameter(a.astype(dtype), decay=factors[k]) for k, a in arrays.items()}
    starts = {k: p.data.astype(np.float64).ravel().tolist() for k, p in ours.items()}
    rates = [0.1 / (1 + k % 4) for k in range(10)]
    gradients = {k: rng.normal(size=(10, *a.shape)).astype(dtype) for k, a in arrays.items()}
    rule = build(weight_decay=weight_decay)
    for k, lr in enumerate(rates):
        for key, p in ours.items():
            p.grad = gradients[key][k]
        step(rule, ours, lr)
    for key, p in ours.items():
        rows = gradients[key].astype(np.float64).reshape(10, -1).tolist()
        decay = weight_decay * factors[key]
        expected = paper(starts[key], rows, rates, decay, factors[key] != 0)
        within = {"float32": 2e-6, "float64": 1e-12}[dtype]
        assert p.data.dtype == dtype
        assert_agrees(p.data.ravel(), np.array(expected), within=within, what=f"{name} {key}")


@every_rule
@by_both
def test_a_step_is_in_proportion_to_the_weights_whatever_the_gradient(name, step):
    moved = []
    for scale in (1e-3, 1.0, 1e4):
        p = Parameter(np.linspace(1, 2, 20, dtype=np.float32))
        before, p.grad = p.data.copy(), np.linspace(1, 3, 20, dtype=np.float32) * np.float32(scale)
        step(RULES[name][1](), {"w": p}, 0.1)
        moved.append(np.linalg.norm(p.data - before) / np.linalg.norm(before))
    share = {"lars": 0.1 * TRUST, "lamb": 0.1}[name]
    assert moved == pytest.approx([share] * 3, rel=1e-2)


@every_rule
@by_both
def test_weights_that_begin_at_zero_learn_and_a_gradient_of_zero_moves_nothing(name, step):
    p, q = (Parameter(np.full(5, x, np.float32)) for x in (0, 2))
    p.grad, q.grad = np.ones(5, np.float32), np.zeros(5, np.float32)
    step(RULES[name][1](), {"zero": p, "still": q}, 0.1)
    np.testing.assert_allclose(p.data, -0.1, rtol=1e-5)  # as without a trust ratio
    np.testing.assert_array_equal(q.data, 2)


@every_rule
@by_both
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_is_seen(name, step, bad):
    p = Parameter(np.ones(40, np.float32))
    p.grad = np.ones(40, np.float32)
    p.grad[7] = bad
    with np.errstate(invalid="ignore"):
        step(RULES[name][1](), {"w": p}, 0.1)
    assert not np.isfinite(p.data[7])


@every_rule
def test_the_bits_depend_neither_on_the_threads_nor_on_a_plan(name):
    """Over several blocks, the last one small."""
    before, results = get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            model = nn.Sequential(
                nn.Linear(90, 300, rng=np.random.default_rng(0)),
                nn.Linear(300, 3, rng=np.random.default_rng(1)),
            ).train()
            assert model[0].weight.data.size > 3 * BLOCK
            rule, flat = RULES[name][1](weight_decay=0.1), threads == 2
            run = engine.compile(model, (90,), 4) if flat else None
            for k in range(3):
                gradients = {
                    key: np.cos(k + np.arange(p.data.size, dtype=np.float32)).reshape(p.data.shape)
                    for key, p in model.parameters().items()
                }
                if run is not None:
                    run(np.ones((4, 90), np.float32))
                    run.backward(np.ones((4, 3), np.float32))
                for key, p in model.parameters().items():
                    if run is not None:
                        p.grad[...] = gradients[key]
                    else:
                        p.grad = gradients[key]
                engine.update(rule, model.parameters(), 0.1)
            results.append(b"".join(p.data.tobytes() for p in model.parameters().values()))
    finally:
        set_num_threads(before)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), "1"])
def test_a_trust_coefficient_must_be_above_0(value):
    with pytest.raises(ArgumentError, match=r"^trust_coefficient: must be a finite number above 0"):
        LARS(trust_coefficient=value)


@pytest.mark.parametrize(
    ("build", "steps"), [(lambda: LARS(0.1, 0.5), 120), (lambda: LAMB(0.1, (0.5, 0.5)), 135)]
)
def test_what_is_remembered_never_ends_in_denormal_numbers(build, steps):
    smallest, fast, plain = np.finfo(np.float32).tiny, build(), build()
    p, q = (Parameter(np.ones(100, np.float32)) for _ in range(2))
    for k in range(steps):
        p.grad = q.grad = np.full(100, np.float32(k == 0))
        engine.update(fast, {"w": p})
        plain.step({"w": q})
    for slot, array in fast.memory["w"].items():
        assert not array.any(), slot
        assert (abs(plain.memory["w"][slot]) > 0).all(), slot
        assert (abs(plain.memory["w"][slot]) < smallest).all(), slot
