"""The networks of which steps on several ranks are measured and computed."""

from __future__ import annotations

__all__ = ["NETWORKS"]

NETWORKS: dict[str, tuple[str, tuple[int, int, int], int, int]] = {
    # as it is called: by name, images, classes, the most images that are measured
    "SimpleConvNet": ("simple", (1, 28, 28), 10, 128),
    "ResNet-20": ("resnet20", (3, 32, 32), 10, 128),
    "ResNet-18": ("resnet18", (3, 224, 224), 1000, 16),
    "AlexNet": ("alexnet", (3, 227, 227), 1000, 32),
}
