"""Graphs drawn at random: a plan gives what the layers give, and both what PyTorch gives."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.networks import by_the_layers
from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.data import Dataset
from pellucid.engine.cpu.steps.plain import PlainStep
from pellucid.errors import ArgumentError, ShapeError
from pellucid.nn.join import Join
from pellucid.training import Trainer

SHAPE, BATCH = (2, 6, 5), 3
KINDS = ("conv", "norm", "relu", "tanh", "pool", "add", "add", "concat", "block")


@st.composite
def graphs(draw):
    """Return a graph whose nodes read values of one size of image, and join what is left."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    nodes: dict[str, tuple] = {}
    channels = {"x": SHAPE[0]}

    def add(layer, out, *reads):
        name = f"n{len(nodes)}"
        nodes[name] = layer, *reads
        channels[name] = out
        return name

    for _ in range(draw(st.integers(1, 8))):
        names = list(channels)
        kind = draw(st.sampled_from(KINDS))
        one = draw(st.sampled_from(names[-4:]))
        c = channels[one]
        if kind == "conv":
            out = draw(st.sampled_from([2, 3, 16]))
            size = draw(st.sampled_from([1, 3]))
            bias = draw(st.booleans())
            add(nn.Conv2d(c, out, size, padding=size // 2, bias=bias, rng=rng), out, one)
        elif kind == "norm":
            add(nn.BatchNorm2d(c), c, one)
        elif kind in ("relu", "tanh"):
            add(nn.ReLU() if kind == "relu" else nn.Tanh(), c, one)
        elif kind == "pool":
            add(nn.MaxPool2d(3, 1, 1), c, one)
        elif kind == "block":
            add(nn.Residual(nn.Conv2d(c, c, 1, rng=rng), nn.Tanh()), c, one)
        else:
            alike = [n for n in names if kind == "concat" or channels[n] == c]
            reads = [one, *(draw(st.sampled_from(alike)) for _ in range(draw(st.integers(1, 3))))]
            out = c if kind == "add" else sum(channels[n] for n in reads)
            add(nn.Add() if kind == "add" else nn.Concat(), out, *reads)
    read = {name for _, *reads in nodes.values() for name in reads}
    ends = [name for name in channels if name not in read]
    if len(ends) > 1 or "x" in ends:
        add(nn.Concat(), sum(channels[n] for n in ends), *ends)
    tail = draw(st.sampled_from(["", "pool", "flat"]))
    if tail == "pool":
        add(nn.MaxPool2d(2), 0, list(nodes)[-1])
    elif tail == "flat":
        add(nn.Flatten(), 0, list(nodes)[-1])
    model = nn.Graph(nodes)
    for key, p in model.parameters().items():
        if p.data.ndim == 1:
            p.data[:] = rng.normal(1 if "weight" in key else 0, 0.2, size=p.data.shape)
    if draw(st.booleans()):
        model = nn.Sequential(body=model, last=nn.ReLU())
    return model, seed


def by_pytorch(torch, model, x, parameters):
    """Return the output of a model, node by node, by functions of PyTorch alone."""
    f = torch.nn.functional
    values = [x]
    for node in nn.walk.flattened(model):
        layer, name, xs = node.layer, node.name, [values[k] for k in node.reads]
        if isinstance(layer, nn.Conv2d):
            w, b = (parameters.get(f"{name}.{key}") for key in ("weight", "bias"))
            y = f.conv2d(*xs, w, b, padding=layer.padding)
        elif isinstance(layer, nn.BatchNorm2d):
            w, b = (parameters[f"{name}.{key}"] for key in ("weight", "bias"))
            y = f.batch_norm(*xs, None, None, w, b, training=True)
        elif isinstance(layer, nn.MaxPool2d):
            y = f.max_pool2d(*xs, layer.kernel_size, layer.stride, layer.padding)
        elif isinstance(layer, nn.Add):
            y = sum(xs)
        elif isinstance(layer, nn.Concat):
            y = torch.cat(xs, 1)
        else:
            y = {nn.ReLU: torch.relu, nn.Tanh: torch.tanh}.get(type(layer), lambda a: a.flatten(1))(
                *xs
            )
        values.append(y)
    return values[-1]


def near_a_kink(model, x):
    """Return whether rounding could decide a ReLU or a maximum anywhere in the model."""
    model = copy.deepcopy(model).astype(np.float64)
    values = [x.astype(np.float64)]
    for node in nn.walk.flattened(model):
        a = values[node.reads[0]]
        if isinstance(node.layer, nn.ReLU) and 0 < abs(a[a != 0]).min(initial=1) < 1e-4:
            return True
        if isinstance(node.layer, nn.MaxPool2d):
            different = np.diff(np.unique(a))
            if different[different > 1e-12].min(initial=1) < 1e-5:
                return True
        values.append(node.layer.forward(*[values[k] for k in node.reads]))
    return False


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_a_plan_gives_what_the_layers_and_pytorch_give(torch, drawn):
    model, seed = drawn
    rng = np.random.default_rng(seed)
    for _ in range(50):
        x = rng.normal(size=(BATCH, *SHAPE)).astype(np.float32)
        if not near_a_kink(model, x):
            break
    else:
        return
    dy = rng.normal(size=(BATCH, *model.output_shape(SHAPE))).astype(np.float32)
    expected = by_the_layers(model, x, dy, np.float64)

    parameters = {
        key: torch.tensor(p.data.astype(float), requires_grad=True)
        for key, p in model.parameters().items()
    }
    theirs = torch.tensor(x.astype(float), requires_grad=True)
    y = by_pytorch(torch, model, theirs, parameters)
    y.backward(torch.from_numpy(dy.astype(float)))
    assert_agrees(expected["y"], y.detach().numpy(), within=1e-9)
    scale = max(abs(expected["dx"]).max(), 1e-3)
    assert_agrees(expected["dx"], theirs.grad.numpy(), within=1e-8, magnitude=scale)

    plan = engine.compile(model, SHAPE, BATCH)
    plan.poison = True
    assert not any(isinstance(step, PlainStep) for step in plan.steps)
    assert_agrees(plan(x), expected["y"], within=1e-4)
    assert_agrees(plan.backward(dy, need_dx=True), expected["dx"], within=1e-3, magnitude=scale)
    for key, p in model.parameters().items():
        value = expected[f"{key}.grad"]
        size = max(abs(value).max(), 1e-2 * scale)
        assert_agrees(value, parameters[key].grad.numpy(), within=1e-7, magnitude=size, what="")
        assert_agrees(p.grad, value, within=2e-3, magnitude=size)


def test_a_step_absorbs_only_what_alone_reads_it():
    rng = np.random.default_rng(0)

    def plan(*add_reads):
        model = nn.Graph(
            {
                "conv": (nn.Conv2d(2, 3, 3, padding=1, rng=rng), "x"),
                "relu": nn.ReLU(),
                "pool": nn.MaxPool2d(2),
                "body": nn.Sequential(nn.Conv2d(3, 3, 1, rng=rng)),
                "sum": (nn.Add(), "body", *add_reads),
                "last": nn.Sequential(nn.ReLU()),
            }
        )
        steps = engine.compile(model, SHAPE, BATCH).steps
        return [step.kernel for step in steps if "channels" not in step.kernel]

    assert plan("body") == ["convolution + relu + max 2x2", "matrix product", "sum + relu"]
    assert plan("pool") == ["convolution + relu + max 2x2", "matrix product", "sum + relu"]
    others = {"tanh": nn.Tanh(), "relu": (nn.ReLU(), "conv"), "sum": (nn.Add(), "tanh", "relu")}
    model = nn.Graph({"conv": nn.Conv2d(2, 3, 1, rng=rng)} | others)
    kernels = [step.kernel for step in engine.compile(model, SHAPE, BATCH).steps]
    assert kernels == ["channels last", "matrix product", "tanh", "relu", "sum", "channels first"]


@pytest.mark.parametrize("inputs", [2, 3, 4])
def test_a_sum_of_any_number_of_inputs_takes_the_relu_with_it(inputs):
    rng = np.random.default_rng(0)
    model = nn.Graph(
        {
            "tanh": (nn.Tanh(), "x"),
            "sum": (nn.Add(), "tanh", *["x", "tanh", "x"][: inputs - 1]),
            "relu": nn.ReLU(),
        }
    )
    x, dy = rng.normal(size=(2, BATCH, *SHAPE)).astype(np.float32)
    expected = by_the_layers(model, x, dy, np.float64)
    plan = engine.compile(model, SHAPE, BATCH)
    assert [step.kernel for step in plan.steps if step.name == "sum"] == ["sum + relu"]
    assert_agrees(plan(x), expected["y"], within=1e-5)
    assert_agrees(plan.backward(dy, need_dx=True), expected["dx"], within=1e-5)


class Multiply(Join):
    """The product of two inputs: a join of one's own, without a step."""

    def forward(self, a, b):
        self.remember(a, b)
        return a * b

    def backward(self, dy):
        a, b = self.recall()
        return dy * b, dy * a

    def output_shape(self, a, b):
        return a


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_join_of_ones_own_runs_in_a_plan_as_it_is(dtype):
    rng = np.random.default_rng(0)
    conv = nn.Conv2d(2, 2, 3, padding=1, rng=rng)
    model = nn.Graph({"conv": conv, "gate": nn.Sigmoid(), "mul": (Multiply(), "gate", "conv")})
    model.astype(dtype)
    x, dy = rng.normal(size=(2, BATCH, *SHAPE)).astype(dtype)
    expected = by_the_layers(model, x, dy, np.float64)
    plan = engine.compile(model, SHAPE, BATCH)
    assert_agrees(plan(x), expected["y"], within=1e-5)
    assert_agrees(plan.backward(dy, need_dx=True), expected["dx"], within=1e-5)


def test_a_frozen_plan_folds_a_batch_norm_that_alone_reads_a_convolution():
    rng = np.random.default_rng(0)

    def build(*reads):
        model = nn.Graph(
            {
                "conv": (nn.Conv2d(2, 2, 3, padding=1, rng=rng), "x"),
                "norm": nn.BatchNorm2d(2),
                "sum": (nn.Add(), "norm", *reads),
            }
        ).eval()
        model["norm"].running_mean.data[:] = 1
        plan = engine.compile(model, SHAPE, BATCH)
        plan.freeze()
        x = rng.normal(size=(BATCH, *SHAPE)).astype(np.float32)
        assert_agrees(plan(x), model(x), within=1e-5)
        return {step.name: step.folded for step in plan.steps if hasattr(step, "folded")}

    assert build("x") == {"norm": True, "sum": True}
    assert build("conv") == {"norm": False, "sum": False}


@pytest.mark.parametrize("name", ["compiled", "numpy"])
def test_a_graph_learns_with_both_engines(name):
    rng = np.random.default_rng(0)
    images = rng.random((60, 2, 6, 6), dtype=np.float32)
    labels = np.arange(60) % 2
    images[labels == 1, 0] += 0.5
    train = Dataset(images, labels, ("dark", "bright"), "squares")
    model = nn.Graph(
        {
            "conv": (nn.Conv2d(2, 4, 3, padding=1, rng=rng), "x"),
            "relu": nn.ReLU(),
            "all": (nn.Concat(), "relu", "x"),
            "pool": nn.GlobalAvgPool2d(),
            "flat": nn.Flatten(),
            "fc": nn.Linear(6, 2, rng=rng),
        }
    )
    trainer = Trainer(model, train, train, epochs=20, batch_size=10, engine=name)
    trainer.optimizer.lr = 0.05
    trainer.fit()
    assert trainer.history.epochs[-1].test_accuracy > 0.85


def several(rng):
    """Return a graph whose outputs are an image that others read, rows, and an absorbed ReLU."""
    return nn.Graph(
        {
            "conv": (nn.Conv2d(2, 16, 3, padding=1, rng=rng), "x"),
            "relu": nn.ReLU(),
            "next": nn.Conv2d(16, 4, 3, padding=1, rng=rng),
            "last": nn.ReLU(),
            "pool": nn.GlobalAvgPool2d(),
            "flat": nn.Flatten(),
            "fc": nn.Linear(4, 3, rng=rng),
            "same": (nn.Sequential(), "last"),
            "side": (nn.Conv2d(16, 4, 1, rng=rng), "relu"),
            "norm": nn.BatchNorm2d(4),
        },
        output=("fc", "conv", "last", "same", "norm"),
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("left_out", [(), (0,), (1, 2, 3), (0, 4)])
def test_a_plan_of_several_outputs_gives_what_the_layers_give(dtype, left_out):
    rng = np.random.default_rng(0)
    model = several(rng).astype(dtype)
    twin = copy.deepcopy(model).astype(np.float64)
    plan = engine.compile(model, SHAPE, BATCH)
    for n in (BATCH, 2):
        x = rng.normal(size=(n, *SHAPE)).astype(dtype)
        ys, expected = plan(x), twin(x.astype(np.float64))
        assert isinstance(ys, tuple)
        for y, other in zip(ys, expected, strict=True):
            assert_agrees(y, other, within=1e-5)
        dys = [rng.normal(size=y.shape).astype(dtype) for y in expected]
        given = tuple(None if k in left_out else dy for k, dy in enumerate(dys))
        dx = plan.backward(given, need_dx=True)
        assert_agrees(dx, twin.backward(given), within=1e-5)
        for key, p in twin.parameters().items():
            scale = max(abs(p.grad).max(), 1)
            assert_agrees(model.parameters()[key].grad, p.grad, within=1e-5, magnitude=scale)
        if dtype == np.float32:
            flat = np.concatenate([p.grad.ravel() for p in model.parameters().values()])
            assert abs(plan.gradients).sum() == pytest.approx(abs(flat).sum(), rel=1e-5)


def test_a_plan_of_several_outputs_takes_no_images_and_refuses_what_does_not_fit():
    model = several(np.random.default_rng(0))
    plan = engine.compile(model, SHAPE, BATCH)
    empty = plan(np.zeros((0, *SHAPE), np.float32))
    assert [y.shape for y in empty] == [(0, *shape) for shape in model.output_shape(SHAPE)]
    assert plan.backward(empty, need_dx=True).shape == (0, *SHAPE)
    ys = plan(np.zeros((2, *SHAPE), np.float32))
    with pytest.raises(ArgumentError, match=r"^backward: expects a tuple of 5 gradients"):
        plan.backward(ys[0])
    with pytest.raises(ShapeError, match=r"^Plan: expects an output gradient shaped like its last"):
        plan.backward((ys[1], *ys[1:]))


def test_a_plan_of_thousands_of_nodes_is_made_and_runs():
    count = 1500
    nodes = [("n0", nn.Tanh(), "x")]
    for k in range(1, count):
        nodes.append(
            (f"n{k}", nn.ReLU(), f"n{k - 1}") if k % 3 else (f"n{k}", nn.Add(), f"n{k - 1}", "x")
        )
    model = nn.Graph(nodes)
    plan = engine.compile(model, (4,), 2)
    x = np.ones((2, 4), np.float32)
    assert_agrees(plan(x), model(x), within=1e-5)
    assert_agrees(plan.backward(x, need_dx=True), model.backward(x), within=1e-5)
