"""Figures: each function returns a Matplotlib figure that can be restyled, shown or saved."""

from .animation import save_animation
from .canvas import save_figure
from .confusion import confusion
from .curves import curves
from .field import field, field_steps
from .filters import filters, mosaic
from .im2col import im2col
from .pooling import pooling
from .volumes import volumes
from .window import window

__all__ = [
    "confusion",
    "curves",
    "field",
    "field_steps",
    "filters",
    "im2col",
    "mosaic",
    "pooling",
    "save_animation",
    "save_figure",
    "volumes",
    "window",
]
