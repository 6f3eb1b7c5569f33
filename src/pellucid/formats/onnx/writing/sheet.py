"""What the writers of layers write on: operators, constants, and the names of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ....nn.parameter import Buffer
from ....typing import Array
from ..operations import Operation

__all__ = ["Sheet", "UnwritableError", "Value"]

# Of one image, without N; None for rows and columns that are known only when the network runs.
Sizes: TypeAlias = tuple[int | None, ...]


class UnwritableError(Exception):
    """Raised by the writer of a layer that cannot be expressed; the message says why.

    Attributes
    ----------
    opset : int
        The first one that can express it; 0 if the opset is not the reason.
    """

    def __init__(self, reason: str, opset: int = 0) -> None:
        super().__init__(reason)
        self.opset = opset


@dataclass(frozen=True)
class Value:
    """A value of the graph.

    Attributes
    ----------
    name : str
    shape : tuple of int or None
        Of one image, without N. None for a size that is known only when the network runs.
    example : tuple of int
        The same for images of the size that the graph was written for.
    """

    name: str
    shape: Sizes
    example: tuple[int, ...]

    @property
    def sized(self) -> bool:
        """Whether every size is known."""
        return None not in self.shape

    def require_size(self, what: str) -> tuple[int, ...]:
        """Return the shape.

        Raises
        ------
        UnwritableError
            If it is not known; ``what`` is the part of the layer that depends on it.
        """
        if not self.sized:
            raise UnwritableError(f"{what} depends on the size of the images")
        return self.example


class Sheet:
    """The graph as far as it is written.

    Parameters
    ----------
    opset : int
        The version of ONNX's operators.
    dtype : dtype
        Of weights and values.
    keys : dict of int to str
        The key of each parameter and buffer by its ``id``.
    """

    def __init__(self, opset: int, dtype: npt.DTypeLike, keys: dict[int, str]) -> None:
        self.opset = opset
        self.dtype = np.dtype(dtype)
        self.operations: list[Operation] = []
        self.constants: dict[str, Array] = {}
        self._keys = keys
        self._path = ""
        self._taken: set[str] = set()

    # For the writers of layers -------------------------------------------------------------------

    def op(self, op: str, *reads: Value | str, **attributes: Any) -> str:
        """Write an operator, and return the name of its output.

        Parameters
        ----------
        op : str
            As ONNX calls it: "Conv".
        *reads : Value or str
            In the operator's order; "" leaves an optional one out.
        **attributes
            None leaves one out.
        """
        name = self.unique(f"{self._path}/{op}" if self._path else op)
        inputs = tuple(read.name if isinstance(read, Value) else read for read in reads)
        given = {key: value for key, value in attributes.items() if value is not None}
        self.operations.append(Operation(op, inputs, (name,), given, name))
        return name

    def weight(self, buffer: Buffer) -> str:
        """Return the name of a parameter or buffer: its key in the state dict."""
        key = self._keys[id(buffer)]
        if key not in self.constants:
            self._taken.add(key)
            self.constants[key] = buffer.data.astype(self.dtype, copy=False)
        return key

    def number(self, value: npt.ArrayLike, name: str = "constant") -> str:
        """Return the name of a new constant of the graph's dtype."""
        with np.errstate(over="ignore"):  # a bound beyond the dtype's numbers is infinite
            return self.constant(np.asarray(value, dtype=self.dtype), name)

    def integers(self, values: Sequence[int], name: str = "shape") -> str:
        """Return the name of a new constant of integers: sizes, axes or indices."""
        return self.constant(np.array(values, dtype=np.int64), name)

    def constant(self, array: Array, name: str) -> str:
        """Return the name of a new constant, of the array's own dtype."""
        key = self.unique(f"{self._path}/{name}" if self._path else name)
        self.constants[key] = array
        return key

    def require_opset(self, least: int, what: str) -> None:
        """Refuse an older opset than ``least``, from which ``what`` can be expressed.

        Raises
        ------
        UnwritableError
        """
        if self.opset < least:
            raise UnwritableError(f"{what} needs opset {least}", least)

    # For the walk --------------------------------------------------------------------------------

    def at(self, path: str) -> None:
        """Name what follows after the layer at ``path``."""
        self._path = path

    def unique(self, name: str) -> str:
        """Return ``name``, with a number if it is taken."""
        tried, count = name, 1
        while tried in self._taken:
            count += 1
            tried = f"{name}_{count}"
        self._taken.add(tried)
        return tried

    def rename(self, old: str, new: str) -> None:
        """Rename the value that the last operators have made and read."""
        for k in range(len(self.operations) - 1, -1, -1):
            operation = self.operations[k]
            if old in operation.outputs or old in operation.inputs:
                self.operations[k] = Operation(
                    operation.op,
                    tuple(new if name == old else name for name in operation.inputs),
                    tuple(new if name == old else name for name in operation.outputs),
                    operation.attributes,
                    operation.name,
                )
            if old in operation.outputs:
                return
