"""The book's `common.multi_layer_net_extend`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError, did_you_mean
from ...typing import Array
from .gradient import numerical_gradient
from .layers import Affine, BatchNormalization, Dropout, Relu, Sigmoid, SoftmaxWithLoss

__all__ = ["MultiLayerNetExtend", "np", "numerical_gradient"]

ACTIVATIONS: dict[str, Callable[[], Any]] = {"sigmoid": Sigmoid, "relu": Relu}
GAINS = {"relu": 2.0, "he": 2.0, "sigmoid": 1.0, "xavier": 1.0}
SWITCHED = ("Dropout", "BatchNorm")  # layers whose forward takes ``train_flg``


class MultiLayerNetExtend:
    """Fully connected layers, with optional batch normalisation and dropout between them.

    Each hidden layer is Affine, batch normalisation, activation and dropout; after the last one
    come Affine and `SoftmaxWithLoss` ("Deep Learning from Scratch", sections 6.3 and 6.4).

    Parameters
    ----------
    input_size : int
    hidden_size_list : list of int
    output_size : int
    activation : {"relu", "sigmoid"}
    weight_init_std : float or str
        Standard deviation of the initial weights; "relu" or "he" for ``√(2/n)``, "sigmoid" or
        "xavier" for ``√(1/n)``, where n is the number of inputs of a layer.
    weight_decay_lambda : float
        λ of the term ``λ/2 · Σ W²`` that is added to the loss.
    use_dropout, use_batchnorm : bool
    dropout_ration : float
        As the book spells it.

    Attributes
    ----------
    params : dict
        ``W1``, ``b1``, ``gamma1``, ``beta1``, ..., float64: the arrays that the layers refer to.
    layers : OrderedDict
        ``Affine1``, ``BatchNorm1``, ``Activation_function1``, ``Dropout1``, ...
    last_layer : SoftmaxWithLoss

    Examples
    --------
    >>> np.random.seed(0)
    >>> network = MultiLayerNetExtend(4, [5], 3, use_batchnorm=True)
    >>> list(network.layers)
    ['Affine1', 'BatchNorm1', 'Activation_function1', 'Affine2']
    >>> sorted(network.gradient(np.random.rand(6, 4), np.array([0, 1, 2, 0, 1, 2])))
    ['W1', 'W2', 'b1', 'b2', 'beta1', 'gamma1']
    """

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: float | str = "relu",
        weight_decay_lambda: float = 0,
        use_dropout: bool = False,
        dropout_ration: float = 0.5,
        use_batchnorm: bool = False,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise ArgumentError(
                f"there is no activation {activation!r}. {did_you_mean(activation, ACTIVATIONS)}",
                where="activation",
            )
        self.input_size, self.output_size = input_size, output_size
        self.hidden_size_list = hidden_size_list
        self.hidden_layer_num = len(hidden_size_list)
        self.weight_decay_lambda = weight_decay_lambda
        self.use_dropout, self.use_batchnorm = use_dropout, use_batchnorm
        self.params: dict[str, Array] = {}
        self._draw_weights(weight_init_std)

        self.layers: OrderedDict[str, Any] = OrderedDict()
        for i in range(1, self.hidden_layer_num + 1):
            self._add_affine(i)
            if use_batchnorm:
                size = hidden_size_list[i - 1]
                self.params[f"gamma{i}"], self.params[f"beta{i}"] = np.ones(size), np.zeros(size)
                self.layers[f"BatchNorm{i}"] = BatchNormalization(
                    self.params[f"gamma{i}"], self.params[f"beta{i}"]
                )
            self.layers[f"Activation_function{i}"] = ACTIVATIONS[activation]()
            if use_dropout:
                self.layers[f"Dropout{i}"] = Dropout(dropout_ration)
        self._add_affine(self.hidden_layer_num + 1)
        self.last_layer: Any = SoftmaxWithLoss()

    def predict(self, x: Array, train_flg: bool = False) -> Array:
        """Return the scores (N, output_size)."""
        for key, layer in self.layers.items():
            switched = any(name in key for name in SWITCHED)
            x = layer.forward(x, train_flg) if switched else layer.forward(x)
        return x

    def loss(self, x: Array, t: Array, train_flg: bool = False) -> Any:
        """Return the mean loss plus the weight decay."""
        return self.last_layer.forward(self.predict(x, train_flg), t) + self._decay()

    def accuracy(self, x: Array, t: Array) -> Any:
        """Return the share of rows whose largest score is that of the label."""
        return _share_right(self.predict(x, train_flg=False), t)

    def numerical_gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """Return the gradient of every parameter by central differences, in float64."""
        return {
            key: numerical_gradient(lambda _: self.loss(x, t, train_flg=True), self.params[key])
            for key in self._keys()
        }

    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """Return the gradient of every parameter by backpropagation."""
        self.loss(x, t, train_flg=True)
        self._backward()
        grads: dict[str, Array] = {}
        for i in range(1, self.hidden_layer_num + 2):
            affine = self.layers[f"Affine{i}"]
            grads[f"W{i}"], grads[f"b{i}"] = affine.dW, affine.db
            if self.weight_decay_lambda:
                grads[f"W{i}"] = affine.dW + self.weight_decay_lambda * self.params[f"W{i}"]
            if f"gamma{i}" in self.params:
                norm = self.layers[f"BatchNorm{i}"]
                grads[f"gamma{i}"], grads[f"beta{i}"] = norm.dgamma, norm.dbeta
        return grads

    def _draw_weights(self, weight_init_std: float | str) -> None:
        sizes = [self.input_size, *self.hidden_size_list, self.output_size]
        for i in range(1, len(sizes)):
            scale = _deviation(weight_init_std, sizes[i - 1])
            drawn = np.random.randn(sizes[i - 1], sizes[i])  # noqa: NPY002 - the script's seed
            self.params[f"W{i}"] = scale * drawn
            self.params[f"b{i}"] = np.zeros(sizes[i])

    def _add_affine(self, i: int) -> None:
        self.layers[f"Affine{i}"] = Affine(self.params[f"W{i}"], self.params[f"b{i}"])

    def _decay(self) -> Any:
        """Return ``λ/2 · Σ W²``."""
        if not self.weight_decay_lambda:
            return 0
        weights = (self.params[f"W{i}"] for i in range(1, self.hidden_layer_num + 2))
        return sum(0.5 * self.weight_decay_lambda * np.sum(w**2) for w in weights)

    def _backward(self) -> None:
        dout = self.last_layer.backward(1)
        first, *others = self.layers.values()
        for layer in reversed(others):
            dout = layer.backward(dout)
        if type(first) is Affine:  # the gradient for the images is not needed
            first.learn(dout)
        else:
            first.backward(dout)

    def _keys(self) -> list[str]:
        """Return the names of the parameters, layer by layer."""
        numbers = range(1, self.hidden_layer_num + 2)
        keys = [f"{name}{i}" for i in numbers for name in ("W", "b", "gamma", "beta")]
        return [key for key in keys if key in self.params]


def _deviation(weight_init_std: float | str, inputs: int) -> Any:
    if not isinstance(weight_init_std, str):
        return weight_init_std
    name = weight_init_std.lower()
    if name not in GAINS:
        raise ArgumentError(
            f"must be a number or a name, received {weight_init_std!r}. "
            f"{did_you_mean(name, GAINS)}",
            where="weight_init_std",
        )
    return np.sqrt(GAINS[name] / inputs)


def _share_right(y: Array, t: Array) -> Any:
    labels = t if t.ndim == 1 else np.argmax(t, axis=1)
    return np.sum(np.argmax(y, axis=1) == labels) / float(len(y))
