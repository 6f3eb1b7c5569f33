"""A model as ONNX's operators: its nodes, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from ....errors import ArgumentError, ShapeError
from ....names import shown
from ....nn import Layer, walk
from ....shapes import shape_text
from ....typing import Shape
from ..operations import Operations
from . import layers
from .layers.activations import softmax as written_softmax
from .registry import LayerWriter, writer_of
from .sheet import Sheet, Sizes, UnwritableError, Value

__all__ = ["Pixels", "Written", "written"]

Pixels: TypeAlias = Literal["uint8", "float32"]
Refusals: TypeAlias = list[tuple[str, UnwritableError]]

WRITERS = layers.__all__  # the import registers them
BRIGHTEST = 255
MOST = 20  # layers that an error names
# Further sizes, by which it is found out what depends on the size of an image.
FARTHER = ((64, 96), (4096, 6144))


@dataclass
class Written:
    """A model as operators, and what a file says of its ends.

    Attributes
    ----------
    operations : Operations
    dtype : dtype
        Of the weights and the outputs.
    input_dtype : dtype
    input_text : str
        What the input is, in words.
    outputs : dict of str to tuple of int or None
        The shape of one image's output, by name.
    """

    operations: Operations
    dtype: np.dtype[Any]
    input_dtype: np.dtype[Any]
    input_text: str
    outputs: dict[str, Sizes]


def written(
    model: Layer,
    shape: Shape,
    opset: int,
    *,
    dynamic: bool = False,
    softmax: bool = False,
    pixels: Pixels | None = None,
) -> Written:
    """Return ``model`` in evaluation mode as operators.

    Parameters
    ----------
    model : Layer
    shape : tuple of int
        Of one image, (C, H, W).
    opset : int
    dynamic : bool
        Whether rows and columns are known only when the network runs.
    softmax : bool
        Append the softmax over the classes.
    pixels : {"uint8", "float32"}, optional
        Begin with numbers from 0 to 255, divided by 255.

    Raises
    ------
    ArgumentError, ShapeError
        If layers cannot be written, all of them at once; if the images do not fit.
    """
    nodes = walk.flattened(model)
    found = _writers(nodes)
    examples, sizes = _shapes(nodes, shape, dynamic)
    dtype = _dtype(model)
    sheet = Sheet(opset, dtype, {id(buffer): key for key, buffer in model.buffers().items()})
    given = sheet.unique("images" if pixels is None else "pixels")
    names = {0: _begin(sheet, given, pixels)}
    refused: Refusals = []
    for made, (node, write) in enumerate(zip(nodes, found, strict=True), 1):
        inputs = [Value(names[k], sizes[k], examples[k]) for k in node.reads]
        names[made] = _write(sheet, node, write, inputs, refused)
    _require_written(refused, opset)
    ends = walk.output_values(model)
    if softmax:
        (k,) = ends
        sheet.at("")
        names[k] = written_softmax(sheet, names[k], 1, 1 + len(sizes[k]))
    wanted = model.output_names or ("probabilities" if softmax else "scores",)
    called = _ends(sheet, wanted, [names[k] for k in ends])
    outputs = {name: sizes[k] for name, k in zip(called, ends, strict=True)}
    operations = Operations(
        sheet.operations,
        {given: ("N", *(_axis(k, size) for k, size in enumerate(sizes[0])))},
        [*outputs],
        sheet.constants,
        opset,
    )
    kind = dtype if pixels is None else np.dtype(pixels)
    return Written(operations, dtype, kind, _input_text(model, pixels), outputs)


# The nodes ----------------------------------------------------------------------------------------


def _writers(nodes: Sequence[walk.Node]) -> list[LayerWriter]:
    """Return what writes each node.

    Raises
    ------
    ArgumentError
        If nothing writes some of them.
    """
    found = [writer_of(node.layer) for node in nodes]
    unknown = [_told(node) for node, write in zip(nodes, found, strict=True) if write is None]
    if unknown:
        raise ArgumentError(
            f"has no ONNX operators for {_few(unknown)}. Register a function that writes them: "
            "`@pellucid.formats.onnx.writing.writes(MyLayer)`, see its docstring. A subclass with "
            "a `forward` of its own needs one too.",
            where="to_onnx",
        )
    return [write for write in found if write is not None]


def _write(
    sheet: Sheet,
    node: walk.Node,
    write: LayerWriter,
    inputs: list[Value],
    refused: Refusals,
) -> str:
    """Write one node, and return the name of its value: its path."""
    sheet.at(node.name)
    before = len(sheet.operations)
    try:
        name = write(sheet, node.layer, *inputs)
    except UnwritableError as reason:
        refused.append((_told(node), reason))
        return sheet.unique("refused")
    own = any(name in operation.outputs for operation in sheet.operations[before:])
    if own and node.name:
        path = sheet.unique(node.name)
        sheet.rename(name, path)
        return path
    return name


def _require_written(refused: Refusals, opset: int) -> None:
    """Refuse a network of which layers could not be written, naming all of them."""
    if not refused:
        return
    least = max(reason.opset for _, reason in refused)
    sized = any(not reason.opset for _, reason in refused)
    advice = ["Use {opset}, or a newer one."] * bool(least)
    advice += ["Give one size ({size})."] * sized
    raise ArgumentError(
        f"cannot express in opset {opset}: {_few([f'{who}: {why}' for who, why in refused], '; ')}."
        f" {' '.join(advice)}",
        where="to_onnx",
        arguments={"opset": least, "size": ...},
    )


def _told(node: walk.Node) -> str:
    kind = type(node.layer).__name__
    return f"{kind} '{shown(node.name)}'" if node.name else kind


def _few(names: list[str], between: str = ", ") -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return between.join(names[:MOST]) + more


# The ends -----------------------------------------------------------------------------------------


def _begin(sheet: Sheet, given: str, pixels: Pixels | None) -> str:
    """Write the conversion of pixels, and return the name of the network's own input."""
    if pixels is None:
        return given
    sheet.at("pixels")
    name = given
    if np.dtype(pixels) != sheet.dtype:
        name = sheet.op("Cast", name, to=sheet.dtype)
    return sheet.op("Div", name, sheet.number(BRIGHTEST, "brightest"))


def _ends(sheet: Sheet, wanted: Sequence[str], values: Sequence[str]) -> list[str]:
    """Call the values that the network returns by the names ``wanted``; return their names."""
    sheet.at("")
    made = {name for operation in sheet.operations for name in operation.outputs}
    found = []
    for name, value in zip(wanted, values, strict=True):
        if value != name:
            # An output is made by an operator, and has one name.
            free = value in made and values.count(value) == 1 and value not in wanted
            old, name = value if free else sheet.op("Identity", value), sheet.unique(name)
            sheet.rename(old, name)
        found.append(name)
    return found


def _axis(k: int, size: int | None) -> int | str:
    return size if size is not None else ("C", "H", "W")[k]


def _input_text(model: Layer, pixels: Pixels | None) -> str:
    if pixels is not None:
        return "images (N, C, H, W), pixels from 0 to 255"
    known = model.card.value_range if model.card is not None else None
    low, high = known or (0.0, 1.0)
    return f"images (N, C, H, W), numbers from {low:g} to {high:g}"


# Types and shapes ---------------------------------------------------------------------------------


def _dtype(model: Layer) -> np.dtype[Any]:
    kinds = [buffer.data.dtype for buffer in model.buffers().values()]
    floats = [kind for kind in kinds if kind.kind == "f"]
    return np.result_type(*floats) if floats else np.dtype(np.float32)


def _shapes(
    nodes: Sequence[walk.Node], shape: Shape, dynamic: bool
) -> tuple[list[Shape], list[Sizes]]:
    """Return each value's shape for one image, and again with None for what depends on its size."""
    examples = _made(nodes, shape)
    if not dynamic:
        return examples, [*examples]
    c, h, w = shape
    others = []
    for more_rows, more_columns in FARTHER:
        size = c, h + more_rows, w + more_columns
        try:
            others.append(_made(nodes, size))
        except ShapeError as error:
            error.message += (
                f" (For images of {shape_text(size[1:])}: {{size}} needs layers that take any "
                "size.) Give one size, or build the network with `GlobalAvgPool2d` before its last "
                "layers; `nn.to_convolutional` makes one of a fixed size slide over larger images."
            )
            error.arguments["size"] = ("size", "dynamic")
            raise
    sizes = [
        tuple(a if a == b == c else None for a, b, c in zip(*each, strict=True))
        for each in zip(examples, *others, strict=True)
    ]
    return examples, sizes


def _made(nodes: Sequence[walk.Node], shape: Shape) -> list[Shape]:
    return [tuple(shape), *(tuple(out) for _, _, out in walk.shapes(nodes, shape))]
