"""The table of networks by name, without importing any of them.

`pellucid.models.by_name` builds them; help texts and checks of settings need only the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["NETWORKS", "Network"]


class Network(NamedTuple):
    """A network's builder, and the image shape and number of classes it was published for."""

    builder: str  # MODULE:NAME in `pellucid.models`
    images: tuple[int, int, int]
    classes: int
    options: Mapping[str, Any] = MappingProxyType({})
    init: str | float | None = "he"  # unless others are asked for; None: as the network has them


NETWORKS: Mapping[str, Network] = {
    "simple": Network("registry:simple", (1, 28, 28), 10),
    "deep": Network("deep:DeepConvNet", (1, 28, 28), 10),
    "lenet": Network("lenet:LeNet5", (1, 28, 28), 10),
    "lenet-1998": Network("lenet:LeNet5", (1, 28, 28), 10, {"variant": "published"}),
    "alexnet": Network("alexnet:AlexNet", (3, 227, 227), 1000),
    "alexnet-one-tower": Network("alexnet:AlexNet", (3, 227, 227), 1000, {"variant": "one-tower"}),
    "alexnet-torchvision": Network(
        "alexnet:AlexNet", (3, 224, 224), 1000, {"variant": "torchvision"}
    ),
    "vgg11": Network("vgg:VGG11", (3, 224, 224), 1000),
    "vgg16": Network("vgg:VGG16", (3, 224, 224), 1000),
    "allconv": Network("allconv:AllConvolutionalNet", (3, 32, 32), 10),
    "googlenet": Network("googlenet:GoogLeNet", (3, 224, 224), 1000),
    "resnet18": Network("resnet:ResNet18", (3, 224, 224), 1000),
    "resnet20": Network("resnet:ResNet20", (3, 32, 32), 10),
    "mobilenet-v2": Network("mobilenet:MobileNetV2", (3, 224, 224), 1000, init=None),
    "mobilenet-v3-small": Network("mobilenet:MobileNetV3Small", (3, 224, 224), 1000, init=None),
    "efficientnet-b0": Network("efficientnet:EfficientNet", (3, 224, 224), 1000, init=None),
    "convnext-tiny": Network("convnext:ConvNeXt", (3, 224, 224), 1000, init=None),
    "squeezenet": Network("squeezenet:SqueezeNet", (3, 224, 224), 1000, init=None),
}
