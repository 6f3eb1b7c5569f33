"""Graph and the joins: what is read, what is refused, and all that every container answers.

Gradients, PyTorch's counterparts, files and all that every layer promises: tests/nn/cases.py.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest

from pellucid import engine, load, nn, save, summary
from pellucid.errors import ArgumentError, FileFormatError, ShapeError
from pellucid.formats import architecture
from pellucid.nn import (
    Add,
    BatchNorm2d,
    Branches,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Graph,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Tanh,
    walk,
)
from pellucid.receptive import ReceptiveField
from pellucid.viz.analysis.cam import cam_layer
from pellucid.viz.analysis.recording import recorded
from pellucid.viz.analysis.unit_access import with_activation


def _dense(rng=None) -> Graph:
    """Return a dense block: each convolution reads all that was made before it."""
    rng = np.random.default_rng(0) if rng is None else rng
    return Graph(
        {
            "conv1": (Conv2d(2, 3, 3, padding=1, rng=rng), "x"),
            "relu1": ReLU(),
            "cat1": (Concat(), "x", "relu1"),
            "conv2": Conv2d(5, 3, 3, padding=1, rng=rng),
            "relu2": ReLU(),
            "cat2": (Concat(), "x", "relu1", "relu2"),
        }
    )


def _network() -> Graph:
    rng = np.random.default_rng(1)
    return Graph(
        {
            "stem": (Conv2d(2, 4, 3, padding=1, rng=rng), "x"),
            "block": Residual(conv=Conv2d(4, 4, 3, padding=1, rng=rng), bn=BatchNorm2d(4)),
            "wide": (Conv2d(4, 4, 5, padding=2, rng=rng), "stem"),
            "add": (Add(), "block", "wide", "stem"),
            "relu": ReLU(),
            "pool": MaxPool2d(2),
            "flat": Flatten(),
            "fc": Linear(64, 5, rng=rng),
        }
    )


# Building.


def test_a_layer_alone_reads_the_node_before_it():
    model = Graph({"a": Tanh(), "b": ReLU(), "c": (Add(), "b", "a", "x")})
    assert [(node.name, node.reads) for node in model.nodes()] == [
        ("a", (0,)), ("b", (1,)), ("c", (2, 1, 0)),
    ]  # fmt: skip
    x = np.array([[-1.0, 2.0]])
    assert np.allclose(model(x), np.maximum(np.tanh(x), 0) + np.tanh(x) + x)


def test_nodes_in_any_order_are_sorted_and_those_in_order_stay():
    model = Graph({"c": (Add(), "b", "a"), "b": (ReLU(), "a"), "a": (Tanh(), "x")})
    assert [name for name, _ in model.children()] == ["a", "b", "c"]
    names = ["d", "b", "a", "sum"]
    layers = {name: (Tanh(), "x") for name in names[:3]} | {"sum": (Add(), "a", "b", "d")}
    assert [name for name, _ in Graph(layers).children()] == names
    ways = {"a": (Tanh(), "x"), "b": ReLU(), "c": (Tanh(), "x"), "sum": (Add(), "c", "b")}
    assert [name for name, _ in Graph(ways).children()] == [*ways]  # not by their depth


def test_the_input_may_have_another_name_and_a_node_its_name():
    model = Graph({"x": (Tanh(), "image"), "sum": (Add(), "x", "image")}, input="image")
    assert model.nodes()[1].reads == (1, 0)
    assert repr(model).endswith("}, input='image')")


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Graph({}), r"^Graph: needs at least one node\.$"),
        (lambda: Graph({"conv": (ReLU(), "y")}), r"'conv' reads 'y', but no node has this name\. "),
        (
            lambda: Graph({"a1": ReLU(), "b": (ReLU(), "a2")}),
            r"Did you mean 'a1'\? Known: a1, b, x",
        ),
        (
            lambda: Graph(
                {"a": (Add(), "x", "c"), "b": (ReLU(), "a"), "c": (ReLU(), "b"), "d": (ReLU(), "c")}
            ),
            r"^Graph: the nodes read each other in a cycle: a -> b -> c -> a\. A graph runs each",
        ),
        (lambda: Graph({"a": (Add(), "a", "x")}), r"in a cycle: a -> a\."),
        (
            lambda: Graph({"a": ReLU(), "b": (ReLU(), "x")}),
            r"^Graph: no node reads 'a', and the output is 'b'\. Remove it, let a node read it, ",
        ),
        (lambda: Graph({"a": ReLU(), "b": ReLU()}, output="a"), r"no node reads 'b', and the outp"),
        (
            lambda: Graph({"a": ReLU()}, output="b"),
            r"^Graph: output is 'b', but no node has this n",
        ),
        (
            lambda: Graph({"a": (ReLU(), "x", "x")}),
            r"^Graph: 'a' reads 2 values, but its forward takes 1\. Join them first, by `nn\.Add",
        ),
        (
            lambda: Graph({"a": (Add(), "x")}),
            r"^Graph: 'a' reads 1 value, but its forward takes 2 o",
        ),
        (
            lambda: Sequential(Add()),
            r"^Sequential: '0' reads 1 value, but its forward takes 2 or m",
        ),
        (lambda: Branches(ReLU(), Add()), r"^Branches: '1' reads 1 value, but its forward takes 2"),
        (lambda: Graph({"x": ReLU()}), r"^Graph: a node and the input are both called 'x'\. Give"),
        (
            lambda: Graph({"a": ReLU}),
            r"^Graph: 'a' must be a layer, .* Add parentheses to create one",
        ),
        (lambda: Graph({"": ReLU()}), r"^Graph: a node cannot be called ''"),
        (
            lambda: Graph({"a\n": ReLU()}),
            r"^Graph: a node cannot be called 'a\\n': its name is part",
        ),
        (
            lambda: Graph({"a": Sequential(b=ReLU()), "a.b": ReLU()}),
            r"^Graph: two layers have the path 'a\.b': one is a node of this name, the other is i",
        ),
        (lambda: Graph({"a": ReLU()}, output=()), r"^output: must be the name of a node, or a tup"),
        (lambda: Graph({"a": ReLU()}, output=("a", "a")), r"^output: .* received \('a', 'a'\)\.$"),
        (lambda: Graph({"a": ReLU()}, output=("a", "b")), r"^Graph: output is 'b', but no node ha"),
        (
            lambda: Graph({"a": ReLU(), "b": ReLU(), "c": ReLU()}, output=("a", "b")),
            r"^Graph: no path leads from 'c' to an output, 'a' and 'b'\. Remove it, or buil",
        ),
        (
            lambda: Sequential(two=Graph({"a": ReLU(), "b": ReLU()}, output=("a", "b"))),
            r"^Sequential 'two': needs a model with one output, received one that returns 'a', 'b'",
        ),
        (lambda: Graph({"a": (ReLU(), 3)}), r"^Graph: a node is written as `name: \(layer, names"),
        (lambda: Graph([("a", ReLU()), ("a", ReLU())]), r"^Graph: two nodes are called 'a'\."),
        (lambda: Graph([3]), r"^Graph: a node is written as `name: \(layer, names it read"),
        (lambda: Graph(ReLU()), r"^nodes: must be a mapping of name to \(layer, names it reads"),
        (lambda: Graph({"a": ReLU()}, input=""), r"^input: must be a name, received ''\."),
    ],
)
def test_what_is_not_a_graph_is_refused_with_what_to_change(build, said):
    with pytest.raises(ArgumentError, match=said):
        build()


def test_a_layer_has_one_place_at_any_depth():
    relu = ReLU()
    with pytest.raises(ArgumentError, match=r"^Graph: one layer occurs twice"):
        Graph({"a": relu, "b": Sequential(relu)})


# Shapes that do not fit.


def test_what_cannot_be_added_is_refused_with_the_layer_to_put_between():
    model = Sequential(body=Graph({"conv": Conv2d(2, 3, 3, 2, 1), "sum": (Add(), "conv", "x")}))
    said = (
        r"^Add 'body\.sum': a sum needs inputs of one shape, received 'conv' \(3, 4, 4\), the "
        r"input \(2, 7, 8\)\. Put after the input: `Conv2d\(2, 3, 1, stride=2\)`, a 1x1 convolutio"
        r"n, or `ZeroPadShortcut\(2, 3, stride=2\)`, which has no parameters\.$"
    )
    with pytest.raises(ShapeError, match=said):
        model.output_shape((2, 7, 8))
    with pytest.raises(ShapeError, match=said):
        model(np.zeros((1, 2, 7, 8)))
    with pytest.raises(ShapeError, match=said):
        summary(model, (2, 7, 8))


def test_images_of_two_sizes_cannot_be_joined():
    model = Graph({"conv": Conv2d(2, 3, 3), "all": (Concat(), "conv", "x")})
    said = (
        r"^Concat 'all': images of different sizes cannot .* 'conv' \(3, 3, 3\), the input \(2, 5"
    )
    with pytest.raises(ShapeError, match=said):
        model.output_shape((2, 5, 5))
    with pytest.raises(ShapeError, match=said):
        model(np.zeros((1, 2, 5, 5)))


@pytest.mark.parametrize("join", [Add, Concat])
def test_a_join_alone_refuses_what_numpy_would_spread(join):
    with pytest.raises(ShapeError, match=r"received 'input 1' \(2, 4, 4\), 'input 2' \(2, 1, 4\)"):
        join()(np.zeros((3, 2, 4, 4)), np.zeros((3, 2, 1, 4)))
    with pytest.raises(ShapeError, match=r"the same number of images in every input, received 3 a"):
        join()(np.zeros((3, 2)), np.zeros((1, 2)))
    with pytest.raises(ArgumentError, match=r"real numbers"):
        join()(np.zeros((3, 2)), np.zeros((3, 2), complex))


def test_a_join_asks_for_a_forward_and_a_gradient_like_its_output():
    model = Graph({"conv": Conv2d(2, 2, 1), "sum": (Add(), "conv", "x")})
    with pytest.raises(ArgumentError, match=r"^Add 'sum': backward needs a forward first"):
        model.backward(np.zeros((1, 2, 4, 4)))
    model(np.zeros((1, 2, 4, 4)))
    with pytest.raises(ShapeError, match=r"^Add 'sum': expects an output gradient of shape like"):
        model.backward(np.zeros((1, 2, 4, 1)))


@pytest.mark.parametrize(
    ("join", "shapes", "said"),
    [
        (
            nn.Multiply(), [(2, 4, 4), (3, 1, 1)],
            r"needs inputs with equally many axes, along each of one length or 1, received 'input "
            r"1' \(2, 4, 4\), 'input 2' \(3, 1, 1\) without N\. Give the layers before them the sa",
        ),
        (
            nn.Maximum(), [(2, 4, 4), (2,), (2, 1, 1)],
            r"needs .* without N\. Put after 'input 2': `Reshape\(2, 1, 1\)`, or where the 1 b",
        ),
        (Add(broadcast=True), [(2, 4, 4), (4,)], r"needs inputs .* `Reshape\(4, 1, 1\)`"),
        (
            nn.MatMul(), [(2, 4, 3), (2, 4, 3)],
            r"a product of matrices needs .* received 'input 1' \(2, 4, 3\), 'input 2' \(2, 4, 3\)",
        ),
        (nn.MatMul(), [(4, 3), (2, 3, 4)], r"a product of matrices needs"),
        (Concat(dim=3), [(2, 4, 4), (2, 5, 4)], r"along axis 3 if they have it, and are of one"),
        (Concat(dim=-2), [(4,), (4,)], r"along axis -2 if they have it"),
        (Concat(dim=2), [(2, 4, 4), (2, 4)], r"along axis 2 if they have it"),
    ],
)  # fmt: skip
def test_what_does_not_broadcast_is_refused_with_what_to_change(join, shapes, said):
    with pytest.raises(ShapeError, match=said):
        join.output_shape(*shapes)
    with pytest.raises(ShapeError, match=rf"^{type(join).__name__}: .*{said}"):
        join(*(np.zeros((3, *shape)) for shape in shapes))


@pytest.mark.parametrize("dim", [0, 1.5, True, None])
def test_images_are_not_concatenated_with_each_other(dim):
    with pytest.raises(ArgumentError, match=r"^dim: must be an axis of the inputs, 1 or more"):
        Concat(dim)


def test_an_array_that_does_not_fit_the_image_is_refused_with_one_that_does():
    said = r"has an array of shape \(4, 1, 1\), .* \(3, 5, 5\).*: `Scale\(\(3, 1, 1\)\)`\.$"
    with pytest.raises(ShapeError, match=rf"^Scale: {said}"):
        nn.Scale((4, 1, 1))(np.zeros((4, 3, 5, 5)))
    with pytest.raises(ShapeError, match=r"it may not have more axes"):
        nn.Shift((3, 1, 1)).output_shape((3,))
    with pytest.raises(ArgumentError, match=r"^shape: must be an integer, 1 or more; received 0"):
        nn.Scale((3, 0))
    with pytest.raises(ArgumentError, match=r"^shape: must be the shape of the array"):
        nn.Scale("3")


def test_a_constant_array_is_state_but_not_trained(tmp_path):
    model = Sequential(scale=nn.Scale((2, 1, 1), trainable=False), shift=nn.Shift((2, 1, 1)))
    model["scale"].weight.data[:] = [[[3]], [[4]]]
    assert list(model.parameters()) == ["shift.bias"]
    assert model["shift"].bias.decay == 0
    assert repr(model["scale"]) == "Scale((2, 1, 1), trainable=False)"
    save(model, tmp_path / "scale.safetensors")
    again = load(tmp_path / "scale.safetensors")
    assert again["scale"].weight.data.ravel().tolist() == [3, 4]
    assert list(again.parameters()) == ["shift.bias"]
    plan = engine.compile(model, (2, 2, 2), 1)
    plan(np.ones((1, 2, 2, 2), np.float32))
    plan.backward(np.ones((1, 2, 2, 2), np.float32))
    assert model["shift"].bias.grad.ravel().tolist() == [4, 4]
    assert type(model["scale"].weight) is nn.Buffer


# Running.


def test_gradients_of_a_value_are_added_in_the_order_of_its_readers():
    class Given(Layer):
        """Leaves its input, and returns a gradient that was given."""

        def __init__(self, value):
            self.value = value

        def forward(self, x):
            return x

        def backward(self, dy):
            return np.full_like(dy, self.value)

    values = [1e8, 1.0, -1e8, 1.0]
    layers = {f"n{k}": (Given(v), "x") for k, v in enumerate(values)}
    model = Graph({**layers, "sum": (Add(), *layers)})
    model(np.zeros((1, 1), np.float32))
    expected = np.float32(0)
    for value in values:
        expected += np.float32(value)
    assert model.backward(np.zeros((1, 1), np.float32)).item() == expected == 1


def test_no_layer_keeps_the_arrays_of_its_callers():
    model, x = _dense(), np.ones((1, 2, 4, 4))
    x.flags.writeable = False
    y = model(x)
    dy = np.ones_like(y)
    dy.flags.writeable = False
    dx = model.backward(dy)
    assert not np.shares_memory(x, y)
    assert not np.shares_memory(dx, dy)


def test_evaluation_in_another_mode_keeps_what_a_graph_remembers_apart():
    model, x = _network(), np.random.default_rng(0).normal(size=(2, 2, 8, 8))
    y = model(x)
    dx = model.backward(np.ones_like(y))
    model(x)
    with model.evaluating():
        model(x[:1])
    assert np.array_equal(model.backward(np.ones_like(y)), dx)
    model.forget()
    with pytest.raises(ArgumentError, match="backward needs a forward"):
        model.backward(np.ones_like(y))


# Asking.


def test_a_graph_written_as_a_chain_is_that_chain():
    rng = np.random.default_rng(0)
    layers = {
        "conv": Conv2d(2, 3, 3, rng=rng), "relu": ReLU(), "pool": MaxPool2d(2),
        "body": Sequential(Conv2d(3, 4, 1, rng=rng), Tanh()),
    }  # fmt: skip
    chain, graph = Sequential(**copy.deepcopy(layers)), Graph(layers)
    shape, field = (2, 8, 8), ReceptiveField()
    for ask in ("output_shape", "multiply_adds", "activation_size"):
        assert getattr(chain, ask)(shape) == getattr(graph, ask)(shape)
    assert chain.receptive_field(field, shape) == graph.receptive_field(field, shape)
    rows = [(row.name, row.layer, row.field) for row in graph.rows(shape, field)]
    assert rows == [(row.name, row.layer, row.field) for row in chain.rows(shape, field)]
    x = rng.normal(size=(3, *shape))
    assert np.array_equal(chain(x), graph(x))
    dy = rng.normal(size=chain(x).shape)
    assert np.array_equal(chain.backward(dy), graph.backward(dy))


def test_the_summary_says_what_each_node_reads():
    table = summary(Sequential(body=_network()), (2, 8, 8))
    assert {row.name: row.reads for row in table.rows} == {
        "body.stem": ("body.x",),
        "body.block.conv": ("body.stem",),
        "body.block.bn": (),
        "body.block": (),
        "body.wide": ("body.stem",),
        "body.add": ("body.block", "body.wide", "body.stem"),
        "body.relu": ("body.add",),
        "body.pool": ("body.relu",),
        "body.flat": ("body.pool",),
        "body.fc": ("body.flat",),
    }
    lines = str(table).splitlines()
    assert lines[0].split()[:3] == ["layer", "reads", "output"]
    assert any("Add()" in line and "body.block, body.wide, body.stem" in line for line in lines)
    assert str(table.rows[5].field) == "7x7"
    assert "reads" not in str(summary(Sequential(Residual(Tanh())), (2, 8, 8)))


def test_a_container_with_a_forward_of_its_own_has_no_nodes():
    class Twice(Graph):
        def forward(self, x):
            return super().forward(super().forward(x))

    model = Twice({"a": Tanh(), "b": (Add(), "a", "x")})
    assert model.nodes() is None
    assert [node.name for node in walk.flattened(Sequential(twice=model))] == ["twice"]
    assert np.allclose(model(np.ones((1, 2))), np.tanh(1 + np.tanh(1)) + 1 + np.tanh(1))


def test_a_whole_model_is_one_graph_of_its_layers():
    model = Sequential(
        body=Graph({"a": Residual(one=Tanh(), shortcut=ReLU()), "b": (Add(), "a", "x")}),
        ways=Branches(p=Sequential(), q=Sequential(ReLU(), Tanh())),
    )
    assert [(node.name, node.reads) for node in walk.flattened(model)] == [
        ("body.a.one", (0,)), ("body.a.downsample", (0,)), ("body.a", (1, 2)), ("body.b", (3, 0)),
        ("ways.q.0", (4,)), ("ways.q.1", (5,)), ("ways", (4, 6)),
    ]  # fmt: skip


# Writing down, copying, changing.


@pytest.mark.parametrize("build", [_dense, _network])
def test_repr_and_a_file_build_the_graph_again(build, tmp_path):
    model = build()
    assert repr(eval(repr(model), vars(nn))) == repr(model)
    save(model, tmp_path / "graph.safetensors")
    again = load(tmp_path / "graph.safetensors")
    assert repr(again) == repr(model)
    x = np.random.default_rng(0).normal(size=(2, 2, 8, 8)).astype(np.float32)
    assert np.array_equal(again.eval()(x), model.eval()(x))
    twin = copy.deepcopy(model)
    assert np.array_equal(twin(x), model(x))
    assert not {id(layer) for _, layer in twin.layers()} & {
        id(layer) for _, layer in model.layers()
    }


def test_the_nodes_are_a_list_in_the_file_and_the_input_is_named():
    described = architecture.describe(Graph({"a": (Add(), "in", "in")}, input="in"))
    assert described["config"] == {
        "nodes": [["a", {"layer": "Add", "config": {}}, "in", "in"]], "input": "in",
    }  # fmt: skip


@pytest.mark.parametrize(
    "nodes", [3, None, [], [["a"]], [["a", {"layer": "Add", "config": {}}, "x"]], {"a": 3}, "abc"]
)
def test_a_file_with_what_is_not_a_graph_is_refused(nodes):
    with pytest.raises(FileFormatError, match=r"the architecture (does not fit|has unfit)"):
        architecture.build({"layer": "Graph", "config": {"nodes": nodes}})


def test_a_graph_of_ones_own_is_written_down_by_its_arguments():
    class Dense(Graph):
        def __init__(self, channels: int) -> None:
            self.channels = channels
            super().__init__({"conv": Conv2d(channels, 1, 1), "all": (Concat(), "conv", "x")})

    model = Dense(3)
    assert model.config() == {"channels": 3}
    plain = nn.replaced(model, "conv", Conv2d(3, 2, 1))
    assert (type(plain), plain.output_shape((3, 4, 4))) == (Graph, (5, 4, 4))


def test_a_trunk_has_all_paths_to_its_last_layer_and_no_others():
    model, x = _network().eval(), np.random.default_rng(0).normal(size=(2, 2, 8, 8))
    stages = {name: stage.output for stage in recorded(model, x) for name in stage.names[-1:]}
    part = nn.trunk(model, "relu")
    assert isinstance(part, Graph)
    assert np.array_equal(part(x), stages["relu"])
    assert part.parameters().items() <= model.parameters().items()
    alone = nn.trunk(model, "wide")
    assert isinstance(alone, Sequential)
    assert [name for name, _ in alone.children()] == ["stem", "wide"]
    inner = nn.trunk(model, "block.conv")
    assert list(inner.parameters()) == [
        "stem.weight", "stem.bias", "block.conv.weight", "block.conv.bias",
    ]  # fmt: skip
    within = nn.trunk(Sequential(body=_network(), out=Linear(5, 2)), "body.add")
    assert next(iter(within.parameters())) == "body.stem.weight"
    assert within.output_shape((2, 8, 8)) == (4, 8, 8)


def test_a_layer_and_the_head_are_replaced():
    model = _network()
    changed = nn.with_head(model, 3)
    assert (changed.output_shape((2, 8, 8)), model.output_shape((2, 8, 8))) == ((3,), (5,))
    assert changed.nodes()[3].reads == model.nodes()[3].reads
    assert changed["wide"] is model["wide"]
    deeper = nn.replaced(model, "block.conv", Conv2d(4, 4, 1))
    assert repr(deeper["block"]["conv"]) == "Conv2d(4, 4, 1)"


def test_a_graph_becomes_convolutional_with_its_joins():
    rng = np.random.default_rng(0)
    model = Graph(
        {
            "conv": (Conv2d(1, 3, 3, padding=1, rng=rng), "x"),
            "both": (Concat(), "conv", "x"),
            "flat1": (Flatten(), "both"),
            "flat2": (Flatten(), "conv"),
            "all": (Concat(dim=-1), "flat1", "flat2"),
            "fc1": (Linear(7 * 36, 5, rng=rng), "all"),
            "fc2": (Linear(5, 5, rng=rng), "fc1"),
            "larger": (nn.Maximum(), "fc1", "fc2"),
            "add": (Add(), "fc1", "larger"),
        }
    ).astype(np.float64)
    twin = nn.to_convolutional(model, (1, 6, 6))
    assert [name for name, _ in twin.children()] == [
        "conv",
        "both",
        "all",
        "fc1",
        "fc2",
        "larger",
        "add",
    ]
    x = rng.normal(size=(2, 1, 6, 6))
    assert np.allclose(twin(x)[:, :, 0, 0], model(x))
    wide = rng.normal(size=(2, 1, 8, 7))
    assert np.allclose(nn.sliding_scores(model, wide, 1, input_shape=(1, 6, 6)), twin(wide))


# Names with dots and slashes.


def _named() -> Graph:
    """Return a graph with names as files of ONNX and modules of PyTorch have them."""
    rng = np.random.default_rng(3)
    return Graph(
        [
            ("/stem/conv/Conv_output_0", Conv2d(2, 4, 3, padding=1, rng=rng), "input.1"),
            ("layer1.0.conv1", Conv2d(4, 4, 3, padding=1, rng=rng), "/stem/conv/Conv_output_0"),
            ("layer1.0.bn1", BatchNorm2d(4), "layer1.0.conv1"),
            ("layer1.0", ReLU(), "layer1.0.bn1"),
            ("self", Add(), "layer1.0", "/stem/conv/Conv_output_0"),
            ("inner", Sequential(**{"0": GlobalAvgPool2d(), "1": Flatten()}), "self"),
            ("fc", Linear(4, 5, rng=rng), "inner"),
        ],
        input="input.1",
    )


def test_names_with_dots_and_slashes_are_the_keys_of_the_parameters(tmp_path):
    model = _named()
    assert list(model.parameters()) == [
        "/stem/conv/Conv_output_0.weight", "/stem/conv/Conv_output_0.bias",
        "layer1.0.conv1.weight", "layer1.0.conv1.bias", "layer1.0.bn1.weight", "layer1.0.bn1.bias",
        "fc.weight", "fc.bias",
    ]  # fmt: skip
    save(model, tmp_path / "named.safetensors")
    again = load(tmp_path / "named.safetensors")
    assert repr(again) == repr(model)
    x = np.ones((1, 2, 5, 5), np.float32)
    assert np.array_equal(again.eval()(x), model.eval()(x))
    assert "layer1.0.conv1" in str(summary(model, (2, 5, 5)))


def test_layers_with_dots_in_their_names_are_found_replaced_and_cut_off():
    model, x = _named().eval(), np.random.default_rng(0).normal(size=(1, 2, 5, 5))
    assert nn.layer_at(model, "inner.1") is model["inner"]["1"]
    changed = nn.replaced(model, "layer1.0.conv1", Conv2d(4, 4, 1))
    assert repr(changed["layer1.0.conv1"]) == "Conv2d(4, 4, 1)"
    assert changed["fc"] is model["fc"]
    deep = nn.replaced(Sequential(body=model), "body.layer1.0", Tanh())
    assert repr(deep["body"]["layer1.0"]) == "Tanh()"
    part = nn.trunk(model, "layer1.0.bn1")
    assert isinstance(part, Graph)
    assert list(part.parameters())[2] == "layer1.0.conv1.weight"
    assert np.array_equal(part(x), nn.trunk(Sequential(body=model), "body.layer1.0.bn1")(x))
    assert nn.trunk(model, "inner.0").output_shape((2, 5, 5)) == (4, 1, 1)
    assert nn.head_name(model) == "fc"
    assert nn.with_head(model, 3).output_shape((2, 5, 5)) == (3,)
    assert with_activation(model, "layer1.0.conv1") == "layer1.0"
    nn.freeze(model, ["/stem/*", "layer1.0.bn1"])
    frozen = [key for key, p in model.parameters().items() if not p.rate]
    assert frozen == [*list(model.parameters())[:2], "layer1.0.bn1.weight", "layer1.0.bn1.bias"]


# Several outputs.


def _two_outputs() -> Graph:
    rng = np.random.default_rng(4)
    return Graph(
        {
            "conv": (Conv2d(2, 3, 3, padding=1, rng=rng), "x"),
            "relu": ReLU(),
            "pool": MaxPool2d(2),
            "flat": Flatten(),
            "fc": Linear(12, 2, rng=rng),
            "side": (Conv2d(3, 4, 1, rng=rng), "relu"),
        },
        output=("fc", "relu", "side"),
    )


def test_several_outputs_are_returned_as_a_tuple_in_their_order():
    model, x = _two_outputs(), np.random.default_rng(0).normal(size=(2, 2, 4, 4))
    assert model.output_shape((2, 4, 4)) == ((2,), (3, 4, 4), (4, 4, 4))
    assert [y.shape for y in model(x)] == [(2, 2), (2, 3, 4, 4), (2, 4, 4, 4)]
    fields = model.receptive_field(ReceptiveField(), (2, 4, 4))
    assert [str(field) for field in fields] == ["all", "3x3", "3x3"]
    for name, y in zip(model.output_names, model(x), strict=True):
        assert np.array_equal(model.ending_at(name)(x), y)
    assert [row.name for row in summary(model, (2, 4, 4)).rows] == [n for n, _ in model.children()]


@pytest.mark.parametrize("given", [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1)])
def test_gradients_of_several_outputs_are_added_and_those_left_out_are_zeros(given):
    model, rng = _two_outputs(), np.random.default_rng(0)
    model.astype(np.float64)
    x = rng.normal(size=(2, 2, 4, 4))
    dys = [rng.normal(size=y.shape) if k else None for k, y in zip(given, model(x), strict=True)]
    dx = model.backward(tuple(dys))
    grads = {key: p.grad.copy() for key, p in model.parameters().items()}
    expected = dict.fromkeys(grads, 0)
    total = 0
    for name, dy in zip(model.output_names, dys, strict=True):
        if dy is not None:
            part = model.ending_at(name)
            part(x)
            total = total + part.backward(dy)
            for key, p in part.parameters().items():
                expected[key] = expected[key] + p.grad
    assert np.allclose(dx, total, rtol=1e-12)
    for key, grad in grads.items():
        assert np.allclose(grad, expected[key], rtol=1e-12), key


def test_gradients_that_do_not_fit_several_outputs_are_refused():
    model, x = _two_outputs(), np.zeros((1, 2, 4, 4))
    y = model(x)
    with pytest.raises(
        ArgumentError, match=r"^backward: expects a tuple of 3 gradients, one for e"
    ):
        model.backward(y[0])
    with pytest.raises(ArgumentError, match=r"with None where there is none; received 2 of them\."):
        model.backward(y[:2])
    with pytest.raises(ArgumentError, match=r"at least one output, received None for each"):
        model.backward((None, None, None))


def test_a_graph_of_several_outputs_is_saved_copied_and_changed_with_them(tmp_path):
    model = _two_outputs()
    assert repr(eval(repr(model), vars(nn))) == repr(model)
    save(model, tmp_path / "two.safetensors")
    again = load(tmp_path / "two.safetensors")
    assert (repr(again), again.output_names) == (repr(model), ("fc", "relu", "side"))
    changed = nn.replaced(model, "side", Conv2d(3, 9, 1))
    assert changed.output_shape((2, 4, 4))[2] == (9, 4, 4)
    assert nn.trunk(model, "pool").output_names is None


def test_the_graph_up_to_some_of_its_values_has_the_same_layers():
    model = _two_outputs()
    part = model.ending_at("side", "conv")
    assert (part.output_names, [*part]) == (
        ("side", "conv"),
        [model["conv"], model["relu"], model["side"]],
    )
    assert model.ending_at("pool").output_shape((2, 4, 4)) == (3, 2, 2)
    with pytest.raises(
        ArgumentError, match=r"^Graph: output is 'poll', but .* Did you mean 'pool'"
    ):
        model.ending_at("poll")
    with pytest.raises(ArgumentError, match=r"ending_at: needs the name of a node"):
        model.ending_at()


def test_nodes_that_lead_nowhere_are_pruned_when_asked():
    nodes = {"a": ReLU(), "b": (Tanh(), "a"), "c": (Add(), "b", "x"), "d": (ReLU(), "c")}
    assert [name for name, _ in Graph.pruned(nodes, "b").children()] == ["a", "b"]
    assert [name for name, _ in Graph.pruned(nodes, ("b", "a")).children()] == ["a", "b"]
    with pytest.raises(ArgumentError, match=r"^Graph: output is 'e'"):
        Graph.pruned(nodes, "e")


# Size.


def test_a_graph_of_thousands_of_nodes_in_any_order_is_built_and_run():
    count = 3000
    nodes = [("n0", Tanh(), "x")]
    nodes += [(f"n{k}", Add(), f"n{k - 1}", f"n{k // 2}") for k in range(1, count)]
    model = Graph(nodes[::-1], output=f"n{count - 1}")
    assert [name for name, _ in model.children()] == [f"n{k}" for k in range(count)]
    x = np.full((1, 1), 1e-300)
    with np.errstate(over="ignore"):
        model(x)
        model.backward(x)
    assert model.output_shape((1,)) == (1,)
    ring = [(f"n{k}", ReLU(), f"n{(k + 1) % count}") for k in range(count)]
    with pytest.raises(
        ArgumentError, match=r"in a cycle: n\d+ -> .* -> \(2993 more\) -> .*\. A gra"
    ):
        Graph(ring)


# Figures.


def test_a_recording_lists_the_nodes_and_what_follows_only_one_of_them():
    layers = {"a": (Conv2d(2, 2, 1), "x"), "b": Conv2d(2, 2, 1), "relu_a": (ReLU(), "a")}
    apart = Graph({**layers, "all": (Add(), "b", "relu_a", "a")})
    titles = [stage.title for stage in recorded(apart, np.zeros((1, 2, 8, 8), np.float32))]
    assert titles == ["a", "b", "relu_a", "all"]
    model = _network()
    titles = [stage.title for stage in recorded(model, np.zeros((1, 2, 8, 8), np.float32))]
    assert titles == [
        "stem", "block.conv + bn", "block", "wide", "add + relu", "pool", "flat", "fc",
    ]  # fmt: skip


def test_activations_and_the_layer_of_grad_cam_are_found_along_the_paths():
    model = Graph(
        {
            "a": (Conv2d(1, 2, 3, padding=1), "x"),
            "relu_a": ReLU(),
            "b": (Conv2d(1, 2, 3, padding=1), "x"),
            "bn": BatchNorm2d(2),
            "tanh": Tanh(),
            "sum": (Add(), "relu_a", "tanh"),
            "relu": ReLU(),
            "gap": GlobalAvgPool2d(),
        }
    )
    assert with_activation(model, "a") == "relu_a"
    assert with_activation(model, "b") == "tanh"
    assert with_activation(model, "relu_a") == "relu_a"
    assert cam_layer(model, (1, 6, 6)) == "relu"
