"""Networks out to other runtimes, as files of ONNX.

Each layer's class has a function that writes it, registered by `writes`; so may your own:

>>> from pellucid import nn
>>> class Square(nn.Layer):
...     '''Square every number.'''
...
...     def forward(self, x):
...         return x * x
>>> @writes(Square)
... def square(sheet, layer, x):
...     return sheet.op("Mul", x, x)

Where it cannot, it raises `UnwritableError` with the reason; `Sheet.require_opset` and
`Value.require_size` do.
"""

from __future__ import annotations

from .export import Exported, to_onnx
from .registry import writes
from .sheet import Sheet, UnwritableError, Value

__all__ = ["Exported", "Sheet", "UnwritableError", "Value", "to_onnx", "writes"]
