"""A frozen plan on a number of images, whose kernels are called again without Python.

The steps whose forward is nothing but calls of kernels (`Step.repeats`) run once while these are
recorded (`pellucid.kernels.pool.recording`). The others run as usual, between recordings: those
that read the images, which are another array at each call, and those that compute with NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..typing import Array
from .step import Step

__all__ = ["Replay"]


class Replay:
    """The steps of a plan for N images: recordings, and steps between them.

    Parameters
    ----------
    steps : sequence of Step
    make : callable
        Returns an empty recording, the backend's.
    x : array (N, ...)
        Images, on which the steps run while they are recorded.

    Attributes
    ----------
    values : dict of int to array
        The values of the plan after the last call, by their number.
    """

    def __init__(self, steps: Sequence[Step], make: Callable[[], Any], x: Array) -> None:
        self.values: dict[int, Array] = {0: x}
        self._pieces: list[Any] = []
        self._layers = [step.layer for step in steps]
        self._modes = [layer.training for layer in self._layers]
        fixed: set[int] = set()  # values that are the same arrays at each call
        for step in steps:
            inputs, repeats = [self.values[k] for k in step.inputs], step.repeats(len(x))
            if repeats and fixed.issuperset(step.inputs):
                if not self._pieces or isinstance(self._pieces[-1], Step):
                    self._pieces.append(make())
                with self._pieces[-1]:
                    y = step.forward(*inputs)
            else:
                self._pieces.append(step)
                y = step.forward(*inputs)
            # A view of what is another array at each call is one, too.
            moving = [self.values[k] for k in step.inputs if k not in fixed]
            if repeats and not any(np.may_share_memory(y, a) for a in moving):
                fixed.add(step.makes)
            self.values[step.makes] = y

    @property
    def holds(self) -> bool:
        """Whether every layer is still in the mode, of training or not, that was recorded."""
        return self._modes == [layer.training for layer in self._layers]

    def __call__(self, x: Array) -> bool:
        """Compute the values for the images ``x``; return whether all kernels did well."""
        values = self.values
        values[0] = x
        for piece in self._pieces:
            if isinstance(piece, Step):
                values[piece.makes] = piece.forward(*[values[k] for k in piece.inputs])
            elif not piece.repeat():
                return False
        return True
