"""JAX's side: the same networks as pure functions, each step compiled whole by XLA.

Images are (N, H, W, C), which XLA's CPU backend prefers. Batch normalization keeps no running
averages here, and Adam is written out: less work than the others do, and all of it in one
compiled function whose buffers XLA may reuse (`donate_argnums`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

if TYPE_CHECKING:
    from cases import Case
    from images import Batch

__all__ = ["Jax", "Kit"]

RATE, DECAY, DECAY_2, EPS = 1e-3, 0.9, 0.999, 1e-8  # Adam's, as in the other libraries


class Part(NamedTuple):
    """A layer: its weights, a list or a tree of lists, and what it does to (weights, x, key)."""

    weights: Any
    apply: Callable[[Any, Any, Any], Any]


class Kit:
    """The words of `networks` as functions, with the same weights as `ours.Kit`."""

    def __init__(self, *, training: bool) -> None:
        self.rng, self.training = np.random.default_rng(0), training
        self.dropouts = itertools.count()

    def conv(
        self, channels: int, filters: int, size: int, padding: int = 0, stride: int = 1,
        bias: bool = True, groups: int = 1,
    ) -> Part:  # fmt: skip
        """Return a convolution."""
        w = self._weights(filters, channels // groups, size, size).transpose(2, 3, 1, 0)
        how: dict[str, Any] = {
            "window_strides": (stride, stride),
            "padding": ((padding, padding),) * 2,
            "dimension_numbers": ("NHWC", "HWIO", "NHWC"),
            "feature_group_count": groups,
        }

        def apply(weights: Any, x: Any, key: Any) -> Any:
            y = lax.conv_general_dilated(x, weights[0], **how)
            return y + weights[1] if bias else y

        return Part([w, np.zeros(filters, np.float32)] if bias else [w], apply)

    def linear(self, inputs: int, outputs: int) -> Part:
        """Return a fully connected layer."""
        w = self._weights(outputs, inputs).T
        weights = [w, np.zeros(outputs, np.float32)]
        return Part(weights, lambda weights, x, key: x @ weights[0] + weights[1])

    def relu(self) -> Part:
        """Return a rectifier."""
        return Part([], lambda weights, x, key: jax.nn.relu(x))

    def relu6(self) -> Part:
        """Return a rectifier up to 6."""
        return Part([], lambda weights, x, key: jax.nn.relu6(x))

    def pool(self, size: int = 2, stride: int = 2, padding: int = 0) -> Part:
        """Return a max pooling."""
        border = ((0, 0), (padding, padding), (padding, padding), (0, 0))
        window, strides = (1, size, size, 1), (1, stride, stride, 1)
        return Part(
            [],
            lambda weights, x, key: lax.reduce_window(
                x, -jnp.inf, lax.max, window, strides, border
            ),
        )

    def average(self) -> Part:
        """Return the average over the image."""
        return Part([], lambda weights, x, key: x.mean((1, 2), keepdims=True))

    def batch_norm(self, channels: int) -> Part:
        """Return a batch normalization: of the batch in training, else by running averages."""
        weights = [np.ones(channels, np.float32), np.zeros(channels, np.float32)]

        def apply(weights: Any, x: Any, key: Any) -> Any:
            mean, var = 0.0, 1.0
            if self.training:
                mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
            scale = weights[0] * lax.rsqrt(jnp.asarray(var + 1e-5))
            return (x - mean) * scale + weights[1]

        return Part(weights, apply)

    def response_norm(self) -> Part:
        """Return a local response normalization with Krizhevsky's constants."""

        def apply(weights: Any, x: Any, key: Any) -> Any:
            border = ((0, 0), (0, 0), (0, 0), (2, 2))
            sums = lax.reduce_window(x * x, 0.0, lax.add, (1, 1, 1, 5), (1,) * 4, border)
            return x / (2.0 + 1e-4 * sums) ** 0.75

        return Part([], apply)

    def flatten(self) -> Part:
        """Return a flattening layer, in the order of the other libraries: (C, H, W)."""
        return Part([], lambda weights, x, key: x.transpose(0, 3, 1, 2).reshape(len(x), -1))

    def dropout(self) -> Part:
        """Return a dropout of one half."""
        number = next(self.dropouts)

        def apply(weights: Any, x: Any, key: Any) -> Any:
            kept = jax.random.bernoulli(jax.random.fold_in(key, number), 0.5, x.shape)
            return jnp.where(kept, 2 * x, 0)

        return Part([], apply if self.training else lambda weights, x, key: x)

    def chain(self, *layers: Part) -> Part:
        """Return the layers one after the other."""

        def apply(weights: Any, x: Any, key: Any) -> Any:
            for layer, own in zip(layers, weights, strict=True):
                x = layer.apply(own, x, key)
            return x

        return Part([layer.weights for layer in layers], apply)

    def residual(self, inputs: int, filters: int, stride: int, *layers: Part) -> Part:
        """Return a residual block, and a ReLU."""
        chain, more = self.chain(*layers), filters - inputs

        def apply(weights: Any, x: Any, key: Any) -> Any:
            around = x[:, ::stride, ::stride]
            around = jnp.pad(around, ((0, 0), (0, 0), (0, 0), (0, more)))
            return jax.nn.relu(chain.apply(weights, x, key) + around)

        return Part(chain.weights, apply)

    def skip(self, *layers: Part) -> Part:
        """Return a chain that is added to its input."""
        chain = self.chain(*layers)
        return Part(chain.weights, lambda weights, x, key: chain.apply(weights, x, key) + x)

    def total(self, *branches: Part) -> Part:
        """Return the sum of what two chains make of one input."""
        return self._of_all(branches, sum)

    def joined(self, *branches: Part) -> Part:
        """Return the channels of what several chains make of one input, one after the other."""
        return self._of_all(branches, lambda parts: jnp.concatenate(parts, -1))

    def _of_all(self, branches: Sequence[Part], join: Callable[[list[Any]], Any]) -> Part:
        def apply(weights: Any, x: Any, key: Any) -> Any:
            pairs = zip(branches, weights, strict=True)
            return join([branch.apply(own, x, key) for branch, own in pairs])

        return Part([branch.weights for branch in branches], apply)

    def _weights(self, *shape: int) -> Any:
        drawn = math.sqrt(2 / math.prod(shape[1:])) * self.rng.standard_normal(shape)
        return drawn.astype(np.float32)


class Jax:
    """A case in JAX: one compiled function for a training step, and one for the scores."""

    def __init__(self, case: Case, data: Sequence[Batch], threads: int) -> None:
        network = case.network(Kit(training=case.training))
        self.weights = jax.tree.map(jnp.asarray, network.weights)
        self.memory = [jax.tree.map(jnp.zeros_like, self.weights) for _ in range(2)]
        self.scores = jax.jit(network.apply)
        self._step = jax.jit(_training_step(network), donate_argnums=(0, 1))
        self.key, self.steps = jax.random.key(0), 0
        self.session: AbstractContextManager[Any] = nullcontext()
        self.slower_variants: dict[str, Callable[[], None]] = {}
        on_device = [(jnp.asarray(x.transpose(0, 2, 3, 1)), jnp.asarray(t)) for x, t in data]
        self.data: Iterator[Any] = itertools.cycle(on_device)

    def train(self) -> float:
        """Take a training step; return the loss before it."""
        x, labels = next(self.data)
        self.steps += 1
        key = jax.random.fold_in(self.key, self.steps)
        self.weights, self.memory, loss = self._step(
            self.weights, self.memory, float(self.steps), x, labels, key
        )
        return float(loss)

    def infer(self) -> None:
        """Compute the scores of a batch."""
        x, _ = next(self.data)
        self.scores(self.weights, x, self.key).block_until_ready()

    def loss(self) -> float:
        """Return the loss on the next batch."""
        x, labels = next(self.data)
        return float(_cross_entropy(self.scores(self.weights, x, self.key), labels))

    @staticmethod
    def square_product(n: int) -> Callable[[], Any]:
        """Return a function that multiplies two n x n matrices in float32."""
        a = jnp.asarray(np.random.default_rng(0).random((n, n), dtype=np.float32))
        multiply = jax.jit(jnp.matmul)
        return lambda: multiply(a, a).block_until_ready()


def _cross_entropy(scores: Any, labels: Any) -> Any:
    chosen = jnp.take_along_axis(jax.nn.log_softmax(scores), labels[:, None], 1)
    return -chosen.mean()


def _training_step(network: Part) -> Callable[..., Any]:
    def step(weights: Any, memory: Any, t: Any, x: Any, labels: Any, key: Any) -> Any:
        def of(weights: Any) -> Any:
            return _cross_entropy(network.apply(weights, x, key), labels)

        loss, grads = jax.value_and_grad(of)(weights)
        first = jax.tree.map(lambda m, g: DECAY * m + (1 - DECAY) * g, memory[0], grads)
        second = jax.tree.map(lambda v, g: DECAY_2 * v + (1 - DECAY_2) * g * g, memory[1], grads)
        rate, scale = RATE / (1 - DECAY**t), 1 / (1 - DECAY_2**t)

        def changed(w: Any, m: Any, v: Any) -> Any:
            return w - rate * m / (jnp.sqrt(v * scale) + EPS)

        return jax.tree.map(changed, weights, first, second), [first, second], loss

    return step
