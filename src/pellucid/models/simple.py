"""The book's first convolutional network."""

from __future__ import annotations

import numpy as np

from ..nn import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from ..nn.init import WeightInit
from .sizes import features, image_shape

__all__ = ["SimpleConvNet"]


class SimpleConvNet(Sequential):
    """conv - relu - pool - affine - relu - affine ("Deep Learning from Scratch", section 7.5).

    The loss is kept apart: the output is the scores (N, ``classes``).

    Parameters
    ----------
    input_shape : (C, H, W)
        The images.
    classes, hidden_size : int
        Outputs of the second and the first fully connected layer.
    weight_init : float, "he", "xavier" or callable
        Initial weights, as in `pellucid.nn.init`; the book takes a deviation of 0.01.
    filters, kernel_size, stride, padding : int
        Of the convolution, as in `Conv2d`.
    rng : numpy.random.Generator
        Draws the weights.

    Raises
    ------
    ArgumentError, ShapeError
        If these are not images; if the filters or the 2x2 pooling do not fit them.

    Examples
    --------
    >>> model = SimpleConvNet()
    >>> model.output_shape((1, 28, 28)), model.parameter_count()
    ((10,), 433890)
    >>> SimpleConvNet((1, 8, 8), kernel_size=3, padding=1)["affine1"]
    Linear(480, 100, weight_init=0.01)
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 10,
        hidden_size: int = 100,
        weight_init: WeightInit = 0.01,
        *,
        filters: int = 30,
        kernel_size: int = 5,
        stride: int = 1,
        padding: int = 0,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.input_shape = images = image_shape(input_shape)
        self.classes = classes
        self.hidden_size = hidden_size
        self.weight_init = weight_init
        self.filters, self.kernel_size = filters, kernel_size
        self.stride, self.padding = stride, padding
        rng = np.random.default_rng() if rng is None else rng
        conv = Conv2d(
            images[0], filters, kernel_size, stride, padding, weight_init=weight_init, rng=rng
        )
        pool = MaxPool2d(2)
        size = features({"conv1": conv, "pool1": pool}, images)
        super().__init__(
            conv1=conv,
            relu1=ReLU(),
            pool1=pool,
            flatten=Flatten(),
            affine1=Linear(size, hidden_size, weight_init=weight_init, rng=rng),
            relu2=ReLU(),
            affine2=Linear(hidden_size, classes, weight_init=weight_init, rng=rng),
        )
