"""What is known of a value while a traced module becomes operations.

A value is either `Images`, which depends on the module's input, or `Fixed`: a weight, a buffer, or
what the module computes from them. A module may put the number of images N at any axis, and may
treat the k parts of each image as N·k images, as networks with windows do. In the operations N is
always the first axis, and the k parts are an axis of each image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ....typing import Shape
from ...onnx.importing.registry import Unsupported

__all__ = ["BATCH", "MIXES", "Fixed", "Images", "Layout", "layout_of"]

BATCH = 2  # images at which tensors are computed
MIXES = "it mixes the numbers of several images: each image is computed by itself here"


class Layout(NamedTuple):
    """The shape of a value in the module.

    Attributes
    ----------
    sizes : tuple of int
        Of one image, in the module's order.
    axis : int
        How many of them are before N.
    before, several : bool
        Whether the module's axis of N is longer: k·N with k the size before it, N·k with k the size
        after it, or both.
    """

    sizes: Shape
    axis: int = 0
    before: bool = False
    several: bool = False

    @property
    def rank(self) -> int:
        """The number of axes in the module."""
        return len(self.sizes) + 1 - self.before - self.several

    @property
    def dim(self) -> int:
        """The module's axis of N."""
        return self.axis - self.before

    @property
    def plain(self) -> bool:
        """Whether N alone is an axis."""
        return not self.before and not self.several

    @property
    def parts(self) -> Shape:
        """The sizes that share the module's axis with N."""
        return self.sizes[self.dim : self.axis + self.several]

    @property
    def after(self) -> int:
        """How many numbers follow one another for one image."""
        return math.prod(self.sizes[self.axis :])

    def place(self, dim: int) -> int:
        """Return where an axis of the module is among `sizes`; refuse that of the images."""
        if not -self.rank <= dim < self.rank:
            raise Unsupported(f"it has the axis {dim} of {self.rank} axes")
        dim %= self.rank
        if dim == self.dim:
            raise Unsupported(f"it acts along axis {dim}, that of the images: {MIXES}")
        return dim if dim < self.dim else dim - 1 + self.before + self.several

    def meets(self, other: Layout, missing: int = 0) -> bool:
        """Return whether both have N at one place, after ``missing`` axes more in front of this."""
        mine = (self.dim + missing, self.before, self.several, self.parts)
        return mine == (other.dim, other.before, other.several, other.parts)

    def split(self, after: int) -> Layout:
        """Return the layout of which each image has ``after`` numbers in a row, of the same shape.

        A traced shape does not say how the parts of N's axis lie around N.
        """
        if self.plain:
            return self
        rest = math.prod(self.sizes[self.dim + 1 :])
        (k,) = self.sizes[self.dim : self.dim + 1]
        inner = after // rest if rest and after % rest == 0 else 0
        if not inner or k % inner:
            raise Unsupported(MIXES)
        parts = [size for size in (k // inner, inner) if size > 1]
        sizes = (*self.sizes[: self.dim], *parts, *self.sizes[self.dim + 1 :])
        return Layout(sizes, self.dim + (inner < k), inner < k, inner > 1)


@dataclass(frozen=True)
class Images:
    """A value with one entry for each image.

    Attributes
    ----------
    name : str
        Of the value (N, *layout.sizes) in the operations.
    layout : Layout
    """

    name: str
    layout: Layout

    @property
    def sizes(self) -> Shape:
        """The shape of one image."""
        return self.layout.sizes

    def at(self, dim: int) -> int:
        """Return an axis of the module as one of the operations, where N is axis 0."""
        return 1 + self.layout.place(dim)

    def with_name(self, name: str) -> Images:
        """Return a value of the same layout."""
        return replace(self, name=name)


@dataclass(frozen=True)
class Fixed:
    """A tensor that does not depend on the images.

    Attributes
    ----------
    tensor : torch.Tensor
        At `BATCH` images, where the module makes one of their number.
    name : str
        The key of the parameter or buffer; "" of a computed one.
    trainable : bool
        Whether it is a parameter, or a rearranged one.
    layout : Layout, optional
        Where N is in its shape; None if it is not.
    """

    tensor: Any
    name: str = ""
    trainable: bool = False
    layout: Layout | None = None

    def of_one_image(self) -> Fixed:
        """Return a tensor with length 1 where N is."""
        if self.layout is None:
            return self
        one = self.tensor.narrow(self.layout.dim, 0, 1)
        if not self.layout.plain or not (self.tensor == one).all():
            raise Unsupported("it makes a tensor that differs from image to image")
        return replace(self, tensor=one, layout=None)


def layout_of(shape: Any) -> Layout | None:
    """Return the layout of a traced shape; None if N does not occur in it."""
    found = [k for k, size in enumerate(shape) if not isinstance(size, int)]
    if not found:
        return None
    if len(found) > 1:
        raise Unsupported(f"it makes the shape {tuple(map(str, shape))}, with N twice")
    (axis,) = found
    parts = _parts(shape[axis])
    sizes = [int(size) for k, size in enumerate(shape) if k != axis]
    if parts == 1:
        return Layout(tuple(sizes), axis)
    return Layout((*sizes[:axis], parts, *sizes[axis:]), axis, several=True)  # as if it were N·k


def _parts(size: Any) -> int:
    """Return k of a length N·k."""
    expression = size.node.expr
    symbols = list(expression.free_symbols)
    parts = expression / symbols[0] if len(symbols) == 1 else None
    if parts is None or not parts.is_Integer:
        raise Unsupported(f"it makes an axis of length {expression}: {MIXES}")
    return int(parts)
