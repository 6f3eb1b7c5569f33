"""A layer of twenty lines, written outside Pellucid, works everywhere at once."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid import Trainer, data, nn, optim
from pellucid.errors import ArgumentError, FileFormatError
from pellucid.nn import Layer, Parameter


class Gain(Layer):
    """Multiply every channel by a number of its own."""

    def __init__(self, channels, start=1.0):
        self.channels = channels
        self.start = start
        self.gain = Parameter(np.full(channels, start, dtype=np.float32))

    def forward(self, x):
        self.remember(x)
        return x * self.gain.data.reshape(1, -1, 1, 1)

    def backward(self, dy):
        (x,) = self.recall()
        self.gain.grad = (dy * x).sum(axis=(0, 2, 3))
        return dy * self.gain.data.reshape(1, -1, 1, 1)


class Twice(Layer):
    """Two of them, one after the other, inside a layer of its own."""

    def __init__(self, inner, switch=False):
        self.inner = inner
        self.switch = switch
        self.second = Gain(2, 3.0)

    def forward(self, x):
        return self.second(self.inner(x))

    def backward(self, dy):
        return self.inner.backward(self.second.backward(dy))


def _model():
    return nn.Sequential(
        conv=nn.Conv2d(1, 2, 3, rng=np.random.default_rng(0)),
        scale=Gain(2, start=0.5),
        twice=Twice(Gain(2, 2.0)),
        flatten=nn.Flatten(),
        fc=nn.Linear(72, 10, rng=np.random.default_rng(1)),
    )


def test_its_gradients_are_checked():
    x = np.random.default_rng(0).normal(size=(2, 1, 8, 8))
    report = pellucid.gradcheck(_model(), x)
    assert report.worst < 1e-6
    assert {row.name for row in report.rows} >= {
        "scale.gain",
        "twice.inner.gain",
        "twice.second.gain",
    }


def test_it_has_a_line_in_the_summary():
    table = pellucid.summary(_model(), (1, 8, 8))
    lines = {row.name: row for row in table.rows}
    assert lines["scale"].parameters == 2
    assert lines["twice"].parameters == 4
    assert lines["scale"].output_shape == (2, 6, 6)
    assert "Gain(2, start=0.5)" in str(table)


def test_its_parameters_train():
    train, test = data.digits()
    model = _model()
    before = model.state_dict()
    Trainer(model, train.take(200), test.take(50), optimizer=optim.SGD(0.1), epochs=2).fit()
    after = model.state_dict()
    assert set(after) == {
        "conv.weight", "conv.bias", "scale.gain", "twice.inner.gain", "twice.second.gain",
        "fc.weight", "fc.bias",
    }  # fmt: skip
    assert all(not np.array_equal(before[key], after[key]) for key in before)


def test_it_is_saved_and_loaded_when_its_class_is_named(tmp_path):
    model = _model().eval()
    model["scale"].gain.data[:] = [3.0, -1.0]
    pellucid.save(model, tmp_path / "own.safetensors")
    again = pellucid.load(tmp_path / "own.safetensors", layers=[Gain, Twice])
    assert again["scale"].start == 0.5
    assert type(again["twice"].inner) is Gain
    x = np.random.default_rng(0).normal(size=(2, 1, 8, 8)).astype(np.float32)
    assert np.array_equal(model(x), again(x))


def test_without_its_class_the_file_says_how_to_load_it(tmp_path):
    pellucid.save(_model(), tmp_path / "own.safetensors")
    with pytest.raises(
        FileFormatError,
        match=r"names the layer 'Gain', which is unknown\. .*`load\(path, layers=\[Gain\]\)`",
    ):
        pellucid.load(tmp_path / "own.safetensors")


def test_an_argument_that_is_not_kept_is_named_when_it_is_saved(tmp_path):
    class Forgetful(Gain):
        def __init__(self, channels, power=2):
            super().__init__(channels)

    with pytest.raises(
        ArgumentError, match=r"^Forgetful 'odd': has no attribute 'power' .*`self\.power = power`"
    ):
        pellucid.save(nn.Sequential(odd=Forgetful(2)), tmp_path / "no.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_an_argument_that_no_file_can_hold_is_named_when_it_is_saved(tmp_path):
    class Odd(Gain):
        def __init__(self, channels, function=abs):
            super().__init__(channels)
            self.function = function

    with pytest.raises(
        ArgumentError,
        match=r"^Odd 'odd': has the argument <built-in function abs>, which no file can hold",
    ):
        pellucid.save(nn.Sequential(odd=Odd(2)), tmp_path / "no.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_list_of_layers_is_refused_since_its_parameters_would_not_be_found():
    class Blocks(nn.Layer):
        def __init__(self):
            self.blocks = [nn.Linear(2, 2), nn.ReLU()]

    with pytest.raises(ArgumentError, match=r"^Blocks: 'blocks' is a list of layers.*Sequential"):
        Blocks()


def test_an_argument_that_is_no_pair_keeps_both_numbers_in_the_repr():
    class Shaped(nn.Layer):
        def __init__(self, shape):
            self.shape = shape

    assert repr(Shaped((3, 3))) == "Shaped((3, 3))"
    assert repr(nn.Conv2d(1, 1, (3, 3))) == "Conv2d(1, 1, 3)"
