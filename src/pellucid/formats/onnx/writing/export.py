"""Write a model as a file of ONNX."""

from __future__ import annotations

from numbers import Integral
from typing import Literal, NamedTuple, TypeAlias

from ....errors import ArgumentError
from ....nn import Layer
from ....nn.checks import require_one_output
from ....shapes import shape_text
from ....typing import PathLike, Shape
from ...files import atomic_write
from . import file
from .network import BRIGHTEST, Pixels, written

__all__ = ["OPSET", "Exported", "to_onnx"]

Sizes: TypeAlias = tuple[int | str | None, ...]

OPSET = 18  # PyTorch's exporter writes it too; ONNX Runtime reads it since 1.14 (2023)
MARGIN = 0.5  # share of the training images' range by which pixels may exceed it, as in `predict`


class Exported(NamedTuple):
    """What was written.

    Attributes
    ----------
    inputs, outputs : dict of str to tuple of int, str or None
        The shape of each end by its name: "N" is the number of images; "H" and "W", and None, are
        sizes that are known only when the network runs.
    opset : int
    operators : int
        How many nodes.
    """

    inputs: dict[str, Sizes]
    outputs: dict[str, Sizes]
    opset: int
    operators: int


def to_onnx(
    model: Layer,
    path: PathLike,
    *,
    opset: int = OPSET,
    input_shape: Shape | None = None,
    size: tuple[int, int] | Literal["dynamic"] | None = None,
    softmax: bool = False,
    pixels: Pixels | None = None,
) -> Exported:
    """Write ``model`` in evaluation mode to a file of ONNX, which other programs run.

    The number of images is free. Weights keep the keys of the state dict as their names, and each
    layer's value is called by the layer's path. Dropout is left out, and batch norms use their
    running statistics. The classes are in the metadata, as JSON under ``classes``.

    Parameters
    ----------
    model : Layer
        Layers of `pellucid.nn`, and your own that register with
        `pellucid.formats.onnx.writing.writes`.
    path : str or path
        Usually ``something.onnx``. An existing file is replaced only once the new one is complete,
        and checked.
    opset : int
        The version of ONNX's operators, from 7 on. An older runtime may need an older one.
    input_shape : (C, H, W), optional
        By default ``model.input_shape``.
    size : (H, W) or "dynamic", optional
        Rows and columns other than those of ``input_shape``; or any, if every layer takes them.
    softmax : bool
        Return probabilities instead of scores.
    pixels : {"uint8", "float32"}, optional
        Take pixels from 0 to 255, as they are in a picture, and divide them by 255 first. A
        `Normalize` at the model's beginning, as ``pellucid train --normalize`` puts it there, is
        part of the graph in any case.

    Returns
    -------
    Exported
        The names and shapes of the ends. Several outputs are called by their names in the `Graph`.

    Raises
    ------
    ArgumentError
        If layers cannot be written, all of them at once, or not in this opset; if the weights
        exceed the 2 GB that a file can hold. Nothing is written then.
    MissingExtraError
        If the package onnx is not installed: ``pip install "pellucid[onnx]"``.

    Examples
    --------
    >>> import tempfile
    >>> from pellucid.models import SimpleConvNet
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = to_onnx(SimpleConvNet((1, 28, 28)), f"{folder}/model.onnx")
    >>> found.inputs, found.outputs
    ({'images': ('N', 1, 28, 28)}, {'scores': ('N', 10)})
    """
    if not isinstance(model, Layer):
        raise ArgumentError(f"expects a model, received {model!r}.", where="to_onnx")
    opset = file.require_opset(opset)
    shape = _shape(model, input_shape, size)
    if pixels is not None:
        _require_pixels(model, pixels)
    if softmax:
        require_one_output(model, "softmax")
    graph = written(model, shape, opset, dynamic=size == "dynamic", softmax=softmax, pixels=pixels)
    data = file.checked(model, graph)
    with atomic_write(path) as part:
        part.write_bytes(data)
    return Exported(
        {name: sizes or () for name, sizes in graph.operations.inputs.items()},
        {name: ("N", *sizes) for name, sizes in graph.outputs.items()},
        opset,
        len(graph.operations.operations),
    )


def _shape(
    model: Layer, input_shape: Shape | None, size: tuple[int, int] | Literal["dynamic"] | None
) -> Shape:
    shape = model.input_shape if input_shape is None else input_shape
    if shape is None:
        raise ArgumentError(
            "the model does not say which images it takes. Add {input_shape}, for example.",
            where="input_shape",
            arguments={"input_shape": ((3, 224, 224),)},
        )
    whole = isinstance(shape, tuple | list) and all(isinstance(side, Integral) for side in shape)
    if not whole or min(shape, default=0) < 1:
        raise ArgumentError(
            f"must be (C, H, W), each 1 or more, or the shape of a row; received {shape!r}.",
            where="input_shape",
        )
    shape = tuple(int(side) for side in shape)
    if size is None:
        return shape
    if len(shape) != 3:
        raise ArgumentError(
            f"is for images (C, H, W), and the input is {shape_text(shape)}. Leave it out.",
            where="size",
        )
    if size == "dynamic":
        return shape
    good = isinstance(size, tuple | list) and len(size) == 2
    if not good or not all(isinstance(side, int) and side >= 1 for side in size):
        raise ArgumentError(
            f"must be (rows, columns), each 1 or more, or 'dynamic'; received {size!r}.",
            where="size",
        )
    return shape[0], *size


def _require_pixels(model: Layer, pixels: object) -> None:
    if pixels not in ("uint8", "float32"):
        raise ArgumentError(f"must be 'uint8' or 'float32', received {pixels!r}.", where="pixels")
    known = model.card.value_range if model.card is not None else None
    if known is None:
        return
    low, high = known
    margin = MARGIN * (high - low)
    if low - margin > 0 or high + margin < 1 or high - low > BRIGHTEST / 2:
        raise ArgumentError(
            f"divides pixels by {BRIGHTEST}, which gives numbers from 0 to 1, but the model was "
            f"trained on numbers from {low:g} to {high:g}. Leave it out, and convert the images "
            "as its training did.",
            where="pixels",
        )
