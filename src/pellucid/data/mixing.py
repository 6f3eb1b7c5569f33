"""Mix each image with another one of its batch, and their labels with them.

The other one is the next image of the batch, and for the last the first: batches are drawn at
random, so that it is a random image too. How much of it is mixed in follows from (seed, epoch,
image), as in all transforms.
"""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..typing import Array
from .image_transforms import Random, Transform

__all__ = ["Cutmix", "Mix", "Mixup", "beta_quantiles"]

CELLS = 4096  # of the table of quantiles: to about 1e-6


class Mix(Transform):
    """Base class of transforms that mix two images and their labels, in shares λ and 1 - λ.

    Parameters
    ----------
    alpha : float
        λ is drawn from the distribution Beta(alpha, alpha): uniform for 1, near 0 or 1 for small
        numbers.
    """

    name = "mix"

    def __init__(self, alpha: float) -> None:
        if not 0.01 <= alpha <= 100:  # far outside of what anybody uses, and of the table
            raise ArgumentError(f"must be from 0.01 to 100, received {alpha!r}.", where=self.name)
        self.alpha = float(alpha)
        self._quantiles = beta_quantiles(self.alpha)

    def apply(self, x: Array, rng: Random) -> None:
        """Refuse images without labels."""
        raise ArgumentError("mixes labels too: use it in an Augmentation.", where=self.name)

    def mix(self, x: Array, targets: Array, rng: Random) -> None:
        """Change images ``x`` (N, C, H, W) and labels ``targets`` (N, K) in place."""
        kept = self.mix_images(x, np.roll(x, -1, axis=0), self._shares(len(x), rng), rng)
        kept, others = kept.astype(targets.dtype)[:, np.newaxis], np.roll(targets, -1, axis=0)
        targets *= kept
        targets += (1 - kept) * others

    def mix_images(self, x: Array, others: Array, shares: Array, rng: Random) -> Array:
        """Mix ``others`` into ``x``, which keeps about ``shares`` (N,); return what it kept."""
        raise NotImplementedError

    def _shares(self, n: int, rng: Random) -> Array:
        probability = np.linspace(0, 1, CELLS + 1)
        return np.interp(rng.random(n), probability, self._quantiles)

    def __str__(self) -> str:
        return f"{self.name}{self.alpha:g}"


class Mixup(Mix):
    """``x ← λ·x + (1-λ)·x'``, and the same for the labels; λ from Beta(alpha, alpha).

    Source: Zhang et al. 2018, "mixup: beyond empirical risk minimization", section 2, eq. 1; they
    use alpha 0.1 to 0.4 for ImageNet, 1 for CIFAR-10. Their code draws one λ per batch.
    """

    name = "mixup"

    def mix_images(self, x: Array, others: Array, shares: Array, rng: Random) -> Array:
        """Interpolate between each image and the other one."""
        kept = shares.astype(x.dtype).reshape(-1, 1, 1, 1)
        x *= kept
        x += (1 - kept) * others
        return shares


class Cutmix(Mix):
    """Paste a rectangle of the other image, of the share 1-λ of the area; λ from Beta(alpha, alpha).

    Its centre is anywhere in the image, and what lies outside is cut off; the labels are mixed in
    the shares of the area that result. Source: Yun et al. 2019, "CutMix", section 3.1, eq. 1 and 2;
    they use alpha 1.
    """  # noqa: E501

    name = "cutmix"

    def mix_images(self, x: Array, others: Array, shares: Array, rng: Random) -> Array:
        """Paste a rectangle of the other image into each."""
        n, _, h, w = x.shape
        side = np.sqrt(1 - shares)
        row, column = rng.random((n, 2)).T
        ends = []
        for centre, half, size in ((row * h, side * h / 2, h), (column * w, side * w / 2, w)):
            bounds = np.rint(np.stack([centre - half, centre + half])).clip(0, size).astype(int)
            ends.append(bounds)
        (tops, bottoms), (lefts, rights) = ends
        for k in range(n):
            place = (slice(None), slice(tops[k], bottoms[k]), slice(lefts[k], rights[k]))
            x[k][place] = others[k][place]
        return 1 - (bottoms - tops) * (rights - lefts) / (h * w)


def beta_quantiles(alpha: float) -> Array:
    """Return the quantiles of Beta(alpha, alpha) for 0, 1/4096, ..., 1.

    The density x^(α-1)·(1-x)^(α-1) dx is integrated by the trapezoidal rule up to 1/2; the other
    half is its mirror image. For α below 1, where it is infinite at 0, it is (1-x)^(α-1)/α ds with
    s = x^α.

    Examples
    --------
    >>> quantiles = beta_quantiles(1.0)  # the uniform distribution
    >>> quantiles[[0, 1024, 2048, 4096]].round(4)
    array([0.  , 0.25, 0.5 , 1.  ])
    """
    power = min(alpha, 1.0)
    s = np.linspace(0, 0.5**power, 16 * CELLS)
    x = s ** (1 / power)
    density = (1 - x) ** (alpha - 1) if alpha < 1 else (4 * x * (1 - x)) ** (alpha - 1)
    cdf = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    half = np.linspace(0, cdf[-1], CELLS // 2 + 1)
    low = np.interp(half, cdf, s) ** (1 / power)
    low[0], low[-1] = 0.0, 0.5
    return np.concatenate([low, 1 - low[-2::-1]])
