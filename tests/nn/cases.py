"""Every layer, in every configuration that takes another path through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from ops.witness import frozen
from pellucid import nn
from pellucid.nn import Layer


@dataclass(frozen=True)
class Case:
    """A layer, the shape of one input, and PyTorch's counterpart where there is one."""

    id: str
    build: Callable[[], Layer]
    shape: tuple[int, ...]
    twin: Callable[[Any], Any] | None = None
    training: bool = True
    positive: bool = False
    n: int = 3
    far: float = 1  # by which x is multiplied, so that it reaches where a function is flat

    def layer(self) -> Layer:
        """Return the layer in the mode of this case."""
        return self.build().train(self.training)

    def arrays(self, dtype: Any = np.float64, seed: int = 0) -> tuple[Any, Any]:
        """Return read-only ``x`` without two equal numbers or a zero, and ``dy``."""
        rng = np.random.default_rng(seed)
        size = self.n * int(np.prod(self.shape))
        # Equal numbers are ties of a maximum, and zero is the kink of a ReLU: both far away.
        values = rng.permutation(size) * (4 / size) - (0 if self.positive else 2) + 0.5 / size
        x = self.far * values.reshape(self.n, *self.shape)
        dy = rng.normal(size=(self.n, *self.build().output_shape(self.shape)))
        return frozen(x.astype(dtype)), frozen(dy.astype(dtype))


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


def _conv(name: str, *arguments: Any, shape: tuple[int, ...] = (4, 7, 8), **options: Any) -> Case:
    peer = {k: v for k, v in options.items() if k != "misfit"}
    same = peer.get("padding") == "same" and peer.get("stride", 1) != 1
    sides = isinstance(peer.get("padding"), tuple) and len(peer["padding"]) == 4
    own = "misfit" in options or same or sides
    return Case(
        f"Conv2d {name}",
        lambda: nn.Conv2d(*arguments, **options, rng=_rng()),
        shape,
        None if own else lambda torch: torch.nn.Conv2d(*arguments, **peer),
    )


def _same(id: str, name: str, *arguments: Any, shape: tuple[int, ...] = (3, 6, 7), **rest: Any):
    """Return a case whose PyTorch twin is built by the same call."""
    case = {k: rest.pop(k) for k in ("training", "positive", "n", "far") if k in rest}
    theirs = {"LpPool2d": "LPPool2d"}.get(name, name)
    return Case(
        id,
        lambda: getattr(nn, name)(*arguments, **rest),
        shape,
        lambda torch: getattr(torch.nn, theirs)(*arguments, **rest),
        **case,
    )


def _up(name: str, *arguments: Any, shape: tuple[int, ...] = (4, 4, 3), **options: Any) -> Case:
    return Case(
        f"ConvTranspose2d {name}",
        lambda: nn.ConvTranspose2d(*arguments, **options, rng=_rng()),
        shape,
        lambda torch: torch.nn.ConvTranspose2d(*arguments, **options),
    )


def _local(name: str, *arguments: Any, **options: Any) -> Case:
    return Case(
        f"LocallyConnected2d {name}",
        lambda: nn.LocallyConnected2d(*arguments, **options, rng=_rng()),
        (2, 6, 5),
    )


def _function(
    id: str, build: Callable[[], Layer], twin: Callable[[Any, Any], Any], shape=(3, 6, 7)
):
    """Return a case whose PyTorch twin is a function of ``torch`` and the input."""

    def module(torch: Any) -> Any:
        class Twin(torch.nn.Module):
            def forward(self, x: Any) -> Any:
                return twin(torch, x)

        return Twin()

    return Case(id, build, shape, module)


def _same_lower(torch: Any) -> Any:
    """Return PyTorch's convolution after a padding whose odd rest is at the beginning."""

    class Twin(torch.nn.Conv2d):
        def forward(self, x: Any) -> Any:
            return super().forward(torch.nn.functional.pad(x, (2, 1, 1, 0)))

    return Twin(3, 2, (2, 4))


def _batch_norm(features: int, **options: Any) -> Layer:
    """Return one whose constants are not those of the start."""
    layer, rng = nn.BatchNorm2d(features, **options), _rng()
    for buffer in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
        buffer.data[...] = rng.uniform(0.5, 2, size=features)
    return layer


def _group_norm(groups: int, channels: int, **options: Any) -> Layer:
    """Return one whose scale and shift are not those of the start."""
    layer, rng = nn.GroupNorm(groups, channels, **options), _rng()
    for buffer in (layer.weight, layer.bias):
        buffer.data[...] = rng.uniform(0.5, 2, size=channels)
    return layer


def _given(layer: Layer) -> Layer:
    """Return a layer with parameters that are not those of the start."""
    rng = _rng()
    for parameter in layer.parameters().values():
        parameter.data[...] = rng.uniform(0.5, 2, size=parameter.data.shape)
    return layer


def _of_pixels(torch: Any, kind: Any, *arguments: Any, **options: Any) -> Any:
    """Return PyTorch's layer over the last axis, applied to the channels of each pixel."""

    class Twin(kind):
        def forward(self, x: Any) -> Any:
            return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    return Twin(*arguments, **options)


def _module(torch: Any, function: Callable[[Any], Any]) -> Any:
    """Return a function of PyTorch as a module."""

    class Twin(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return function(x)

    return Twin()


def _clip(name: str, **bound: float) -> Case:
    theirs = {"low": "min", "high": "max"}
    return Case(
        f"Clip {name}",
        lambda: nn.Clip(**bound),
        (3, 6, 7),
        lambda torch: _module(torch, lambda x: x.clamp(**{theirs[k]: v for k, v in bound.items()})),
    )


def _prelu(channels: int) -> Layer:
    """Return one of several slopes."""
    layer = nn.PReLU(channels)
    layer.weight.data[...] = _rng().uniform(-0.5, 0.5, size=channels)
    return layer


def _normalize_by_batch_norm(torch: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    """Return PyTorch's batch normalisation of fixed statistics, without a state."""

    class Twin(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            m, s = (torch.tensor(values, dtype=x.dtype) for values in (mean, std))
            return torch.nn.functional.batch_norm(x, m, s**2, eps=0)

    return Twin()


def _chain() -> Layer:
    rng = _rng()
    return nn.Sequential(
        conv=nn.Conv2d(2, 4, 3, padding=1, bias=False, rng=rng),  # the norm undoes any bias
        norm=nn.BatchNorm2d(4),
        relu=nn.ReLU(),
        pool=nn.MaxPool2d(3, 2),
        more=nn.Sequential(
            drop=nn.Dropout(0.3, rng=np.random.default_rng(1)),
            flatten=nn.Flatten(),
            fc=nn.Linear(4 * 3 * 3, 5, rng=rng),
        ),
    )


def _residual(shortcut: str = "") -> Layer:
    """Return the basic block of ResNet, at half the size where it has a shortcut."""
    rng = _rng()
    stride = 2 if shortcut else 1
    projection = nn.Sequential(nn.Conv2d(4, 6, 1, 2, bias=False, rng=rng), _batch_norm(6))
    shortcuts = {"": None, "A": nn.ZeroPadShortcut(4, 6, 2), "B": projection}
    out = 6 if shortcut else 4
    return nn.Residual(
        conv1=nn.Conv2d(4, out, 3, stride, 1, bias=False, rng=rng),
        bn1=_batch_norm(out),
        relu=nn.ReLU(),
        conv2=nn.Conv2d(out, out, 3, 1, 1, bias=False, rng=rng),
        bn2=_batch_norm(out),
        shortcut=shortcuts[shortcut],
    )


def _residual_twin(torch: Any, projected: bool) -> Any:
    out, stride = (6, 2) if projected else (4, 1)

    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = torch.nn.Conv2d(4, out, 3, stride, 1, bias=False)
            self.bn1 = torch.nn.BatchNorm2d(out)
            self.conv2 = torch.nn.Conv2d(out, out, 3, 1, 1, bias=False)
            self.bn2 = torch.nn.BatchNorm2d(out)
            if projected:
                conv = torch.nn.Conv2d(4, 6, 1, 2, bias=False)
                self.downsample = torch.nn.Sequential(conv, torch.nn.BatchNorm2d(6))

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return y + (self.downsample(x) if projected else x)

    return Block()


def _squeeze_excitation_twin(torch: Any, channels: int, squeezed: int) -> Any:
    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1 = torch.nn.Conv2d(channels, squeezed, 1)
            self.fc2 = torch.nn.Conv2d(squeezed, channels, 1)

        def forward(self, x: Any) -> Any:
            y = torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))
            return x * torch.sigmoid(self.fc2(y))

    return Module()


def _branches() -> Layer:
    rng = _rng()
    return nn.Branches(
        ones=nn.Conv2d(4, 2, 1, rng=rng),
        threes=nn.Sequential(
            nn.Conv2d(4, 3, 1, rng=rng), nn.ReLU(), nn.Conv2d(3, 5, 3, padding=1, rng=rng)
        ),
        pool=nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(4, 1, 1, rng=rng)),
        same=nn.Sequential(),
    )


def _branches_twin(torch: Any) -> Any:
    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            t = torch.nn
            self.ones = t.Conv2d(4, 2, 1)
            self.threes = t.Sequential(t.Conv2d(4, 3, 1), t.ReLU(), t.Conv2d(3, 5, 3, padding=1))
            self.pool = t.Sequential(t.MaxPool2d(3, 1, 1), t.Conv2d(4, 1, 1))

        def forward(self, x: Any) -> Any:
            return torch.cat([self.ones(x), self.threes(x), self.pool(x), x], 1)

    return Module()


def _graph() -> Layer:
    """Return a graph with values that several nodes read, one of them a block."""
    rng = _rng()
    return nn.Graph(
        {
            "conv": (nn.Conv2d(4, 3, 3, padding=1, rng=rng), "x"),
            "relu": nn.ReLU(),
            "block": nn.Residual(nn.Conv2d(3, 3, 1, rng=rng)),
            "all": (nn.Add(), "block", "conv", "relu"),
            "pool": (nn.MaxPool2d(3, 1, 1), "relu"),
            "both": (nn.Concat(), "all", "pool", "x"),
            "last": nn.Conv2d(10, 2, 1, rng=rng),
        }
    )


def _graph_twin(torch: Any) -> Any:
    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            t = torch.nn
            self.conv = t.Conv2d(4, 3, 3, padding=1)
            self.block = t.Sequential(t.Conv2d(3, 3, 1))
            self.last = t.Conv2d(10, 2, 1)

        def forward(self, x: Any) -> Any:
            conv = self.conv(x)
            relu = torch.relu(conv)
            pool = torch.nn.functional.max_pool2d(relu, 3, 1, 1)
            return self.last(torch.cat([self.block(relu) + relu + conv + relu, pool, x], 1))

    return Module()


def _joined(name: str, join: Callable[[], Layer], *reads: str, **rest: Any) -> Case:
    """Return a join of an image, its tanh, a gate for each channel, one for each pixel."""
    twin = rest.pop("twin", None)

    def build() -> Layer:
        nodes: dict[str, Any] = {
            "tanh": (nn.Tanh(), "x"),
            "gate": (nn.GlobalAvgPool2d(), "tanh"),
            "one": (nn.Conv2d(3, 1, 1, rng=_rng()), "x"),
        }
        needed = {name: nodes[name] for name in nodes if name in reads or name == "tanh"}
        if "tanh" not in reads and "gate" not in reads:
            del needed["tanh"]
        return nn.Graph({**needed, "join": (join(), *reads)})

    def module(torch: Any) -> Any:
        class Module(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                if "one" in reads:
                    self.one = torch.nn.Conv2d(3, 1, 1)

            def forward(self, x: Any) -> Any:
                tanh = torch.tanh(x)
                values = {"x": x, "tanh": tanh, "gate": tanh.mean((2, 3), keepdim=True)}
                if "one" in reads:
                    values["one"] = self.one(x)
                return twin(torch)(*(values[read] for read in reads))

        return Module()

    return Case(name, build, (3, 4, 5), module if twin else None, **rest)


def _of_tanh(torch: Any, join: Any) -> Any:
    class Module(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return join(torch.tanh(x), x)

    return Module()


def _own(layer: Callable[[], Layer], key: str) -> Callable[[], Layer]:
    """Return a maker of the layer, with numbers in its array that are not those of the start."""

    def build() -> Layer:
        made = layer()
        buffer = made.buffers()[key]
        buffer.data[...] = _rng().uniform(0.5, 2, size=buffer.data.shape)
        return made

    return build


def _with_array(torch: Any, key: str, shape: tuple[int, ...], *, learned: bool = True) -> Any:
    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            array = torch.zeros(shape)
            if learned:
                setattr(self, key, torch.nn.Parameter(array))
            else:
                self.register_buffer(key, array)

        def forward(self, x: Any) -> Any:
            return x * self.weight if key == "weight" else x + self.bias

    return Module()


def _array(name: str, key: str, shape: tuple[int, ...], image: tuple[int, ...], **how: Any) -> Case:
    return Case(
        name,
        _own(lambda: getattr(nn, name.split()[0])(shape, **how), key),
        image,
        lambda torch: _with_array(torch, key, shape, learned=how.get("trainable", True)),
    )


CASES = (
    _conv("plain", 4, 3, 3),
    _conv("1x1", 4, 5, 1),
    _conv("one channel", 1, 1, 2, shape=(1, 5, 5)),
    _conv("without bias", 4, 3, (2, 3), bias=False),
    _conv("stride", 4, 3, 3, stride=2),
    _conv("stride above window", 4, 3, 2, stride=3),
    _conv("two strides", 4, 2, 3, stride=(1, 2), padding=(2, 1)),
    _conv("padding", 4, 3, 3, padding=1),
    _conv("four paddings", 4, 2, 3, padding=(0, 1, 2, 3)),
    _conv("same", 4, 2, 3, padding="same"),
    _conv("same, even window", 4, 2, (2, 4), padding="same"),
    Case(
        "Conv2d same, lower",
        lambda: nn.Conv2d(3, 2, (2, 4), padding="same_lower", rng=_rng()),
        (3, 6, 7),
        _same_lower,
    ),
    _conv("same with stride", 4, 2, 3, stride=2, padding="same"),
    _conv("valid", 4, 2, 3, padding="valid"),
    _conv("dilation", 4, 2, 3, dilation=2),
    _conv("two dilations", 4, 2, 2, dilation=(1, 3), padding=1, stride=2),
    _conv("groups", 4, 6, 3, groups=2),
    _conv("depthwise", 4, 4, 3, groups=4, padding=1),
    _conv("all at once", 4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
    _conv("misfit pad", 4, 2, 3, stride=3, misfit="pad"),
    _up("plain", 4, 3, 3),
    _up("without bias", 4, 3, (2, 3), bias=False),
    _up("stride", 4, 3, 3, stride=2),
    _up("stride above window", 4, 2, 2, 3, 0, 2),
    _up("padding", 4, 3, 3, 2, 1, 1),
    _up("groups", 4, 6, 3, groups=2),
    _up("dilation", 4, 2, 2, dilation=(3, 2), padding=(1, 0)),
    Case(
        "ConvTranspose2d four paddings",
        lambda: nn.ConvTranspose2d(4, 2, 3, 2, (0, 1, 2, 1), (1, 0), rng=_rng()),
        (4, 4, 3),
    ),
    Case(
        "ConvTranspose2d same",
        lambda: nn.ConvTranspose2d(4, 2, 4, (3, 2), "same_lower", dilation=(1, 2), rng=_rng()),
        (4, 4, 3),
    ),
    _up("all at once", 4, 6, (3, 2), (2, 1), (1, 2), (1, 0), 2, dilation=(1, 3)),
    _local("plain", 2, 3, (6, 5), 3),
    _local("without bias", 2, 2, (6, 5), (2, 3), bias=False),
    _local("stride", 2, 2, (6, 5), 3, stride=2, padding=1),
    _local("everything", 2, 2, (6, 5), (2, 1), (2, 3), (0, 1, 1, 0), 2, misfit="pad"),
    Case(
        "Linear",
        lambda: nn.Linear(5, 4, rng=_rng()),
        (5,),
        lambda torch: torch.nn.Linear(5, 4),
    ),
    Case(
        "Linear without bias",
        lambda: nn.Linear(5, 4, bias=False, rng=_rng()),
        (5,),
        lambda torch: torch.nn.Linear(5, 4, bias=False),
    ),
    Case(
        "Linear over the last of three axes",
        lambda: nn.Linear(5, 4, rng=_rng()),
        (3, 2, 5),
        lambda torch: torch.nn.Linear(5, 4),
    ),
    Case(
        "Linear over the last of two axes, without bias",
        lambda: nn.Linear(5, 4, bias=False, rng=_rng()),
        (6, 5),
        lambda torch: torch.nn.Linear(5, 4, bias=False),
    ),
    Case(
        "ChannelLinear",
        lambda: nn.ChannelLinear(5, 4, rng=_rng()),
        (5, 3, 4),
        lambda torch: _of_pixels(torch, torch.nn.Linear, 5, 4),
    ),
    Case(
        "ChannelLinear without bias",
        lambda: nn.ChannelLinear(3, 7, bias=False, rng=_rng()),
        (3, 5, 1),
        lambda torch: _of_pixels(torch, torch.nn.Linear, 3, 7, bias=False),
    ),
    _same("Flatten", "Flatten"),
    _same("ReLU", "ReLU"),
    _same("ReLU of rows", "ReLU", shape=(9,)),
    _same("LeakyReLU", "LeakyReLU"),
    _same("LeakyReLU steep", "LeakyReLU", 0.3),
    _same("Sigmoid", "Sigmoid"),
    _same("Tanh", "Tanh"),
    _same("SiLU", "SiLU"),
    _same("ReLU6", "ReLU6"),
    _same("ReLU6 far out", "ReLU6", far=4),
    Case("Clip", lambda: nn.Clip(-0.7, 1.3), (3, 6, 7), lambda torch: torch.nn.Hardtanh(-0.7, 1.3)),
    _clip("below", low=0.3),
    _clip("above", high=0.3),
    Case("Clip nothing", lambda: nn.Clip(), (9,)),
    _same("Hardswish", "Hardswish", far=3),
    Case(
        "Hardsigmoid",  # PyTorch's own has a float32 for 1/6
        nn.Hardsigmoid,
        (3, 6, 7),
        lambda torch: _module(torch, lambda x: (x / 6 + 0.5).clamp(0, 1)),
        far=3,
    ),
    Case("Hardsigmoid of ONNX", lambda: nn.Hardsigmoid(0.9, 0.4), (3, 6, 7)),
    Case("ThresholdedReLU", nn.ThresholdedReLU, (3, 6, 7), lambda torch: torch.nn.Threshold(1, 0)),
    _same("PReLU", "PReLU"),
    _same("PReLU of rows", "PReLU", 1, 0.1, shape=(9,)),
    Case("PReLU of channels", lambda: _prelu(3), (3, 6, 7), lambda torch: torch.nn.PReLU(3)),
    Case("PReLU of features", lambda: _prelu(9), (9,), lambda torch: torch.nn.PReLU(9)),
    _same("GELU", "GELU"),
    _same("GELU far out", "GELU", far=4),
    _same("GELU by tanh", "GELU", "tanh", far=4),
    _same("ELU", "ELU"),
    _same("ELU 0.3", "ELU", 0.3),
    _same("CELU", "CELU", 0.5),
    _same("SELU", "SELU"),
    _same("Softplus", "Softplus"),
    _same("Softplus steep", "Softplus", 2.5),
    _same("Softsign", "Softsign"),
    _same("Mish", "Mish", far=3),
    *(
        Case(
            name,
            getattr(nn, name),
            (3, 6, 7),
            lambda torch, name=name: _module(torch, getattr(torch, name.lower())),
            positive=name in ("Log", "Sqrt", "Reciprocal"),
        )
        for name in ("Abs", "Exp", "Log", "Sqrt", "Reciprocal", "Negative", "Erf")
    ),
    *(
        Case(
            f"Power {exponent}",
            lambda exponent=exponent: nn.Power(exponent),
            (3, 6, 7),
            lambda torch, exponent=exponent: _module(torch, lambda x: x**exponent),
            positive=positive,
        )
        for exponent, positive in ((2, False), (-1, True), (0.5, True), (1.7, True))
    ),
    _same("Softmax of rows", "Softmax", 1, shape=(6,)),
    _same("Softmax of channels", "Softmax", 1),
    _same("Softmax of columns", "Softmax", -1),
    _same("MaxPool2d", "MaxPool2d", 2),
    _same("MaxPool2d overlapping", "MaxPool2d", 3, 2),
    _same("MaxPool2d overlapping by one", "MaxPool2d", 3, 1),
    _same("MaxPool2d padding", "MaxPool2d", 3, 2, 1),
    _same("MaxPool2d dilation", "MaxPool2d", 2, 1, 0, 2),
    _same("MaxPool2d uneven", "MaxPool2d", (2, 3), (1, 2)),
    Case("MaxPool2d misfit pad", lambda: nn.MaxPool2d(2, 3, misfit="pad"), (2, 7, 8)),
    Case("MaxPool2d four paddings", lambda: nn.MaxPool2d(3, 2, (1, 0, 0, 2)), (2, 5, 6)),
    _same("AvgPool2d", "AvgPool2d", 2),
    _same("AvgPool2d overlapping", "AvgPool2d", (3, 2), 1),
    _same("AvgPool2d padding", "AvgPool2d", 3, 2, 1),
    _same("AvgPool2d padding not counted", "AvgPool2d", 3, 2, 1, count_include_pad=False),
    Case("AvgPool2d same", lambda: nn.AvgPool2d(3, 2, "same"), (2, 6, 7)),
    Case("AvgPool2d misfit pad", lambda: nn.AvgPool2d(2, 2, misfit="pad"), (2, 5, 7)),
    _same("LpPool2d", "LpPool2d", 2, 2),
    _same("LpPool2d overlapping", "LpPool2d", 2, 3, 2),
    _same("LpPool2d p=1", "LpPool2d", 1, 2, positive=True),
    _same("LpPool2d p=3.5", "LpPool2d", 3.5, (2, 3), 1, positive=True),
    Case("LpPool2d p=3, signed", lambda: nn.LpPool2d(3, 2, misfit="pad"), (2, 5, 5)),
    Case(
        "GlobalAvgPool2d",
        nn.GlobalAvgPool2d,
        (3, 4, 5),
        lambda torch: torch.nn.AdaptiveAvgPool2d(1),
    ),
    Case(
        "AvgPool2d dilation", lambda: nn.AvgPool2d(2, 1, (1, 0, 0, 2), dilation=(2, 3)), (2, 6, 7)
    ),
    Case(
        "AvgPool2d misfit pad, padding not counted",
        lambda: nn.AvgPool2d((3, 2), 2, 1, count_include_pad=False, dilation=(1, 2), misfit="pad"),
        (2, 6, 7),
    ),
    _function(
        "AvgPool2d misfit pad, padding counted",
        lambda: nn.AvgPool2d(3, 2, 1, misfit="pad"),
        lambda torch, x: torch.nn.functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
        (2, 6, 8),
    ),
    _function(
        "MaxPool2d misfit pad with padding",
        lambda: nn.MaxPool2d(3, 2, 1, misfit="pad"),
        lambda torch, x: torch.nn.functional.max_pool2d(x, 3, 2, 1, ceil_mode=True),
        (2, 6, 8),
    ),
    Case("AvgPool2d same, lower", lambda: nn.AvgPool2d(2, 1, "same_lower"), (2, 6, 7)),
    Case(
        "LpPool2d padding and dilation",
        lambda: nn.LpPool2d(3, (2, 3), 2, padding=(1, 0, 0, 2), dilation=(2, 1)),
        (2, 6, 7),
    ),
    Case("GlobalLpPool2d", lambda: nn.GlobalLpPool2d(3), (3, 4, 5)),
    Case("GlobalLpPool2d p=2.5", lambda: nn.GlobalLpPool2d(2.5), (3, 4, 5)),
    _function(
        "GlobalLpPool2d p=2",
        nn.GlobalLpPool2d,
        lambda torch, x: torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True),
        (3, 4, 5),
    ),
    Case(
        "GlobalMaxPool2d",
        nn.GlobalMaxPool2d,
        (3, 4, 5),
        lambda torch: torch.nn.AdaptiveMaxPool2d(1),
    ),
    _same("AdaptiveAvgPool2d", "AdaptiveAvgPool2d", (3, 2)),
    _same("AdaptiveAvgPool2d larger", "AdaptiveAvgPool2d", (7, 4), shape=(2, 5, 6)),
    _same("AdaptiveAvgPool2d keeps", "AdaptiveAvgPool2d", (None, 3)),
    _same("AdaptiveMaxPool2d", "AdaptiveMaxPool2d", 2),
    _same("AdaptiveMaxPool2d of bins of one size", "AdaptiveMaxPool2d", (3, 1)),
    _same("AdaptiveMaxPool2d overlapping", "AdaptiveMaxPool2d", (4, 5)),
    _function(
        "Pad2d",
        lambda: nn.Pad2d((1, 2, 0, 3), value=0.5),
        lambda torch, x: torch.nn.functional.pad(x, (0, 3, 1, 2), value=0.5),
    ),
    _function(
        "Pad2d that removes",
        lambda: nn.Pad2d((-1, 2, 1, -2)),
        lambda torch, x: torch.nn.functional.pad(x, (1, -2, -1, 2)),
    ),
    _function(
        "Pad2d reflect",
        lambda: nn.Pad2d((2, 3), "reflect"),
        lambda torch, x: torch.nn.functional.pad(x, (3, 3, 2, 2), "reflect"),
    ),
    _function(
        "Pad2d edge",
        lambda: nn.Pad2d((1, 2, 3, 0), "edge"),
        lambda torch, x: torch.nn.functional.pad(x, (3, 0, 1, 2), "replicate"),
    ),
    _function(
        "Pad2d wrap",
        lambda: nn.Pad2d(2, "wrap"),
        lambda torch, x: torch.nn.functional.pad(x, (2, 2, 2, 2), "circular"),
    ),
    _same("PixelShuffle", "PixelShuffle", 2, shape=(8, 2, 3)),
    Case("PixelShuffle DCR", lambda: nn.PixelShuffle(2, "DCR"), (8, 2, 3)),
    _same("PixelUnshuffle", "PixelUnshuffle", 2, shape=(2, 6, 4)),
    Case("PixelUnshuffle DCR", lambda: nn.PixelUnshuffle(2, "DCR"), (2, 6, 4)),
    _function(
        "Reshape",
        lambda: nn.Reshape(2, -1, 6, 7),
        lambda torch, x: x.reshape(len(x), 2, 2, 6, 7),
        (4, 6, 7),
    ),
    _function("Reshape to rows", lambda: nn.Reshape(-1), lambda torch, x: x.reshape(len(x), -1)),
    _function("Permute", lambda: nn.Permute(0, 2, 3, 1), lambda torch, x: x.permute(0, 2, 3, 1)),
    _function(
        "Permute back", lambda: nn.Permute(0, 3, 1, 2), lambda torch, x: x.permute(0, 3, 1, 2)
    ),
    _function(
        "Sequential that shuffles channels",
        lambda: nn.Sequential(
            nn.Reshape(2, 3, 4, 5), nn.Permute(0, 2, 1, 3, 4), nn.Reshape(6, 4, 5)
        ),
        lambda torch, x: torch.nn.functional.channel_shuffle(x, 2),
        (6, 4, 5),
    ),
    _function(
        "Sequential that permutes parts",
        lambda: nn.Sequential(nn.Reshape(2, 3, 20), nn.Permute(0, 1, 3, 2), nn.Reshape(6, 4, 5)),
        lambda torch, x: x.reshape(-1, 2, 3, 20).permute(0, 1, 3, 2).reshape(-1, 6, 4, 5),
        (6, 4, 5),
    ),
    _function(
        "Sequential that permutes a shape",
        lambda: nn.Sequential(nn.Reshape(3, 40), nn.Permute(0, 2, 1)),
        lambda torch, x: x.reshape(-1, 3, 40).permute(0, 2, 1),
        (6, 4, 5),
    ),
    _function(
        "Permute rows and columns",
        lambda: nn.Permute((0, 1, -1, 2)),
        lambda torch, x: x.permute(0, 1, 3, 2),
    ),
    _function("Slice", lambda: nn.Slice(1, 1, 4), lambda torch, x: x[:, 1:4], (5, 4, 3)),
    _function("Slice of rows", lambda: nn.Slice(-2, -5, step=2), lambda torch, x: x[:, :, -5::2]),
    _function(
        "Slice backwards", lambda: nn.Slice(3, step=-2), lambda torch, x: x.flip(3)[..., ::2]
    ),
    _function("Mean", lambda: nn.Mean((2, 3)), lambda torch, x: x.mean((2, 3), keepdim=True)),
    _function(
        "Mean without dims",
        lambda: nn.Mean((-1, 2), keepdims=False),
        lambda torch, x: x.mean((2, 3)),
    ),
    _function("Mean of channels", lambda: nn.Mean(1), lambda torch, x: x.mean(1, keepdim=True)),
    _function("Mean of rows", lambda: nn.Mean(1), lambda torch, x: x.mean(1, keepdim=True), (5,)),
    _function("Sum", lambda: nn.Sum((1, 3), False), lambda torch, x: x.sum((1, 3)), (2, 4, 3)),
    _function("Max", lambda: nn.Max((1, 3)), lambda torch, x: x.amax((1, 3), keepdim=True)),
    _function("Max of channels", lambda: nn.Max(1, False), lambda torch, x: x.amax(1)),
    _function("Max of rows", lambda: nn.Max(2, False), lambda torch, x: x.amax(2)),
    _function("Min", lambda: nn.Min((2, 3)), lambda torch, x: x.amin((2, 3), keepdim=True)),
    Case("Resize", lambda: nn.Resize((2, 1.5)), (2, 4, 5)),
    Case("Resize to a size", lambda: nn.Resize(sizes=(3, 9)), (2, 4, 5)),
    Case("Resize cubic", lambda: nn.Resize(1.7, mode="cubic", exclude_outside=True), (2, 4, 5)),
    Case(
        "Resize linear, smaller", lambda: nn.Resize(0.4, mode="linear", antialias=True), (2, 8, 9)
    ),
    Case(
        "Resize in proportion",
        lambda: nn.Resize(sizes=(8, 3), mode="linear", keep_aspect_ratio_policy="not_larger"),
        (2, 4, 5),
    ),
    _same("Upsample", "Upsample", scale_factor=2, shape=(2, 3, 4)),
    _same("Upsample by no integer", "Upsample", scale_factor=(1.5, 2.25), shape=(2, 3, 4)),
    _same("Upsample to a size", "Upsample", size=(5, 3), shape=(2, 3, 4)),
    _same("Upsample bilinear", "Upsample", scale_factor=2, mode="bilinear", shape=(2, 3, 4)),
    _same("Upsample down", "Upsample", scale_factor=0.6, mode="bilinear", shape=(2, 7, 9)),
    _same(
        "Upsample corners",
        "Upsample",
        size=(7, 1),
        mode="bilinear",
        align_corners=True,
        shape=(2, 3, 4),
    ),
    _same("Upsample bicubic", "Upsample", size=(7, 5), mode="bicubic", shape=(2, 3, 4)),
    _same("LocalResponseNorm", "LocalResponseNorm", 3, shape=(7, 3, 3)),
    _same("LocalResponseNorm even", "LocalResponseNorm", 4, 0.5, 0.6, 1.5, shape=(7, 3, 3)),
    _same("LocalResponseNorm wide", "LocalResponseNorm", 9, 2.0, shape=(4, 3, 3)),
    _same("LocalResponseNorm of one", "LocalResponseNorm", 1, 0.5),
    Case(
        "Normalize",
        lambda: nn.Normalize((0.4, 0.1, -2.0), (0.25, 1.0, 3.0)),
        (3, 4, 5),
        lambda torch: _normalize_by_batch_norm(torch, (0.4, 0.1, -2.0), (0.25, 1.0, 3.0)),
    ),
    Case("Temperature", lambda: nn.Temperature(1.7), (5,)),
    Case("Temperature of images", lambda: nn.Temperature(0.3), (2, 3, 4)),
    Case("LocalResponseNorm krizhevsky", nn.LocalResponseNorm.krizhevsky, (8, 2, 2)),
    Case(
        "GroupNorm",
        lambda: _group_norm(2, 6),
        (6, 4, 5),
        lambda torch: torch.nn.GroupNorm(2, 6),
    ),
    Case(
        "GroupNorm of one group of rows",
        lambda: _group_norm(1, 5, eps=1e-2),
        (5,),
        lambda torch: torch.nn.GroupNorm(1, 5, eps=1e-2),
    ),
    Case(
        "GroupNorm of each channel",
        lambda: _group_norm(3, 3),
        (3, 4, 3),
        lambda torch: torch.nn.GroupNorm(3, 3),
        training=False,
        n=1,
    ),
    Case(
        "LayerNorm",
        lambda: _given(nn.LayerNorm(7)),
        (7,),
        lambda torch: torch.nn.LayerNorm(7),
    ),
    Case(
        "LayerNorm of the last of two axes",
        lambda: _given(nn.LayerNorm(6, 1e-2, bias=False)),
        (5, 6),
        lambda torch: torch.nn.LayerNorm(6, 1e-2, bias=False),
    ),
    Case(
        "LayerNorm of two axes",
        lambda: _given(nn.LayerNorm((4, 5))),
        (3, 4, 5),
        lambda torch: torch.nn.LayerNorm((4, 5)),
    ),
    Case(
        "LayerNorm of whole images, without parameters",
        lambda: nn.LayerNorm((3, 4, 5), elementwise_affine=False, bias=False),
        (3, 4, 5),
        lambda torch: torch.nn.LayerNorm((3, 4, 5), elementwise_affine=False),
    ),
    Case(
        "LayerNorm2d",
        lambda: _given(nn.LayerNorm2d(6)),
        (6, 4, 5),
        lambda torch: _of_pixels(torch, torch.nn.LayerNorm, 6, eps=1e-6),
    ),
    Case(
        "LayerNorm2d of many channels",
        lambda: _given(nn.LayerNorm2d(41, eps=1e-2)),
        (41, 2, 1),
        lambda torch: _of_pixels(torch, torch.nn.LayerNorm, 41, eps=1e-2),
    ),
    _same("InstanceNorm2d", "InstanceNorm2d", 3),
    Case(
        "InstanceNorm2d affine",
        lambda: _given(nn.InstanceNorm2d(3, eps=1e-2, affine=True)),
        (3, 4, 5),
        lambda torch: torch.nn.InstanceNorm2d(3, eps=1e-2, affine=True),
        n=2,
    ),
    Case(
        "BatchNorm2d",
        lambda: _batch_norm(3),
        (3, 4, 5),
        lambda torch: torch.nn.BatchNorm2d(3),
    ),
    Case(
        "BatchNorm2d own constants",
        lambda: _batch_norm(2, eps=1e-2, momentum=0.4),
        (2, 2, 3),
        lambda torch: torch.nn.BatchNorm2d(2, eps=1e-2, momentum=0.4),
        n=2,
    ),
    Case(
        "BatchNorm2d of rows",
        lambda: _batch_norm(5),
        (5,),
        lambda torch: torch.nn.BatchNorm1d(5),
        n=6,
    ),
    Case(
        "BatchNorm2d evaluating",
        lambda: _batch_norm(3),
        (3, 4, 5),
        lambda torch: torch.nn.BatchNorm2d(3),
        training=False,
    ),
    Case(
        "BatchNorm2d of one image evaluating",
        lambda: _batch_norm(3),
        (3,),
        lambda torch: torch.nn.BatchNorm1d(3),
        training=False,
        n=1,
    ),
    Case("Dropout", lambda: nn.Dropout(0.4, rng=_rng()), (4, 3, 3)),
    Case("Dropout book", lambda: nn.Dropout(0.4, "book", rng=_rng()), (4, 3, 3)),
    Case(
        "Dropout evaluating",
        lambda: nn.Dropout(0.4, rng=_rng()),
        (9,),
        lambda torch: torch.nn.Dropout(0.4),
        training=False,
    ),
    Case("LayerScale", lambda: nn.LayerScale(4, 0.7), (4, 3, 5)),
    Case(
        "SqueezeExcitation",
        lambda: nn.SqueezeExcitation(6, 2, rng=_rng()),
        (6, 4, 5),
        lambda torch: _squeeze_excitation_twin(torch, 6, 2),
    ),
    Case(
        "SqueezeExcitation with other activations",
        lambda: nn.SqueezeExcitation(4, 3, nn.SiLU(), nn.Hardsigmoid(), rng=_rng()),
        (4, 3, 5),
    ),
    Case("StochasticDepth", lambda: nn.StochasticDepth(0.4, rng=_rng()), (4, 3, 3), n=6),
    Case("StochasticDepth of rows", lambda: nn.StochasticDepth(0.4, rng=_rng()), (4,), n=6),
    Case("StochasticDepth of nothing", lambda: nn.StochasticDepth(0.0), (4, 3, 3)),
    Case("StochasticDepth evaluating", lambda: nn.StochasticDepth(0.4), (9,), training=False),
    Case("Dropout book evaluating", lambda: nn.Dropout(0.4, "book"), (9,), training=False),
    Case("Sequential", _chain, (2, 7, 7), n=4),
    Case("Sequential evaluating", _chain, (2, 7, 7), n=4, training=False),
    Case("Residual", _residual, (4, 5, 6), lambda torch: _residual_twin(torch, False)),
    Case(
        "Residual of half the size",
        lambda: _residual("B"),
        (4, 5, 6),
        lambda torch: _residual_twin(torch, True),
    ),
    Case(
        "Residual evaluating",
        lambda: _residual("B"),
        (4, 5, 6),
        lambda torch: _residual_twin(torch, True),
        training=False,
    ),
    Case("Residual with zeros", lambda: _residual("A"), (4, 5, 6)),
    Case("ZeroPadShortcut", lambda: nn.ZeroPadShortcut(3, 5, 2), (3, 5, 6)),
    Case("ZeroPadShortcut two strides", lambda: nn.ZeroPadShortcut(3, 3, (1, 3)), (3, 5, 6)),
    Case("Branches", _branches, (4, 5, 6), _branches_twin),
    Case("Graph", _graph, (4, 5, 6), _graph_twin),
    Case(
        "Graph of rows",
        lambda: nn.Graph(
            {
                "fc": (nn.Linear(5, 5, rng=_rng()), "x"),
                "add": (nn.Add(), "fc", "x"),
                "both": (nn.Concat(), "add", "fc", "x"),
            }
        ),
        (5,),
    ),
    Case(
        "Add of three",
        lambda: nn.Graph({"tanh": nn.Tanh(), "add": (nn.Add(), "x", "tanh", "x")}),
        (3, 4, 5),
    ),
    Case(
        "Concat of three",
        lambda: nn.Graph({"tanh": nn.Tanh(), "all": (nn.Concat(), "x", "tanh", "x")}),
        (3, 4, 5),
    ),
    _joined(
        "Add broadcasting",
        lambda: nn.Add(broadcast=True),
        "x",
        "gate",
        "one",
        twin=lambda torch: lambda a, b, c: a + b + c,
    ),
    _joined(
        "Concat of columns",
        lambda: nn.Concat(dim=-1),
        "x",
        "tanh",
        twin=lambda torch: lambda a, b: torch.cat([a, b], -1),
    ),
    _joined("Multiply", nn.Multiply, "x", "tanh", twin=lambda torch: torch.mul),
    _joined("Multiply by a gate", nn.Multiply, "x", "gate", twin=lambda torch: torch.mul),
    _joined("Multiply a gate", nn.Multiply, "gate", "x", twin=lambda torch: torch.mul),
    _joined("Multiply by pixels", nn.Multiply, "x", "one", twin=lambda torch: torch.mul),
    _joined("Multiply gates", nn.Multiply, "gate", "one", twin=lambda torch: torch.mul),
    Case(
        "Multiply rows",
        lambda: nn.Graph({"tanh": (nn.Tanh(), "x"), "join": (nn.Multiply(), "tanh", "x")}),
        (7,),
    ),
    _joined("Subtract", nn.Subtract, "tanh", "x", twin=lambda torch: torch.sub),
    _joined("Subtract from a gate", nn.Subtract, "gate", "x", twin=lambda torch: torch.sub),
    _joined("Divide", nn.Divide, "tanh", "x", twin=lambda torch: torch.div),
    _joined("Divide by pixels", nn.Divide, "tanh", "x", twin=lambda torch: torch.div),
    _joined("Maximum", nn.Maximum, "x", "tanh", twin=lambda torch: torch.maximum),
    _joined(
        "Maximum of three",
        nn.Maximum,
        "one",
        "x",
        "gate",
        twin=lambda torch: lambda a, b, c: torch.maximum(torch.maximum(a, b), c),
    ),
    _joined("Maximum of equals", nn.Maximum, "x", "x", twin=lambda torch: torch.maximum),
    _joined("Minimum", nn.Minimum, "gate", "x", twin=lambda torch: torch.minimum),
    Case(
        "MatMul",
        lambda: nn.Graph({"tanh": (nn.Tanh(), "x"), "join": (nn.MatMul(), "tanh", "x")}),
        (4, 4),
        lambda torch: _of_tanh(torch, torch.matmul),
    ),
    _array("Scale", "weight", (3, 1, 1), (3, 4, 5)),
    _array("Scale of rows", "weight", (6,), (6,)),
    _array("Scale of places", "weight", (3, 4, 5), (3, 4, 5)),
    _array("Scale of columns", "weight", (5,), (3, 4, 5)),
    _array("Scale of everything", "weight", (), (3, 4, 5)),
    _array("Scale into channels", "weight", (3, 1, 1), (1, 4, 5)),
    _array("Scale by a constant", "weight", (3, 1, 1), (3, 4, 5), trainable=False),
    _array("Shift", "bias", (3, 1, 1), (3, 4, 5)),
    _array("Shift of rows", "bias", (6,), (6,)),
    _array("Shift of rows in an image", "bias", (4, 1), (3, 4, 5), init=0.5),
    _array("Shift by a constant", "bias", (1, 1, 1), (3, 4, 5), trainable=False),
    Case("Branches of rows", lambda: nn.Branches(nn.Tanh(), nn.Linear(5, 2, rng=_rng())), (5,)),
)


def _quantized(name: str, layer: Callable[[], Any], shape: tuple[int, ...], **codes: Any) -> Case:
    """Return a case of a layer in 8-bit integers, whose numbers reach beyond the codes."""
    kinds = {nn.Conv2d: nn.QuantizedConv2d, nn.Linear: nn.QuantizedLinear}

    def build() -> Layer:
        made = layer()
        if made.bias is not None:
            made.bias.data[...] = _rng().normal(size=made.bias.data.shape)
        return kinds[type(made)].of(made, **codes)

    return Case(f"Quantized{name}", build, shape, training=False, n=2, far=1.1)


# Layers for inference, which have no gradient and no twin.
QUANTIZED: tuple[Case, ...] = (
    _quantized(
        "Conv2d",
        lambda: nn.Conv2d(
            4, 6, (3, 2), stride=(2, 1), padding=(0, 2, 1, 0), dilation=(1, 2), groups=2, rng=_rng()
        ),
        (4, 9, 8),
        input_scale=4 / 255,
        zero_point=120,
    ),
    _quantized(
        "Conv2d without bias",
        lambda: nn.Conv2d(3, 5, 3, padding=1, bias=False, rng=_rng()),
        (3, 5, 6),
        input_scale=0.01,
        zero_point=0,
    ),
    _quantized(
        "Linear", lambda: nn.Linear(20, 7, rng=_rng()), (20,), input_scale=0.016, zero_point=255
    ),
    _quantized(
        "Linear of rows",
        lambda: nn.Linear(5, 7, bias=False, rng=_rng()),
        (3, 5),
        input_scale=0.02,
        zero_point=128,
    ),
    replace(  # x / scale is 4k + 0.5: halves are rounded to even numbers
        _quantized(
            "Linear of halves",
            lambda: nn.Linear(16, 3, rng=_rng()),
            (16,),
            input_scale=1 / 32,
            zero_point=100,
        ),
        far=1,
    ),
)

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
