"""The book's `common.multi_layer_net`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...typing import Array
from .gradient import numerical_gradient
from .multi_layer_net_extend import MultiLayerNetExtend

__all__ = ["MultiLayerNet", "np", "numerical_gradient"]


class MultiLayerNet(MultiLayerNetExtend):
    """Fully connected layers: Affine and activation, then Affine and `SoftmaxWithLoss`.

    Parameters and attributes are those of `MultiLayerNetExtend`, except the ones for batch
    normalisation and dropout.

    Examples
    --------
    >>> np.random.seed(0)
    >>> network = MultiLayerNet(4, [5, 6], 3, activation="sigmoid")
    >>> {key: p.shape for key, p in network.params.items() if key[0] == "W"}
    {'W1': (4, 5), 'W2': (5, 6), 'W3': (6, 3)}
    >>> x, t = np.random.rand(6, 4), np.array([0, 1, 2, 0, 1, 2])
    >>> exact, fast = network.numerical_gradient(x, t), network.gradient(x, t)
    >>> all(abs(exact[key] - fast[key]).max() < 1e-6 for key in exact)
    True
    """

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: float | str = "relu",
        weight_decay_lambda: float = 0,
    ) -> None:
        super().__init__(
            input_size, hidden_size_list, output_size, activation, weight_init_std,
            weight_decay_lambda,
        )  # fmt: skip

    def predict(self, x: Array, train_flg: bool = False) -> Array:
        """Return the scores (N, output_size)."""
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x: Array, t: Array, train_flg: bool = False) -> Any:
        """Return the mean loss plus the weight decay."""
        return super().loss(x, t)
