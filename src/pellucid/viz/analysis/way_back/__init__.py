"""The way back of one unit or weight: where its gradient comes from, and where it goes."""

from . import written_rules as written_rules  # registers the rules of the package
from .equations import explains_back
from .of_unit import way_back
from .of_weight import WeightStep, sums_up, weight_step
from .parts import Hand, Loss, Returned, WayBack
from .update import NextWeight, next_weight, writes_rule

__all__ = [
    "Hand",
    "Loss",
    "NextWeight",
    "Returned",
    "WayBack",
    "WeightStep",
    "explains_back",
    "next_weight",
    "sums_up",
    "way_back",
    "weight_step",
    "writes_rule",
]
