"""The base class of optimizers: one formula, and the arrays it keeps for each parameter."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias

import numpy as np

from ..errors import ArgumentError, NumericsError, ShapeError, StateDictError
from ..nn import Parameter
from ..ops.checks import require_real
from ..other_names import require_arguments, unknown
from ..typing import Array
from .checks import (
    as_decay,
    as_memory,
    as_rate,
    as_steps,
    plain,
    require_no_parameters,
    require_positive,
    wide,
)

__all__ = ["Optimizer", "ParameterStep"]


class ParameterStep(NamedTuple):
    """The arguments of `Optimizer.update` for one parameter, with ``parameter.data`` as ``w``.

    ``weight_decay`` is the optimizer's, times the parameter's own ``decay``.
    """

    parameter: Parameter
    g: Array
    lr: float
    t: int
    memory: dict[str, Array]
    weight_decay: float = 0.0


# Called with the optimizer and all steps; returns those that it has not taken.
Kernel: TypeAlias = Callable[["Optimizer", list[ParameterStep]], list[ParameterStep]]

NO_ARGUMENTS = {"t", "memory", "counts", "_loaded", "_owners"}  # attributes, but not arguments


class Optimizer:
    """Base class of optimizers: a subclass names its memory and writes its formula in `update`.

    An optimizer holds no parameters: the Trainer, or your own loop, passes them to `step`.

    Attributes
    ----------
    lr : float
        The learning rate; may be changed between steps.
    t : int
        Steps taken.
    slots : tuple of str
        Names of the arrays kept for each parameter; they start at zero.
    weight_decay : float
        λ; 0 for a rule without weight decay.
    elementwise : bool
        Whether each weight's step depends on its own gradients alone, so that several processes may
        each update a part of an array. A class that does not say so itself is not: the formula of a
        subclass may need whole arrays, such as for their norms.
    batch_scaling : {"linear", "sqrt"} or None
        How its rate usually grows with the batch (`scaled_rate`); None if it does not say.

    Examples
    --------
    >>> class SignSGD(Optimizer):
    ...     '''``w -= lr · sign(g)``.'''
    ...
    ...     def update(self, w, g, lr, t):
    ...         w -= lr * np.sign(g)
    >>> p = Parameter(np.array([1.0, 2.0]))
    >>> p.grad = np.array([0.3, -4.0])
    >>> SignSGD(lr=0.5).step({"w": p})
    >>> p.data
    array([0.5, 2.5])
    """

    weight_decay: float = 0.0
    elementwise: bool = False
    batch_scaling: str | None = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls.elementwise = bool(vars(cls).get("elementwise", False))

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuse arguments of other frameworks before Python binds them."""
        require_no_parameters(cls.__name__, args, kwargs)
        require_arguments("Optimizer", kwargs)
        return super().__new__(cls)

    def __init__(self, lr: float = 0.01) -> None:
        self.lr = require_positive(lr, "lr")
        self.t = 0
        self.memory: dict[str, dict[str, Array]] = {}
        self.counts: dict[str, int] = {}  # steps taken, by parameter
        self._loaded = 0  # steps of parameters without a count in a loaded state
        self._owners: dict[str, weakref.ref[Parameter]] = {}  # the parameter of each memory

    if not TYPE_CHECKING:  # or a type checker would accept every attribute

        def __getattr__(self, name):
            error = unknown("Optimizer", name, type(self).__name__)
            if error is None:
                return object.__getattribute__(self, name)  # raises the usual AttributeError
            raise error

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the arrays kept for each parameter; a subclass may set them as a constant."""
        return ()

    def update(self, w: Array, g: Array, lr: float, t: int, **memory: Array) -> None:
        """Change the weights ``w`` and the ``memory`` in place, element by element.

        Parameters
        ----------
        w, g : array
            The weights and their gradient, of one shape.
        lr : float
            The rate of this step for these weights: scheduled, and times the parameter's own rate.
        t : int
            The step count of these weights: 1 in their first, even if they were frozen before.
        **memory : array
            The arrays kept for these weights, by the names in `slots`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update yet")

    def take(self, step: ParameterStep) -> None:
        """Take the step of one parameter: `decay`, and then `update`.

        For a rule that needs more of a parameter than `update` is given, such as its own ``decay``.
        """
        w, g = step.parameter.data, step.g
        if step.weight_decay:
            g = self.decay(w, g, step.lr, step.weight_decay)
        self.update(w, g, step.lr, step.t, **step.memory)

    def decay(self, w: Array, g: Array, lr: float, weight_decay: float) -> Array:
        """Apply weight decay before `update`; return the gradient that `update` takes.

        Called only where ``weight_decay``, the rule's λ times the parameter's own ``decay``, is
        above 0. A rule of your own that has a ``weight_decay`` may use it here or in `update`.
        """
        return g

    def step(
        self,
        parameters: Mapping[str, Parameter],
        lr: float | None = None,
        kernel: Kernel | None = None,
    ) -> None:
        """Update every parameter in place by the gradient of the last backward.

        A parameter's own ``rate`` multiplies the learning rate; one with rate 0 is not updated, and
        needs no gradient. Its ``decay`` multiplies the weight decay.

        Parameters
        ----------
        parameters : mapping of name to Parameter
        lr : float, optional
            The learning rate of this step, such as a schedule's; ``self.lr`` by default.
        kernel : callable, optional
            Does what `update` does, faster and for all parameters together; returns the steps that
            it has not taken.

        Raises
        ------
        NumericsError
            If a parameter has no gradient; no parameter is updated.
        ShapeError
            If a gradient is not shaped like its parameter; no parameter is updated.
        ArgumentError
            If a rate is negative or not finite; if the optimizer's memory belongs to another
            network.

        If `update` raises, all parameters and the memory are restored. Parameters that a ``kernel``
        has already updated, which keeps no copies, stay updated, and ``t`` counts the step.
        """
        lr, shrink = as_rate(self.lr if lr is None else lr), self.weight_decay
        known, owners, done = self.memory, self._owners, self.counts
        rates, counts = {}, {}
        for name, p in parameters.items():
            rates[name] = rate = as_rate(p.rate, name)
            counts[name] = (done[name] if name in done else self._first_count(name)) + (rate > 0)
            if name in known and not (name in owners and owners[name]() is p):
                self._require_own(name, p)
        gradients = {k: self._gradient(k, p) for k, p in parameters.items() if rates[k]}
        before, undone = (self.t, self.counts, dict(self.memory)), True
        self.t += 1
        self.counts = self.counts | counts
        copies: list[tuple[Array, Array]] = []
        try:
            steps = [
                ParameterStep(
                    parameters[name], g, lr * rates[name], counts[name],
                    self._memory(name, parameters[name]),
                    shrink and shrink * as_decay(parameters[name].decay, name),
                )
                for name, g in gradients.items()
            ]  # fmt: skip
            if kernel is not None:
                every, undone = len(steps), False
                steps = kernel(self, steps)
                undone = len(steps) == every
            for step in steps:
                kept = (step.parameter.data, *step.memory.values())
                copies += [(a, a.copy()) for a in kept if a.flags.writeable]
                self.take(step._replace(g=step.g.astype(wide(step.g), copy=False)))
        except BaseException:
            for array, copy in copies:
                array[...] = copy
            if undone:
                self.t, self.counts, self.memory = before
            raise

    def _memory(self, name: str, parameter: Parameter) -> dict[str, Array]:
        """Return the arrays kept for a parameter, zeros at its first step."""
        memory = self.memory.get(name)
        if memory is None or len(memory) != len(self.slots):  # slots depend on the constants
            w, kept = parameter.data, memory or {}
            memory = {
                slot: kept[slot] if slot in kept else np.zeros(w.shape, wide(w))
                for slot in self.slots
            }
            self.memory[name] = memory
            self._owners[name] = weakref.ref(parameter)
        return memory

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of the memory, keyed ``slot.parameter``, and ``t``.

        The count of a parameter that has taken fewer steps is under ``t.parameter``.
        """
        state = {
            f"{slot}.{name}": memory[slot].copy()
            for name, memory in self.memory.items()
            for slot in self.slots
            if slot in memory
        }
        fewer = {f"t.{k}": np.asarray(n) for k, n in self.counts.items() if n != self.t}
        return {"t": np.asarray(self.t), **fewer, **state}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Replace the memory and ``t`` by copies of what `state_dict` returned.

        Raises
        ------
        StateDictError
            If it belongs to an optimizer with other memory, or is incomplete.
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
                    f"{key!r} is not part of the memory of {self!r} "
                    f"({', '.join(self.slots) or 'nothing'}). Resume with the same optimizer.",
                    where="optimizer state",
                )
            memory.setdefault(name, {})[slot] = as_memory(state[key], key)
        whole = {"t"} | {f"{slot}.{name}" for name in memory for slot in self.slots}
        if lacking := sorted(whole - state.keys()):
            raise StateDictError(
                f"lacks {', '.join(map(repr, lacking))}. Resume from a complete state.",
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
        """Refuse memory, loaded or not, that does not belong to these parameters.

        Raises
        ------
        ArgumentError
            If it comes from another network; a rule without memory serves any.
        StateDictError
            If it names another parameter, or has another shape.
        """
        for name in self.memory:
            self._require_own(name, parameters.get(name))

    def _require_own(self, name: str, parameter: Parameter | None) -> None:
        owner, slots = self._owners.get(name), self.memory[name]
        if slots and owner is not None and owner() is not parameter:
            raise ArgumentError(
                f"has the memory of another network ({name!r}, after {self.t} steps). "
                f"Create a new one: `{self!r}`.",
                where="optimizer",
            )
        required = None if parameter is None else parameter.data.shape
        if any(array.shape != required for array in slots.values()):
            raise StateDictError(
                f"has memory for {name!r} of shape {next(iter(slots.values())).shape}, the model "
                f"has {required or 'no such parameter'}. Build the model as it was.",
                where="optimizer state",
            )
        if owner is None and parameter is not None:
            for slot, array in slots.items():  # as loaded, perhaps in a narrower dtype
                dtype = np.promote_types(array.dtype, wide(parameter.data))
                slots[slot] = array.astype(dtype, copy=False)
            self._owners[name] = weakref.ref(parameter)

    def keep(self, name: str, parameter: Parameter, memory: dict[str, Array]) -> None:
        """Replace what is kept for ``name``, which from now on belongs to ``parameter``.

        The arrays have its shape.
        """
        self.memory[name] = memory
        self._owners[name] = weakref.ref(parameter)

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {k: plain(v) for k, v in vars(self).items() if k not in NO_ARGUMENTS}

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_owners": {}}  # a copy may serve another network

    def _first_count(self, name: str) -> int:
        """Return the step count of a parameter that is new to `step`."""
        return self._loaded if not self.slots or name in self.memory else 0

    def _gradient(self, name: str, parameter: Parameter) -> Array:
        g = parameter.grad
        if type(g) is np.ndarray and g.dtype.kind == "f" and g.shape == parameter.data.shape:
            return g  # the usual case
        if parameter.grad is None:
            raise NumericsError(
                f"{name!r} has no gradient; run backward first.", where=type(self).__name__
            )
        require_real(parameter.grad, type(self).__name__, f"the gradient of {name!r}")
        if parameter.grad.shape != parameter.data.shape:
            raise ShapeError(
                f"{name!r} has shape {parameter.data.shape}, but its gradient has shape "
                f"{parameter.grad.shape}.",
                where=type(self).__name__,
            )
        return parameter.grad

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.config().items())
        return f"{type(self).__name__}({arguments})"
