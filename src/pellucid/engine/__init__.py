"""The engine: a model and an input shape become a plan of fast steps."""

from .plan import Plan, compile
from .updates import update

__all__ = ["Plan", "compile", "update"]
