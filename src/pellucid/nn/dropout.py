"""The dropout layers: of single numbers, and of whole images."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .. import ops
from ..errors import ArgumentError
from ..image_random import ImageRandom
from ..ops.checks import as_floats
from ..ops.dropout import require_probability
from ..typing import Array
from .layer import Layer
from .pattern_words import Argument, PatternWord

__all__ = ["Dropout", "StochasticDepth"]


class Dropout(Layer):
    """Zero each number with probability ``p`` in training; any shape.

    Source: Srivastava et al. 2014, sections 4 and 10; "Deep Learning from Scratch", section 6.4.3.

    Parameters
    ----------
    p : float
        Probability of zeroing a number, at least 0 and below 1.
    variant : {"inverted", "book"}
        Scale the kept numbers by ``1 / (1 - p)`` in training (as PyTorch), or all of them by
        ``1 - p`` in evaluation (as the book).
    rng : numpy.random.Generator
        Draws the masks. The Trainer replaces it with an `ImageRandom`, so that the mask of an image
        depends on the seed, the epoch and the image alone.

    Examples
    --------
    >>> dropout = Dropout(0.5, rng=np.random.default_rng(1))
    >>> dropout(np.ones(6)), dropout.eval()(np.ones(6))
    (array([2., 2., 0., 2., 0., 0.]), array([1., 1., 1., 1., 1., 1.]))
    """

    per_number = True
    short_name = "dropout"
    pattern_word = PatternWord(
        "DROP",
        (Argument("p", implied=0.5, meaning="the probability", whole=False, always=True),),
        example="DROP0.5",
        also=("DROPOUT",),
    )

    def __init__(
        self,
        p: float = 0.5,
        variant: Literal["inverted", "book"] = "inverted",
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        require_probability(p)
        if variant not in ("inverted", "book"):
            raise ArgumentError(
                f"must be 'inverted' or 'book', received {variant!r}.", where="variant"
            )
        self.p = p
        self.variant = variant
        self.rng: np.random.Generator | ImageRandom = rng or np.random.default_rng()

    def forward(self, x: Array) -> Array:
        """Return ``x``, in training with some numbers zeroed."""
        if self.training:
            drop = ops.dropout if self.variant == "inverted" else ops.dropout_book
            y, mask = drop(x, self.p, rng=self.rng)
        else:
            x = as_floats(x, "dropout")
            kept = np.asarray(1 - self.p if self.variant == "book" else 1, dtype=x.dtype)
            y, mask = x * kept, np.broadcast_to(kept, x.shape)
        self.remember(mask)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the same mask."""
        return ops.dropout_backward(dy, *self.recall())


class StochasticDepth(Layer):
    """Zero each image with probability ``p`` in training; any shape (N, ...).

        y[n] = x[n] · m[n] / (1 - p),    dx[n] = dy[n] · m[n] / (1 - p)

    with m[n] = 1 with probability 1 - p, else 0; in evaluation ``y = x``. At the end of a residual
    block's chain it leaves the block out for that image, so that a deep network is trained as many
    shallow ones. Source: Huang et al. 2016, "Deep networks with stochastic depth", section 3, with
    a choice for each image instead of each batch.

    Parameters
    ----------
    p : float
        Probability of zeroing an image, at least 0 and below 1.
    rng : numpy.random.Generator
        Draws the masks; the Trainer replaces it, as that of `Dropout`.

    Examples
    --------
    >>> depth = StochasticDepth(0.5, rng=np.random.default_rng(0))
    >>> depth(np.ones((4, 2))).tolist()
    [[2.0, 2.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """

    per_number = True
    short_name = "stochastic depth"

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator | None = None) -> None:
        require_probability(p)
        self.p = p
        self.rng: np.random.Generator | ImageRandom = rng or np.random.default_rng()

    def forward(self, x: Array) -> Array:
        """Return ``x``, in training with some images zeroed."""
        x = as_floats(x, "stochastic_depth")
        if self.training and self.p:
            y, mask = ops.stochastic_depth(x, self.p, rng=self.rng)
        else:
            y, mask = x, np.ones(len(x), x.dtype)
        self.remember(mask)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the same mask."""
        return ops.stochastic_depth_backward(dy, *self.recall())
