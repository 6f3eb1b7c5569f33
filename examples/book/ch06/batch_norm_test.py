"""Training with and without batch normalisation, from weights of several sizes.

batch_norm_test.py [EPOCHS]
"""

import os
import sys

sys.path.append(os.pardir)
import matplotlib.pyplot as plt
import numpy as np
from common.multi_layer_net_extend import MultiLayerNetExtend
from common.optimizer import SGD
from dataset.mnist import load_mnist

max_epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
batch_size = 100
deviations = np.logspace(0, -4, num=8)
np.seterr(over="ignore", invalid="ignore")  # the largest weights diverge without normalisation

(x_train, t_train), _ = load_mnist(normalize=True)
x_train, t_train = x_train[:1000], t_train[:1000]


def train(deviation, use_batchnorm):
    """Return the accuracy on the training images after each epoch."""
    np.random.seed(6)
    network = MultiLayerNetExtend(
        input_size=784,
        hidden_size_list=[100, 100, 100, 100, 100],
        output_size=10,
        weight_init_std=deviation,
        use_batchnorm=use_batchnorm,
    )
    optimizer = SGD(lr=0.01)
    accuracies = []
    for _ in range(max_epochs):
        for _ in range(len(x_train) // batch_size):
            chosen = np.random.choice(len(x_train), batch_size)
            optimizer.update(network.params, network.gradient(x_train[chosen], t_train[chosen]))
        accuracies.append(network.accuracy(x_train, t_train))
    return accuracies


figure, cells = plt.subplots(
    2, 4, figsize=(11, 5.5), sharex=True, sharey=True, layout="constrained"
)
for deviation, cell in zip(deviations, cells.flat):
    with_norm, without = train(deviation, True), train(deviation, False)
    print(f"deviation {deviation:.4f}: with {with_norm[-1]:.3f}, without {without[-1]:.3f}")
    cell.plot(with_norm, label="batch normalisation")
    cell.plot(without, linestyle="--", label="without")
    cell.set_title(f"deviation {deviation:.4f}", fontsize=10)
    cell.set_ylim(0, 1)
cells[0, 0].legend()
figure.supxlabel("epochs")
figure.supylabel("accuracy")
plt.show()
