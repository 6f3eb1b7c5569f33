"""One call of a traced module while it is said in ONNX's operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ....typing import Array, Shape
from ...onnx.importing.registry import Unsupported
from .values import MIXES, Fixed, Images, Layout, layout_of

if TYPE_CHECKING:
    from .translation import Translation

__all__ = ["Call"]


class Call:
    """What a translator sees of a call, and adds to the operations.

    Attributes
    ----------
    node : torch.fx.Node
    arguments : dict of str to value
        By the names of the function's schema, defaults included: `Images`, `Fixed`, numbers, lists.
    path : str
        The submodule that calls: "layer1.0.relu".
    """

    def __init__(
        self, node: Any, arguments: dict[str, Any], path: str, translation: Translation
    ) -> None:
        self.node, self.arguments, self.path = node, arguments, path
        self._translation = translation

    # Arguments ------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Any:
        """Return an argument; None if the function has none of this name."""
        return self.arguments.get(name)

    @property
    def overload(self) -> str:
        """The variant of the function: "Tensor"."""
        return str(self.node.target).rpartition(".")[2]

    def images(self, name: str) -> Images:
        """Return an argument that depends on the images."""
        value = self.arguments.get(name)
        if not isinstance(value, Images):
            raise Unsupported(f"its {name} does not depend on the images")
        return value

    def batch(self, name: str) -> Images:
        """Return an argument whose first axis is N, as windows and norms need it."""
        x = self.images(name)
        if x.layout.axis or x.layout.several:
            shape = f"N as axis {x.layout.axis}" if x.layout.plain else "parts of images as N"
            raise Unsupported(f"its {name} has {shape}; images (N, C, ...) are needed")
        return x

    def fixed(self, name: str) -> Fixed | None:
        """Return a weight; None if it is left out."""
        value = self.arguments.get(name)
        if value is not None and not isinstance(value, Fixed):
            raise Unsupported(f"its {name} is computed from the images, where a weight is needed")
        return value

    # Results --------------------------------------------------------------------------------

    def layout(self, k: int | None = None) -> Layout:
        """Return the layout of the call's value, or of value ``k`` of several."""
        made = self.node.meta["val"]
        layout = layout_of((made if k is None else made[k]).shape)
        if layout is None:
            raise Unsupported(f"what it makes is the same for all images: {MIXES}")
        if layout.plain:
            return layout
        for value in self.arguments.values():
            if isinstance(value, Images) and math.prod(value.layout.parts) == layout.parts[0]:
                inner = value.sizes[value.layout.axis] if value.layout.several else 1
                return layout.split(inner * math.prod(layout.sizes[layout.dim + 1 :]))
        return layout

    def made(self, name: str, k: int | None = None) -> Images:
        """Return the call's value, or value ``k`` of several, under its name."""
        return Images(name, self.layout(k))

    def emit(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add an operation; return the name of what it makes."""
        return self._translation.emit(self, op, inputs, 1, domain, attributes)[0]

    def emit_several(self, op: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add an operation that makes ``count`` values; return their names."""
        return self._translation.emit(self, op, inputs, count, "", attributes)

    def constant(self, value: Any) -> str:
        """Return the name of a constant: a number, an array, or a `Fixed` with its own name."""
        if isinstance(value, Fixed):
            return self._translation.fixed(value)
        array = np.asarray(value, dtype=np.float32 if isinstance(value, float) else None)
        return self._translation.constant(array)

    def integers(self, values: Sequence[int]) -> str:
        """Return the name of a constant of integers, as axes and shapes are."""
        return self._translation.constant(np.array(values, dtype=np.int64))

    def weight(self, name: str, array: Array) -> str:
        """Return the name of a weight that the module leaves out, as a norm without one."""
        return self._translation.weight(f"{self.path}.{name}" if self.path else name, array)

    # Shapes ---------------------------------------------------------------------------------

    def shaped(self, name: str, sizes: Shape) -> str:
        """Give each image the shape ``sizes``; return the value's name."""
        return self.emit("Reshape", name, self.integers([0, *sizes]))

    def reshaped(self, x: Images, to: Layout) -> Images:
        """Give a value another layout with the same numbers in the same order."""
        to = to.split(x.layout.after)
        if x.layout.after != to.after or math.prod(x.sizes) != math.prod(to.sizes):
            raise Unsupported(MIXES)
        return Images(x.name if x.sizes == to.sizes else self.shaped(x.name, to.sizes), to)

    def operand(self, value: Any, to: Layout) -> str:
        """Return the name of what broadcasts with a value of layout ``to``, as PyTorch does it."""
        if isinstance(value, Images):
            missing = to.rank - value.layout.rank
            if not value.layout.meets(to, missing):
                raise Unsupported(f"the axes of its images do not meet: {MIXES}")
            return self.shaped(value.name, (1,) * missing + value.sizes) if missing else value.name
        if isinstance(value, Fixed):
            return self.constant(_without_images(value.of_one_image(), to))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unsupported(f"it computes with {value}, which is not a number")
        return self.constant(float(value))


def _without_images(value: Fixed, to: Layout) -> Fixed:
    """Return a tensor without the axis of the images, whose length is 1."""
    tensor = value.tensor
    k = to.dim - to.rank + tensor.ndim  # the axis of the images in it
    if k < 0:
        return value
    if tensor.shape[k] != 1:
        raise Unsupported(f"a tensor of shape {tuple(tensor.shape)} differs from image to image")
    if len(to.parts) == 1:
        return value
    if to.parts:
        return replace(value, tensor=tensor.unsqueeze(k))
    return replace(value, tensor=tensor.squeeze(k))
