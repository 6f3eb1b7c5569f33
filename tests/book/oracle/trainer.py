"""The training loop."""

from __future__ import annotations

import numpy as np

from .optimizer import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSprop

RULES = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSprop,
    "rmsprpo": RMSprop,
    "adam": Adam,
}


class Trainer:
    def __init__(
        self, network, x_train, t_train, x_test, t_test, epochs=20, mini_batch_size=100,
        optimizer="SGD", optimizer_param={"lr": 0.01}, evaluate_sample_num_per_epoch=None,  # noqa: B006
        verbose=True,
    ):  # fmt: skip
        self.network, self.verbose = network, verbose
        self.x_train, self.t_train, self.x_test, self.t_test = x_train, t_train, x_test, t_test
        self.epochs, self.batch_size = epochs, mini_batch_size
        self.evaluate_sample_num_per_epoch = evaluate_sample_num_per_epoch
        self.optimizer = RULES[optimizer.lower()](**optimizer_param)
        self.train_size = len(x_train)
        self.iter_per_epoch = max(self.train_size / mini_batch_size, 1)
        self.max_iter = int(epochs * self.iter_per_epoch)
        self.current_iter = self.current_epoch = 0
        self.train_loss_list, self.train_acc_list, self.test_acc_list = [], [], []

    def train_step(self):
        chosen = np.random.choice(self.train_size, self.batch_size)  # noqa: NPY002
        x, t = self.x_train[chosen], self.t_train[chosen]
        self.optimizer.update(self.network.params, self.network.gradient(x, t))
        loss = self.network.loss(x, t)
        self.train_loss_list.append(loss)
        if self.verbose:
            print(f"train loss:{loss!s}")
        if self.current_iter % self.iter_per_epoch == 0:
            self.current_epoch += 1
            some = slice(self.evaluate_sample_num_per_epoch)
            train = self.network.accuracy(self.x_train[some], self.t_train[some])
            test = self.network.accuracy(self.x_test[some], self.t_test[some])
            self.train_acc_list.append(train)
            self.test_acc_list.append(test)
            if self.verbose:
                epoch = self.current_epoch
                print(f"=== epoch:{epoch!s}, train acc:{train!s}, test acc:{test!s} ===")
        self.current_iter += 1

    def train(self):
        for _ in range(self.max_iter):
            self.train_step()
        accuracy = self.network.accuracy(self.x_test, self.t_test)
        if self.verbose:
            print("=" * 15 + " Final Test Accuracy " + "=" * 15)
            print(f"test acc:{accuracy!s}")
