"""One node while it is converted: its inputs and attributes, and the layers it becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import PellucidError
from ....nn import Layer
from ....nn.parameter import Buffer
from ....typing import Array
from ..operations import Operation
from .registry import Unsupported
from .values import BATCHES, Image, Known, Value

if TYPE_CHECKING:
    from .builder import Builder

__all__ = ["MIXES", "N", "Reading", "holding", "refused"]

N = "N"  # the number of images, in sizes that contain it
MIXES = "it mixes the numbers of several images"


class Reading:
    """What a converter sees of a node, and adds to the graph.

    A converter asks for every attribute that the operator has: one that it never asks for is
    refused, as its meaning would be ignored.

    Attributes
    ----------
    operation : Operation
    opset : int
        The version of ONNX's operators.
    batch : int or None
        The number of images that the file was written for; None if it takes any.
    """

    def __init__(self, operation: Operation, inputs: list[Value | None], builder: Builder) -> None:
        self.operation = operation
        self.inputs = inputs
        self.opset = builder.opset
        self.batch = builder.batch
        self._builder = builder
        self._asked: set[str] = set()

    # Inputs ---------------------------------------------------------------------------------

    def given(self, k: int) -> bool:
        """Return whether the node has an input ``k``, counted from 0."""
        return k < len(self.inputs) and self.inputs[k] is not None

    def value(self, k: int, *, moved: bool = False, merged: bool = False) -> Image | Known:
        """Return an input.

        N is the first axis of one that depends on the images, unless it may be ``moved``, and
        alone, unless it may be ``merged``.
        """
        value = self.inputs[k] if k < len(self.inputs) else None
        if not isinstance(value, Image | Known):
            raise Unsupported(f"it has no input {k + 1}")
        if isinstance(value, Known):
            return value
        if value.place and not moved:
            raise Unsupported(
                f"{self._called(k)} has the images along axis {value.place}, where a transposition "
                "has put them; they must be the first axis here",
                "Let batches be the first axis (batch_first=True), and export again.",
            )
        if value.merged and not merged:
            raise Unsupported(
                f"{self._called(k)} has N and an axis of {value.shape[0]} as one: {MIXES}"
            )
        return value

    def image(self, k: int = 0, *, moved: bool = False, merged: bool = False) -> Image:
        """Return an input that depends on the images; see `value`."""
        value = self.value(k, moved=moved, merged=merged)
        if isinstance(value, Known):
            raise Unsupported(f"{self._called(k)} is a constant, where images are needed")
        return value

    def weight(self, k: int) -> Known:
        """Return an input that is known, with its place in the file."""
        value = self.value(k, moved=True, merged=True)
        if isinstance(value, Image):
            raise Unsupported(
                f"{self._called(k)} is computed from the images, where a constant is needed",
                "If it is an input of the network, give its array: values={name: array}.",
            )
        value = value.one_of_each()
        if not value.fixed:
            raise Unsupported(f"{self._called(k)} depends on the number of images")
        return value

    def known(self, k: int) -> Array | None:
        """Return the array of an input that is known; None if it is left out."""
        return self.weight(k).array if self.given(k) else None

    def number(self, k: int, default: float | None = None) -> float | None:
        """Return an input that is one known number."""
        array = self.known(k)
        if array is None:
            return default
        if array.size != 1:
            raise Unsupported(f"{self._called(k)} has the shape {array.shape}; one number is read")
        return float(array.ravel()[0])

    def sizes(self, k: int) -> list[int | str]:
        """Return the entries of an input that is a shape: numbers, and `N`."""
        entries: list[int | str] = []
        for number, times in self.multiples(k):
            if times not in (0, 1):
                raise Unsupported(f"{self._called(k)} has the entry {times}·N: {MIXES}")
            entries.append(N if times else number)
        return entries

    def multiples(self, k: int) -> list[tuple[int, int]]:
        """Return the entries of an input that is a shape: (number, 0), or (0, multiple of N)."""
        value = self.value(k, moved=True, merged=True)
        if isinstance(value, Image):
            raise Unsupported(
                f"{self._called(k)} is computed from the images' numbers, where a shape is needed"
            )
        first, second = (np.ravel(array) for array in value.arrays)
        if first.shape != second.shape:
            raise Unsupported(f"{self._called(k)} has a length that depends on N")
        entries = []
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            times, rest = divmod(a, BATCHES[0])
            if a != b and (rest or b != times * BATCHES[1]):
                raise Unsupported(
                    f"{self._called(k)} has an entry that is {a:g} for {BATCHES[0]} images and "
                    f"{b:g} for {BATCHES[1]}: {MIXES}"
                )
            entries.append((int(a), 0) if a == b else (0, int(times)))
        return entries

    # Attributes -----------------------------------------------------------------------------

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or ``default``."""
        self._asked.add(name)
        return self.operation.attributes.get(name, default)

    def integers(self, name: str, default: Any = None) -> Any:
        """Return an attribute as a tuple of integers, or ``default``."""
        value = self.attribute(name)
        return default if value is None else tuple(int(v) for v in np.ravel(value))

    def require(self, name: str, default: Any, *allowed: Any) -> Any:
        """Return an attribute that may be ``default`` or one of ``allowed``; refuse others."""
        value = self.attribute(name, default)
        if value not in (default, *allowed):
            known = " or ".join(map(repr, (default, *allowed)))
            raise Unsupported(f"its attribute {name} is {value!r}; {known} is read")
        return value

    def axes(self, k: int, rank: int, place: int = 0) -> tuple[int, ...] | None:
        """Return axes given as the attribute ``axes``, or since some opset as input ``k``."""
        given = self.integers("axes")
        array = self.known(k)
        wanted = given if array is None else tuple(int(a) for a in np.ravel(array))
        return None if wanted is None else tuple(self.axis(a, rank, place) for a in wanted)

    def axis(self, axis: int, rank: int, place: int = 0) -> int:
        """Return an axis of the file as that of a layer, with N first; refuse that of the images.

        ``place`` is N's axis in the file.
        """
        axis = self.place(axis, rank)
        if axis == place:
            raise Unsupported(
                f"it acts along axis {axis}, that of the images: each image is computed by itself "
                "here"
            )
        return axis + (axis < place)

    def place(self, axis: int, rank: int) -> int:
        """Return an axis of the file counted from 0; refuse one that ``rank`` axes do not have."""
        if not -rank <= axis < rank:
            raise Unsupported(f"it has the axis {axis} of {rank} axes")
        return axis % rank

    # Results --------------------------------------------------------------------------------

    def add(self, layer: Layer, *images: Image, part: str = "") -> Image:
        """Add a layer that reads ``images`` to the graph; return what it makes.

        ``part`` is the end of the layer's name, if the node becomes several.
        """
        return self._builder.add(layer, images, self.operation, self.inputs, part)

    def single_output(self) -> None:
        """Refuse a node whose further outputs are used."""
        used = [name for name in self.operation.outputs[1:] if self._builder.is_read(name)]
        if used:
            raise Unsupported(f"its output {used[0]!r} is used; only the first output is computed")

    def require_all_read(self) -> None:
        """Refuse attributes that the converter does not know."""
        unread = sorted(set(self.operation.attributes) - self._asked)
        if unread:
            raise Unsupported(f"its attribute {unread[0]} is unknown")

    def _called(self, k: int) -> str:
        return f"input {k + 1} ({self.operation.inputs[k]!r})"


def holding(layer: Layer, **arrays: Array | Known | None) -> Layer:
    """Return a layer with its parameters and buffers set to ``arrays``, in float32.

    Raises
    ------
    Unsupported
        If a shape does not fit.
    """
    for name, value in arrays.items():
        if value is None:
            continue
        array = value.array if isinstance(value, Known) else value
        buffer: Buffer = getattr(layer, name)
        if array.dtype.kind not in "fiub":
            raise Unsupported(f"its {name} is {array.dtype}; real numbers are read")
        if array.shape != buffer.data.shape:
            raise Unsupported(
                f"its {name} has the shape {array.shape}; {buffer.data.shape} is needed"
            )
        buffer.data = np.array(array, dtype=buffer.data.dtype, order="C")
    return layer


def refused(error: PellucidError) -> Unsupported:
    """Return an error of a layer as the reason why its node cannot be converted."""
    return Unsupported(str(error).rstrip("."))
