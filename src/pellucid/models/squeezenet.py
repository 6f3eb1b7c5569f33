"""SqueezeNet: the accuracy of AlexNet with a fiftieth of its parameters."""

from __future__ import annotations

import numpy as np

from ..nn import (
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Graph,
    Layer,
    MaxPool2d,
    ReLU,
    Sequential,
)
from ..nn.init import WeightInit
from .sizes import image_shape

__all__ = ["SqueezeNet"]

# Of each fire module, the filters of its squeeze layer and of each half of its expand layer (the
# paper's table 1); a pooling precedes each group.
FIRES = (
    ((16, 64), (16, 64)),
    ((32, 128), (32, 128)),
    ((48, 192), (48, 192), (64, 256), (64, 256)),
)


class SqueezeNet(Sequential):
    """SqueezeNet 1.1 (Iandola et al. 2016, arXiv 1602.07360, sections 3.2 and 3.3).

    A convolution, eight fire modules, a 1x1 convolution with one filter per class, the average over
    the image. A fire module reduces the channels by 1x1 filters ("squeeze") before 1x1 and 3x3
    filters side by side ("expand"). Version 1.1, from the authors' repository, has smaller filters
    in the first layer than the paper's, and pools earlier, for 2.4 times fewer products. The keys
    are torchvision's, whose weights fit for 1000 classes and images of any size.

    Parameters
    ----------
    input_shape : (C, H, W)
        The images.
    classes : int
    weight_init : "he", "xavier", float or callable, optional
        Initial weights; by default "he", and a deviation of 0.01 in the last convolution.
    rng : numpy.random.Generator
        Draws them, and the dropout.

    Raises
    ------
    ArgumentError, ShapeError
        If these are not images; if they are too small.

    Examples
    --------
    >>> from pellucid.nn.init import without_values
    >>> with without_values():
    ...     model = SqueezeNet()
    >>> model.parameter_count(), model["features"]["3"]["squeeze"]
    (1235496, Conv2d(64, 16, 1))
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (3, 224, 224),
        classes: int = 1000,
        weight_init: WeightInit | None = None,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.input_shape = (channels, _, _) = image_shape(input_shape)
        self.classes = classes
        self.weight_init = weight_init
        rng = np.random.default_rng() if rng is None else rng
        init, last_init = ("he", 0.01) if weight_init is None else (weight_init, weight_init)

        def conv(inputs: int, filters: int, size: int, stride: int = 1, padding: int = 0) -> Conv2d:
            return Conv2d(inputs, filters, size, stride, padding, weight_init=init, rng=rng)

        def fire(inputs: int, squeezed: int, expanded: int) -> Graph:
            return Graph(
                {
                    "squeeze": (conv(inputs, squeezed, 1), "x"),
                    "squeeze_activation": ReLU(),
                    "expand1x1": conv(squeezed, expanded, 1),
                    "expand1x1_activation": ReLU(),
                    "expand3x3": (conv(squeezed, expanded, 3, 1, 1), "squeeze_activation"),
                    "expand3x3_activation": ReLU(),
                    "concat": (Concat(), "expand1x1_activation", "expand3x3_activation"),
                }
            )

        layers: list[Layer] = [conv(channels, 64, 3, 2), ReLU()]
        channels = 64
        for fires in FIRES:
            layers.append(MaxPool2d(3, 2, misfit="pad"))
            for squeezed, expanded in fires:
                layers.append(fire(channels, squeezed, expanded))
                channels = 2 * expanded
        super().__init__(
            features=Sequential(*layers),
            classifier=Sequential(
                Dropout(0.5, rng=rng),
                Conv2d(channels, classes, 1, weight_init=last_init, rng=rng),
                ReLU(),
                GlobalAvgPool2d(),
            ),
            flatten=Flatten(),
        )
        self.output_shape(self.input_shape)  # refuses images that are too small
