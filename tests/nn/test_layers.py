"""Every layer: its gradients, PyTorch's layer of the same name, and what all layers promise."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn.cases import CASES, Case, every_case
from ops.strategies import Convolution, Pooling, convolutions, poolings
from ops.witness import DTYPES, NUMERICAL, assert_agrees, tensor, worst_seen
from pellucid import nn
from pellucid.errors import ArgumentError, ShapeError
from pellucid.nn import Layer, gradcheck
from pellucid.receptive import ReceptiveField

WITH_TWIN = [case for case in CASES if case.twin is not None]


def test_no_layer_is_left_out():
    classes = {name: getattr(nn, name) for name in nn.__all__ if inspect.isclass(getattr(nn, name))}
    layers = {name: kind for name, kind in classes.items() if issubclass(kind, Layer)}
    # Layers for inference have no gradients: tests/nn/test_quantized.py.
    public = {name for name, kind in layers.items() if not kind.inference_only}
    assert {case.id.split()[0] for case in CASES} == public - {"Layer"}


@every_case
def test_images_whose_bytes_are_in_the_other_order_are_the_same_images(case: Case):
    x, dy = case.arrays(np.float32)
    layer, swapped = case.layer().astype(np.float32), case.layer().astype(np.float32)
    y, dx = layer(x), layer.backward(dy.astype(np.float32))
    other = x.dtype.newbyteorder()
    np.testing.assert_array_equal(swapped(x.astype(other)), y)
    np.testing.assert_array_equal(swapped.backward(dy.astype(other)), dx)


# Gradients.


@every_case
def test_backward_equals_numerical_gradients(case: Case):
    x, _ = case.arrays()
    report = gradcheck(case.layer(), x, samples=60)
    for row in report.rows:
        assert row.checked > 0, row
        assert row.skipped <= row.checked, row
    what = f"gradcheck {case.id.split()[0]}"
    worst_seen[what, "float64"] = max(report.worst, worst_seen.get((what, "float64"), 0.0))
    assert report.worst < NUMERICAL, f"\n{report}"


# PyTorch.


def _twin(torch, case: Case, layer: Layer, dtype: str):
    twin = case.twin(torch).to(getattr(torch, dtype)).train(case.training)
    state = {k: torch.from_numpy(np.array(v)) for k, v in layer.state_dict().items()}
    twin.load_state_dict(state)  # strict: PyTorch itself compares keys and shapes
    return twin


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", WITH_TWIN, ids=lambda case: case.id)
def test_forward_and_backward_equal_torch(case: Case, dtype, torch):
    layer = case.layer().astype(dtype)
    twin = _twin(torch, case, layer, dtype)
    x, dy = case.arrays(dtype)
    tx = tensor(torch, x)
    ty = twin(tx)
    ty.backward(tensor(torch, dy, grad=False))
    y = layer(x)
    dx = layer.backward(dy)
    pairs = {"y": (y, ty), "dx": (dx, tx.grad)}
    gradients = {k: p.grad for k, p in twin.named_parameters()}
    assert list(layer.parameters()) == list(gradients)
    pairs |= {k: (p.grad, gradients[k]) for k, p in layer.parameters().items()}
    for name, (ours, theirs) in pairs.items():
        assert ours.dtype == dtype, name
        assert_agrees(ours, theirs.detach().numpy(), what=f"{case.id.split()[0]} {name}")
    theirs = {k: v.numpy() for k, v in twin.state_dict().items()}
    ours = layer.state_dict()
    assert [(k, v.shape, v.dtype) for k, v in ours.items()] == [
        (k, v.shape, v.dtype) for k, v in theirs.items()
    ]
    for key, value in theirs.items():
        assert_agrees(ours[key].astype(dtype), value.astype(dtype), what=f"{case.id} {key}")


# What all layers promise.


@every_case
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_in_is_dtype_out_and_inputs_and_gradients_are_never_written_to(case: Case, dtype):
    layer = case.layer().astype(dtype)
    x, dy = case.arrays(dtype)  # read-only: whoever writes raises
    y = layer(x)
    y.setflags(write=False)
    dx = layer.backward(dy)
    assert y.dtype == dx.dtype == dtype
    assert dx.shape == x.shape
    for name, parameter in layer.parameters().items():
        assert parameter.grad.dtype == dtype, name
        assert parameter.grad.shape == parameter.data.shape, name


@every_case
def test_backward_before_forward_teaches(case: Case):
    _, dy = case.arrays()
    with pytest.raises(ArgumentError, match=r"\w+.*: backward needs a forward first\.$"):
        case.layer().backward(dy)


def test_the_layer_that_saw_no_forward_is_named():
    model = nn.Sequential(relu=nn.ReLU())
    with pytest.raises(ArgumentError, match=r"^ReLU 'relu': backward needs a forward first\.$"):
        model.backward(np.zeros((1, 2)))


@every_case
def test_output_shape_is_the_shape_of_a_real_forward(case: Case):
    x, _ = case.arrays()
    layer = case.layer()
    assert layer(x).shape[1:] == layer.output_shape(case.shape)
    assert layer.activation_size(case.shape) >= np.prod(layer.output_shape(case.shape))


@given(case=convolutions())
def test_a_convolution_of_any_shape_says_the_shape_and_cost_of_its_output(case: Convolution):
    x, w, _, dy = case.arrays()
    layer = nn.Conv2d(x.shape[1], w.shape[0], w.shape[2:], **case.options)
    assert layer(x).shape[1:] == layer.output_shape(x.shape[1:]) == dy.shape[1:]
    windows = dy.shape[2] * dy.shape[3]
    assert layer.multiply_adds(x.shape[1:]) == windows * w.size
    assert layer.parameter_count() == w.size + w.shape[0]


@given(case=poolings(), kind=st.sampled_from(["MaxPool2d", "AvgPool2d", "LpPool2d"]))
def test_a_pooling_of_any_shape_says_the_shape_of_its_output(case: Pooling, kind):
    g = case.geometry
    x, dy = case.arrays()
    options = {"padding": g.padding, "dilation": g.dilation, "misfit": g.misfit}
    norm = (2,) if kind == "LpPool2d" else ()
    layer = getattr(nn, kind)(*norm, g.window, g.stride, **options)
    assert layer.output_shape(x.shape[1:]) == dy.shape[1:]
    y = layer(x)
    assert y.shape[1:] == layer.output_shape(x.shape[1:])
    assert layer.backward(np.ones_like(y)).shape == x.shape


@given(c=st.integers(1, 5), h=st.integers(1, 6), w=st.integers(1, 6), n=st.integers(2, 3))
def test_layers_that_keep_or_collapse_the_image_say_the_shape_of_their_output(c, h, w, n):
    x = np.random.default_rng(0).normal(size=(n, c, h, w))
    layers = (
        nn.ReLU(), nn.LeakyReLU(), nn.Sigmoid(), nn.Tanh(), nn.Softmax(), nn.Dropout(),
        nn.BatchNorm2d(c), nn.LocalResponseNorm(3), nn.Flatten(), nn.GlobalAvgPool2d(),
        nn.GlobalMaxPool2d(), nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(c * h * w, 4)),
    )  # fmt: skip
    for layer in layers:
        assert layer(x).shape[1:] == layer.output_shape((c, h, w)), layer


def _plain(value):
    """Return one form for what means the same: 2 and (2, 2); nested layers as their configs."""
    if isinstance(value, Layer):
        return type(value).__name__, {k: _plain(v) for k, v in value.config().items()}
    if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1]:
        return value[0]
    if isinstance(value, list | tuple):  # the nodes of a graph
        return [_plain(part) for part in value]
    return value


@every_case
def test_repr_is_the_call_that_builds_the_layer_again(case: Case):
    layer = case.build()
    again = eval(repr(layer), vars(nn))
    assert type(again) is type(layer)
    assert _plain(again) == _plain(layer)
    assert repr(again) == repr(layer)


@pytest.mark.parametrize(
    ("layer", "shown"),
    [
        (nn.Conv2d(1, 4, 3), "Conv2d(1, 4, 3)"),
        (nn.Conv2d(1, 4, (3, 2), (2, 2)), "Conv2d(1, 4, (3, 2), stride=2)"),
        (nn.Conv2d(1, 4, 3, padding="same"), "Conv2d(1, 4, 3, padding='same')"),
        (nn.Conv2d(2, 4, 3, bias=False, groups=2), "Conv2d(2, 4, 3, groups=2, bias=False)"),
        (nn.Linear(3, 2, weight_init=0.01), "Linear(3, 2, weight_init=0.01)"),
        (nn.AvgPool2d(2, count_include_pad=False), "AvgPool2d(2, stride=2, count_include_pad=False)"),  # noqa: E501
        (nn.Dropout(0.2, "book"), "Dropout(p=0.2, variant='book')"),
        (nn.ReLU(), "ReLU()"),
        (nn.SoftmaxCrossEntropy(), "SoftmaxCrossEntropy()"),
    ],
)  # fmt: skip
def test_repr_shows_what_differs_from_the_defaults(layer, shown):
    assert repr(layer) == shown


@every_case
def test_train_and_eval_reach_every_layer_inside_and_return_the_layer(case: Case):
    layer = case.build()
    assert layer.eval() is layer
    assert not any(inner.training for _, inner in layer.layers())
    assert layer.train() is layer
    assert all(inner.training for _, inner in layer.layers())


def test_the_base_class_says_what_a_layer_lacks():
    class Empty(Layer):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no forward yet"):
        Empty()(np.zeros(2))
    with pytest.raises(NotImplementedError, match="Empty has no backward yet"):
        Empty().backward(np.zeros(2))


# Each layer's own refusals.


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: nn.Conv2d(0, 3, 3), r"in_channels: must be an integer, 1 or more; received 0"),
        (lambda: nn.Conv2d(1, 2.5, 3), r"out_channels: must be an integer, .* received 2\.5"),
        (lambda: nn.Conv2d(1, True, 3), r"out_channels: must be an integer, .* received True"),
        (lambda: nn.Conv2d(1, 3, (3, 3, 3)), r"kernel_size: .*two of them .* received \(3, 3, 3\)"),
        (lambda: nn.Conv2d(1, 3, 3, 0), r"stride: must be an integer of at least 1.*received 0"),
        (lambda: nn.Conv2d(1, 3, 3, dilation=0), r"dilation: must be .*received 0"),
        (
            lambda: nn.Conv2d(3, 4, 3, groups=2),
            r"groups: must divide 3 channels and 4 filters evenly, received 2\.",
        ),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), r"groups: must divide 4 channels and 3 filters"),
        (lambda: nn.Linear(3, -1), r"out_features: must be an integer, 1 or more; received -1"),
        (lambda: nn.MaxPool2d(0), r"kernel_size: must be an integer of at least 1"),
        (lambda: nn.AvgPool2d(2, "2"), r"stride: must be an integer of at least 1"),
        (lambda: nn.LpPool2d(0.5, 2), r"norm_type: must be a finite number of at least 1, .* 0\.5"),
        (lambda: nn.LpPool2d(float("nan"), 2), r"norm_type: must be a finite number.* nan"),
        (lambda: nn.LocalResponseNorm(0), r"size: must be an integer, 1 or more; received 0"),
        (lambda: nn.BatchNorm2d(0), r"num_features: must be an integer, 1 or more; received 0"),
        (lambda: nn.Clip(float("nan")), r"low: must be a finite number or None, received nan"),
        (lambda: nn.Clip(0, "6"), r"high: must be a finite number or None, received '6'"),
        (lambda: nn.Clip(float("inf")), r"low: must be a finite number or None, received inf"),
        (lambda: nn.GELU("erf"), r"approximate: must be 'none' or 'tanh', received 'erf'"),
        (lambda: nn.CELU(0), r"alpha: must be above 0, received 0"),
        (lambda: nn.ELU(float("inf")), r"alpha: must be a finite number, received inf"),
        (lambda: nn.Softplus(0), r"beta: may not be 0"),
        (lambda: nn.PReLU(0), r"num_parameters: must be an integer, 1 or more; received 0"),
        (lambda: nn.LayerNorm(()), r"normalized_shape: must be an integer, 1 or more; received 0"),
        (lambda: nn.LayerNorm((3, 0)), r"normalized_shape: must be an integer, .* received 0"),
        (lambda: nn.LayerNorm2d(3, -1), r"eps: must be a finite number of at least 0"),
        (lambda: nn.ChannelLinear(3, -1), r"out_features: must be an integer, .* received -1"),
        (lambda: nn.Power(None), r"exponent: must be a finite number, received None"),
        (lambda: nn.Dropout(1.0), r"p: must be a probability .*below 1, received 1\.0"),
        (lambda: nn.StochasticDepth(1), r"p: must be a probability .*below 1, received 1\."),
        (lambda: nn.Dropout(-0.1), r"p: must be a probability of at least 0"),
        (lambda: nn.Dropout(0.5, "both"), r"variant: must be 'inverted' or 'book', received 'b"),
    ],
)  # fmt: skip
def test_an_argument_that_is_not_allowed_is_named_with_what_was_received(build, said):
    with pytest.raises(ArgumentError, match=f"^{said}"):
        build()


@pytest.mark.parametrize(
    ("layer", "shape", "said"),
    [
        (nn.Conv2d(30, 4, 3), (1, 24, 24), "Conv2d: expects 30 input channels, received"),
        (nn.Linear(48, 2), (3, 4, 4), r"Linear: expects rows of 48 numbers, received shape"),
        (nn.BatchNorm2d(3), (4, 2, 2), r"BatchNorm2d: expects 3 channels, .*`BatchNorm2d\(4\)`"),
        (nn.BatchNorm2d(3), (3, 2), r"BatchNorm2d: expects 3 channels, \(C, H, W\) or \(C,\), rec"),
        (nn.PReLU(3), (4, 2, 2), r"PReLU: has 3 slopes for 4 channels, .* `PReLU\(4\)`"),
        (
            nn.LayerNorm((4, 5)),
            (4, 4),
            r"LayerNorm: normalises over the last axes, of shape \(4, 5",
        ),
        (nn.LayerNorm2d(3), (4, 2, 2), r"LayerNorm2d: expects 3 channels, .*`LayerNorm2d\(4\)`"),
        (nn.LayerNorm2d(3), (3,), r"LayerNorm2d: expects images of shape \(C, H, W\)|LayerNorm2d"),
        (nn.ChannelLinear(3, 2), (4, 2, 2), r"ChannelLinear: expects 3 channels, .* `ChannelLi"),
        (nn.InstanceNorm2d(3), (4, 2, 2), r"InstanceNorm2d: expects 3 channels, received"),
        (nn.InstanceNorm2d(3), (3, 1, 1), r"InstanceNorm2d: needs more than one value per chan"),
        (nn.MaxPool2d(3), (1, 2, 2), "MaxPool2d: a window of 3 is larger than the input's height"),
        (nn.MaxPool2d(2), (7,), r"MaxPool2d: expects images"),
        (nn.GlobalAvgPool2d(), (7,), r"GlobalAvgPool2d: expects images"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused_by_the_layer_itself(layer, shape, said):
    with pytest.raises(ShapeError, match=f"^{said}"):
        layer(np.zeros((2, *shape)))
    with pytest.raises(ShapeError, match=f"^{said}"):  # and without running
        list(layer.rows(shape, ReceptiveField()))


def test_one_value_a_channel_cannot_train_a_batch_norm():
    with pytest.raises(ShapeError, match=r"^BatchNorm2d: needs more than one value per channel"):
        nn.BatchNorm2d(3)(np.zeros((1, 3)))
    nn.BatchNorm2d(3).eval()(np.zeros((1, 3)))


def test_the_papers_response_norm_has_the_papers_equation():
    layer = nn.LocalResponseNorm.krizhevsky()
    a = np.random.default_rng(0).normal(size=(1, 7, 1, 1))
    sums = [(a[0, max(0, i - 2) : i + 3] ** 2).sum() for i in range(7)]
    expected = a.ravel() / (2 + 1e-4 * np.array(sums)) ** 0.75
    assert_agrees(layer(a).ravel(), expected)


def test_running_statistics_equal_torch_after_many_batches_and_serve_in_evaluation(torch):
    ours, theirs = nn.BatchNorm2d(4, momentum=0.3), torch.nn.BatchNorm2d(4, momentum=0.3)
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = rng.normal(2, 3, size=(6, 4, 3, 3)).astype(np.float32)
        assert_agrees(ours(x), theirs(torch.from_numpy(x)).detach().numpy(), what="BatchNorm2d y")
    for key, value in theirs.state_dict().items():
        assert_agrees(ours.state_dict()[key].astype(np.float32), value.numpy().astype(np.float32))
    assert ours.num_batches_tracked.data == 5
    x = rng.normal(size=(2, 4, 3, 3)).astype(np.float32)
    before = ours.eval().state_dict()
    assert_agrees(ours(x), theirs.eval()(torch.from_numpy(x)).detach().numpy())
    assert all(np.array_equal(before[key], value) for key, value in ours.state_dict().items())


# Dropout.


def test_dropout_silences_about_p_and_keeps_the_mean():
    x = np.ones((100, 100))
    for variant, kept in (("inverted", 1 / 0.7), ("book", 1.0)):
        layer = nn.Dropout(0.3, variant, rng=np.random.default_rng(0))
        y = layer(x)
        assert set(np.unique(y)) == {0.0, kept}
        assert 0.28 < (y == 0).mean() < 0.32
        assert np.array_equal(layer.backward(x), y)  # the same mask, the same scale
        evaluated = layer.eval()(x)
        assert np.array_equal(layer.backward(x), evaluated)
        assert abs(y.mean() - evaluated.mean()) < 0.03
    assert np.allclose(evaluated, 0.7)


def test_stochastic_depth_zeroes_about_p_of_the_images_and_keeps_the_mean():
    layer = nn.StochasticDepth(0.3, rng=np.random.default_rng(0))
    x = np.random.default_rng(1).uniform(1, 2, size=(10_000, 2, 1, 3)).astype(np.float32)
    y = layer(x)
    kept = (y / x)[:, 0, 0, 0]
    assert 0.28 < (kept == 0).mean() < 0.32
    assert_agrees(y, x * kept[:, np.newaxis, np.newaxis, np.newaxis])  # all numbers of an image
    assert_agrees(kept[kept > 0], np.full((kept > 0).sum(), 1 / 0.7, np.float32))
    assert np.array_equal(layer.backward(np.ones_like(x))[:, 1, 0, 2] > 0, kept > 0)
    assert np.array_equal(layer.eval()(x), x)


def test_dropout_draws_another_mask_each_time_and_the_same_from_the_same_seed():
    first, second = (nn.Dropout(rng=np.random.default_rng(3)) for _ in range(2))
    x = np.ones(50)
    masks = [first(x), first(x)]
    assert not np.array_equal(*masks)
    assert np.array_equal(masks, [second(x), second(x)])
