"""Your own layer in plain NumPy: it is trained, summarised, checked and saved like any other."""

import numpy as np

import pellucid
from pellucid import data, nn


class Scale(nn.Layer):
    """Multiply every channel by its own learned number."""

    def __init__(self, channels):
        self.channels = channels
        self.gain = nn.Parameter(np.ones(channels, dtype=np.float32))

    def forward(self, x):
        self.remember(x)
        return x * self.gain.data.reshape(1, -1, 1, 1)

    def backward(self, dy):
        (x,) = self.recall()
        self.gain.grad = (dy * x).sum(axis=(0, 2, 3))
        return dy * self.gain.data.reshape(1, -1, 1, 1)


rng = np.random.default_rng(0)
train, test = data.digits()
model = nn.Sequential(
    conv=nn.Conv2d(1, 16, 3, padding="same", rng=rng),
    scale=Scale(16),
    relu=nn.ReLU(),
    pool=nn.MaxPool2d(2),
    flatten=nn.Flatten(),
    linear=nn.Linear(256, 10, rng=rng),
)

images, labels = train.batch(slice(0, 3))
print(pellucid.gradcheck(model, images, labels, nn.SoftmaxCrossEntropy()))

history = pellucid.Trainer(model, train, test, epochs=12, batch_size=50).fit()
print(f"test accuracy {history.epochs[-1].test_accuracy:.3f}")

pellucid.save(model, "scaled.safetensors")
print(pellucid.load("scaled.safetensors", layers=[Scale])["scale"])
