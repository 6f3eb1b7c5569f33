"""The engine: compile a model and an input shape to a plan of fast steps."""

from .backend import Backend
from .cpu.backend import CPU
from .cpu.gather import Gather
from .cpu.losses import FusedLoss
from .cpu.steps.base import serves
from .cpu.updates import update
from .peak import peak_gflops
from .plan import Plan, compile
from .profile import Profile, profile
from .registry import StepRegistry
from .step import Step
from .table import table
from .warmup import kernels_of, warm_up

__all__ = [
    "CPU",
    "Backend",
    "FusedLoss",
    "Gather",
    "Plan",
    "Profile",
    "Step",
    "StepRegistry",
    "compile",
    "kernels_of",
    "peak_gflops",
    "profile",
    "serves",
    "table",
    "update",
    "warm_up",
]
