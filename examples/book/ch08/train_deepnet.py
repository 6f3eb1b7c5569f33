"""Train the deep network on MNIST.

train_deepnet.py [EPOCHS [IMAGES]]
"""

import os
import sys

sys.path.append(os.pardir)
import numpy as np
from common.trainer import Trainer
from dataset.mnist import load_mnist
from deep_convnet import DeepConvNet

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
images = int(sys.argv[2]) if len(sys.argv) > 2 else 60000

np.random.seed(8)
(x_train, t_train), (x_test, t_test) = load_mnist(flatten=False)

network = DeepConvNet()
trainer = Trainer(
    network,
    x_train[:images],
    t_train[:images],
    x_test,
    t_test,
    epochs=epochs,
    mini_batch_size=100,
    optimizer="Adam",
    optimizer_param={"lr": 0.001},
    evaluate_sample_num_per_epoch=1000,
)
trainer.train()

network.save_params("deep_convnet_params.pkl")
print("Saved the parameters in deep_convnet_params.pkl")
