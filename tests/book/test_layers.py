"""`common.layers` against the oracle: outputs, gradients, attributes, and the book's defects."""

from __future__ import annotations

import numpy as np
import pytest

from book.oracle import layers as oracle
from ops.witness import relative_error
from pellucid.book.common import layers
from pellucid.book.common.gradient import numerical_gradient
from pellucid.book.settings import settings
from pellucid.errors import ShapeError

SINGLE = 1e-5
RNG = np.random.default_rng(0)
FILTERS = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)


def drawn(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


def as_view(x):
    """Return images (N, C, H, W) that lie in memory as (N, H, W, C), as our layers give them."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def assert_alike(ours, theirs, x, within=SINGLE):
    """Compare a forward and a backward; both ways of laying images out."""
    y, expected = ours.forward(x), theirs.forward(x)
    assert y.shape == expected.shape
    assert relative_error(y, expected) < within
    for lay in (np.array, as_view) if y.ndim == 4 else (np.array,):
        dy = lay(drawn(*y.shape))
        dx, expected_dx = ours.backward(dy.copy(order="K")), theirs.backward(np.array(dy))
        assert dx.shape == x.shape
        assert relative_error(dx, expected_dx) < within
        for name in ("dW", "db", "dgamma", "dbeta"):
            if hasattr(theirs, name):
                assert relative_error(getattr(ours, name), getattr(theirs, name)) < within, name


CONVOLUTIONS = [
    # images, filters, stride, pad; Winograd's way is gone in test_networks.py
    ((20, 1, 28, 28), (6, 1, 5, 5), 1, 0),
    ((3, 3, 9, 8), (4, 3, 3, 3), 1, 1),
    ((4, 5, 9, 9), (3, 5, 3, 3), 2, 1),
    ((1, 1, 4, 4), (1, 1, 4, 4), 1, 0),
]


@pytest.mark.parametrize(("shape", "filters", "stride", "pad"), CONVOLUTIONS)
@pytest.mark.parametrize("lay", [np.array, as_view], ids=["channels first", "channels last"])
def test_a_convolution_is_the_oracles(shape, filters, stride, pad, lay):
    w, b = drawn(*filters, dtype=np.float64), drawn(filters[0], dtype=np.float64)
    arguments = (w, b, stride, pad)
    assert_alike(layers.Convolution(*arguments), oracle.Convolution(*arguments), lay(drawn(*shape)))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint8])
def test_images_of_other_types_are_convolved_too(dtype):
    x = (RNG.random((6, 1, 28, 28)) * 100).astype(dtype)
    w = drawn(6, 1, 5, 5, dtype=np.float64)
    y = layers.Convolution(w, 0.5).forward(x)
    assert relative_error(y, oracle.Convolution(w, 0.5).forward(x)) < SINGLE


def test_filters_in_fortran_order_or_float16_are_taken():
    w, x = drawn(4, 3, 3, 3, dtype=np.float64), drawn(5, 3, 9, 9)
    expected = oracle.Convolution(w, 0).forward(x)
    assert relative_error(layers.Convolution(np.asfortranarray(w), 0).forward(x), expected) < SINGLE
    y = layers.Convolution(w.astype(np.float16), 0).forward(x)
    assert relative_error(y, expected) < 1e-2


def test_what_a_convolution_remembers_is_there_when_it_is_read():
    w, x = drawn(4, 3, 3, 3, dtype=np.float64), drawn(5, 3, 9, 9)
    ours, theirs = layers.Convolution(w, 0, 2, 1), oracle.Convolution(w, 0, 2, 1)
    assert ours.x is ours.col is ours.col_W is ours.dW is ours.db is None
    for images in (x, x[:2]):
        ours.forward(images)
        theirs.forward(images)
        assert ours.x is images
        np.testing.assert_array_equal(ours.col, theirs.col)
        np.testing.assert_array_equal(ours.col_W, theirs.col_W)
    ours.col = "mine"
    assert ours.col == "mine"


@pytest.mark.parametrize("size", [(2, 2, 2), (2, 2, 1), (3, 2, 2), (3, 3, 1), (2, 2, 3)])
@pytest.mark.parametrize("lay", [np.array, as_view], ids=["channels first", "channels last"])
def test_pooling_is_the_oracles(size, lay):
    x = lay(drawn(3, 5, 9, 8))
    ours, theirs = layers.Pooling(*size), oracle.Pooling(*size)
    assert_alike(ours, theirs, x, within=1e-6)
    assert ours.x is x
    np.testing.assert_array_equal(ours.arg_max, theirs.arg_max)


def test_windows_of_more_cells_than_a_byte_counts_are_pooled_too():
    assert_alike(layers.Pooling(17, 17, 1), oracle.Pooling(17, 17, 1), drawn(2, 2, 18, 19))


def test_the_book_forgets_the_padding_of_a_pooling_and_we_say_so():
    with pytest.raises(
        ShapeError, match=r"forgets the padding.*pad=1.*Run the script with --strict"
    ):
        layers.Pooling(2, 2, 2, pad=1).forward(drawn(1, 1, 6, 6))
    with pytest.raises(ValueError):
        oracle.Pooling(2, 2, 2, pad=1).forward(drawn(1, 1, 6, 6))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_padding_that_changes_no_size_is_zeros_as_in_the_book(dtype):
    x = -np.abs(drawn(2, 3, 2, 2, dtype=dtype))
    ours, theirs = layers.Pooling(2, 2, 3, pad=1), oracle.Pooling(2, 2, 3, pad=1)
    np.testing.assert_allclose(ours.forward(x), theirs.forward(x))
    dy = drawn(2, 3, 1, 1)
    np.testing.assert_allclose(ours.backward(dy), theirs.backward(dy), rtol=1e-6)
    assert ours.forward(x).max() == 0


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_strict_pooling_counts_its_padding_and_lets_it_never_win(torch, dtype):
    x = -np.abs(drawn(2, 3, 6, 6, dtype=dtype))
    expected = torch.nn.functional.max_pool2d(torch.from_numpy(x), 2, 2, padding=1).numpy()
    pool = layers.Pooling(2, 2, 2, pad=1)
    np.testing.assert_allclose(pool.forward(x), expected)
    assert pool.backward(np.ones_like(expected)).sum() == expected.size


@pytest.mark.parametrize("shape", [(6, 7), (300, 100), (4, 3, 5, 5), (40, 8, 12, 12)])
def test_relu_is_the_oracles(shape):
    x = drawn(*shape)
    assert_alike(layers.Relu(), oracle.Relu(), x, within=0 + 1e-12)
    relu = layers.Relu()
    relu.forward(x)
    np.testing.assert_array_equal(relu.mask, x <= 0)


def test_relu_lets_a_nan_through_and_does_not_change_its_input():
    x = drawn(200, 100)
    x[3, 4] = np.nan
    before = x.copy()
    y = layers.Relu().forward(x)
    assert np.isnan(y[3, 4])
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(6, 7), (300, 100), (40, 8, 12, 12)])
def test_relu_overwrites_its_callers_gradient_as_the_book_does_unless_strict(shape, dtype):
    relu, dy = layers.Relu(), np.ones(shape, dtype)
    relu.forward(as_view(drawn(*shape)) if len(shape) == 4 else drawn(*shape))
    assert relu.backward(dy) is dy
    np.testing.assert_array_equal(dy, ~relu.mask)
    settings.strict = True
    dy = np.ones(shape, dtype)
    np.testing.assert_array_equal(relu.backward(dy), ~relu.mask)
    assert (dy == 1).all()


@pytest.mark.parametrize("shape", [(6, 7), (300, 100), (40, 8, 12, 12)])
def test_sigmoid_is_the_oracles(shape):
    assert_alike(layers.Sigmoid(), oracle.Sigmoid(), drawn(*shape))


@pytest.mark.parametrize(
    ("shape", "out"),
    [
        ((6, 7), 4),
        ((1, 300), 10),
        ((100, 784), 50),
        ((30, 4, 6, 6), 33),
        ((3, 5000), 1),
        ((2, 3), 17),
    ],
)
def test_affine_is_the_oracles(shape, out):
    w, b = drawn(int(np.prod(shape[1:])), out, dtype=np.float64), drawn(out, dtype=np.float64)
    ours, theirs = layers.Affine(w, b), oracle.Affine(w, b)
    assert_alike(ours, theirs, drawn(*shape))
    assert ours.original_x_shape == shape
    np.testing.assert_array_equal(ours.x, theirs.x)
    if len(shape) == 4:
        assert_alike(ours, theirs, as_view(drawn(*shape)))


@pytest.mark.parametrize("change", ["nothing", "read", "set", "set to float64"])
def test_affine_goes_back_through_the_input_that_a_script_sees(change):
    w, b, x, dy = drawn(48, 5), drawn(5), as_view(drawn(60, 3, 4, 4)), drawn(60, 5)
    other = drawn(60, 48)
    ours, theirs = layers.Affine(w, b), oracle.Affine(w, b)
    for layer in (ours, theirs):
        layer.forward(x)
        if change == "read":
            assert layer.x.shape == (60, 48)
        elif change != "nothing":
            layer.x = other.astype(np.float32 if change == "set" else np.float64)
    assert relative_error(ours.backward(dy), theirs.backward(dy)) < SINGLE
    assert relative_error(ours.dW, theirs.dW) < SINGLE
    np.testing.assert_array_equal(ours.x, theirs.x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (1,), (1, 5), (60, 1), (60, 5)])
def test_a_bias_is_added_as_numpy_adds_it(shape, dtype):
    w, b, x = drawn(20, 5), drawn(*shape), drawn(60, 20).astype(dtype)
    assert relative_error(layers.Affine(w, b).forward(x), x @ w + b) < SINGLE


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("layer", "shape", "wrong"),
    [
        (lambda: layers.Affine(drawn(48, 50), drawn(50)), (60, 48), [(60, 10), (60, 90), (9, 50)]),
        (lambda: layers.Affine(drawn(48, 50), drawn(50)), (60, 48), [(60000, 50), (50,)]),
        (lambda: layers.Convolution(drawn(4, 3, 3, 3), drawn(4)), (20, 3, 8, 8),
         [(20, 4, 5, 6), (20, 3, 6, 6), (2, 4, 6, 6), (2000, 4, 6, 6), (20, 144)]),
        (lambda: layers.Pooling(2, 2), (20, 3, 8, 8),
         [(20, 3, 3, 4), (20, 2, 4, 4), (2000, 3, 4, 4)]),
        (lambda: layers.Pooling(3, 3), (20, 3, 8, 8), [(20, 3, 3, 4), (2000, 3, 3, 3)]),
        (lambda: layers.Relu(), (20, 3, 8, 8), [(20, 3, 8, 7), (2000, 3, 8, 8), (20, 192)]),
    ],
)  # fmt: skip
def test_a_gradient_of_another_shape_is_refused(layer, shape, wrong, dtype):
    one = layer()
    one.forward(drawn(*shape).astype(dtype))
    for other in wrong:
        with pytest.raises(ShapeError, match=r"expects a gradient of shape .* received \("):
            one.backward(drawn(*other).astype(dtype))


def test_affine_refuses_an_input_that_does_not_fit_its_weights_any_more():
    affine = layers.Affine(drawn(48, 5), drawn(5))
    affine.forward(drawn(60, 48))
    affine.W = drawn(4800, 5)
    with pytest.raises(ShapeError, match=r"expects an input of shape \(N, in\) = \(60, 4800\)"):
        affine.backward(drawn(60, 5))


def test_a_convolution_goes_back_through_the_images_that_a_script_sets():
    ours, theirs = (module.Convolution(FILTERS, np.zeros(4)) for module in (layers, oracle))
    x, dy = drawn(20, 3, 8, 8), drawn(20, 4, 6, 6)
    theirs.forward(x)
    ours.forward(drawn(20, 3, 8, 8))
    ours.x = x
    assert relative_error(ours.backward(dy), theirs.backward(dy)) < SINGLE
    assert relative_error(ours.dW, theirs.dW) < SINGLE


def test_affine_says_which_rows_it_expects():
    affine = layers.Affine(np.zeros((10, 3)), np.zeros(3))
    with pytest.raises(
        ShapeError, match=r"expects rows of 10 .* received \(2, 3, 4\), which makes 12"
    ):
        affine.forward(np.zeros((2, 3, 4), np.float32))


LABELS = np.array([0, 4, 2, 2, 1, 3])


@pytest.mark.parametrize("t", [LABELS, np.eye(5)[LABELS]], ids=["labels", "rows"])
def test_softmax_with_loss_is_the_oracles(t):
    ours, theirs, x = layers.SoftmaxWithLoss(), oracle.SoftmaxWithLoss(), drawn(6, 5)
    assert ours.forward(x, t) == pytest.approx(theirs.forward(x, t), rel=1e-6)
    np.testing.assert_allclose(ours.backward(), theirs.backward(), rtol=1e-5)
    np.testing.assert_allclose(ours.y, theirs.y, rtol=1e-6)
    assert ours.t is t
    assert ours.loss == pytest.approx(theirs.loss)


def test_labels_in_a_column_serve_a_batch_of_one():
    ours, theirs, x = layers.SoftmaxWithLoss(), oracle.SoftmaxWithLoss(), drawn(1, 5)
    t = np.array([[2]])
    assert ours.forward(x, t) == pytest.approx(theirs.forward(x, t))
    np.testing.assert_allclose(ours.backward(), theirs.backward(), rtol=1e-5)


def test_one_row_of_scores_has_a_gradient_that_is_too_small_unless_strict():
    # The book's loss adds 1e-7 within its logarithm, and its gradient does not; so no rare class.
    last, x, t = layers.SoftmaxWithLoss(), np.array([0.5, -1.0, 0.25, 1.0, -0.5]), np.eye(5)[2]
    expected = numerical_gradient(lambda z: last.forward(z, t), x)
    last.forward(x, t)
    np.testing.assert_allclose(last.backward() * 5, expected, atol=1e-5)
    settings.strict = True
    np.testing.assert_allclose(last.backward(), expected, atol=1e-5)
    np.testing.assert_allclose(last.backward(2), 2 * expected, atol=1e-5)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("t", [LABELS, LABELS[:, np.newaxis], np.eye(5)[LABELS]])
def test_a_strict_softmax_has_the_same_gradient_for_every_form_of_labels(t):
    last, x = layers.SoftmaxWithLoss(), drawn(6, 5)
    last.forward(x, LABELS)
    expected = (oracle.softmax(x.astype(float)) - np.eye(5)[LABELS]) / 6
    last.t = t
    np.testing.assert_allclose(last.backward(), expected)


def test_dropout_draws_as_the_oracle_does():
    x, dy = drawn(30, 4, 5, 5), drawn(30, 4, 5, 5)
    results = []
    for kind in (layers.Dropout, oracle.Dropout):
        np.random.seed(3)  # noqa: NPY002
        dropout = kind(0.3)
        results.append(
            (dropout.forward(as_view(x)), dropout.backward(dy), dropout.forward(x, False))
        )
    for ours, theirs in zip(*results, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("shape", [(30, 200), (10, 3, 4, 5), (50, 3, 10, 10)])
def test_batch_normalization_is_the_oracles(shape):
    columns = int(np.prod(shape[1:]))
    gamma, beta = drawn(columns, dtype=np.float64), drawn(columns, dtype=np.float64)
    ours, theirs = layers.BatchNormalization(gamma, beta), oracle.BatchNormalization(gamma, beta)
    assert_alike(ours, theirs, drawn(*shape), within=2e-5)
    x = drawn(*shape)
    assert relative_error(ours.forward(x, False), theirs.forward(x, False)) < 1e-5
    for name in ("running_mean", "running_var", "std", "xn"):
        assert relative_error(getattr(ours, name), getattr(theirs, name)) < 1e-5, name
    assert ours.batch_size == len(x)


@pytest.mark.usefixtures("strict")
def test_a_strict_batch_normalization_goes_channel_by_channel(torch):
    x, gamma, beta = drawn(8, 3, 5, 4), drawn(3, dtype=np.float64), drawn(3, dtype=np.float64)
    norm = layers.BatchNormalization(gamma, beta)
    z = torch.from_numpy(x).requires_grad_()
    w, b = (torch.from_numpy(a.astype(np.float32)).requires_grad_() for a in (gamma, beta))
    y = torch.nn.functional.batch_norm(z, None, None, w, b, training=True, eps=1e-6)
    dy = drawn(8, 3, 5, 4)
    y.backward(torch.from_numpy(dy))
    assert relative_error(norm.forward(x), y.detach().numpy()) < 1e-5
    assert relative_error(norm.backward(dy), z.grad.numpy()) < 1e-5
    assert relative_error(norm.dgamma, w.grad.numpy()) < 1e-5
    assert relative_error(norm.dbeta, b.grad.numpy()) < 1e-5
