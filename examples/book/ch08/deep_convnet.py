"""Six convolutions in pairs, each pair followed by pooling, and two affine layers."""

import pickle

import numpy as np
from common.layers import Affine, Convolution, Dropout, Pooling, Relu, SoftmaxWithLoss

FILTERS = (16, 16, 32, 32, 64, 64)
PADDINGS = (1, 1, 1, 2, 1, 1)


class DeepConvNet:
    """The deep network for MNIST: 3x3 filters, He's initial weights, dropout."""

    def __init__(self, input_dim=(1, 28, 28), filters=FILTERS, hidden_size=50, output_size=10):
        self.params = {}
        channels, size, _ = input_dim
        for number, (filter_num, pad) in enumerate(zip(filters, PADDINGS), 1):
            self.add_params(number, (filter_num, channels, 3, 3), channels * 3 * 3, filter_num)
            channels = filter_num
            size = size + 2 * pad - 2
            size = size // 2 if number % 2 == 0 else size
        inputs = channels * size * size
        self.add_params(7, (inputs, hidden_size), inputs, hidden_size)
        self.add_params(8, (hidden_size, output_size), hidden_size, output_size)
        self.build()

    def add_params(self, number, shape, inputs, outputs):
        self.params[f"W{number}"] = np.sqrt(2 / inputs) * np.random.randn(*shape)
        self.params[f"b{number}"] = np.zeros(outputs)

    def build(self):
        p = self.params
        self.layers = []
        for number, pad in enumerate(PADDINGS, 1):
            self.layers += [Convolution(p[f"W{number}"], p[f"b{number}"], 1, pad), Relu()]
            if number % 2 == 0:
                self.layers.append(Pooling(pool_h=2, pool_w=2, stride=2))
        self.layers += [Affine(p["W7"], p["b7"]), Relu(), Dropout(0.5)]
        self.layers += [Affine(p["W8"], p["b8"]), Dropout(0.5)]
        self.last_layer = SoftmaxWithLoss()

    def predict(self, x, train_flg=False):
        for layer in self.layers:
            x = layer.forward(x, train_flg) if isinstance(layer, Dropout) else layer.forward(x)
        return x

    def loss(self, x, t):
        return self.last_layer.forward(self.predict(x, train_flg=True), t)

    def accuracy(self, x, t, batch_size=100):
        labels = t if t.ndim == 1 else t.argmax(axis=1)
        right = 0
        for begin in range(0, len(x), batch_size):
            guesses = self.predict(x[begin : begin + batch_size]).argmax(axis=1)
            right += np.sum(guesses == labels[begin : begin + batch_size])
        return right / len(x)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.last_layer.backward(1)
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        with_params = [layer for layer in self.layers if hasattr(layer, "W")]
        grads = {}
        for number, layer in enumerate(with_params, 1):
            grads[f"W{number}"] = layer.dW
            grads[f"b{number}"] = layer.db
        return grads

    def save_params(self, file_name="deep_convnet_params.pkl"):
        with open(file_name, "wb") as file:
            pickle.dump(self.params, file)

    def load_params(self, file_name="deep_convnet_params.pkl"):
        with open(file_name, "rb") as file:
            self.params = pickle.load(file)
        self.build()
