"""The book's first convolutional network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ArgumentError, did_you_mean
from ..nn import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from ..nn.init import WeightInit
from .sizes import features, image_shape

__all__ = ["SimpleConvNet"]

CONV_PARAM = {"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1}


class SimpleConvNet(Sequential):
    """conv - relu - pool - affine - relu - affine ("Deep Learning from Scratch", section 7.5).

    The loss is kept apart: the output is the scores (N, ``output_size``).

    Parameters
    ----------
    input_dim : (C, H, W)
        The images.
    conv_param : mapping
        ``filter_num``, ``filter_size``, ``pad`` and ``stride``; what is left out stays as in the
        book: 30, 5, 0, 1.
    hidden_size, output_size : int
        Outputs of the two fully connected layers.
    weight_init_std : float, "he" or "xavier"
        Deviation of the initial weights.
    rng : numpy.random.Generator
        Draws them.

    Raises
    ------
    ArgumentError, ShapeError
        For an unknown key; if the filters or the 2x2 pooling do not fit the images.

    Examples
    --------
    >>> model = SimpleConvNet()
    >>> model.output_shape((1, 28, 28)), model.parameter_count()
    ((10,), 433890)
    >>> model["affine1"]
    Linear(4320, 100, weight_init=0.01)
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (1, 28, 28),
        conv_param: Mapping[str, Any] | None = None,
        hidden_size: int = 100,
        output_size: int = 10,
        weight_init_std: WeightInit = 0.01,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.input_dim = self.input_shape = (c, _, _) = image_shape(input_dim, "input_dim")
        self.conv_param = CONV_PARAM | dict(conv_param or {})
        for key in self.conv_param.keys() - CONV_PARAM.keys():
            raise ArgumentError(
                f"has no key {key!r}. {did_you_mean(key, CONV_PARAM)}", where="conv_param"
            )
        self.hidden_size = hidden_size
        self.output_size = output_size
        self.weight_init_std = weight_init_std
        rng = np.random.default_rng() if rng is None else rng
        conv = Conv2d(
            c,
            self.conv_param["filter_num"],
            self.conv_param["filter_size"],
            self.conv_param["stride"],
            self.conv_param["pad"],
            weight_init=weight_init_std,
            rng=rng,
        )
        pool = MaxPool2d(2)
        size = features({"conv1": conv, "pool1": pool}, self.input_dim)
        super().__init__(
            conv1=conv,
            relu1=ReLU(),
            pool1=pool,
            flatten=Flatten(),
            affine1=Linear(size, hidden_size, weight_init=weight_init_std, rng=rng),
            relu2=ReLU(),
            affine2=Linear(hidden_size, output_size, weight_init=weight_init_std, rng=rng),
        )
