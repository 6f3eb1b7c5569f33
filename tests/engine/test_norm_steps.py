"""Each normalisation step equals its layer: outputs, gradients, running averages and refusals."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from engine.shares import begun, shares, total
from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.cpu.steps import norm
from pellucid.engine.cpu.steps.group_norm import GroupNormStep
from pellucid.engine.cpu.steps.norm import (
    BatchNormStep,
)
from pellucid.engine.cpu.steps.pixel_blocks import ChunkBlocks
from pellucid.engine.cpu.steps.response import LocalResponseNormStep
from pellucid.errors import ShapeError
from pellucid.kernels import normalization
from pellucid.kernels.ahead import rehearsal
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads

BATCH = 7
SHAPES = [(1,), (5,), (300,), (1, 4, 3), (3, 5, 6), (16, 3, 3), (40, 6, 1)]
FOLLOWERS = {
    "": {}, "relu": {"relu": nn.ReLU()}, "silu": {"silu": nn.SiLU()},
    "hardswish": {"hardswish": nn.Hardswish()},
}  # fmt: skip


def _last(x):
    return np.array(np.moveaxis(x, 1, -1), dtype=np.float32, order="C")


def _first(x):
    return np.moveaxis(x, -1, 1)


def _drawn(n, shape, seed=0, *, loc=0.0):
    return np.random.default_rng(seed).normal(loc, size=(n, *shape)).astype(np.float32)


def _norm(c, **options):
    """Return a layer with a scale, a shift and running averages of its own for every channel."""
    layer, rng = nn.BatchNorm2d(c, **options), np.random.default_rng(c)
    layer.weight.data[:] = rng.uniform(0.5, 2, c) * rng.choice([-1, 1], c)
    layer.bias.data[:] = rng.normal(size=c)
    layer.running_mean.data[:] = rng.normal(size=c)
    layer.running_var.data[:] = rng.uniform(0.5, 2, c)
    return layer


def _absorbed(follower):
    """Return the keyword arguments with which a step absorbs one of `FOLLOWERS`."""
    return {"follower": FOLLOWERS[follower][follower]} if follower else {}


def _plain(layer):
    return copy.deepcopy(layer).astype(np.float64)


def _agree(step, plain, n, *, seed=0, loc=0.0):
    """Run the step and the plain layers on n images; return what the step gave."""
    shape = step.output_shape
    x, dy = _drawn(n, shape, seed, loc=loc), _drawn(n, shape, seed + 1)
    here, there = _last(x), _last(dy)
    step.share.begin(n)
    y, expected = step.forward(here), plain(x.astype(float))
    assert_agrees(_first(y), expected)
    dx = step.backward(there, need_dx=True)
    # Where few numbers are normalised, most of the gradient cancels, terms as large as the scale.
    scale = step._rows[:, 1] if hasattr(step, "_rows") else np.ones(1)
    assert_agrees(_first(dx), plain.backward(dy.astype(float)), magnitude=[abs(scale).max() * 2])
    for result in (y, dx):
        assert (result.dtype, result.shape) == (np.float32, here.shape)
        assert result.flags.c_contiguous
    np.testing.assert_array_equal(here, _last(x))
    np.testing.assert_array_equal(there, _last(dy))
    for name, p in plain.parameters().items():
        got = step.layer.parameters()[name.removeprefix("norm.")].grad
        assert (got.dtype, got.shape) == (np.float32, p.grad.shape)
        assert_agrees(got, p.grad, magnitude=[abs(dy).sum() / shape[0] * 2])
    for name, buffer in plain.buffers().items():
        assert_agrees(
            np.float32(step.layer.buffers()[name.removeprefix("norm.")].data), buffer.data
        )
    assert step.backward(there, need_dx=False) is None
    return y, dx


@pytest.mark.parametrize("follower", FOLLOWERS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_is_its_layer(shape, training, follower):
    layer = _norm(shape[0]).train(training)
    plain = nn.Sequential(norm=_plain(layer), **FOLLOWERS[follower]).train(training)
    step = BatchNormStep("norm", layer, shape, BATCH, **_absorbed(follower))
    assert (step.name, step.output_shape) == ("norm", shape)
    assert step.kernel == "batch norm" + f" + {follower}" * bool(follower)
    assert step.channels_last is True
    for k, n in enumerate((BATCH, 2, 5)):
        _agree(step, plain, n, seed=k)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.SiLU])
@pytest.mark.parametrize("reader", ["convolution", "norm", "view", "sum", "caller", "layer"])
def test_a_gradient_takes_the_place_of_one_that_nobody_else_reads(reader, activation):
    class Own(nn.Tanh):
        """A layer without a step, which may keep its gradient."""

    rng, shape = np.random.default_rng(0), (4, 6, 5)
    conv = nn.Conv2d(4, 3, 3, rng=rng)
    after = {
        "convolution": [conv], "norm": [nn.GroupNorm(2, 4), conv], "view": [nn.Flatten()],
        "sum": [nn.Residual(conv, shortcut=nn.Conv2d(4, 3, 3, rng=rng))], "caller": [],
        "layer": [Own(), conv],
    }  # fmt: skip
    model = nn.Sequential(nn.Conv2d(4, 4, 1, rng=rng), _norm(4), activation(), *after[reader])
    plan, exact = engine.compile(model, shape, 5), copy.deepcopy(model).astype(np.float64)
    x = _drawn(5, shape)
    dy = _drawn(5, model.output_shape(shape), 1)
    kept, y = dy.copy(), plan(x).copy()
    expected = exact(x.astype(float)), exact.backward(dy.astype(float))
    assert_agrees(y, expected[0])
    for _ in range(2):
        assert_agrees(plan.backward(dy, need_dx=True), expected[1])
        np.testing.assert_array_equal(dy, kept)
    (step,) = (step for step in plan.steps if step.kernel.startswith("batch norm"))
    assert (step._dx.size == 0) == (reader in ("convolution", "norm"))


@pytest.mark.parametrize("kind", [nn.Flatten, nn.Tanh])
def test_a_gradient_that_a_view_passes_on_is_left_as_it_is(kind):
    model = nn.Sequential(nn.Linear(6, 4, rng=np.random.default_rng(0)), _norm(4), kind())
    plan, dy = engine.compile(model, (6,), 5), _drawn(5, (4,), 1)
    kept = dy.copy()
    plan(_drawn(5, (6,)))
    plan.backward(dy)
    np.testing.assert_array_equal(dy, kept)
    assert (plan.steps[1]._dx.size == 0) == (kind is nn.Tanh)


def test_the_input_of_an_activation_after_a_norm_is_not_kept():
    """Unless something else reads it, too."""
    rng, shape, x = np.random.default_rng(0), (4, 6, 5), _drawn(5, (4, 6, 5))

    def layers():
        return {"conv": nn.Conv2d(4, 4, 3, padding=1, rng=rng), "norm": _norm(4), "act": nn.SiLU()}

    last = nn.Conv2d(4, 4, 1, rng=rng)
    alone = nn.Sequential(**layers(), last=last)
    read_twice = nn.Graph({**layers(), "sum": (nn.Add(), "act", "norm"), "last": last})
    found = []
    for model in (alone, read_twice):
        plan, exact = engine.compile(model, shape, 5), copy.deepcopy(model).astype(np.float64)
        assert_agrees(plan(x), exact(x.astype(float)))
        dy = _drawn(5, shape, 1)
        dx = plan.backward(dy, need_dx=True)
        assert_agrees(dx, exact.backward(dy.astype(float)), magnitude=[4])
        found.append([step.kernel for step in plan.steps if step.name in ("norm", "act")])
    assert found == [["batch norm + silu"], ["batch norm", "silu"]]


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.Scale])
def test_a_norm_that_learns_nothing_passes_the_gradient_through_the_activation(norm):
    layer = _norm(4).eval() if norm is nn.BatchNorm2d else nn.Scale((4, 1, 1))
    model = nn.Sequential(layer, nn.Hardswish())
    for parameter in model.parameters().values():
        parameter.rate = 0
    plan, exact = engine.compile(model, (4, 6, 5), 5), copy.deepcopy(model).astype(np.float64)
    x, dy = _drawn(5, (4, 6, 5)), _drawn(5, (4, 6, 5), 1)
    assert_agrees(plan(x), exact(x.astype(float)))
    expected = exact.backward(dy.astype(float))
    assert_agrees(plan.backward(dy, need_dx=True), expected, magnitude=[4])


def test_only_a_network_with_the_activation_compiles_its_kernels():
    own = {
        name: [
            str(one.recipe.name).partition(".")[0] for one in _step_after(layer).uses(training=True)
        ]
        for name, layer in (("relu", nn.ReLU()), ("silu", nn.SiLU()))
    }
    assert {"normalize", "gradient_sums"}.isdisjoint(own["relu"])
    assert {"batch_norm", "batch_gradient_sums"}.isdisjoint(own["silu"])
    assert {"normalize", "gradient_sums", "batch_gradient"} <= {*own["silu"]}


def _step_after(activation):
    """Return the step of a batch norm that has absorbed the activation."""
    return BatchNormStep("norm", _norm(4), (4, 3, 3), BATCH, follower=activation)


@pytest.mark.parametrize("block", [1, 50, 500])
def test_batch_norm_in_many_blocks(block, monkeypatch):
    monkeypatch.setattr(normalization, "BATCH_BLOCK", block)
    layer = _norm(10)
    step = BatchNormStep("norm", layer, (10, 5, 7), BATCH)
    for n in (BATCH, 3):
        _agree(step, _plain(layer), n)


@pytest.mark.parametrize("images", [1, 7, 20])
@pytest.mark.parametrize("filters", [4, 20])
def test_statistics_are_computed_while_a_convolution_writes(images, filters, monkeypatch):
    """In pieces that end within the blocks: the same bits as of all images at once."""
    monkeypatch.setattr(normalization, "BATCH_BLOCK", 200 * filters)
    monkeypatch.setattr(norm, "FEWEST", 1)
    conv = nn.Conv2d(filters, filters, 3, padding=1, rng=np.random.default_rng(0))
    model = nn.Sequential(conv, _norm(filters)).train()
    rng, found, calls = np.random.default_rng(1), [], []
    x = rng.normal(size=(20, filters, 11, 13)).astype(np.float32)[:images]
    measure = BatchNormStep._block_statistics

    def counting(step, *args):
        if not rehearsal.here():  # which looks for kernels that are not compiled yet
            calls.append(args)
        return measure(step, *args)

    monkeypatch.setattr(BatchNormStep, "_block_statistics", counting)
    threads = get_num_threads()
    for piece in (0, 3.5 * x[0].nbytes):
        monkeypatch.setattr(norm, "PIECE", int(piece / threads / min(2, threads)))
        calls.clear()
        plan, own = engine.compile(copy.deepcopy(model), x.shape[1:], 20), []
        for k in range(4):  # the last ones without Python between the kernels
            own += [plan(x * np.float32(k + 1)).copy()]
            assert_agrees(own[-1], model(x * np.float32(k + 1)))
        found.append(own)
        assert len(calls) == 2 * (-(-images // 3) if piece else 1)
    for whole, in_pieces in zip(*found, strict=True):
        np.testing.assert_array_equal(in_pieces, whole)


@pytest.mark.parametrize("block", [7, 60, 10**6])
@pytest.mark.parametrize("images", [1, 3, 4, 16, 21])
def test_the_blocks_of_a_batch_lie_in_one_chunk_each(images, block):
    edges = begun(images, 4).bounds(4)
    blocks = ChunkBlocks.of(edges, 30, block)
    assert (blocks.bounds[0], blocks.bounds[-1]) == (0, images * 30)
    assert ((np.diff(blocks.bounds) > 0) & (np.diff(blocks.bounds) <= block)).all()
    assert {edge * 30 for edge in edges} <= set(blocks.bounds.tolist())
    parts = np.arange(2.0 * len(blocks)).reshape(-1, 2)
    np.testing.assert_array_equal(blocks.chunk_sums(parts).sum(axis=0), parts.sum(axis=0))


@pytest.mark.parametrize("follower", ["relu", "silu"])
@pytest.mark.parametrize("ranks", [2, 3, 8])
@pytest.mark.parametrize("images", [5, 23])
def test_processes_that_share_a_batch_have_the_sums_of_one(ranks, images, follower, monkeypatch):
    monkeypatch.setattr(normalization, "BATCH_BLOCK", 100)
    shape, rng = (6, 5, 5), np.random.default_rng(ranks)
    x, dy = (rng.normal(size=(images, 5, 5, 6)).astype(np.float32) for _ in range(2))
    layer = _norm(6).eval()  # the statistics are no sums then
    step = BatchNormStep("norm", layer, shape, images, **_absorbed(follower))

    def gradients(share, x, dy):
        step.share = share
        step.forward(x)
        step.backward(dy, need_dx=False)
        return [layer.weight.grad.copy(), layer.bias.grad.copy()]

    own = [(share, share.begin(images)) for share in shares(ranks)]
    nothing = [np.zeros(6, np.float32)] * 2
    parts = [gradients(share, x[cut], dy[cut]) if share.own else nothing for share, cut in own]
    whole = gradients(begun(images), x, dy)
    for one, several in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(total(several, ranks), one)


@pytest.mark.parametrize("loc", [100, -3000])
def test_a_mean_far_from_zero_costs_batch_norm_no_digits(loc):
    layer = _norm(6)
    step, plain = BatchNormStep("norm", layer, (6, 20, 20), BATCH), _plain(layer)
    _agree(step, plain, BATCH, loc=loc)
    _agree(step, plain, 3, loc=loc + 1)
    layer.eval()
    plain.eval()
    layer.running_mean.data[:] = plain.running_mean.data[:] = np.float32(loc)
    _agree(step, plain, BATCH, loc=loc)


def test_what_float32_cannot_say_of_a_large_mean_is_made_good():
    layer = _norm(4)
    step, plain = BatchNormStep("norm", layer, (4, 20, 20), BATCH), _plain(layer)
    x = _drawn(BATCH, (4, 20, 20), loc=3e5)
    step.share.begin(len(x))
    y, expected = step.forward(_last(x)), plain(x.astype(float))
    assert_agrees(_first(y), expected)
    dy = np.float32(expected + 1 + _drawn(BATCH, (4, 20, 20), 1))  # both parameters' are large
    dx = step.backward(_last(dy), need_dx=True)
    assert_agrees(_first(dx), plain.backward(dy.astype(float)))
    for name, p in plain.parameters().items():
        assert_agrees(layer.parameters()[name].grad, p.grad)


def test_a_channel_of_one_number_becomes_the_shift():
    layer = _norm(3)
    step = BatchNormStep("norm", layer, (3, 9, 9), 4)
    x = np.tile(np.float32([0.1, 1e4 / 3, 0]), (4, 9, 9, 1))
    step.share.begin(len(x))
    y = step.forward(x)
    np.testing.assert_allclose(y, np.broadcast_to(layer.bias.data, y.shape), rtol=1e-5, atol=1e-5)
    dx = step.backward(np.ones_like(x), need_dx=True)
    np.testing.assert_allclose(dx, 0, atol=1e-3)  # of gradients of about 1 / √ε


@pytest.mark.parametrize("shape", [(3,), (3, 1, 1)])
@pytest.mark.parametrize("n", [0, 1])
def test_training_with_one_value_a_channel_is_refused_as_by_the_layer(shape, n):
    layer = _norm(3)
    layer.name = "bn1"
    step, before = BatchNormStep("norm", layer, shape, BATCH), _plain(layer).state_dict()
    with pytest.raises(
        ShapeError, match="needs more than one value per channel in training"
    ) as error:
        step.forward(np.ones((n, *shape[1:], 3), np.float32))
    with pytest.raises(ShapeError) as expected:
        layer(np.ones((n, *shape), np.float32))
    assert str(error.value) == str(expected.value)
    assert "bn1" in str(error.value)
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    layer.eval()
    assert step.forward(np.ones((n, *shape[1:], 3), np.float32)).shape == (n, *shape[1:], 3)


@pytest.mark.parametrize("shape", [(4, 5, 5), (4,), (3, 5)])
def test_other_channels_are_refused_as_by_the_layer(shape):
    with pytest.raises(ShapeError, match="expects 3 channels") as error:
        BatchNormStep("norm", nn.BatchNorm2d(3), shape, BATCH)
    with pytest.raises(ShapeError) as expected:
        nn.BatchNorm2d(3).output_shape(shape)
    assert str(error.value) == str(expected.value)


def test_batch_norm_reads_its_layer_at_each_call():
    layer = _norm(3)
    step = BatchNormStep("norm", layer, (3, 4, 4), BATCH)
    _agree(step, _plain(layer), BATCH)
    layer.eps, layer.momentum = 0.5, 0.7
    layer.weight.data = layer.weight.data * 3
    layer.bias.data = layer.bias.data + 1
    _agree(step, _plain(layer), BATCH)
    layer.eval()
    _agree(step, _plain(layer), BATCH)
    layer.running_mean.data = layer.running_mean.data - 2
    _agree(step, _plain(layer), BATCH)


def test_a_backward_belongs_to_the_mode_of_its_forward():
    layer = _norm(3)
    step, plain = BatchNormStep("norm", layer, (3, 4, 4), BATCH), _plain(layer)
    x, dy = _drawn(BATCH, (3, 4, 4)), _drawn(BATCH, (3, 4, 4), 1)
    step.share.begin(len(x))
    step.forward(_last(x))
    plain(x.astype(float))
    layer.eval()
    plain.eval()
    dx = step.backward(_last(dy), need_dx=True)
    assert_agrees(_first(dx), plain.backward(dy.astype(float)))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_batch_norm_shows_what_is_not_finite_where_the_layer_shows_it(bad, training):
    layer = _norm(3).train(training)
    plain = copy.deepcopy(layer)
    step = BatchNormStep("norm", layer, (3, 4, 4), BATCH)
    x, dy = _drawn(BATCH, (3, 4, 4)), _drawn(BATCH, (3, 4, 4), 1)
    x[2, 1, 3, 3] = dy[0, 2, 0, 0] = bad
    step.share.begin(len(x))
    y = step.forward(_last(x))
    dx = step.backward(_last(dy), need_dx=True)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(np.isfinite(_first(y)), np.isfinite(plain(x)))
        np.testing.assert_array_equal(np.isfinite(_first(dx)), np.isfinite(plain.backward(dy)))
    for mine, theirs in ((layer.weight, plain.weight), (layer.bias, plain.bias)):
        np.testing.assert_array_equal(np.isfinite(mine.grad), np.isfinite(theirs.grad))
    for name, value in plain.state_dict().items():
        np.testing.assert_array_equal(np.isfinite(layer.state_dict()[name]), np.isfinite(value))


@pytest.mark.parametrize("shape", [(40,), (1, 5, 4), (2, 3, 3), (20, 9, 8)], ids=str)
@pytest.mark.parametrize(
    "layer",
    [
        nn.LocalResponseNorm(5, 0.3), nn.LocalResponseNorm(2, 1, 0.5, 2), nn.LocalResponseNorm(1),
        nn.LocalResponseNorm.krizhevsky(), nn.LocalResponseNorm(9, 0.1, 1.3, 0.5),
    ],
    ids=repr,
)  # fmt: skip
def test_local_response_norm_is_its_layer(layer, shape):
    step = LocalResponseNormStep("lrn", layer, shape, BATCH)
    assert (step.name, step.output_shape, step.channels_last) == ("lrn", shape, True)
    for k, n in enumerate((BATCH, 1, 5)):
        _agree(step, _plain(layer), n, seed=k)


def test_local_response_norm_reads_its_layer_at_each_call():
    layer = nn.LocalResponseNorm(3, 0.5)
    step = LocalResponseNormStep("lrn", layer, (20, 4, 4), BATCH)
    for layer.size, layer.alpha, layer.beta, layer.k in ((3, 0.5, 0.75, 1), (7, 0.2, 0.6, 3)):
        _agree(step, _plain(layer), BATCH)
    layer.size = 2
    _agree(step, _plain(layer), BATCH)


@pytest.mark.parametrize("block", [1, 100, 1000])
def test_local_response_norm_in_many_blocks(block, monkeypatch):
    monkeypatch.setattr(normalization, "RESPONSE_BLOCK", block)
    layer = nn.LocalResponseNorm(5, 0.5)
    step = LocalResponseNormStep("lrn", layer, (12, 5, 7), BATCH)
    for n in (BATCH, 3):
        _agree(step, _plain(layer), n)


def _grouped(groups, c):
    """Return a group norm with a scale and a shift of its own for every channel."""
    layer, rng = nn.GroupNorm(groups, c), np.random.default_rng(c)
    layer.weight.data[:] = rng.uniform(0.5, 2, c) * rng.choice([-1, 1], c)
    layer.bias.data[:] = rng.normal(size=c)
    return layer


@pytest.mark.parametrize("follower", FOLLOWERS)
@pytest.mark.parametrize("shape", [(6,), (300,), (6, 5, 6), (12, 3, 3), (300, 2, 1)], ids=str)
@pytest.mark.parametrize("groups", [1, 3])
def test_group_norm_is_its_layer(shape, groups, follower):
    layer = _grouped(groups, shape[0])
    plain = nn.Sequential(norm=_plain(layer), **FOLLOWERS[follower])
    step = GroupNormStep("norm", layer, shape, BATCH, **_absorbed(follower))
    assert step.kernel == "group norm" + f" + {follower}" * bool(follower)
    for k, n in enumerate((BATCH, 1, 5)):
        _agree(step, plain, n, seed=k)


def test_group_norm_in_a_plan_for_one_image_and_with_a_relu_absorbed():
    model = nn.Sequential(norm=_grouped(2, 4), relu=nn.ReLU())
    plain, x = _plain(model), _drawn(1, (4, 5, 3))
    plan = engine.compile(model, x.shape[1:], 1)
    assert "group norm + relu" in str(plan)
    assert_agrees(plan(x), plain(x.astype(float)))
    dx = plan.backward(np.ones_like(x), need_dx=True)
    assert_agrees(dx, plain.backward(np.ones(x.shape)), magnitude=[4])


@pytest.mark.parametrize("loc", [100, -3000])
def test_a_mean_far_from_zero_costs_group_norm_no_digits(loc):
    layer = _grouped(3, 6)
    step, plain = GroupNormStep("norm", layer, (6, 20, 20), BATCH), _plain(layer)
    _agree(step, plain, BATCH, loc=loc)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_group_norm_shows_what_is_not_finite_in_its_image_and_group_alone(bad):
    layer = _grouped(2, 4)
    step = GroupNormStep("norm", layer, (4, 3, 3), BATCH)
    x = _drawn(3, (4, 3, 3))
    x[1, 2, 0, 0] = bad
    y = _first(step.forward(_last(x)))
    assert not np.isfinite(y[1, 2:]).any()
    assert np.isfinite(y[[0, 2]]).all()
    assert np.isfinite(y[1, :2]).all()


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((5, 3, 3), "expects 4 channels"),
        ((4,), "more than one value per group"),
        ((4, 3), "expects"),
    ],
)
def test_images_that_group_norm_cannot_take_are_refused_as_by_the_layer(shape, said):
    layer = nn.GroupNorm(4, 4)
    with pytest.raises(ShapeError, match=said):
        layer(np.zeros((2, *shape)))
    with pytest.raises(ShapeError, match=said):
        GroupNormStep("norm", layer, shape, BATCH)


@pytest.mark.parametrize("kind", [LocalResponseNormStep, BatchNormStep, GroupNormStep])
def test_threads_change_no_bit(kind):
    layers = {
        LocalResponseNormStep: lambda: nn.LocalResponseNorm(5),
        BatchNormStep: lambda: _norm(20),
        GroupNormStep: lambda: _grouped(4, 20),
    }
    seen, before = [], get_num_threads()
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            layer = layers[kind]()
            step = kind("norm", layer, (20, 40, 45), BATCH)
            results = (*_agree(step, _plain(layer), BATCH), *layer.state_dict().values())
            results += tuple(p.grad for p in layer.parameters().values())
            seen.append([a.tobytes() for a in results])
    finally:
        set_num_threads(before)
    assert seen[1:] == seen[:-1]


def test_a_frozen_batch_norm_relies_on_its_running_statistics_until_it_is_frozen_again():
    layer, rng = nn.BatchNorm2d(3), np.random.default_rng(0)
    layer.running_mean.data[:] = 5
    step, x = BatchNormStep("norm", layer.eval(), (3, 4, 4), 2), rng.normal(size=(2, 4, 4, 3))
    x = x.astype(np.float32)
    step.share.begin(2)
    step.freeze()
    assert step.repeats(2)
    before = step.forward(x).copy()
    layer.running_mean.data[:] = 7
    np.testing.assert_array_equal(step.forward(x), before)
    step.freeze()
    assert_agrees(step.forward(x), before - 2, within=1e-5)
    layer.train()
    assert_agrees(step.forward(x).mean(axis=(0, 1, 2)), np.zeros(3), magnitude=[1])
    layer.eval()
    assert_agrees(step.forward(x), np.moveaxis(layer(np.moveaxis(x, -1, 1)), 1, -1), within=1e-5)
