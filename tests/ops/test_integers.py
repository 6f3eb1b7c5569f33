"""Integers, as a reader types them or a file holds them, give what the same floats give."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import nn, ops

IMAGES = np.array([[100, 3, 250, 17], [0, 200, 9, 130]]).reshape(1, 2, 2, 2)
WHOLE = ops.pool2d_windows((2, 2, 2), 2)
LABELS = np.array([2, 0])


def _rng():
    return np.random.default_rng(3)


OPS = {
    "leaky_relu": lambda x: ops.leaky_relu(x, 0.3),
    "leaky_relu_backward": lambda x: ops.leaky_relu_backward(x, np.zeros(x.shape), 0.3),
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
    "softmax": lambda x: ops.softmax(x.reshape(2, 4)),
    "log_softmax": lambda x: ops.log_softmax(x.reshape(2, 4)),
    "dropout": lambda x: ops.dropout(x, 0.3, rng=_rng())[0],
    "Dropout, book, at test time": lambda x: nn.Dropout(0.3, "book").eval()(x),
    "conv2d": lambda x: ops.conv2d(x, np.ones((3, 2, 2, 2), x.dtype), np.ones(3, x.dtype)),
    "conv_transpose2d": lambda x: ops.conv_transpose2d(x, np.ones((2, 3, 2, 2), x.dtype)),
    "locally_connected2d": lambda x: ops.locally_connected2d(
        x, np.ones((1, 1, 3, 2, 2, 2), x.dtype)
    ),
    "linear": lambda x: ops.linear(x.reshape(2, 4), np.ones((3, 4), x.dtype), np.ones(3, x.dtype)),
    "batch_norm": lambda x: ops.batch_norm(
        x, np.ones(2), np.zeros(2), *ops.batch_statistics(x.astype(float))
    )[0],
    "batch_statistics": lambda x: ops.batch_statistics(x)[1],
    "global_avg_pool2d": ops.global_avg_pool2d,
    "Normalize": lambda x: nn.Normalize((1, 2), (3, 4))(x),
    "local_response_norm": lambda x: ops.local_response_norm(x, alpha=1.0)[0],
    "adaptive_avg_pool2d": lambda x: ops.adaptive_avg_pool2d(x, (1, 3)),
    "adaptive_max_pool2d": lambda x: ops.adaptive_max_pool2d(x, (1, 3))[0],
    "pad2d": lambda x: ops.pad2d(x, 1, value=0.5),
    "reduce_mean": lambda x: ops.reduce_mean(x, (1, 2)),
    "reduce_sum": lambda x: ops.reduce_sum(x, (1, 2)),
    "reduce_max": lambda x: ops.reduce_max(x, (1, 2))[0],
    "Resize": lambda x: nn.Resize(1.5, mode="cubic")(x),
    "avg_pool2d": lambda x: ops.avg_pool2d(x, WHOLE),
    "lp_pool2d": lambda x: ops.lp_pool2d(x, WHOLE, 2),
    "max_pool2d": lambda x: ops.max_pool2d(x, WHOLE)[0],
    "softmax_cross_entropy": lambda x: ops.softmax_cross_entropy(x.reshape(2, 4), LABELS)[0],
    "multiclass_hinge": lambda x: ops.multiclass_hinge(x.reshape(2, 4), LABELS, 0.5)[0],
    "mean_squared_error": lambda x: ops.mean_squared_error(x, x[..., ::-1]),
    "mean_squared_error_backward": lambda x: ops.mean_squared_error_backward(x, x[..., ::-1]),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_integers_give_what_the_same_floats_give(op, dtype):
    x = IMAGES.astype(dtype)
    np.testing.assert_allclose(op(x), op(IMAGES.astype(np.float64)), rtol=1e-12)


def test_an_average_of_more_cells_than_a_byte_can_count():
    x = np.full((1, 1, 16, 16), 200, np.uint8)
    assert ops.avg_pool2d(x, ops.pool2d_windows((1, 16, 16), 16)).item() == 200


def test_what_is_below_zero_leaks_through_though_the_slope_is_no_integer():
    assert ops.leaky_relu(np.array([-100, 2])).tolist() == [-1, 2]
