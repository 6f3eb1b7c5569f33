"""Ranks that share a batch have the bits of one process: outputs, gradients, losses, statistics."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from distributed.in_threads import on_threads
from pellucid import engine, models, nn
from pellucid.distributed import Share
from pellucid.distributed.share import chunks_of_ranks, joined
from pellucid.engine.cpu.losses import FusedLoss
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


def run(model, shape, share, batches=BATCHES, within=slice(None)):
    """Train a copy of the model on these batches; return what a rank has of each."""
    model = copy.deepcopy(model)
    plan = engine.compile(model, shape, WHOLE, share=share)
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
