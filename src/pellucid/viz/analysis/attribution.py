"""Attribution: which pixels a class score depends on. Grad-CAM is in `cam`."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...nn import Layer
from ...nn.checks import require_one_output
from ...nn.state import widened
from ...nn.surgery import replaced_all
from ...ops.checks import as_floats
from ...shapes import shape_text
from ...typing import Array
from .asked import asking
from .unit_access import looked_at

__all__ = [
    "Guided",
    "class_scores",
    "covering",
    "guided_backpropagation",
    "input_gradient",
    "occlusion",
    "require_class",
    "saliency",
]


class Guided(Layer):
    """A rectifier that passes back positive gradients only: ``dx = max(0, dy)`` where ``x > 0``.

    Source: Springenberg et al. 2015, "Striving for Simplicity", section 3.4.

    Parameters
    ----------
    rectifier : Layer
        A `ReLU`, or another layer whose ``rectifies`` is true.

    Examples
    --------
    >>> from pellucid.nn import ReLU
    >>> relu = Guided(ReLU())
    >>> y = relu(np.array([1.0, 2.0, -3.0]))
    >>> relu.backward(np.array([5.0, -5.0, 5.0]))
    array([5., 0., 0.])
    """

    def __init__(self, rectifier: Layer) -> None:
        self.rectifier = copy.copy(rectifier)  # whose name is changed here

    def forward(self, x: Array) -> Array:
        """Return what the rectifier does."""
        y: Array = self.rectifier(x)
        return y

    def backward(self, dy: Array) -> Array:
        """Return the positive part of ``dy`` where the input was above zero, and not limited."""
        dx: Array = self.rectifier.backward(np.maximum(dy, 0))
        return dx


def class_scores(model: Layer, image: Array) -> Array:
    """Return the scores (K,) of one image (C, H, W), computed by the layers in evaluation mode."""
    image = np.asarray(image)
    if image.ndim != 3:
        raise ShapeError(f"expects one image (C, H, W), received {image.shape}.", where="image")
    require_one_output(model, "model")
    with looked_at(model):
        scores: Array = model(widened(image[None], model.parameters().values()))[0]
    if scores.ndim != 1:
        raise ShapeError(
            f"the network gives {shape_text(scores.shape)} numbers for an image; it must "
            "end in one score a class.",
            where=type(model).__name__,
        )
    return scores


def require_class(target: int, scores: Array) -> int:
    """Return ``target`` if it is the number of a class that has a score, or raise."""
    whole = isinstance(target, int | np.integer) and not isinstance(target, bool)
    if not whole or not 0 <= target < len(scores):
        raise ArgumentError(
            f"must be a class from 0 to {len(scores) - 1}, received {target!r}.", where="target"
        )
    return int(target)


@asking
def input_gradient(model: Layer, image: Array, target: int) -> Array:
    """Return ``∂score[target] / ∂image``, (C, H, W) like the image.

    Raises
    ------
    ArgumentError
        If the class does not exist.
    ShapeError
        If the image is not of the network's shape, or the network does not end in scores.
    """
    image = np.asarray(image)
    scores = class_scores(model, image)
    target = require_class(target, scores)
    dy = np.zeros((1, len(scores)), dtype=scores.dtype)
    dy[0, target] = 1
    with looked_at(model):
        model(widened(image[None], model.parameters().values()))
        gradient: Array = model.backward(dy)[0]
    return gradient


@asking
def saliency(model: Layer, image: Array, target: int) -> Array:
    """Return how much each pixel could change the score: ``max_c |∂score/∂x[c]|``, (H, W).

    Source: Simonyan et al. 2014, "Deep Inside Convolutional Networks", section 3.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> saliency(SimpleConvNet((3, 8, 10)), np.ones((3, 8, 10)), 2).shape
    (8, 10)
    """
    return np.abs(input_gradient(model, image, target)).max(axis=0)


@asking
def guided_backpropagation(model: Layer, image: Array, target: int) -> Array:
    """Return the gradient (C, H, W) with each ReLU or ReLU6 passing back positive gradients only.

    These layers are replaced in a copy of the network's structure; ``model`` is not changed.
    Source: Springenberg et al. 2015, "Striving for Simplicity", section 3.4.

    Raises
    ------
    ArgumentError
        If the network has no ReLU: the result would be the plain gradient.
    """
    rectifiers = {name: layer for name, layer in model.layers() if layer.rectifies}
    if not rectifiers:
        raise ArgumentError(
            "has no ReLU layer, which guided backpropagation changes, nor one like it. Use the "
            "saliency map.",
            where=type(model).__name__,
        )
    with looked_at(model):
        changed = {name: Guided(layer) for name, layer in rectifiers.items()}
        guided = changed.get("") or replaced_all(model, changed)
        return input_gradient(guided, image, target)


def covering(h: int, w: int) -> tuple[int, int]:
    """Return the side of the square that covers an image of this size, and the step between two.

    Examples
    --------
    >>> covering(28, 28), covering(224, 224)
    ((7, 1), (56, 7))
    """
    return max(1, min(h, w) // 4), max(1, -(-max(h, w) // 32))


@asking
def occlusion(
    model: Layer,
    image: Array,
    target: int,
    *,
    size: int | None = None,
    stride: int | None = None,
    fill: float | None = None,
    batch_size: int = 100,
    on_batch: Callable[[int], None] | None = None,
) -> Array:
    """Return the fall of the score when a square around each pixel is covered.

    For cell i, j of the result the square is centred at pixel ``stride·i, stride·j``, and clipped
    at the border. The score is used instead of the probability, which hardly changes where the
    network is confident. Source: Zeiler & Fergus 2014, section 4.2.

    Parameters
    ----------
    model : Layer
    image : array (C, H, W)
    target : int
        The class.
    size : int, optional
        Of the square's sides; a quarter of the image's shorter side by default.
    stride : int, optional
        So many pixels between two squares; such that there are at most 32 a side by default.
    fill : float, optional
        What covers; by default each channel's mean over the image.
    batch_size : int
        Covered images at a time, which the engine runs.
    on_batch : callable, optional
        Called with their number.

    Returns
    -------
    float array (ceil(H/stride), ceil(W/stride))

    Raises
    ------
    ArgumentError
        If the class does not exist, or a size is below 1.
    """
    from ...engine import compile

    image = as_floats(np.asarray(image), "image")  # the mean of integers is a fraction
    scores = class_scores(model, image)
    target = require_class(target, scores)
    _, h, w = image.shape
    own_size, own_stride = covering(h, w)
    size = own_size if size is None else size
    stride = own_stride if stride is None else stride
    for name, value in (("size", size), ("stride", stride)):
        if value < 1:
            raise ArgumentError(f"must be 1 or more, received {value}.", where=name)
    cover = image.mean(axis=(1, 2))[:, None, None] if fill is None else np.asarray(fill)
    places = [(y, x) for y in range(0, h, stride) for x in range(0, w, stride)]
    falls = np.empty(len(places), dtype=scores.dtype)
    with looked_at(model):
        run = compile(model, image.shape, min(batch_size, len(places)))
        run.freeze()
        whole = float(run(image[None])[0, target])
        for start in range(0, len(places), batch_size):
            chosen = places[start : start + batch_size]
            covered = np.repeat(image[None], len(chosen), axis=0)
            for one, (y, x) in zip(covered, chosen, strict=True):
                top, left = y - size // 2, x - size // 2
                one[:, max(0, top) : top + size, max(0, left) : left + size] = cover
            falls[start : start + len(chosen)] = whole - run(covered)[:, target]
            if on_batch is not None:
                on_batch(len(chosen))
    return falls.reshape(-(-h // stride), -(-w // stride))
