"""Figures: each function returns a Matplotlib figure that can be restyled, shown or saved."""

from .activations import activations, layer_outputs, section_6_2, with_initial_weights
from .animation import save_animation
from .applied import applied, convolutions, responses
from .canvas import save_figure
from .comparison import comparison
from .confusion import confusion
from .curves import curves
from .edges import EdgeAnswers, edge_answers
from .features import features
from .field import field, field_steps
from .filters import filters, mosaic
from .im2col import im2col
from .learning import learning, likeness
from .mistakes import mistakes, ranked_mistakes
from .pooling import pooling
from .volumes import volumes
from .window import window

__all__ = [
    "EdgeAnswers",
    "activations",
    "applied",
    "comparison",
    "confusion",
    "convolutions",
    "curves",
    "edge_answers",
    "features",
    "field",
    "field_steps",
    "filters",
    "im2col",
    "layer_outputs",
    "learning",
    "likeness",
    "mistakes",
    "mosaic",
    "pooling",
    "ranked_mistakes",
    "responses",
    "save_animation",
    "save_figure",
    "section_6_2",
    "volumes",
    "window",
    "with_initial_weights",
]
