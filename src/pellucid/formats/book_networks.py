"""The book's parameters ``W1``, ``b1``, ... as networks, and networks as such parameters.

The book's Affine computes ``x·W`` with W (in, out), our Linear ``x·wᵀ`` with w (out, in): W is
transposed. Filters have the book's layout, and both flatten images (C, H, W) in that order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from ..data.catalogue import CATALOGUE
from ..errors import ArgumentError, ShapeError
from ..models import DeepConvNet, SimpleConvNet
from ..models.sizes import image_shape
from ..nn import Card, Conv2d, Dropout, Flatten, Layer, Linear, MaxPool2d, ReLU, Sequential, Sigmoid
from ..nn.init import without_values
from ..nn.walk import is_line
from ..shapes import shape_text
from ..typing import Array
from .book_shapes import Sizes, classify, image_of, windows_of

__all__ = ["from_book", "to_book"]

DIGITS = tuple("0123456789")
WITHOUT_PARAMETERS = (Dropout, Flatten, MaxPool2d, ReLU, Sigmoid)


def from_book(
    params: Mapping[str, Array],
    *,
    input_shape: tuple[int, int, int] | None = None,
    stride: int | None = None,
    pad: int | None = None,
    activation: Literal["relu", "sigmoid"] | None = None,
) -> Sequential:
    """Build the book's network whose parameters these are.

    ========================  ==============================================================
    W1 (FN, C, F, F), W2, W3  `SimpleConvNet` (section 7.5)
    W1 to W6 3x3, W7, W8      `DeepConvNet` (section 8.1)
    all of them (in, out)     fully connected layers with ``activation`` between them: the
                              networks of chapters 3 to 6 (sigmoid in 3 and 4, ReLU in 5 and 6)
    ========================  ==============================================================

    Parameters
    ----------
    params : mapping
        ``W1``, ``b1``, ``W2``, ... in the book's layout.
    input_shape : (C, H, W), optional
        The images. By default 28x28 (in colour 32x32) if that fits, else the square that does.
    stride, pad : int, optional
        Of the convolution of a SimpleConvNet. By default 1, and the padding that fits.
    activation : {"relu", "sigmoid"}, optional
        Between fully connected layers; ReLU by default. The file does not say it.

    Returns
    -------
    Sequential
        In float32 and evaluation mode, with ``input_shape``. With ten classes and 28x28 images it
        gets the card of MNIST.

    Raises
    ------
    ArgumentError
        If these are not the parameters of such a network, or do not fit the images.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> params = {"W1": rng.normal(size=(784, 50)), "b1": np.zeros(50)}
    >>> params |= {"W2": rng.normal(size=(50, 10)), "b2": np.zeros(10)}
    >>> model = from_book(params)
    >>> model["affine1"], np.array_equal(model["affine1"].weight.data, np.float32(params["W1"].T))
    (Linear(784, 50), True)
    """
    sizes = classify(params)
    if input_shape is not None:
        input_shape = image_shape(input_shape)
    for name, value, least in (("stride", stride, 1), ("pad", pad, 0)):
        if value is not None and value < least:
            raise ArgumentError(f"must be {least} or more, received {value}.", where=name)
    if sizes.kind != "simple" and (stride is not None or pad is not None):
        raise ArgumentError(
            f"applies to the convolution of a SimpleConvNet; this is {sizes.title}. Leave it out.",
            where="stride" if stride is not None else "pad",
        )
    if sizes.kind != "connected" and activation is not None:
        raise ArgumentError(
            f"applies to fully connected networks; this is {sizes.title}, with ReLU. Leave it out.",
            where="activation",
        )
    with without_values():
        if sizes.kind == "simple":
            model = _simple(sizes, input_shape, stride, pad)
        elif sizes.kind == "deep":
            model = _deep(sizes, input_shape)
        else:
            model = _connected(sizes, input_shape, activation or "relu")
    owners = _owners(model)
    for k, layer in enumerate(owners, 1):
        weight = np.asarray(params[f"W{k}"])
        bias = np.asarray(params[f"b{k}"]).reshape(-1)
        _fill(layer.weight.data.shape, weight if weight.ndim == 4 else weight.T, layer, "weight")
        _fill((len(layer.weight.data),), bias, layer, "bias")
    model.input_shape = model.input_shape or image_of(sizes, input_shape)
    if model.input_shape == (1, 28, 28) and sizes.classes == len(DIGITS):
        model.card = Card("mnist", DIGITS, CATALOGUE["mnist"].preparation)
    model.eval()
    return model


def _fill(shape: tuple[int, ...], values: Array, layer: Conv2d | Linear, name: str) -> None:
    """Copy ``values`` into a parameter as float32; a single number is broadcast."""
    with np.errstate(over="ignore"):
        numbers = np.array(np.broadcast_to(values, shape), dtype=np.float32, order="C")
    if not np.array_equal(np.isfinite(numbers), np.isfinite(np.broadcast_to(values, shape))):
        raise ArgumentError(
            f"the {name} of {layer!r} holds numbers out of the range of float32.", where="from_book"
        )
    getattr(layer, name).data = numbers


def _simple(
    sizes: Sizes, image: tuple[int, int, int] | None, stride: int | None, pad: int | None
) -> Sequential:
    image, stride, pad = windows_of(sizes, image, stride, pad)
    filters, _, size, _ = sizes.weights[0]
    return SimpleConvNet(
        image, sizes.classes, sizes.weights[1][1],
        filters=filters, kernel_size=size, stride=stride, padding=pad,
    )  # fmt: skip


def _deep(sizes: Sizes, image: tuple[int, int, int] | None) -> Sequential:
    shape = image_of(sizes, image)
    assert shape is not None  # only fully connected layers may leave it open
    try:
        model = DeepConvNet(shape, sizes.classes, sizes.weights[-1][0])
    except ShapeError as error:
        raise ArgumentError(f"the images do not fit: {error}", where="input_shape") from error
    inputs = model["affine1"].config()["in_features"]
    if inputs != sizes.weights[6][0]:
        raise ArgumentError(
            f"images {shape_text(shape)} give {inputs} numbers after the last pooling of a "
            f"DeepConvNet, but W7 takes {sizes.weights[6][0]}. Give the shape of the images that "
            "it was trained on.",
            where="input_shape",
        )
    return model


def _connected(
    sizes: Sizes, image: tuple[int, int, int] | None, activation: Literal["relu", "sigmoid"]
) -> Sequential:
    if activation not in ("relu", "sigmoid"):
        raise ArgumentError(
            f"must be 'relu' or 'sigmoid', received {activation!r}.", where="activation"
        )
    layers: dict[str, Layer] = {"flatten": Flatten()}
    for k, (inputs, outputs) in enumerate(sizes.weights, 1):
        layers[f"affine{k}"] = Linear(inputs, outputs)
        if k < len(sizes.weights):
            layers[f"{activation}{k}"] = ReLU() if activation == "relu" else Sigmoid()
    model = Sequential(**layers)
    model.input_shape = image_of(sizes, image)
    return model


def to_book(model: Layer, dtype: type = np.float64) -> dict[str, Array]:
    """Return the parameters of a network in the book's names and layout: ``W1``, ``b1``, ...

    A script of the book's with the same layers in the same order reads them with ``load_params``.

    Parameters
    ----------
    model : Layer
        A chain of Conv2d, Linear, MaxPool2d, ReLU, Sigmoid, Flatten and Dropout.
    dtype : type
        Of the arrays; float64 is the book's.

    Returns
    -------
    dict of str to array
        W is (in, out) for a Linear, (FN, C, FH, FW) for a Conv2d.

    Raises
    ------
    ArgumentError
        If the book lacks one of the model's layers.

    Examples
    --------
    >>> params = to_book(SimpleConvNet())
    >>> {name: array.shape for name, array in params.items() if name[0] == "W"}
    {'W1': (30, 1, 5, 5), 'W2': (4320, 100), 'W3': (100, 10)}
    """
    params: dict[str, Array] = {}
    for k, layer in enumerate(_owners(model), 1):
        weight = layer.weight.data
        bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.data
        params[f"W{k}"] = np.array(weight if weight.ndim == 4 else weight.T, dtype, order="C")
        params[f"b{k}"] = np.array(bias, dtype)
    return params


def _called(name: str, layer: Layer) -> str:
    """Return a layer's name with its text, or its class where that text has many lines."""
    what = type(layer).__name__ if any(True for _ in layer.children()) else repr(layer)
    return f"{name!r}, a {what}" if name else "several paths"


def _owners(model: Layer) -> list[Conv2d | Linear]:
    """Return the layers with weights, in order, of a chain of the book's layers."""
    owners: list[Conv2d | Linear] = []
    for name, layer in model.layers():
        if isinstance(layer, Linear) or (
            isinstance(layer, Conv2d) and layer.groups == 1 and layer.dilation in (1, (1, 1))
        ):
            owners.append(layer)
        elif not isinstance(layer, WITHOUT_PARAMETERS) and not is_line(layer.nodes()):
            raise ArgumentError(
                f"has {_called(name, layer)}, which the book's files cannot hold. Its tensors can "
                "be written under their own names.",
                where=type(model).__name__,
            )
    return owners
