"""From a trained network to one in 8-bit integers, calibrated on images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Dataset
from ..errors import ArgumentError, DataError, ShapeError
from ..nn import Conv2d, Graph, Layer, Linear, Node, QuantizedConv2d, QuantizedLinear, Sequential
from ..nn.checks import require_one_output
from ..nn.quantized import MOST_TERMS
from ..nn.walk import is_line
from ..shapes import shape_text
from ..training.engines import EngineLike, as_engine
from ..training.metrics import sample
from ..training.preparation import require_count
from ..typing import Array, Shape
from .folding import Folded, folded
from .ranges import SeenRange

__all__ = ["is_quantized", "quantize", "require_float"]

KINDS: Mapping[type[Layer], Any] = {Conv2d: QuantizedConv2d, Linear: QuantizedLinear}
FEW = 32  # terms of a sum: with fewer, to make codes of them takes longer than their products
BATCH = 16  # images at a time, of which all values are in memory
SAMPLES = 512


def quantize(
    model: Layer,
    images: Dataset | tuple[npt.ArrayLike, npt.ArrayLike] | npt.ArrayLike,
    *,
    samples: int = SAMPLES,
    engine: EngineLike = "compiled",
) -> Layer:
    """Return a trained network whose convolutions and fully connected layers are 8-bit integers.

    Batch norms are folded into the layers before them. Weights get one scale for each filter, and
    what a layer reads one scale and zero point, chosen so that the numbers it reads for the given
    images are rounded as little as possible. The result is for inference: it computes nearly the
    same, and is a quarter as large. Layers whose sums have few terms stay in float32: depthwise
    convolutions, windows of 3x3 on the three channels of a picture.
    Source: Jacob et al. 2017, sections 2 and 3.2; Krishnamoorthi 2018, "Quantizing deep
    convolutional networks for efficient inference", section 3.

    Parameters
    ----------
    model : Layer
        Is not changed.
    images : Dataset, (images, labels), or array (N, C, H, W)
        Training images, prepared as they were for the training. Never those of the test, whose
        accuracy is to say what the rounding costs.
    samples : int
        How many of them are used, evenly spaced, of all classes.
    engine : {"compiled", "numpy"} or Engine

    Returns
    -------
    Sequential, or Graph where paths meet or names have dots
        With the names and keys of ``model``.

    Raises
    ------
    ArgumentError
        If the model is quantized already, or has no layer to quantize.
    DataError, ShapeError
        If there are no images, or they do not fit the model.

    Examples
    --------
    >>> import pellucid
    >>> train, test = pellucid.data.digits()
    >>> model = pellucid.models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    >>> small = quantize(model, train, samples=100)
    >>> small["affine1"].weight
    Buffer(shape=(100, 120), dtype=int8)
    >>> close = np.abs(pellucid.predict(small, test) - pellucid.predict(model, test)).max()
    >>> bool(close < 0.01)
    True
    """
    if not isinstance(model, Layer):
        raise ArgumentError(f"expects a model, received {model!r}.", where="quantize")
    require_count(samples, "samples")
    require_one_output(model, "quantize")
    require_float(model)
    x, shape = _chosen(model, images, samples)
    model.output_shape(shape)  # raises if a layer does not fit the images
    network = folded(model)
    read = sorted({node.reads[0] for node in network.nodes if _is_taken(node.layer)})
    if not read:
        raise ArgumentError(
            f"{type(model).__name__} has no convolution and no fully connected layer that 8-bit "
            f"integers would serve: those whose sums have fewer than {FEW} terms, and layers "
            "inside a class with a `forward` of its own, stay as they are.",
            where="quantize",
        )
    seen = {value: SeenRange() for value in read}
    for take in ("extend", "count"):
        for values in _values(network, x, shape, engine, read):
            for value, numbers in values.items():
                getattr(seen[value], take)(numbers)
    codes = {value: found.codes() for value, found in seen.items()}
    nodes = [
        node._replace(layer=KINDS[type(node.layer)].of(node.layer, *codes[node.reads[0]]))
        if _is_taken(node.layer)
        else node
        for node in network.nodes
    ]
    made = _network(nodes, network.outputs)
    made.input_shape, made.card = model.input_shape or shape, model.card
    return made.eval()


def is_quantized(model: Layer) -> bool:
    """Return whether a network has layers in 8-bit integers.

    Examples
    --------
    >>> is_quantized(Linear(4, 3)), is_quantized(QuantizedLinear(4, 3))
    (False, True)
    """
    return any(isinstance(layer, tuple(KINDS.values())) for _, layer in model.layers())


def require_float(model: Layer) -> None:
    """Refuse a network that is quantized already.

    Raises
    ------
    ArgumentError
    """
    if is_quantized(model):
        raise ArgumentError(
            "the model is quantized already. Give the float model that it was made of: each "
            "rounding loses more.",
            where="quantize",
        )


def _is_taken(layer: Any) -> bool:
    """Return whether a layer is to be in 8-bit integers."""
    if type(layer) not in KINDS:
        return False
    return FEW <= layer.weight.data[0].size <= MOST_TERMS


def _chosen(model: Layer, images: Any, samples: int) -> tuple[Any, Shape]:
    """Return a data set or an array of the images to calibrate on, and the shape of one."""
    if isinstance(images, tuple | list) and len(images) == 2 and not isinstance(images, np.ndarray):
        images = Dataset.from_arrays(images[0], images[1])
    if not isinstance(images, Dataset):
        images = np.asarray(images)
        if images.ndim < 2 or images.dtype.kind != "f":
            raise DataError(
                "expects a Dataset, (images, labels), or an array of floating-point numbers "
                f"(N, C, H, W), received {images.dtype} of shape {images.shape}.",
                where="images",
            )
    if not len(images):
        raise DataError(
            "expects images to calibrate on, received none. Give some of the training images.",
            where="images",
        )
    shape = images.image_shape if isinstance(images, Dataset) else images.shape[1:]
    if model.input_shape not in (None, shape):
        raise ShapeError(
            f"the model was built for images {shape_text(model.input_shape or ())}, received "
            f"images {shape_text(shape)}. Give images of the training.",
            where="images",
        )
    if isinstance(images, Dataset):
        return sample(images, samples), shape
    places = np.linspace(0, len(images) - 1, min(samples, len(images))).astype(np.int64)
    return images[places], shape


def _values(
    network: Folded, x: Any, shape: Shape, engine: EngineLike, wanted: list[int]
) -> Iterator[dict[int, Array]]:
    """Yield the values of these numbers for some images after the other; 0: the images."""
    how, inside = as_engine(engine), [k for k in wanted if k]
    size = min(BATCH, len(x))
    part = run = None
    if inside:
        names = _names(network.nodes)
        listed = [
            (names[k], node.layer, *(names[r] for r in node.reads))
            for k, node in enumerate(network.nodes, 1)
        ]
        part = Graph.pruned(listed, tuple(names[k] for k in inside), names[0]).eval()
        run = how.prepare(part, shape, size, frozen=True)
    for first in range(0, len(x), size):
        batch = x[first : first + size]
        if isinstance(batch, Dataset):
            batch, _ = batch.batch(slice(None))
        given = {0: np.asarray(batch, dtype=np.float32)}
        if run is not None:
            given |= dict(zip(inside, run(given[0]), strict=True))
        yield {k: given[k] for k in wanted}


def _network(nodes: list[Node], outputs: tuple[int, ...]) -> Any:
    """Return the network of these nodes: a chain if they are one."""
    names = _names(nodes)
    (end,) = outputs
    if is_line(nodes) and end == len(nodes) and not any("." in node.name for node in nodes):
        return Sequential(**dict(zip(names[1:], (node.layer for node in nodes), strict=True)))
    listed = [
        (names[k], node.layer, *(names[r] for r in node.reads)) for k, node in enumerate(nodes, 1)
    ]
    return Graph(listed, output=names[end], input=names[0])


def _names(nodes: list[Node]) -> list[str]:
    """Return the name of each value, of which 0 is the input: one that no node has."""
    taken = {node.name for node in nodes}
    free = [
        name for name in ("x", "network", *map(str, range(len(nodes) + 2))) if name not in taken
    ]
    # A model that is one layer has no name, nor has a join that ends one.
    return [free[0], *(node.name or free[1] for node in nodes)]
