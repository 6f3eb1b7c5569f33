"""Show test digits that the trained deep network takes for others.

Run train_deepnet.py first: it leaves deep_convnet_params.pkl here.

misclassified_mnist.py [IMAGES]
"""

import os
import sys

sys.path.append(os.pardir)
import matplotlib.pyplot as plt
import numpy as np
from dataset.mnist import load_mnist
from deep_convnet import DeepConvNet

images = int(sys.argv[1]) if len(sys.argv) > 1 else 10000

_, (x_test, t_test) = load_mnist(flatten=False)
x_test, t_test = x_test[:images], t_test[:images]
network = DeepConvNet()
network.load_params("deep_convnet_params.pkl")

guesses = np.concatenate(
    [network.predict(x_test[k : k + 100]).argmax(axis=1) for k in range(0, len(x_test), 100)]
)
wrong = np.flatnonzero(guesses != t_test)
print(f"test accuracy: {1 - len(wrong) / len(x_test):.4f}, {len(wrong)} taken for others")

figure, cells = plt.subplots(4, 5, figsize=(7, 6.4))
for cell in cells.flat:
    cell.axis("off")
for cell, k in zip(cells.flat, wrong):
    cell.imshow(x_test[k, 0], cmap="gray_r")
    cell.set_title(f"{t_test[k]} taken for {guesses[k]}", fontsize=9)
plt.show()
