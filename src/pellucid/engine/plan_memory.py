"""The memory of a plan: what its steps reserve, laid out in one array."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from ..typing import Array, Shape
from .arena import offsets
from .backend import Backend
from .lives import Life, gradient_sums, lives
from .parts import Parts, Turn, parts, turns
from .recomputation import Again, Recomputation
from .reserved import Reserved, Use
from .step import Step

__all__ = ["MemoryUse", "PlanMemory"]


@dataclass(frozen=True)
class MemoryUse:
    """How many bytes the buffers of a plan take, as they are laid out.

    Attributes
    ----------
    training : bool
        Whether there is room for what backward needs.
    arena : int
        In which buffers lie that share memory.
    fullest : dict of str to int
        What is in use in the arena at its fullest time, by kind.
    apart : int
        Outputs of the plan, which outlive the call.
    own : int
        What steps share with no other: packed filters of frozen weights, tables, statistics.
    gradients : int
        Of the weights.
    recomputed : dict of int to int
        Of the outputs that are forgotten, and computed again in backward, by their step's number.
    total : int
    """

    training: bool
    arena: int
    fullest: dict[str, int] = field(hash=False)
    apart: int
    own: int
    gradients: int
    recomputed: dict[int, int] = field(hash=False, default_factory=dict)

    @property
    def total(self) -> int:
        """The bytes of all."""
        return self.arena + self.apart + self.own + self.gradients

    def __str__(self) -> str:
        shared = ", ".join(f"{kind} {_mib(n)}" for kind, n in self.fullest.items() if n)
        rest = {
            "outputs of the plan": self.apart,
            "not shared": self.own,
            "gradients of the weights": self.gradients,
        }
        lines = [
            f"memory in {'training' if self.training else 'inference'}: {_mib(self.total)} MiB",
            f"shared by the steps {_mib(self.arena)}" + f" ({shared})" * bool(shared),
            *(f"{what} {_mib(n)}" for what, n in rest.items() if n),
        ]
        again = f"; recomputed in backward {_mib(sum(self.recomputed.values()))}"
        return f"{lines[0]}; {', '.join(lines[1:])}" + again * bool(self.recomputed)


class PlanMemory:
    """Lays out what the steps of a plan reserve, for training or for inference.

    Attributes
    ----------
    arena : array
        The memory that the steps share.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        outputs: Sequence[int],
        input_shape: Shape,
        images: int,
        backend: Backend,
        *,
        repeatable: bool,
        recompute: bool = False,
    ) -> None:
        self._steps, self._outputs, self._backend = steps, outputs, backend
        self._input_shape, self._images = input_shape, images
        self._repeatable, self._recompute = repeatable, recompute
        self._sums = gradient_sums(steps, outputs, input_shape, images)
        self._sum_arrays: dict[int, Array] = {}
        self._made: tuple[bool, bool] | None = None  # for training, frozen
        self._layout = _Layout({}, {}, {}, 0, [], None, [])
        self.arena = backend.zeros(0)
        self._arrays: dict[Reserved, Array] = {}
        self._turns: dict[int, list[Turn]] = {}  # by the number of images

    def lay_out(self, *, training: bool, frozen: bool) -> bool:
        """Give all steps the arrays that they have reserved, unless they have them.

        What was in their arrays is lost if they get others; returns whether they do.
        """
        if self._made == (training, frozen):
            return False
        self._made = None
        layout = self._layout = self._planned(training=training)
        self._place({})
        self.arena = self._backend.zeros(0)  # the old array goes before there is a new one
        self.arena = self._backend.zeros(layout.total // 4)
        arrays = {
            one: _part(self.arena, place, layout.forms[one]) for one, place in layout.places.items()
        }
        for one in layout.apart:
            arrays[one] = self._backend.zeros(one.shape, one.dtype)
        self._place(arrays)
        self._made = training, frozen  # last: Ctrl-C may come
        return True

    def _planned(self, *, training: bool) -> _Layout:
        for step in self._steps:
            step.prepare(training=training)
        reserved = [step.reserved() for step in self._steps]
        of = partial(
            lives, self._steps, reserved, self._outputs, self._sums_of_passes() if training else {},
            training=training, repeatable=self._repeatable,
        )  # fmt: skip
        found, again = of(), []
        if training and self._recompute:
            forgotten = Recomputation(
                self._steps, reserved, self._outputs, found, repeatable=self._repeatable
            )
            again = forgotten.times(chosen := forgotten.chosen())
            found = of(again=chosen)
        near = {one: life for one, life in found.items() if not life.apart}
        cut = None
        if not training:
            cut = parts(self._steps, self._outputs, self._input_shape, self._images)
        forms = {one: one for one in near}
        if cut is not None:
            for s, step in enumerate(self._steps):
                forms |= {one: cut.shrunk(s, one) for one in step.reserved() if one in near}
            if cut.whole in near:  # which is written at each turn
                near[cut.whole] = Life(((0, near[cut.whole].spans[0][1]),))
        places, total = offsets([forms[one].nbytes for one in near], list(near.values()))
        # The gradient of the images, if somebody asks for it, takes memory then.
        apart = [one for one, life in found.items() if life.apart and one.use is Use.OUTPUT]
        placed = dict(zip(near, places, strict=True))
        return _Layout(near, forms, placed, total, apart, cut, again)

    def _sums_of_passes(self) -> dict[int, Reserved]:
        """Return the room for sums of gradients, but for those that steps add in passing."""
        readers: dict[int, list[Step]] = {}
        for step in self._steps:
            for k in step.reads:
                readers.setdefault(k, []).append(step)
        # The last reader's backward runs first, when there is nothing to add to.
        return {
            k: one
            for k, one in self._sums.items()
            if k in self._outputs
            or not all(step.first or step.adds_gradient for step in readers[k][:-1])
        }

    def _place(self, arrays: dict[Reserved, Array]) -> None:
        self._arrays, self._turns = arrays, {}
        for step in self._steps:
            step.place(arrays)
        self._sum_arrays = {k: arrays[one] for k, one in self._sums.items() if one in arrays}

    def turns(self, images: int) -> list[Turn]:
        """Return the calls of all steps for as many images, in the memory that is laid out."""
        if images not in self._turns:
            cut = self._layout.parts
            self._turns[images] = turns(self._steps, cut, self._arrays, images)
        return self._turns[images]

    @property
    def again(self) -> list[Again]:
        """The steps whose outputs are computed again, in the memory that is laid out."""
        return self._layout.again

    def sum_of(self, value: int, like: Array) -> Array:
        """Return the array for the sum of the gradients of a value, shaped ``like`` one of them."""
        array = self._sum_arrays.get(value)
        if array is None:  # that of the images, which the caller may keep
            array = self._sum_arrays[value] = self._backend.zeros(self._sums[value].shape)
        return array[: len(like)].reshape(like.shape)

    def poison(self, time: int) -> None:
        """Fill all that is not in use both at ``time`` and after it with NaN."""
        unused = np.ones(self.arena.shape, np.bool_)
        for one, life in self._layout.near.items():
            if any(begin <= time < end for begin, end in life.spans):
                place = self._layout.places[one] // 4
                unused[place : place - (-self._layout.forms[one].nbytes // 4)] = False
        self.arena[unused] = np.nan

    def forget(self, *, training: bool, frozen: bool) -> None:
        """Have memory laid out anew at the next occasion, unless it is laid out for this."""
        if self._made != (training, frozen):
            self._made = None

    def use(self, *, training: bool, gradients: int) -> MemoryUse:
        """Return how much memory the layout takes, with ``gradients`` bytes of the weights'.

        ``training`` says what will be laid out, if nothing is yet.
        """
        if self._made is not None:
            layout, training = self._layout, self._made[0]
        else:
            layout = self._planned(training=training)
        return MemoryUse(
            training=training,
            arena=layout.total,
            fullest=layout.fullest,
            apart=sum(one.nbytes for one in layout.apart),
            own=sum(step.own_bytes() for step in self._steps),
            gradients=gradients if training else 0,
            recomputed={one.step.makes - 1: one.nbytes for one in layout.again},
        )


@dataclass(frozen=True)
class _Layout:
    """Buffers with their lives and places in the arena, its bytes, and what lies elsewhere.

    The form of a buffer is itself, or for a part of the images.
    """

    near: dict[Reserved, Life]
    forms: dict[Reserved, Reserved]
    places: dict[Reserved, int]
    total: int
    apart: list[Reserved]
    parts: Parts | None
    again: list[Again]

    @cached_property
    def fullest(self) -> dict[str, int]:
        """The bytes in use, by kind, at the time when they are most."""
        times = 1 + max((end for life in self.near.values() for _, end in life.spans), default=0)
        use = {kind: np.zeros(times, np.int64) for kind in Use}
        for one, life in self.near.items():
            for begin, end in life.spans:
                use[one.use][begin : end + 1] += self.forms[one].nbytes
        peak = np.sum(list(use.values()), axis=0).argmax()
        found: Counter[str] = Counter()
        for kind, bytes_at in use.items():
            found[kind.value.split()[0]] += int(bytes_at[peak])
        return dict(found.most_common())


def _part(arena: Array, place: int, one: Reserved) -> Array:
    """Return the part of a float32 array, ``place`` bytes from its beginning on."""
    part = arena[place // 4 : place // 4 + -(-one.nbytes // 4)]
    if one.dtype != np.float32:
        part = part.view(one.dtype)[: one.size]
    return part.reshape(one.shape)


def _mib(n: int) -> str:
    return f"{n / 2**20:.1f}"
