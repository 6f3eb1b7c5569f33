"""One measurement in a process of its own: prints medians, losses and memory as JSON.

Called as ``contender.py pellucid|reference|torch|torch-channels-last CASE THREADS``.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

STEPS, WARM_UP, SECONDS = 200, 5, 4.0


def main() -> None:
    """Build, warm up, measure, print."""
    contender, key, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)

    from cases import CASES

    case = CASES[key]
    started = time.perf_counter()
    build = _torch if contender.startswith("torch") else _pellucid
    step = build(contender, case, threads)
    losses = [step()]
    first = time.perf_counter() - started
    losses += [step() for _ in range(WARM_UP)]
    times: list[float] = []
    while len(times) < STEPS and sum(times) < SECONDS:
        begin = time.perf_counter()
        losses.append(step())
        times.append(time.perf_counter() - begin)
    times.sort()
    print(
        json.dumps(
            {
                "median_ms": 1e3 * times[len(times) // 2],
                "quartiles_ms": [1e3 * times[len(times) // 4], 1e3 * times[3 * len(times) // 4]],
                "steps": len(times),
                "start_s": first,
                "first_loss": losses[0],
                "last_loss": losses[-1],
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def _batches(case: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the same few batches again and again: MNIST where it is, else random images like it."""
    import numpy as np

    rng = np.random.default_rng(0)
    folder = os.environ.get("PELLUCID_TEST_MNIST")
    if folder and case.image == (1, 28, 28):
        from pellucid import data

        train, _ = data.mnist(folder)
        made = [train.batch(rng.choice(len(train), case.batch)) for _ in range(8)]
    else:
        # Mostly dark, as digits are, with one bright patch whose place tells the class.
        made = []
        for _ in range(8):
            labels = rng.integers(0, 10, case.batch)
            x = rng.random((case.batch, *case.image), dtype=np.float32) ** 4
            for image, label in zip(x, labels, strict=True):
                image[:, 2 * label : 2 * label + 6, 4:12] += 0.5
            made.append((x, labels))
    while True:
        yield from made


def _pellucid(contender: str, case: Any, threads: int) -> Callable[[], float]:
    import numpy as np

    from pellucid import engine, nn, optim

    rng = np.random.default_rng(0)
    layers: list[nn.Layer] = []
    shape = case.image
    for word in case.layers.split():
        kind, *sizes = word.split(":")
        if kind == "conv":
            n, k, pad = map(int, sizes)
            layers.append(nn.Conv2d(shape[0], n, k, padding=pad, rng=rng))
        elif kind == "linear":
            layers.append(nn.Linear(shape[0], int(sizes[0]), rng=rng))
        else:
            plain = {"relu": nn.ReLU, "flatten": nn.Flatten, "dropout": nn.Dropout}
            layers.append(nn.MaxPool2d(2) if kind == "pool" else plain[kind]())
        shape = layers[-1].output_shape(shape)
    model = nn.Sequential(*layers).train(case.training)
    fast = contender == "pellucid"
    run = engine.compile(model, case.image, case.batch) if fast else model
    loss, rule, batches = nn.SoftmaxCrossEntropy(), optim.Adam(), _batches(case)

    def step() -> float:
        x, labels = next(batches)
        value = loss(run(x), labels)
        if case.training:
            run.backward(loss.backward())
            if fast:
                engine.update(rule, model.parameters())
            else:
                rule.step(model.parameters())
        return value

    return step


def _torch(contender: str, case: Any, threads: int) -> Callable[[], float]:
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    layers: list[Any] = []
    probe = torch.zeros(1, *case.image)
    for word in case.layers.split():
        kind, *sizes = word.split(":")
        if kind == "conv":
            n, k, pad = map(int, sizes)
            layers.append(nn.Conv2d(probe.shape[1], n, k, padding=pad))
        elif kind == "linear":
            layers.append(nn.Linear(probe.shape[1], int(sizes[0])))
        else:
            plain = {"relu": nn.ReLU, "flatten": nn.Flatten, "dropout": nn.Dropout}
            layers.append(nn.MaxPool2d(2) if kind == "pool" else plain[kind]())
        if hasattr(layers[-1], "weight"):
            nn.init.kaiming_normal_(layers[-1].weight)
            nn.init.zeros_(layers[-1].bias)
        probe = layers[-1](probe)
    model = nn.Sequential(*layers).train(case.training)
    last = torch.channels_last if contender.endswith("last") else torch.contiguous_format
    model = model.to(memory_format=last)
    rule, measure = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    batches = _batches(case)

    def step() -> float:
        images, targets = next(batches)
        x = torch.from_numpy(images).to(memory_format=last)
        labels = torch.from_numpy(targets)
        if not case.training:
            with torch.inference_mode():
                return float(measure(model(x), labels))
        rule.zero_grad()
        loss = measure(model(x), labels)
        loss.backward()
        rule.step()
        return float(loss)

    return step


if __name__ == "__main__":
    main()
