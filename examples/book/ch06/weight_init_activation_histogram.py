"""How the outputs of five layers are spread, for several initial weights and activations."""

import os
import sys

sys.path.append(os.pardir)
import matplotlib.pyplot as plt
import numpy as np
from common.functions import relu, sigmoid

np.random.seed(6)
node_num = 100
layer_num = 5
inputs = np.random.randn(1000, node_num)

cases = [
    ("sigmoid, deviation 1", sigmoid, 1.0),
    ("sigmoid, deviation 0.01", sigmoid, 0.01),
    ("sigmoid, Xavier", sigmoid, np.sqrt(1 / node_num)),
    ("ReLU, Xavier", relu, np.sqrt(1 / node_num)),
    ("ReLU, He", relu, np.sqrt(2 / node_num)),
]

figure, rows = plt.subplots(len(cases), layer_num, figsize=(10, 9), layout="constrained")
for (title, activation, deviation), cells in zip(cases, rows):
    x = inputs
    spreads = []
    for number, cell in enumerate(cells, 1):
        x = activation(x @ (deviation * np.random.randn(node_num, node_num)))
        spreads.append(f"{x.std():.4f}")
        cell.hist(x.ravel(), bins=30, range=(0, 1))
        cell.set_ylim(0, 12000)  # of 100,000: the zeros of ReLU would dwarf the others
        cell.set_yticks([])
        cell.set_title(f"layer {number}" if number > 1 else title, fontsize=9, loc="left")
    print(f"{title}: spread {', '.join(spreads)}")
plt.show()
