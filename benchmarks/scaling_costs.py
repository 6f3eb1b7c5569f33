"""What a training step of one network costs one thread, layer by layer: prints JSON.

    python benchmarks/scaling_costs.py NETWORK [SECONDS]

For each number of images, the first quartile of the steps that fit into SECONDS. Each is scaled by
the share of the time in which the thread had a processor, so that other work on the machine counts
less.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import asdict
from typing import Any

from scaling_networks import NETWORKS
from step_model import Layer, Network

__all__ = ["network_of"]

LEAST = 5  # steps


def main() -> None:
    """Measure the network of the command line."""
    print(json.dumps(asdict(measured(sys.argv[1], float((sys.argv[2:] or [1.0])[0])))))


def network_of(found: dict[str, Any]) -> Network:
    """Return the network of JSON."""
    layers = tuple(
        Layer(**layer | {way: tuple(layer[way]) for way in ("forward", "backward")})
        for layer in found["layers"]
    )
    return Network(**found | {k: tuple(found[k]) for k in ("images", "loss")} | {"layers": layers})


def measured(name: str, seconds: float) -> Network:
    """Return what the network's steps cost."""
    import numpy as np

    from pellucid import engine, models, nn, optim
    from pellucid.kernels.pool.thread_count import set_num_threads

    set_num_threads(1)
    called, image, classes, most = NETWORKS[name]
    model = models.by_name(called, image, classes, rng=np.random.default_rng(0)).train()
    loss, rule = engine.CPU.loss(nn.SoftmaxCrossEntropy()), optim.Adam(lr=1e-5)
    images = tuple(2**k for k in range(int(math.log2(most)) + 1))
    plan = engine.compile(model, image, most)
    plan.replays = False  # so that each step is measured
    rng = np.random.default_rng(0)
    x = rng.random((most, *image), dtype=np.float32)
    labels = rng.integers(0, classes, most)

    def step(n: int) -> list[Any]:
        began, worked = time.perf_counter(), time.thread_time()
        scores = plan(x[:n])
        clock = [time.perf_counter()]
        loss(scores, labels[:n])
        clock.append(time.perf_counter())
        plan.backward(loss.backward())
        clock.append(time.perf_counter())
        plan.backend.update(rule, model.parameters())
        clock.append(time.perf_counter())
        had = min((time.thread_time() - worked) / (clock[-1] - began), 1.0)
        each = had * np.array([step.seconds for step in plan.steps])
        return [each, had * (clock[1] - clock[0]), had * (clock[3] - clock[2])]

    forward, backward, losses, updates = [], [], [], []
    for n in images:
        step(n)
        found, deadline = [], time.perf_counter() + seconds
        while len(found) < LEAST or time.perf_counter() < deadline:
            found.append(step(n))
        each = np.quantile([one[0] for one in found], 0.25, axis=0)
        forward.append(each[:, 0])
        backward.append(each[:, 1])
        losses.append(float(np.quantile([one[1] for one in found], 0.25)))
        updates += [one[2] for one in found]
    layers = tuple(
        Layer(
            tuple(float(column[k]) for column in forward),
            tuple(float(column[k]) for column in backward),
            sum(p.data.size for p in step.layer.parameters().values()),
            step.output_shape[0] if step.layer.batch_statistics else 0,
        )
        for k, step in enumerate(plan.steps)
    )
    update = float(np.quantile(updates, 0.25))
    return Network(name, images, layers, tuple(losses), update, _adding())


def _adding() -> float:
    """Return the seconds to add one number to a partial sum, of arrays larger than the caches."""
    import numpy as np

    a, b = np.zeros((2, 2**22), dtype=np.float32)
    times = []
    for _ in range(9):
        begin = time.perf_counter()
        np.add(a, b, out=a)
        times.append(time.perf_counter() - begin)
    return sorted(times)[2] / a.size


if __name__ == "__main__":
    main()
