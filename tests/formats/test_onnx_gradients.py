"""Networks that PyTorch exported: imported, they give its outputs, and train by its gradients."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import engine
from pellucid.formats.onnx.importing import from_onnx

pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
T = torch.nn
F = torch.nn.functional


class Net(T.Module):  # type: ignore[misc]
    """Modules by name, and a function of them and the input."""

    def __init__(self, forward: Any, **modules: Any) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.run = forward

    def forward(self, x: Any) -> Any:
        return self.run(self, x)


def _gated(m: Any, x: Any) -> Any:
    return x * torch.sigmoid(m.up(F.relu(m.down(F.adaptive_avg_pool2d(x, 1)))))


def _shuffled(m: Any, x: Any) -> Any:
    n, c, h, w = x.shape
    y = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
    a, b = y.chunk(2, dim=1)
    return torch.cat([m.conv(a), b], dim=1)


def _next(m: Any, x: Any) -> Any:
    y = m.norm(m.dw(x).permute(0, 2, 3, 1))
    return x + m.gamma.w * m.two(F.gelu(m.one(y))).permute(0, 3, 1, 2)


def _attended(m: Any, x: Any) -> Any:
    n, _, h, w = x.shape
    q, k, v = m.qkv(x.flatten(2).transpose(1, 2)).view(n, h * w, 3, 2, 4).permute(2, 0, 3, 1, 4)
    a = (q @ k.transpose(-2, -1) / 2.0).softmax(dim=-1)
    return m.out((a @ v).transpose(1, 2).reshape(n, h * w, 8)).mean(dim=1)


class Gamma(T.Module):  # type: ignore[misc]
    """A layer scale."""

    def __init__(self) -> None:
        super().__init__()
        self.w = T.Parameter(torch.rand(4, 1, 1))


def _conv(*arguments: Any, **more: Any) -> Any:
    return T.Conv2d(*arguments, **more)


NETS = {
    "conv, norm, ReLU6": lambda: T.Sequential(
        _conv(4, 6, 3, stride=2, padding=1, bias=False), T.BatchNorm2d(6), T.ReLU6()),
    "depthwise": lambda: T.Sequential(_conv(4, 8, (3, 2), groups=4, dilation=2, padding=(2, 1))),
    "same": lambda: T.Sequential(_conv(4, 4, 2, padding="same"), T.Hardswish()),
    "transposed": lambda: T.Sequential(
        T.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1), T.Softplus()),
    "pools": lambda: T.Sequential(
        T.MaxPool2d(3, 2, 1, ceil_mode=True), T.AvgPool2d(2, 1, count_include_pad=False),
        T.PReLU(4)),
    "gate": lambda: Net(_gated, down=_conv(4, 2, 1), up=_conv(2, 4, 1)),
    "shuffle": lambda: Net(_shuffled, conv=_conv(2, 3, 1)),
    "ConvNeXt": lambda: Net(
        _next, dw=_conv(4, 4, 3, padding=1, groups=4), norm=T.LayerNorm(4), one=T.Linear(4, 9),
        two=T.Linear(9, 4), gamma=Gamma()),
    "attention": lambda: Net(_attended, qkv=T.Linear(4, 24), out=T.Linear(8, 5)),
    "norms": lambda: T.Sequential(
        T.GroupNorm(2, 4), T.InstanceNorm2d(4, affine=True), T.LeakyReLU(0.1), T.ELU(0.7)),
    "upsampling": lambda: T.Sequential(
        _conv(4, 8, 1), T.PixelShuffle(2), T.Upsample(scale_factor=2, mode="nearest"),
        T.Upsample(size=(9, 9), mode="bilinear", align_corners=False)),
    "padding": lambda: T.Sequential(
        T.ReflectionPad2d((1, 2, 0, 1)), T.ConstantPad2d((0, 1, 2, 0), 0.5), T.Tanh()),
    "row": lambda: T.Sequential(
        T.Flatten(), T.Linear(144, 7), T.SiLU(), T.Dropout(0.5), T.Linear(7, 3, bias=False),
        T.LogSoftmax(dim=1)),
    "signal": lambda: T.Sequential(
        T.Flatten(2), T.Conv1d(4, 6, 3, stride=2, padding=1), T.BatchNorm1d(6), T.Mish(),
        T.MaxPool1d(2)),
}  # fmt: skip


def _exported(module: Any, x: Any, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, x, path, dynamo=False, opset_version=17, input_names=["image"],
            dynamic_axes={"image": {0: "N"}}, training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )  # fmt: skip


def _randomized(module: Any) -> Any:
    torch.manual_seed(0)
    made = module()
    with torch.no_grad():
        for name, array in [*made.named_parameters(), *made.named_buffers()]:
            if array.dtype == torch.float32:
                array.uniform_(0.5, 1.5) if "var" in name else array.normal_(0, 0.5)
    return made.eval()


@pytest.mark.parametrize("name", NETS)
def test_an_imported_network_has_pytorchs_outputs_gradients_and_keys(
    tmp_path: Path, name: str
) -> None:
    module = _randomized(NETS[name])
    x = torch.randn(3, 4, 6, 6, requires_grad=True)
    path = tmp_path / "model.onnx"
    _exported(module, x[:1].detach(), path)
    network = from_onnx(path)
    wanted = module(x)
    dy = torch.randn_like(wanted)
    wanted.backward(dy)
    made = network(x.detach().numpy())
    np.testing.assert_allclose(made, wanted.detach().numpy(), rtol=1e-4, atol=1e-5)
    dx = network.backward(dy.numpy())
    np.testing.assert_allclose(dx, x.grad.numpy(), rtol=1e-4, atol=1e-5)
    ours = network.parameters()
    kept = {key.removesuffix(".w"): p for key, p in module.named_parameters()}
    for key, parameter in kept.items():
        same = [k for k in ours if k in (key, f"{key}.weight") or ours[k].data.size < 0]
        assert same or name in ("ConvNeXt", "attention"), (key, list(ours))
        for found in same:
            np.testing.assert_allclose(
                ours[found].grad.reshape(parameter.shape), parameter.grad, rtol=1e-3, atol=1e-4
            )
    assert sum(p.data.size for p in ours.values()) == sum(p.numel() for p in kept.values())


@pytest.mark.parametrize("name", ["conv, norm, ReLU6", "gate"])
def test_the_engine_runs_and_trains_an_imported_network(tmp_path: Path, name: str) -> None:
    module = _randomized(NETS[name])
    path = tmp_path / "model.onnx"
    _exported(module, torch.randn(1, 4, 6, 6), path)
    network = from_onnx(path)
    x = np.random.default_rng(0).normal(size=(4, 4, 6, 6)).astype(np.float32)
    with network.evaluating():
        y = network(x)
        dx = network.backward(np.ones_like(y))
    plan = engine.compile(network, network.input_shape, batch_size=4)
    np.testing.assert_allclose(plan(x), y, rtol=1e-4, atol=1e-4)
    assert dx.shape == x.shape
    assert pellucid.summary(network).parameters == network.parameter_count()
