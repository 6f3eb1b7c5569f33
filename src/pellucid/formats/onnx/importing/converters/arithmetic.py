"""Sums, products and powers: of images, and of an image with a constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .....nn import (
    Add,
    Clip,
    Divide,
    Dropout,
    Maximum,
    Minimum,
    Multiply,
    Negative,
    Power,
    Reciprocal,
    Scale,
    Shift,
    Sqrt,
    Subtract,
)
from .....typing import Array
from ..node import Reading, holding
from ..registry import Unsupported, reads
from ..values import Image, Known
from .activations import clipped

__all__ = ["scaled", "shifted", "zeros"]


@reads("Add")
def _add(node: Reading) -> Image:
    if (parts := _image_and_constant(node)) is not None:
        return shifted(node, *parts)
    return _sum(node, [node.image(0), node.image(1)])


@reads("Sub")
def _subtract(node: Reading) -> Image:
    if (parts := _image_and_constant(node)) is not None:
        x, constant = parts
        if isinstance(node.value(1), Known):
            return shifted(node, x, _changed(constant, -constant.array))
        return shifted(node, node.add(Negative(), x, part="negative"), constant)
    return node.add(Subtract(), *_aligned(node.image(0), node.image(1)))


@reads("Mul")
def _multiply(node: Reading) -> Image:
    if (parts := _image_and_constant(node)) is not None:
        return scaled(node, *parts)
    a, b = _aligned(node.image(0), node.image(1))
    if a.node == b.node:
        return node.add(Power(2), a)
    return node.add(Multiply(), a, b)


@reads("Div")
def _divide(node: Reading) -> Image:
    if (parts := _image_and_constant(node)) is not None:
        x, constant = parts
        if isinstance(node.value(1), Known):
            with np.errstate(divide="ignore"):
                return scaled(node, x, _changed(constant, 1 / constant.array.astype(np.float64)))
        return scaled(node, node.add(Reciprocal(), x, part="reciprocal"), constant)
    return node.add(Divide(), *_aligned(node.image(0), node.image(1)))


@reads("Pow")
def _power(node: Reading) -> Image:
    exponent = node.number(1)
    assert exponent is not None
    x = node.image()
    if exponent == 1:
        return x
    return node.add(Sqrt() if exponent == 0.5 else Power(exponent), x)


@reads("Sum")
def _sum_of_many(node: Reading) -> Image:
    return _total(node)


@reads("Mean")
def _mean_of_many(node: Reading) -> Image:
    count = np.asarray(1 / len(node.inputs))
    return scaled(node, _total(node), Known.of(count), part="mean")


@reads("Max", "Min")
def _extreme(node: Reading) -> Image:
    """Take the extreme of all images, then that with each constant, which is one number."""
    largest = node.operation.op == "Max"
    images, constants = _sorted(node)
    x = images[0]
    for other in images[1:]:
        a, b = _aligned(x, other)
        x = node.add(Maximum() if largest else Minimum(), a, b)
    if not constants:
        return x
    for constant in constants:
        x = _against(node, x, constant, largest=largest)
    return x


def _against(node: Reading, x: Image, constant: Known, *, largest: bool) -> Image:
    """Take the extreme of an image and a constant."""
    if constant.array.size == 1 and constant.array.ndim <= x.rank:
        bound = float(constant.array.ravel()[0])
        return clipped(node, x, bound, None) if largest else clipped(node, x, None, bound)
    limits = Known.of(constant.array)  # which are not trained
    limit = shifted(node, zeros(node, x), limits, part="limit")
    return node.add(Maximum() if largest else Minimum(), x, limit)


def zeros(node: Reading, x: Image) -> Image:
    """Add a layer that makes zeros of every number, also of infinity, with zero gradients."""
    return node.add(Clip(0.0, 0.0), x, part="zero")


@reads("Dropout")
def _dropout(node: Reading) -> Image:
    """Keep a dropout, which is the identity in evaluation."""
    node.single_output()
    node.attribute("seed")
    probability = node.number(1, node.attribute("ratio", 0.5))
    node.known(2)  # training_mode: the layer has its own
    x = node.image()
    if not probability or probability >= 1:
        return x
    return node.add(Dropout(float(probability)), x)


@reads("Identity")
def _identity(node: Reading) -> Image:
    return node.image()


@reads("Cast")
def _cast(node: Reading) -> Image:
    """Leave out conversions between kinds of floating-point numbers; float32 is computed."""
    node.require("saturate", 1)
    node.attribute("round_mode")
    to = int(node.attribute("to"))
    if to not in (1, 10, 11, 16):  # float32, float16, float64, bfloat16
        raise Unsupported(
            f"it converts images to ONNX's data type {to}; images are floating-point numbers here"
        )
    return node.image()


# Shared -------------------------------------------------------------------------------------


def shifted(node: Reading, x: Image, constant: Known, part: str = "") -> Image:
    """Add a layer that adds a constant."""
    array = _of_one_image(x, constant)
    if array.size == 1 and not array.any() and array.ndim <= len(x.shape):
        return x
    layer = Shift(array.shape, trainable=_is_weight(constant))
    return replace(node.add(holding(layer, bias=array), x, part=part), merged=x.merged)


def scaled(node: Reading, x: Image, constant: Known, part: str = "") -> Image:
    """Add a layer that multiplies by a constant."""
    array = _of_one_image(x, constant)
    if array.size == 1 and (array == 1).all() and array.ndim <= len(x.shape):
        return x
    layer = Scale(array.shape, trainable=_is_weight(constant))
    return replace(node.add(holding(layer, weight=array), x, part=part), merged=x.merged)


def _is_weight(constant: Known) -> bool:
    """Return whether to train a constant: weights are arrays, and single numbers are not."""
    return constant.trainable and constant.array.size > 1


def _image_and_constant(node: Reading) -> tuple[Image, Known] | None:
    """Return the inputs of a node with one constant; None if both are images."""
    for k in (0, 1):
        if isinstance(node.value(k, moved=True, merged=True), Known):
            constant = node.weight(k)
            one = constant.array.size == 1 and constant.array.ndim < 2
            return node.image(1 - k, merged=one), constant
    return None


def _of_one_image(x: Image, constant: Known) -> Array:
    """Return a constant without the axis of the images, which it has if it has all axes."""
    array = constant.array
    if array.ndim > x.rank:
        raise Unsupported(
            f"a constant of shape {array.shape} has more axes than the images (N, "
            f"{', '.join(map(str, x.shape))})"
        )
    if array.ndim == x.rank:
        if array.shape[0] != 1 and not (array == array[:1]).all():
            raise Unsupported(f"a constant of shape {array.shape} differs from image to image")
        array = array[0]
    return np.asarray(array)


def _changed(constant: Known, array: Array) -> Known:
    return Known.of(array, trainable=constant.trainable, name=constant.name)


def _sorted(node: Reading) -> tuple[list[Image], list[Known]]:
    values = [node.value(k) for k in range(len(node.inputs))]
    images = [value for value in values if isinstance(value, Image)]
    return images, [node.weight(k) for k, value in enumerate(values) if isinstance(value, Known)]


def _total(node: Reading) -> Image:
    images, constants = _sorted(node)
    x = images[0] if len(images) == 1 else _sum(node, images)
    for constant in constants:
        x = shifted(node, x, constant, part="constant")
    return x


def _sum(node: Reading, images: Sequence[Image]) -> Image:
    images = _aligned(*images)
    if len({image.node for image in images}) < len(images):  # x + x
        x = images[0]
        for other in images[1:]:
            two = np.asarray(2.0)
            x = scaled(node, x, Known.of(two)) if other.node == x.node else _sum(node, [x, other])
        return x
    alike = len({image.shape for image in images}) == 1
    return node.add(Add() if alike else Add(broadcast=True), *images)


def _aligned(*images: Image) -> tuple[Image, ...]:
    """Refuse images with different numbers of axes: N of one would meet C of another."""
    if len({image.rank for image in images}) > 1:
        shapes = " and ".join(f"(N, {', '.join(map(str, image.shape))})" for image in images)
        raise Unsupported(f"its inputs have the shapes {shapes}: N of one meets another axis")
    return images
