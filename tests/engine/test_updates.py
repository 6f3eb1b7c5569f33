"""An update by kernels is that of the rule; what no kernel can take, the rule takes itself."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import optim
from pellucid.engine.cpu.layerwise import LAYERWISE
from pellucid.engine.cpu.updates import KERNELS, update
from pellucid.errors import NumericsError, ShapeError
from pellucid.nn import Parameter


def _parameters(dtype=np.float32):
    rng = np.random.default_rng(0)
    shapes = {"conv": (6, 3, 5, 5), "bias": (6,), "affine": (300, 200), "gain": ()}
    return {name: Parameter(rng.normal(size=shape).astype(dtype)) for name, shape in shapes.items()}


def _both(fast, plain, parameters, expected, steps=4):
    for step in range(steps):
        for own, other in zip(parameters.values(), expected.values(), strict=True):
            g = np.cos(step + np.arange(own.data.size)).astype(own.data.dtype)
            own.grad = other.grad = g.reshape(own.data.shape)
        update(fast, parameters)
        plain.step(expected)


def _kernel(rule):
    return KERNELS[type(rule)](rule, 0.1, 1, 0.0)[0]


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
@pytest.mark.parametrize("rule", sorted(optim.RULES))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_update_is_that_of_the_rule(rule, dtype, weight_decay):
    parameters = _parameters(dtype)
    expected = copy.deepcopy(parameters)
    fast, plain = (optim.RULES[rule](lr=0.1, weight_decay=weight_decay) for _ in range(2))
    _both(fast, plain, parameters, expected)
    assert fast.t == plain.t
    for name, p in expected.items():
        assert parameters[name].data.dtype == dtype
        assert_agrees(parameters[name].data, p.data, within=1e-6)
        for slot, array in plain.memory[name].items():
            assert_agrees(fast.memory[name][slot], array, within=1e-6)


def test_other_types_are_left_to_the_rule():
    p = Parameter(np.ones(5, np.float32))
    p.grad = np.ones(5)
    for parameters in ({"w": p}, _parameters(np.float64)):
        for q in parameters.values():
            q.grad = np.ones(q.data.shape)
        update(optim.by_name("momentum"), parameters)
    assert len(_kernel(optim.by_name("momentum")).signatures) <= 1


@pytest.mark.parametrize("rule", ["momentum", "adam"])
def test_constants_that_are_numbers_of_numpy_compile_nothing_anew(rule):
    kernel = _kernel(optim.by_name(rule))
    parameters, usual = _parameters(), optim.RULES[rule]()
    _both(usual, optim.RULES[rule](), parameters, copy.deepcopy(parameters), steps=1)
    before = len(kernel.signatures)
    other = optim.RULES[rule]()
    for name, value in other.config().items():
        number = tuple(map(np.float32, value)) if isinstance(value, tuple) else np.float32(value)
        setattr(other, name, np.bool_(value) if isinstance(value, bool) else number)
    parameters = _parameters()
    _both(other, optim.RULES[rule](), parameters, copy.deepcopy(parameters), steps=1)
    assert len(kernel.signatures) == before == 1


def test_every_rule_has_a_kernel():
    assert set(KERNELS) | set(LAYERWISE) == {type(rule()) for rule in optim.RULES.values()}


def test_a_rule_of_ones_own_is_not_taken_for_its_base_class():
    class Lazy(optim.Adam):
        def update(self, w, g, lr, t, m, v):
            pass

    parameters = _parameters()
    before = copy.deepcopy(parameters)
    for p in parameters.values():
        p.grad = np.ones_like(p.data)
    update(Lazy(), parameters)
    for name, p in parameters.items():
        np.testing.assert_array_equal(p.data, before[name].data)


def test_a_memory_in_another_order_is_not_mixed_up():
    parameters = _parameters()
    expected = copy.deepcopy(parameters)
    fast, plain = optim.Adam(), optim.Adam()
    _both(fast, plain, parameters, expected, steps=1)
    for name, slots in fast.memory.items():  # as a loaded one may be
        fast.memory[name] = {"v": slots["v"], "m": slots["m"]}
    _both(fast, plain, parameters, expected)
    for name, p in expected.items():
        assert_agrees(parameters[name].data, p.data, within=1e-6)


def test_arrays_that_are_no_run_of_memory_are_updated_too():
    data = np.ones((8, 6), np.float32)
    p = Parameter(data[::2, ::3])
    p.grad = np.full((2, 4), 2, np.float32).T
    update(optim.SGD(lr=0.25), {"w": p})
    np.testing.assert_array_equal(p.data, np.full((4, 2), 0.5))
    assert data.sum() == 48 - 4


def test_a_gradient_of_another_shape_is_refused_by_the_rule():
    p = Parameter(np.ones((4, 2), np.float32))
    p.grad = np.ones((3, 2), np.float32)
    with pytest.raises(
        ShapeError, match=r"'w' has shape \(4, 2\), but its gradient has shape \(3, 2\)"
    ):
        update(optim.SGD(), {"w": p})


def test_weights_that_must_not_be_written_to_are_not():
    p = Parameter(np.ones(4, np.float32))
    p.data.setflags(write=False)
    p.grad = np.ones(4, np.float32)
    with pytest.raises(ValueError, match="read-only"):
        update(optim.SGD(), {"w": p})


def test_without_a_gradient_nothing_is_updated():
    parameters = _parameters()
    parameters["conv"].grad = np.ones_like(parameters["conv"].data)
    before = parameters["conv"].data.copy()
    with pytest.raises(NumericsError, match="'bias' has no gradient; run backward first"):
        update(optim.SGD(), parameters)
    np.testing.assert_array_equal(parameters["conv"].data, before)
