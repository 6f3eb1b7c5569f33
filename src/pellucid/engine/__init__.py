"""The engine: a model and an input shape become a plan of fast steps."""

from .batches import Gather
from .losses import FusedLoss
from .plan import Plan, compile
from .profile import Profile, profile
from .rate import multiply_rate
from .table import table
from .updates import update
from .warmup import kernels_of, warm_up

__all__ = [
    "FusedLoss",
    "Gather",
    "Plan",
    "Profile",
    "compile",
    "kernels_of",
    "multiply_rate",
    "profile",
    "table",
    "update",
    "warm_up",
]
