"""Networks: architecture only. Each says its paper and section."""

from .simple import SimpleConvNet

__all__ = ["SimpleConvNet"]
