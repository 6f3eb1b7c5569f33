"""A network as ONNX describes it: operations over named values, before it is made of layers.

What reads a file of ONNX makes one of these, and so does what traces a module of PyTorch; one
importer turns it into a `pellucid.nn.Graph`. Names, operators and attributes are those of the
specification ("ONNX operators", onnx.ai/onnx/operators).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...typing import Array

__all__ = ["Operation", "Operations", "Size"]

# An axis of an image: its length, or the name of a length that is known only when the network runs.
Size: TypeAlias = int | str


@dataclass(frozen=True)
class Operation:
    """One node: an operator, and the names of the values it reads and makes.

    Attributes
    ----------
    op : str
        The operator: "Conv".
    inputs : tuple of str
        In the operator's order; "" for an optional input that is left out.
    outputs : tuple of str
        In the operator's order; "" for an optional output that is not used.
    attributes : dict of str to value
        Numbers, strings, arrays, and lists of them; only those that the file gives.
    name : str
        The node's name in the file; may be empty.
    domain : str
        "" for ONNX's own operators.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    domain: str = ""

    @property
    def label(self) -> str:
        """The node in messages: its name, or what it makes."""
        return self.name or next((name for name in self.outputs if name), self.op)


@dataclass
class Operations:
    """A whole network.

    Attributes
    ----------
    operations : list of Operation
        In an order in which each reads what was made before it.
    inputs : dict of str to tuple of Size, or None
        What the network is given, with its shape (N, ...); None for an unknown shape.
    outputs : list of str
    constants : dict of str to array
        Weights and other values that the file gives.
    opset : int
        The version of ONNX's operators.
    metadata : dict of str to str
        Further text of the file.
    pixels : set of str
        The inputs that are numbers from 0 to 255, as pictures have them.
    """

    operations: list[Operation]
    inputs: dict[str, tuple[Size, ...] | None]
    outputs: list[str]
    constants: dict[str, Array] = field(default_factory=dict)
    opset: int = 18
    metadata: dict[str, str] = field(default_factory=dict)
    pixels: set[str] = field(default_factory=set)
