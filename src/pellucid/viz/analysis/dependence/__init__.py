"""Which numbers of its inputs each number of a layer's output is computed from."""

from . import layers as layers  # registers the layers of the package
from .axis import Axis
from .reading import Box, Copies, Reading, readings, reads_as

__all__ = ["Axis", "Box", "Copies", "Reading", "readings", "reads_as"]
