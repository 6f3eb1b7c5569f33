"""Figures: each function returns a Matplotlib figure that can be restyled, shown or saved."""

from .analysis.attribution import guided_backpropagation, input_gradient, occlusion, saliency
from .analysis.cam import cam_layer, grad_cam
from .analysis.convolutions import convolutions
from .analysis.edge_response import EdgeAnswers, edge_answers
from .analysis.optimal import optimal_inputs
from .analysis.patches import patches, top_cells
from .analysis.unit_access import unit_layers
from .drawing.animation import save_animation
from .drawing.canvas import save_figure
from .figures.activations import activations, layer_outputs, section_6_2, with_initial_weights
from .figures.applied import applied, responses
from .figures.comparison import comparison
from .figures.confusion import confusion
from .figures.curves import curves
from .figures.depth import depth, units_by_depth
from .figures.explanation import why
from .figures.features import features
from .figures.field import field, field_steps
from .figures.filters import filters, mosaic
from .figures.im2col import im2col
from .figures.learning import learning, likeness
from .figures.mistakes import mistakes, ranked_mistakes
from .figures.pooling import pooling
from .figures.rate_test import rate_test
from .figures.reliability import reliability
from .figures.volumes import volumes
from .figures.window import window

__all__ = [
    "EdgeAnswers",
    "activations",
    "applied",
    "cam_layer",
    "comparison",
    "confusion",
    "convolutions",
    "curves",
    "depth",
    "edge_answers",
    "features",
    "field",
    "field_steps",
    "filters",
    "grad_cam",
    "guided_backpropagation",
    "im2col",
    "input_gradient",
    "layer_outputs",
    "learning",
    "likeness",
    "mistakes",
    "mosaic",
    "occlusion",
    "optimal_inputs",
    "patches",
    "pooling",
    "ranked_mistakes",
    "rate_test",
    "reliability",
    "responses",
    "saliency",
    "save_animation",
    "save_figure",
    "section_6_2",
    "top_cells",
    "unit_layers",
    "units_by_depth",
    "volumes",
    "why",
    "window",
    "with_initial_weights",
]
