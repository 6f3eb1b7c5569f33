"""The book's deep convolutional network."""

from __future__ import annotations

import numpy as np

from ..nn import Conv2d, Dropout, Flatten, Layer, Linear, MaxPool2d, ReLU, Sequential
from ..nn.init import WeightInit
from .sizes import features, image_shape

__all__ = ["DeepConvNet"]

FILTERS = (16, 16, 32, 32, 64, 64)
PADDINGS = (1, 1, 1, 2, 1, 1)


class DeepConvNet(Sequential):
    """Six 3x3 convolutions in pairs, then two fully connected layers: 99 % and more on MNIST.

    conv - relu - conv - relu - pool, three times, with 16, 32 and 64 filters; then affine - relu -
    dropout - affine - dropout ("Deep Learning from Scratch", section 8.1). As in the book, the
    dropout scales when evaluating, there is one after the scores too, and conv4 is padded by two.
    The loss is kept apart: the output is the scores (N, ``classes``).

    Parameters
    ----------
    input_shape : (C, H, W)
        The images.
    classes, hidden_size : int
        Outputs of the second and the first fully connected layer.
    weight_init : "he", "xavier", float or callable
        Initial weights; the book takes He's.
    rng : numpy.random.Generator
        Draws them, and the dropout.

    Raises
    ------
    ArgumentError, ShapeError
        If these are not images; if they are too small.

    Examples
    --------
    >>> model = DeepConvNet()
    >>> model["affine1"], model.parameter_count()
    (Linear(1024, 50), 123552)
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 10,
        hidden_size: int = 50,
        weight_init: WeightInit = "he",
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.input_shape = (channels, _, _) = image_shape(input_shape)
        self.classes = classes
        self.hidden_size = hidden_size
        self.weight_init = weight_init
        rng = np.random.default_rng() if rng is None else rng
        layers: dict[str, Layer] = {}
        for k, (filters, padding) in enumerate(zip(FILTERS, PADDINGS, strict=True), 1):
            layers[f"conv{k}"] = Conv2d(
                channels, filters, 3, padding=padding, weight_init=weight_init, rng=rng
            )
            layers[f"relu{k}"] = ReLU()
            if k % 2 == 0:
                layers[f"pool{k // 2}"] = MaxPool2d(2)
            channels = filters
        size = features(layers, self.input_shape)
        super().__init__(
            **layers,
            flatten=Flatten(),
            affine1=Linear(size, hidden_size, weight_init=weight_init, rng=rng),
            relu7=ReLU(),
            dropout1=Dropout(0.5, "book", rng=rng),
            affine2=Linear(hidden_size, classes, weight_init=weight_init, rng=rng),
            dropout2=Dropout(0.5, "book", rng=rng),
        )
