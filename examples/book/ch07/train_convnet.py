"""Train SimpleConvNet on MNIST, keep its parameters, and draw its accuracy.

train_convnet.py [EPOCHS [IMAGES]]
"""

import os
import sys

sys.path.append(os.pardir)  # where common and dataset lie
import matplotlib.pyplot as plt
import numpy as np
from common.trainer import Trainer
from dataset.mnist import load_mnist
from simple_convnet import SimpleConvNet

max_epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
images = int(sys.argv[2]) if len(sys.argv) > 2 else 60000

np.random.seed(7)
(x_train, t_train), (x_test, t_test) = load_mnist(flatten=False)
x_train, t_train = x_train[:images], t_train[:images]

network = SimpleConvNet(conv_param={"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1})
trainer = Trainer(
    network,
    x_train,
    t_train,
    x_test,
    t_test,
    epochs=max_epochs,
    mini_batch_size=100,
    optimizer="Adam",
    optimizer_param={"lr": 0.001},
    evaluate_sample_num_per_epoch=1000,
)
trainer.train()

network.save_params("params.pkl")
print("Saved the parameters in params.pkl")

epochs = np.arange(1, len(trainer.train_acc_list) + 1)
plt.plot(epochs, trainer.train_acc_list, marker="o", label="train")
plt.plot(epochs, trainer.test_acc_list, marker="s", linestyle="--", label="test")
plt.xlabel("epochs")
plt.ylabel("accuracy")
plt.ylim(0, 1)
plt.legend(loc="lower right")
plt.show()
