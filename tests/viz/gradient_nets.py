"""Networks whose gradients are looked at, and their values by the plain layers."""

from __future__ import annotations

import numpy as np

from pellucid import models, nn
from pellucid.nn import walk


def values_of(model, image):
    """Return the image and every node's output, by the layers in evaluation mode."""
    values = [image[None]]
    with model.evaluating():
        for node in walk.flattened(model):
            values.append(node.layer(*(values[k] for k in node.reads)))
    return [value[0].copy() for value in values]


def trained_norms(model, seed=4):
    """Give batch norms other statistics than those of the start."""
    rng = np.random.default_rng(seed)
    for layer in (each for _, each in model.layers()):
        if isinstance(layer, nn.BatchNorm2d):
            for buffer in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                buffer.data[...] = rng.uniform(0.5, 1.5, buffer.data.shape)
    return model


def seeded(name, shape, seed=0):
    """Return a network by its name, with the same weights each time."""
    return models.by_name(name, shape, 10, rng=np.random.default_rng(seed))


def branching():
    rng = np.random.default_rng(3)
    return trained_norms(
        nn.Sequential(
            conv=nn.Conv2d(2, 4, 3, padding=1, rng=rng),
            norm=nn.BatchNorm2d(4),
            act=nn.SiLU(),
            both=nn.Branches(
                one=nn.Conv2d(4, 2, 1, rng=rng),
                two=nn.Sequential(nn.Conv2d(4, 3, 3, 1, 1, rng=rng), nn.Tanh()),
            ),
            block=nn.Residual(nn.Conv2d(5, 5, 3, padding=1, groups=5, rng=rng), nn.SiLU()),
            pool=nn.AvgPool2d(2),
            flatten=nn.Flatten(),
            fc=nn.Linear(45, 4, rng=rng),
        )
    )
