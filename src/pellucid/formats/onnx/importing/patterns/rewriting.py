"""A network while its operations are replaced: who makes a value, and who reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .....typing import Array
from ...operations import Operation, Operations
from ..folding import FOLDS, UNFIT

__all__ = ["Rewriting", "close"]

# What a weight may pass through; by Identity exporters let layers share equal ones.
_REARRANGED = ("Identity", "Unsqueeze", "Transpose")


class Rewriting:
    """Operations by what they make.

    Operations that lead to no output are dropped.
    """

    def __init__(self, operations: Operations) -> None:
        self._network = operations
        self._operations: dict[int, Operation] = {}
        self._maker: dict[str, int] = {}
        self._readers: dict[str, list[int]] = defaultdict(list)
        self.constants = dict(operations.constants)
        needed = set(operations.outputs)
        for k, operation in reversed(list(enumerate(operations.operations))):
            if needed.intersection(operation.outputs):
                needed.update(operation.inputs)
                self._put(k, operation)
        self._operations = dict(sorted(self._operations.items()))

    def result(self) -> Operations:
        """Return the rewritten network."""
        kept = Operations(**vars(self._network))
        kept.operations = [operation for _, operation in sorted(self._operations.items())]
        kept.constants = self.constants
        return kept

    def each(self, *operators: str) -> Iterator[Operation]:
        """Yield operations of ONNX's own ``operators``, also while some are replaced."""
        for k in list(self._operations):
            operation = self._operations.get(k)
            if operation is not None and operation.op in operators and not operation.domain:
                yield operation

    def maker(self, name: str, *operators: str) -> Operation | None:
        """Return the operation that makes a value, if it is one of ``operators``."""
        operation = self._operations.get(self._maker.get(name, -1))
        if operation is None or operation.domain or operation.op not in operators:
            return None
        return operation

    def readers(self, name: str) -> list[Operation]:
        """Return the operations that read a value."""
        return [self._operations[k] for k in self._readers[name] if k in self._operations]

    def only_reader(self, name: str) -> Operation | None:
        """Return the one operation that reads a value; None for more, or an output."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 and name not in self._network.outputs else None

    def is_read(self, name: str) -> bool:
        """Return whether an operation reads a value, or the network returns it."""
        return self.returns(name) or bool(self.readers(name))

    def returns(self, name: str) -> bool:
        """Return whether a value is one of the network's outputs."""
        return name in self._network.outputs

    def constant(self, name: str) -> Array | None:
        """Return a value that the file gives; None for others."""
        if name in self.constants:
            return self.constants[name]
        operation = self.maker(name, "Constant", *_REARRANGED)
        if operation is None:
            return None
        if operation.op in _REARRANGED:
            arrays = [self.constant(each) for each in operation.inputs]
            if any(array is None for array in arrays):
                return None
            try:
                return FOLDS[operation.op](operation.attributes, *arrays)
            except UNFIT:
                return None  # it does not fit, which is said where it is converted
        for key in ("value", "value_float", "value_int", "value_floats", "value_ints"):
            value = operation.attributes.get(key)
            if value is not None:
                return np.asarray(value)
        return None

    def number(self, name: str) -> float | None:
        """Return a value that is one known number; None for others."""
        array = self.constant(name)
        if array is None or array.size != 1 or array.ndim > 1:
            return None
        return float(array.ravel()[0])

    def replace(
        self,
        last: Operation,
        parts: Sequence[Operation],
        op: str,
        inputs: Sequence[str],
        domain: str = "",
        **attributes: Any,
    ) -> None:
        """Put one operation in the place of ``last``, and drop ``parts``, which it stands for.

        It is called as the part that has its operator, or as ``last``.
        """
        place = self._maker[last.outputs[0]]
        for operation in {id(part): part for part in (*parts, last)}.values():
            self._drop(operation)
        name = next((part.name for part in parts if part.op == op), last.name)
        self._put(place, Operation(op, tuple(inputs), last.outputs[:1], attributes, name, domain))

    def drop_identity(self, operation: Operation) -> None:
        """Let the readers of what an operation makes read its first input instead."""
        made, read = operation.outputs[0], operation.inputs[0]
        if made in self._network.outputs:
            self.replace(operation, [], "Identity", [read])
            return
        readers = [(self._maker[each.outputs[0]], each) for each in self.readers(made)]
        self._drop(operation)
        for place, each in readers:
            inputs = tuple(read if name == made else name for name in each.inputs)
            self._drop(each)
            self._put(place, Operation(each.op, inputs, each.outputs, each.attributes, each.name,
                                       each.domain))  # fmt: skip

    def row(self, name: str) -> str:
        """Return the name of a constant with one axis and the same numbers."""
        operation = self.maker(name, "Unsqueeze")
        given = None if operation is None else self.constant(operation.inputs[0])
        if operation is not None and given is not None and given.ndim == 1:
            return operation.inputs[0]
        array = self.constant(name)
        assert array is not None
        return name if array.ndim == 1 else self.add_constant(f"{name}_row", array.reshape(-1))

    def changed(self, name: str, array: Array) -> str:
        """Return the name of a constant with other numbers: its own, if it is read once."""
        if name not in self.constants or len(self.readers(name)) > 1:
            return self.add_constant(name, array)
        self.constants[name] = array
        return name

    def add_constant(self, near: str, array: Array) -> str:
        """Add a constant with an unused name; return that."""
        name, k = near, 1
        while name in self.constants or name in self._maker or name in self._network.inputs:
            k += 1
            name = f"{near}_{k}"
        self.constants[name] = array
        return name

    def _put(self, place: int, operation: Operation) -> None:
        self._operations[place] = operation
        for name in filter(None, operation.outputs):
            self._maker[name] = place
        for name in set(filter(None, operation.inputs)):
            self._readers[name].append(place)

    def _drop(self, operation: Operation) -> None:
        place = self._maker[next(filter(None, operation.outputs))]
        del self._operations[place]
        for name in set(filter(None, operation.inputs)):
            self._readers[name] = [k for k in self._readers[name] if k != place]
        for name in filter(None, operation.outputs):
            del self._maker[name]


def close(value: float | None, wanted: float) -> bool:
    """Return whether a number is that of a definition, as far as float32 holds it.

    Examples
    --------
    >>> close(0.33333334, 1 / 3), close(0.3334, 1 / 3), close(None, 1.0)
    (True, False, False)
    """
    return value is not None and abs(value - wanted) <= 1e-5 * abs(wanted)
