"""A frozen plan on a number of images, whose kernels are called again without Python.

The steps whose forward is nothing but calls of kernels (`Step.repeats`) run once while these are
recorded (`pellucid.kernels.pool.recording`). The others run as usual, between recordings: those
that read the images, which are another array at each call, and those that compute with NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..typing import Array
from .parts import Turn

__all__ = ["Replay"]


class _Call(NamedTuple):
    """A turn that is made with Python, and those of its inputs that are always the same arrays."""

    turn: Turn
    known: dict[int, Array]


class Replay:
    """The steps of a plan for N images: recordings, and steps between them.

    Parameters
    ----------
    turns : sequence of Turn
    make : callable
        Returns an empty recording, the backend's.
    x : array (N, ...)
        Images, on which the steps run while they are recorded.

    Attributes
    ----------
    values : dict of int to array
        The values of the plan after the last call, by their number.
    """

    def __init__(self, turns: Sequence[Turn], make: Callable[[], Any], x: Array) -> None:
        self.values: dict[int, Array] = {0: x}
        self._pieces: list[Any] = []
        self._layers = [turn.step.layer for turn in turns]
        self._modes = [layer.training for layer in self._layers]
        fixed: set[int] = set()  # values that are the same arrays at each call
        for turn in turns:
            step, repeats = turn.step, turn.step.repeats(len(x))
            if repeats and fixed.issuperset(step.inputs):
                if not self._pieces or isinstance(self._pieces[-1], _Call):
                    self._pieces.append(make())
                with self._pieces[-1]:
                    y = turn.run(self.values)
            else:
                known = {k: self.values[k] for k in step.inputs if k in fixed}
                self._pieces.append(_Call(turn, known))
                y = turn.run(self.values)
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
            if isinstance(piece, _Call):
                values[piece.turn.step.makes] = piece.turn.run(values | piece.known)
            elif not piece.repeat():
                return False
        return True
