"""Layers with several inputs: their sum, and their concatenation.

They are nodes of a `pellucid.nn.Graph`, and end `Residual` and `Branches`. Products, differences
and extremes are in `arithmetic`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, ShapeError
from ..typing import Array, Shape
from .join import Join, JoinError, require_gradient, shapes_of
from .join_texts import bridges, broadcast_refusal, listed, quoted

__all__ = ["Add", "Concat"]


class Add(Join):
    """Add two or more inputs.

        y = Σ_k x_k,    dx_k = dy

    Inputs and output (N, ...), of one shape; with ``broadcast``, lengths of 1 are repeated as in
    NumPy, and gradients summed there.

    Parameters
    ----------
    broadcast : bool
        Whether inputs of other shapes are broadcast. By default they are refused: an image added
        to a row of numbers is more often a mistake.

    Raises
    ------
    ShapeError
        If the shapes differ, or with ``broadcast`` cannot be broadcast.

    Examples
    --------
    >>> add = Add()
    >>> add(np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]]))
    array([[11., 22.]])
    >>> [dx.tolist() for dx in add.backward(np.array([[1.0, 2.0]]))]
    [[[1.0, 2.0]], [[1.0, 2.0]]]
    >>> Add(broadcast=True)(np.array([[1.0, 2.0]]), np.array([[10.0]]))
    array([[11., 12.]])
    """

    where = "add"
    short_name = "sum"
    sign = "+"

    def __init__(self, broadcast: bool = False) -> None:
        self.broadcast = bool(broadcast)

    def config(self) -> dict[str, Any]:
        """Return what differs from the default: files of a plain sum stay as they were."""
        return {"broadcast": True} if self.broadcast else {}

    def forward(self, a: Array, b: Array, *more: Array) -> Array:  # type: ignore[override]
        """Return the sum, in the order of the inputs."""
        inputs = a, b, *more
        shape = self.output_shape(*shapes_of(inputs, self.where))
        self.remember((len(a), *shape), [x.shape for x in inputs])
        return ops.add(*inputs)

    def backward(self, dy: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return ``dy`` for each input, summed where it was broadcast."""
        shape, shapes = self.recall()
        require_gradient(dy, shape, self.where)
        return ops.add_backward(dy, shapes)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the common shape of the inputs."""
        shapes = {tuple(shape) for shape in input_shapes}
        if len(shapes) == 1:
            return tuple(input_shapes[0])
        if self.broadcast and len({len(shape) for shape in shapes}) == 1:
            try:
                return ops.broadcast_shape(*input_shapes)
            except ShapeError:
                pass
        raise JoinError(self, input_shapes)

    def refusal(self, shapes: Sequence[Shape], names: Sequence[str], input_shape: Shape) -> str:
        """Return which shapes differ, and which layers would make them equal."""
        if self.broadcast:
            return broadcast_refusal(shapes, names)
        k = next((k for k, shape in enumerate(shapes) if shape != shapes[0]), 0)
        (start, end), name = (shapes[k], shapes[0]), names[k]
        if len(start) == len(end) and math.prod(start[1:]) < math.prod(end[1:]):
            (start, end), name = (end, start), names[0]  # downsample the larger image
        across = ", or ".join(f"`{layer}`, {what}" for layer, what in bridges(start, end))
        advice = f" Put after {quoted(name)}: {across}." if across else ""
        return f"a sum needs inputs of one shape, received {listed(shapes, names)}.{advice}"


class Concat(Join):
    """Concatenate all inputs, by default along their channels.

        y = [x_1, x_2, ...],    dx_k = the part of dy that came from x_k

    Inputs (N, C_k, H, W), output (N, Σ C_k, H, W); rows (N, F_k) are concatenated likewise.

    Parameters
    ----------
    dim : int
        The axis, 1 or more, or counted from the end (-1 is the last one), as in PyTorch. Along all
        others the inputs are of one size.

    Raises
    ------
    ArgumentError
        If ``dim`` is 0, the axis of the images, or not an integer.
    ShapeError
        If the inputs differ in size along another axis, or do not have the axis.

    Examples
    --------
    >>> concat = Concat()
    >>> concat(np.array([[1.0, 2.0]]), np.array([[3.0]]))
    array([[1., 2., 3.]])
    >>> [dx.tolist() for dx in concat.backward(np.array([[1.0, 2.0, 3.0]]))]
    [[[1.0, 2.0]], [[3.0]]]
    >>> Concat(dim=-1).output_shape((2, 4, 4), (2, 4, 1))
    (2, 4, 5)
    """

    where = "concat"
    short_name = "joined"

    def __init__(self, dim: int = 1) -> None:
        if not isinstance(dim, int | np.integer) or isinstance(dim, bool) or dim == 0:
            raise ArgumentError(
                f"must be an axis of the inputs, 1 or more, or from the end, -1 or less; received "
                f"{dim!r}. Axis 0 counts the images, which stay apart.",
                where="dim",
            )
        self.dim = int(dim)

    def config(self) -> dict[str, Any]:
        """Return what differs from the default: files of joined channels stay as they were."""
        return {} if self.dim == 1 else {"dim": self.dim}

    def forward(self, a: Array, *more: Array) -> Array:  # type: ignore[override]
        """Return all inputs, concatenated."""
        inputs = a, *more
        shape = self.output_shape(*shapes_of(inputs, self.where))
        y = np.concatenate(inputs, axis=self.dim)
        self.remember((len(y), *shape), [x.shape[self.dim] for x in inputs])
        return y

    def backward(self, dy: Array) -> tuple[Array, ...]:  # type: ignore[override]
        """Return each input's part of ``dy``."""
        shape, sizes = self.recall()
        require_gradient(dy, shape, self.where)
        parts = np.split(dy, np.cumsum(sizes)[:-1], axis=self.dim)
        return tuple(np.ascontiguousarray(part) for part in parts)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the inputs' shape, (Σ C_k, H, W) for images along their channels."""
        first = tuple(input_shapes[0])
        axis = self.axis(first)
        if axis is None:
            raise JoinError(self, input_shapes)
        before, after = first[:axis], first[axis + 1 :]
        for shape in input_shapes:
            if len(shape) != len(first) or (shape[:axis], shape[axis + 1 :]) != (before, after):
                raise JoinError(self, input_shapes)
        return *before, sum(shape[axis] for shape in input_shapes), *after

    def axis(self, input_shape: Shape) -> int | None:
        """Return ``dim`` as an axis of ``input_shape``, which has no N; None if it has not got it.

        Examples
        --------
        >>> Concat().axis((3, 8, 8)), Concat(dim=-1).axis((3, 8, 8)), Concat(dim=-2).axis((7,))
        (0, 2, None)
        """
        axis = self.dim - 1 if self.dim > 0 else self.dim + len(input_shape)
        return axis if 0 <= axis < len(input_shape) else None

    def refusal(self, shapes: Sequence[Shape], names: Sequence[str], input_shape: Shape) -> str:
        """Return which sizes differ, and what to change."""
        if self.dim != 1:
            return (
                f"inputs are concatenated along axis {self.dim} if they have it, and are of one "
                f"size along all others, received {listed(shapes, names)} without N."
            )
        return (
            "images of different sizes cannot be concatenated along channels, received "
            f"{listed(shapes, names)}. Give the layers before them the same stride, and each a "
            "padding that keeps the size, as (FH - 1) / 2."
        )
