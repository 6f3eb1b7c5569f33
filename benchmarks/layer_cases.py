"""The layers of the sweep: each by its name, its layer, its images, and the network it is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CASES", "LayerCase"]


@dataclass(frozen=True)
class LayerCase:
    """One layer on images (C, H, W): a word of `layers`, with what it takes."""

    name: str
    word: str
    image: tuple[int, int, int]
    batch: int
    options: Mapping[str, Any] = field(default_factory=dict)
    network: str = ""

    @property
    def key(self) -> str:
        """A name for files and command lines."""
        return f"{self.name.replace(' ', '-')}-b{self.batch}"


def _conv(
    channels: int, filters: int, size: int, side: int, *, stride: int = 1, groups: int = 1,
    dilation: int = 1, padding: int | None = None,
) -> tuple[str, tuple[int, int, int], dict[str, Any]]:  # fmt: skip
    if padding is None:
        padding = dilation * (size - 1) // 2
    how = {"channels": channels, "filters": filters, "size": size, "stride": stride}
    how |= {"padding": padding, "groups": groups, "dilation": dilation}
    return "conv", (channels, side, side), how


def _depthwise(channels: int, size: int, side: int, stride: int = 1) -> Any:
    return _conv(channels, channels, size, side, stride=stride, groups=channels)


def _pool(kind: str, channels: int, side: int, size: int, stride: int, padding: int = 0) -> Any:
    options = {"size": size, "stride": stride, "padding": padding}
    return f"{kind} pool", (channels, side, side), options


def _plain(word: str, channels: int, side: int, **options: Any) -> Any:
    return word, (channels, side, side), options


# name, layer, batches, network. The first batch is the one of the short table.
_ROWS: tuple[tuple[str, Any, tuple[int, ...], str], ...] = (
    ("3x3 64>64 @56", _conv(64, 64, 3, 56), (8, 1, 32), "ResNet-18"),
    ("3x3 128>128 @28", _conv(128, 128, 3, 28), (8, 1, 32), "ResNet-18"),
    ("3x3 256>256 @14", _conv(256, 256, 3, 14), (8, 1, 32), "ResNet-18"),
    ("3x3 512>512 @7", _conv(512, 512, 3, 7), (8, 1, 32), "ResNet-18"),
    ("3x3 s2 64>128 @56", _conv(64, 128, 3, 56, stride=2), (8, 1, 32), "ResNet-18"),
    ("1x1 s2 256>512 @28", _conv(256, 512, 1, 28, stride=2), (8, 1, 32), "ResNet-50"),
    ("1x1 64>256 @56", _conv(64, 256, 1, 56), (8, 1, 32), "ResNet-50"),
    ("1x1 256>64 @56", _conv(256, 64, 1, 56), (8, 1, 32), "ResNet-50"),
    ("1x1 1024>256 @14", _conv(1024, 256, 1, 14), (8, 1, 32), "ResNet-50"),
    ("1x1 512>2048 @7", _conv(512, 2048, 1, 7), (8, 1, 32), "ResNet-50"),
    ("7x7 s2 3>64 @224", _conv(3, 64, 7, 224, stride=2), (4, 1), "ResNet-18"),
    ("11x11 s4 3>96 @227", _conv(3, 96, 11, 227, stride=4, padding=0), (8, 1), "AlexNet"),
    ("5x5 g2 96>256 @27", _conv(96, 256, 5, 27, groups=2), (8, 1, 32), "AlexNet"),
    ("3x3 256>384 @13", _conv(256, 384, 3, 13), (8, 1, 32), "AlexNet"),
    ("3x3 512>512 @28", _conv(512, 512, 3, 28), (8, 1), "VGG-16"),
    ("3x3 64>64 @224", _conv(64, 64, 3, 224), (1, 8), "VGG-16"),
    ("5x5 16>32 @28", _conv(16, 32, 5, 28), (8, 1, 32), "GoogLeNet"),
    ("5x5 48>128 @7", _conv(48, 128, 5, 7), (8, 1, 32), "GoogLeNet"),
    ("1x1 480>192 @14", _conv(480, 192, 1, 14), (8, 1, 32), "GoogLeNet"),
    ("3x3 dilated 64 @56", _conv(64, 64, 3, 56, dilation=2), (8, 1), "DeepLab"),
    ("3x3 128 g32 @28", _conv(128, 128, 3, 28, groups=32), (8, 1, 32), "ResNeXt-50"),
    ("3x3 256 g32 @14", _conv(256, 256, 3, 14, groups=32), (8, 1, 32), "ResNeXt-50"),
    ("3x3 s2 3>32 @224", _conv(3, 32, 3, 224, stride=2), (8, 1), "MobileNetV2"),
    ("1x1 16>96 @112", _conv(16, 96, 1, 112), (8, 1, 32), "MobileNetV2"),
    ("1x1 144>24 @56", _conv(144, 24, 1, 56), (8, 1, 32), "MobileNetV2"),
    ("1x1 96>576 @14", _conv(96, 576, 1, 14), (8, 1, 32), "MobileNetV2"),
    ("1x1 320>1280 @7", _conv(320, 1280, 1, 7), (8, 1, 32), "MobileNetV2"),
    ("depthwise 3x3 32 @112", _depthwise(32, 3, 112), (8, 1, 32), "MobileNetV2"),
    ("depthwise 3x3 128 @56", _depthwise(128, 3, 56), (8, 1, 32), "MobileNetV2"),
    ("depthwise 3x3 s2 128 @56", _depthwise(128, 3, 56, 2), (8, 1, 32), "MobileNetV2"),
    ("depthwise 3x3 960 @7", _depthwise(960, 3, 7), (8, 1, 32), "MobileNetV2"),
    ("depthwise 5x5 240 @28", _depthwise(240, 5, 28), (8, 1, 32), "EfficientNet-B0"),
    ("depthwise 5x5 s2 672 @14", _depthwise(672, 5, 14, 2), (8, 1, 32), "EfficientNet-B0"),
    ("depthwise 7x7 96 @56", _depthwise(96, 7, 56), (8, 1, 32), "ConvNeXt-T"),
    ("depthwise 7x7 384 @14", _depthwise(384, 7, 14), (8, 1, 32), "ConvNeXt-T"),
    ("4x4 s4 3>96 @224", _conv(3, 96, 4, 224, stride=4, padding=0), (8, 1), "ConvNeXt-T"),
    ("2x2 s2 96>192 @56", _conv(96, 192, 2, 56, stride=2, padding=0), (8, 1, 32), "ConvNeXt-T"),
    ("3x3 3>32 @32", _conv(3, 32, 3, 32), (128, 1), "CIFAR"),
    ("3x3 16>16 @32", _conv(16, 16, 3, 32), (128, 1), "ResNet-20"),
    ("3x3 64>64 @8", _conv(64, 64, 3, 8), (128, 1), "ResNet-20"),
    ("5x5 1>30 @28", _conv(1, 30, 5, 28, padding=0), (100, 1), "SimpleConvNet"),
    ("5x5 6>16 @14", _conv(6, 16, 5, 14, padding=0), (100, 1), "LeNet-5"),
    ("linear 4096>4096", ("linear", (4096, 1, 1), {"outputs": 4096}), (32, 1, 8), "AlexNet"),
    ("linear 4320>100", ("linear", (4320, 1, 1), {"outputs": 100}), (100, 1), "SimpleConvNet"),
    ("batch norm 64 @56", _plain("batch norm", 64, 56), (8, 1, 32), "ResNet-18"),
    ("batch norm 256 @14", _plain("batch norm", 256, 14), (8, 1, 32), "ResNet-18"),
    ("layer norm 96 @56", _plain("layer norm", 96, 56), (8, 1), "ConvNeXt-T"),
    ("max pool 2 64 @112", _pool("max", 64, 112, 2, 2), (8, 1), "VGG-16"),
    ("max pool 3/2 64 @112", _pool("max", 64, 112, 3, 2), (8, 1, 32), "ResNet-18"),
    ("max pool 3/1 480 @14", _pool("max", 480, 14, 3, 1, 1), (8, 1), "GoogLeNet"),
    ("average pool 2 128 @56", _pool("average", 128, 56, 2, 2), (8, 1, 32), "DenseNet"),
    ("global average 512 @7", _plain("global average", 512, 7), (8, 1, 32), "ResNet-18"),
    ("global average 96 @56", _plain("global average", 96, 56), (8, 1, 32), "EfficientNet-B0"),
    ("concat 256 @28", _plain("concat", 64, 28, depths=(64, 128, 32, 32)), (8, 1), "GoogLeNet"),
    ("sum 256 @56", _plain("sum", 256, 56), (8, 1), "ResNet-50"),
    ("LRN 96 @55", _plain("LRN", 96, 55), (8, 1), "AlexNet"),
    ("ReLU 64 @56", _plain("ReLU", 64, 56), (8, 1), "ResNet-18"),
    ("sigmoid 64 @56", _plain("sigmoid", 64, 56), (8, 1), "LeNet-5"),
    ("SiLU 96 @56", _plain("SiLU", 96, 56), (8, 1), "EfficientNet-B0"),
    ("Hardswish 96 @56", _plain("Hardswish", 96, 56), (8, 1), "MobileNetV3"),
    ("GELU 384 @56", _plain("GELU", 384, 56), (8, 1), "ConvNeXt-T"),
)  # fmt: skip

CASES = {
    case.key: case
    for name, (word, image, options), batches, network in _ROWS
    for case in (LayerCase(name, word, image, batch, options, network) for batch in batches)
}
