"""LeNet-5: the numbers of the paper, and the layers that only it has."""

from __future__ import annotations

import numpy as np
import pytest

import naive
from ops.witness import DTYPES, NUMERICAL, assert_agrees, frozen
from pellucid import gradcheck, summary
from pellucid.errors import ArgumentError, ShapeError
from pellucid.models import LeNet5
from pellucid.models.lenet_parts import TABLE, RadialBasis, ScaleAndShift, ScaledTanh, TableConv2d
from pellucid.nn.init import without_values


def test_the_published_network_has_the_papers_parameters_and_sizes():
    table = summary(LeNet5((1, 32, 32), variant="published", padding=0))
    rows = {row.name: row for row in table.rows}
    # Section II.B, layer by layer.
    assert {name: row.parameters for name, row in rows.items() if row.parameters} == {
        "c1": 156, "s2.scale": 12, "c3": 1_516, "s4.scale": 32, "c5": 48_120, "f6": 10_164,
    }  # fmt: skip
    assert table.parameters == 60_000
    assert [rows[name].output_shape for name in ("c1", "s2.scale", "c3", "s4.scale", "c5")] == [
        (6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120, 1, 1),
    ]  # fmt: skip
    # Connections: each neuron's weights and its bias; "122,304", "151,600" and "48,120".
    assert rows["c1"].without_sharing == 122_304
    assert rows["c3"].without_sharing == 151_600
    assert rows["c5"].without_sharing == 48_120
    assert rows["output"].output_shape == (10,)


def test_the_table_of_connections_is_the_papers():
    rows = [{o for o, seen in enumerate(TABLE) if c in seen} for c in range(6)]
    assert rows == [  # table I: in which columns a row has its crosses
        {0, 4, 5, 6, 9, 10, 11, 12, 14, 15},
        {0, 1, 5, 6, 7, 10, 11, 12, 13, 15},
        {0, 1, 2, 6, 7, 8, 11, 13, 14, 15},
        {1, 2, 3, 6, 7, 8, 9, 12, 14, 15},
        {2, 3, 4, 7, 8, 9, 10, 12, 13, 15},
        {3, 4, 5, 8, 9, 10, 11, 13, 14, 15},
    ]


def test_the_modern_network_has_the_usual_parameters():
    model = LeNet5()
    assert model.parameter_count() == 61_706
    assert [name for name, _ in model.children()] == [
        "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "flatten",
        "fc1", "relu3", "fc2", "relu4", "fc3",
    ]  # fmt: skip
    assert repr(model["fc1"]) == "Linear(400, 120)"
    assert LeNet5((3, 32, 32))["fc1"].in_features == 576


def test_an_unknown_variant_and_small_images_are_refused():
    with pytest.raises(ArgumentError, match=r"^variant: must be 'modern' or 'published', received"):
        LeNet5(variant="1998")
    with pytest.raises(ShapeError, match=r"^Conv2d 'c5': a window of 5 is larger"):
        LeNet5((1, 27, 27), variant="published")


# The layers of 1998.

PARTS = [
    (ScaledTanh, (3, 4, 4)),
    (lambda: _scaled(), (3, 4, 4)),
    (lambda: TableConv2d(rng=np.random.default_rng(0)), (6, 7, 8)),
    (lambda: RadialBasis(5, 4, rng=np.random.default_rng(0)), (5,)),
]


def _scaled() -> ScaleAndShift:
    layer = ScaleAndShift(3)
    layer.weight.data[...], layer.bias.data[...] = (2, -1, 0.5), (0.1, 0, 3)
    return layer


@pytest.mark.parametrize(("make", "shape"), PARTS)
def test_backward_equals_numerical_gradients(make, shape):
    x = np.random.default_rng(0).normal(size=(3, *shape))
    assert gradcheck(make(), x).worst < NUMERICAL


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("make", "shape"), PARTS)
def test_dtype_in_is_dtype_out_and_nothing_is_written_to(make, shape, dtype):
    layer = make().astype(dtype)
    x = frozen(np.random.default_rng(0).normal(size=(3, *shape)).astype(dtype))
    y = layer(x)
    dx = layer.backward(frozen(np.ones_like(y)))
    assert y.dtype == dx.dtype == dtype
    assert y.shape[1:] == layer.output_shape(shape)
    assert dx.shape == x.shape
    assert all(p.grad.dtype == dtype for p in layer.parameters().values())


def test_the_squashing_keeps_plus_and_minus_one():
    assert_agrees(ScaledTanh()(np.array([1.0, -1.0, 0.0])), [1, -1, 0], within=1e-4)


def test_the_table_is_a_convolution_with_zeros():
    layer = TableConv2d(rng=np.random.default_rng(0)).astype(np.float64)
    x = np.random.default_rng(1).normal(size=(2, 6, 6, 6))
    w = np.zeros((16, 6, 5, 5))
    connections = iter(layer.weight.data)
    for o, seen in enumerate(TABLE):
        for c in seen:
            w[o, c] = next(connections)
    assert_agrees(layer(x), naive.convolution(x, w, layer.bias.data))
    assert layer.multiply_adds((6, 6, 6)) == 4 * np.count_nonzero(w)


def test_the_nearest_code_has_the_highest_score_and_codes_are_not_trained():
    layer = RadialBasis(84, 10, rng=np.random.default_rng(0))
    assert set(np.unique(layer.codes.data)) == {-1, 1}
    scores = layer(layer.codes.data)
    assert np.array_equal(scores.argmax(axis=1), np.arange(10))
    assert not np.diag(scores).any()
    assert not layer.parameters()
    with pytest.raises(ShapeError, match=r"^RadialBasis: expects rows of 84 numbers, received"):
        layer(np.zeros((2, 3)))


def test_a_huge_output_takes_no_memory_before_it_is_loaded():
    with without_values():
        assert RadialBasis(10**6, 10**6).codes.data.base.nbytes == 4
