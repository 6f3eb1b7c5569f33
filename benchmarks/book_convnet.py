"""A script in the book's manner, as chapter 7 describes it: SimpleConvNet learns MNIST.

    conv - relu - pool - affine - relu - affine - softmax

It does not depend on which `common` and `dataset` it imports; benchmarks/book.py runs it under two.
"""
# ruff: noqa: F403, F405, NPY002, PTH123 - as the book's scripts are written

import os
import pickle
import sys
from collections import OrderedDict

sys.path.append(os.pardir)
import numpy as np
from common.layers import *
from common.trainer import Trainer
from dataset.mnist import load_mnist

ITERATIONS = int(os.environ.get("BOOK_ITERATIONS", "300"))


class SimpleConvNet:
    """The network of section 7.5."""

    def __init__(self, filters=30, size=5, hidden=100, outputs=10, std=0.01):
        pooled = filters * ((28 - size + 1) // 2) ** 2
        self.params = {
            "W1": std * np.random.randn(filters, 1, size, size),
            "b1": np.zeros(filters),
            "W2": std * np.random.randn(pooled, hidden),
            "b2": np.zeros(hidden),
            "W3": std * np.random.randn(hidden, outputs),
            "b3": np.zeros(outputs),
        }
        self.layers = OrderedDict()
        self.layers["Conv1"] = Convolution(self.params["W1"], self.params["b1"], 1, 0)
        self.layers["Relu1"] = Relu()
        self.layers["Pool1"] = Pooling(pool_h=2, pool_w=2, stride=2)
        self.layers["Affine1"] = Affine(self.params["W2"], self.params["b2"])
        self.layers["Relu2"] = Relu()
        self.layers["Affine2"] = Affine(self.params["W3"], self.params["b3"])
        self.last_layer = SoftmaxWithLoss()

    def predict(self, x):
        """Return the scores."""
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x, t):
        """Return the loss."""
        return self.last_layer.forward(self.predict(x), t)

    def accuracy(self, x, t, batch_size=100):
        """Return the accuracy, by the hundred."""
        right = 0.0
        for i in range(int(x.shape[0] / batch_size)):
            part = slice(i * batch_size, (i + 1) * batch_size)
            right += np.sum(np.argmax(self.predict(x[part]), axis=1) == t[part])
        return right / x.shape[0]

    def gradient(self, x, t):
        """Return the gradients by backpropagation."""
        self.loss(x, t)
        dout = self.last_layer.backward(1)
        for layer in reversed(list(self.layers.values())):
            dout = layer.backward(dout)
        grads = {}
        for number, name in enumerate(("Conv1", "Affine1", "Affine2"), 1):
            grads[f"W{number}"] = self.layers[name].dW
            grads[f"b{number}"] = self.layers[name].db
        return grads


np.random.seed(int(os.environ.get("BOOK_SEED", "1")))
(x_train, t_train), (x_test, t_test) = load_mnist(flatten=False)
network = SimpleConvNet()
trainer = Trainer(
    network,
    x_train,
    t_train,
    x_test,
    t_test,
    epochs=1,
    mini_batch_size=100,
    optimizer="Adam",
    optimizer_param={"lr": 0.001},
    evaluate_sample_num_per_epoch=1000,
)
trainer.max_iter = ITERATIONS
trainer.train()

with open("params.pkl", "wb") as file:
    pickle.dump(network.params, file)
