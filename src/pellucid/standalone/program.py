"""A model as a program: a line for each layer, and the weights by their keys."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError
from ..names import shown
from ..nn import Layer, walk
from ..nn.parameter import Buffer
from ..preparation import Preparation
from ..typing import Array, Shape
from . import layers
from .calls import Call, translation_of
from .script.functions import FUNCTIONS

__all__ = ["Line", "Program", "program_of"]

TRANSLATORS = layers.__all__  # the import registers them
MOST = 20  # layers that an error names


class Line(NamedTuple):
    """A call that makes a value.

    Attributes
    ----------
    path : str
        Of the layer; that of its container for a join without a name.
    kind : str
        The layer's class.
    function : str
    reads : tuple of int
        The numbers of the values: 0 is the images, k the value of line k.
    keys : dict of str to str
        Of the arrays that follow the values, by the names of the function's arguments.
    options : dict
        Without those that are the function's defaults.
    shape : tuple of int
        Of one image's value.
    """

    path: str
    kind: str
    function: str
    reads: tuple[int, ...]
    keys: dict[str, str]
    options: dict[str, Any]
    shape: Shape


class Program(NamedTuple):
    """A model in evaluation mode, and what is known of its images.

    Attributes
    ----------
    lines : list of Line
    outputs : tuple of int
        The numbers of the values that it returns.
    names : tuple of str or None
        Of several outputs.
    weights : dict of str to float32 array, or int8 of quantized layers
    shape : (C, H, W)
        Of one image; of other numbers, any shape.
    classes : tuple of str or None
        For each number of the output; None if it is not a row of numbers.
    preparation : Preparation or None
        None if the inputs are not pictures.
    value_range : (float, float)
        Of the images' numbers.
    values : tuple of int
        For each value of `pellucid.nn.walk.flattened`, the number of the one here: a layer that
        does nothing in evaluation has no line.
    """

    lines: list[Line]
    outputs: tuple[int, ...]
    names: tuple[str, ...] | None
    weights: dict[str, Array]
    shape: Shape
    classes: tuple[str, ...] | None
    preparation: Preparation | None
    value_range: tuple[float, float]
    values: tuple[int, ...]

    def last_readers(self) -> dict[int, int]:
        """Return the number of the last line that reads each value."""
        found = {k: made for made, line in enumerate(self.lines, 1) for k in line.reads}
        return found | dict.fromkeys(self.outputs, len(self.lines) + 1)


def program_of(model: Layer, where: str, input_shape: Shape | None = None) -> Program:
    """Return ``model`` as a program.

    Raises
    ------
    ArgumentError
        If nothing is registered for some of the layers, all of them at once; if ``model`` is not a
        model, or does not say which images it takes.
    ShapeError
        If the images do not fit.
    """
    if not isinstance(model, Layer):
        raise ArgumentError(f"expects a model, received {model!r}.", where=where)
    shape = model.input_shape if input_shape is None else tuple(input_shape)
    if shape is None:
        raise ArgumentError(
            "the model does not say which images it takes. Add {input_shape}.",
            where="input_shape",
            arguments={"input_shape": (3, 224, 224)},
        )
    nodes = walk.flattened(model)
    _require_known(nodes, where)
    weights = _Weights(model)
    lines: list[Line] = []
    value = {0: 0}  # of the program, for each value of the graph
    for made, (node, read, made_shape) in enumerate(walk.shapes(nodes, shape), 1):
        translate = translation_of(node.layer)
        call = translate(node.layer, *read) if translate else None
        if call is None:
            value[made] = value[node.reads[0]]
            continue
        keys = {
            name: weights.key(node.name, name, array)
            for name, array in call.arrays.items()
            if array is not None
        }
        reads = tuple(value[k] for k in node.reads)
        out = tuple(map(int, made_shape))
        kind = type(node.layer).__name__
        options = _told(call)
        lines.append(Line(node.name, kind, call.function, reads, keys, options, out))
        value[made] = len(lines)
    ends = tuple(value[k] for k in walk.output_values(model))
    return Program(
        lines, ends, model.output_names, weights.arrays, shape,
        _classes(model, shape), _preparation(model, shape), _value_range(model),
        tuple(value[k] for k in range(len(nodes) + 1)),
    )  # fmt: skip


def _told(call: Call) -> dict[str, Any]:
    """Return the options that are not the function's own."""
    function = FUNCTIONS.get(call.function)  # or an operator, without options
    known = inspect.signature(function).parameters if function else {}
    options = {name: _plain(option) for name, option in call.options.items()}
    return {name: v for name, v in options.items() if v != known[name].default}


def _plain(option: Any) -> Any:
    """Return numbers of NumPy as Python's."""
    if isinstance(option, tuple | list):
        return tuple(map(_plain, option))
    return option.item() if isinstance(option, np.generic) else option


class _Weights:
    """Collects arrays by their keys: those of the state dict, and others beside them."""

    def __init__(self, model: Layer) -> None:
        self.arrays: dict[str, Array] = {}
        self._known = {id(buffer): key for key, buffer in model.buffers().items()}

    def key(self, path: str, name: str, array: Buffer | Array) -> str:
        """Keep an array, and return its key."""
        known = isinstance(array, Buffer)
        key = self._known[id(array)] if known else walk.path_of(path, name)
        data = array.data if isinstance(array, Buffer) else array
        dtype = np.int8 if data.dtype == np.int8 else np.float32
        self.arrays[key] = np.ascontiguousarray(data, dtype=dtype)
        return key


def _require_known(nodes: Sequence[walk.Node], where: str) -> None:
    unknown = [
        f"{type(node.layer).__name__} '{shown(node.name)}'"
        for node in nodes
        if translation_of(node.layer) is None
    ]
    if unknown:
        more = f" and {len(unknown) - MOST} more" if len(unknown) > MOST else ""
        raise ArgumentError(
            f"has no function for {', '.join(unknown[:MOST])}{more}. Register one: "
            "`@pellucid.standalone.becomes(MyLayer)`, see its docstring. A subclass with a "
            "`forward` of its own needs one too.",
            where=where,
        )


def _classes(model: Layer, shape: Shape) -> tuple[str, ...] | None:
    if model.output_names is not None:
        return None
    out = model.output_shape(shape)
    if len(out) != 1:
        return None
    known = model.card.classes if model.card is not None else ()
    return tuple(known) if len(known) == out[0] else tuple(map(str, range(out[0])))


def _preparation(model: Layer, shape: Shape) -> Preparation | None:
    if len(shape) != 3 or shape[0] not in (1, 3):
        return None
    known = model.card.preparation if model.card is not None else None
    if known is not None and known.image_shape == shape:
        return known
    return Preparation.of_shape(shape)


def _value_range(model: Layer) -> tuple[float, float]:
    known = model.card.value_range if model.card is not None else None
    return (0.0, 1.0) if known is None else (float(known[0]), float(known[1]))
