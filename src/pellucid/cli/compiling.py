"""Announce on standard error that kernels are being compiled, unless ``--quiet``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ..display import compiling
from .messages import is_quiet

if TYPE_CHECKING:
    from ..kernels.compiling import Compiling

__all__ = ["announced"]


def announced(
    watched: Callable[[Callable[[Compiling], None]], AbstractContextManager[None]],
    live: Callable[[str], None] | None = None,
) -> AbstractContextManager[None]:
    """Show a line while kernels are compiled in the block, as `pellucid.display.compiling` does."""
    return nullcontext() if is_quiet() else compiling.announced(watched, live)
