"""Compare the gradients of backpropagation with numerical ones, on a small network."""

import os
import sys

sys.path.append(os.pardir)
import numpy as np
from simple_convnet import SimpleConvNet

np.random.seed(0)
network = SimpleConvNet(
    input_dim=(1, 10, 10),
    conv_param={"filter_num": 4, "filter_size": 3},
    hidden_size=8,
    output_size=10,
    weight_init_std=0.1,
)
x = np.random.rand(2, 1, 10, 10)
t = np.array([3, 7])

numerical = network.numerical_gradient(x, t)
by_backpropagation = network.gradient(x, t)
for key, gradient in numerical.items():
    print(f"{key}: {np.abs(gradient - by_backpropagation[key]).mean():.3e}")
