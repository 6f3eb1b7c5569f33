"""Networks drawn at random: a plan gives what the layers themselves give in float64."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks import by_the_layers, draw_images, everything
from ops.witness import relative_error
from pellucid import engine, nn
from pellucid.engine.cpu.convolution.algorithms import (
    Col2im,
    Direct,
    FewChannels,
    PooledCol2im,
    Winograd,
)
from pellucid.engine.cpu.convolution.grouped import Grouped
from pellucid.engine.cpu.convolution.products import Product
from pellucid.engine.cpu.convolution.wide_winograd import WideWinograd
from pellucid.engine.cpu.steps.base import STEPS
from pellucid.engine.cpu.steps.conv import ConvStep
from pellucid.engine.cpu.steps.join import AddStep, ConcatStep
from pellucid.engine.cpu.steps.layout import LayoutStep
from pellucid.engine.cpu.steps.plain import PlainStep
from pellucid.errors import PellucidError

NETWORKS = 48
MORE = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(NETWORKS, 400)]
BATCH = 4
KERNEL = 1e-5  # to which each kernel is held by tests of its own
WITHIN = 3 * KERNEL  # here they come one after another
MOST = 700  # numbers of an image anywhere in a network


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
    # One or two channels and filters of several groups: each pair of numbers is two kernels.
    groups = int(rng.choice([1, *(g for g in range(2, c + 1) if c % g == 0 and c <= 2 * g)]))
    filters = groups * int(rng.integers(1, 7 if groups == 1 else 3))
    paddings = [0, 1, (0, 2), (1, 0, 2, 1), "same", "valid"]
    return nn.Conv2d(
        c, filters, **window(rng), groups=groups,
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


def residual(rng, shape):
    """A block that keeps the shape, or one with a shortcut that changes it as the block does."""
    c, more, stride = shape[0], int(rng.integers(0, 4)), int(rng.integers(1, 3))
    inner = [nn.Conv2d(c, c + more, 3, stride, 1, rng=rng), nn.Tanh()]
    if (more, stride) == (0, 1):
        shortcut = None
    elif rng.random() < 0.5:
        shortcut = nn.ZeroPadShortcut(c, c + more, stride)
    else:
        shortcut = nn.Conv2d(c, c + more, 1, stride, rng=rng)
    return [nn.Residual(*inner, shortcut=shortcut), *sometimes(rng, nn.ReLU())]


def branches(rng, shape):
    wide = nn.Sequential(nn.Conv2d(shape[0], 3, 3, padding=1, rng=rng), *sometimes(rng, nn.ReLU()))
    return [nn.Branches(wide, nn.MaxPool2d(3, 1, 1), nn.Sequential())]


def exponential(rng, shape):
    gelu = nn.GELU(str(rng.choice(["none", "tanh"])))
    return [nn.ELU(0.7), nn.SELU(), gelu, nn.CELU(0.6), nn.Erf()]


def pixels(rng, shape):
    """Return what maps the channels of each pixel."""
    c = int(rng.integers(3, 7))
    linear = nn.ChannelLinear(shape[0], c, bool(rng.random() < 0.8), rng=rng)
    return [linear, *sometimes(rng, nn.ReLU()), nn.LayerNorm2d(c, eps=1e-2)]


def gate(rng, shape):
    """Return a block that multiplies its images by a gate of them."""
    gates = nn.Conv2d(shape[0], shape[0], 1, rng=rng)
    nodes = {"gate": (gates, "x"), "sigmoid": nn.Sigmoid(), "y": (nn.Multiply(), "x", "sigmoid")}
    return [nn.Graph(nodes)]


def moved(rng, shape):
    """Return layers that only move numbers, and images of another shape."""
    c, h, w = shape
    return [
        nn.Pad2d((1, 0, 2, 1)), nn.PixelShuffle(1), nn.Slice(2, 1, h + 1),
        nn.Permute(0, 1, 3, 2), nn.Reshape(c, h, w + 3),
    ]  # fmt: skip


def sometimes(rng, layer):
    return [layer] if rng.random() < 0.5 else []


IMAGE_KINDS = {
    "convolution": lambda rng, shape: [convolution(rng, shape), *sometimes(rng, nn.ReLU())],
    "chain": chain,
    "deep": deep,
    "pointwise": pointwise,
    "nested": nested,
    "residual": residual,
    "branches": branches,
    "max": lambda rng, shape: [nn.MaxPool2d(**window(rng), padding=int(rng.integers(0, 2)))],
    "average": lambda rng, shape: [
        nn.AvgPool2d(**window(rng), padding=1, count_include_pad=bool(rng.random() < 0.5))
    ],
    "lp": lambda rng, shape: [nn.LpPool2d(int(rng.integers(2, 4)), **window(rng))],
    "norm": lambda rng, shape: [nn.BatchNorm2d(shape[0]), *sometimes(rng, nn.ReLU())],
    "groups": lambda rng, shape: [nn.GroupNorm(1, shape[0]), *sometimes(rng, nn.ReLU())],
    "response": lambda rng, shape: [nn.LocalResponseNorm(3, alpha=0.3, k=2.0)],
    "normalize": lambda rng, shape: [nn.Normalize([0.4] * shape[0], [0.7] * shape[0])],
    "softmax": lambda rng, shape: [nn.Softmax()],
    "pixels": pixels,
    "gate": gate,
    "moved": moved,
    "resized": lambda rng, shape: [nn.Upsample(scale_factor=2), nn.AdaptiveAvgPool2d((3, 2))],
    "global adaptive": lambda rng, shape: [nn.AdaptiveMaxPool2d((shape[1], 1))],
    "scaled": lambda rng, shape: [nn.Scale((shape[0], 1, 1)), nn.Shift((shape[0], 1, 1))],
    "depth": lambda rng, shape: [nn.StochasticDepth(0.0)],
    "rectified": lambda rng, shape: [
        nn.Conv2d(shape[0], 12, 1, rng=rng),
        nn.Conv2d(12, 12, 3, padding=1, rng=rng),
        nn.ReLU(),
        nn.Tanh(),
        nn.Conv2d(12, 3, 1, rng=rng),
    ],
    "pooled": lambda rng, shape: [
        nn.Conv2d(shape[0], 3, 5, padding=2, rng=rng),
        nn.MaxPool2d(2),
    ],
    "global mean": lambda rng, shape: [nn.Mean((2, 3))],
    "global lp": lambda rng, shape: [nn.GlobalLpPool2d(2)],
    "depthwise": lambda rng, shape: [
        nn.Conv2d(shape[0], shape[0], 3, padding=1, groups=shape[0], rng=rng)
    ],
    "slopes": lambda rng, shape: [nn.PReLU(shape[0])],
    "global average": lambda rng, shape: [nn.GlobalAvgPool2d()],
    "global max": lambda rng, shape: [nn.GlobalMaxPool2d()],
}
KINDS = {
    "dropout": lambda rng, shape: [nn.Dropout(0.3, str(rng.choice(["inverted", "book"])), rng=rng)],
    "relu": lambda rng, shape: [nn.ReLU()],
    "silu": lambda rng, shape: [nn.SiLU()],
    "bounded": lambda rng, shape: [nn.Clip(-2.5, 2), nn.Hardswish(), nn.Hardsigmoid(0.3, 0.4)],
    "exponential": exponential,
    "function": lambda rng, shape: [nn.Softplus(), nn.Softsign(), nn.Mish()],
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
        batches = (BATCH, BATCH - 1)
        if all(draw_images(model, image, n, rng, tries=10) is not None for n in batches):
            return True
    return False


# How it is compared.


def moved_by_kernels(model, x, dy):
    """Return what the layers give in float64 if each weight is off as far as a kernel may be."""
    rng = np.random.default_rng(0)
    before = {name: p.data for name, p in model.parameters().items()}
    found = []
    for _ in range(5):
        for name, p in model.parameters().items():
            p.data = before[name] * (1 + KERNEL * rng.choice([-1.0, 1.0], p.data.shape))
        found.append(by_the_layers(model, x, dy, np.float64))
        for name, p in model.parameters().items():
            p.data = before[name]
    return found


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
    # What float32 makes of gradients that nearly cancel, as behind a normalisation of two numbers:
    # one of them may be better in the layers by luck.
    rough = [
        relative_error(plain[name], value, [abs(value).max(), 1e-2 * steepest])
        for name, value in expected.items()
        if "grad" in name
    ]
    for name, value in expected.items():
        # Where numbers cancel, the layers in float32 can do no better either; what cancels to
        # nothing (the bias in front of a batch normalisation) is judged by what does not.
        scale = [abs(value).max(), 1e-2 * steepest * ("grad" in name or name == "dx")]
        allowed = max(WITHIN, 30 * relative_error(plain[name], value, scale))
        if "grad" in name:
            allowed = max(allowed, 2 * max(rough))
        error = relative_error(got[name], value, scale)
        if error > allowed:  # sums that cancel magnify what each kernel may be off by
            moved = moved_by_kernels(model, x, dy)
            allowed = max(
                allowed, np.median([relative_error(m[name], value, scale) for m in moved])
            )
        assert error <= allowed, f"{name}: {error:.2g}, allowed {allowed:.2g}\n{model}\n{plan}"
    np.testing.assert_array_equal(x, x_before)
    np.testing.assert_array_equal(dy, dy_before)
    gradients = {name: p.grad.copy() for name, p in model.parameters().items()}
    plan.backward(dy)
    for name, p in model.parameters().items():
        np.testing.assert_array_equal(p.grad, gradients[name])
    return True


@pytest.mark.parametrize("seed", [*range(NETWORKS), *MORE])
def test_a_plan_gives_what_its_layers_give(seed):
    model, image = draw_network(seed)
    rng = np.random.default_rng((seed, 1))
    plan = engine.compile(model, image, BATCH)
    plan.poison = True
    compared = [compare(plan, BATCH, rng), compare(plan, BATCH - 1, rng)]
    shake(model, image, rng)
    compared += [compare(plan, BATCH, rng)]
    model.eval()
    compared += [compare(plan, 1, rng), compare(plan, BATCH, rng)]
    assert sum(compared) >= 3


def test_every_step_there_is_was_drawn():
    steps = []
    # 79 pools what Winograd's algorithm made, 96 applies a ReLU to it.
    for seed in (*range(NETWORKS), 79, 96):
        model, image = draw_network(seed)
        steps += engine.compile(model, image, BATCH).steps
    assert {type(step) for step in steps} == {
        *(step for layer, step in STEPS.by_layer.items() if not layer.inference_only),
        PlainStep,
        LayoutStep,
        AddStep,
        ConcatStep,
    }
    convolutions = [step for step in steps if isinstance(step, ConvStep)]
    forward = {Grouped, Direct, Product, Winograd, WideWinograd}
    assert {type(step._output) for step in convolutions} == forward
    back = {type(step._make_input_gradient()) for step in convolutions}
    assert back == forward | {Col2im, FewChannels, PooledCol2im}
    fused = {(step._output.name, step.relu, step.pool) for step in convolutions}
    assert {
        (name, relu, pool)
        for name in (Direct.name, Winograd.name)
        for relu in (0, 1)
        for pool in (1, 2)
    } <= fused
