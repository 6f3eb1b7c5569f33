"""Sequential: names, order, and errors that point into the network."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import engine, formats, models, nn
from pellucid.errors import ArgumentError, ShapeError
from pellucid.nn import Conv2d, Flatten, Layer, Linear, MaxPool2d, ReLU, Sequential, Tanh


def _network() -> Sequential:
    rng = np.random.default_rng(0)
    return Sequential(
        features=Sequential(conv1=Conv2d(1, 4, 3, rng=rng), relu=ReLU(), conv2=Conv2d(30, 2, 3)),
        head=Sequential(Flatten(), Linear(32, 3, rng=rng)),
    )


def test_layers_are_found_by_name_and_by_place_in_order():
    relu, tanh = ReLU(), Tanh()
    model = Sequential(relu, last=tanh)
    assert model["0"] is model[0] is relu
    assert model["last"] is model[1] is model[-1] is tanh
    assert list(model) == [relu, tanh]
    assert len(model) == 2
    assert [name for name, _ in model.children()] == ["0", "last"]
    assert [layer.name for layer in model] == ["0", "last"]


def test_nested_layers_have_dotted_paths():
    assert [path for path, _ in _network().layers()] == [
        "", "features", "features.conv1", "features.relu", "features.conv2",
        "head", "head.0", "head.1",
    ]  # fmt: skip
    assert list(_network().parameters()) == [
        "features.conv1.weight", "features.conv1.bias", "features.conv2.weight",
        "features.conv2.bias", "head.1.weight", "head.1.bias",
    ]  # fmt: skip


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(
        ArgumentError,
        match=r"^Sequential: has no layer 'feature'\. Did you mean 'features'\? Known: fea",
    ):
        _network()["feature"]
    with pytest.raises(ArgumentError, match=r"^Sequential 'features': has no layer 'conv'\. Did"):
        _network()["features"]["conv"]


def test_a_place_that_is_not_there_is_an_index_error():
    with pytest.raises(IndexError):
        _network()[2]


def test_a_class_instead_of_a_layer_is_told_to_add_parentheses():
    with pytest.raises(
        ArgumentError,
        match=r"^Sequential: '1' must be a layer, received <class '.*ReLU'>\. Add par",
    ):
        Sequential(ReLU(), ReLU)
    with pytest.raises(
        ArgumentError, match=r"^Sequential: 'act' must be a layer, received 'relu'\.$"
    ):
        Sequential(act="relu")


@pytest.mark.parametrize("kind", [Sequential, nn.Branches, nn.Residual])
@pytest.mark.parametrize("name", ["", "a.b", ".", "a."])
def test_a_name_with_which_two_parameters_could_have_one_key_is_refused(kind, name):
    with pytest.raises(ArgumentError, match=rf"{kind.__name__}: a layer cannot be called '{name}'"):
        kind(**{name: Linear(4, 4), "a": Sequential(b=Linear(4, 4))})


def _tied() -> Sequential:
    model = Sequential(first=Linear(4, 4), second=Linear(4, 4))
    model["second"].weight = model["first"].weight
    return model


class _Twice(Layer):
    def __init__(self) -> None:
        self.one = self.two = Linear(4, 4)


@pytest.mark.parametrize("build", [_tied, _Twice])
@pytest.mark.parametrize(
    "ask",
    [
        lambda model: model.parameters(),
        lambda model: model.state_dict(),
        lambda model: model.load_state_dict({}),
        lambda model: model.parameter_count(),
        lambda model: engine.compile(model, (4,), 2),
        lambda model: formats.save(model, "/nowhere/never.safetensors"),
    ],
)
def test_a_parameter_in_two_places_is_refused_before_it_learns_wrongly(build, ask):
    with pytest.raises(
        ArgumentError,
        match=r"has two keys, '(first|one)\.weight' and '(second|two)\.weight'",
    ):
        ask(build())


def test_one_layer_in_two_places_is_refused():
    relu = ReLU()
    with pytest.raises(ArgumentError, match="one layer occurs twice; create a second one"):
        Sequential(relu, Tanh(), relu)
    with pytest.raises(ArgumentError, match="one layer occurs twice; create a second one"):
        Sequential(relu, inner=Sequential(Tanh(), relu))


def test_a_name_that_hides_a_layer_in_a_place_is_refused():
    with pytest.raises(ArgumentError, match=r"^Sequential: two layers are called '0'"):
        Sequential(ReLU(), **{"0": Tanh()})


def test_an_error_inside_names_the_whole_path_to_the_layer():
    said = r"^Conv2d 'features\.conv2': expects 30 input channels, received .*4.*`Conv2d\(4, \.\.\."
    with pytest.raises(ShapeError, match=said):
        _network()(np.zeros((2, 1, 8, 8)))
    with pytest.raises(ShapeError, match=said):
        _network().output_shape((1, 8, 8))
    with pytest.raises(ShapeError, match=said):
        nn.summary(_network(), (1, 8, 8))


def test_the_layers_run_forward_in_order_and_backward_in_reverse():
    ran: list[str] = []

    class Noted(Layer):
        def forward(self, x):
            ran.append(f"{self.name} forward")
            return x * 2

        def backward(self, dy):
            ran.append(f"{self.name} backward")
            return dy * 3

    model = Sequential(a=Noted(), b=Sequential(c=Noted(), d=Noted()))
    assert model(np.ones(1)).item() == 8
    assert model.backward(np.ones(1)).item() == 27
    assert ran == [
        "a forward", "c forward", "d forward", "d backward", "c backward", "a backward",
    ]  # fmt: skip


def test_an_empty_chain_is_the_identity():
    model, x = Sequential(), np.ones((2, 3))
    assert model(x) is x
    assert model.backward(x) is x
    assert model.output_shape((3,)) == (3,)
    assert (len(model), model.parameter_count()) == (0, 0)


def test_costs_are_the_sums_over_the_layers():
    model = Sequential(Conv2d(1, 4, 3), MaxPool2d(2), Flatten(), Linear(36, 10))
    assert model.multiply_adds((1, 8, 8)) == 36 * 4 * 9 + 360
    assert model.activation_size((1, 8, 8)) == 4 * 36 + 4 * 9 + 36 + 10
    assert model.parameter_count() == 40 + 370


def test_repr_is_indented_and_builds_the_chain_again():
    model = Sequential(ReLU(), body=Sequential(conv=Conv2d(1, 2, 3), flat=Flatten()))
    assert repr(model) == (
        "Sequential(\n"
        "    ReLU(),\n"
        "    body=Sequential(\n"
        "        conv=Conv2d(1, 2, 3),\n"
        "        flat=Flatten(),\n"
        "    ),\n"
        ")"
    )
    again = eval(repr(model), vars(nn))
    assert repr(again) == repr(model)
    assert [path for path, _ in again.layers()] == [path for path, _ in model.layers()]


def test_config_returns_the_layers_by_name():
    model = _network()
    assert list(model.config()) == ["features", "head"]
    assert Sequential(**model.config())["features"] is model["features"]


def test_a_slice_is_a_chain_of_the_same_layers_under_their_names():
    model = nn.Sequential(
        conv=nn.Conv2d(1, 2, 3), relu=nn.ReLU(), flatten=nn.Flatten(), fc=nn.Linear(8, 3)
    )
    x = np.random.default_rng(0).normal(size=(2, 1, 4, 4)).astype(np.float32)
    for part, rest in ((model[:2], model[2:]), (model[:-1], model[-1:]), (model[:0], model[:])):
        assert type(part) is nn.Sequential
        np.testing.assert_array_equal(rest(part(x)), model(x))
    assert [name for name, _ in model[1:3].children()] == ["relu", "flatten"]
    assert model[:2].parameters()["conv.weight"] is model.parameters()["conv.weight"]
    assert [name for name, _ in model.children()] == ["conv", "relu", "flatten", "fc"]
    assert list(model[::2].parameters()) == ["conv.weight", "conv.bias"]
    assert type(models.SimpleConvNet()[:3]) is nn.Sequential


@pytest.mark.parametrize("kind", ["residual", "branches", "own"])
def test_a_slice_of_what_is_not_a_chain_is_refused(kind):
    class Own(nn.Sequential):
        def forward(self, x):
            return 2 * super().forward(x)

    whole = {
        "residual": nn.Residual(a=nn.ReLU(), b=nn.ReLU()),
        "branches": nn.Branches(a=nn.ReLU(), b=nn.ReLU()),
        "own": Own(a=nn.ReLU(), b=nn.ReLU()),
    }[kind]
    with pytest.raises(ArgumentError, match=r"not a chain of layers.* by name: .*a, b"):
        whole[:1]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (1.5, "found by name or index, received 1.5"),
        (None, "found by name or index, received None"),
    ],
)
def test_what_is_neither_name_nor_index_is_refused(key, words):
    with pytest.raises(ArgumentError, match=f"^Sequential: .*{words}"):
        Sequential(Flatten(), Flatten())[key]


def test_an_index_may_be_numpys():
    chain = Sequential(first=Flatten(), second=Flatten())
    assert chain[np.int64(1)] is chain["second"]
