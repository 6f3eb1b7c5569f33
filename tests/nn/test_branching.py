"""Residual, Branches and the shortcut without parameters: both ways, their names, their refusals.

Gradients, PyTorch's counterparts, files and all that every layer promises: tests/nn/cases.py.
"""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import frozen
from pellucid import nn, summary
from pellucid.engine import compile
from pellucid.errors import ArgumentError, ShapeError
from pellucid.nn import (
    BatchNorm2d,
    Branches,
    Conv2d,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Tanh,
    ZeroPadShortcut,
)
from pellucid.receptive import ReceptiveField


def _block(**options) -> Residual:
    """Return the basic block of He et al. 2015, figure 2, with torchvision's names."""
    rng = np.random.default_rng(0)
    return Residual(
        conv1=Conv2d(2, 3, 3, 2, 1, bias=False, rng=rng),
        bn1=BatchNorm2d(3),
        relu=ReLU(),
        conv2=Conv2d(3, 3, 3, 1, 1, bias=False, rng=rng),
        bn2=BatchNorm2d(3),
        **options,
    )


def _projected() -> Residual:
    rng = np.random.default_rng(1)
    projection = Sequential(Conv2d(2, 3, 1, 2, bias=False, rng=rng), BatchNorm2d(3))
    return _block(shortcut=projection)


def _inception() -> Branches:
    return Branches(
        ones=Conv2d(3, 2, 1),
        threes=Sequential(Conv2d(3, 4, 1), ReLU(), Conv2d(4, 5, 3, padding=1)),
        pool=Sequential(MaxPool2d(3, 1, 1), Conv2d(3, 1, 1)),
    )


# Residual.


def test_a_residual_adds_its_input():
    block, x = Residual(Tanh()), np.linspace(-1, 1, 6).reshape(2, 3)
    assert np.array_equal(block(x), np.tanh(x) + x)
    dy = np.ones((2, 3))
    assert np.allclose(block.backward(dy), 2 - np.tanh(x) ** 2)


def test_an_empty_chain_doubles_and_gives_arrays_of_its_own():
    block, x = Residual(), frozen(np.ones((2, 3)))
    y, dx = block(x), block.backward(x)
    assert (y == 2).all()
    assert (dx == 2).all()
    assert not any(np.shares_memory(x, a) for a in (y, dx))


def test_the_keys_are_torchvisions():
    assert list(_projected().parameters()) == [
        "conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight", "bn2.weight", "bn2.bias",
        "downsample.0.weight", "downsample.1.weight", "downsample.1.bias",
    ]  # fmt: skip
    assert [name for name, _ in _projected().children()][-2:] == ["bn2", "downsample"]
    assert _projected()["downsample"]["0"].name == "0"
    assert len(_projected()) == 6


def test_an_error_in_the_shortcut_or_the_chain_names_its_path():
    model = Sequential(block=_projected())
    with pytest.raises(ShapeError, match=r"^Conv2d 'block\.conv1': expects 2 input channels"):
        model(np.zeros((1, 5, 4, 4)))
    odd = Sequential(block=Residual(ReLU(), shortcut=Sequential(Conv2d(2, 5, 1))))
    said = r"^Conv2d 'block\.downsample\.0': expects 2 input channels"
    with pytest.raises(ShapeError, match=said):
        odd(np.zeros((1, 5, 4, 4)))
    with pytest.raises(ShapeError, match=said):
        odd.output_shape((5, 4, 4))
    fresh = Sequential(block=Residual(ReLU(), shortcut=Sequential(Conv2d(5, 5, 1))))
    fresh["block"].chain(np.zeros((1, 5, 4, 4)))
    with pytest.raises(ArgumentError, match=r"^Residual 'block': backward needs a forward"):
        fresh.backward(np.zeros((1, 5, 4, 4)))
    fresh(np.zeros((1, 5, 4, 4)))
    with pytest.raises(ShapeError, match=r"^Residual 'block': expects an output gradient of shape"):
        fresh.backward(np.zeros((1, 5, 4, 1)))


@pytest.mark.parametrize(
    ("block", "shape", "said"),
    [
        (
            _block(),
            (2, 7, 8),
            r"the chain maps \(2, 7, 8\) to \(3, 4, 4\) and the shortcut to \(2, 7, 8\); they must "
            r"be equal to be added\. Give `shortcut=Conv2d\(2, 3, 1, stride=2\)`, a 1x1 "
            r"convolution, or `ZeroPadShortcut\(2, 3, stride=2\)`, which has no parameters\.$",
        ),
        (
            Residual(Conv2d(3, 1, 1)),
            (3, 4, 4),
            r"the chain maps .* to \(1, 4, 4\) .* Give `shortcut=Conv2d\(3, 1, 1, stride=1\)`, a "
            r"1x1 convolution\.$",
        ),
        (
            Residual(Conv2d(2, 2, 3)),
            (2, 6, 6),
            r"the chain maps .* to \(2, 4, 4\) .* Pad the chain's convolutions, so that only",
        ),
        (
            Residual(Linear(4, 1)),
            (4,),
            r"the chain maps .* to \(1,\) .* Give a `shortcut` with the same",
        ),
    ],
)
def test_what_cannot_be_added_is_refused_with_what_to_change(block, shape, said):
    model = Sequential(block=block)
    said = f"^Residual 'block': {said}"
    with pytest.raises(ShapeError, match=said):
        model.output_shape(shape)
    with pytest.raises(ShapeError, match=said):  # NumPy would spread a single channel over all
        model(np.zeros((2, *shape)))
    with pytest.raises(ShapeError, match=said):
        summary(model, shape)


def test_the_shortcut_has_one_place_and_one_name():
    relu = ReLU()
    with pytest.raises(ArgumentError, match=r"^Residual: one layer occurs twice"):
        Residual(Tanh(), relu, shortcut=Sequential(relu))
    with pytest.raises(
        ArgumentError, match=r"^Residual: 'downsample' is the shortcut's name: give"
    ):
        Residual(downsample=Tanh(), shortcut=relu)
    with pytest.raises(ArgumentError, match=r"^Residual: 'shortcut' must be a layer, received 3\."):
        Residual(Tanh(), shortcut=3)
    with pytest.raises(ArgumentError, match=r"^Residual: '0' must be a layer, .* Add parentheses"):
        Residual(ReLU)


def test_the_summary_lists_both_ways_and_the_addition():
    table = summary(Sequential(block=_projected()), (2, 8, 8))
    rows = {row.name: row for row in table.rows}
    assert list(rows) == [
        "block.conv1", "block.bn1", "block.relu", "block.conv2", "block.bn2",
        "block.downsample.0", "block.downsample.1", "block",
    ]  # fmt: skip
    assert rows["block"].layer == "chain + shortcut"
    assert rows["block"].output_shape == (3, 4, 4)
    assert {name: str(row.field) for name, row in rows.items() if "b" not in name[6:]} == {
        "block.conv1": "3x3", "block.relu": "3x3", "block.conv2": "7x7",
        "block.downsample.0": "1x1", "block.downsample.1": "1x1", "block": "7x7",
    }  # fmt: skip
    model = _projected()
    assert table.parameters == model.parameter_count() == 54 + 81 + 6 + 3 * 6
    assert table.multiply_adds == model.multiply_adds((2, 8, 8)) == 16 * (54 + 81 + 6)
    assert sum(row.activation for row in table.rows) == model.activation_size((2, 8, 8)) == 8 * 48


def test_repr_and_config_build_the_block_again():
    block = Residual(ReLU(), conv=Conv2d(2, 2, 1), shortcut=Conv2d(2, 2, 1))
    assert repr(block) == (
        "Residual(\n    ReLU(),\n    conv=Conv2d(2, 2, 1),\n    shortcut=Conv2d(2, 2, 1),\n)"
    )
    assert repr(eval(repr(block), vars(nn))) == repr(block)
    assert list(block.config()) == ["0", "conv", "shortcut"]
    assert list(Residual(Tanh()).config()) == ["0"]


def test_a_block_with_a_constructor_of_its_own_is_written_down_by_its_arguments():
    class Block(Residual):
        def __init__(self, channels: int) -> None:
            self.channels = channels
            super().__init__(Conv2d(channels, channels, 1))

    class Pair(Branches):
        def __init__(self, channels: int) -> None:
            self.channels = channels
            super().__init__(Conv2d(channels, 1, 1), Conv2d(channels, 1, 1))

    assert Block(3).config() == Pair(3).config() == {"channels": 3}


# Branches.


def test_branches_see_one_input_and_are_joined_in_order():
    model = Branches(Tanh(), ReLU())
    x = np.array([[[[-1.0]], [[2.0]]]])
    assert np.array_equal(model(x).ravel(), [np.tanh(-1), np.tanh(2), 0, 2])
    dx = model.backward(np.array([1.0, 1, 10, 10]).reshape(1, 4, 1, 1))
    assert np.allclose(dx.ravel(), [1 - np.tanh(1) ** 2, 1 - np.tanh(2) ** 2 + 10])


def test_rows_of_numbers_are_joined_too():
    model = Branches(Sequential(), Linear(3, 2))
    assert model.output_shape((3,)) == (5,)
    assert model(np.zeros((4, 3), np.float32)).shape == (4, 5)


def test_branches_that_pass_arrays_on_share_none_with_their_callers():
    model, x = Branches(Sequential(), Sequential()), frozen(np.ones((3, 2, 4, 4)))
    y = model(x)
    dy = frozen(np.ones(y.shape))
    dx = model.backward(dy)
    assert (dx == 2).all()
    assert not np.shares_memory(x, y)
    assert not np.shares_memory(dx, dy)


def test_branches_of_different_sizes_are_refused():
    model = Sequential(mix=Branches(ones=Conv2d(1, 2, 1), threes=Conv2d(1, 4, 3)))
    said = (
        r"^Branches 'mix': the branches' outputs differ in size and cannot be concatenated: "
        r"'ones' \(2, 5, 5\), 'threes' \(4, 3, 3\)\. Give them the same stride, and each a padding"
    )
    with pytest.raises(ShapeError, match=said):
        model.output_shape((1, 5, 5))
    with pytest.raises(ShapeError, match=said):
        model(np.zeros((2, 1, 5, 5)))
    with pytest.raises(ShapeError, match=r"^Branches: the branches' outputs differ in size"):
        list(Branches(*model["mix"]).rows((1, 5, 5), ReceptiveField()))


def test_no_branch_and_one_layer_in_two_are_refused():
    relu = ReLU()
    with pytest.raises(ArgumentError, match=r"^Branches: needs at least one branch\.$"):
        Branches()
    with pytest.raises(ArgumentError, match=r"^Branches: one layer occurs twice"):
        Branches(relu, Sequential(relu))


def test_an_error_in_a_branch_names_its_path():
    model = Sequential(mix=_inception())
    with pytest.raises(ShapeError, match=r"^Conv2d 'mix\.ones': expects 3 input channels"):
        model.output_shape((1, 5, 5))
    with pytest.raises(ArgumentError, match=r"^\w+ 'mix': backward needs a forward first"):
        model.backward(np.zeros((1, 8, 5, 5)))


def test_the_summary_lists_every_branch_and_the_joining():
    table = summary(_inception(), (3, 6, 6))
    rows = {row.name: row for row in table.rows}
    assert list(rows) == [
        "ones", "threes.0", "threes.1", "threes.2", "pool.0", "pool.1", "",
    ]  # fmt: skip
    assert rows[""].layer == "joined channels"
    assert rows[""].output_shape == (8, 6, 6)
    assert [str(row.field) for row in table.rows] == [
        "1x1", "1x1", "1x1", "3x3", "3x3", "3x3", "3x3",
    ]  # fmt: skip
    model = _inception()
    assert table.multiply_adds == model.multiply_adds((3, 6, 6)) == 36 * (6 + 12 + 180 + 3)
    assert table.parameters == model.parameter_count()
    inside = 36 * (2 + 4 + 4 + 5 + 3 + 1 + 8)
    assert sum(row.activation for row in table.rows) == model.activation_size((3, 6, 6)) == inside


def test_repr_and_config_build_the_branches_again():
    model = _inception()
    assert repr(eval(repr(model), vars(nn))) == repr(model)
    assert list(model.config()) == ["ones", "threes", "pool"]


# In a network.


def _network() -> Sequential:
    layers = {"0": _projected(), "relu0": ReLU(), "1": _inception(), "relu1": ReLU()}
    return Sequential(**layers, flat=nn.Flatten(), fc=Linear(8 * 16, 4))


def test_names_that_are_numbers_survive_repr():
    model = _network()
    again = eval(repr(model), vars(nn))
    assert repr(again) == repr(model)
    assert list(again.parameters()) == list(model.parameters())


def test_modes_and_forgetting_reach_every_way():
    model = _network()
    model(np.zeros((2, 2, 8, 8), np.float32))
    model.eval()
    assert not any(layer.training for _, layer in model.layers())
    model.forget()
    assert all(layer._memory is None for _, layer in model.layers())


def test_a_plan_runs_them_as_the_layers_do():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 2, 8, 8)).astype(np.float32)
    model = _network().eval()
    y = model(x)
    dy = rng.normal(size=y.shape).astype(np.float32)
    dx = model.backward(dy)
    expected = {key: p.grad for key, p in model.parameters().items()}
    plan = compile(model, (2, 8, 8), 3)
    assert np.allclose(plan(x), y, atol=1e-5)
    assert np.allclose(plan.backward(dy, need_dx=True), dx, atol=1e-5)
    for key, p in model.parameters().items():
        assert np.allclose(p.grad, expected[key], atol=1e-4), key


# Fields that meet.


def test_the_field_of_two_ways_covers_both_and_where_they_begin():
    one = ReceptiveField(size=(3, 1), stride=(2, 2), start=(-1, 0))
    two = ReceptiveField(size=(4, 2), stride=(2, 2), start=(1, 0), everything=True)
    both = ReceptiveField(size=(6, 2), stride=(2, 2), start=(-1, 0), everything=True)
    assert one.joined(two) == two.joined(one) == both


def test_a_block_sees_what_its_gradient_reaches():
    block = Residual(Conv2d(1, 1, 3, padding=1), shortcut=Conv2d(1, 1, 5, padding=2))
    for p in block.parameters().values():
        p.data[...] = 1
    dy = np.zeros((1, 1, 9, 9))
    dy[0, 0, 4, 4] = 1
    block(np.ones((1, 1, 9, 9)))
    rows, columns = np.nonzero(block.backward(dy)[0, 0])
    field = block.receptive_field(ReceptiveField(), (1, 9, 9))
    assert field.size == (np.ptp(rows) + 1, np.ptp(columns) + 1) == (5, 5)


# The shortcut without parameters.


def test_the_shortcut_skips_rows_and_adds_channels_of_zeros():
    x = np.arange(2 * 3 * 5.0).reshape(1, 2, 3, 5)
    y = ZeroPadShortcut(2, 3, stride=(1, 2))(x)
    assert y.shape == (1, 3, 3, 3)
    assert np.array_equal(y[:, :2], x[..., ::2])
    assert not y[:, 2].any()
    assert ZeroPadShortcut(2, 3).parameter_count() == 0


def test_the_shortcut_refuses_what_it_cannot_do():
    with pytest.raises(
        ArgumentError, match=r"^out_channels: must be at least the 4 of the input, r"
    ):
        ZeroPadShortcut(4, 3)
    said = r"^ZeroPadShortcut: expects 2 input channels, .*`ZeroPadShortcut\(3, \.\.\.\)`\.$"
    with pytest.raises(ShapeError, match=said):
        ZeroPadShortcut(2, 4)(np.zeros((1, 3, 4, 4)))
    with pytest.raises(ShapeError, match=r"^ZeroPadShortcut: expects images"):
        ZeroPadShortcut(2, 4)(np.zeros((1, 2)))


def test_a_layer_of_ones_own_stands_in_every_way():
    class Twice(Layer):
        def forward(self, x):
            return 2 * x

        def backward(self, dy):
            return 2 * dy

    x = np.ones((1, 1, 2, 2))
    assert (Residual(Twice(), shortcut=Twice())(x) == 4).all()
    assert Branches(Twice(), Twice())(x).shape == (1, 2, 2, 2)
