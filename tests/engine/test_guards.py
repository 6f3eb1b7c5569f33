"""What does not fit is refused: the kernels behind a plan check nothing, and would not notice."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import nn
from pellucid.engine import compile, profile, warm_up
from pellucid.errors import ArgumentError, PellucidError, ShapeError


def drawn(*shape, dtype=np.float32):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


UNFIT = [
    ([nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(100, 10)], (1, 28, 28), "5408"),
    ([nn.Linear(20, 10)], (2000,), "2000"),
    ([nn.Flatten(), nn.Linear(9999, 10)], (1, 28, 28), "784"),
    ([nn.Conv2d(1, 8, 3), nn.Linear(8, 10)], (1, 28, 28), "Flatten"),
    ([nn.Residual(nn.Conv2d(3, 3, 3))], (3, 64, 64), "62"),
    ([nn.Residual(nn.Linear(20, 200))], (20,), "200"),
    ([nn.Branches(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 1))], (3, 8, 8), "6"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "shape", "words"), UNFIT)
def test_a_model_that_does_not_fit_the_images_is_not_compiled(layers, shape, words):
    model = nn.Sequential(*layers)
    with pytest.raises(ShapeError, match=words):
        compile(model, shape, 64)
    with pytest.raises(ShapeError, match=words):
        warm_up(model, shape, 64)
    with pytest.raises(ShapeError, match=words):
        profile(model, drawn(8, *shape), np.zeros(8, np.int64))


@pytest.mark.parametrize(
    ("layer", "image", "name", "shape"),
    [
        (nn.Linear(20, 10), (20,), "weight", (10, 200)),
        (nn.Linear(20, 10), (20,), "weight", (1000, 20)),
        (nn.Linear(20, 10), (20,), "weight", (10, 5)),
        (nn.Linear(20, 10), (20,), "bias", (3,)),
        (nn.Conv2d(3, 8, 3), (3, 9, 9), "weight", (800, 3, 3, 3)),
        (nn.Conv2d(3, 8, 3), (3, 9, 9), "weight", (8, 3, 5, 5)),
        (nn.Conv2d(3, 8, 3), (3, 9, 9), "weight", (8, 1, 3, 3)),
        (nn.Conv2d(3, 8, 3), (3, 9, 9), "bias", (1,)),
    ],
)
def test_weights_of_another_shape_are_refused(layer, image, name, shape):
    model = nn.Sequential(copy.deepcopy(layer))
    plan, x = compile(model, image, 16), drawn(16, *image)
    getattr(model[0], name).data = drawn(*shape)
    with pytest.raises(ShapeError, match="was compiled for a parameter of shape"):
        plan(x)


@pytest.mark.parametrize(("out", "features"), [(10, 200), (1000, 20), (10, 5)])
def test_weights_that_never_had_the_layers_shape_are_refused(out, features):
    model = nn.Sequential(nn.Linear(20, 10))
    model[0].weight.data = drawn(out, features)
    plan = compile(model, (20,), 16)
    with pytest.raises(ShapeError, match="was compiled for a parameter of shape"):
        plan(drawn(16, 20))


def test_weights_of_another_shape_are_refused_on_the_way_back_too():
    model = nn.Sequential(nn.Linear(20, 10))
    plan = compile(model, (20,), 16)
    plan(drawn(16, 20))
    model[0].weight.data = drawn(10, 2)
    with pytest.raises(ShapeError, match="was compiled for a parameter of shape"):
        plan.backward(drawn(16, 10), need_dx=True)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64])
def test_weights_of_another_type_are_rounded(dtype):
    model = nn.Sequential(nn.Linear(20, 10))
    plan = compile(model, (20,), 16)
    model[0].weight.data = (4 * model[0].weight.data).astype(dtype)
    assert_agrees(plan(drawn(16, 20)), model(drawn(16, 20, dtype=float)).astype(np.float32))


COMPLEX = [
    (nn.Linear(20, 10), (20,), "weight"),
    (nn.Linear(20, 10), (20,), "bias"),
    (nn.Conv2d(3, 8, 3), (3, 9, 9), "weight"),
    (nn.Conv2d(3, 8, 3), (3, 9, 9), "bias"),
    (nn.BatchNorm2d(3), (3, 9, 9), "weight"),
    (nn.BatchNorm2d(3), (3, 9, 9), "bias"),
    (nn.BatchNorm2d(3), (3, 9, 9), "running_var"),
]


@pytest.mark.parametrize("compiled_before", [True, False])
@pytest.mark.parametrize(("layer", "image", "name"), COMPLEX)
def test_an_imaginary_part_of_a_weight_is_not_dropped(layer, image, name, compiled_before):
    model = nn.Sequential(one=copy.deepcopy(layer)).eval()
    plan = compile(model, image, 16)
    own = getattr(model["one"], name)
    own.data = own.data + 1j
    if not compiled_before:
        plan = compile(model, image, 16)
    with pytest.raises(ArgumentError, match=r"'?one'?: expects real numbers, received .*complex64"):
        plan(drawn(16, *image))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.complex64, np.complex128, object, "U1"])
@pytest.mark.parametrize("n", [3, 0])
def test_only_real_numbers_go_through_a_plan(dtype, bad, n):
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2)).astype(dtype)
    plan = compile(model, (6,), 3)
    with pytest.raises(ArgumentError, match=r"^Plan: expects real numbers, received images of"):
        plan(np.zeros((n, 6), bad))
    plan(np.zeros((n, 6), np.float32))
    with pytest.raises(ArgumentError, match=r"^Plan: expects real numbers, received dy of"):
        plan.backward(np.zeros((n, 2), bad))


@pytest.mark.parametrize("model", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("images", [np.float32, np.float64, np.float16, np.uint8])
def test_a_plan_computes_in_the_dtype_of_its_model(model, images):
    layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3)).astype(model)
    x = (8 * drawn(5, 1, 4, 4)).astype(images)
    plan = compile(layers, (1, 4, 4), 5)
    y = plan(x)
    exact = copy.deepcopy(layers).astype(np.float64)
    assert_agrees(y, exact(x.astype(np.float64)), within=2e-2 if model == np.float16 else 1e-5)
    if model != np.float16 and np.dtype(images).kind == "f":
        assert y.dtype == model or y.dtype == np.result_type(model, images)
    dx = plan.backward(np.ones_like(y), need_dx=True)
    assert dx.shape == x.shape


def test_a_layer_that_makes_complex_numbers_is_refused():
    plan = compile(nn.Sequential(waves=Custom(lambda x: x + 1j)), (6,), 3)
    with pytest.raises(ArgumentError, match=r"waves: expects real numbers, received an output of "):
        plan(drawn(3, 6))


def test_a_bias_that_was_taken_away_is_not_added():
    model = nn.Sequential(nn.Conv2d(3, 8, 3))
    model[0].bias.data[:] = 5
    plan, x = compile(model, (3, 9, 9), 4), drawn(4, 3, 9, 9)
    plan(x)
    model[0].bias = None
    assert_agrees(plan(x), model(x))


class Custom(nn.Layer):
    """Computes with these two functions."""

    def __init__(self, forward, backward=lambda dy: dy):
        super().__init__()
        self.makes, self.gives_back = forward, backward

    def forward(self, x):
        return self.makes(x)

    def backward(self, dy):
        return self.gives_back(dy)


@pytest.mark.parametrize(
    "wrong", [lambda x: np.tile(x, (1, 50)), lambda x: x[:1], lambda x: x[:, :3], lambda x: x.sum()]
)
def test_a_layer_that_makes_another_shape_than_it_says_is_refused(wrong):
    model = nn.Sequential(Custom(wrong), nn.Linear(400, 10))
    with pytest.raises(ShapeError, match=r"^0: expects an output of Custom of shape \(N, \*output"):
        compile(model, (400,), 64)(drawn(64, 400))
    model = nn.Sequential(nn.Linear(40, 400), Custom(lambda x: x, wrong))
    plan = compile(model, (40,), 64)
    plan(drawn(64, 40))
    with pytest.raises(ShapeError, match=r"^1: expects an input gradient of Custom of shape"):
        plan.backward(drawn(64, 400))


def test_a_layer_may_compute_in_float64():
    scale = np.linspace(0.5, 2, 6)
    twice = Custom(lambda x: x * scale, lambda dy: dy * scale)
    model = nn.Sequential(twice, nn.MaxPool2d(2), nn.LocalResponseNorm(3), nn.Flatten())
    x, plan = drawn(4, 1, 6, 6), compile(model, (1, 6, 6), 4)
    assert_agrees(plan(x), model(x).astype(np.float32))
    dy = drawn(4, 9)
    assert_agrees(plan.backward(dy, need_dx=True), model.backward(dy).astype(np.float32))


@pytest.mark.parametrize(
    "last", [nn.GlobalAvgPool2d(), nn.GlobalMaxPool2d(), nn.AvgPool2d(14), nn.MaxPool2d(14)]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float16, ">f4", np.int64])
def test_a_gradient_of_another_type_is_rounded(last, dtype):
    model = nn.Sequential(nn.Conv2d(3, 10, 3), copy.deepcopy(last), nn.Flatten())
    plan, x = compile(model, (3, 16, 16), 16), drawn(16, 3, 16, 16)
    plan(x)
    dy = (8 * drawn(16, 10)).astype(dtype)
    plan.backward(dy)
    got = model[0].weight.grad.copy()
    plan.backward(dy.astype(np.float32))
    np.testing.assert_array_equal(got, model[0].weight.grad)


def test_there_is_no_way_back_through_a_call_that_failed():
    def stop(x):
        if len(x) > 1:
            raise KeyboardInterrupt
        return x

    plan = compile(nn.Sequential(nn.Linear(40, 500), Custom(stop)), (40,), 300)
    with pytest.raises(ArgumentError, match="backward needs a forward first"):
        plan.backward(drawn(1, 500))
    plan(drawn(1, 40))
    with pytest.raises(KeyboardInterrupt):
        plan(drawn(300, 40))
    with pytest.raises(ArgumentError, match="backward needs a forward first"):
        plan.backward(drawn(1, 500))
    assert plan(drawn(1, 40)).shape == (1, 500)  # and the plan goes on


def test_a_plan_serves_one_thread_at_a_time():
    inside, leave = threading.Event(), threading.Event()

    def wait(x):
        inside.set()
        assert leave.wait(300)
        return x

    plan = compile(nn.Sequential(Custom(wait)), (4,), 3)
    thread = threading.Thread(target=plan, args=(drawn(3, 4),))
    thread.start()
    assert inside.wait(300)
    with pytest.raises(
        PellucidError, match=r"already running in another thread.*Compile one for each"
    ):
        plan(drawn(1, 4))
    with pytest.raises(PellucidError, match="already running in another thread"):
        plan.backward(drawn(3, 4))
    leave.set()
    thread.join()
    assert plan(drawn(1, 4)).shape == (1, 4)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_a_copy_of_a_plan_has_buffers_of_its_own(copied):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    plan, x = compile(model, (1, 8, 8), 4), drawn(4, 1, 8, 8)
    plan(x)
    twin = copied(plan)
    y = plan(x).copy()
    assert_agrees(twin(2 * x), twin.model(2 * x))
    assert twin.model is not model
    np.testing.assert_array_equal(plan(x), y)


@pytest.mark.parametrize("layer", [nn.Softmax(1), nn.Softmax(-2), nn.LocalResponseNorm(3)])
@pytest.mark.parametrize("shape", [(3, 4), (3, 2, 2, 4)])
def test_channels_are_found_in_rows_and_volumes_too(layer, shape):
    model = nn.Sequential(copy.deepcopy(layer))
    plan, x, dy = compile(model, shape, 5), drawn(5, *shape), drawn(2, *shape)[:1].repeat(5, axis=0)
    assert_agrees(plan(x), model(x))
    assert_agrees(plan.backward(dy, need_dx=True), model.backward(dy))


@pytest.mark.parametrize("kind", [np.memmap, np.ma.masked_array, list])
def test_other_kinds_of_arrays_are_taken_as_arrays(kind, tmp_path):
    model = nn.Sequential(nn.LeakyReLU(), nn.Linear(6, 3))
    plan, x = compile(model, (6,), 5), drawn(5, 6)
    np.save(tmp_path / "x.npy", x)
    kinds = {
        np.memmap: lambda a: np.load(tmp_path / "x.npy", mmap_mode="r"),
        list: np.ndarray.tolist,
    }
    assert_agrees(plan(kinds.get(kind, kind)(x)), model(x))
