"""Scores of every crop of a larger image, in one pass.

Crops that overlap share most of their convolutions: run over the whole image, each is computed once
(Sermanet et al. 2014, "OverFeat", section 3.5; CS231n, "Converting FC layers to CONV layers").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..ops.checks import require_images
from ..receptive import ReceptiveField
from ..shapes import pair, shape_text
from ..typing import Array, Pair, Shape
from .containers import Container
from .layer import Layer
from .state import widened
from .summaries import known_shape
from .to_convolutional import Converter

__all__ = ["sliding_scores"]


def sliding_scores(
    model: Layer,
    images: Array,
    stride: Pair | None = None,
    *,
    average: bool = False,
    input_shape: Shape | None = None,
    run: Callable[[Layer, Array], Array] | None = None,
) -> Array:
    """Return the scores of ``model`` for every crop of larger images, in one pass or a few.

    ``y[n, :, i, j]`` are the scores of the crop whose first row is ``stride·i`` and whose first
    column is ``stride·j``: exactly, unless a layer pads or uses statistics of the whole image (as
    `GroupNorm` does): around a crop there is padding, inside the larger image there are pixels
    (examples/sliding_window.py shows how much that matters).

    Parameters
    ----------
    model : Layer
        As for `to_convolutional`; it runs in evaluation mode, and is not changed.
    images : array (N, C, H, W), or one image (C, H, W)
        At least as large as ``input_shape``.
    stride : int or (int, int), optional
        Distance between two crops; must divide the stride of the network, which is the default. For
        a smaller one the network runs over shifted images, whose scores are interleaved.
    average : bool
        Return the mean over all crops.
    input_shape : (C, H, W), optional
        A crop. Defaults to the model's own.
    run : callable, optional
        Runs the converted network on a batch, as ``lambda net, x: engine.compile(...)(x)``; by
        default its own layers.

    Returns
    -------
    array (N, K, OH, OW), or (N, K) if averaged; without N for one image
        ``OH = (H - h) // stride + 1`` with crops of h rows.

    Raises
    ------
    ArgumentError, ShapeError
        If the stride does not divide the network's; if an image is smaller than a crop.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> model, image = SimpleConvNet((1, 8, 8), kernel_size=3), np.zeros((1, 12, 14))
    >>> sliding_scores(model, image).shape, sliding_scores(model, image, stride=1).shape
    ((10, 3, 4), (10, 5, 7))
    """
    crop = known_shape(model, input_shape)
    single = images.ndim == 3
    images = images[np.newaxis] if single else images
    _require_larger(images, crop)
    images = widened(images, model.parameters().values())
    network = Converter(crop, share=True).converted(model).eval()
    steps, whole = _strides(network, crop, stride)
    counts = [(images.shape[2 + a] - crop[1 + a]) // steps[a] + 1 for a in (0, 1)]
    scores: Array | None = None
    for rows in _shifts(counts[0], crop[1], steps[0], whole[0]):
        for columns in _shifts(counts[1], crop[2], steps[1], whole[1]):
            shifted = images[:, :, rows.read, columns.read]
            part = network(shifted) if run is None else run(network, shifted)
            if scores is None:
                scores = np.empty((*part.shape[:2], *counts), dtype=part.dtype)
            scores[:, :, rows.write, columns.write] = part
    assert scores is not None
    scores = scores.mean(axis=(2, 3)) if average else scores
    return scores[0] if single else scores


@dataclass(frozen=True)
class _Shift:
    """One shifted pass along one axis: the cells it reads, and where its scores belong."""

    read: slice
    write: slice


def _shifts(count: int, crop: int, step: int, whole: int) -> Iterator[_Shift]:
    """Yield the passes for ``count`` crops, ``step`` apart, of a network of stride ``whole``.

    Each reads no more than its crops need, so that sizes round as in a single crop.
    """
    passes = whole // step
    for k in range(min(passes, count)):
        crops = len(range(k, count, passes))
        first = k * step
        yield _Shift(slice(first, first + crop + (crops - 1) * whole), slice(k, None, passes))


def _strides(
    network: Container, crop: Shape, stride: Pair | None
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the requested strides, and those of the network."""
    scores = network.output_shape(crop)
    if scores[1:] != (1, 1):
        raise ShapeError(
            f"gives {shape_text(scores)} numbers for one crop of "
            f"{shape_text(crop)}, not one per class.",
            where="sliding_scores",
        )
    moves = network.receptive_field(ReceptiveField(), crop).stride
    whole = (math.ceil(moves[0]), math.ceil(moves[1]))
    steps = whole if stride is None else pair(stride, "stride")
    if whole != moves or any(whole[a] % steps[a] for a in (0, 1)):
        raise ArgumentError(
            f"must divide the stride of the network, {moves[0]} down and {moves[1]} across, "
            f"received {stride}.",
            where="stride",
        )
    return steps, whole


def _require_larger(images: Array, crop: Shape) -> None:
    require_images(images, "sliding_scores")
    shape = images.shape[1:]
    if shape[0] != crop[0] or shape[1] < crop[1] or shape[2] < crop[2]:
        raise ShapeError(
            f"expects images of {crop[0]} channels and at least {crop[1]}x{crop[2]} cells, "
            f"received shape {shape}.",
            where="sliding_scores",
        )
