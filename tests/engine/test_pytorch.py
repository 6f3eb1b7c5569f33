"""Whole networks have the gradients that PyTorch gives them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks import IMAGE, NETWORKS, draw_images, leaves
from ops.witness import relative_error
from pellucid import engine, nn

pytestmark = pytest.mark.all_tiles

N = 3
WITHIN, OF_FILTERS = 1e-5, 2e-5  # the gradients of Winograd's filters add up three transforms


def by_pytorch(torch, model, x, parameters):
    """Return the output of a chain of layers."""
    f, weights = torch.nn.functional, iter(parameters)
    for layer in leaves(model):
        if isinstance(layer, nn.Conv2d):
            x = f.conv2d(x, next(weights), next(weights), padding=layer.padding)
        elif isinstance(layer, nn.Linear):
            x = f.linear(x, next(weights), next(weights))
        elif isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
            pool = f.max_pool2d if isinstance(layer, nn.MaxPool2d) else f.avg_pool2d
            x = pool(x, layer.kernel_size)
        else:
            x = {nn.ReLU: torch.relu, nn.Tanh: torch.tanh}.get(type(layer), lambda a: a.flatten(1))(
                x
            )
    return x


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_has_the_gradients_that_pytorch_gives_it(name, channels, torch):
    rng = np.random.default_rng(channels)
    model = NETWORKS[name](rng, channels)
    for key, p in model.parameters().items():
        if key.endswith("bias"):
            p.data[:] = 0.1 * rng.normal(size=p.data.shape)
    x = draw_images(model, (channels, *IMAGE), N, rng)
    plan = engine.compile(model, x.shape[1:], N)
    winograd = [step.name for step in plan.steps if "Winograd" in step.kernel]
    # conv3 doubles the channels: so few patches do not make up for the transform of its filters.
    assert winograd == (["conv2", "conv4"] if name == "deep" else [])

    theirs = [
        torch.tensor(a.astype(float), requires_grad=True)
        for a in (x, *(p.data for p in model.parameters().values()))
    ]
    y = by_pytorch(torch, model, theirs[0], theirs[1:])
    dy = rng.normal(size=y.shape).astype(np.float32)
    y.backward(torch.from_numpy(dy.astype(float)))

    assert relative_error(plan(x), y.detach().numpy()) <= WITHIN
    assert relative_error(plan.backward(dy, need_dx=True), theirs[0].grad.numpy()) <= WITHIN
    for (key, p), their in zip(model.parameters().items(), theirs[1:], strict=True):
        within = OF_FILTERS if key.removesuffix(".weight") in winograd else WITHIN
        assert relative_error(p.grad, their.grad.numpy()) <= within, key
