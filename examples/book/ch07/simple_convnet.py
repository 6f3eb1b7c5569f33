"""conv - relu - pool - affine - relu - affine - softmax, of the layers in common.layers."""

import pickle

import numpy as np
from common.gradient import numerical_gradient
from common.layers import Affine, Convolution, Pooling, Relu, SoftmaxWithLoss


class SimpleConvNet:
    """The first convolutional network; `params` and the layers share their arrays."""

    def __init__(
        self,
        input_dim=(1, 28, 28),
        conv_param=None,
        hidden_size=100,
        output_size=10,
        weight_init_std=0.01,
    ):
        conv = {"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1} | (conv_param or {})
        channels, size, _ = input_dim
        filters, window = conv["filter_num"], conv["filter_size"]
        conv_size = (size + 2 * conv["pad"] - window) // conv["stride"] + 1
        pooled = filters * (conv_size // 2) ** 2

        shapes = [
            (filters, channels, window, window),
            (pooled, hidden_size),
            (hidden_size, output_size),
        ]
        self.params = {}
        for number, shape in enumerate(shapes, 1):
            self.params[f"W{number}"] = weight_init_std * np.random.randn(*shape)
            self.params[f"b{number}"] = np.zeros(shape[0] if len(shape) == 4 else shape[1])
        self.conv_param = conv
        self.build()

    def build(self):
        p = self.params
        self.layers = {
            "Conv1": Convolution(
                p["W1"], p["b1"], self.conv_param["stride"], self.conv_param["pad"]
            ),
            "Relu1": Relu(),
            "Pool1": Pooling(pool_h=2, pool_w=2, stride=2),
            "Affine1": Affine(p["W2"], p["b2"]),
            "Relu2": Relu(),
            "Affine2": Affine(p["W3"], p["b3"]),
        }
        self.last_layer = SoftmaxWithLoss()

    def predict(self, x):
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x, t):
        return self.last_layer.forward(self.predict(x), t)

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
        for layer in reversed(list(self.layers.values())):
            dout = layer.backward(dout)
        grads = {}
        for number, name in enumerate(("Conv1", "Affine1", "Affine2"), 1):
            grads[f"W{number}"] = self.layers[name].dW
            grads[f"b{number}"] = self.layers[name].db
        return grads

    def numerical_gradient(self, x, t):
        def loss(_):
            return self.loss(x, t)

        return {key: numerical_gradient(loss, value) for key, value in self.params.items()}

    def save_params(self, file_name="params.pkl"):
        with open(file_name, "wb") as file:
            pickle.dump(dict(self.params), file)

    def load_params(self, file_name="params.pkl"):
        with open(file_name, "rb") as file:
            self.params = pickle.load(file)
        self.build()
