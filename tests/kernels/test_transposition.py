"""The transpose of each image equals NumPy's, for any part of it a task."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.kernels.jit import LANES
from pellucid.kernels.pool.threads import run
from pellucid.kernels.transposition import part_length, transpose

EMPTY = 99


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (1, 1), (LANES, LANES), (LANES + 1, 2 * LANES - 1), (1, 40), (2, 5 * LANES + 3),
        (3, 4 * LANES), (3, 4 * LANES + 1), (4, 3 * LANES - 1), (5, 3 * LANES),
    ],
)  # fmt: skip
def test_every_image_is_transposed_and_nothing_else_written(n, rows, columns):
    for shape in ((n, rows, columns), (n, columns, rows)):
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        for per in (LANES, 3 * LANES, part_length(rows, columns)):
            memory = np.full(x.size + LANES, EMPTY, np.float32)
            tasks = n * -(-max(rows, columns) // per)
            run(transpose, tasks, x.ravel(), memory[: x.size], *shape[1:], per)
            np.testing.assert_array_equal(memory[: x.size], x.transpose(0, 2, 1).ravel())
            assert set(memory[x.size :].tolist()) == {EMPTY}
