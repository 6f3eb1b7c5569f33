"""Plans that a model keeps between two calls of `predict`, which building one takes longer than.

A plan reads the weights when it is used, and is frozen anew for every call, which packs them anew:
weights may change in place or be replaced in between. It follows neither another structure nor
other constants of the layers: with each plan goes a `_snapshot` of both, and it is used only while
the model still answers with an equal one. What cannot be compared, an object of a class of one's
own as an attribute of a layer, is not trusted: such a model keeps no plan.

The plans hang on the model, and go with it. A copy of the model, or a pickle, has none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np

from ..nn import Buffer, Layer
from ..typing import Shape
from .engines import CompiledEngine, Engine, Run

__all__ = ["KeptPlans", "prepared_run"]

PLACE = "_kept_plans"  # in the model's attributes
MOST = 4  # plans of one model: of several shapes, sizes of a batch, or threads
BYTES = 2**27  # of a plan's buffers: of a larger one, building takes little beside running
CHANGING = (PLACE, "training", "card", "_memory")  # attributes that a plan does not depend on
PLAIN = (type(None), bool, int, float, complex, str, bytes, type, np.dtype, np.generic)
THEMSELVES = (Layer, np.random.Generator, FunctionType, MethodType, BuiltinFunctionType)
SMALL = 1024  # numbers of an array that is compared by value


class _IncomparableError(Exception):
    """A value of which it cannot be known whether it has changed."""


class KeptPlans:
    """The plans of one model that no thread is using."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plans: list[tuple[Any, Any]] = []

    def take(self, key: Any) -> Any:
        """Return the plan that was put here under an equal ``key``, for the caller alone."""
        with self._lock:
            for k, (known, plan) in enumerate(self._plans):
                if known == key:
                    del self._plans[k]
                    return plan
        return None

    def put(self, key: Any, plan: Any) -> None:
        """Keep a plan for the next call, in place of the one not used for longest."""
        with self._lock:
            self._plans.append((key, plan))
            del self._plans[:-MOST]

    def __len__(self) -> int:
        return len(self._plans)

    def __reduce__(self) -> tuple[type[KeptPlans], tuple[()]]:
        return KeptPlans, ()  # plans are their model's own


@contextmanager
def prepared_run(
    engine: Engine,
    model: Layer,
    shape: Shape,
    batch_size: int,
    told: Callable[[Any], AbstractContextManager[None]] = nullcontext,
) -> Iterator[Run]:
    """Yield what ``engine`` prepares to run ``model``; a plan is kept for the next such block.

    Several threads may be in such a block at once: each has a plan of its own. ``told`` returns the
    context in which a new run is used.
    """
    key = _key(engine, model, shape, batch_size)
    kept = None if key is None else vars(model).setdefault(PLACE, KeptPlans())
    plan: Any = None if kept is None else kept.take(key)
    if plan is None:
        plan = engine.prepare(model, shape, batch_size, frozen=True)
        with told(plan):
            yield plan
    else:
        plan.freeze()  # anew: the weights may have changed
        yield plan
    if kept is not None and plan.memory.total <= BYTES:  # not after an error: drop it then
        kept.put(key, plan)


def _key(engine: Engine, model: Layer, shape: Shape, batch_size: int) -> Any:
    """Return what a plan depends on besides the weights' values; None if that is unknown."""
    if type(engine) is not CompiledEngine:
        return None
    from ..engine import CPU

    if engine.backend is not CPU:
        return None
    try:
        layers = [_snapshot(layer) for _, layer in model.layers()]
    except _IncomparableError:
        return None
    served = [CPU.steps.by_layer.get(type(layer)) for _, layer in model.layers()]
    return tuple(shape), batch_size, engine.precision, layers, served


def _snapshot(layer: Layer) -> tuple[Any, ...]:
    """Return a layer, its wiring and its attributes as values to compare."""
    own = vars(layer).copy()  # in one piece: another thread may train the model
    attributes = [(k, _comparable(value)) for k, value in own.items() if k not in CHANGING]
    nodes = layer.nodes()
    children = {id(child) for _, child in layer.children()}
    wiring = [
        # A join that the container makes for each walk is told by its class.
        (name, _Same(each) if id(each) in children else type(each), reads)
        for name, each, reads in nodes or ()
    ]
    return _Same(layer), type(layer), nodes is None, wiring, attributes


def _comparable(value: Any) -> Any:
    """Return something that is equal as long as ``value`` is what it was."""
    if isinstance(value, PLAIN):
        return type(value), value
    if isinstance(value, Buffer):
        return _Same(value), value.data.dtype, value.data.shape
    if isinstance(value, THEMSELVES):
        return _Same(value)
    if isinstance(value, tuple | list | set | frozenset):
        return type(value), [_comparable(item) for item in value]
    if isinstance(value, dict):
        return [(_comparable(k), _comparable(item)) for k, item in value.items()]
    if isinstance(value, np.ndarray) and value.size <= SMALL:
        return value.dtype, value.shape, value.tobytes()
    raise _IncomparableError


class _Same:
    """An object that only itself is equal to."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    __hash__ = object.__hash__
