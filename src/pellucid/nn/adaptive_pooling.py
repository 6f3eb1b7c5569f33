"""Pooling to an output of a given size, whatever the size of the image."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias

from .. import ops
from ..errors import ArgumentError
from ..ops.checks import require_image_shape, require_images, require_shape
from ..receptive import ReceptiveField
from ..typing import Array, Shape
from .checks import require_count
from .layer import Layer

__all__ = ["AdaptiveAvgPool2d", "AdaptiveMaxPool2d"]

Size: TypeAlias = int | None


class _AdaptivePool(Layer):
    """Base class: the sizes, and the bins that the image is divided into."""

    one_size = True

    def __init__(self, output_size: Size | Sequence[Size]) -> None:
        sizes = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * 2
        if len(sizes) != 2:
            raise ArgumentError(
                "must be an integer of at least 1, or two of them (vertical, horizontal), or None "
                f"to keep the image's; received {output_size!r}.",
                where="output_size",
            )
        for size in sizes:
            if size is not None:
                require_count(size, "output_size")
        self.output_size = sizes[0] if sizes[0] == sizes[1] else sizes

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C, OH, OW)."""
        c, *image = require_image_shape(input_shape, "pooling")
        sizes = self.output_size if isinstance(self.output_size, tuple) else (self.output_size,) * 2
        oh, ow = (size if out is None else out for out, size in zip(sizes, image, strict=True))
        return c, oh, ow

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field, wide enough for the largest bin."""
        (_, *sizes), (_, *image) = self.output_shape(input_shape), input_shape
        rows, columns = (
            [(first, end - 1) for first, end in ops.bins(size, out)]
            for size, out in zip(image, sizes, strict=True)
        )
        steps = Fraction(image[0], sizes[0]), Fraction(image[1], sizes[1])
        return field.through_cells((rows, columns), steps)


class AdaptiveAvgPool2d(_AdaptivePool):
    """Average OH x OW bins that cover the image: (N, C, H, W) to (N, C, OH, OW).

    Bin i goes from row ``⌊i·H/OH⌋`` to before ``⌈(i+1)·H/OH⌉``: the bins are PyTorch's, and overlap
    by one row where OH does not divide H. ``dy`` is spread evenly over its bin.

    Parameters
    ----------
    output_size : int, None, or two of them (vertical, horizontal)
        OH and OW; None keeps the image's.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAvgPool2d((1, 2))(np.array([[[[1.0, 2.0, 6.0]]]]))
    array([[[[1.5, 4. ]]]])
    """

    short_name = "mean of bins"

    def forward(self, x: Array) -> Array:
        """Return the means (N, C, OH, OW) of ``x`` (N, C, H, W)."""
        require_images(x, "pooling")
        _, oh, ow = self.output_shape(x.shape[1:])
        y = ops.adaptive_avg_pool2d(x, (oh, ow))
        self.remember(x.shape, y.shape)
        return y

    def matrices(self, input_shape: Shape) -> tuple[Array, Array]:
        """Return the matrices (OH, H) and (OW, W) that average an image (C, H, W) over its bins."""
        (_, h, w), (_, oh, ow) = input_shape, self.output_shape(input_shape)
        return ops.averaging_matrix(h, oh), ops.averaging_matrix(w, ow)

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W): each ``dy`` spread over its bin."""
        shape, required = self.recall()
        require_shape(dy, required, "an output gradient", "(N, C, OH, OW)", "pooling")
        return ops.adaptive_avg_pool2d_backward(dy, shape)


class AdaptiveMaxPool2d(_AdaptivePool):
    """Take the maximum of OH x OW bins that cover the image: (N, C, H, W) to (N, C, OH, OW).

    The bins are those of `AdaptiveAvgPool2d`; ``dy`` goes to the argmax, the first of equals.

    Parameters
    ----------
    output_size : int, None, or two of them (vertical, horizontal)
        OH and OW; None keeps the image's.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPool2d((1, 2))(np.array([[[[1.0, 2.0, 6.0]]]]))
    array([[[[2., 6.]]]])
    """

    short_name = "max of bins"

    def forward(self, x: Array) -> Array:
        """Return the maxima (N, C, OH, OW) of ``x`` (N, C, H, W)."""
        require_images(x, "pooling")
        _, oh, ow = self.output_shape(x.shape[1:])
        y, arg_max = ops.adaptive_max_pool2d(x, (oh, ow))
        self.remember(arg_max, x.shape)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W): each ``dy`` at the argmax of its bin."""
        return ops.adaptive_max_pool2d_backward(dy, *self.recall())
