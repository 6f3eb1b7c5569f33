"""A plan computes the same on any number of threads, and nearly the same with any vectors."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from engine.networks import IMAGE, NETWORKS
from pellucid import engine, nn
from pellucid.engine.cpu import launch
from pellucid.kernels.jit import LANES
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads
from pellucid.optim import RULES

pytestmark = pytest.mark.all_tiles

X86 = platform.machine().lower() in ("x86_64", "amd64")
STEPS = 3


@pytest.fixture
def threads():
    """Set how many threads there are, for one test."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def trained(name, batch):
    """Return the bits of outputs, gradients and weights of a few steps."""
    rng = np.random.default_rng(0)
    model = NETWORKS[name](rng)
    plan, adam = engine.compile(model, (1, *IMAGE), batch), RULES["adam"](lr=0.01)
    loss, bits = engine.FusedLoss(nn.SoftmaxCrossEntropy()), []
    for _ in range(STEPS):
        x, t = rng.normal(size=(batch, 1, *IMAGE)).astype(np.float32), rng.integers(0, 10, batch)
        y = plan(x)
        loss(y, t)
        bits.append(y.tobytes())
        bits.append(plan.backward(loss.backward(), need_dx=True).tobytes())
        bits += [p.grad.tobytes() for p in model.parameters().values()]
        engine.update(adam, model.parameters())
        bits += [p.data.tobytes() for p in model.parameters().values()]
    return bits


@pytest.mark.parametrize("batch", [1, 21])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_bits_of_a_training_do_not_depend_on_the_threads(name, batch, threads, monkeypatch):
    threads(1)
    alone = trained(name, batch)
    monkeypatch.setattr(launch, "WORTH_SHARING", 0)  # small work too is shared out
    for count in (2, 3):
        threads(count)
        assert trained(name, batch) == alone


# Direct and Winograd convolution and a product, forward and backward: what the vectors' width
# decides. Optimizers are left to NumPy: there are kernels enough to compile.
PROGRAM = """
import numpy as np
from pellucid import engine, nn
from pellucid.kernels.jit import LANES
from pellucid.optim import Adam
rng = np.random.default_rng(0)
model = nn.Sequential(
    nn.Conv2d(1, 14, 3, padding=1, rng=rng), nn.ReLU(),
    nn.Conv2d(14, 14, 3, padding=1, rng=rng), nn.ReLU(),
    nn.Flatten(), nn.Linear(896, 10, rng=rng),
)
plan, adam, loss = engine.compile(model, (1, 8, 8), 20), Adam(lr=0.003), nn.SoftmaxCrossEntropy()
assert "Winograd" in plan.steps[2].kernel
x, t = rng.normal(size=(20, 1, 8, 8)).astype(np.float32), rng.integers(0, 10, 20)
losses = []
for _ in range(6):
    losses.append(float(loss(plan(x), t)))
    plan.backward(loss.backward())
    adam.step(model.parameters())
print(LANES, *losses)
"""
# By its name alone, Numba would take the features of this machine.
NARROWER = {
    8: {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"},
    4: {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": "+sse4.2"},
}


@pytest.mark.skipif(not X86, reason="names x86 processors")
def test_machines_with_narrower_vectors_train_to_the_same(tmp_path):
    running = {
        lanes: subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, **target, "NUMBA_CACHE_DIR": str(tmp_path / str(lanes))},
            stdout=subprocess.PIPE,
            text=True,
        )
        for lanes, target in NARROWER.items()
        if lanes < LANES
    }
    here: dict = {}
    exec(PROGRAM, here)
    losses = here["losses"]
    assert losses[-1] < 0.7 * losses[0]
    for lanes, process in running.items():
        own, *narrow = map(float, process.communicate()[0].split())
        assert own == lanes
        assert narrow == pytest.approx(losses, rel=1e-3)
