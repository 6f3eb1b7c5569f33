"""Every layer in every configuration: a plan of it gives what the layer gives."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from nn.cases import CASES, Case, every_case
from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.engine.cpu.steps.base import STEPS
from pellucid.nn.walk import flattened


@every_case
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "between"])
def test_a_plan_gives_output_gradients_and_state_of_the_layer(case: Case, alone):
    layer = case.layer().astype(np.float32)
    model: nn.Layer = layer
    if not alone:  # so that its images come in the layout of another step
        model = nn.Sequential(before=nn.LeakyReLU(0.5), layer=layer, after=nn.LeakyReLU(0.5))
        model.training = layer.training
    plain = copy.deepcopy(model)
    x, dy = case.arrays(np.float32)
    plan = engine.compile(model, case.shape, case.n, repeatable=False)
    plan.poison = True
    for n in (case.n, max(case.n - 1, 2 if layer.training and case.n > 1 else 1)):
        y, expected = plan(x[:n]), plain(x[:n])
        assert_agrees(y, expected, within=1e-5, what=f"plan of {case.id.split()[0]} y")
        dx = plan.backward(dy[:n], need_dx=True)
        assert_agrees(dx, plain.backward(dy[:n]), within=1e-5, magnitude=abs(dy).max())
        for key, parameter in plain.parameters().items():
            assert_agrees(model.parameters()[key].grad, parameter.grad, within=1e-5)
    for key, value in plain.state_dict().items():
        assert_agrees(model.state_dict()[key].astype(np.float32), value, within=1e-5)


def test_every_layer_with_a_step_of_its_own_is_among_them():
    nodes = [node for case in CASES for node in flattened(case.build())]
    trained = {layer for layer in STEPS.by_layer if not layer.inference_only}
    assert trained <= {type(node.layer) for node in nodes}
