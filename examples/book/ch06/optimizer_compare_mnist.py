"""Train one network with each optimizer, from the same weights, and compare their losses.

optimizer_compare_mnist.py [STEPS]
"""

import os
import sys

sys.path.append(os.pardir)
import matplotlib.pyplot as plt
import numpy as np
from common.multi_layer_net import MultiLayerNet
from common.optimizer import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSprop
from common.util import smooth_curve
from dataset.mnist import load_mnist

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
batch_size = 128

(x_train, t_train), _ = load_mnist(normalize=True)

optimizers = {
    "SGD": SGD(),
    "Momentum": Momentum(),
    "Nesterov": Nesterov(),
    "AdaGrad": AdaGrad(),
    "RMSprop": RMSprop(lr=0.001),
    "Adam": Adam(),
}
networks, losses = {}, {}
for name in optimizers:
    np.random.seed(6)  # the same weights for each
    networks[name] = MultiLayerNet(
        input_size=784, hidden_size_list=[100, 100, 100, 100], output_size=10
    )
    losses[name] = []

for step in range(steps):
    chosen = np.random.choice(len(x_train), batch_size)
    x, t = x_train[chosen], t_train[chosen]
    for name, optimizer in optimizers.items():
        network = networks[name]
        optimizer.update(network.params, network.gradient(x, t))
        losses[name].append(network.loss(x, t))
    if step % 100 == 0:
        print(f"step {step}: " + ", ".join(f"{name} {losses[name][-1]:.4f}" for name in losses))

print("last losses: " + ", ".join(f"{name} {losses[name][-1]:.6f}" for name in losses))

for (name, loss), style in zip(losses.items(), ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))):
    plt.plot(smooth_curve(np.array(loss)), linestyle=style, label=name)
plt.xlabel("steps")
plt.ylabel("loss")
plt.ylim(0, 1)
plt.legend()
plt.show()
