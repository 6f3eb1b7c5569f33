"""A network that learns 300 images by heart, and the same one with weight decay.

overfit_weight_decay.py [EPOCHS]
"""

import os
import sys

sys.path.append(os.pardir)
import matplotlib.pyplot as plt
import numpy as np
from common.multi_layer_net import MultiLayerNet
from common.optimizer import SGD
from common.util import shuffle_dataset
from dataset.mnist import load_mnist

max_epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 201
batch_size = 100

(x_train, t_train), (x_test, t_test) = load_mnist(normalize=True)
x_train, t_train = x_train[:300], t_train[:300]

figure, cells = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for decay, cell in zip((0, 0.1), cells):
    np.random.seed(6)
    network = MultiLayerNet(
        input_size=784,
        hidden_size_list=[100, 100, 100, 100, 100, 100],
        output_size=10,
        weight_decay_lambda=decay,
    )
    optimizer = SGD(lr=0.01)
    train_accuracy, test_accuracy = [], []
    for _ in range(max_epochs):
        x_train, t_train = shuffle_dataset(x_train, t_train)
        for begin in range(0, len(x_train), batch_size):
            x, t = x_train[begin : begin + batch_size], t_train[begin : begin + batch_size]
            optimizer.update(network.params, network.gradient(x, t))
        train_accuracy.append(network.accuracy(x_train, t_train))
        test_accuracy.append(network.accuracy(x_test, t_test))
    print(f"decay {decay}: train {train_accuracy[-1]:.4f}, test {test_accuracy[-1]:.4f}")
    cell.plot(train_accuracy, label="train")
    cell.plot(test_accuracy, linestyle="--", label="test")
    cell.set_title(f"weight decay {decay}")
    cell.set_xlabel("epochs")
    cell.set_ylim(0, 1)
cells[0].set_ylabel("accuracy")
cells[0].legend(loc="lower right")
plt.show()
