"""Batches of one image, in which a batch norm may have one value a channel."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import nn
from pellucid.data import Dataset
from pellucid.errors import ArgumentError, DataError
from pellucid.training import Trainer


def images(n: int) -> Dataset:
    x = np.random.default_rng(0).random((n, 1, 4, 4), dtype=np.float32)
    return Dataset.from_arrays(x, np.arange(n) % 3, ["a", "b", "c"], "three")


def rows(*norms):
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 5), *norms, nn.Linear(5, 3))


class Own(nn.Layer):
    """A layer that runs another in its own way."""

    def __init__(self) -> None:
        self.norm = nn.BatchNorm2d(5)

    def forward(self, x):
        return self.norm(x)

    def backward(self, dy):
        return self.norm.backward(dy)


def frozen():
    model = rows(nn.BatchNorm2d(5))
    nn.freeze(model, "2")
    return model


ALONE = {
    "behind a Linear": lambda: rows(nn.BatchNorm2d(5)),
    "behind a global pooling": lambda: nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.GlobalAvgPool2d(), nn.BatchNorm2d(3), nn.Flatten()
    ),
    "on images of one pixel": lambda: nn.Sequential(
        nn.Conv2d(1, 3, 4), nn.BatchNorm2d(3), nn.Flatten()
    ),
    "in a residual block": lambda: rows(nn.Residual(nn.Linear(5, 5), nn.BatchNorm2d(5))),
    "in a branch": lambda: nn.Sequential(
        nn.Flatten(),
        nn.Branches(nn.Linear(16, 2), nn.Sequential(nn.Linear(16, 1), nn.BatchNorm2d(1))),
    ),
    "in a layer of one's own": lambda: rows(Own()),
}  # fmt: skip
TOGETHER = {
    "on images": lambda: nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 3)
    ),
    "frozen": frozen,
    "none": rows,
}
ENGINES = ["compiled", "numpy"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("where", ALONE)
def test_a_last_batch_of_one_image_is_refused_before_the_first(where, engine):
    with pytest.raises(
        ArgumentError,
        match=r"^batch_size: 9 images in batches of 4 make the last batch a single image, from "
        r"which this model cannot learn\. Use batch_size=5, .*BatchNorm2d '.*more than one value",
    ):
        Trainer(ALONE[where](), images(9), batch_size=4, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("where", ALONE)
def test_the_batch_size_that_the_refusal_names_trains(where, engine):
    for n, size, good in ((9, 4, 5), (5, 1, 2 + 1), (2, 1, 2), (13, 12, 13)):
        with pytest.raises(ArgumentError, match=f"Use batch_size={good},"):
            Trainer(ALONE[where](), images(n), batch_size=size, engine=engine)
        Trainer(ALONE[where](), images(n), batch_size=good, epochs=1, engine=engine).fit()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("where", TOGETHER)
@pytest.mark.parametrize(("n", "size"), [(9, 4), (3, 1), (1, 100)])
def test_where_no_batch_norm_has_a_single_value_it_is_learned_from(where, n, size, engine):
    model = TOGETHER[where]()
    before = model.state_dict()
    one = Trainer(model, images(n), batch_size=size, epochs=1, engine=engine)
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())
    one.fit()
    assert len(one.history.losses) == -(-n // size)


@pytest.mark.parametrize("where", ALONE)
def test_a_set_of_one_image_is_refused(where):
    with pytest.raises(DataError, match=r"^Trainer: 'three' has one image, from which this model"):
        Trainer(ALONE[where](), images(1))


def test_trying_it_draws_no_masks_and_moves_no_statistics():
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Dropout(0.5, rng=rng),
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        nn.Flatten(),
        nn.Linear(12, 3),
    )
    one = Trainer(model, images(9), batch_size=4)
    assert one.model[0].rng.drawn == 0
    assert model[2].num_batches_tracked.data == 0
