"""A network in an ONNX file as a graph of layers."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from ....nn import Card, Graph
from ....preparation import Preparation
from ....typing import Array, PathLike, Shape
from ..reading import read_onnx
from .channels import with_channels_first, with_red_first
from .network import network_of, without_softmax

__all__ = ["card_for", "card_of", "from_onnx"]

LONGEST = 2**20  # characters of class names


def from_onnx(
    path: PathLike,
    *,
    input_shape: Sequence[int] | None = None,
    values: Mapping[str, Array] | None = None,
    external_data: bool = False,
    fold: bool = False,
    softmax: Literal["keep", "drop"] = "keep",
    channels: Literal["keep", "first"] = "keep",
    bgr: bool = False,
) -> Graph:
    """Read a network from an ONNX file, in evaluation mode.

    It takes any number of images, also where the file was written for one. What the file computes
    from shapes is computed here, and exporters' decompositions become one layer: GELU, SiLU,
    hard-swish, layer normalization. Weights become float32. The images' numbers are those that the
    file takes: of one that takes uint8, from 0 to 255.

    Parameters
    ----------
    path : str or path
        Of a file with operators of opset 7 or newer.
    input_shape : tuple of int, optional
        The images (C, H, W), where the file leaves lengths open.
    values : mapping of name to array, optional
        The values of inputs other than the images, which become part of the network.
    external_data : bool
        Whether to read weights from other files, which must be in the same folder.
    fold : bool
        Make batch norms, and factors and summands of each channel, part of the convolutions before
        them. By default they are kept, so that the network trains as it did.
    softmax : {"keep", "drop"}
        Whether to keep a softmax at the end. `pellucid.predict` and the loss of a training expect
        scores, and apply it themselves: drop it for them.
    channels : {"keep", "first"}
        Of a network that takes images (N, H, W, C), as TensorFlow's do: whether it takes
        (N, C, H, W) instead, as all else here does.
    bgr : bool
        Of a network that takes blue, green and red, as OpenCV's users train: let it take red, green
        and blue. Its first filters are turned round for that.

    Returns
    -------
    Graph
        Its layers are named after their weights or nodes. Its card holds the classes, if the file
        names them.

    Raises
    ------
    DataNotFoundError, FileFormatError
        If there is no such file; if it is damaged, contradicts itself, or has another format.
    ArgumentError
        If nodes cannot be converted, all of them with reasons; if the images' shape is open.
    MissingExtraError
        If the package onnx is not installed: ``pip install "pellucid[onnx]"``.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pellucid import to_onnx
    >>> from pellucid.models import SimpleConvNet
    >>> model = SimpleConvNet((1, 28, 28)).eval()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = to_onnx(model, f"{folder}/model.onnx")
    ...     same = from_onnx(f"{folder}/model.onnx")
    >>> x = np.random.default_rng(0).normal(size=(3, 1, 28, 28)).astype(np.float32)
    >>> same.input_shape, bool(np.allclose(same(x), model(x), atol=1e-6))
    ((1, 28, 28), True)
    """
    operations = read_onnx(path, external_data=external_data)
    if softmax == "drop":
        operations, _ = without_softmax(operations)
    if channels == "first":
        operations, _ = with_channels_first(operations, values or ())
    if bgr:
        operations = with_red_first(operations, values or ())
    graph = network_of(operations, input_shape=input_shape, values=values, fold=fold)
    graph.card = card_of(graph, operations.metadata)
    if graph.card is not None and operations.pixels:
        graph.card = replace(graph.card, value_range=(0.0, 255.0))
    return graph


def card_of(graph: Graph, metadata: Mapping[str, str]) -> Card | None:
    """Return what a file's metadata say of classes and preparation; None if they do not fit."""
    assert graph.input_shape is not None
    classes = _classes(metadata)
    if not classes or graph.output_shape(graph.input_shape) != (len(classes),):
        return None
    card = card_for(graph.input_shape, classes, metadata.get("dataset", ""))
    return replace(card, preparation=_preparation(metadata, card.preparation))


def card_for(shape: Shape, classes: Sequence[str], dataset: str = "") -> Card:
    """Return the card of a network that takes pictures made to fit images of ``shape``."""
    preparation = Preparation.of_shape(shape) if len(shape) == 3 else None
    return Card(dataset, tuple(classes), preparation)


def _classes(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return class names in a file's metadata: a list, or a mapping of number to name."""
    for key in ("classes", "names", "labels", "class_names"):
        found = _parsed(metadata.get(key, ""))
        if isinstance(found, dict):
            numbered = {str(k): name for k, name in found.items()}
            found = [numbered.get(str(k)) for k in range(len(numbered))]
        if isinstance(found, list) and all(isinstance(name, str) for name in found):
            return tuple(found)
    return ()


def _parsed(text: str) -> Any:
    """Return what JSON or a literal of Python, as some exporters write, stands for."""
    if not 0 < len(text) < LONGEST:
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            pass
    return None


def _preparation(metadata: Mapping[str, str], plain: Preparation | None) -> Preparation | None:
    """Return the preparation that Pellucid wrote into a file, if it makes such images."""
    try:
        known = Preparation.from_dict(json.loads(metadata["preparation"]))
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return plain
    return known if plain is not None and known.image_shape == plain.image_shape else plain
