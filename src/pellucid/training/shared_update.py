"""An update shared by several ranks: each takes the optimizer's step for a part of the weights."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..distributed import Share
from ..errors import PellucidError
from ..nn import Parameter
from ..optim import Optimizer
from ..optim.checks import require_positive
from ..optim.clipping import block_bounds, factor_for, norm_of
from ..typing import Array
from .buckets import BYTES, FIRST, Bucket, buckets_of, ready_after
from .engines import CompiledEngine, Engine
from .exchange import Exchange, TimeSplit

if TYPE_CHECKING:
    from ..engine import Plan

__all__ = ["SharedUpdate", "exact_terms"]

TERMS = 12  # of 53 bits: the squares of float32 have bits from 2**255 to 2**-298


class SharedUpdate:
    """The exchange of gradients, and the optimizer's step, of a model that several ranks train.

    All ranks call the same methods in the same order:

        shared.begin()
        plan.backward(dy)        # gradients are sent as they come
        shared.finish()
        shared.clip(max_norm)    # or not
        shared.update(lr)

    With ``shared.begin(lr)``, weights are updated as soon as their gradients are summed, and travel
    while the layers before them compute: a layer that has run backward no longer needs its own.

    The weights have then the bits that one process gives them. Each rank keeps the part of the
    optimizer's memory that belongs to its own slices, if the rule is ``elementwise``. Otherwise, or
    if the engine has an ``update`` of its own, every rank updates all weights by whole gradients.

    Parameters
    ----------
    run : Plan
        Made with this ``share``.
    share : Share
    optimizer : Optimizer
        What it keeps already must be whole, on every rank.
    engine : Engine
    most, first : int
        Bytes of gradients that travel together, and of the first of them; see `buckets_of`.

    Attributes
    ----------
    seconds : TimeSplit
        Of the last step.

    Raises
    ------
    ArgumentError
        If the model's parameters cannot share one array, such as those that are not float32.
    """

    def __init__(
        self, run: Plan, share: Share, optimizer: Optimizer, engine: Engine,
        *, most: int = BYTES, first: int = FIRST,
    ) -> None:  # fmt: skip
        self._run, self._world, self._nodes = run, share.communicator, share.nodes
        self._optimizer, self._engine = optimizer, engine
        # An engine with an update of its own may need whole arrays, as a rule may.
        self._divided = optimizer.elementwise and type(engine).update is CompiledEngine.update
        self._parameters = run.model.parameters()
        self._all = list(self._parameters.values())
        self._number = {id(step): k for k, step in enumerate(run.steps)}
        self._after = ready_after([step.parameters for step in run.steps], self._all)
        self._pieces = {name: Parameter(np.zeros(0, np.float32)) for name in self._parameters}
        self._most, self._first = most, first
        self._whole = False  # whether each rank has all summed gradients of this step
        self._weights: Array | None = None
        self._frozen: list[bool] = []
        self._lr: float | None = None  # of a step that is taken bucket by bucket
        self._plan()
        self.load()

    @property
    def seconds(self) -> TimeSplit:
        """What the last step took."""
        return self._exchange.times

    def begin(self, lr: float | None = None) -> None:
        """Prepare for a backward, whose gradients are sent as they come.

        Given ``lr``, the learning rate of this step, the weights of each bucket are updated at
        once, if the rule is ``elementwise``; `update` does the rest. Not for gradients that are
        clipped, or that callbacks see.
        """
        if self._frozen != self._frozen_now():
            self._plan()
        elif self._run.weights is not self._weights or self._run.gradients is not self._gradients:
            self._place()
        self._whole = False
        self._run.after_step = lambda step: self._exchange.after(self._number[id(step)])
        self._lr = lr if self._divided else None
        self._t = self._optimizer.t
        self._exchange.begin(self._gradients, None if self._lr is None else self._update_bucket)

    def finish(self) -> None:
        """Wait until this rank's slices of the gradients are summed over the whole batch."""
        self._run.after_step = None
        self._exchange.finish()

    def whole_gradients(self) -> None:
        """Give every rank all summed gradients, as the ``grad`` of the parameters."""
        if not self._whole:
            self._exchange.spread(self._gradients)
            self._whole = True

    def clip(self, max_norm: float) -> float:
        """Scale the gradients so that their norm is at most ``max_norm``; return it before.

        Raises
        ------
        NumericsError
            On every rank, if the norm is NaN or infinite.
        """
        if self._lr is not None:
            raise PellucidError(
                "cannot clip gradients of weights that are updated already: call `begin` without "
                "`lr`.",
                where="SharedUpdate",
            )
        squares = getattr(self._run.backend, "squares", None)
        own = type(self._engine).clip is not CompiledEngine.clip
        if own or squares is None:  # which may add them up in another order
            self.whole_gradients()
            return self._engine.clip(self._parameters, max_norm)
        if self._whole:
            self._run._weights.collect()  # callbacks may have replaced them
        max_norm = require_positive(max_norm, "max_norm")
        mine = squares(self._gradients, self._blocks).tolist()
        norm = norm_of(self._world.collect(exact_terms(mine)).ravel().tolist())
        factor = factor_for(norm, max_norm)
        if factor < 1:
            rank, whole = self._world.rank, self._whole
            for bucket in self._exchange.buckets:
                self._gradients[bucket.whole if whole else bucket.slice(rank)] *= factor
        return norm

    def update(self, lr: float | None = None) -> None:
        """Take the optimizer's step, or what `begin` has left of it; all ranks get the weights."""
        if self._lr is not None:
            self._step(self._names_of_frozen, self._lr)
            self._exchange.complete()
            self._lr = None
        elif self._divided:
            if self._whole:
                self._run._weights.collect()
            self._step(self._pieces, lr)
            self._exchange.spread(self._run.weights)
        else:
            self.whole_gradients()
            begin = time.perf_counter()
            self._engine.update(self._optimizer, self._parameters, lr)
            self.seconds.updating += time.perf_counter() - begin

    def memory(self) -> dict[str, Array] | None:
        """Return the optimizer's whole state on rank 0, and None on the others."""
        first = self._world.rank == 0
        if not self._divided:
            return self._optimizer.state_dict() if first else None
        state = self._optimizer.state_dict()
        kept_of = self._optimizer.memory
        for name in [name for name in self._parameters if name in kept_of]:
            kept = kept_of[name]
            size, cuts = self._parameters[name].data.size, self._cuts[name]
            root = [0] + [size] * self._world.size
            for slot in self._optimizer.slots:
                if slot in kept:
                    whole, key = self._moved(kept[slot], cuts, root), f"{slot}.{name}"
                    state.pop(key)  # in the order of the model, not of the buckets
                    state[key] = whole.reshape(
                        self._parameters[name].data.shape if first else whole.shape
                    )
        return state if first else None

    def load(self) -> None:
        """Keep this rank's part of what the optimizer keeps, which is whole on every rank."""
        if not self._divided:
            return
        self._optimizer.require_fit(self._parameters)
        for name, kept in self._optimizer.memory.items():
            mine = slice(*self._cuts[name][self._world.rank :][:2])
            parts = {slot: a.reshape(a.size)[mine].copy() for slot, a in kept.items()}
            self._optimizer.keep(name, self._pieces[name], parts)

    def _update_bucket(self, number: int) -> None:
        """Update this rank's slice of a bucket, and send it to the others."""
        self._step(self._names[number], self._lr)
        self._exchange.give(number, self._run.weights)

    def _step(self, names: Iterable[str], lr: float | None) -> None:
        """Take the optimizer's step for these parameters; several calls are one step."""
        begin, pieces = time.perf_counter(), {}
        for name in names:
            pieces[name], p = self._pieces[name], self._parameters[name]
            pieces[name].rate, pieces[name].decay = p.rate, p.decay
        self._optimizer.t = self._t
        self._engine.update(self._optimizer, pieces, lr)
        self.seconds.updating += time.perf_counter() - begin

    def _frozen_now(self) -> list[bool]:
        return [not p.rate for p in self._all]

    def _plan(self) -> None:
        """Cut the weights into buckets and slices, by which of them are frozen."""
        run, before = self._run, getattr(self, "_cuts", None)
        self._frozen = self._frozen_now()
        layout = run.layout
        sizes = [p.data.size for p in self._all]
        blocks = block_bounds(layout.starts, sizes)
        buckets = buckets_of(
            layout.starts, sizes, self._after, self._frozen, self._world.size,
            self._most, self._first,
        )  # fmt: skip
        self._cuts: dict[str, list[int]] = {}
        names = list(self._parameters)
        self._names = [names[b.first : b.last] for b in buckets if not b.frozen]
        self._names_of_frozen = [
            name for name, frozen in zip(names, self._frozen, strict=True) if frozen
        ]
        for bucket in buckets:
            for k in range(bucket.first, bucket.last):
                self._cuts[names[k]] = _within(bucket, layout.starts[k], sizes[k])
        self._exchange = Exchange(
            self._world, self._nodes, buckets, run.backend.zeros, run.backend.add
        )
        self._place()
        self._blocks = np.concatenate(
            [np.zeros((0, 2), np.int64)]
            + [
                blocks[slice(*np.searchsorted(blocks[:, 0], bucket.cuts[self._world.rank :][:2]))]
                for bucket in self._exchange.buckets
            ]
        )
        if before is not None and self._divided:
            memory, slots = self._optimizer.memory, self._optimizer.slots
            for name in [name for name in names if name in memory]:  # one order on all ranks
                kept, cuts = memory[name], self._cuts[name]
                parts = {
                    slot: self._moved(kept[slot], before[name], cuts)
                    for slot in slots
                    if slot in kept
                }
                self._optimizer.keep(name, self._pieces[name], parts)

    def _place(self) -> None:
        """Let the pieces be views of the plan's weights and gradients."""
        run = self._run
        self._weights, self._gradients = run.weights, run.gradients
        for name, start in zip(self._parameters, run.layout.starts, strict=True):
            begin, end = self._cuts[name][self._world.rank :][:2]
            piece = self._pieces[name]
            piece.data = self._weights[start + begin : start + end]
            piece.grad = self._gradients[start + begin : start + end]

    def _moved(self, part: Array, before: list[int], after: list[int]) -> Array:
        """Return this rank's part of an array after it was cut anew; all ranks call it."""
        rank, ranks = self._world.rank, range(self._world.size)
        made = np.empty(after[rank + 1] - after[rank], part.dtype)

        def common(a: int, b: int, origin: int) -> slice:
            first = max(before[a], after[b])
            return slice(first - origin, max(min(before[a + 1], after[b + 1]), first) - origin)

        sent = [part[common(rank, k, before[rank])] for k in ranks]
        received = [made[common(k, rank, after[rank])] for k in ranks]
        self._world.exchange(sent, received).wait()
        return made


def exact_terms(numbers: list[float]) -> Array:
    """Return a few numbers whose exact sum is that of many squares of float32.

    One that is not finite is alone. Shewchuk 1997, "Adaptive precision floating-point arithmetic
    and fast robust geometric predicates".

    >>> exact_terms([1.0, 2.0**-80, 2.0**-80])[:3].tolist()
    [1.0, 1.6543612251060553e-24, 0.0]
    """
    found = np.zeros(TERMS)
    for k in range(TERMS):
        found[k] = rest = math.fsum(numbers)
        if not rest or not math.isfinite(rest):
            break
        numbers = [*numbers, -rest]
    return found


def _within(bucket: Bucket, start: int, size: int) -> list[int]:
    """Return a bucket's cuts of one parameter, from its first number on."""
    return [min(max(cut - start, 0), size) for cut in bucket.cuts]
