"""A plan in bf16 rounds the factors of large products, and nothing else.

The backend of these tests computes in bf16 on any machine, if slowly.
"""

from __future__ import annotations

import copy
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from distributed.in_threads import on_threads
from pellucid import engine, nn
from pellucid.distributed import Share
from pellucid.distributed.share import chunks_of_ranks, joined
from pellucid.engine.cpu.backend import CPUBackend
from pellucid.errors import ArgumentError
from pellucid.kernels.gemm.precision import PRECISIONS as OF_KERNELS
from pellucid.precision import PRECISIONS

X86 = platform.machine().lower() in ("x86_64", "amd64")


class AnyMachine(CPUBackend):
    precisions = ("bf16",)


def compiled(model, shape, n, precision="bf16", **options):
    options = {"backend": AnyMachine(), "precision": precision, **options}
    return engine.compile(model, shape, n, **options)


def rng(seed=0):
    return np.random.default_rng(seed)


def rounded(a):
    """Return numbers as bfloat16, to the nearest and of two to the even one, in float64."""
    bits = np.asarray(a, np.float32).view(np.uint32)
    up = (bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
    return up.view(np.float32).astype(np.float64)


def close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * abs(expected).max())


def test_the_precisions_of_the_kernels_are_those_to_choose_from():
    assert set(OF_KERNELS) == set(PRECISIONS)


@pytest.mark.parametrize(("step", "relu"), [(1, True), (2, False)])
def test_a_convolution_of_1x1_rounds_its_factors_and_sums_in_float32(step, relu):
    n, c, f, side = 3, 67, 35, 7
    layers = [nn.Conv2d(c, f, 1, stride=step, rng=rng())] + [nn.ReLU()] * relu
    model = nn.Sequential(*layers)
    w, b = model[0].weight.data[:, :, 0, 0], model[0].bias.data
    b += rng(1).normal(size=f).astype(np.float32)
    plan = compiled(model, (c, side, side), n)
    assert plan.steps[1].kernel.startswith("bf16 matrix product")
    x = rng(2).normal(size=(n, c, side, side)).astype(np.float32)
    seen = x[:, :, ::step, ::step]
    z = np.einsum("fc,nchw->nfhw", rounded(w), rounded(seen)) + b[:, None, None]
    y = plan(x).copy()
    close(y, np.maximum(z, 0) if relu else z)
    dy = rng(3).normal(size=y.shape).astype(np.float32)
    dz = np.where(y > 0, dy, 0) if relu else dy
    dx = np.zeros_like(x, np.float64)
    dx[:, :, ::step, ::step] = np.einsum("fc,nfhw->nchw", rounded(w), rounded(dz))
    close(plan.backward(dy, need_dx=True), dx)
    dw = np.einsum("nfhw,nchw->fc", rounded(dz), rounded(seen))
    close(model[0].weight.grad[:, :, 0, 0], dw)
    close(model[0].bias.grad, dz.sum(axis=(0, 2, 3), dtype=np.float64))


@pytest.mark.parametrize(
    ("c", "f", "window", "step", "padding", "pool"),
    [(34, 36, (3, 3), 2, 1, 1), (40, 32, (1, 5), 1, (0, 2), 1), (32, 34, (3, 3), 1, 0, 3)],
)
def test_a_direct_convolution_rounds_its_factors_too(c, f, window, step, padding, pool):
    torch = pytest.importorskip("torch")
    n, side = 3, 9
    layer = nn.Conv2d(c, f, window, stride=step, padding=padding, rng=rng())
    model = nn.Sequential(layer, nn.ReLU(), *[nn.MaxPool2d(pool)] * (pool > 1))
    plan = compiled(model, (c, side, side), n)
    assert plan.steps[1].kernel.startswith("bf16 convolution")
    x = rng(1).normal(size=(n, c, side, side)).astype(np.float32)
    w, b = (
        torch.from_numpy(a) for a in (rounded(layer.weight.data), layer.bias.data.astype(float))
    )
    seen = torch.from_numpy(rounded(x)).requires_grad_()
    w.requires_grad_()
    z = torch.nn.functional.conv2d(seen, w, b, step, padding)
    expected = z.relu() if pool == 1 else torch.nn.functional.max_pool2d(z.relu(), pool)
    y = plan(x).copy()
    close(y, expected.detach().numpy())
    dy = rng(2).normal(size=y.shape).astype(np.float32)
    dx = plan.backward(dy, need_dx=True)
    if pool == 1:  # else the windows at the argmax, in float32
        dz = np.where(y > 0, dy, 0)
        z.backward(torch.from_numpy(rounded(dz)))
        close(dx, seen.grad.numpy())
        close(layer.weight.grad, w.grad.numpy())
        close(layer.bias.grad, dz.sum(axis=(0, 2, 3), dtype=np.float64))


@pytest.mark.parametrize(
    ("c", "f", "height", "window", "step", "padding", "dilation"),
    [
        (3, 33, 30, (7, 7), 2, (3, 3), 1),  # 15 rows of windows, in bands of 12
        (17, 40, 20, (2, 5), 1, (0, 4), 2),
        (4, 64, 32, (3, 3), 2, 0, 1),  # no window sees the last row
    ],
)
def test_gradients_of_filters_are_sums_over_two_rows_of_windows(
    c, f, height, window, step, padding, dilation
):
    torch = pytest.importorskip("torch")
    n, width = 5, 33
    layer = nn.Conv2d(c, f, window, stride=step, padding=padding, dilation=dilation, rng=rng())
    plan = compiled(nn.Sequential(layer), (c, height, width), n)
    x = rng(1).normal(size=(n, c, height, width)).astype(np.float32)
    if height == 32:
        x[:, :, -1] = np.nan
    y = plan(x)
    dy = rng(2).normal(size=y.shape).astype(np.float32)
    plan.backward(dy)
    w = torch.zeros(layer.weight.data.shape, dtype=torch.float64, requires_grad=True)
    seen, of_y = torch.from_numpy(rounded(x)), torch.from_numpy(rounded(dy))
    torch.nn.functional.conv2d(seen, w, None, step, padding, dilation).backward(of_y)
    close(layer.weight.grad, w.grad.numpy())
    close(layer.bias.grad, dy.sum(axis=(0, 2, 3), dtype=np.float64))


def test_a_fully_connected_layer_rounds_its_factors_and_sums_in_float32():
    n, k, f = 37, 515, 257
    model = nn.Linear(k, f, rng=rng())
    plan = compiled(model, (k,), n)
    assert plan.steps[0].kernel == "bf16 product"
    x, dy = (rng(s).normal(size=(n, m)).astype(np.float32) for s, m in ((1, k), (2, f)))
    close(plan(x), rounded(x) @ rounded(model.weight.data).T + model.bias.data)
    close(plan.backward(dy, need_dx=True), rounded(dy) @ rounded(model.weight.data))
    close(model.weight.grad, rounded(dy).T @ rounded(x))


def test_pytorchs_products_of_bfloat16_are_nearly_the_same():
    torch = pytest.importorskip("torch")
    model, x = nn.Linear(515, 257, rng=rng()), rng(1).normal(size=(37, 515)).astype(np.float32)
    y = compiled(model, (515,), 37)(x)
    half = [torch.from_numpy(a).bfloat16() for a in (x, model.weight.data, model.bias.data)]
    theirs = torch.nn.functional.linear(*half).float().numpy()
    np.testing.assert_allclose(y, theirs, atol=0.02 * abs(y).max())


def test_narrow_layers_and_other_steps_stay_in_float32():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 1, rng=rng()), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, rng=rng()),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10, rng=rng()),
    )  # fmt: skip
    x = rng(1).normal(size=(40, 3, 8, 8)).astype(np.float32)
    same = [compiled(copy.deepcopy(model), (3, 8, 8), 40, name) for name in PRECISIONS]
    assert "bf16" not in str(same[1])
    assert same[0](x).tobytes() == same[1](x).tobytes()


def test_three_ranks_have_the_bits_of_one_process_in_bf16():
    model = nn.Sequential(
        nn.Conv2d(40, 60, 1, rng=rng()), nn.ReLU(),
        nn.Conv2d(60, 60, 3, 2, padding=1, rng=rng()), nn.Flatten(), nn.Linear(540, 270, rng=rng()),
    )  # fmt: skip
    x, dy = (
        rng(s).normal(size=(37, *m)).astype(np.float32) for s, m in ((1, (40, 6, 6)), (2, (270,)))
    )

    def run(share):
        own = copy.deepcopy(model)
        plan, part = compiled(own, x.shape[1:], 37, share=share), share.begin(37)
        assert str(plan).count("bf16") == 3
        y = plan(x[part]).copy()
        return y, plan.backward(dy[part], need_dx=True).copy(), plan.gradients.copy()

    y, dx, gradients = run(Share())
    *parts, sums = zip(*on_threads(3, lambda rank: run(Share(rank))), strict=True)
    assert np.concatenate(parts[0]).tobytes() == y.tobytes()
    assert np.concatenate(parts[1]).tobytes() == dx.tobytes()
    assert joined(list(sums), chunks_of_ranks(3)).tobytes() == gradients.tobytes()


def test_a_copy_of_a_plan_has_its_precision_and_its_bits():
    model, x = nn.Linear(515, 257, rng=rng()), rng(1).normal(size=(37, 515)).astype(np.float32)
    plan = compiled(model, (515,), 37)
    again = copy.deepcopy(plan)
    assert again.precision == "bf16"
    assert again(x).tobytes() == plan(x).tobytes()


def test_an_unknown_precision_is_refused():
    with pytest.raises(
        ArgumentError, match=r"^precision: must be .* received 'bfloat16'\. Did .*'bf16'"
    ):
        engine.compile(nn.Linear(4, 3), (4,), 2, precision="bfloat16")
    with pytest.raises(ArgumentError, match="received 16"):
        engine.compile(nn.Linear(4, 3), (4,), 2, precision=16)


PROGRAM = """
import warnings
from pellucid import engine, nn
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    plans = [engine.compile(nn.Linear(4, 3), (4,), 2, precision="bf16") for _ in range(2)]
print([plan.precision for plan in plans], [str(each.message)[:52] for each in told])
"""


@pytest.mark.skipif(not X86, reason="names x86 processors")
@pytest.mark.parametrize(
    ("name", "features"),
    [("haswell", "+avx2,+fma"), ("emeraldrapids", "+avx2,+fma,+avx512f,+avx512bf16")],
)
def test_a_machine_without_fast_instructions_says_so_once_and_computes_in_float32(name, features):
    target = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **target},
        capture_output=True,
        text=True,
    )
    told = "precision='bf16': this processor has no instructions"[:52]
    assert run.stdout.strip() == str(["float32"] * 2) + " " + str([told]), run.stderr
