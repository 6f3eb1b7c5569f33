"""A rehearsal finds out what is called, and computes nothing."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pellucid import nn
from pellucid.engine import compile
from pellucid.engine.rehearsal import calls
from pellucid.kernels.ahead.recipes import Recipe, kernel_of, recipe_of
from pellucid.kernels.ahead.rehearsal import rehearsal
from pellucid.kernels.convolution import direct
from pellucid.kernels.jit import inlined, kernel
from pellucid.kernels.matmul import gradients, linear
from pellucid.kernels.pool.threads import run
from pellucid.kernels.transposition import transpose
from pellucid.kernels.tree import add_chunks

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_a_call_in_a_rehearsal_is_noted_once_and_does_nothing():
    sums = X.copy()
    add_chunks(sums, 0, 3)  # it is ready
    assert sums[0].tolist() == [3, 5, 7]
    sums = X.copy()
    with rehearsal() as noted:
        add_chunks(sums, 0, 3)
        add_chunks(sums, 0, 2)
        run(transpose, 100, X.ravel(), sums.ravel(), 2, 3, 16)  # for which no thread is woken
    assert [(call.kernel, len(call.types)) for call in noted] == [(add_chunks, 3), (transpose, 6)]
    np.testing.assert_array_equal(sums, X)
    add_chunks(sums, 0, 3)
    assert sums[0].tolist() == [3, 5, 7]
    assert len(add_chunks.overloads) == len(set(add_chunks.overloads))


def test_another_thread_computes_during_a_rehearsal():
    sums = X.copy()
    add_chunks(sums.copy(), 0, 3)
    other = threading.Thread(target=add_chunks, args=(sums, 0, 3))
    with rehearsal() as noted:
        other.start()
    other.join()
    assert (sums[0].tolist(), list(noted)) == ([3, 5, 7], [])


def test_kernels_are_ready_again_after_a_rehearsal_that_fails():
    with pytest.raises(KeyError), rehearsal():
        raise KeyError
    sums = X.copy()
    add_chunks(sums, 0, 3)
    assert sums[0].tolist() == [3, 5, 7]


class Counting(nn.Layer):
    """Has no step, and notices when it runs."""

    ran = 0

    def forward(self, x):
        Counting.ran += 1
        return x

    def backward(self, dy):
        return dy

    def output_shape(self, shape):
        return shape


def model():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        conv=nn.Conv2d(1, 4, 3, rng=rng), relu=nn.ReLU(), own=Counting(), flatten=nn.Flatten(),
        linear=nn.Linear(144, 10, rng=rng),
    )  # fmt: skip


def test_a_plan_knows_the_kernels_of_a_step_and_leaves_the_model_as_it_is():
    one = model()
    before = {key: value.copy() for key, value in one.state_dict().items()}
    plan = compile(one, (1, 8, 8), 5)
    found = {call.kernel.recipe.name.partition(".")[0] for call in calls(plan, 5)}
    assert {"pack", "forward", "linear", "gradients", "backward_weights"} <= found
    assert Counting.ran == 0
    assert all(p.grad is None for p in one.parameters().values())
    for key, value in one.state_dict().items():
        np.testing.assert_array_equal(value, before[key])
    one.eval()
    fewer = {call.kernel.recipe.name.partition(".")[0] for call in calls(plan, 5)}
    assert "backward_weights" not in fewer
    assert {"pack", "forward", "linear"} <= fewer


def test_the_kernels_of_a_rehearsal_are_those_that_the_plan_then_calls():
    plan = compile(model(), (1, 8, 8), 5)
    expected = {(call.kernel, call.types) for call in calls(plan, 5)}
    assert len(expected) > 6
    before = {k: set(k.overloads) for k, _ in expected}
    plan(np.zeros((5, 1, 8, 8), np.float32))
    plan.backward(np.zeros((5, 10), np.float32))
    for k, types in expected:
        assert types in k.overloads, k.recipe
    called = {(k, types) for k in before for types in set(k.overloads) - before[k]}
    assert called <= expected


def test_a_frozen_plan_rehearses_what_is_folded():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, rng=rng), nn.BatchNorm2d(4), nn.SiLU()).eval()
    plan = compile(model, (1, 8, 8), 5)
    plan.freeze()
    found = {call.kernel.recipe.name.partition(".")[0] for call in calls(plan, 5)}
    assert "forward" in found
    assert found.isdisjoint({"batch_norm", "normalize", "silu"})


@pytest.mark.parametrize("found", [add_chunks, linear(3, 2), gradients(2)])
def test_a_kernel_is_found_again_by_its_recipe(found):
    assert kernel_of(found.recipe) is found


def test_the_arguments_of_a_factory_are_part_of_the_recipe():
    recipe = direct.forward(3, 2, 4, 1, functions=False).recipe
    assert recipe.arguments == (3, 2, 4, 1, False, "float32")
    assert recipe.name == "forward.<locals>.convolve"


def test_what_only_this_process_can_find_has_no_recipe():
    @kernel
    def own(x):
        return x

    assert own.recipe is None
    with pytest.raises(LookupError):
        kernel_of(Recipe("pellucid.kernels.matmul", "gradients.<locals>.tile", (2,)))
    with pytest.raises(AttributeError):
        kernel_of(Recipe("pellucid.kernels.matmul", "there_is_none"))
    assert recipe_of(inlined, None).name == "inlined"
