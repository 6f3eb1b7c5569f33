"""pellucid.quantize: a trained network in 8-bit integers computes nearly the same."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid import data, nn
from pellucid.errors import ArgumentError, DataError, FileFormatError, ShapeError
from pellucid.models import LeNet5, ResNet20
from pellucid.quantization.folding import folded
from pellucid.quantization.ranges import SeenRange

NUMPY = {"engine": "numpy"}


def rng():
    return np.random.default_rng(0)


def used(model, shape, n=8):
    """Return a network whose batch norms have seen images, and these."""
    x = rng().normal(size=(n, *shape)).astype(np.float32)
    model.train()
    model(x)
    model.eval().forget()
    return model, x


def block():
    """Return branches, a sum, groups, rows of a fully connected layer, and norms of each."""
    return nn.Sequential(
        first=nn.Conv2d(2, 32, 5, padding=2, bias=False, rng=rng()),
        bn=nn.BatchNorm2d(32),
        relu=nn.ReLU(),
        deep=nn.Conv2d(32, 32, 3, padding=1, groups=32, rng=rng()),
        sum=nn.Residual(one=nn.Conv2d(32, 32, 1, rng=rng()), norm=nn.BatchNorm2d(32)),
        both=nn.Branches(
            a=nn.Conv2d(32, 4, 1, rng=rng()), b=nn.Conv2d(32, 6, 3, padding=1, rng=rng())
        ),
        flat=nn.Flatten(),
        fc=nn.Linear(10 * 36, 12, rng=rng()),
        rows=nn.BatchNorm2d(12),
        last=nn.Linear(12, 5, rng=rng()),
    )


def test_a_network_computes_nearly_the_same_in_8_bit_integers():
    model, x = used(block(), (2, 6, 6), 50)
    before = model.state_dict()
    small = pellucid.quantize(model, x, **NUMPY)
    y, expected = small(x), model(x)
    assert np.abs(y - expected).max() < 0.05 * np.abs(expected).max()
    assert all((before[key] == value).all() for key, value in model.state_dict().items())
    kinds = {name: type(layer).__name__ for name, layer in small.children()}
    assert kinds == {
        "first": "QuantizedConv2d", "relu": "ReLU", "deep": "Conv2d",
        "sum.one": "QuantizedConv2d", "sum": "Add", "both.a": "QuantizedConv2d",
        "both.b": "QuantizedConv2d", "both": "Concat", "flat": "Flatten",
        "fc": "QuantizedLinear", "last": "Linear",
    }  # fmt: skip
    assert small["both.a"].input_scale == small["both.b"].input_scale  # they read one value


def test_a_network_without_its_batch_norms_computes_the_same():
    model, x = used(ResNet20(rng=rng()), (3, 8, 8))
    nodes, outputs = folded(model)
    assert not any(isinstance(node.layer, nn.BatchNorm2d) for node in nodes)
    listed = [
        (n.name, n.layer, *("x" if not k else nodes[k - 1].name for k in n.reads)) for n in nodes
    ]
    flat = nn.Graph(listed, output=nodes[outputs[0] - 1].name).eval()
    expected = model(x)
    np.testing.assert_allclose(flat(x), expected, rtol=1e-4, atol=1e-5 * abs(expected).max())


def test_a_norm_that_another_layer_reads_before_stays():
    conv, norm = nn.Conv2d(1, 4, 1, rng=rng()), nn.BatchNorm2d(4)
    model = nn.Graph({"conv": conv, "norm": norm, "sum": (nn.Add(), "conv", "norm")})
    assert [node.name for node in folded(model).nodes] == ["conv", "norm", "sum"]


def test_a_quantized_network_is_saved_with_its_scales_and_a_quarter_as_large(tmp_path):
    model = LeNet5((1, 28, 28), rng=rng()).eval()
    x = rng().random((20, 1, 28, 28), dtype=np.float32)
    small = pellucid.quantize(model, x, **NUMPY)
    pellucid.save(small, tmp_path / "small.safetensors")
    pellucid.save(model, tmp_path / "model.safetensors")
    again = pellucid.load(tmp_path / "small.safetensors")
    np.testing.assert_array_equal(again(x), small(x))
    assert repr(again) == repr(small)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("small", "model")]
    assert sizes[0] < 0.3 * sizes[1]
    arrays, metadata = pellucid.read_tensors(tmp_path / "small.safetensors")
    (key, w) = next((k, a) for k, a in arrays.items() if a.dtype == np.int8)
    wrong = arrays | {key: w.astype(np.int16) + 300}  # which are not bytes
    pellucid.write_tensors(tmp_path / "bad.safetensors", wrong, metadata)
    with pytest.raises(FileFormatError, match="out of range"):
        pellucid.load(tmp_path / "bad.safetensors")


def test_the_digits_are_recognised_as_before():
    train, test = data.digits()
    model = pellucid.models.SimpleConvNet(train.image_shape, rng=rng())
    pellucid.Trainer(model, train, epochs=4, lr=0.01, batch_size=50, **NUMPY).fit()
    small = pellucid.quantize(model, train, **NUMPY)
    accuracies = [pellucid.evaluate(m, test, **NUMPY).accuracy for m in (model, small)]
    assert accuracies[0] > 0.9
    assert abs(accuracies[0] - accuracies[1]) < 0.01
    assert small.card == model.card


def test_what_cannot_be_quantized_is_refused_with_what_to_do():
    model = nn.Sequential(
        conv=nn.Conv2d(1, 4, 3, rng=rng()), flat=nn.Flatten(), fc=nn.Linear(144, 3, rng=rng())
    )
    x = rng().random((4, 1, 8, 8), dtype=np.float32)
    small = pellucid.quantize(model, x, **NUMPY)
    with pytest.raises(ArgumentError, match=r"quantized already\. Give the float model"):
        pellucid.quantize(small, x)
    with pytest.raises(DataError, match="expects images to calibrate on, received none"):
        pellucid.quantize(model, x[:0])
    with pytest.raises(ArgumentError, match="samples: must be"):
        pellucid.quantize(model, x, samples=0)
    with pytest.raises(DataError, match=r"expects a Dataset, .images, labels., or an array"):
        pellucid.quantize(model, (x * 255).astype(np.uint8))
    with pytest.raises(ShapeError):
        pellucid.quantize(model, x[..., :5], **NUMPY)
    model.input_shape = (1, 8, 8)
    with pytest.raises(ShapeError, match="built for images 1x8x8, received images 1x8x5"):
        pellucid.quantize(model, x[..., :5])
    x[2, 0, 3, 3] = np.nan
    with pytest.raises(DataError, match="NaN or infinity"):
        pellucid.quantize(model, x, **NUMPY)
    with pytest.raises(ArgumentError, match="no convolution and no fully connected layer"):
        pellucid.quantize(nn.Sequential(relu=nn.ReLU()), x)


def test_a_quantized_network_is_not_trained():
    train, _ = data.digits()
    model = nn.Sequential(flat=nn.Flatten(), fc=nn.Linear(64, 10, rng=rng()))
    small = pellucid.quantize(model, train, samples=20, **NUMPY)
    with pytest.raises(ArgumentError, match=r"'fc' cannot be trained\. Train the float model"):
        pellucid.Trainer(small, train)
    y = small(train.batch(slice(3))[0])
    with pytest.raises(ArgumentError, match=r"has no gradient\. Train the float model"):
        small.backward(y)


def test_one_far_number_does_not_make_all_steps_coarse():
    x = np.append(rng().normal(size=10**6), 20.0)
    seen = SeenRange()
    seen.extend(x)
    seen.count(x)
    scale, zero_point = seen.codes()
    assert scale < 0.6 * (x.max() - x.min()) / 255
    assert 0 < zero_point < 255


def test_numbers_that_are_all_zero_have_a_scale():
    seen = SeenRange()
    seen.extend(np.zeros(3))
    seen.count(np.zeros(3))
    assert seen.codes() == (1.0, 0)
