"""Initial weights: their spread, their seeds, and weights that take no memory."""

from __future__ import annotations

import math
import tracemalloc
from functools import partial

import numpy as np
import pytest

from pellucid import models, nn
from pellucid.errors import ArgumentError, ShapeError
from pellucid.formats import load, save
from pellucid.nn.init import he, initial_weights, normal, signs, without_values, xavier

SHAPES = [(200, 300), (64, 32, 5, 5), (30, 200, 3, 2)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_deviation_is_that_of_the_papers(shape):
    window = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * window, shape[0] * window
    expected = {
        "he": math.sqrt(2 / fan_in),
        "xavier": math.sqrt(2 / (fan_in + fan_out)),
        0.01: 0.01,
        0.3: 0.3,
    }
    for init, std in expected.items():
        w = initial_weights(shape, init, np.random.default_rng(0))
        # The estimate of a deviation from n draws is off by std / √(2n): allow five of those.
        assert abs(w.std(dtype=np.float64) / std - 1) < 5 / math.sqrt(2 * w.size), init
        assert abs(w.mean(dtype=np.float64)) < 5 * std / math.sqrt(w.size), init
        assert w.dtype == np.float32
        assert w.shape == shape


@pytest.mark.parametrize("draw", [he, xavier, normal])
def test_the_same_generator_draws_the_same_weights(draw):
    first, again, other = (draw((40, 50), rng=np.random.default_rng(s)) for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("layer", [nn.Linear, lambda *a, **k: nn.Conv2d(*a, 3, **k)])
def test_layers_draw_their_weights_from_their_generator_and_begin_with_no_bias(layer):
    first, again = (layer(64, 128, rng=np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.weight.data, again.weight.data)
    assert not first.bias.data.any()
    std = math.sqrt(2 / math.prod(first.weight.data.shape[1:]))
    assert first.weight.data.std() == pytest.approx(std, rel=0.05)
    small = layer(64, 128, weight_init=0.01, rng=np.random.default_rng(5))
    assert small.weight.data.std() == pytest.approx(0.01, rel=0.05)
    assert first.weight.data.dtype == first.bias.data.dtype == np.float32


def test_without_a_generator_every_layer_is_another():
    assert not np.array_equal(nn.Linear(5, 5).weight.data, nn.Linear(5, 5).weight.data)


def test_groups_see_fewer_inputs_and_begin_with_larger_weights():
    w = nn.Conv2d(64, 64, 3, groups=4, rng=np.random.default_rng(0)).weight.data
    assert w.std() == pytest.approx(math.sqrt(2 / (16 * 9)), rel=0.05)


@pytest.mark.parametrize("init", ["he", "xavier"])
def test_filters_at_places_of_their_own_are_drawn_as_if_each_stood_alone(init):
    local = nn.LocallyConnected2d(3, 8, 20, 3, weight_init=init, rng=np.random.default_rng(0))
    fan_in, fan_out = 27, 72
    std = math.sqrt(2 / fan_in if init == "he" else 2 / (fan_in + fan_out))
    assert local.weight.data.std() == pytest.approx(std, rel=0.02)
    up = nn.ConvTranspose2d(64, 32, 3, groups=2, weight_init=init, rng=np.random.default_rng(0))
    fan_in, fan_out = 32 * 9, 16 * 9
    std = math.sqrt(2 / fan_in if init == "he" else 2 / (fan_in + fan_out))
    assert up.weight.data.std() == pytest.approx(std, rel=0.02)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(
        ArgumentError,
        match=r"^weight_init: 'xaver' is not an initialisation\. Did you mean 'xavier'\? Known: he,"
        r" xavier\. Or give a number, the standard deviation of a normal distribution\.$",
    ):
        nn.Linear(2, 2, weight_init="xaver")


def test_weights_without_values_take_no_memory_until_a_state_is_loaded():
    tracemalloc.start()
    try:
        with without_values():
            huge = nn.Sequential(nn.Linear(10**6, 10**6), nn.Conv2d(10**5, 10**5, 9))
            small = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm2d(2))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20
    assert huge.parameter_count() == 10**12 + 10**6 + 81 * 10**10 + 10**5
    state = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm2d(2)).state_dict()
    small.load_state_dict(state)
    for key, buffer in small.buffers().items():
        assert np.array_equal(buffer.data, state[key])
        assert buffer.data.flags.writeable
        assert buffer.data is not state[key]


def test_values_return_after_the_block_also_when_it_failed():
    with pytest.raises(RuntimeError, match="inside"), without_values():
        raise RuntimeError("inside")
    assert nn.Linear(4, 4).weight.data.any()


def test_an_unknown_name_is_refused_without_values_too():
    with without_values(), pytest.raises(ArgumentError, match="not an initialisation"):
        nn.Linear(2, 2, weight_init="ones")


def test_weights_drawn_in_blocks_are_those_of_one_draw():
    shape = (3, 50_000)  # more than two blocks
    whole = (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)
    assert np.array_equal(normal(shape, 0.1, rng=np.random.default_rng(0)), whole)


def test_signs_are_minus_one_and_one_equally_often_and_take_no_memory_before_they_are_loaded():
    drawn = signs((100, 100), np.random.default_rng(0))
    assert drawn.dtype == np.float32
    assert set(np.unique(drawn)) == {-1, 1}
    assert abs(drawn.mean()) < 0.05
    with without_values():
        assert signs((10**6, 10**6), None).base.nbytes == 4


def _uniform(shape, *, rng):
    return rng.uniform(-0.5, 0.5, shape)


@pytest.mark.parametrize(
    "layer",
    [
        lambda init: nn.Linear(6, 5, weight_init=init, rng=np.random.default_rng(0)),
        lambda init: nn.Conv2d(2, 4, 3, weight_init=init, rng=np.random.default_rng(0)),
        lambda init: nn.ConvTranspose2d(4, 4, 3, groups=2, weight_init=init,
                                        rng=np.random.default_rng(0)),
        lambda init: nn.LocallyConnected2d(2, 3, 5, 3, weight_init=init,
                                           rng=np.random.default_rng(0)),
    ],
)  # fmt: skip
def test_a_function_draws_the_weights_as_a_name_does(layer):
    for init, function in (("he", he), ("xavier", xavier), (0.02, partial(normal, std=0.02))):
        assert np.array_equal(layer(init).weight.data, layer(function).weight.data)
    weight = layer(_uniform).weight.data
    assert weight.dtype == np.float32
    assert 0.3 < abs(weight).max() < 0.5


def test_a_function_draws_nothing_where_only_shapes_are_asked_for():
    def never(shape, *, rng):
        raise AssertionError

    with without_values():
        assert nn.Linear(3, 2, weight_init=never).weight.data.shape == (2, 3)


@pytest.mark.parametrize(
    ("returns", "error", "words"),
    [
        (
            np.ones((3, 2)),
            ShapeError,
            r"must return an array of shape \(2, 3\), returned one of \(3",
        ),
        (1.0, ShapeError, r"must return an array of shape \(2, 3\)"),
        (np.full((2, 3), np.nan), ArgumentError, r"must return finite real numbers, .* NaN or inf"),
        (np.ones((2, 3), complex), ArgumentError, "finite real numbers, returned complex128 numb"),
    ],
)
def test_weights_that_are_none_are_refused(returns, error, words):
    with pytest.raises(error, match=rf"^weight_init: .*{words}"):
        nn.Linear(3, 2, weight_init=lambda shape, rng: returns)


def test_a_network_with_weights_of_ones_own_function_is_saved_and_shown(tmp_path):
    model = models.SimpleConvNet((1, 8, 8), weight_init=_uniform)
    assert repr(model["affine2"]) == "Linear(100, 10, weight_init=_uniform)"
    save(model, tmp_path / "m")
    again = load(tmp_path / "m")
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[key], value)
