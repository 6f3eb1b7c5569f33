"""What a plan tells of each step of a backward, so that gradients can be sent as they come."""

import numpy as np
import pytest

from pellucid import engine, nn

from .test_flat import SHAPE, batch, network


def test_the_gradients_of_a_step_are_in_place_when_it_is_told_of():
    model, seen = network().train(), {}
    plan = engine.compile(model, SHAPE, 6)
    keys = {id(p): key for key, p in model.parameters().items()}
    x, dy = batch()

    def note(step):
        for p in step.parameters:
            k = plan._parameters.index(p)
            begin = plan.layout.starts[k]
            seen[keys[id(p)]] = plan.gradients[begin : begin + p.data.size].copy()

    plan.after_step = note
    plan(x)
    plan.backward(dy)
    assert {key.split(".")[0] for key in [*seen][:1]} == {"8"}, "the last layer comes first"
    assert seen.keys() == model.parameters().keys()
    for key, p in model.parameters().items():
        np.testing.assert_array_equal(seen[key], p.grad.ravel())
        assert seen[key].any(), key


def test_nobody_is_told_any_more_after_the_hook_is_taken_away():
    plan, told = engine.compile(network().train(), SHAPE, 6), []
    x, dy = batch()
    plan.after_step = told.append
    plan(x)
    plan.backward(dy)
    count = len(told)
    plan.after_step = None
    plan(x)
    plan.backward(dy)
    assert count == len(told) > 5


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [nn.ChannelLinear(8, 16), nn.GELU(), nn.ChannelLinear(16, 8)],
        lambda: [nn.Conv2d(8, 8, 3, padding=1), nn.PReLU(8), nn.BatchNorm2d(8), nn.ReLU()],
        lambda: [nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.GroupNorm(2, 8), nn.MaxPool2d(2)],
        lambda: [nn.Conv2d(8, 8, 3, bias=False), nn.Flatten(), nn.Linear(128, 3)],
    ],
)
def test_every_parameter_is_one_steps(layers):
    model = nn.Sequential(*layers())
    plan = engine.compile(model, (8, 6, 6), 2)
    found = [p for step in plan.steps for p in step.parameters]
    assert len(found) == len(model.parameters())
    assert {*map(id, found)} == {*map(id, model.parameters().values())}
