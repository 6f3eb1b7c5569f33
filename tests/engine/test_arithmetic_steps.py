"""Gates, products, and layers of one array: their steps give what the layers give."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks import by_the_layers
from engine.shares import begun, shares, total
from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.cpu.steps.plain import PlainStep
from pellucid.engine.cpu.steps.product import MultiplyStep
from pellucid.engine.cpu.steps.scaling import ScaleStep
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads


def squeeze_and_excite(channels, *reads, rng):
    """Return a block whose gate is made of the means of its channels."""
    return nn.Graph(
        {
            "mean": (nn.GlobalAvgPool2d(), "x"),
            "fc1": nn.Conv2d(channels, 4, 1, rng=rng),
            "relu": nn.ReLU(),
            "fc2": nn.Conv2d(4, channels, 1, rng=rng),
            "gate": nn.Sigmoid(),
            "product": (nn.Multiply(), *reads),
        }
    )


@pytest.mark.parametrize("reads", [("x", "gate"), ("gate", "x")])
@pytest.mark.parametrize("shape", [(3, 7, 6), (32, 20, 20), (600, 4, 5), (9000, 1, 2)])
def test_a_gate_multiplies_images_in_a_step_of_its_own(shape, reads):
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Conv2d(shape[0], shape[0], 1, groups=shape[0], rng=rng),
        squeeze_and_excite(shape[0], *reads, rng=rng),
        nn.LeakyReLU(),
    )
    plan = engine.compile(model, shape, 3)
    assert not any(isinstance(step, PlainStep) for step in plan.steps)
    assert [s.kernel for s in plan.steps if isinstance(s, MultiplyStep)] == ["gate"]
    for n in (3, 2):
        x, dy = rng.normal(size=(2, n, *shape)).astype(np.float32)
        expected = by_the_layers(model, x, dy, np.float64)
        assert_agrees(plan(x), expected["y"], within=1e-5)
        assert_agrees(plan.backward(dy, need_dx=True), expected["dx"], within=1e-5)
        for name, p in model.parameters().items():
            scale = abs(expected[f"{name}.grad"]).max()
            assert_agrees(p.grad, expected[f"{name}.grad"], within=1e-4, magnitude=scale)


def test_a_gate_gives_the_same_bits_on_any_number_of_threads_and_in_any_batch():
    rng = np.random.default_rng(0)
    model, shape = squeeze_and_excite(24, "x", "gate", rng=rng), (24, 30, 30)
    x, dy = rng.normal(size=(2, 4, *shape)).astype(np.float32)
    before, found = get_num_threads(), []
    try:
        for threads, n in ((1, 4), (2, 4), (2, 2)):
            set_num_threads(threads)
            plan = engine.compile(model, shape, 4)
            found.append((plan(x[:n]).copy(), plan.backward(dy[:n], need_dx=True).copy()))
    finally:
        set_num_threads(before)
    for y, dx in found[1:]:
        np.testing.assert_array_equal(y, found[0][0][: len(y)])
        np.testing.assert_array_equal(dx, found[0][1][: len(dx)])


@pytest.mark.parametrize("kind", ["Scale", "Shift"])
@pytest.mark.parametrize(
    ("size", "shape"),
    [((5, 1, 1), (5, 4, 3)), ((7,), (7,)), ((), (5, 4, 3)), ((1, 1), (5, 4, 3)), ((1,), (7,))],
)
def test_an_array_for_channels_has_a_step_that_takes_the_relu_with_it(kind, size, shape):
    rng = np.random.default_rng(0)
    layer = getattr(nn, kind)(size, 0.5)
    (buffer,) = layer.buffers().values()
    buffer.data[...] = rng.normal(size=size)
    model = nn.Sequential(before=nn.Tanh(), layer=layer, relu=nn.ReLU())
    plan = engine.compile(model, shape, 6)
    (step,) = (step for step in plan.steps if step.name == "layer")
    assert step.kernel == f"{kind.lower()} + relu"
    x, dy = rng.normal(size=(2, 6, *shape)).astype(np.float32)
    expected = by_the_layers(model, x, dy, np.float64)
    assert_agrees(plan(x), expected["y"], within=1e-5)
    assert_agrees(plan.backward(dy, need_dx=True), expected["dx"], within=1e-5)
    (key,) = model.parameters()
    assert_agrees(model.parameters()[key].grad, expected[f"{key}.grad"], within=1e-5)


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_that_share_a_batch_compute_the_scales_gradient_of_one_process(ranks):
    rng, layer = np.random.default_rng(0), nn.Scale((6, 1, 1), 0.3)
    x, dy = rng.normal(size=(2, 13, 5, 7, 6)).astype(np.float32)
    step, parts = ScaleStep("scale", layer, (6, 5, 7), 13), []
    for share in (begun(13), *shares(ranks)):
        cut, step.share = share.begin(13), share
        step.forward(x[cut])
        step.backward(dy[cut], need_dx=False)
        parts.append(layer.weight.grad.copy())
    np.testing.assert_array_equal(total(parts[1:], ranks), parts[0])


def test_arrays_of_other_shapes_run_as_they_are():
    model = nn.Sequential(nn.Scale((3, 4, 4)), nn.Shift((4, 1)), nn.Scale((3, 1, 1)))
    plan = engine.compile(model, (1, 4, 4), 2)
    plain = [step.name for step in plan.steps if isinstance(step, PlainStep)]
    assert plain == ["0", "1"]
