"""Infer from the shapes of the book's parameters which network they are, and for which images."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import ArgumentError
from ..shapes import output_size, shape_text
from ..typing import Array

__all__ = ["Sizes", "classify", "image_of", "windows_of"]

Image = tuple[int, int, int]

SIDES = {1: 28, 3: 32}  # of square images by channels: MNIST and CIFAR
DEEP = [(16, 3, 3), (16, 3, 3), (32, 3, 3), (32, 3, 3), (64, 3, 3), (64, 3, 3)]
TITLES = {
    "simple": "a SimpleConvNet",
    "deep": "a DeepConvNet",
    "connected": "a network of fully connected layers",
}


@dataclass(frozen=True)
class Sizes:
    """The shapes of W1, W2, ..., and which of the book's networks has them.

    Attributes
    ----------
    kind : {"simple", "deep", "connected"}
    weights : list of shapes
    """

    kind: Literal["simple", "deep", "connected"]
    weights: list[tuple[int, ...]]

    @property
    def classes(self) -> int:
        """The number of outputs."""
        return self.weights[-1][1]

    @property
    def title(self) -> str:
        """The name of the network in messages."""
        return TITLES[self.kind]


def classify(params: Mapping[str, Array]) -> Sizes:
    """Return which network has parameters of these names and shapes.

    Raises
    ------
    ArgumentError
        If none of the book's networks has them; the message says why.
    """
    _require_names(params)
    weights = [np.shape(params[f"W{k}"]) for k in range(1, len(params) // 2 + 1)]
    for k, weight in enumerate(weights, 1):
        _require_numbers(params, k, weight)
    for k, (before, here) in enumerate(itertools.pairwise(weights), 2):
        if len(here) == 4:
            fits = len(before) == 4 and here[1] == before[0]
        else:
            fits = len(before) == 4 or here[0] == before[1]
        if not fits:
            raise _refusal(f"W{k} {here} cannot follow W{k - 1} {before}")
    dimensions = [len(weight) for weight in weights]
    if dimensions == [4, 2, 2] and weights[0][2] == weights[0][3]:
        return Sizes("simple", weights)
    windows = [(weight[0], *weight[2:]) for weight in weights[:6]]
    if dimensions == [4] * 6 + [2, 2] and windows == DEEP:
        return Sizes("deep", weights)
    if set(dimensions) == {2}:
        return Sizes("connected", weights)
    shapes = ", ".join(f"W{k} {weight}" for k, weight in enumerate(weights[:9], 1))
    raise _refusal(
        f"neither SimpleConvNet (W1 with four axes, W2 and W3 with two) nor DeepConvNet (six 3x3 "
        f"convolutions with 16, 16, 32, 32, 64, 64 filters, W7, W8) has {shapes}"
    )


def _require_names(params: Mapping[str, Array]) -> None:
    if any(re.fullmatch(r"gamma\d+", name) for name in params):
        raise _refusal(
            "gamma1 and beta1 belong to a batch normalisation, whose running means the book does "
            "not save, so the network cannot be evaluated"
        )
    expected = {f"{letter}{k + 1}" for letter in "Wb" for k in range(max(len(params) // 2, 1))}
    if set(params) != expected:
        names = ", ".join(ascii(name).strip("'") for name in list(params)[:12]) or "none"
        raise _refusal(f"the arrays must be W1, b1, W2, b2, ... without a gap, received {names}")


def _require_numbers(params: Mapping[str, Array], k: int, weight: tuple[int, ...]) -> None:
    bias = np.shape(params[f"b{k}"])
    kinds = {np.asarray(params[f"{letter}{k}"]).dtype.kind for letter in "Wb"}
    if len(weight) not in (2, 4) or 0 in weight or not kinds <= set("fiu"):
        raise _refusal(
            f"W{k} {weight} belongs neither to a convolution (four axes) nor to an Affine (two)"
        )
    outputs = weight[0] if len(weight) == 4 else weight[1]
    if math.prod(bias) not in (1, outputs):
        raise _refusal(
            f"b{k} {bias} must have {outputs} numbers, one for each output of W{k} {weight}"
        )


def _refusal(reason: str) -> ArgumentError:
    return ArgumentError(f"these are not the parameters of one of the book's networks: {reason}.")


def image_of(sizes: Sizes, image: Image | None) -> Image | None:
    """Return the shape of the images that a deep or a fully connected network takes.

    Without ``image``: 28x28 for a DeepConvNet, in colour 32x32; for fully connected layers a
    square, grey or in colour, or None if no square has as many numbers as W1 has rows.

    Raises
    ------
    ArgumentError
        If ``image`` is of another size.
    """
    inputs = sizes.weights[0][1 if sizes.kind != "connected" else 0]
    if sizes.kind == "deep":
        image = image or _usual(inputs)
        _require(image[0] == inputs, image, f"has {inputs} channels in W1 {sizes.weights[0]}")
        return image
    if image is not None:
        _require(math.prod(image) == inputs, image, f"takes {inputs} numbers for an image")
        return image
    for channels in (1, 3):
        side = math.isqrt(inputs // channels)
        if channels * side * side == inputs and side > 1:
            return channels, side, side
    return None


def _usual(channels: int) -> Image:
    side = SIDES.get(channels, SIDES[1])
    return channels, side, side


def windows_of(
    sizes: Sizes, image: Image | None, stride: int | None, pad: int | None
) -> tuple[Image, int, int]:
    """Return the image shape, stride and padding with which a SimpleConvNet has these shapes.

    Arguments that are given stay. By default the images are 28x28 (in colour 32x32) if some
    padding fits, else the square that fits; the stride is 1; the padding is the one that fits.

    Raises
    ------
    ArgumentError
        If none fits.
    """
    filters, channels, size, _ = sizes.weights[0]
    rows = sizes.weights[1][0]
    if rows % filters:
        raise _refusal(f"the {rows} rows of W2 are not a multiple of the {filters} filters of W1")
    stride = 1 if stride is None else stride
    paddings = range(size) if pad is None else (pad,)
    images = [image or _usual(channels)]
    if image is None:
        before_pooling = 2 * math.isqrt(rows // filters)
        edge = max((before_pooling - 1) * stride + size - 2 * paddings[0], 1)
        images.append((channels, edge, edge))
    for shape in images:
        _require(shape[0] == channels, shape, f"has {channels} channels in W1 {sizes.weights[0]}")
        for padding in paddings:
            if _pooled(shape, size, stride, padding) * filters == rows:
                return shape, stride, padding
    tried = f"a padding of {paddings[0]}" + f" to {paddings[-1]}" * (len(paddings) > 1)
    raise ArgumentError(
        f"W2 takes {rows // filters} numbers from each of the {filters} filters of W1, which "
        f"images {shape_text(images[0])} do not give with stride {stride} and {tried}. "
        "Give the image shape, stride and padding with which it was trained.",
        where="input_shape",
    )


def _pooled(image: Image, size: int, stride: int, pad: int) -> int:
    """Return the number of cells of one channel after the 2x2 pooling, or 0 if it does not fit."""
    sides = []
    for length in image[1:]:
        if length + 2 * pad < size + stride:  # the pooling needs two windows
            return 0
        sides.append(output_size(output_size(length, size, stride, pad), 2, 2, 0))
    return math.prod(sides)


def _require(fits: bool, image: Image, reason: str) -> None:
    if not fits:
        raise ArgumentError(
            f"received {shape_text(image)}; the network {reason}.", where="input_shape"
        )
