"""Networks: architecture only. Each says its paper and section."""

from .registry import by_name
from .simple import SimpleConvNet

__all__ = ["SimpleConvNet", "by_name"]
