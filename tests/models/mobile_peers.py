"""Mobile networks and ConvNeXt of torchvision, written in PyTorch as `peers` are."""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import Any


def mobilenet_v2(torch: Any, classes: int = 1000, width: float = 1) -> Any:
    """Sandler et al. 2018, table 2, with torchvision's names."""
    nn = torch.nn
    wide = partial(_wide, width)
    unit = partial(_unit, torch, nn.BatchNorm2d)

    class Block(nn.Module):
        def __init__(self, inputs: int, t: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.adds = stride == 1 and inputs == outputs
            inside = inputs * t
            self.conv = nn.Sequential(
                *([unit(inputs, inside, 1, act=nn.ReLU6)] if t > 1 else []),
                unit(inside, inside, 3, stride, inside, nn.ReLU6),
                *unit(inside, outputs, 1),
            )

        def forward(self, x: Any) -> Any:
            return x + self.conv(x) if self.adds else self.conv(x)

    layers, inputs = [unit(3, wide(32), 3, 2, act=nn.ReLU6)], wide(32)
    for t, c, n, s in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):  # fmt: skip
        for k in range(n):
            layers.append(Block(inputs, t, wide(c), 1 if k else s))
            inputs = wide(c)
    last = max(1280, wide(1280))
    layers.append(unit(inputs, last, 1, act=nn.ReLU6))
    return _network(torch, layers, [nn.Dropout(0.2), nn.Linear(last, classes)])


def mobilenet_v3_small(torch: Any, classes: int = 1000, width: float = 1) -> Any:
    """Howard et al. 2019, table 2, with torchvision's names."""
    nn = torch.nn
    wide = partial(_wide, width)
    unit = partial(_unit, torch, partial(nn.BatchNorm2d, eps=0.001, momentum=0.01))
    relu6 = nn.functional.relu6

    class HardSigmoid(nn.Module):  # PyTorch's own has a sixth in float32, in float64 too
        def forward(self, x: Any) -> Any:
            return relu6(x + 3) / 6

    class HardSwish(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * relu6(x + 3) / 6

    gates = nn.ReLU, HardSigmoid
    re, hs = nn.ReLU, HardSwish
    layers, inputs = [unit(3, wide(16), 3, 2, act=hs)], wide(16)
    for size, inside, outputs, gated, act, stride in (
        (3, 16, 16, 1, re, 2), (3, 72, 24, 0, re, 2), (3, 88, 24, 0, re, 1), (5, 96, 40, 1, hs, 2),
        (5, 240, 40, 1, hs, 1), (5, 240, 40, 1, hs, 1), (5, 120, 48, 1, hs, 1),
        (5, 144, 48, 1, hs, 1), (5, 288, 96, 1, hs, 2), (5, 576, 96, 1, hs, 1),
        (5, 576, 96, 1, hs, 1),
    ):  # fmt: skip
        inside, outputs = wide(inside), wide(outputs)
        squeezed = _wide(1, inside // 4) if gated else 0
        sizes = inputs, inside, outputs, size, stride, squeezed
        layers.append(_gated(torch, unit, sizes, act, gates))
        inputs = outputs
    layers.append(unit(inputs, 6 * inputs, 1, act=hs))
    head = [nn.Linear(6 * inputs, wide(1024)), hs(), nn.Dropout(), nn.Linear(wide(1024), classes)]
    return _network(torch, layers, head)


def efficientnet(torch: Any, classes: int = 1000, width: float = 1, depth: float = 1) -> Any:
    """Tan & Le 2019, table 1, with torchvision's names; nothing is left out at random."""
    nn = torch.nn
    wide = partial(_wide, width)
    unit = partial(_unit, torch, nn.BatchNorm2d)
    layers, inputs = [unit(3, wide(32), 3, 2, act=nn.SiLU)], wide(32)
    for t, size, s, c, n in (
        (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
    ):  # fmt: skip
        stage = []
        for k in range(ceil(n * depth)):
            sizes = inputs, inputs * t, wide(c), size, 1 if k else s, inputs // 4
            stage.append(_gated(torch, unit, sizes, nn.SiLU, (nn.SiLU, nn.Sigmoid)))
            inputs = wide(c)
        layers.append(nn.Sequential(*stage))
    layers.append(unit(inputs, 4 * inputs, 1, act=nn.SiLU))
    return _network(torch, layers, [nn.Dropout(0.2), nn.Linear(4 * inputs, classes)])


def convnext(
    torch: Any, classes: int = 1000, depths: Any = (3, 3, 9, 3), widths: Any = (96, 192, 384, 768)
) -> Any:
    """Liu et al. 2022, figure 4, with torchvision's names; nothing is left out at random."""
    nn = torch.nn

    class Norm(nn.LayerNorm):
        def forward(self, x: Any) -> Any:
            return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    class Block(nn.Module):
        def __init__(self, c: int) -> None:
            super().__init__()
            self.layer_scale = nn.Parameter(torch.full((c, 1, 1), 1e-6))
            deep, norm = nn.Conv2d(c, c, 7, 1, 3, groups=c), nn.LayerNorm(c, eps=1e-6)
            wide, narrow = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)
            self.block = nn.Sequential(deep, nn.Identity(), norm, wide, nn.GELU(), narrow)

        def forward(self, x: Any) -> Any:
            y = self.block[0](x).permute(0, 2, 3, 1)
            return x + self.layer_scale * self.block[1:](y).permute(0, 3, 1, 2)

    layers, inputs = [], 3
    for k, (depth, c) in enumerate(zip(depths, widths, strict=True)):
        norm = Norm(inputs if k else c, eps=1e-6)
        conv = nn.Conv2d(inputs, c, 2, 2) if k else nn.Conv2d(inputs, c, 4, 4)
        layers.append(nn.Sequential(*([norm, conv] if k else [conv, norm])))
        layers.append(nn.Sequential(*(Block(c) for _ in range(depth))))
        inputs = c

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(*layers)
            norm = Norm(inputs, eps=1e-6)
            self.classifier = nn.Sequential(norm, nn.Flatten(), nn.Linear(inputs, classes))

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x).mean((2, 3), keepdim=True))

    return Module()


def _wide(width: float, channels: int) -> int:
    """Return the multiple of 8 nearest to ``width · channels`` that is not a tenth below."""
    exact = width * channels
    near = max(8, int(exact / 8 + 0.5) * 8)
    return near + 8 * (near < 0.9 * exact)


def _unit(
    torch: Any, norm: Any, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1,
    act: Any = None,
) -> Any:  # fmt: skip
    nn = torch.nn
    conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, norm(outputs), *([act()] if act else []))


def _gated(torch: Any, unit: Any, sizes: Any, act: Any, gates: Any) -> Any:
    """Return an inverted residual block; ``sizes`` ends in the squeezed channels, or 0."""
    nn = torch.nn
    inputs, inside, outputs, size, stride, squeezed = sizes

    class Gate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = nn.Conv2d(inside, squeezed, 1), nn.Conv2d(squeezed, inside, 1)
            self.activation, self.scale_activation = (make() for make in gates)

        def forward(self, x: Any) -> Any:
            y = self.activation(self.fc1(x.mean((2, 3), keepdim=True)))
            return x * self.scale_activation(self.fc2(y))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(
                *([unit(inputs, inside, 1, act=act)] if inside != inputs else []),
                unit(inside, inside, size, stride, inside, act),
                *([Gate()] if squeezed else []),
                unit(inside, outputs, 1),
            )

        def forward(self, x: Any) -> Any:
            return x + self.block(x) if stride == 1 and inputs == outputs else self.block(x)

    return Block()


def _network(torch: Any, layers: Any, head: Any) -> Any:
    nn = torch.nn

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features, self.classifier = nn.Sequential(*layers), nn.Sequential(*head)

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x).mean((2, 3)))

    return Module()
