"""The measured networks, each written once in terms that both libraries have.

A kit (`ours.Kit`, `theirs.Kit`) turns a word into a layer of its library. A new network is a
function here and a line in `cases.py`; a layer that is new takes a word in each kit.
"""

from __future__ import annotations

from typing import Any, Protocol

__all__ = [
    "Words",
    "alexnet",
    "deep",
    "depthwise",
    "googlenet",
    "lenet",
    "mobile",
    "mobilenet_v2",
    "resnet18",
    "resnet20",
    "simple",
    "vgg",
]


class Words(Protocol):
    """The layers that a kit can build."""

    def conv(
        self, channels: int, filters: int, size: int, padding: int = 0, stride: int = 1,
        bias: bool = True, groups: int = 1,
    ) -> Any:  # fmt: skip
        """Return a convolution with He's initial weights."""

    def linear(self, inputs: int, outputs: int) -> Any:
        """Return a fully connected layer with bias and He's initial weights."""

    def relu(self) -> Any:
        """Return a rectifier."""

    def relu6(self) -> Any:
        """Return a rectifier up to 6."""

    def pool(self, size: int = 2, stride: int = 2, padding: int = 0) -> Any:
        """Return a max pooling."""

    def average(self) -> Any:
        """Return the average over the image."""

    def batch_norm(self, channels: int) -> Any:
        """Return a batch normalisation."""

    def response_norm(self) -> Any:
        """Return a local response normalisation with the constants of AlexNet."""

    def flatten(self) -> Any:
        """Return a flattening layer."""

    def dropout(self) -> Any:
        """Return a dropout of one half."""

    def chain(self, *layers: Any) -> Any:
        """Return the layers one after the other."""

    def residual(self, inputs: int, filters: int, stride: int, *layers: Any) -> Any:
        """Return a chain that is added to its input, and a ReLU.

        Where the shape changes, every S-th row and column is added, and channels of zeros.
        """

    def skip(self, *layers: Any) -> Any:
        """Return a chain that is added to its input."""

    def total(self, *branches: Any) -> Any:
        """Return the sum of what two chains make of one input."""

    def joined(self, *branches: Any) -> Any:
        """Return the channels of what several chains make of one input, one after the other."""


def simple(kit: Words) -> Any:
    """Return the book's SimpleConvNet ("Deep Learning from Scratch", section 7.5)."""
    return kit.chain(
        *(kit.conv(1, 30, 5), kit.relu(), kit.pool()),
        kit.flatten(),
        *(kit.linear(30 * 12 * 12, 100), kit.relu()),
        kit.linear(100, 10),
    )


def deep(kit: Words) -> Any:
    """Return the book's DeepConvNet (section 8.1): the fourth convolution has a border of 2."""
    return kit.chain(
        *(kit.conv(1, 16, 3, 1), kit.relu(), kit.conv(16, 16, 3, 1), kit.relu(), kit.pool()),
        *(kit.conv(16, 32, 3, 1), kit.relu(), kit.conv(32, 32, 3, 2), kit.relu(), kit.pool()),
        *(kit.conv(32, 64, 3, 1), kit.relu(), kit.conv(64, 64, 3, 1), kit.relu(), kit.pool()),
        kit.flatten(),
        *(kit.linear(64 * 4 * 4, 50), kit.relu(), kit.dropout()),
        *(kit.linear(50, 10), kit.dropout()),
    )


def lenet(kit: Words) -> Any:
    """Return LeNet-5 (LeCun et al. 1998, section II.B) with today's rectifiers and max pooling."""
    return kit.chain(
        *(kit.conv(1, 6, 5, 2), kit.relu(), kit.pool()),
        *(kit.conv(6, 16, 5), kit.relu(), kit.pool()),
        kit.flatten(),
        *(kit.linear(16 * 5 * 5, 120), kit.relu()),
        *(kit.linear(120, 84), kit.relu()),
        kit.linear(84, 10),
    )


def vgg(kit: Words) -> Any:
    """Return three blocks in the style of VGG (Simonyan & Zisserman 2015, section 2.1)."""
    blocks: list[Any] = []
    for channels, filters in ((3, 32), (32, 64), (64, 128)):
        blocks += [kit.conv(channels, filters, 3, 1), kit.relu()]
        blocks += [kit.conv(filters, filters, 3, 1), kit.relu(), kit.pool()]
    return kit.chain(*blocks, kit.flatten(), kit.linear(128 * 4 * 4, 10))


def resnet20(kit: Words) -> Any:
    """Return ResNet-20 for CIFAR, with option A's shortcuts (He et al. 2015, section 4.2)."""
    layers: list[Any] = [kit.conv(3, 16, 3, 1, bias=False), kit.batch_norm(16), kit.relu()]
    inputs = 16
    for filters in (16, 32, 64):
        for stride in (1 if filters == 16 else 2, 1, 1):
            inside = (
                *(kit.conv(inputs, filters, 3, 1, stride, bias=False), kit.batch_norm(filters)),
                kit.relu(),
                *(kit.conv(filters, filters, 3, 1, bias=False), kit.batch_norm(filters)),
            )
            layers.append(kit.residual(inputs, filters, stride, *inside))
            inputs = filters
    return kit.chain(*layers, kit.average(), kit.flatten(), kit.linear(64, 10))


def alexnet(kit: Words) -> Any:
    """Return AlexNet in one tower, on 227x227 pixels (Krizhevsky et al. 2012, section 3.5)."""
    return kit.chain(
        *(kit.conv(3, 96, 11, stride=4), kit.relu(), kit.response_norm(), kit.pool(3, 2)),
        *(kit.conv(96, 256, 5, 2), kit.relu(), kit.response_norm(), kit.pool(3, 2)),
        *(kit.conv(256, 384, 3, 1), kit.relu()),
        *(kit.conv(384, 384, 3, 1), kit.relu()),
        *(kit.conv(384, 256, 3, 1), kit.relu(), kit.pool(3, 2)),
        kit.flatten(),
        *(kit.linear(256 * 6 * 6, 4096), kit.relu(), kit.dropout()),
        *(kit.linear(4096, 4096), kit.relu(), kit.dropout()),
        kit.linear(4096, 1000),
    )


def depthwise(kit: Words) -> Any:
    """Return four depthwise convolutions of 3x3, of 128 channels, after one that makes these."""
    layers: list[Any] = [kit.conv(3, 128, 1), kit.relu()]
    for _ in range(4):
        layers += [kit.conv(128, 128, 3, 1, groups=128), kit.relu()]
    return kit.chain(*layers, kit.average(), kit.flatten(), kit.linear(128, 10))


def mobile(kit: Words) -> Any:
    """Return a small MobileNetV2 (Sandler et al. 2018, section 3.3): inverted residual blocks."""
    layers: list[Any] = [kit.conv(3, 16, 3, 1, 2, bias=False), kit.batch_norm(16), kit.relu6()]
    inputs = 16
    for filters, stride in ((24, 2), (24, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        wide = 6 * inputs
        block = (
            *(kit.conv(inputs, wide, 1, bias=False), kit.batch_norm(wide), kit.relu6()),
            *(kit.conv(wide, wide, 3, 1, stride, bias=False, groups=wide), kit.batch_norm(wide)),
            kit.relu6(),
            *(kit.conv(wide, filters, 1, bias=False), kit.batch_norm(filters)),
        )
        layers.append(kit.skip(*block) if inputs == filters else kit.chain(*block))
        inputs = filters
    return kit.chain(*layers, kit.average(), kit.flatten(), kit.linear(64, 10))


def resnet18(kit: Words) -> Any:
    """Return ResNet-18 for ImageNet, with projections (He et al. 2015, section 4.1, option B)."""
    layers: list[Any] = [*_conv_norm(kit, 3, 64, 7, 3, 2), kit.relu(), kit.pool(3, 2, 1)]
    inputs = 64
    for filters in (64, 128, 256, 512):
        for stride in (1 if filters == 64 else 2, 1):
            block = (
                *_conv_norm(kit, inputs, filters, 3, 1, stride),
                kit.relu(),
                *_conv_norm(kit, filters, filters, 3, 1),
            )
            if inputs == filters:
                layers.append(kit.skip(*block))
            else:
                around = kit.chain(*_conv_norm(kit, inputs, filters, 1, 0, stride))
                layers.append(kit.total(kit.chain(*block), around))
            layers.append(kit.relu())
            inputs = filters
    return kit.chain(*layers, kit.average(), kit.flatten(), kit.linear(512, 1000))


def mobilenet_v2(kit: Words) -> Any:
    """Return MobileNetV2 (Sandler et al. 2018, table 2)."""
    layers: list[Any] = [*_conv_norm(kit, 3, 32, 3, 1, 2), kit.relu6()]
    inputs = 32
    rows = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2))
    for expansion, filters, count, first in (*rows, (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for stride in (first, *[1] * (count - 1)):
            wide = expansion * inputs
            block = [*_conv_norm(kit, inputs, wide, 1), kit.relu6()] if expansion > 1 else []
            block += [*_conv_norm(kit, wide, wide, 3, 1, stride, wide), kit.relu6()]
            block += _conv_norm(kit, wide, filters, 1)
            same = stride == 1 and inputs == filters
            layers.append(kit.skip(*block) if same else kit.chain(*block))
            inputs = filters
    layers += [*_conv_norm(kit, 320, 1280, 1), kit.relu6(), kit.average(), kit.flatten()]
    return kit.chain(*layers, kit.linear(1280, 1000))


def googlenet(kit: Words) -> Any:
    """Return GoogLeNet without the auxiliary classifiers (Szegedy et al. 2014, table 1)."""

    def inception(inputs: int, one: int, three: int, wide: int, five: int, wider: int, pool: int):  # type: ignore[no-untyped-def]
        return kit.joined(
            kit.chain(kit.conv(inputs, one, 1), kit.relu()),
            kit.chain(
                *(kit.conv(inputs, three, 1), kit.relu(), kit.conv(three, wide, 3, 1), kit.relu())
            ),
            kit.chain(
                *(kit.conv(inputs, five, 1), kit.relu(), kit.conv(five, wider, 5, 2), kit.relu())
            ),
            kit.chain(kit.pool(3, 1, 1), kit.conv(inputs, pool, 1), kit.relu()),
        )

    return kit.chain(
        *(kit.conv(3, 64, 7, 3, 2), kit.relu(), kit.pool(3, 2, 1), kit.response_norm()),
        *(kit.conv(64, 64, 1), kit.relu(), kit.conv(64, 192, 3, 1), kit.relu()),
        *(kit.response_norm(), kit.pool(3, 2, 1)),
        inception(192, 64, 96, 128, 16, 32, 32),
        inception(256, 128, 128, 192, 32, 96, 64),
        kit.pool(3, 2, 1),
        inception(480, 192, 96, 208, 16, 48, 64),
        inception(512, 160, 112, 224, 24, 64, 64),
        inception(512, 128, 128, 256, 24, 64, 64),
        inception(512, 112, 144, 288, 32, 64, 64),
        inception(528, 256, 160, 320, 32, 128, 128),
        kit.pool(3, 2, 1),
        inception(832, 256, 160, 320, 32, 128, 128),
        inception(832, 384, 192, 384, 48, 128, 128),
        *(kit.average(), kit.flatten(), kit.dropout(), kit.linear(1024, 1000)),
    )


def _conv_norm(
    kit: Words, inputs: int, filters: int, size: int, padding: int = 0, stride: int = 1,
    groups: int = 1,
) -> list[Any]:  # fmt: skip
    """Return a convolution without bias and its batch normalization."""
    how: dict[str, Any] = {"bias": False, "groups": groups}
    return [kit.conv(inputs, filters, size, padding, stride, **how), kit.batch_norm(filters)]
