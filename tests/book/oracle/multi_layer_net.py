"""Fully connected networks, plain and extended by dropout and batch normalisation."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from .gradient import numerical_gradient
from .layers import Affine, BatchNormalization, Dropout, Relu, Sigmoid, SoftmaxWithLoss


class MultiLayerNetExtend:
    def __init__(
        self, input_size, hidden_size_list, output_size, activation="relu",
        weight_init_std="relu", weight_decay_lambda=0, use_dropout=False, dropout_ration=0.5,
        use_batchnorm=False,
    ):  # fmt: skip
        sizes = [input_size, *hidden_size_list, output_size]
        self.depth, self.decay = len(sizes) - 1, weight_decay_lambda
        self.use_batchnorm = use_batchnorm
        self.params = {}
        for i in range(1, self.depth + 1):
            std = weight_init_std
            if str(std).lower() in ("relu", "he"):
                std = np.sqrt(2.0 / sizes[i - 1])
            elif str(std).lower() in ("sigmoid", "xavier"):
                std = np.sqrt(1.0 / sizes[i - 1])
            self.params[f"W{i}"] = std * np.random.randn(sizes[i - 1], sizes[i])  # noqa: NPY002
            self.params[f"b{i}"] = np.zeros(sizes[i])
        self.layers = OrderedDict()
        for i in range(1, self.depth + 1):
            self.layers[f"Affine{i}"] = Affine(self.params[f"W{i}"], self.params[f"b{i}"])
            if i == self.depth:
                break
            if use_batchnorm:
                gamma, beta = np.ones(sizes[i]), np.zeros(sizes[i])
                self.params[f"gamma{i}"], self.params[f"beta{i}"] = gamma, beta
                self.layers[f"BatchNorm{i}"] = BatchNormalization(gamma, beta)
            self.layers[f"Activation_function{i}"] = {"relu": Relu, "sigmoid": Sigmoid}[
                activation
            ]()
            if use_dropout:
                self.layers[f"Dropout{i}"] = Dropout(dropout_ration)
        self.last_layer = SoftmaxWithLoss()

    def predict(self, x, train_flg=False):
        for key, layer in self.layers.items():
            switched = key.startswith(("Dropout", "BatchNorm"))
            x = layer.forward(x, train_flg) if switched else layer.forward(x)
        return x

    def loss(self, x, t, train_flg=False):
        y = self.predict(x, train_flg)
        decay = 0
        for i in range(1, self.depth + 1):
            decay += self.decay / 2 * np.sum(self.params[f"W{i}"] ** 2)
        return self.last_layer.forward(y, t) + decay

    def accuracy(self, x, t):
        y = self.predict(x).argmax(axis=1)
        return np.sum(y == (t if t.ndim == 1 else t.argmax(axis=1))) / float(len(x))

    def numerical_gradient(self, x, t):
        def loss(_):
            return self.loss(x, t, train_flg=True)

        return {key: numerical_gradient(loss, p) for key, p in self.params.items()}

    def gradient(self, x, t):
        self.loss(x, t, train_flg=True)
        dout = self.last_layer.backward(1)
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        grads = {}
        for i in range(1, self.depth + 1):
            affine = self.layers[f"Affine{i}"]
            grads[f"W{i}"] = affine.dW + self.decay * affine.W
            grads[f"b{i}"] = affine.db
            if self.use_batchnorm and i < self.depth:
                norm = self.layers[f"BatchNorm{i}"]
                grads[f"gamma{i}"], grads[f"beta{i}"] = norm.dgamma, norm.dbeta
        return grads


class MultiLayerNet(MultiLayerNetExtend):
    def loss(self, x, t, train_flg=False):
        return super().loss(x, t)
