"""What every optimizer is: one formula, and the arrays it remembers for each parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

from ..errors import ArgumentError, NumericsError, ShapeError, StateDictError
from ..nn import Parameter
from ..ops.checks import require_real
from ..typing import Array

__all__ = ["Optimizer"]

Kernel: TypeAlias = Callable[["Optimizer", Array, Array, Mapping[str, Array]], bool]


class Optimizer:
    """Base class: a subclass names its memory and writes its formula in `update`.

    Attributes
    ----------
    lr : float
        The learning rate; may be changed between steps.
    t : int
        Steps taken.
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

        Whatever else `update` raises, all parameters and the memory are afterwards as before. Where
        a ``kernel`` has updated some, which keeps no copies, they stay so, and ``t`` counts.
        """
        gradients = {name: self._gradient(name, p) for name, p in parameters.items() if p.rate}
        self.t += 1
        lr, known, undone = self.lr, set(self.memory), True
        copies: list[tuple[Array, Array]] = []
        try:
            for name, g in gradients.items():
                parameter = parameters[name]
                if name not in self.memory:
                    self.memory[name] = {slot: np.zeros_like(parameter.data) for slot in self.slots}
                w, memory = parameter.data, self.memory[name]
                self.lr = lr * parameter.rate
                if kernel is not None and kernel(self, w, g, memory):
                    undone = False
                    continue
                copies += [(a, a.copy()) for a in (w, *memory.values()) if a.flags.writeable]
                self.update(w, g, **memory)
        except BaseException:
            for array, copy in copies:
                array[...] = copy
            if undone:
                self.memory = {name: self.memory[name] for name in known}
                self.t -= 1
            raise
        finally:
            self.lr = lr

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of the memory, keyed ``slot.parameter``, and ``t``."""
        state = {
            f"{slot}.{name}": array.copy()
            for name, slots in self.memory.items()
            for slot, array in slots.items()
        }
        return {"t": np.asarray(self.t), **state}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take over what `state_dict` returned.

        Raises
        ------
        StateDictError
            If it belongs to an optimizer that remembers other things, or is not whole.
        """
        memory: dict[str, dict[str, Array]] = {}
        for key in state.keys() - {"t"}:
            slot, _, name = key.partition(".")
            if slot not in self.slots or not name:
                raise StateDictError(
                    f"{key!r} is nothing that {type(self).__name__} remembers "
                    f"({', '.join(self.slots) or 'nothing'}). Resume with the same optimizer.",
                    where="optimizer state",
                )
            memory.setdefault(name, {})[slot] = np.array(state[key])
        whole = {"t"} | {f"{slot}.{name}" for name in memory for slot in self.slots}
        if lacking := sorted(whole - state.keys()):
            raise StateDictError(
                f"lacks {', '.join(map(repr, lacking))}. Resume from a whole state.",
                where="optimizer state",
            )
        self.t = int(state["t"])
        self.memory = memory

    def require_fit(self, parameters: Mapping[str, Parameter]) -> None:
        """Refuse a memory, loaded perhaps, that does not belong to these parameters.

        Raises
        ------
        StateDictError
            If it names another parameter, or has another shape.
        """
        for name, slots in self.memory.items():
            required = parameters[name].data.shape if name in parameters else None
            if any(array.shape != required for array in slots.values()):
                raise StateDictError(
                    f"remembers {name!r} of shape {next(iter(slots.values())).shape}, the model "
                    f"has {required or 'no such parameter'}. Build the model as it was.",
                    where="optimizer state",
                )

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {k: v for k, v in vars(self).items() if k not in ("t", "memory")}

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


def require_positive(value: float, name: str) -> float:
    """Return ``value`` if it is a finite number above zero."""
    if not np.isfinite(value) or value <= 0:
        raise ArgumentError(f"must be a finite number above 0, received {value!r}.", where=name)
    return float(value)


def require_decay(value: float, name: str) -> float:
    """Return ``value`` if it is at least 0 and below 1."""
    if not 0 <= value < 1:
        raise ArgumentError(f"must be at least 0 and below 1, received {value!r}.", where=name)
    return float(value)
