"""A network that learns 300 images by heart, and the same one with dropout.

overfit_dropout.py [EPOCHS]
"""

import os
import sys

sys.path.append(os.pardir)
import matplotlib.pyplot as plt
import numpy as np
from common.multi_layer_net_extend import MultiLayerNetExtend
from common.trainer import Trainer
from dataset.mnist import load_mnist

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 301
dropout_ratio = 0.2

(x_train, t_train), (x_test, t_test) = load_mnist(normalize=True)
x_train, t_train = x_train[:300], t_train[:300]

figure, cells = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for use_dropout, cell in zip((False, True), cells):
    np.random.seed(6)
    network = MultiLayerNetExtend(
        input_size=784,
        hidden_size_list=[100, 100, 100, 100, 100, 100],
        output_size=10,
        use_dropout=use_dropout,
        dropout_ration=dropout_ratio,
    )
    trainer = Trainer(
        network,
        x_train,
        t_train,
        x_test,
        t_test,
        epochs=epochs,
        mini_batch_size=100,
        optimizer="sgd",
        optimizer_param={"lr": 0.01},
        verbose=False,
    )
    trainer.train()
    name = f"dropout {dropout_ratio}" if use_dropout else "no dropout"
    print(f"{name}: train {trainer.train_acc_list[-1]:.4f}, test {trainer.test_acc_list[-1]:.4f}")
    cell.plot(trainer.train_acc_list, label="train")
    cell.plot(trainer.test_acc_list, linestyle="--", label="test")
    cell.set_title(name)
    cell.set_xlabel("epochs")
    cell.set_ylim(0, 1)
cells[0].set_ylabel("accuracy")
cells[0].legend(loc="lower right")
plt.show()
