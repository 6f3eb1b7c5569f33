"""Layers in 8-bit integers in a plan, against the layers themselves: the same integers."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from engine.test_machines import NARROWER, X86
from ops.strategies import Convolution, convolutions
from pellucid import engine, nn
from pellucid.engine import parts
from pellucid.errors import ArgumentError
from pellucid.kernels.jit import LANES
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads


def quantized(layer, zero_point=117):
    kind = nn.QuantizedLinear if isinstance(layer, nn.Linear) else nn.QuantizedConv2d
    return kind.of(layer, 0.03, zero_point)


def assert_equal(model, x, batch=None):
    """Assert that a plan computes what the layers compute: the same codes, hence the same sums."""
    plan = engine.compile(model, x.shape[1:], batch or len(x))
    plan.freeze()
    expected = model(x)
    for _ in range(3):  # the last one without Python between the steps
        y = plan(x)
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6 * abs(expected).max())
    return plan


@settings(max_examples=40)
@given(case=convolutions())
def test_a_convolution_in_integers_equals_the_layer(case: Convolution):
    x, w, b, _ = case.arrays(np.float32)
    fn, depth = w.shape[:2]
    layer = nn.Conv2d(depth * case.groups, fn, w.shape[2:], **case.options)
    layer.weight.data, layer.bias.data = w, b
    assert_equal(nn.Sequential(conv=quantized(layer)), x)


@pytest.mark.parametrize(
    ("channels", "filters", "image", "options"),
    [
        (64, 100, (9, 13), {"kernel_size": 1}),  # several tiles and panels
        (70, 33, (9, 13), {"kernel_size": 1, "stride": 2, "groups": 1}),
        (96, 66, (6, 5), {"kernel_size": 1, "groups": 3}),
        (3, 40, (30, 31), {"kernel_size": 7, "stride": 2, "padding": 3}),
        (150, 35, (12, 12), {"kernel_size": 3, "padding": 1}),
        (40, 64, (11, 9), {"kernel_size": 3, "padding": 2, "dilation": 2, "groups": 2}),
    ],
)  # fmt: skip
def test_large_convolutions_equal_the_layer_on_any_number_of_threads(
    channels, filters, image, options
):
    rng = np.random.default_rng(0)
    layer = quantized(nn.Conv2d(channels, filters, **options, rng=rng))
    layer.bias.data = rng.normal(size=filters).astype(np.float32)
    x = rng.normal(size=(5, channels, *image)).astype(np.float32)
    model, before = nn.Sequential(conv=layer, relu=nn.ReLU6()), get_num_threads()
    found = []
    for threads in (1, 2):
        set_num_threads(threads)
        plan = assert_equal(model, x, batch=6)
        found.append(plan(x).tobytes())
    set_num_threads(before)
    assert found[0] == found[1]
    assert [step.kernel.split(",")[0] for step in plan.steps][1] == "int8 convolution + relu6"


@pytest.mark.parametrize(
    ("follower", "said"),
    [
        (nn.ReLU(), "relu"),
        (nn.Clip(0, None), "relu"),
        (nn.ReLU6(), "relu6"),
        (nn.Clip(0, 1), "clip"),
    ],
)
def test_a_plan_says_which_bounds_a_step_keeps(follower, said):
    linear = quantized(nn.Linear(40, 5, rng=np.random.default_rng(0)))
    plan = engine.compile(nn.Sequential(fc=linear, then=follower), (40,), 2)
    assert [step.kernel.split(",")[0] for step in plan.steps] == [f"int8 product + {said}"]


@pytest.mark.parametrize("filters", [1, 16, 17, 32, 40, 48])
@pytest.mark.parametrize("groups", [1, 2])
def test_the_last_panel_of_a_group_is_as_wide_as_it_has_filters(filters, groups):
    rng = np.random.default_rng(filters)
    layer = quantized(nn.Conv2d(6, groups * filters, 3, padding=1, groups=groups, rng=rng))
    x = rng.normal(size=(2, 6, 7, 9)).astype(np.float32)
    assert_equal(nn.Sequential(conv=layer, relu=nn.ReLU()), x)


@pytest.mark.parametrize("filters", [16, 32, 40])
@pytest.mark.parametrize("relu", [True, False])
def test_a_convolution_adds_the_other_path_of_a_residual_block(monkeypatch, filters, relu):
    rng = np.random.default_rng(filters)
    first, second = (
        quantized(nn.Conv2d(filters, filters, 3, padding=1, rng=rng)) for _ in range(2)
    )
    after = {"relu": nn.ReLU()} if relu else {}
    block = nn.Residual(nn.Sequential(one=first, relu=nn.ReLU(), two=second))
    model = nn.Sequential(stem=nn.ReLU(), block=block, **after).eval()
    x = rng.normal(size=(7, filters, 5, 6)).astype(np.float32)
    whole = assert_equal(model, x)
    assert [step.name for step in whole.steps if step.skipped] == ["block"]
    monkeypatch.setattr(parts, "CACHE", 1)
    cut = engine.compile(model, x.shape[1:], 7)
    cut.freeze()
    np.testing.assert_array_equal(cut(x), whole(x))
    assert cut.memory.arena < whole.memory.arena


@pytest.mark.parametrize("rows", [1, 3, 100])
@pytest.mark.parametrize("shape", [(50,), (3, 50)])
def test_a_product_in_integers_equals_the_layer(rows, shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, *shape)).astype(np.float32)
    linear = quantized(nn.Linear(50, 70, bias=False, rng=rng))
    assert_equal(nn.Sequential(fc=linear, relu=nn.ReLU()), x)


def test_numbers_beyond_all_codes_have_the_nearest_one_and_nan_the_least():
    x = np.array([[np.inf, -np.inf, np.nan, 1e30, 0.0, 0.015, 0.045]], np.float32)
    linear = quantized(nn.Linear(7, 2, rng=np.random.default_rng(0)))
    assert_equal(nn.Sequential(fc=linear), x)


def test_weights_that_change_are_packed_again():
    model = nn.Sequential(fc=quantized(nn.Linear(20, 5, rng=np.random.default_rng(0))))
    x = np.random.default_rng(1).normal(size=(4, 20)).astype(np.float32)
    plan = assert_equal(model, x)
    state = model.state_dict()
    model.load_state_dict(state | {"fc.weight": state["fc.weight"][::-1]})
    plan.freeze()
    np.testing.assert_allclose(plan(x), model(x), rtol=1e-5, atol=1e-6)


def test_a_plan_of_a_quantized_network_has_no_gradient():
    model = nn.Sequential(fc=quantized(nn.Linear(20, 5, rng=np.random.default_rng(0))))
    plan = engine.compile(model, (20,), 4)
    y = plan(np.zeros((4, 20), np.float32))
    with pytest.raises(ArgumentError, match="Train the float model"):
        plan.backward(np.ones_like(y), need_dx=True)


PROGRAM = """
import numpy as np
from pellucid import engine, nn
from pellucid.kernels.jit import LANES
from pellucid.kernels.simd.bytes import HAS_BYTES
rng = np.random.default_rng(0)
conv = nn.QuantizedConv2d.of(nn.Conv2d(5, 40, 3, padding=1, rng=rng), 0.03, 117)
x = rng.normal(size=(3, 5, 6, 7)).astype(np.float32)
plan = engine.compile(nn.Sequential(conv=conv), (5, 6, 7), 3)
found = plan(x)
np.testing.assert_allclose(found, conv(x), rtol=1e-6, atol=1e-5)
print(LANES, HAS_BYTES, plan.steps[1].kernel, sep="; ")
"""


@pytest.mark.skipif(not X86 or LANES < 16, reason="names x86 processors with narrower vectors")
def test_machines_without_instructions_for_bytes_say_so_and_compute_the_same(tmp_path):
    narrow = {**os.environ, **NARROWER[8], "NUMBA_CACHE_DIR": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=narrow, check=True, capture_output=True
    )
    assert told.stdout == b"8; False; int8 convolution, without instructions for bytes\n"
