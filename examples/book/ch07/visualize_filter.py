"""Show the filters of the first layer before and after training.

Run train_convnet.py first: it leaves params.pkl here.
"""

import os
import sys

sys.path.append(os.pardir)
import matplotlib.pyplot as plt
import numpy as np
from simple_convnet import SimpleConvNet


def show_filters(filters, title, columns=8):
    """Draw every filter as a small grey picture."""
    rows = -(-len(filters) // columns)
    figure, cells = plt.subplots(rows, columns, figsize=(columns, rows + 0.4))
    for cell in cells.flat:
        cell.axis("off")
    for cell, one in zip(cells.flat, filters):
        cell.imshow(one[0], cmap="gray_r", interpolation="nearest")
    figure.suptitle(title)
    plt.show()


np.random.seed(7)
network = SimpleConvNet()
show_filters(network.params["W1"], "before training")

network.load_params("params.pkl")
show_filters(network.params["W1"], "after training")
