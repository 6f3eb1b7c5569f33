"""A small network with a layer of each kind, for the digits, and what each of its layers makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid import data, nn, save
from pellucid.nn import walk

MANY = 1500  # channels of "many"


def every_kind(path: Path) -> nn.Layer:
    """Write the network to a file, and return it."""
    rng = np.random.default_rng(7)
    norm = nn.BatchNorm2d(4)
    model = nn.Sequential(
        normalized=nn.Normalize(mean=(0.3,), std=(0.4,)),
        padded=nn.Conv2d(1, 4, 3, padding=1, rng=rng),
        batch_norm=norm,
        relu=nn.ReLU(),
        dilated=nn.Conv2d(4, 4, 3, stride=2, padding=2, dilation=2, groups=2, rng=rng),
        leaky=nn.LeakyReLU(0.1),
        lrn=nn.LocalResponseNorm(3, alpha=0.5),
        residual=nn.Residual(inner=nn.Conv2d(4, 4, 3, padding=1, bias=False, rng=rng)),
        max_pool=nn.MaxPool2d(2, stride=1, padding=1),
        avg_pool=nn.AvgPool2d(2, padding=1),
        instance_norm=nn.InstanceNorm2d(4),
        up=nn.ConvTranspose2d(4, 4, 3, stride=2, rng=rng),
        many=nn.Conv2d(4, MANY, 1, rng=rng),
        global_pool=nn.GlobalAvgPool2d(),
        flat=nn.Flatten(),
        scores=nn.Linear(MANY, 10, rng=rng),
        softmax=nn.Softmax(),
    )
    model.input_shape = (1, 8, 8)
    for array in (norm.running_mean, norm.weight, norm.bias):
        array.data[...] = rng.normal(0.2, 0.4, 4)
    norm.running_var.data[...] = rng.uniform(0.5, 2, 4)
    save(model, path)
    return model


def values(model: nn.Layer, index: int) -> dict[str, np.ndarray]:
    """Return what each layer makes of a test image, by its name, as the layers compute it."""
    made = [data.digits()[1].batch([index])[0].astype(np.float32)]
    names = [""]
    for node in walk.flattened(model.eval()):
        made.append(node.layer.forward(*(made[k] for k in node.reads)))
        names.append(node.name)
    return {name: value[0] for name, value in zip(names, made, strict=True)}
