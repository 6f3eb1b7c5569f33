"""Convert operations to a graph: constants are computed, everything else becomes layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ....errors import PellucidError
from ....nn import Graph, Layer
from ....nn.init import without_values
from ....typing import Array, Shape
from ..operations import Operation, Operations
from . import converters
from .folding import FOLDS, UNFIT, fold, shape_slice
from .names import Names
from .node import Reading, refused
from .refusal import Refused, refusal
from .registry import CONVERTERS, Unsupported
from .values import LARGEST, Image, Known, Unknown, Value

__all__ = ["Builder"]

converters.load()


class Builder:
    """The graph while it grows, and what is known of each value.

    Parameters
    ----------
    operations : Operations
        In order, with one input.
    shape : tuple of int
        The input's shape, without N.
    batch : int or None
        The number of images that the file was written for; None for any.
    """

    def __init__(self, operations: Operations, shape: Shape, batch: int | None) -> None:
        self.opset = operations.opset
        self.batch = batch
        self._operations = operations
        (self._input,) = operations.inputs
        self._names = Names(operations)
        self._graph_input = self._names.of_value(self._input)
        self._values: dict[str, Value] = {self._input: Image(self._graph_input, tuple(shape))}
        weights = operations.constants.items()
        self._values |= {
            name: Known.of(array, trainable=array.dtype.kind == "f", name=name)
            for name, array in weights
        }
        self._read = {name for op in operations.operations for name in op.inputs}
        self._read |= set(operations.outputs)
        self._nodes: dict[str, tuple[Any, ...]] = {}
        self._refused: list[Refused] = []
        self._computed = 0

    def build(self) -> Graph:
        """Return the graph.

        Raises
        ------
        ArgumentError
            If nodes cannot be converted: all of them.
        """
        with without_values():  # whose values come from the file
            for operation in self._operations.operations:
                self._place(operation)
        if self._refused:
            raise refusal(self._refused)
        ends: list[str] = []
        for name in self._operations.outputs:
            ends.append(self._end(name, ends))
        output = ends[0] if len(ends) == 1 else tuple(ends)
        nodes = _needed(self._nodes, ends)
        return Graph(nodes, output=output, input=self._graph_input)

    def add(
        self,
        layer: Layer,
        images: Sequence[Image],
        operation: Operation,
        inputs: Sequence[Value | None],
        part: str = "",
    ) -> Image:
        """Add a node to the graph; return what it makes."""
        try:
            shape = tuple(layer.output_shape(*(image.shape for image in images)))
        except PellucidError as error:
            raise refused(error) from None
        name = self._names.of_layer(operation, inputs, part)
        self._nodes[name] = (layer, *(image.node for image in images))
        return Image(name, shape)

    def is_read(self, name: str) -> bool:
        """Return whether a node or the network's outputs read a value."""
        return bool(name) and name in self._read

    def _place(self, operation: Operation) -> None:
        inputs = [self._values[name] if name else None for name in operation.inputs]
        try:
            made = self._made(operation, inputs)
        except Unsupported as error:
            self._refused.append(Refused(operation, error.message, error.advice))
            made = []
        except PellucidError as error:  # of a layer's constructor
            self._refused.append(Refused(operation, refused(error).message, ""))
            made = []
        except UNFIT as error:  # a file may give an attribute of any kind, or none
            reason = f"its inputs or attributes do not fit the operator: {error}"
            self._refused.append(Refused(operation, reason, ""))
            made = []
        for k, name in enumerate(operation.outputs):
            value = made[k] if k < len(made) else None
            self._values[name] = Unknown() if value is None else value

    def _made(self, operation: Operation, inputs: list[Value | None]) -> Sequence[Value | None]:
        converter = CONVERTERS.get((operation.domain, operation.op))
        if any(isinstance(value, Unknown) for value in inputs):
            if converter is None and operation.op not in FOLDS:
                raise _unknown(operation)
            return []
        known = [value for value in inputs if isinstance(value, Known)]
        own = not operation.domain
        if own and len(known) == sum(value is not None for value in inputs):
            return self._folded(operation, [v if isinstance(v, Known) else None for v in inputs])
        if own and operation.op in ("Shape", "Size"):
            return self._sizes(operation, inputs)
        if converter is None:
            raise _unknown(operation)
        node = Reading(operation, inputs, self)
        made = converter(node)
        node.require_all_read()
        return made if isinstance(made, list) else [made]

    def _folded(self, operation: Operation, inputs: list[Known | None]) -> list[Known]:
        if operation.op == "Constant":
            return [_constant(operation)]
        made = fold(operation.op, operation.attributes, inputs)
        self._computed += sum(_memory(each) for each in made)
        if self._computed > 2 * LARGEST:
            raise Unsupported(
                f"the constants that the file computes have more than {2 * LARGEST:,} numbers"
            )
        return made

    def _sizes(self, operation: Operation, inputs: Sequence[Value | None]) -> list[Known]:
        (image,) = inputs
        assert isinstance(image, Image)
        dims = image.dims()
        first, second = dims.arrays
        if operation.op == "Size":
            return [Known((first.prod(), second.prod()))]
        attributes = operation.attributes
        return [Known((shape_slice(first, attributes), shape_slice(second, attributes)))]

    def _end(self, name: str, others: Sequence[str]) -> str:
        """Return the node that makes an output of the network, and none of the ``others``."""
        value = self._values[name]
        if isinstance(value, Known):
            reason = "does not depend on the images"
        elif not isinstance(value, Image):
            reason = "is not computed"
        elif value.merged:
            reason = "has the images and another axis as one"
        elif value.place:
            reason = f"has the images along axis {value.place}; they must be the first axis"
        elif value.node == self._graph_input or value.node in others:
            from ....nn import Reshape  # the identity, as a graph has at least one node

            node = self._names.of_value(name)
            self._nodes[node] = (Reshape(value.shape), value.node)
            return node
        else:
            return value.node
        operation = Operation("output", (), (name,))
        raise refusal([Refused(operation, f"it {reason}", "")])


def _needed(nodes: Mapping[str, tuple[Any, ...]], ends: Sequence[str]) -> dict[str, Any]:
    """Return the nodes that lead to ``ends``, in their order."""
    needed = set(ends)
    for name in reversed(list(nodes)):
        if name in needed:
            needed.update(nodes[name][1:])
    return {name: entry for name, entry in nodes.items() if name in needed}


def _constant(operation: Operation) -> Known:
    """Return the value of a node Constant, whichever of its attributes has it."""
    import numpy as np

    for name, dtype in (
        ("value", None),
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in operation.attributes:
            array: Array = np.asarray(operation.attributes[name], dtype=dtype)
            if array.dtype.kind in "fiub":
                return Known.of(array)
    given = ", ".join(operation.attributes) or "nothing"
    raise Unsupported(f"a constant of {given}; a dense array of real numbers is read")


def _memory(value: Known) -> int:
    """Return how many numbers a computed value holds; a broadcast one holds few."""
    first, second = value.arrays
    arrays = [first] if first is second else [first, second]
    return sum(0 if 0 in array.strides and array.size > 1 else array.size for array in arrays)


def _unknown(operation: Operation) -> Unsupported:
    if operation.domain:
        return Unsupported(
            f"the operator is of the domain {operation.domain}, not one of ONNX's own",
            "Export the network without it, or add a converter: "
            "pellucid.formats.onnx.importing.reads"
            f"({operation.op!r}, domain={operation.domain!r}).",
        )
    return Unsupported("the operator is unknown", converters.ADVICE.get(operation.op, ""))
