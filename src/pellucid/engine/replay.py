"""A pass over a plan's steps, whose kernels are called again without Python.

The steps that only call kernels (`Step.repeats`) run once while these are recorded
(`pellucid.kernels.pool.recording`). The others run as usual, between recordings; what they make may
be another array at each call, as the images are, and its address is then renewed in the recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..kernels.pool.recording import address, arrays_in, overlap
from ..typing import Array
from .step import Step
from .units import Arrays, Tag, Unit

__all__ = ["Moving", "Replay"]

Moving = dict[Tag, Array]  # what may be another array at each call


@dataclass
class _Fixed:
    """A unit, and those of the arrays it reads that are the same at each call."""

    unit: Unit
    arrays: Arrays
    written: list[int] = field(default_factory=list)  # the first time

    def run(self, at: Arrays) -> list[int]:
        """Run it with Python."""
        at.update(self.arrays)
        return self.unit.run(at)


@dataclass
class _View:
    """An attribute that is a part of a moving array."""

    holder: object
    name: str
    tag: Tag
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    def renew(self, a: Array) -> None:
        """Set the attribute to the same part of another array."""
        whole = self.shape == a.shape and not self.offset
        part = a if whole else np.ndarray(self.shape, a.dtype, a.data, self.offset, self.strides)
        setattr(self.holder, self.name, part)


@dataclass
class _Piece:
    """The recorded kernels of some units, and the moving arrays that they read.

    Those in the memory that steps share, where other buffers lie at another time, are ``staying``:
    their addresses are not renewed.
    """

    recording: Any
    units: list[_Fixed] = field(default_factory=list)
    views: list[_View] = field(default_factory=list)
    moving: Moving = field(default_factory=dict)
    staying: Moving = field(default_factory=dict)

    def take(self, one: _Fixed, at: Arrays, given: Moving, arena: Array) -> bool:
        """Run a unit, and record it; return False if what it does is not the same at each call.

        That is if it makes another array, or a view of one.
        """
        unit, first = one.unit, len(self.recording)
        moving = {tag: a for tag, a in given.items() if not overlap(a, arena)}
        with self.recording, self.recording.moving(moving):
            one.written = unit.run(at)
        moves = any(overlap(at[k], a) for k in one.written for a in moving.values())
        views = _views(unit.steps, moving)
        if self.recording.pinned or moves or views is None:
            self.recording.forget(first)
            return False
        self.units.append(one)
        self.views.extend(views)
        self.moving.update(moving)
        self.staying.update({tag: a for tag, a in given.items() if tag not in moving})
        return True

    def fits(self, now: Moving) -> bool:
        """Return whether the arrays of this time can take the places of the first ones."""
        for tag, first in self.moving.items():
            a = now[tag]
            if a.shape != first.shape or a.dtype != first.dtype or not a.flags.c_contiguous:
                return False
        return all(_same(now[tag], first) for tag, first in self.staying.items())

    def repeat(self, now: Moving) -> bool:
        """Call the kernels; return whether all of them did well."""
        moved = {tag: now[tag] for tag in self.moving}
        for view in self.views:
            view.renew(moved[view.tag])
        done: bool = self.recording.repeat(moved)
        return done


class Replay:
    """A pass over a plan's steps for as many images as when it was recorded.

    Parameters
    ----------
    make : callable
        Returns an empty recording, the backend's.
    arena : array
        The memory that steps share.

    Attributes
    ----------
    intact : bool
        Whether it can be called once more.
    """

    def __init__(self, make: Callable[[], Any], arena: Array) -> None:
        self.intact = True
        self._make, self._arena = make, arena
        self._pieces: list[_Piece | _Fixed] = []
        self._last: Arrays = {}  # what does not move, at the end of the pass

    def steps(self, *, recorded: bool) -> list[Step]:
        """Return the steps that are recorded, or those that are not."""
        return [
            one.unit.step
            for piece in self._pieces
            if isinstance(piece, _Piece) == recorded
            for one in (piece.units if isinstance(piece, _Piece) else [piece])
        ]

    def record(self, units: Iterable[Unit], images: int, at: Arrays, now: Moving) -> None:
        """Run the ``units``, and keep what they do.

        ``now`` are the arrays that may be others the next time; those that the pass makes are
        added.
        """
        kind = ""
        for unit in units:
            kind = unit.kind
            given = {tag: now[tag] for tag in unit.reads() if tag in now}
            own = [k for of, k in unit.reads() if of == kind and k in at]
            one = _Fixed(unit, {k: at[k] for k in own if (kind, k) not in given})
            repeats = all(step.repeats(images) for step in unit.steps)
            piece = self._recording_of(given) if repeats else None
            if piece is None or not piece.take(one, at, given, self._arena):
                if piece is None:
                    one.written = unit.run(at)
                elif not piece.units:
                    self._pieces.pop()
                self._pieces.append(one)
                now.update({(kind, k): at[k] for k in one.written})
            else:
                for k in one.written:
                    now.pop((kind, k), None)
        self._last = {k: a for k, a in at.items() if (kind, k) not in now}

    def _recording_of(self, given: Moving) -> _Piece | None:
        """Return the piece that the next unit belongs to; None if it cannot be recorded."""
        arrays = [a for a in given.values() if not overlap(a, self._arena)]
        apart = not any(overlap(a, b) for k, a in enumerate(arrays) for b in arrays[:k])
        if not apart or not all(a.flags.c_contiguous for a in arrays):
            return None
        if not self._pieces or not isinstance(self._pieces[-1], _Piece):
            self._pieces.append(_Piece(self._make()))
        last = self._pieces[-1]
        return last if isinstance(last, _Piece) else None

    def __call__(self, at: Arrays, now: Moving) -> None:
        """Do the pass again, from the arrays ``at`` its begin; ``now`` is as for `record`."""
        for piece in self._pieces:
            if isinstance(piece, _Piece):
                if self.intact and piece.fits(now) and piece.repeat(now):
                    continue
                # If a kernel has failed, it does so once more with Python, and says why.
                self.intact = False
                units = piece.units
            else:
                units = [piece]
            for one in units:
                for k in one.run(at):
                    now[one.unit.kind, k] = at[k]
        at.update(self._last)


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and address(a) == address(b)


def _views(steps: Sequence[Step], given: Moving) -> list[_View] | None:
    """Return the steps' attributes that are parts of moving arrays; None if one has such parts."""
    found = []
    for holder in (holder for step in steps for holder in step.holders()) if given else ():
        for name, value in vars(holder).items():
            for tag, a in given.items():
                if not any(overlap(part, a) for part in arrays_in(value)):
                    continue
                if not isinstance(value, np.ndarray) or value.dtype != a.dtype:
                    return None
                offset = address(value) - address(a)
                found.append(_View(holder, name, tag, value.shape, value.strides, offset))
    return found
