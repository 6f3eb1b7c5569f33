"""Networks drawn at random: a plan gives what the layers themselves give in float64."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from ops.witness import relative_error
from pellucid import engine, nn
from pellucid.engine import linear_step
from pellucid.engine.assembly import STEPS
from pellucid.engine.conv_step import ConvStep
from pellucid.engine.convolutions import Direct, GivingBack, Winograd
from pellucid.engine.steps import PlainStep, TurnStep
from pellucid.errors import PellucidError
from pellucid.kernels import conv

NETWORKS = 40
BATCH = 4
WITHIN = 1e-5
# So near to a kink, rounding may decide on which side a number falls: other numbers are drawn.
MARGIN = 5e-5
MOST = 700  # numbers of an image anywhere in a network


@pytest.fixture(autouse=True)
def few_tiles(monkeypatch):
    """Few tiles cover every size, if not well: fewer kernels to compile."""
    monkeypatch.setattr(conv, "HEIGHTS", (1, 3))
    monkeypatch.setattr(conv, "WIDTHS", (1,))
    monkeypatch.setattr(linear_step, "HEIGHTS", (4, 1))


class Mix(nn.Layer):
    """A layer of one's own: each channel becomes a mixture of all."""

    def __init__(self, channels, rng):
        self.channels = channels
        self.gain = nn.Parameter(np.float32(rng.normal(0, channels**-0.5, (channels, channels))))

    def forward(self, x):
        assert x.shape[1] == self.channels
        self.remember(x)
        return np.einsum("oc,nc...->no...", self.gain.data, x)

    def backward(self, dy):
        (x,) = self.recall()
        n, c = len(x), self.channels
        self.gain.grad = np.einsum("nok,nck->oc", dy.reshape(n, c, -1), x.reshape(n, c, -1))
        return np.einsum("oc,no...->nc...", self.gain.data, dy)


# How a network is drawn.


def window(rng, most=4):
    """Return how a window moves."""
    return {
        "kernel_size": tuple(rng.integers(1, most, 2).tolist()),
        "stride": tuple(rng.integers(1, 3, 2).tolist()),
    }


def convolution(rng, shape):
    c = shape[0]
    groups = int(rng.choice([g for g in range(1, c + 1) if c % g == 0]))
    paddings = [0, 1, (0, 2), (1, 0, 2, 1), "same", "valid"]
    return nn.Conv2d(
        c, groups * int(rng.integers(1, 7)), **window(rng), groups=groups,
        padding=paddings[rng.integers(len(paddings))], dilation=int(rng.integers(1, 3)),
        bias=bool(rng.random() < 0.8), misfit=str(rng.choice(["floor", "pad"])), rng=rng,
    )  # fmt: skip


def deep(rng, shape):
    """Return what Winograd's algorithm takes, with so many channels before it."""
    c = int(rng.integers(12, 18))
    yield nn.Conv2d(shape[0], c, 1, rng=rng)
    yield nn.Conv2d(c, c, 3, padding=1, rng=rng)
    yield from sometimes(rng, nn.MaxPool2d(2))
    yield nn.Conv2d(c, int(rng.integers(12, 18)), 3, padding=1, rng=rng)
    yield nn.ReLU()
    yield from sometimes(rng, nn.MaxPool2d(2))


def chain(rng, shape):
    """Return a convolution with what becomes one step with it."""
    yield convolution(rng, shape)
    yield from sometimes(rng, nn.ReLU())
    yield nn.MaxPool2d(int(rng.integers(2, 4)))


def pointwise(rng, shape):
    """Return a convolution of single cells, whose gradient is read where it lies."""
    yield nn.Conv2d(shape[0], 17, 1, rng=rng)
    yield nn.ReLU()
    yield nn.Conv2d(17, 5, 1, rng=rng)
    yield nn.ReLU()


def nested(rng, shape):
    inner = [nn.Tanh(), *sometimes(rng, nn.ReLU()), nn.Sequential(convolution(rng, shape))]
    yield nn.Sequential(*inner, *sometimes(rng, nn.ReLU()))


def sometimes(rng, layer):
    return [layer] if rng.random() < 0.5 else []


IMAGE_KINDS = {
    "convolution": lambda rng, shape: [convolution(rng, shape), *sometimes(rng, nn.ReLU())],
    "chain": chain,
    "deep": deep,
    "pointwise": pointwise,
    "nested": nested,
    "max": lambda rng, shape: [nn.MaxPool2d(**window(rng), padding=int(rng.integers(0, 2)))],
    "average": lambda rng, shape: [
        nn.AvgPool2d(**window(rng), padding=1, count_include_pad=bool(rng.random() < 0.5))
    ],
    "lp": lambda rng, shape: [nn.LpPool2d(int(rng.integers(2, 4)), **window(rng))],
    "norm": lambda rng, shape: [nn.BatchNorm2d(shape[0]), *sometimes(rng, nn.ReLU())],
    "response": lambda rng, shape: [nn.LocalResponseNorm(3, alpha=0.3, k=2.0)],
    "softmax": lambda rng, shape: [nn.Softmax()],
    "global average": lambda rng, shape: [nn.GlobalAvgPool2d()],
    "global max": lambda rng, shape: [nn.GlobalMaxPool2d()],
}
KINDS = {
    "dropout": lambda rng, shape: [nn.Dropout(0.3, str(rng.choice(["inverted", "book"])), rng=rng)],
    "relu": lambda rng, shape: [nn.ReLU()],
    "leaky": lambda rng, shape: [nn.LeakyReLU(0.2)],
    "sigmoid": lambda rng, shape: [nn.Sigmoid()],
    "tanh": lambda rng, shape: [nn.Tanh()],
    "own": lambda rng, shape: [Mix(shape[0], rng)],
    "linear": lambda rng, shape: [
        *([nn.Flatten()] if len(shape) == 3 else []),
        nn.Linear(int(np.prod(shape)), int(rng.integers(1, 20)), bool(rng.random() < 0.8), rng=rng),
        *sometimes(rng, nn.ReLU()),
    ],
}
NAMES = [*IMAGE_KINDS, *KINDS]


def draw_network(seed):
    """Return a network, and the shape of its images. The ``seed``-th has the seed-th kind."""
    rng = np.random.default_rng(seed)
    while True:
        image = (int(rng.integers(1, 5)), *rng.integers(4, 9, 2).tolist())
        wanted = [NAMES[seed % len(NAMES)], *rng.choice(NAMES, 4)]
        rng.shuffle(wanted)
        # What ends an image comes last.
        wanted.sort(key=lambda name: name.startswith("global") + 2 * (name == "linear"))
        model = nn.Sequential(*draw_layers(wanted, image, rng))
        if shake(model, image, rng):
            return model, image


def draw_layers(wanted, shape, rng):
    """Yield layers of the kinds that are ``wanted``, where they fit."""
    for name in wanted:
        if len(shape) == 1 and name in IMAGE_KINDS:
            continue
        for _ in range(20):
            made = list({**IMAGE_KINDS, **KINDS}[name](rng, shape))
            try:
                after = nn.Sequential(*made).output_shape(shape)
            except PellucidError:  # a window that does not fit
                continue
            if np.prod(after) <= MOST:
                yield from made
                shape = after
                break


def shake(model, image, rng):
    """Give every parameter new values; return whether there are images near no kink."""
    before = {name: p.data for name, p in model.parameters().items()}
    for _ in range(10):
        for name, p in model.parameters().items():
            factor = 1 + 0.3 * rng.normal(size=p.data.shape)
            shift = 0.2 * rng.normal(size=p.data.shape) if p.data.ndim == 1 else 0
            p.data = (factor * before[name] + shift).astype(np.float32)
        if draw_images(model, image, BATCH - 1, rng, tries=10) is not None:
            return True
    return False


def draw_images(model, image, n, rng, tries=300):
    """Return images that bring the network near no kink, if there are such."""
    for _ in range(tries):
        x = rng.normal(size=(n, *image)).astype(np.float32)
        if clear(copy.deepcopy(model).astype(np.float64), x.astype(np.float64)):
            return x
    return None


# How it is compared.


def leaves(layer):
    if not isinstance(layer, nn.Sequential):
        return [layer]
    return [leaf for _, child in layer.children() for leaf in leaves(child)]


def gap(windows):
    """Return how far apart the two largest of each window are; equal ones are copies of one."""
    top = np.sort(windows, axis=-1)[..., -2:]
    apart = np.diff(top, axis=-1)
    return apart[apart > 0].min(initial=np.inf) if top.shape[-1] == 2 else np.inf


def seen(layer, x):
    """Return the numbers that each window of a max pooling looks at."""
    w = layer.windows(x.shape[1:])
    x = np.pad(x, ((0, 0), (0, 0), *w.padding), constant_values=-np.inf)
    every = np.lib.stride_tricks.sliding_window_view(x, w.extent, axis=(2, 3))
    every = every[:, :, :: w.stride[0], :: w.stride[1], :: w.dilation[0], :: w.dilation[1]]
    return every.reshape(*every.shape[:4], -1)


def distance(layer, x, y):
    """Return how far ``x`` is from where the layer has a kink or divides by almost nothing."""
    if isinstance(layer, nn.ReLU | nn.LeakyReLU):
        return abs(x[x != 0]).min(initial=np.inf)
    if isinstance(layer, nn.MaxPool2d):
        return gap(seen(layer, x))
    if isinstance(layer, nn.GlobalMaxPool2d):
        return gap(x.reshape(*x.shape[:2], -1))
    if isinstance(layer, nn.LpPool2d):
        return 1e-3 * y[y != 0].min(initial=np.inf)
    if isinstance(layer, nn.BatchNorm2d) and layer.training:
        deviation = x.std(axis=(0, *range(2, x.ndim)))
        return 5e-4 * deviation.min()
    return np.inf


def clear(model, x):
    """Return whether no number is near a kink."""
    for layer in leaves(model):
        y = layer(x)
        if distance(layer, x, y) < MARGIN * abs(x).max():
            return False
        x = y
    return True


def by_the_layers(model, x, dy, dtype):
    """Return all that comes of the layers themselves: output, gradients, running averages."""
    model = copy.deepcopy(model).astype(dtype)
    y = model(x.astype(dtype))
    dx = model.backward(dy.astype(dtype))
    return everything(model, y, dx)


def everything(model, y, dx):
    gradients = {f"{name}.grad": p.grad for name, p in model.parameters().items()}
    state = {name: b.data for name, b in model.buffers().items()}
    return {"y": y, "dx": dx, **gradients, **state}


def compare(plan, n, rng):
    """Run plan and layers on ``n`` images that are near no kink; False if there are none."""
    model = plan.model
    x = draw_images(model, plan.input_shape, n, rng)
    if x is None:  # a channel died, perhaps, and its batch normalisation divides by nothing
        return False
    dy = rng.normal(size=(n, *model.output_shape(plan.input_shape))).astype(np.float32)
    expected = by_the_layers(model, x, dy, np.float64)
    plain = by_the_layers(model, x, dy, np.float32)
    x_before, dy_before = x.copy(), dy.copy()
    y = plan(x).copy()
    got = everything(model, y, plan.backward(dy, need_dx=True))
    assert list(got) == list(expected)
    steepest = max(abs(v).max() for name, v in expected.items() if "grad" in name or name == "dx")
    for name, value in expected.items():
        # Where numbers cancel, the layers in float32 can do no better either; what cancels to
        # nothing (the bias in front of a batch normalisation) is judged by what does not.
        scale = [abs(value).max(), 1e-3 * steepest * ("grad" in name or name == "dx")]
        allowed = max(WITHIN, 30 * relative_error(plain[name], value, scale))
        error = relative_error(got[name], value, scale)
        assert error <= allowed, f"{name}: {error:.2g}, allowed {allowed:.2g}\n{model}\n{plan}"
    np.testing.assert_array_equal(x, x_before)
    np.testing.assert_array_equal(dy, dy_before)
    gradients = {name: p.grad.copy() for name, p in model.parameters().items()}
    plan.backward(dy)
    for name, p in model.parameters().items():
        np.testing.assert_array_equal(p.grad, gradients[name])
    return True


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_a_plan_gives_what_its_layers_give(seed):
    model, image = draw_network(seed)
    rng = np.random.default_rng((seed, 1))
    plan = engine.compile(model, image, BATCH)
    assert compare(plan, BATCH, rng)
    assert compare(plan, BATCH - 1, rng)
    shake(model, image, rng)
    compare(plan, BATCH, rng)
    model.eval()
    compare(plan, 1, rng)
    compare(plan, BATCH, rng)


def test_every_step_there_is_was_drawn():
    steps = []
    for seed in range(NETWORKS):
        model, image = draw_network(seed)
        steps += engine.compile(model, image, BATCH).steps
    assert {type(step) for step in steps} == {*STEPS.values(), PlainStep, TurnStep}
    convolutions = [step for step in steps if isinstance(step, ConvStep)]
    assert {type(step._output) for step in convolutions} == {Direct, Winograd}
    back = {type(step._make_input_gradient()) for step in convolutions}
    assert back == {Direct, GivingBack, Winograd}
    fused = {(step._output.name, step.relu, step.pool) for step in convolutions}
    assert {
        (name, relu, pool)
        for name in (Direct.name, Winograd.name)
        for relu in (0, 1)
        for pool in (1, 2)
    } <= fused
