"""The measured cases: networks, images, batches, and target ratios to PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import networks

__all__ = ["CASES", "TRAINED", "TRAINED_TARGET", "Case"]

MNIST, CIFAR, IMAGENET = (1, 28, 28), (3, 32, 32), (3, 227, 227)


@dataclass(frozen=True)
class Case:
    """One row of the table: a network, its images, training or inference, the target ratio."""

    name: str
    network: Callable[[Any], Any]
    image: tuple[int, int, int]
    batch: int
    training: bool
    target: float

    @property
    def key(self) -> str:
        """A name for files and command lines."""
        return f"{self.name}-{'train' if self.training else 'infer'}-{self.batch}"


def _at_224(name: str, network: Callable[[Any], Any], target: float) -> list[Case]:
    """Return training on 8 images, and inference on 8 and on one."""
    image = (3, 224, 224)
    return [Case(name, network, image, n, training, target) for n, training in USES]


USES = ((8, True), (8, False), (1, False))  # images, and whether it is training
CASES = {
    case.key: case
    for case in (
        Case("simple", networks.simple, MNIST, 100, True, 7),
        Case("simple", networks.simple, MNIST, 1, False, 5),
        Case("simple", networks.simple, MNIST, 1000, False, 5),
        Case("deep", networks.deep, MNIST, 100, True, 3),
        Case("deep", networks.deep, MNIST, 100, False, 3),
        Case("lenet", networks.lenet, MNIST, 100, True, 4),
        Case("lenet", networks.lenet, MNIST, 100, False, 4),
        Case("vgg", networks.vgg, CIFAR, 128, True, 2.5),
        Case("vgg", networks.vgg, CIFAR, 128, False, 2.5),
        Case("resnet20", networks.resnet20, CIFAR, 128, True, 2.5),
        Case("resnet20", networks.resnet20, CIFAR, 128, False, 2),
        Case("depthwise", networks.depthwise, (3, 56, 56), 8, True, 1),
        Case("depthwise", networks.depthwise, (3, 56, 56), 8, False, 1),
        Case("mobile", networks.mobile, (3, 112, 112), 16, True, 1),
        Case("mobile", networks.mobile, (3, 112, 112), 1, False, 1),
        Case("resnet20", networks.resnet20, CIFAR, 1, False, 2),
        Case("alexnet", networks.alexnet, IMAGENET, 32, True, 2.2),
        Case("alexnet", networks.alexnet, IMAGENET, 1, False, 1.7),
        *_at_224("resnet18", networks.resnet18, 2),
        *_at_224("googlenet", networks.googlenet, 2),
        *_at_224("mobilenet-v2", networks.mobilenet_v2, 1.5),
    )
}

# Steps timed with fresh and with trained weights: denormal numbers and stable argmaxes must not
# make a difference.
TRAINED = {"simple-trained": CASES["simple-train-100"], "deep-trained": CASES["deep-train-100"]}
TRAINED_TARGET = 0.05  # the most by which trained weights may be slower
