"""Apply filters to a picture: those that train_convnet.py has learned, or edge detectors.

apply_filter.py [IMAGE]
"""

import os
import sys

sys.path.append(os.pardir)
import matplotlib.pyplot as plt
import numpy as np
from common.layers import Convolution
from simple_convnet import SimpleConvNet


def picture(size=96):
    """Return a drawing of a disc and a beam, grey values from 0 to 1."""
    y, x = np.mgrid[:size, :size] / size
    drawing = 0.2 + 0.3 * x
    drawing[(x - 0.4) ** 2 + (y - 0.45) ** 2 < 0.08] = 0.9
    drawing[np.abs(x + y - 1.45) < 0.06] = 0.0
    return drawing


def edges():
    """Return two filters: one answers to horizontal edges, one to vertical ones."""
    slope = np.outer([1, 2, 3, 2, 1], [-2, -1, 0, 1, 2]) / 27
    return np.stack([slope.T, slope])[:, np.newaxis]


if len(sys.argv) > 1:
    image = plt.imread(sys.argv[1]).astype(float)
    image = image[..., :3].mean(axis=2) if image.ndim == 3 else image
    image /= max(image.max(), 1)
else:
    image = picture()

if os.path.exists("params.pkl"):
    network = SimpleConvNet()
    network.load_params("params.pkl")
    filters = network.params["W1"][:11]
else:
    filters = edges()

maps = Convolution(filters, 0, stride=1, pad=0).forward(image[np.newaxis, np.newaxis])[0]
print(f"{len(filters)} filters, each map {maps.shape[1]}x{maps.shape[2]}")

columns = 4
rows = -(-(len(maps) + 1) // columns)
figure, cells = plt.subplots(rows, columns, figsize=(2 * columns, 2 * rows + 0.2))
for cell in cells.flat:
    cell.axis("off")
cells.flat[0].imshow(image, cmap="gray", vmin=0, vmax=1)
cells.flat[0].set_title("image")
for number, (cell, one) in enumerate(zip(cells.flat[1:], maps), 1):
    cell.imshow(one, cmap="gray")
    cell.set_title(f"filter {number}")
figure.tight_layout()
plt.show()
