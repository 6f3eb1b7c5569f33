"""Figures: each function returns a Matplotlib figure that can be restyled, shown or saved."""

from .activations import activations, layer_outputs, section_6_2, with_initial_weights
from .animation import save_animation
from .applied import applied, convolutions, responses
from .attribution import guided_backpropagation, input_gradient, occlusion, saliency
from .cam import cam_layer, grad_cam
from .canvas import save_figure
from .comparison import comparison
from .confusion import confusion
from .curves import curves
from .depth import depth, units_by_depth
from .edges import EdgeAnswers, edge_answers
from .features import features
from .field import field, field_steps
from .filters import filters, mosaic
from .im2col import im2col
from .learning import learning, likeness
from .mistakes import mistakes, ranked_mistakes
from .optimal import optimal_inputs
from .patches import patches, top_cells
from .pooling import pooling
from .units import unit_layers
from .volumes import volumes
from .why import why
from .window import window

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
