"""Pellucid's side: building a case and running one step of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

import pellucid
from pellucid import engine, nn, optim

if TYPE_CHECKING:
    from cases import Case
    from images import Batch

__all__ = ["Kit", "Pellucid", "flop", "fused", "use_threads"]


class Kit:
    """The words of `networks` as Pellucid's layers; one generator draws all weights, in order."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def conv(
        self, channels: int, filters: int, size: int, padding: int = 0, stride: int = 1,
        bias: bool = True, groups: int = 1,
    ) -> nn.Layer:  # fmt: skip
        """Return a convolution."""
        how: dict[str, Any] = {"bias": bias, "groups": groups, "rng": self.rng}
        return nn.Conv2d(channels, filters, size, stride, padding, **how)

    def linear(self, inputs: int, outputs: int) -> nn.Layer:
        """Return a fully connected layer."""
        return nn.Linear(inputs, outputs, weight_init="he", rng=self.rng)

    def relu(self) -> nn.Layer:
        """Return a rectifier."""
        return nn.ReLU()

    def relu6(self) -> nn.Layer:
        """Return a rectifier up to 6."""
        return nn.ReLU6()

    def pool(self, size: int = 2, stride: int = 2, padding: int = 0) -> nn.Layer:
        """Return a max pooling."""
        return nn.MaxPool2d(size, stride, padding)

    def average(self) -> nn.Layer:
        """Return the average over the image."""
        return nn.GlobalAvgPool2d()

    def batch_norm(self, channels: int) -> nn.Layer:
        """Return a batch normalisation."""
        return nn.BatchNorm2d(channels)

    def response_norm(self) -> nn.Layer:
        """Return a local response normalisation."""
        return nn.LocalResponseNorm.krizhevsky()

    def flatten(self) -> nn.Layer:
        """Return a flattening layer."""
        return nn.Flatten()

    def dropout(self) -> nn.Layer:
        """Return a dropout of one half."""
        return nn.Dropout(0.5, rng=np.random.default_rng(1))

    def chain(self, *layers: nn.Layer) -> nn.Layer:
        """Return the layers one after the other."""
        return nn.Sequential(*layers)

    def residual(self, inputs: int, filters: int, stride: int, *layers: nn.Layer) -> nn.Layer:
        """Return a residual block, and a ReLU."""
        shortcut = None if stride == 1 else nn.ZeroPadShortcut(inputs, filters, stride)
        return nn.Sequential(nn.Residual(*layers, shortcut=shortcut), nn.ReLU())

    def skip(self, *layers: nn.Layer) -> nn.Layer:
        """Return a chain that is added to its input."""
        return nn.Residual(*layers)

    def total(self, *branches: nn.Layer) -> nn.Layer:
        """Return the sum of what two chains make of one input."""
        inside, around = branches
        return nn.Residual(inside, shortcut=around)

    def joined(self, *branches: nn.Layer) -> nn.Layer:
        """Return the channels of what several chains make of one input, one after the other."""
        return nn.Branches(*branches)


class Pellucid:
    """A case on a plan of compiled kernels, or (``fast=False``) on the plain layers."""

    def __init__(self, case: Case, data: Sequence[Batch], threads: int, fast: bool = True) -> None:
        use_threads(threads)
        self.model = case.network(Kit()).train(case.training)
        self.run = engine.compile(self.model, case.image, case.batch) if fast else self.model
        if fast and not case.training:
            self.run.freeze()  # as `predict` does: the weights do not change
        loss = nn.SoftmaxCrossEntropy()
        self.measure, self.rule = fused(loss) if fast else loss, optim.Adam()
        self._update = engine.update if fast else (lambda rule, parameters: rule.step(parameters))
        self.data: Iterator[Batch] = itertools.cycle(data)
        self.session: AbstractContextManager[Any] = nullcontext()
        self.slower_variants: dict[str, Callable[[], None]] = {}

    def train(self) -> float:
        """Take a training step; return the loss before it."""
        x, labels = next(self.data)
        loss = self.measure(self.run(x), labels)
        self.run.backward(self.measure.backward())
        self._update(self.rule, self.model.parameters())
        return loss

    def infer(self) -> None:
        """Compute the scores of a batch."""
        x, _ = next(self.data)
        self.run(x)

    def loss(self) -> float:
        """Return the loss on the next batch."""
        x, labels = next(self.data)
        return self.measure(self.run(x), labels)

    @staticmethod
    def square_product(n: int) -> Callable[[], Any]:
        """Return a function that multiplies two n x n matrices in float32."""
        a, b = np.random.default_rng(0).random((2, n, n), dtype=np.float32)
        return lambda: np.matmul(a, b)


def use_threads(threads: int) -> None:
    """Set the number of threads; an engine without the switch obeys NUMBA_NUM_THREADS."""
    with suppress(ImportError):
        from pellucid.kernels.pool.threads import set_num_threads

        set_num_threads(threads)


def fused(loss: nn.Loss) -> nn.Loss:
    """Return the engine's twin of ``loss``, as the Trainer uses it, where there is one."""
    with suppress(ImportError):
        from pellucid.engine.cpu.losses import FusedLoss

        return FusedLoss(loss)
    return loss


def flop(case: Case) -> int:
    """Return the floating-point operations of one step, as the textbook would count them.

    A multiply-add is two. The backward pass takes twice the forward's: once for the weights'
    gradient, and once for the input's, which the first layer that multiplies does not need.
    """
    rows = pellucid.summary(case.network(Kit()), case.image).rows
    work = [row.multiply_adds for row in rows if row.multiply_adds]
    return 2 * case.batch * (3 * sum(work) - work[0] if case.training else sum(work))
