"""Warming up compiles what is needed later, and touches nothing of the user's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pellucid import nn
from pellucid.engine import warm_up


def _drawing() -> nn.Sequential:
    rng = np.random.default_rng(0)
    return nn.Sequential(
        conv=nn.Conv2d(1, 4, 3, rng=rng),
        norm=nn.BatchNorm2d(4),
        relu=nn.ReLU(),
        drop=nn.Dropout(0.5, rng=rng),
        flatten=nn.Flatten(),
        fc=nn.Linear(144, 10, rng=rng),
    )


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_as_it_is(training):
    model = _drawing().train(training)
    before = {key: value.copy() for key, value in model.state_dict().items()}
    drawn = model["drop"].rng.bit_generator.state
    warm_up(model, (1, 8, 8), 5, optimizers=["sgd", "adam"])
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[key])
    assert model["drop"].rng.bit_generator.state == drawn
    assert all(p.grad is None for p in model.parameters().values())
    assert all(layer.training == training for _, layer in model.layers())


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Sequential(conv=nn.Conv2d(1, 2, 3)), (1, 6, 6)),
        (nn.Sequential(fc=nn.Linear(6, 3)), (6,)),
        (nn.Sequential(relu=nn.ReLU()), (2, 3, 3)),
        (_drawing().astype(np.float64), (1, 8, 8)),
    ],
    ids=["images come out", "rows go in", "no parameters", "float64"],
)
def test_any_model_is_warmed_up(model, shape):
    warm_up(model, shape, 4)


PROGRAM = """
import gc, sys
import numpy as np
from numba.core.registry import CPUDispatcher
from pellucid import data, engine, evaluate, models, nn, predict
from pellucid.training import Trainer

model = models.by_name("simple", (1, 8, 8), 10, rng=np.random.default_rng(0))
if sys.argv[1] == "warm":
    engine.warm_up(model, (1, 8, 8), 50)
else:
    train, test = data.digits()
    Trainer(model, train.take(103), test, epochs=1, batch_size=50).fit()  # 3 in the last batch
    Trainer(
        model, train.take(103), loss=nn.SoftmaxCrossEntropy([1.0] * 10, 0.1), epochs=1,
        batch_size=50, ema=0.9, augment="rotate10,mixup0.2",
    ).fit()
    evaluate(model, test)
    predict(model, test.batch(np.arange(3))[0])
    predict(model, test.batch(np.arange(200))[0])
for each in gc.get_objects():
    if type(each) is CPUDispatcher:
        for signature in each.overloads:
            print(each.py_func.__module__, each.py_func.__qualname__, signature)
"""


def test_after_warming_up_nothing_is_compiled():
    """No kernel is called for types for which it was not called before."""

    def called(what):
        process = subprocess.run(
            [sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, check=True
        )
        return set(process.stdout.splitlines())

    warm = called("warm")
    assert len(warm) > 5
    assert called("train") <= warm


def test_the_kernels_that_a_plan_names_are_those_that_it_runs():
    """In a process of its own, where nothing else has loaded a kernel."""
    program = """
import numpy as np
from pellucid import nn
from pellucid.engine import compile, kernels_of
from numba.core.registry import CPUDispatcher
import gc
model = nn.Sequential(
    conv=nn.Conv2d(3, 16, 3, padding=1), relu=nn.ReLU(), winograd=nn.Conv2d(16, 16, 3, padding=1),
    pool=nn.MaxPool2d(3, 2), norm=nn.BatchNorm2d(16), response=nn.LocalResponseNorm(3),
    drop=nn.Dropout(), strided=nn.Conv2d(16, 4, 3, stride=2), mean=nn.AvgPool2d(2),
    flatten=nn.Flatten(), linear=nn.Linear(4, 7), act=nn.Sigmoid(), last=nn.Softmax(),
)
plan = compile(model, (3, 16, 16), 20)
named = {kernel.py_func for kernel in kernels_of(plan)}
fewer = {kernel.py_func for kernel in kernels_of(plan, training=False)}
plan(np.zeros((20, 3, 16, 16), np.float32))
plan.backward(np.zeros((20, 7), np.float32))
top = {k.py_func for k in gc.get_objects() if type(k) is CPUDispatcher and k.overloads}
print(len(named), fewer < named, sorted(f.__qualname__ for f in named - top))
"""
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert process.stdout.split(maxsplit=2)[1:] == ["True", "[]\n"]
    assert int(process.stdout.split()[0]) > 20
