"""The arithmetic of a unit: what is written adds up to the engine's number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from nn.cases import Case, every_case
from ops.strategies import Convolution, Pooling, convolutions, poolings
from pellucid import nn
from pellucid.errors import ArgumentError
from pellucid.models import by_name
from pellucid.shapes import slide
from pellucid.viz.analysis.arithmetic import arithmetic, explains
from viz.added_up import plain_values_of, require_added_up, units_of, values_of


def image_of(case: Case) -> np.ndarray:
    return np.array(case.arrays(np.float32)[0][0])


@every_case
def test_the_numbers_of_every_layer_add_up_to_the_one_in_its_map(case: Case):
    model = case.build().astype(np.float32).eval()
    x = image_of(case)
    by_engine, by_layers = values_of(model, x), plain_values_of(model, x)
    for k, value in enumerate(by_engine[1:], 1):
        units = units_of(value.shape)
        for unit in units:
            assert require_added_up(model, by_engine, k, unit)["exact"]
        for unit in units[:: max(len(units) // 2, 1)]:
            require_added_up(model, by_layers, k, unit)


# Networks -----------------------------------------------------------------------------------------

NETWORKS = {
    "lenet-1998": (1, 32, 32),
    "resnet20": (3, 32, 32),
    "googlenet": (3, 32, 32),
    "mobilenet-v3-small": (3, 32, 32),
    "alexnet": (3, 67, 67),
    "convnext-tiny": (3, 32, 32),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_value_of_a_network_is_explained_and_adds_up(name):
    model = _with_statistics(by_name(name, NETWORKS[name], 10).eval())
    x = np.random.default_rng(2).random(NETWORKS[name], dtype=np.float32)
    values = values_of(model, x)
    for k, value in enumerate(values[1:], 1):
        unit = tuple(size - 1 if k % 2 else size // 2 for size in value.shape)
        assert require_added_up(model, values, k, unit)["exact"]


def _with_statistics(model: nn.Layer) -> nn.Layer:
    """Return it with statistics and biases other than those of the start, which hide mistakes."""
    rng = np.random.default_rng(1)
    for key, buffer in model.buffers().items():
        if "running" in key or key.endswith("bias"):
            buffer.data[...] = rng.uniform(0.5, 1.5, size=buffer.data.shape)
    return model


# Geometry -----------------------------------------------------------------------------------------


@given(convolutions())
def test_a_unit_of_any_convolution_is_a_row_of_im2col_times_a_column(case: Convolution):
    x, w, _, _ = case.arrays(np.float32)
    layer = nn.Conv2d(x.shape[1], w.shape[0], w.shape[2:], **case.options)
    y = layer(x[:1])[0]
    for unit in units_of(y.shape, 0)[:3]:
        told = require_added_up(layer, [x[0], y], 1, unit)["parts"][0]
        first, end = told["channels"]
        rows = naive.im2col(x[:1, first:end], w.shape[2:], **case.geometry.naive)
        assert told["im2col"]["shape"] == list(rows.shape)
        assert told["im2col"]["weights"] == [rows.shape[1], w.shape[0] // case.groups]
        np.testing.assert_array_equal(rows[told["im2col"]["row"]], told["numbers"].ravel())


@given(poolings(), st.sampled_from(["MaxPool2d", "AvgPool2d", "LpPool2d"]), st.booleans())
def test_a_unit_of_any_pooling_adds_up(case: Pooling, kind, counted):
    x = case.arrays(np.float32)[0]
    first = (2,) if kind == "LpPool2d" else ()
    more = {"count_include_pad": counted} if kind == "AvgPool2d" else {}
    layer = getattr(nn, kind)(*first, case.geometry.window, **case.geometry.options, **more)
    y = layer(x[:1])[0]
    for unit in units_of(y.shape, 0)[:4]:
        require_added_up(layer, [x[0], y], 1, unit)


def _parts(layer: nn.Layer, x: np.ndarray, y: np.ndarray, unit) -> list[dict]:
    return arithmetic(layer, [x], y, unit).as_dict()["parts"]


# What is not known --------------------------------------------------------------------------------


class Blur(nn.Layer):
    """A layer of somebody's own: means of 3x3, which says what it reads."""

    def forward(self, x):
        return nn.AvgPool2d(3, 2, 1).forward(x)

    def output_shape(self, shape):
        return nn.AvgPool2d(3, 2, 1).output_shape(shape)

    def receptive_field(self, field, shape):
        return field.through(slide(shape[1:], 3, 2, 1))


class Silent(Blur):
    """One that does not."""

    receptive_field = nn.Layer.receptive_field


class Wrong(Blur):
    """One that refuses to say."""

    def receptive_field(self, field, shape):
        raise IndexError("nobody knows")


class Half(nn.Layer):
    """One of single numbers."""

    per_number = True

    def forward(self, x):
        return x / 2


class Taller(nn.ReLU):
    """One that computes something else than the layer it derives from."""

    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize(
    ("layer", "channels", "rows", "columns"),
    [
        (Blur(), [0, 2], [-1, 1, 3], [3, 1, 3]),
        (Silent(), [0, 2], [0, 1, 7], [0, 1, 8]),
        (Wrong(), [0, 2], [0, 1, 7], [0, 1, 8]),
        (Half(), [1, 2], [0, 1, 1], [2, 1, 1]),
        (Taller(), [1, 2], [0, 1, 1], [2, 1, 1]),
    ],
)
def test_of_an_unknown_layer_only_what_a_unit_reads_is_told(layer, channels, rows, columns):
    x = np.random.default_rng(0).random((2, 7, 8), dtype=np.float32)
    values = [x, layer.forward(x[None])[0]]
    told = require_added_up(layer, values, 1, (1, 0, 2))
    (part,) = told["parts"]
    assert not told["exact"]
    assert part["form"] == "reading"
    assert (part["channels"], part["rows"], part["columns"]) == (channels, rows, columns)
    assert told["result"] == told["engine"]


def test_of_an_unknown_join_each_input_is_told():
    class Either(nn.Add):
        def forward(self, a, b):
            return np.where(a > 0, a, b)

    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    model = nn.Graph({"relu": (nn.ReLU(), "x"), "either": (Either(), "relu", "x")})
    values = [x, np.maximum(x, 0), np.where(x > 0, x, x)]
    told = require_added_up(model, values, 2, (1, 2, 3))
    assert [(part["input"], part["rows"], part["channels"]) for part in told["parts"]] == [
        (1, [2, 1, 1], [0, 2]),
        (0, [2, 1, 1], [0, 2]),
    ]


def test_a_layer_of_ones_own_can_be_explained():
    class Third(nn.Layer):
        def forward(self, x):
            return x / np.float32(3)

    @explains(Third)
    def third(layer, at):
        return at.function("y = x / 3", lambda x: x / 3)

    x = np.float32([1, 2])
    assert require_added_up(Third(), [x, x / 3], 1, [1])["exact"]


@pytest.mark.parametrize("unit", [[0, 0], [0, 0, 0, 0], [1, 0, 0], [0, -1, 0], [0, 0, 2.0], "cij"])
def test_a_place_that_the_map_does_not_have_is_refused(unit):
    x = np.zeros((1, 3, 3), np.float32)
    with pytest.raises(ArgumentError, match=r"unit: must be \[c, i, j\].*\(1, 3, 3\)"):
        arithmetic(nn.ReLU(), [x], x, unit)


def test_a_maximum_of_nothing_but_minus_infinity_is_not_padding():
    x = np.full((1, 3, 3), -np.inf, np.float32)
    layer = nn.MaxPool2d(3, 2, 1)
    (part,) = _parts(layer, x, layer(x[None])[0], (0, 0, 0))
    assert part["winner"] == [0, 1, 1]
    assert part["counted"] == 4


def test_what_is_scattered_to_a_cell_is_listed_from_the_first_row_on():
    layer, x = nn.ConvTranspose2d(1, 1, 5, 2, 1), np.ones((1, 4, 4), np.float32)
    y = layer(x[None])[0]
    part = _parts(layer, x, y, (0, 4, 3))[0]
    assert (part["rows"], part["columns"]) == ([1, 1, 2], [0, 1, 3])
    assert part["weight_index"] == [[0, 1], 0, [3, -2], [4, -2]]


def test_explaining_leaves_what_a_layer_has_cached():
    layer, x = nn.Concat(), np.ones((1, 2, 3, 3), np.float32)
    layer.forward(x, x)
    arithmetic(layer, [x[0, :1], x[0]], np.ones((3, 3, 3), np.float32), (2, 1, 1))
    assert layer.backward(np.ones((1, 4, 3, 3), np.float32))[0].shape == (1, 2, 3, 3)
