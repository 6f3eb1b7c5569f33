"""A plan's table adds up, and measuring a model leaves it as it is."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from pellucid import engine, models, quantize
from pellucid.engine import peak_gflops, profile, table


def step(name, multiply_adds, seconds, *, size=2**20, shape=(3, 4, 4), first=False):
    return SimpleNamespace(
        name=name, kernel=f"the {name}", output_shape=shape, multiply_adds=multiply_adds,
        seconds=list(seconds), buffers=lambda: size, first=first,
    )  # fmt: skip


def cells(text):
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines() if "---" not in line]


def test_the_table_adds_up():
    plan = SimpleNamespace(
        steps=[
            step("conv", 10_000, (0.001, 0.001), first=True),
            step("view", 0, (0.0, 0.0), size=0, shape=(48,)),
            step("fc", 5_000, (0.001, 0.004), size=2**19, shape=(10,)),
        ]
    )
    header, conv, view, fc, total = cells(table(plan.steps, 100, rate=2.0))
    assert header == [
        "step", "kernel", "output", "forward MFLOP", "backward MFLOP", "MiB", "forward ms",
        "backward ms", "GFLOP/s", "of product",
    ]  # fmt: skip
    # Two operations a product: 2e6 forward; nobody needs the first step's input gradient.
    assert conv[1:] == ["the conv", "3x4x4", "2.0", "2.0", "1.0", "1.000", "1.000", "2.0", "100%"]
    assert view[1:] == ["the view", "48", "-", "-", "0.0", "0.000", "0.000", "-", "-"]
    assert fc[1:] == ["the fc", "10", "1.0", "2.0", "0.5", "1.000", "4.000", "0.6", "30%"]
    assert total == ["all", "3.0", "4.0", "1.5", "2.000", "5.000", "1.0", "50%"]


def test_without_a_backward_there_are_no_columns_for_it():
    plan = SimpleNamespace(steps=[step("conv", 10_000, (0.002, 0.0))])
    header, conv, _ = cells(table(plan.steps, 100, rate=2.0))
    assert "backward" not in " ".join(header)
    assert conv[3:] == ["2.0", "1.0", "2.000", "1.0", "50%"]


def test_turning_the_images_is_not_the_first_step_that_computes():
    plan = engine.compile(models.SimpleConvNet((3, 8, 8)), (3, 8, 8), 10)
    for each in plan.steps:
        each.seconds[:] = 0.001, 0.001
    rows = {row[0]: row for row in cells(table(plan.steps, 10, rate=1.0))}
    assert rows["conv1"][3] == rows["conv1"][4] != "-"
    assert float(rows["affine1"][4]) == pytest.approx(2 * float(rows["affine1"][3]), abs=0.11)


def test_the_rate_is_plausible_and_measured_once():
    peak_gflops.cache_clear()
    rate = peak_gflops()
    assert 0.1 < rate < 1e5
    assert peak_gflops() == rate


def test_a_profile_measures_a_copy():
    model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    before = {key: value.copy() for key, value in model.state_dict().items()}
    rng = np.random.default_rng(1)
    x, labels = rng.random((20, 1, 8, 8), dtype=np.float32), rng.integers(0, 10, 20)
    measured = profile(model, x, labels, steps=3)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[key])
    assert (measured.images, len(measured.step_seconds)) == (20, 4)
    assert min(measured.step_seconds.values()) > 0
    assert measured.call_seconds > 0
    assert "backward ms" in measured.training
    assert "backward" not in measured.inference
    text = str(measured)
    assert "training, 20 images a step" in text
    assert f"{20 / measured.call_seconds:,.0f} images/s" in text


def test_the_steps_take_no_longer_than_the_whole():
    model = models.SimpleConvNet((1, 8, 8))
    x, labels = np.zeros((50, 1, 8, 8), np.float32), np.zeros(50, np.int64)
    measured = profile(model, x, labels, steps=9)
    total = cells(measured.training)[-1]
    there, again = (float(cell) / 1000 for cell in total[4:6])
    # Medians of each step and of the whole: not to the last digit.
    assert there < 1.2 * measured.step_seconds["forward"]
    assert again < 1.2 * measured.step_seconds["backward"]


def test_of_a_quantized_network_the_inference_is_measured():
    rng = np.random.default_rng(0)
    x, labels = rng.random((20, 1, 8, 8), dtype=np.float32), np.zeros(20, np.int64)
    model = quantize(models.SimpleConvNet((1, 8, 8), rng=rng), x)
    measured = engine.profile(model, x, labels, steps=2)
    assert (measured.training, measured.step_seconds, measured.training_steps) == ("", {}, ())
    assert "training" not in str(measured)
    assert "int8 product" in measured.inference
    assert measured.call_seconds > 0
