"""Figures: each function returns a Matplotlib figure that can be restyled, shown or saved."""

from .activations import activations, layer_outputs, section_6_2, with_initial_weights
from .applied import applied, convolutions, responses
from .canvas import save_figure
from .comparison import comparison
from .confusion import confusion
from .curves import curves
from .edges import EdgeAnswers, edge_answers
from .features import features
from .filters import filters, mosaic
from .learning import learning, likeness
from .mistakes import mistakes, ranked_mistakes

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
    "filters",
    "layer_outputs",
    "learning",
    "likeness",
    "mistakes",
    "mosaic",
    "ranked_mistakes",
    "responses",
    "save_figure",
    "section_6_2",
    "with_initial_weights",
]
