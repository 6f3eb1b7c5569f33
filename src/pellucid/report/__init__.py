"""One page of a run: curves, confusion matrix, mistakes, filters, settings, and how to go on."""

from .facts import Facts, gather
from .page import page, write

__all__ = ["Facts", "gather", "page", "write"]
