"""Weight decay spares biases and norms, unless a model says otherwise; the same as PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from optim.test_rules import CASES, RULES
from pellucid import engine, models, nn, optim
from pellucid.errors import ArgumentError
from pellucid.nn import Parameter
from pellucid.optim import Optimizer


def parameters(dtype=np.float32):
    rng = np.random.default_rng(0)
    decays = {"a.weight": 1.0, "a.bias": 0.0, "b.weight": 0.5, "b.bias": 0.0}
    found = {}
    for key, decay in decays.items():
        found[key] = Parameter(rng.normal(size=(3, 4)).astype(dtype), decay=decay)
    return found


@pytest.mark.parametrize("step", [Optimizer.step, engine.update], ids=["rule", "kernel"])
@pytest.mark.parametrize("name", CASES)
def test_parameters_with_factors_of_their_own_equal_groups_of_torch(name, step, torch):
    ours, rng = parameters(), np.random.default_rng(1)
    theirs = {k: torch.nn.Parameter(torch.from_numpy(p.data.copy())) for k, p in ours.items()}
    _, twin_name, options = CASES[name]
    groups = [{"params": [theirs[k]], "weight_decay": 0.3 * p.decay} for k, p in ours.items()]
    rule = RULES[name](weight_decay=0.3)
    twin = getattr(torch.optim, twin_name)(groups, lr=0.1, **(options | {"weight_decay": 0.3}))
    for _ in range(20):
        for key, p in ours.items():
            p.grad = p.data + rng.normal(size=p.data.shape).astype(np.float32)
            theirs[key].grad = torch.from_numpy(p.grad.copy())
        step(rule, ours, 0.1)
        twin.step()
    for key, p in ours.items():
        assert_agrees(p.data, theirs[key].detach().numpy(), within=2e-6, what=f"{name} {key}")


# Every layer of the library with parameters of both kinds.
LAYERS = {
    "Conv2d": lambda: nn.Conv2d(2, 4, 3),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(2, 4, 3),
    "LocallyConnected2d": lambda: nn.LocallyConnected2d(2, 4, 5, 3),
    "Linear": lambda: nn.Linear(3, 4),
}
NORMS = {"BatchNorm2d": lambda: nn.BatchNorm2d(4), "GroupNorm": lambda: nn.GroupNorm(2, 4)}


@pytest.mark.parametrize("name", LAYERS)
def test_a_bias_is_not_decayed(name):
    layer = LAYERS[name]()
    assert (layer.weight.decay, layer.bias.decay) == (1.0, 0.0)


@pytest.mark.parametrize("name", NORMS)
def test_a_norm_is_not_decayed(name):
    layer = NORMS[name]()
    assert (layer.weight.decay, layer.bias.decay) == (0.0, 0.0)


@pytest.mark.parametrize("name", ["simple", "allconv", "lenet-1998"])
def test_a_network_decays_the_weights_of_sums_alone(name):
    model = models.by_name(name, (1, 28, 28), 10)
    for key, p in model.parameters().items():
        assert p.decay == float(not key.endswith("bias")), key


def test_a_linear_layer_that_becomes_a_convolution_keeps_its_factors():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    model[1].weight.decay = 0.5
    conv = nn.to_convolutional(model, (1, 4, 4))
    found = {p.decay for p in conv.parameters().values()}
    assert found == {0.5, 0.0}


def test_a_model_says_what_is_decayed():
    model = nn.Sequential(conv=nn.Conv2d(1, 2, 3), norm=nn.BatchNorm2d(2))
    nn.set_decay(model, {"*": 1, "norm": 0.5, "conv.weight": 0})
    assert {k: p.decay for k, p in model.parameters().items()} == {
        "conv.weight": 0.0, "conv.bias": 1.0, "norm.weight": 0.5, "norm.bias": 0.5,
    }  # fmt: skip
    with pytest.raises(ArgumentError, match=r"^decays: 'cnov' matches no layer .* 'conv'"):
        nn.set_decay(model, {"cnov": 0})
    with pytest.raises(ArgumentError, match=r"^decays: must be finite and 0 or more, received -1"):
        nn.set_decay(model, {"conv": -1})


@pytest.mark.parametrize("step", [Optimizer.step, engine.update], ids=["rule", "kernel"])
@pytest.mark.parametrize("value", [-1, np.nan, np.inf, "1", None])
def test_a_factor_that_is_no_number_is_refused_and_nothing_updated(step, value):
    ours = parameters()
    before = {k: p.data.copy() for k, p in ours.items()}
    for p in ours.values():
        p.grad = np.ones_like(p.data)
    ours["b.weight"].decay = value
    rule = optim.AdamW()
    with pytest.raises(ArgumentError, match=r"^decay of b.weight: must be a finite number"):
        step(rule, ours)
    assert rule.t == 0
    assert all(np.array_equal(before[k], p.data) for k, p in ours.items())


def test_a_rule_of_ones_own_may_decay_in_its_own_way():
    class Own(Optimizer):
        """Decay in `update`, as a rule of 0.2 could."""

        def __init__(self, lr=0.1, weight_decay=0.5):
            super().__init__(lr)
            self.weight_decay = weight_decay

        def update(self, w, g, lr, t):
            w -= lr * (g + self.weight_decay * w)

    p = Parameter(np.array([2.0]))
    p.grad = np.array([1.0])
    Own().step({"w": p})
    assert p.data[0] == pytest.approx(2.0 - 0.1 * (1 + 0.5 * 2.0))
