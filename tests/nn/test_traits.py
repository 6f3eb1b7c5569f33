"""What layers state of themselves is true, and is all that pictures and patterns ask for."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

import pellucid
from nn.cases import CASES, Case, every_case
from pellucid import nn, viz
from pellucid.errors import ArgumentError
from pellucid.models import from_pattern, to_pattern
from pellucid.nn.pattern_words import Argument, PatternWord
from pellucid.viz.analysis.recording import recorded
from pellucid.viz.drawing.volume_parts import groups_of

# The statements are true.


def applied(case: Case, change):
    """Return the layer's output for changed input, and its changed output, when evaluating."""
    layer, (x, _) = case.layer().eval(), case.arrays()
    return layer(np.ascontiguousarray(change(x))), change(layer(x))


@pytest.mark.parametrize("case", [c for c in CASES if c.build().per_number], ids=lambda c: c.id)
def test_a_layer_per_number_does_the_same_wherever_the_number_stands(case: Case):
    shuffled = np.random.default_rng(0).permutation(case.n * int(np.prod(case.shape)))
    y, expected = applied(case, lambda x: x.ravel()[shuffled].reshape(x.shape))
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("case", [c for c in CASES if c.build().per_pixel], ids=lambda c: c.id)
def test_a_layer_per_pixel_does_the_same_wherever_the_pixel_stands(case: Case):
    def shuffled(x):
        pixels = np.moveaxis(x, 1, -1)
        rows = pixels.reshape(-1, pixels.shape[-1])
        order = np.random.default_rng(0).permutation(len(rows))  # also from image to image
        return np.moveaxis(rows[order].reshape(pixels.shape), -1, 1)

    y, expected = applied(case, shuffled)
    np.testing.assert_allclose(y, expected, rtol=1e-12)


@every_case
def test_activations_and_normalizations_keep_the_shape(case: Case):
    layer = case.layer()
    if layer.is_activation or layer.is_normalization:
        assert layer.output_shape(case.shape) == case.shape
    assert not (layer.is_activation and layer.parameters())


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if len(c.shape) == 3 and not any(x.one_size for _, x in c.build().layers())],
    ids=lambda c: c.id,
)
def test_a_layer_that_is_not_of_one_size_runs_on_larger_images(case: Case):
    c, h, w = case.shape
    x = np.random.default_rng(0).uniform(0.1, 1, size=(1, c, h + 8, w + 12))
    y = case.layer().eval()(x)
    assert np.prod(y.shape[1:]) > np.prod(case.layer().output_shape(case.shape))


@every_case
def test_filters_that_are_shown_are_those_of_images(case: Case):
    filters = case.layer().image_filters()
    if filters is not None:
        assert filters.ndim == 4
        assert len(filters) == case.layer().output_shape(case.shape)[0]


# A user's own layer, which states what holds.


class Swish(nn.Layer):
    """An activation of five lines, with a word for patterns."""

    per_number = True
    is_activation = True
    short_name = "swish"
    pattern_word = PatternWord(
        "SWISH", (Argument("beta", implied=1.0, whole=False),), example="SWISH0.5"
    )

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = beta

    def forward(self, x):
        self.remember(x)
        return x / (1 + np.exp(-self.beta * x))

    def backward(self, dy):
        (x,) = self.recall()
        s = 1 / (1 + np.exp(-self.beta * x))
        return dy * s * (1 + self.beta * x * (1 - s))


class Silent(nn.Layer):
    """A layer that states nothing."""

    def forward(self, x):
        return x


SHAPE = (1, 10, 10)


def swishing() -> nn.Sequential:
    text = "INPUT -> CONV3-4p0 -> SWISH0.5 -> POOL -> FC6 -> SWISH -> FC"
    return from_pattern(text, SHAPE, 3, rng=np.random.default_rng(0), layers=[Swish])


def test_an_own_activation_is_read_and_written_in_patterns():
    model = swishing()
    assert repr(model["swish1"]) == "Swish(beta=0.5)"
    assert to_pattern(model) == "INPUT -> CONV3-4p0 -> SWISH0.5 -> POOL -> FC6 -> SWISH -> FC"
    with pytest.raises(ArgumentError, match="'SWISH' is not a layer"):
        from_pattern("INPUT -> SWISH -> FC", SHAPE, 3)
    with pytest.raises(ArgumentError, match=r"Write SWISH0\.5: beta"):
        from_pattern("INPUT -> SWISH/2 -> FC", SHAPE, 3, layers=[Swish])
    with pytest.raises(ArgumentError, match=r"^layers: Silent has no word\. Give the class"):
        from_pattern("INPUT -> FC", SHAPE, 3, layers=[Silent])


def test_a_subclass_has_no_word_unless_it_states_one():
    class Other(nn.ReLU):
        pass

    with pytest.raises(ArgumentError, match=r"Other.*has no word in a pattern"):
        to_pattern(nn.Sequential(nn.Flatten(), nn.Linear(4, 2), Other()))


def test_an_own_activation_is_drawn_with_its_convolution_and_looked_at_after_it():
    model = swishing()
    stages = [stage.title for stage in recorded(model, np.zeros((1, *SHAPE), np.float32))]
    assert stages == ["conv1 + swish1", "pool1", "flatten", "fc1 + swish2", "fc2"]
    assert groups_of(model, SHAPE)[0].parts[0].lines == ["conv 3x3", "swish"]
    assert viz.cam_layer(model, SHAPE) == "swish1"
    assert list(viz.layer_outputs(model, np.zeros((1, *SHAPE), np.float32))) == [
        "swish1", "swish2", "fc2",
    ]  # fmt: skip


def test_an_own_activation_is_kept_where_a_network_becomes_convolutions():
    model = swishing()
    twin = nn.to_convolutional(model)
    x = np.random.default_rng(1).random((2, *SHAPE), dtype=np.float32)
    np.testing.assert_allclose(twin(x)[:, :, 0, 0], model(x), rtol=1e-5)
    silent = nn.Sequential(nn.Flatten(), Silent(), nn.Linear(100, 3))
    with pytest.raises(ArgumentError, match="declare it in its class: `per_number = True`"):
        nn.to_convolutional(silent, SHAPE)


# Nobody else keeps a list of layers.

LAYERS = {
    name
    for name, kind in vars(nn).items()
    if inspect.isclass(kind) and issubclass(kind, nn.Layer) and kind is not nn.Layer
}
CONTAINERS = {"Sequential", "Residual", "Branches"}  # how they run is their own
EXCEPTIONS = {
    # Guided backpropagation is a rule for this very function, and replaces the layer.
    ("viz/analysis/attribution.py", "ReLU"),
    # Of all layers, a pattern leaves this one to be understood.
    ("models/pattern_text.py", "Flatten"),
}
ROOT = Path(pellucid.__file__).parent
READERS = [*ROOT.glob("viz/**/*.py"), *ROOT.glob("models/pattern*.py"), ROOT / "models/grammar.py"]


def asked_for(tree: ast.AST) -> set[str]:
    """Return the layer classes that `isinstance`, a comparison of types, or a constant names."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "isinstance", "issubclass",
        ):  # fmt: skip
            found.add(node.args[1])
        elif isinstance(node, ast.Compare):
            found.add(node)
    for node in getattr(tree, "body", ()):
        value = getattr(node, "value", None)
        if isinstance(value, ast.Tuple | ast.List | ast.Set):
            found.add(value)
    names = {
        part.id if isinstance(part, ast.Name) else part.attr
        for node in found
        for part in ast.walk(node)
        if isinstance(part, ast.Name | ast.Attribute)
    }
    return names & LAYERS


@pytest.mark.parametrize("path", READERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_pictures_and_patterns_ask_layers_and_do_not_list_them(path):
    asked = asked_for(ast.parse(path.read_text(encoding="utf-8"))) - CONTAINERS
    home = path.relative_to(ROOT).as_posix()
    assert {(home, name) for name in asked} <= EXCEPTIONS


def test_the_search_for_lists_of_layers_finds_them():
    source = (
        "LISTED = (nn.Tanh, Sigmoid)\n"
        "def f(x): return isinstance(x, nn.ReLU | Dropout) or type(x) is Linear\n"
    )
    assert asked_for(ast.parse(source)) == {"Tanh", "Sigmoid", "ReLU", "Dropout", "Linear"}
