"""Networks to test the engine with, and images that lead them near no kink.

Where a number lies so near to 0 in front of a ReLU, or to another one in front of a max pooling,
that rounding decides, the gradients of two right computations differ: such images are not used.
"""

from __future__ import annotations

import copy

import numpy as np

from pellucid import nn
from pellucid.engine.cpu.convolution import grouped
from pellucid.engine.cpu.steps import linear
from pellucid.kernels.convolution import pooled_weight_gradient, tiles

MARGIN = 3e-5  # of the largest number of an array: what rounding may move another one by


def simple(rng, channels=1):
    """Return a network like `SimpleConvNet`, for images of 12x12."""
    return nn.Sequential(
        conv=nn.Conv2d(channels, 30, 5, rng=rng), relu=nn.ReLU(), pool=nn.MaxPool2d(2),
        flatten=nn.Flatten(), affine1=nn.Linear(480, 50, rng=rng), relu2=nn.ReLU(),
        affine2=nn.Linear(50, 10, rng=rng),
    )  # fmt: skip


def lenet(rng, channels=1):
    """Return a network like LeNet-5, for images of 12x12."""
    return nn.Sequential(
        conv1=nn.Conv2d(channels, 6, 5, padding=2, rng=rng), tanh1=nn.Tanh(), pool1=nn.AvgPool2d(2),
        conv2=nn.Conv2d(6, 16, 5, padding=1, rng=rng), tanh2=nn.Tanh(), pool2=nn.AvgPool2d(2),
        flatten=nn.Flatten(), affine1=nn.Linear(64, 84, rng=rng), tanh3=nn.Tanh(),
        affine2=nn.Linear(84, 10, rng=rng),
    )  # fmt: skip


def deep(rng, channels=1):
    """Return a network like the book's DeepConvNet, for images of 12x12."""
    return nn.Sequential(
        conv1=nn.Conv2d(channels, 16, 3, padding=1, rng=rng), relu1=nn.ReLU(),
        conv2=nn.Conv2d(16, 16, 3, padding=1, rng=rng), relu2=nn.ReLU(), pool1=nn.MaxPool2d(2),
        conv3=nn.Conv2d(16, 32, 3, padding=1, rng=rng), relu3=nn.ReLU(),
        conv4=nn.Conv2d(32, 24, 3, padding=2, rng=rng), relu4=nn.ReLU(), pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(), affine1=nn.Linear(384, 20, rng=rng), relu5=nn.ReLU(),
        affine2=nn.Linear(20, 10, rng=rng),
    )  # fmt: skip


NETWORKS = {"simple": simple, "lenet": lenet, "deep": deep}
IMAGE = (12, 12)


def few_tiles(patch):
    """Have few tiles cover every size, if not well: each of them is a kernel to compile."""
    patch.setattr(tiles, "HEIGHTS", (1, 3))
    patch.setattr(tiles, "WIDTHS", (1,))
    patch.setattr(tiles, "PIXEL_HEIGHTS", (1, 3))
    patch.setattr(tiles, "PIXEL_WIDTHS", (1,))
    patch.setattr(pooled_weight_gradient, "HEIGHTS", (1, 3))
    patch.setattr(grouped, "WIDTHS", (2, 1))
    patch.setattr(grouped, "HEIGHTS", (2, 1))
    patch.setattr(linear, "TILE", (3, 2))
    patch.setattr(linear, "HEIGHTS", (4,))


def draw_images(model, image, n, rng, tries=300):
    """Return images (n, C, H, W) that bring the network near no kink, if there are such."""
    for _ in range(tries):
        x = rng.normal(size=(n, *image)).astype(np.float32)
        if clear(copy.deepcopy(model).astype(np.float64), x.astype(np.float64)):
            return x
    return None


def leaves(layer):
    """Return the layers of nested chains in order."""
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


def kinks(layer):
    """Return the numbers at which the slope of an activation jumps."""
    if isinstance(layer, nn.Clip):
        return [bound for bound in (layer.low, layer.high) if bound is not None]
    if isinstance(layer, nn.Hardsigmoid):
        return [-layer.beta / layer.alpha, (1 - layer.beta) / layer.alpha]
    if isinstance(layer, nn.Hardswish):
        return [-3, 3]
    return [0] if isinstance(layer, nn.PReLU | nn.ELU | nn.SELU) else []


def distance(layer, x, y):
    """Return how far ``x`` is from where the layer has a kink or divides by almost nothing."""
    if isinstance(layer, nn.ReLU | nn.LeakyReLU):
        return abs(x[x != 0]).min(initial=np.inf)
    if points := kinks(layer):
        return min(abs(x - point).min(initial=np.inf) for point in points)
    if isinstance(layer, nn.MaxPool2d):
        return gap(seen(layer, x))
    if isinstance(layer, nn.GlobalMaxPool2d):
        return gap(x.reshape(*x.shape[:2], -1))
    if isinstance(layer, nn.AdaptiveMaxPool2d):  # whatever its windows are
        apart = np.diff(np.sort(x.reshape(*x.shape[:2], -1)))
        return apart[apart > 0].min(initial=np.inf)
    if isinstance(layer, nn.LpPool2d | nn.GlobalLpPool2d):
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
