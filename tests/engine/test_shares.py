"""Ranks that share a batch have the bits of one process: outputs, gradients, losses, statistics."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest

from distributed.in_threads import on_threads
from engine.shares import shares
from nn.cases import every_case
from pellucid import engine, models, nn
from pellucid.distributed import Share
from pellucid.distributed.share import chunks_of_ranks, joined
from pellucid.engine.cpu.losses import FusedLoss
from pellucid.errors import ArgumentError, ShapeError
from pellucid.image_random import ImageRandom
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads

WHOLE = 16  # images that a plan is made for
BATCHES = (16, 13, 9, 5)  # the last ones have fewer images than some ranks have chunks


def rng():
    return np.random.default_rng(5)


def convolutions():
    """Return a network with many kinds of sums over the images, and batch norms between."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, rng=rng()), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, bias=False, rng=rng()), nn.BatchNorm2d(16),
        nn.Conv2d(16, 16, 3, padding=1, groups=16, rng=rng()), nn.BatchNorm2d(16), nn.SiLU(),
        nn.Conv2d(16, 8, 3, stride=2, groups=4, rng=rng()), nn.PReLU(8), nn.GroupNorm(2, 8),
        nn.Conv2d(8, 9, 2, rng=rng()), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.3),
        nn.Flatten(), nn.Linear(9, 30, rng=rng()), nn.LayerNorm(30), nn.Sigmoid(),
        nn.Linear(30, 6, rng=rng()),
    )  # fmt: skip


NETWORKS = {
    "convolutions": (convolutions, (3, 8, 8)),
    "SimpleConvNet": (lambda: models.SimpleConvNet((1, 12, 12), rng=rng()), (1, 12, 12)),
}


def run(model, shape, share, batches=BATCHES, within=slice(None), recompute=False):
    """Train a copy of the model on these batches; return what a rank has of each."""
    model = copy.deepcopy(model)
    plan = engine.compile(model, shape, WHOLE, share=share, recompute=recompute)
    loss = FusedLoss(nn.SoftmaxCrossEntropy(label_smoothing=0.1), share)
    found = []
    for images in batches:
        numbers = np.random.default_rng(images)
        x = numbers.normal(size=(images, *shape)).astype(np.float32)
        own = share.begin(images)
        for _, layer in model.layers():
            if hasattr(layer, "rng"):
                layer.rng = ImageRandom(0, "drawn")
                layer.rng.at(1, np.arange(images)[own])
        y = plan(x[own]).copy()
        labels = numbers.integers(0, y.shape[1], images)
        value = loss(y, labels[own])
        dx = plan.backward(loss.backward(), need_dx=True).copy()
        state = {key: a.tobytes() for key, a in model.state_dict().items()}
        found.append((y, dx, plan.gradients.copy(), value, state))
    return found


def same(whole, ranks, nodes):
    """Compare what ranks have of each batch with what one process has."""
    for one, *several in zip(whole, *ranks, strict=True):
        (y, dx, gradients, value, state), parts = one, list(zip(*several, strict=True))
        assert np.concatenate(parts[0]).tobytes() == y.tobytes()
        assert np.concatenate(parts[1]).tobytes() == dx.tobytes()
        assert joined(list(parts[2]), nodes).tobytes() == gradients.tobytes()
        assert set(parts[3]) == {value}
        assert all(there == state for there in parts[4])


@pytest.mark.parametrize("name", NETWORKS)
def test_any_number_of_ranks_and_threads_has_the_bits_of_one_process(name):
    build, shape = NETWORKS[name]
    model, before = build(), get_num_threads()
    try:
        set_num_threads(2)
        whole = run(model, shape, Share())
        for threads, sizes in ((1, (1, 2, 3, 4, 8)), (2, (2,))):
            set_num_threads(threads)
            for size in sizes:
                ranks = on_threads(size, lambda rank: run(model, shape, Share(rank)))
                same(whole, ranks, chunks_of_ranks(size))
    finally:
        set_num_threads(before)


def alone(case, share, images):
    """Return what a rank's plan of one layer gives, and the plan."""
    model = case.layer().astype(np.float32)
    x, dy = dataclasses.replace(case, n=images).arrays(np.float32)
    plan, own = engine.compile(model, case.shape, images, share=share), share.begin(images)
    for _, layer in model.layers():
        if hasattr(layer, "rng"):
            layer.rng = ImageRandom(0, "drawn")
            layer.rng.at(1, np.arange(images)[own])
    y = plan(x[own]).copy()
    dx = plan.backward(dy[own], need_dx=True).copy()
    grads = [np.array(p.grad) for p in model.parameters().values() if p.rate]
    return plan, y, dx, grads, [a.tobytes() for a in model.state_dict().values()]


@every_case
@pytest.mark.parametrize("images", [2, 13])
def test_a_layer_on_three_ranks_has_the_bits_of_one_process(case, images):
    plan, *whole = alone(case, Share(), images)
    _, *parts = zip(*on_threads(3, lambda rank: alone(case, Share(rank), images)), strict=True)
    y, dx = (np.concatenate(part) for part in parts[:2])
    grads = [joined(list(part), chunks_of_ranks(3)) for part in zip(*parts[2], strict=True)]
    if plan.approximate:  # correct, to the last bits
        for got, expected in zip((y, dx, *grads), (*whole[:2], *whole[2]), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    else:
        for got, expected in zip((y, dx, *grads), (*whole[:2], *whole[2]), strict=True):
            assert got.tobytes() == expected.tobytes()
    assert all(state == whole[3] for state in parts[3])


class Halved(nn.Loss):
    """A loss without a kernel: half of the cross-entropy."""

    def __init__(self):
        self.own = nn.SoftmaxCrossEntropy()

    def forward(self, scores, labels):
        return self.own(scores, labels) / 2

    def backward(self):
        return self.own.backward() / 2


LOSSES = {
    "classes": nn.SoftmaxCrossEntropy(),
    "weights": nn.SoftmaxCrossEntropy(class_weights=[0.5, 3.0, 1.0, 2.0]),
    "smooth weights": nn.SoftmaxCrossEntropy(
        class_weights=[0.5, 3.0, 1.0, 2.0], label_smoothing=0.2
    ),
    "hinge": nn.MulticlassHinge(),
    "squares": nn.MeanSquaredError(),
}


@pytest.mark.parametrize("images", [3, 13])
@pytest.mark.parametrize("name", [*LOSSES, "rows", "halved"])
def test_every_rank_has_the_mean_loss_of_the_whole_batch(name, images):
    numbers = np.random.default_rng(images)
    scores = numbers.normal(size=(images, 4)).astype(np.float32)
    labels = numbers.integers(0, 4, images)
    loss = Halved() if name == "halved" else LOSSES.get(name, nn.SoftmaxCrossEntropy())
    if name == "rows":
        labels = numbers.dirichlet(np.ones(4), images).astype(np.float32)

    def run(share):
        own, fused = share.begin(images), FusedLoss(loss if name != "halved" else Halved(), share)
        return fused(scores[own], labels[own]), fused.backward().copy()

    value, dy = run(Share())
    values, parts = zip(*on_threads(8, lambda rank: run(Share(rank))), strict=True)
    assert set(values) == {value}
    assert np.concatenate(parts).tobytes() == dy.tobytes()


class Furthest(nn.Loss):
    """A loss of two outputs that is not a mean over images: of the two furthest from 0."""

    def forward(self, scores, labels):
        first, second = (abs(one).max() for one in scores)
        self._memory = tuple(np.sign(one) * (abs(one) == abs(one).max()) for one in scores)
        return float(first + second + labels.max())

    def backward(self):
        return self._memory


@pytest.mark.parametrize("images", [3, 13])
def test_a_loss_without_a_kernel_sees_the_whole_batch(images):
    numbers = np.random.default_rng(images)
    scores, labels = numbers.normal(size=(images, 4)), numbers.integers(0, 4, images)

    def weighted(share):  # of float64, and divided by the weights of the whole batch
        own, fused = share.begin(images), FusedLoss(copy.deepcopy(LOSSES["weights"]), share)
        return fused(scores[own], labels[own]), fused.backward().copy()

    def furthest(share):
        own, fused = share.begin(images), FusedLoss(Furthest(), share)
        value = fused((scores[own], scores[own, :1]), labels[own])
        return value, np.concatenate(fused.backward(), axis=1)

    for run in (weighted, furthest):
        value, dy = run(Share())
        values, parts = zip(*on_threads(8, lambda rank, run=run: run(Share(rank))), strict=True)
        assert set(values) == {value}
        assert np.concatenate(parts).tobytes() == dy.tobytes()


def test_a_shared_plan_refuses_images_that_are_not_those_of_its_batch():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, rng=rng()))
    share = shares(2)[0]
    plan = engine.compile(model, (1, 2, 2), 8, share=share)
    x = np.zeros((4, 1, 2, 2), np.float32)
    with pytest.raises(ArgumentError, match=r"Call `share\.begin"):
        plan(x)
    share.begin(8)
    dy = np.zeros_like(plan(x))
    with pytest.raises(ArgumentError, match=r"4 of the 8 images of this one .* received 3"):
        plan(x[:3])
    plan(x)
    share.begin(6)
    with pytest.raises(ArgumentError, match=r"3 of the 6 images of this one .* received 4"):
        plan.backward(dy)
    model.eval()
    assert plan(x[:3]).shape == (3, 3)  # inference needs no share
    with pytest.raises(ShapeError, match="at most 4 images"):
        plan(np.zeros((5, 1, 2, 2), np.float32))


def test_a_copy_of_a_shared_plan_computes_whole_batches():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, rng=rng()))
    plan = copy.deepcopy(engine.compile(model, (1, 2, 2), 8, share=shares(2, 16)[0]))
    assert plan.share.alone
    assert plan.share.chunks == 16
    assert plan(np.zeros((8, 1, 2, 2), np.float32)).shape == (8, 3)


def test_a_rank_without_images_takes_part_in_the_input_gradients_of_the_others():
    model = nn.Sequential(nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3, rng=rng()))
    nn.freeze(model, "0.*")  # so that training without the input's gradient would stop above it

    def run(share):
        own, x = copy.deepcopy(model), np.random.default_rng(0).normal(size=(3, 2, 2, 2))
        plan, part = engine.compile(own, (2, 2, 2), 8, share=share), share.begin(3)
        y = plan(x[part].astype(np.float32))
        return plan.backward(np.float32([1, 2, 4]) + np.zeros_like(y), need_dx=True).copy()

    ranks = on_threads(8, lambda rank: run(Share(rank)))
    assert np.concatenate(ranks).tobytes() == run(Share()).tobytes()


class Centred(nn.Layer):
    """Subtract the mean of the batch: a layer of the user's, without a step."""

    batch_statistics = True

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x):
        return x - x.mean(axis=0)


def test_what_cannot_keep_the_bits_is_found_when_the_plan_is_made():
    model = nn.Sequential(nn.Flatten(), centred=Centred(), last=nn.Linear(4, 3, rng=rng()))
    engine.compile(model, (1, 2, 2), 8)  # in one process
    with pytest.raises(ArgumentError, match="centred computes statistics of a batch, but no"):
        engine.compile(model, (1, 2, 2), 8, share=shares(2)[1])
    model = nn.Sequential(
        up=nn.ConvTranspose2d(1, 2, 2, rng=rng()), flat=nn.Flatten(), last=nn.Linear(18, 3)
    )
    assert engine.compile(model, (1, 2, 2), 8).approximate == ["up"]
    assert engine.compile(model.astype(np.float64), (1, 2, 2), 8).approximate == ["up", "last"]


def test_a_rank_without_images_tells_of_the_same_steps_and_has_zeros():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 2, rng=rng()), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3, rng=rng())
    )

    def run(rank):
        own = copy.deepcopy(model)
        share, told = Share(rank), []
        plan, part = engine.compile(own, (1, 2, 2), 8, share=share), share.begin(3)
        plan.after_step = lambda step: told.append(
            (step.name, [p.grad is not None for p in step.parameters])
        )
        x = np.random.default_rng(0).normal(size=(3, 1, 2, 2)).astype(np.float32)
        plan.backward(np.ones_like(plan(x[part])))
        return share.own, told, abs(plan.gradients).max()

    ranks = on_threads(8, run)
    assert {own for own, _, _ in ranks} == {0, 1}
    assert all(told == ranks[-1][1] for _, told, _ in ranks)
    assert [name for name, _ in ranks[0][1] if name] == ["3", "2", "1", "0"]
    assert all((largest > 0) == (own > 0) for own, _, largest in ranks)
