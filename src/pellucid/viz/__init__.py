"""Figures: each function returns a Matplotlib figure that can be restyled, shown or saved."""

from .canvas import save_figure
from .confusion import confusion
from .curves import curves
from .filters import filters, mosaic

__all__ = ["confusion", "curves", "filters", "mosaic", "save_figure"]
