"""What every op and layer refuses in words: mixed dtypes, other shapes, no numbers at all."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import engine, nn, ops, optim
from pellucid.engine.cpu.losses import FusedLoss
from pellucid.errors import ArgumentError, DataError, ShapeError

SHAPE = (2, 3, 6, 6)
WINDOWS = ops.pool2d_windows(SHAPE[1:], 2)


def _drawn(*shape, dtype=np.float32):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def _weighted(op, x, w, b):
    return lambda dtype: op(_drawn(*x), _drawn(*w, dtype=dtype), _drawn(*b))


def _biased(op, x, w, b):
    return lambda dtype: op(_drawn(*x), _drawn(*w), _drawn(*b, dtype=dtype))


WITH_WEIGHTS = {
    ops.conv2d: (SHAPE, (4, 3, 3, 3), (4,)),
    ops.conv_transpose2d: (SHAPE, (3, 4, 3, 3), (4,)),
    ops.locally_connected2d: (SHAPE, (4, 4, 2, 3, 3, 3), (2, 4, 4)),
    ops.linear: ((2, 3), (4, 3), (4,)),
    lambda x, w, b: ops.batch_norm(x, w, b, np.zeros(3), np.ones(3)): (SHAPE, (3,), (3,)),
}
MIXED = [make(op, *sizes) for op, sizes in WITH_WEIGHTS.items() for make in (_weighted, _biased)]


@pytest.mark.parametrize("call", MIXED)
def test_an_op_gives_the_dtype_of_its_input_or_refuses(call):
    for dtype in (np.float64, np.int64):
        with pytest.raises(
            ArgumentError, match=r"expects \w+ of float32, as the input is, received"
        ):
            call(dtype)
    with pytest.raises(ArgumentError, match=r"expects real numbers, received \w+ of complex128"):
        call(np.complex128)
    y = call(np.float16)
    assert (y[0] if isinstance(y, tuple) else y).dtype == np.float32


@pytest.mark.parametrize("call", MIXED)
def test_bytes_in_the_other_order_are_the_same_numbers(call):
    native, swapped = (call(np.dtype(np.float32).newbyteorder(order)) for order in "=S")
    first = native[0] if isinstance(native, tuple) else native
    np.testing.assert_array_equal(first, swapped[0] if isinstance(swapped, tuple) else swapped)


LAYERS = {
    "conv": lambda: nn.Conv2d(3, 4, 3),
    "transposed": lambda: nn.ConvTranspose2d(3, 4, 3),
    "local": lambda: nn.LocallyConnected2d(3, 2, 6, 3),
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(108, 4)),
    "batch norm": lambda: nn.BatchNorm2d(3),
    "response": lambda: nn.LocalResponseNorm(3),
    "normalize": lambda: nn.Normalize((0, 1, 2), (1, 2, 3)),
    "relu": nn.ReLU,
    "leaky": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softmax": nn.Softmax,
    "dropout": nn.Dropout,
    "dropout, evaluated": lambda: nn.Dropout().eval(),
    "max": lambda: nn.MaxPool2d(2),
    "avg": lambda: nn.AvgPool2d(2),
    "lp": lambda: nn.LpPool2d(2, 2),
    "global avg": nn.GlobalAvgPool2d,
    "global max": nn.GlobalMaxPool2d,
    "global lp": nn.GlobalLpPool2d,
    "flatten": nn.Flatten,
    "adaptive avg": lambda: nn.AdaptiveAvgPool2d((4, 2)),
    "adaptive max": lambda: nn.AdaptiveMaxPool2d((4, 2)),
    "pad": lambda: nn.Pad2d(1),
    "reflect": lambda: nn.Pad2d(1, "reflect"),
    "shuffle": lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.PixelShuffle(2)),
    "unshuffle": lambda: nn.PixelUnshuffle(2),
    "reshape": lambda: nn.Reshape(6, -1),
    "permute": lambda: nn.Permute(0, 2, 1, 3),
    "slice": lambda: nn.Slice(1, 1),
    "mean": lambda: nn.Mean((2, 3)),
    "sum": lambda: nn.Sum((2, 3)),
    "maximum": lambda: nn.Max((2, 3)),
    "minimum": lambda: nn.Min((2, 3)),
    "resize": lambda: nn.Resize(1.5, mode="cubic"),
    "upsample": lambda: nn.Upsample(scale_factor=2),
    "shortcut": lambda: nn.ZeroPadShortcut(3, 4, 2),
    "residual": lambda: nn.Residual(nn.ReLU()),
    "branches": lambda: nn.Branches(nn.Conv2d(3, 2, 1), nn.ReLU()),
}
every_layer = pytest.mark.parametrize("kind", LAYERS)


@every_layer
@pytest.mark.parametrize("dtype", [np.complex64, object, "U1"])
def test_a_layer_takes_real_numbers_only(kind, dtype):
    with pytest.raises(ArgumentError, match="expects real numbers, received input of"):
        LAYERS[kind]()(np.zeros(SHAPE, dtype))


@every_layer
def test_a_layer_takes_arrays_only(kind):
    for x in ([[1.0]], None):
        with pytest.raises(ArgumentError, match="expects input as a NumPy array, received"):
            LAYERS[kind]()(x)


@every_layer
def test_a_gradient_that_numpy_would_broadcast_is_refused(kind):
    layer = LAYERS[kind]()
    y = layer(_drawn(*SHAPE))
    for shape in (y.shape[1:], (1, *y.shape[1:]), (*y.shape[:-1], 1), (), (*y.shape, 1)):
        if shape != y.shape:
            with pytest.raises(ShapeError, match=r"expects .*gradient of shape .* received "):
                layer.backward(np.ones(shape, np.float32))
    for bad in (y.tolist(), None):
        with pytest.raises(ArgumentError, match="as a NumPy array, received"):
            layer.backward(bad)
    assert layer.backward(np.ones_like(y)).shape == SHAPE


@every_layer
def test_a_complex_gradient_is_refused(kind):
    layer = LAYERS[kind]()
    y = layer(_drawn(*SHAPE))
    with pytest.raises(ArgumentError, match="expects real numbers, received dy of complex128"):
        layer.backward(np.ones(y.shape, complex))


@pytest.mark.parametrize(
    "kind", ["conv", "transposed", "local", "linear", "batch norm", "response", "normalize", "relu",
             "leaky", "sigmoid", "tanh", "softmax", "dropout", "dropout, evaluated", "lp"],
)  # fmt: skip
def test_a_gradient_of_more_digits_than_the_input_is_refused(kind):
    layer = LAYERS[kind]()
    y = layer(_drawn(*SHAPE))
    with pytest.raises(ArgumentError, match="expects dy of float32, as the input is, received flo"):
        layer.backward(np.ones(y.shape))
    assert layer.backward(np.ones(y.shape, np.float16)).dtype == np.float32


@every_layer
def test_no_images_make_no_outputs_and_no_gradients(kind):
    layer = LAYERS[kind]().eval()
    y = layer(np.zeros((0, 3, 6, 6), np.float32))
    assert y.shape == (0, *layer.output_shape((3, 6, 6)))
    assert layer.backward(y).shape == (0, 3, 6, 6)
    assert not any(p.grad.any() for p in layer.parameters().values())


# No classes, no such axis.


@pytest.mark.parametrize("op", [ops.softmax, ops.log_softmax])
def test_a_softmax_over_no_classes_is_refused(op):
    message = r"softmax\w*: needs at least one number along axis 1, received shape \(4, 0\)"
    with pytest.raises(ShapeError, match=message):
        op(np.zeros((4, 0)))
    with pytest.raises(ShapeError, match=message):
        ops.softmax_backward(np.zeros((4, 0)), np.zeros((4, 0)))
    assert op(np.zeros((0, 4))).shape == (0, 4)


@pytest.mark.parametrize("axis", [2, -3, 1.0, None])
def test_a_softmax_along_no_axis_is_refused(axis):
    for op in (ops.softmax, ops.log_softmax):
        with pytest.raises(
            ArgumentError, match=r"^axis: must be an axis of the input, -2 to 1 for"
        ):
            op(np.zeros((4, 3)), axis)


@pytest.mark.parametrize("top", [-np.inf, np.inf, np.nan])
def test_a_softmax_without_a_quotient_is_nan(top):
    x = np.array([[top, top], [0.0, 0.0]])
    for op in (ops.softmax, ops.log_softmax):
        assert np.isnan(op(x)).tolist() == [[True, True], [False, False]]


LOSSES = [nn.SoftmaxCrossEntropy, nn.MulticlassHinge, nn.MeanSquaredError]


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kind", LOSSES)
def test_losses_refuse_what_is_no_score_and_no_label(kind, fused):
    loss, scores, labels = kind(), _drawn(4, 3), np.array([0, 1, 2, 0])
    loss = FusedLoss(loss) if fused else loss
    with pytest.raises(ShapeError, match="at least one number along axis 1, received shape"):
        loss(np.zeros((4, 0), np.float32), labels)
    with pytest.raises(DataError, match="an empty batch has no mean loss"):
        loss(np.zeros((0, 3), np.float32), labels[:0])
    for bad in (labels.tolist(), None):
        with pytest.raises(ArgumentError, match="expects labels as a NumPy array"):
            loss(scores, bad)
    with pytest.raises(ArgumentError, match="expects real numbers, received scores of complex64"):
        loss(scores.astype(np.complex64), labels)
    with pytest.raises(ArgumentError, match="expects real numbers, received labels of complex128"):
        loss(scores, np.eye(3)[labels] + 0j)


@pytest.mark.parametrize("kind", LOSSES)
def test_the_gradient_of_a_loss_has_the_dtype_of_the_scores(kind):
    loss = kind()
    loss(_drawn(4, 3), np.eye(3)[[0, 1, 2, 0]])
    assert loss.backward().dtype == np.float32


# Images, windows and filters without a cell.


def test_images_without_a_cell_have_no_mean_and_no_maximum():
    for op in (ops.global_avg_pool2d, ops.global_max_pool2d):
        for shape in ((2, 3, 0, 4), (2, 3, 4, 0)):
            with pytest.raises(ShapeError, match="at least one row and one column, received shape"):
                op(np.zeros(shape))


def test_convolutions_need_a_filter_and_may_do_without_channels():
    with pytest.raises(ShapeError, match=r"expects at least one filter, received \(0, 3, 3, 3\)"):
        ops.conv2d(_drawn(*SHAPE), _drawn(0, 3, 3, 3))
    x, w = _drawn(2, 0, 6, 6), _drawn(4, 0, 3, 3)
    y = ops.conv2d(x, w, _drawn(4))
    assert y.shape == (2, 4, 4, 4)
    dx, dw, _ = ops.conv2d_backward(y, x, w)
    assert (dx.shape, dw.shape) == (x.shape, w.shape)


def test_windows_of_other_images_are_refused():
    x = _drawn(2, 3, 8, 6)
    for op in (ops.max_pool2d, ops.avg_pool2d, ops.lp_pool2d):
        with pytest.raises(ShapeError, match="was given windows for images of 6x6"):
            op(x, WINDOWS)


@pytest.mark.parametrize("arg_max", [np.full((2, 3, 3, 3), 4), np.full((2, 3, 3, 3), 0.0)])
def test_places_that_are_none_are_refused(arg_max):
    with pytest.raises(ArgumentError, match=r"^arg_max: must be indices into the window, intege"):
        ops.max_pool2d_backward(_drawn(2, 3, 3, 3), arg_max, WINDOWS)


def test_the_largest_of_booleans_is_whether_any_is_true():
    x = np.zeros((1, 1, 3, 3), np.bool_)
    x[0, 0, 0, 0] = True
    y, arg_max = ops.max_pool2d(x, ops.pool2d_windows((1, 3, 3), 2, 2, 1))
    assert y[0, 0].tolist() == [[True, False], [False, False]]
    assert arg_max[0, 0, 0, 0] == 3


def test_integers_have_a_gradient_of_their_norm():
    x = np.array([[[[3, 4]]]])
    pool = nn.LpPool2d(2, (1, 2))
    assert pool(x).item() == 5
    assert pool.backward(np.ones((1, 1, 1, 1))).ravel().tolist() == [0.6, 0.8]


# Arguments.


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "1", 1j, [1]])
@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("eps", lambda v: nn.BatchNorm2d(3, eps=v)),
        ("momentum", lambda v: nn.BatchNorm2d(3, momentum=v)),
        ("alpha", lambda v: nn.LocalResponseNorm(3, alpha=v)),
        ("beta", lambda v: nn.LocalResponseNorm(3, beta=v)),
        ("k", lambda v: nn.LocalResponseNorm(3, k=v)),
        ("negative_slope", nn.LeakyReLU),
        ("margin", nn.MulticlassHinge),
        ("norm_type", lambda v: nn.LpPool2d(v, 2)),
        ("p", nn.Dropout),
        ("Normalize", lambda v: nn.Normalize([v], [v])),
        ("Normalize", lambda v: nn.Normalize(v, v)),
    ],
)  # fmt: skip
def test_a_number_that_is_none_is_refused_at_construction(name, build, value):
    if name == "Normalize" and value == [1]:
        value = [[1]]
    with pytest.raises(ArgumentError, match=f"^{name}: (must be|expects) a (finite|probability)"):
        build(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, None, 1j, [1]])
def test_a_deviation_of_weights_that_is_none_is_refused(value):
    with pytest.raises(ArgumentError, match=r"^weight_init: must be 'he', 'xavier', a standard d"):
        nn.Linear(2, 3, weight_init=value)


@pytest.mark.parametrize(("eps", "momentum"), [(-1e-5, 0.1), (1e-5, -0.1), (1e-5, 1.5)])
def test_batch_norm_needs_numbers_that_mean_something(eps, momentum):
    with pytest.raises(
        ArgumentError, match=r"^(eps|momentum): must be a finite number (of at|from)"
    ):
        nn.BatchNorm2d(3, eps, momentum)


@pytest.mark.parametrize("dtype", [complex, np.int64, bool])
def test_a_model_is_not_turned_into_other_than_floats(dtype):
    layer = nn.Linear(2, 3)
    with pytest.raises(ArgumentError, match=r"^dtype: must be a floating-point type as np.float32"):
        layer.astype(dtype)
    assert layer.weight.data.dtype == np.float32


@pytest.mark.parametrize("update", [lambda o, p: o.step(p), engine.update])
@pytest.mark.parametrize("bad", [np.ones(3) + 1j, np.ones(3, object), [1, 1, 1]])
def test_an_optimizer_takes_gradients_of_real_numbers(update, bad):
    p = nn.Parameter(np.ones(3, np.float32))
    p.grad = bad
    for name in ("sgd", "adam"):
        with pytest.raises(ArgumentError, match=r"expects .*the gradient of 'w' (of|as)"):
            update(optim.by_name(name), {"w": p})
    assert p.data.tolist() == [1, 1, 1]
