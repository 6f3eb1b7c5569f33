"""How well the trained deep network does with 16 bits a number instead of 64.

Run train_deepnet.py first: it leaves deep_convnet_params.pkl here.

half_float_network.py [IMAGES]
"""

import os
import sys

sys.path.append(os.pardir)
import numpy as np
from dataset.mnist import load_mnist
from deep_convnet import DeepConvNet

images = int(sys.argv[1]) if len(sys.argv) > 1 else 10000

_, (x_test, t_test) = load_mnist(flatten=False)
x_test, t_test = x_test[:images], t_test[:images]

network = DeepConvNet()
network.load_params("deep_convnet_params.pkl")
print("float64:", network.accuracy(x_test, t_test))

for key in network.params:
    network.params[key] = network.params[key].astype(np.float16)
network.build()
print("float16:", network.accuracy(x_test.astype(np.float16), t_test))
