"""The engine: a model and an input shape become a plan of fast steps."""

from .cpu.gather import Gather
from .cpu.losses import FusedLoss
from .cpu.updates import update
from .peak import multiply_rate
from .plan import Plan, compile
from .profile import Profile, profile
from .table import table
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
