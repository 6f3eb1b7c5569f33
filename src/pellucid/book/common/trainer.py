"""The book's `common.trainer`."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

import numpy as np

from ...errors import ArgumentError, did_you_mean
from ...typing import Array
from ..settings import settings
from .optimizer import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSprop

__all__ = ["SGD", "AdaGrad", "Adam", "Momentum", "Nesterov", "RMSprop", "Trainer", "np"]

RULES: dict[str, type[Any]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSprop,
    "adam": Adam,
}
BATCH = 100  # images, as the book's networks take them
MISSPELLED = {"rmsprpo": "rmsprop"}  # as the Korean edition spells it


class Trainer:
    """Train a network of the book's kind, and print its progress.

    The accuracy is measured every ``train_size / mini_batch_size`` steps. As in the book this
    number is not rounded: with a batch size that does not divide the number of images, few steps
    are multiples of it. With ``settings.strict`` it is rounded down.

    Parameters
    ----------
    network : object
        With ``params``, ``gradient(x, t)``, ``loss(x, t)`` and ``accuracy(x, t)``.
    x_train, t_train, x_test, t_test : arrays
        Images and labels.
    epochs, mini_batch_size : int
    optimizer : str
        "SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop" or "Adam", in any case.
    optimizer_param : dict
        The arguments of the rule.
    evaluate_sample_num_per_epoch : int, optional
        The number of images for each accuracy, all if None; the final test takes all.
    verbose : bool
        Whether to print.

    Attributes
    ----------
    train_loss_list, train_acc_list, test_acc_list : list of float
        The loss of each batch after its step; the accuracies of each epoch.
    current_iter, current_epoch, max_iter, iter_per_epoch, train_size, batch_size : numbers
    optimizer : object
    """

    def __init__(
        self,
        network: Any,
        x_train: Array,
        t_train: Array,
        x_test: Array,
        t_test: Array,
        epochs: int = 20,
        mini_batch_size: int = 100,
        optimizer: str = "SGD",
        optimizer_param: Mapping[str, Any] = {"lr": 0.01},
        evaluate_sample_num_per_epoch: int | None = None,
        verbose: bool = True,
    ) -> None:
        self.network = network
        self.verbose = verbose
        self.x_train, self.t_train = x_train, t_train
        self.x_test, self.t_test = x_test, t_test
        self.epochs = epochs
        self.batch_size = mini_batch_size
        self.evaluate_sample_num_per_epoch = evaluate_sample_num_per_epoch
        self.optimizer = _rule(optimizer)(**optimizer_param)
        self.train_size = x_train.shape[0]
        self.iter_per_epoch: float = max(self.train_size / mini_batch_size, 1)
        if settings.strict:
            self.iter_per_epoch = max(self.train_size // mini_batch_size, 1)
        self.max_iter = int(epochs * self.iter_per_epoch)
        self.current_iter = 0
        self.current_epoch = 0
        self.train_loss_list: list[float] = []
        self.train_acc_list: list[float] = []
        self.test_acc_list: list[float] = []

    def train_step(self) -> None:
        """Take a step on a random batch; measure the accuracy at the beginning of an epoch."""
        # The global generator, which the script has seeded.
        chosen = np.random.choice(self.train_size, self.batch_size)  # noqa: NPY002
        x_batch, t_batch = self.x_train[chosen], self.t_train[chosen]
        grads = self.network.gradient(x_batch, t_batch)
        self.optimizer.update(self.network.params, grads)
        loss = self.network.loss(x_batch, t_batch)
        self.train_loss_list.append(loss)
        if self.verbose:
            print("train loss:" + str(loss))
        if self.current_iter % self.iter_per_epoch == 0:
            self._evaluate()
        self.current_iter += 1

    def train(self) -> None:
        """Take all steps, then measure the accuracy on the whole test set."""
        for _ in range(self.max_iter):
            self.train_step()
        test_acc = _accuracy(self.network, self.x_test, self.t_test)
        if self.verbose:
            print("=============== Final Test Accuracy ===============")
            print("test acc:" + str(test_acc))

    def _evaluate(self) -> None:
        self.current_epoch += 1
        some = slice(self.evaluate_sample_num_per_epoch)
        train_acc = _accuracy(self.network, self.x_train[some], self.t_train[some])
        test_acc = _accuracy(self.network, self.x_test[some], self.t_test[some])
        self.train_acc_list.append(train_acc)
        self.test_acc_list.append(test_acc)
        if self.verbose:
            print(
                f"=== epoch:{self.current_epoch}, train acc:{train_acc!s}, "
                f"test acc:{test_acc!s} ==="
            )


def _accuracy(network: Any, x: Array, t: Array) -> Any:
    """Return the accuracy of the network on ``x``, by its own method.

    The book's convolutional networks skip the last images if they do not fill a batch, and count
    them as wrong. In a strict run they are called for each batch, with its own size.
    """
    if not (settings.strict and "batch_size" in signature(network.accuracy).parameters):
        return network.accuracy(x, t)
    right = 0.0
    for begin in range(0, len(x), BATCH):
        x_part, t_part = x[begin : begin + BATCH], t[begin : begin + BATCH]
        right += len(x_part) * network.accuracy(x_part, t_part, batch_size=len(x_part))
    return right / len(x)


def _rule(name: str) -> type[Any]:
    key = MISSPELLED.get(name.lower(), name.lower())
    if key not in RULES:
        raise ArgumentError(
            f"there is no update rule {name!r}. {did_you_mean(key, RULES)}", where="optimizer"
        )
    return RULES[key]
