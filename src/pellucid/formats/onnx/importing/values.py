"""What is known of a value while a network of ONNX's operators becomes layers.

A value is either an `Image`, which depends on the network's input and has one entry for each image
of a batch, or `Known`: a weight, a constant, or a size computed from shapes. Sizes may contain the
number of images N, which only a running network knows. Therefore every known value is computed at
two numbers of images, `BATCHES`: what differs depends on N, and an entry that is 2 at N = 2 and 3
at N = 3 is N.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ....typing import Array, Shape

__all__ = ["BATCHES", "LARGEST", "Image", "Known", "Unknown", "Value"]

BATCHES = (2, 3)
LARGEST = 2**28  # numbers of one computed constant: 1 GiB of float32


@dataclass(frozen=True)
class Image:
    """A value with one entry for each image.

    Attributes
    ----------
    node : str
        The node of the graph that makes it, or the graph's input.
    shape : tuple of int
        Without N.
    place : int
        The axis of N in the file, where a transposition has moved it for a while, as attention does
        it; in the graph it is always the first.
    merged : bool
        Whether the file has N and the first axis of ``shape`` as one axis, the first, as attention
        has N · heads matrices.
    """

    node: str
    shape: Shape
    place: int = 0
    merged: bool = False

    @property
    def rank(self) -> int:
        """The number of axes in the file, with N."""
        return 1 + len(self.shape) - self.merged

    @property
    def size(self) -> int:
        """The count of numbers of one image."""
        return math.prod(self.shape)

    def dims(self) -> Known:
        """Return the shape as ONNX's Shape gives it, with N."""
        times = self.shape[0] if self.merged else 1
        before, after = self.shape[: self.place], self.shape[self.place + self.merged :]
        first, second = (np.array([*before, n * times, *after], dtype=np.int64) for n in BATCHES)
        return Known((first, second))


@dataclass(frozen=True)
class Known:
    """An array that does not depend on the images' content.

    Attributes
    ----------
    arrays : (array, array)
        At each of `BATCHES`; the same object twice if N does not occur in it.
    trainable : bool
        Whether it is a weight of the file, or a rearranged one.
    name : str
        The weight's name in the file; "" of a computed one.
    """

    arrays: tuple[Array, Array]
    trainable: bool = False
    name: str = ""

    @classmethod
    def of(cls, array: Array, *, trainable: bool = False, name: str = "") -> Known:
        """Return a value without N."""
        return cls((array, array), trainable, name)

    @property
    def fixed(self) -> bool:
        """Whether N does not occur in it."""
        first, second = self.arrays
        if first is second:
            return True
        return first.shape == second.shape and np.array_equal(first, second)

    @property
    def array(self) -> Array:
        """The array, of a fixed value."""
        return self.arrays[0]

    def one_of_each(self) -> Known:
        """Return a value (N, ...), equal for each image, as (1, ...); others as they are.

        Examples
        --------
        >>> rows = Known((np.ones((2, 4)), np.ones((3, 4))))
        >>> rows.one_of_each().array.shape
        (1, 4)
        """
        first, second = self.arrays
        grows = first.ndim == second.ndim and (first.shape[:1], second.shape[:1]) == (
            (BATCHES[0],),
            (BATCHES[1],),
        )
        if grows and (second == second[:1]).all() and np.array_equal(first[0], second[0]):
            return Known.of(second[:1], trainable=self.trainable, name=self.name)
        return self


class Unknown:
    """A value whose node could not be converted; nodes that read it are not examined."""


Value: TypeAlias = Image | Known | Unknown
