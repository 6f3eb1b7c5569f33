"""The studio's views in a notebook's cell: the extra ``notebook``."""

from .widget import widget

__all__ = ["widget"]
