"""Networks of ONNX's operators as graphs of layers, which the engine runs and which train further.

Each operator has a function that converts it, registered by `reads`; so may your own:

>>> from pellucid import nn
>>> @reads("Twice", domain="com.example")
... def twice(node):
...     x = node.image(0)
...     return node.add(nn.Scale((1,), init=2), x)
>>> from pellucid.formats.onnx.importing.registry import CONVERTERS
>>> del CONVERTERS["com.example", "Twice"]

The way of a network: `reading` makes operations of a file, `patterns` puts whole functions in place
of their parts, and `builder` computes all that is known (`folding`) and asks the converter of each
other operation for layers.
"""

from __future__ import annotations

from .channels import with_channels_first, with_red_first
from .for_pictures import for_pictures
from .from_file import card_for, card_of, from_onnx
from .network import network_of, without_softmax
from .pixels import with_unit_pixels
from .registry import reads

__all__ = [
    "card_for",
    "card_of",
    "for_pictures",
    "from_onnx",
    "network_of",
    "reads",
    "with_channels_first",
    "with_red_first",
    "with_unit_pixels",
    "without_softmax",
]
