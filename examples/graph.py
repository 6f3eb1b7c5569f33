"""Layers with several inputs: a densely connected block, as a graph of named nodes.

Each convolution reads all earlier outputs (Huang et al. 2016, "Densely Connected
Convolutional Networks", figure 1).
"""

import numpy as np

import pellucid
from pellucid import data, nn

train, test = data.digits()
rng = np.random.default_rng(0)
model = nn.Graph(
    {
        "conv1": (nn.Conv2d(1, 16, 3, padding=1, rng=rng), "x"),
        "relu1": nn.ReLU(),  # a layer alone reads the previous node
        "all1": (nn.Concat(), "x", "relu1"),
        "conv2": nn.Conv2d(17, 16, 3, padding=1, rng=rng),
        "relu2": nn.ReLU(),
        "all2": (nn.Concat(), "x", "relu1", "relu2"),
        "pool": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(33 * 16, 10, rng=rng),
    }
)
model.input_shape = train.image_shape
print(pellucid.summary(model))
trainer = pellucid.Trainer(model, train, test, epochs=20, batch_size=50)
trainer.fit()
print("test accuracy", round(pellucid.evaluate(model, test).accuracy, 3))
