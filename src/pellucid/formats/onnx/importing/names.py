"""Names of a graph's layers, from the file's weights, nodes and values."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..operations import Operation, Operations
from .values import Known, Value

__all__ = ["Names"]

# What the names of weights end in, after the layer's: of PyTorch, of Caffe2, of Keras.
_WEIGHT = re.compile(r"[._/](weight|w|w_0|kernel|gamma|scale|s)$", re.IGNORECASE)
_BIAS = re.compile(r"[._/](bias|b|b_0|beta)$", re.IGNORECASE)  # where the weight was computed
LONGEST = 200


class Names:
    """Unique names.

    A layer is called as its weight says, "features.0" of "features.0.weight", so that a module of
    PyTorch keeps its keys; or after its node, "/features/Conv"; or what it makes.
    """

    def __init__(self, operations: Operations) -> None:
        self._taken: set[str] = set()

    def of_value(self, name: str) -> str:
        """Return an unused name for a value of the file."""
        return self._unused(_clean(name) or "x")

    def of_layer(self, operation: Operation, inputs: Sequence[Value | None], part: str) -> str:
        """Return an unused name for a layer that ``operation`` becomes."""
        weights = [value.name for value in inputs if isinstance(value, Known)]
        for end in (_WEIGHT, _BIAS):
            for weight in weights:
                found = end.search(weight)
                name = _clean(weight[: found.start()]) if found else ""
                if name:
                    return self._unused(name + (f"_{part}" if part else ""))
        name = _clean(operation.name or next(filter(None, operation.outputs), operation.op))
        return self._unused((name or operation.op) + (f"_{part}" if part else ""))

    def _unused(self, name: str) -> str:
        unused, k = name, 1
        while unused in self._taken:
            k += 1
            unused = f"{name}_{k}"
        self._taken.add(unused)
        return unused


def _clean(name: str) -> str:
    r"""Return a name as `Graph` allows it: not too long, and without control characters.

    Examples
    --------
    >>> _clean("/features/features.0/Conv"), _clean("a\x1bb")
    ('/features/features.0/Conv', 'a_b')
    """
    return "".join(c if c.isprintable() else "_" for c in name[:LONGEST]).strip(".")
