"""Networks of torchvision, written in PyTorch from their published architecture, as witnesses."""

from __future__ import annotations

from typing import Any


def alexnet(torch: Any, classes: int = 1000, hidden: int = 4096, cells: int = 36) -> Any:
    """Krizhevsky 2014, with torchvision's names; ``cells`` come out of the last pooling."""
    nn = torch.nn

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
                nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
                nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU(),
                nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU(),
                nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2),
            )  # fmt: skip
            self.classifier = nn.Sequential(
                nn.Dropout(), nn.Linear(256 * cells, hidden), nn.ReLU(),
                nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes),
            )  # fmt: skip

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x).flatten(1))

    return Module()


def vgg(torch: Any, stages: Any, classes: int = 1000, hidden: int = 4096, cells: int = 49) -> Any:
    """Simonyan & Zisserman 2014, with torchvision's names; ``stages`` lists the filters."""
    nn = torch.nn
    layers, channels = [], 3
    for stage in stages:
        for filters in stage:
            layers += [nn.Conv2d(channels, filters, 3, 1, 1), nn.ReLU()]
            channels = filters
        layers.append(nn.MaxPool2d(2))

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(*layers)
            self.classifier = nn.Sequential(
                nn.Linear(512 * cells, hidden), nn.ReLU(), nn.Dropout(),
                nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, classes),
            )  # fmt: skip

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x).flatten(1))

    return Module()


def resnet18(torch: Any, classes: int = 1000) -> Any:
    """He et al. 2015, table 1, with torchvision's names."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, inputs: int, filters: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, filters, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(filters)
            self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(filters)
            self.downsample = None
            if stride > 1:
                conv = nn.Conv2d(inputs, filters, 1, stride, bias=False)
                self.downsample = nn.Sequential(conv, nn.BatchNorm2d(filters))

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return torch.relu(y + (x if self.downsample is None else self.downsample(x)))

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            self.layer1 = nn.Sequential(Block(64, 64, 1), Block(64, 64, 1))
            self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128, 1))
            self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256, 1))
            self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512, 1))
            self.fc = nn.Linear(512, classes)

        def forward(self, x: Any) -> Any:
            x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(x.mean((2, 3)))

    return Module()


def squeezenet(torch: Any, classes: int = 1000) -> Any:
    """Iandola et al. 2016, version 1.1, with torchvision's names."""
    nn = torch.nn

    class Fire(nn.Module):
        def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
            super().__init__()
            self.squeeze = nn.Conv2d(inputs, squeezed, 1)
            self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
            self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.squeeze(x))
            return torch.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))

    def pool() -> Any:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(),
                Fire(64, 16, 64), Fire(128, 16, 64), pool(),
                Fire(128, 32, 128), Fire(256, 32, 128), pool(),
                Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
            )  # fmt: skip
            last = nn.Conv2d(512, classes, 1)
            self.classifier = nn.Sequential(nn.Dropout(), last, nn.ReLU())

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x)).mean((2, 3))

    return Module()


def shapes(torch: Any, build: Any) -> dict[str, tuple[int, ...]]:
    """Return the keys and shapes of a module that takes no memory, in their order."""
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in build().state_dict().items()}
