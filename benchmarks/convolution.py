"""How one convolution becomes fast, step by step: the table of docs/engine.md.

3x3 windows over 100 images of 32 channels, 16x16, padded by one; 32 filters, then ReLU and max
pooling 2x2. On one thread, except for the last line.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from unittest.mock import patch

import numpy as np

import pellucid
from pellucid import nn
from pellucid.engine.cpu.convolution import algorithms, choice
from pellucid.engine.cpu.steps.conv import ConvStep
from pellucid.engine.cpu.steps.pointwise import ReLUStep
from pellucid.engine.cpu.steps.pool import MaxPoolStep
from pellucid.kernels.jit import kernel

N, C, SIZE, FN = 100, 32, 16, 32
PRODUCTS = N * FN * C * SIZE * SIZE * 9
ROUNDS = 15

rng = np.random.default_rng(0)
x = rng.normal(size=(N, C, SIZE, SIZE)).astype(np.float32)
layer = nn.Conv2d(C, FN, 3, padding=1, rng=rng)


def loops(padded: np.ndarray, w: np.ndarray, y: np.ndarray) -> None:
    """Compute the definition, in seven loops."""
    for n in range(len(y)):
        for f in range(y.shape[1]):
            for i in range(y.shape[2]):
                for j in range(y.shape[3]):
                    total = np.float32(0)
                    for c in range(w.shape[1]):
                        for u in range(3):
                            for v in range(3):
                                total += w[f, c, u, v] * padded[n, c, i + u, j + v]
                    y[n, f, i, j] = total


def main() -> None:
    """Measure every step, and print the table."""
    pellucid.set_num_threads(1)
    padded, y = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), np.empty_like(x)
    w = layer.weight.data
    begin = time.perf_counter()
    loops(padded[:1], w[:3], y[:1, :3])  # of 100 images and 32 filters
    rows = [("the definition, in Python", (time.perf_counter() - begin) * N * FN / 3)]
    compiled = kernel(loops)
    rows.append(("the definition, compiled", _median(lambda: compiled(padded, w, y), 3)))
    rows.append(("im2col and NumPy's matrix product", _median(lambda: layer(x))))
    one, tile = (1, 1), (8, 2)
    rows.append(("channels last, one vector of sums", _median(_direct(one, relu=False, pool=1))))
    rows.append(("a tile of 8x2 vectors of sums", _median(_direct(tile, relu=False, pool=1))))
    rows.append(("the same, and then ReLU and pooling", _median(_one_by_one(tile))))
    fused = (2, 2)  # for each of the four cells of a pooling window
    rows.append(("ReLU and pooling fused with it", _median(_direct(fused, relu=True, pool=2))))
    rows.append(("Winograd's products instead, fused", _median(_step(relu=True, pool=2))))
    pellucid.set_num_threads(2)
    rows.append(("the same on two threads", _median(_step(relu=True, pool=2))))
    print("| step | ms | times as fast | GFLOP/s of the definition |\n|---|---|---|---|")
    for title, seconds in rows:
        ratio, rate = rows[1][1] / seconds, 2 * PRODUCTS / seconds / 1e9
        print(f"| {title} | {1e3 * seconds:,.2f} | {ratio:,.4g} | {rate:,.3g} |")


def _step(*, relu: bool, pool: int) -> Callable[[], object]:
    """Return the engine's own step for the layer and its fused followers."""
    step = ConvStep("", layer, x.shape[1:], N, relu, pool)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    return lambda: step.forward(last)


def _direct(tile: tuple[int, int], *, relu: bool, pool: int) -> Callable[[], object]:
    """Return the step as it would be without Winograd, with this tile."""
    with (
        patch.object(choice, "FEW_FOR_WINOGRAD", C + 1),
        patch.object(algorithms, "pixel_tile", lambda *_: tile),
    ):
        return _step(relu=relu, pool=pool)


def _one_by_one(tile: tuple[int, int]) -> Callable[[], object]:
    """Return convolution, ReLU and pooling as three steps."""
    convolve = _direct(tile, relu=False, pool=1)
    rectify = ReLUStep("", nn.ReLU(), layer.output_shape(x.shape[1:]), N)
    pool = MaxPoolStep("", nn.MaxPool2d(2), layer.output_shape(x.shape[1:]), N)
    return lambda: pool.forward(rectify.forward(convolve()))


def _median(run: Callable[[], object], rounds: int = ROUNDS) -> float:
    run()
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


if __name__ == "__main__":
    main()
