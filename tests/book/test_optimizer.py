"""`common.optimizer` against the oracle: arrays small and large, numbers, float32 gradients."""

from __future__ import annotations

import numpy as np
import pytest

from book.oracle import optimizer as oracle
from pellucid.book.common import optimizer
from pellucid.book.settings import settings

RULES = ("SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam")


def _params() -> dict:
    rng = np.random.default_rng(0)
    return {"W": rng.normal(size=(120, 90)), "b": rng.normal(size=7)}


def _steps(rule, params, dtype, count=5):
    rng = np.random.default_rng(1)
    for _ in range(count):
        grads = {key: rng.normal(size=p.shape).astype(dtype) for key, p in params.items()}
        rule.update(params, grads)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(("dtype", "within"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_every_rule_steps_as_the_oracle_does(name, dtype, within):
    ours, theirs = _params(), _params()
    _steps(getattr(optimizer, name)(lr=0.1), ours, dtype)
    _steps(getattr(oracle, name)(lr=0.1), theirs, dtype)
    for key in ours:
        assert ours[key].dtype == np.float64
        np.testing.assert_allclose(ours[key], theirs[key], rtol=within, atol=within)


@pytest.mark.parametrize("name", RULES)
def test_parameters_are_updated_in_place(name):
    params = _params()
    before = dict(params)
    _steps(getattr(optimizer, name)(), params, np.float32)
    assert all(params[key] is before[key] for key in params)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("change", [np.asfortranarray, lambda a: a[::-1], np.float32])
def test_arrays_that_no_kernel_takes_are_updated_too(name, change):
    ours, theirs = ({"W": change(_params()["W"])} for _ in range(2))
    _steps(getattr(optimizer, name)(), ours, np.float32)
    _steps(getattr(oracle, name)(), theirs, np.float32)
    np.testing.assert_allclose(ours["W"], theirs["W"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", RULES)
def test_plain_numbers_are_parameters_as_in_chapter_six(name):
    paths = []
    for kit in (optimizer, oracle):
        rule, params = getattr(kit, name)(lr=0.1), {"x": -7.0, "y": 2.0}
        path = []
        for _ in range(30):
            path.append(tuple(params.values()))
            rule.update(params, {"x": params["x"] / 10.0, "y": 2.0 * params["y"]})
        paths.append(path)
    np.testing.assert_allclose(*paths, rtol=1e-12)


def test_the_velocity_comes_first_where_the_edition_says_so_unless_strict():
    results = {}
    for first, strict in ((False, False), (True, False), (True, True)):
        settings.velocity_first, settings.strict = first, strict
        params = _params()
        _steps(optimizer.Nesterov(), params, np.float64)
        results[first, strict] = params
    for first in (True, False):
        rule = oracle.Nesterov()
        rule.velocity_first = first
        params = _params()
        _steps(rule, params, np.float64)
        for key in params:
            np.testing.assert_allclose(results[first, False][key], params[key], rtol=1e-12)
    np.testing.assert_array_equal(results[True, True]["W"], results[False, False]["W"])
    assert (results[True, False]["W"] != results[False, False]["W"]).any()


def test_what_a_rule_remembers_is_made_at_the_first_update():
    for rule, slots in (
        (optimizer.Momentum(), "v"),
        (optimizer.AdaGrad(), "h"),
        (optimizer.Adam(), "mv"),
    ):
        assert all(getattr(rule, slot) is None for slot in slots)
        params = _params()
        _steps(rule, params, np.float64, count=1)
        assert all(getattr(rule, slot).keys() == params.keys() for slot in slots)
    assert rule.iter == 1


def test_a_memory_that_decays_ends_at_zero_and_not_in_denormal_numbers():
    rule, params = optimizer.Momentum(momentum=0.1), {"W": np.zeros((50, 50))}
    rule.update(params, {"W": np.ones((50, 50), np.float32)})
    for _ in range(60):
        rule.update(params, {"W": np.zeros((50, 50), np.float32)})
    assert (rule.v["W"] == 0).all()


def test_a_gradient_that_is_not_a_number_is_seen():
    for name in RULES:
        rule, params = getattr(optimizer, name)(), {"W": np.zeros((50, 50))}
        g = np.zeros((50, 50), np.float32)
        g[1, 2] = np.nan
        rule.update(params, {"W": g})
        assert np.isnan(params["W"][1, 2]), name
        assert np.isnan(params["W"]).sum() == 1
