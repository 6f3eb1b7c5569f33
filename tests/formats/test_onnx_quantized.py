"""Quantized networks as files of ONNX: onnxruntime's integers give the same scores."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.errors import ArgumentError
from pellucid.models import LeNet5

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


def scores(file, x):
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    opened = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return opened.run(None, {opened.get_inputs()[0].name: x})[0]


def rng():
    return np.random.default_rng(0)


def layers_of_all_kinds():
    """Return a network with groups, a stride, padding, zero points, rows, and no bias."""
    return nn.Sequential(
        first=nn.Conv2d(3, 16, 5, stride=2, padding=2, rng=rng()),
        one=nn.Conv2d(16, 64, 3, padding="same", groups=2, bias=False, rng=rng()),
        two=nn.Conv2d(64, 8, 1, rng=rng()),
        rows=nn.Linear(32, 32, rng=rng()),
        flat=nn.Flatten(),
        fc=nn.Linear(8 * 32 * 32, 10, bias=False, rng=rng()),
    )


@pytest.mark.parametrize(
    ("build", "shape"),
    [(lambda: LeNet5((1, 28, 28), rng=rng()), (1, 28, 28)), (layers_of_all_kinds, (3, 64, 64))],
)
def test_onnxruntime_computes_the_same_scores(build, shape, tmp_path):
    x = rng().normal(size=(20, *shape)).astype(np.float32)
    small = pellucid.quantize(build().eval(), x, engine="numpy")
    pellucid.to_onnx(small, tmp_path / "small.onnx", input_shape=shape)
    expected = small(x)
    # A number between two codes may have either: x / s is not quite x · (1 / s).
    assert abs(scores(tmp_path / "small.onnx", x) - expected).max() < 0.01 * abs(expected).max()
    graph = onnx.load(tmp_path / "small.onnx").graph
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    taken = {path: layer for path, layer in small.layers() if layer.inference_only}
    assert len(taken) >= 4
    for path, layer in taken.items():
        np.testing.assert_array_equal(constants[f"{path}/weight"], layer.weight.data)
        np.testing.assert_array_equal(constants[f"{path}/weight_scale"], layer.weight_scale.data)
    kinds = [node.op_type for node in graph.node]
    biases = sum(layer.bias is not None for layer in taken.values())
    assert kinds.count("QuantizeLinear") == len(taken)
    assert kinds.count("DequantizeLinear") == 2 * len(taken) + biases


def test_a_bias_too_large_for_the_scale_of_the_sums_stays_a_real_number(tmp_path):
    linear = nn.QuantizedLinear(3, 2, input_scale=1e-6)
    linear.weight.data[:], linear.weight_scale.data[:] = 100, 1e-6
    linear.bias.data[:] = 10, -10
    pellucid.to_onnx(nn.Sequential(fc=linear), tmp_path / "a.onnx", input_shape=(3,))
    x = np.full((1, 3), 1e-4, np.float32)
    np.testing.assert_allclose(scores(tmp_path / "a.onnx", x), linear(x), rtol=1e-6)


def test_an_opset_without_a_scale_for_each_filter_is_refused(tmp_path):
    model = nn.Sequential(fc=nn.QuantizedLinear(3, 2))
    with pytest.raises(ArgumentError, match=r"'fc': a scale for each filter needs opset 13"):
        pellucid.to_onnx(model, tmp_path / "a.onnx", input_shape=(3,), opset=12)
    assert not (tmp_path / "a.onnx").exists()
