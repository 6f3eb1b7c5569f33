"""What every optimizer is: one formula, and the arrays it remembers for each parameter."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

from ..errors import ArgumentError, NumericsError, ShapeError, StateDictError
from ..nn import Parameter
from ..ops.checks import require_real
from ..typing import Array
from .checks import as_memory, as_rate, as_steps, is_numpy_number, require_positive, wide

__all__ = ["Optimizer"]

Kernel: TypeAlias = Callable[["Optimizer", Array, Array, Mapping[str, Array]], bool]

NO_ARGUMENTS = {"t", "memory", "counts", "_loaded", "_owners"}  # what is no constructor's argument


class Optimizer:
    """Base class: a subclass names its memory and writes its formula in `update`.

    Attributes
    ----------
    lr : float
        The learning rate; may be changed between steps.
    t : int
        Steps taken; within `update`, those that this parameter has taken: one that was frozen at
        first begins with 1.
    slots : tuple of str
        Names of the arrays kept for each parameter; they begin at zero.

    Examples
    --------
    >>> class SignSGD(Optimizer):
    ...     '''``w -= lr · sign(g)``.'''
    ...
    ...     def update(self, w, g):
    ...         w -= self.lr * np.sign(g)
    >>> p = Parameter(np.array([1.0, 2.0]))
    >>> p.grad = np.array([0.3, -4.0])
    >>> SignSGD(lr=0.5).step({"w": p})
    >>> p.data
    array([0.5, 2.5])
    """

    slots: ClassVar[tuple[str, ...]] = ()

    def __init__(self, lr: float = 0.01) -> None:
        self.lr = require_positive(lr, "lr")
        self.t = 0
        self.memory: dict[str, dict[str, Array]] = {}
        self.counts: dict[str, int] = {}  # steps by parameter
        self._loaded = 0  # the steps of those that a loaded state has no other number for
        self._owners: dict[str, weakref.ref[Parameter]] = {}  # whose memory it is

    def update(self, w: Array, g: Array, **memory: Array) -> None:
        """Change the weights ``w`` in place by their gradient ``g`` and what is remembered."""
        raise NotImplementedError(f"{type(self).__name__} has no update yet")

    def step(self, parameters: Mapping[str, Parameter], kernel: Kernel | None = None) -> None:
        """Update every parameter in place by the gradient that backward left.

        A parameter's own ``rate`` multiplies ``lr``; one with rate 0 stays as it is, and needs no
        gradient.

        Parameters
        ----------
        parameters : mapping of name to Parameter
        kernel : callable, optional
            Does what `update` does, faster; returns False where it cannot.

        Raises
        ------
        NumericsError
            If a parameter has no gradient; then none is updated.
        ShapeError
            If a gradient is not shaped like its parameter; then none is, either.
        ArgumentError
            If ``lr`` or a rate has become negative or is not finite; if this optimizer remembers
            the gradients of another network.

        Whatever else `update` raises, all parameters and the memory are afterwards as before. Where
        a ``kernel`` has updated some, which keeps no copies, they stay so, and ``t`` counts.
        """
        lr = as_rate(self.lr)
        owners, rates, counts = self._owners, {}, {}
        for name, p in parameters.items():
            rates[name] = rate = as_rate(p.rate, name)
            done = self.counts.get(name)
            counts[name] = (self._first_count(name) if done is None else done) + (rate > 0)
            if name in self.memory and not (name in owners and owners[name]() is p):
                self._require_own(name, p)
        gradients = {k: self._gradient(k, p) for k, p in parameters.items() if rates[k]}
        given, known, before, undone = self.lr, set(self.memory), self.counts, True
        self.t += 1
        t = self.t
        self.counts = before | counts
        copies: list[tuple[Array, Array]] = []
        try:
            for name, g in gradients.items():
                parameter = parameters[name]
                w = parameter.data
                if name not in self.memory:
                    self.memory[name] = {slot: np.zeros(w.shape, wide(w)) for slot in self.slots}
                    self._owners[name] = weakref.ref(parameter)
                memory = self.memory[name]
                self.lr, self.t = lr * rates[name], counts[name]
                if kernel is not None and kernel(self, w, g, memory):
                    undone = False
                    continue
                copies += [(a, a.copy()) for a in (w, *memory.values()) if a.flags.writeable]
                self.update(w, g.astype(wide(g), copy=False), **memory)
        except BaseException:
            for array, copy in copies:
                array[...] = copy
            if undone:
                self.memory = {name: self.memory[name] for name in known}
                self.counts, t = before, t - 1
            raise
        finally:
            self.lr, self.t = given, t

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of the memory, keyed ``slot.parameter``, and ``t``.

        A parameter that has taken fewer steps has them under ``t.parameter``.
        """
        state = {
            f"{slot}.{name}": array.copy()
            for name, slots in self.memory.items()
            for slot, array in slots.items()
        }
        fewer = {f"t.{k}": np.asarray(n) for k, n in self.counts.items() if n != self.t}
        return {"t": np.asarray(self.t), **fewer, **state}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take over what `state_dict` returned.

        Raises
        ------
        StateDictError
            If it belongs to an optimizer that remembers other things, or is not whole.
        """
        memory: dict[str, dict[str, Array]] = {}
        counts: dict[str, int] = {}
        for key in state.keys() - {"t"}:
            slot, _, name = key.partition(".")
            if slot == "t" and name:
                counts[name] = as_steps(state[key], key)
                continue
            if slot not in self.slots or not name:
                raise StateDictError(
                    f"{key!r} is nothing that {type(self).__name__} remembers "
                    f"({', '.join(self.slots) or 'nothing'}). Resume with the same optimizer.",
                    where="optimizer state",
                )
            memory.setdefault(name, {})[slot] = as_memory(state[key], key)
        whole = {"t"} | {f"{slot}.{name}" for name in memory for slot in self.slots}
        if lacking := sorted(whole - state.keys()):
            raise StateDictError(
                f"lacks {', '.join(map(repr, lacking))}. Resume from a whole state.",
                where="optimizer state",
            )
        t = as_steps(state["t"], "t")
        if wrong := [name for name, n in counts.items() if n > t]:
            raise StateDictError(
                f"has {counts[wrong[0]]} steps of {wrong[0]!r} after {t} in all. Resume from "
                "another state.",
                where="optimizer state",
            )
        self.t = self._loaded = t
        self.memory, self.counts, self._owners = memory, counts, {}

    def require_fit(self, parameters: Mapping[str, Parameter]) -> None:
        """Refuse a memory, loaded perhaps, that does not belong to these parameters.

        Raises
        ------
        ArgumentError
            If it comes from steps on another network; a rule without a memory serves any.
        StateDictError
            If it names another parameter, or has another shape.
        """
        for name in self.memory:
            self._require_own(name, parameters.get(name))

    def _require_own(self, name: str, parameter: Parameter | None) -> None:
        owner, slots = self._owners.get(name), self.memory[name]
        if slots and owner is not None and owner() is not parameter:
            raise ArgumentError(
                f"remembers the gradients of another network ({name!r}, after {self.t} steps), "
                f"which say nothing of this one. Make a new one: `{self!r}`.",
                where="optimizer",
            )
        required = None if parameter is None else parameter.data.shape
        if any(array.shape != required for array in slots.values()):
            raise StateDictError(
                f"remembers {name!r} of shape {next(iter(slots.values())).shape}, the model "
                f"has {required or 'no such parameter'}. Build the model as it was.",
                where="optimizer state",
            )
        if owner is None and parameter is not None:
            for slot, array in slots.items():  # as loaded, perhaps with fewer digits
                dtype = np.promote_types(array.dtype, wide(parameter.data))
                slots[slot] = array.astype(dtype, copy=False)
            self._owners[name] = weakref.ref(parameter)

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        plain = {k: v for k, v in vars(self).items() if k not in NO_ARGUMENTS}
        return {k: v.item() if is_numpy_number(v) else v for k, v in plain.items()}

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_owners": {}}  # a copy is for whoever steps with it first

    def _first_count(self, name: str) -> int:
        """Return how many steps a parameter has taken that was not given to `step` before."""
        return self._loaded if not self.slots or name in self.memory else 0

    def _gradient(self, name: str, parameter: Parameter) -> Array:
        if parameter.grad is None:
            raise NumericsError(
                f"{name!r} has no gradient; run backward first.", where=type(self).__name__
            )
        require_real(parameter.grad, type(self).__name__, f"the gradient of {name!r}")
        if parameter.grad.shape != parameter.data.shape:
            raise ShapeError(
                f"{name!r} has shape {parameter.data.shape}, and a gradient of shape "
                f"{parameter.grad.shape}. They must be alike.",
                where=type(self).__name__,
            )
        return parameter.grad

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.config().items())
        return f"{type(self).__name__}({arguments})"
