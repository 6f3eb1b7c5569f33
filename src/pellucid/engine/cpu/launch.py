"""How a step has a kernel run."""

from __future__ import annotations

from typing import Any

from ...kernels.pool.threads import run, run_alone

__all__ = ["launch"]

WORTH_SHARING = 60_000  # products or moves, a few µs: what it takes until a helper is at it


def launch(kernel: Any, tasks: int, work: float, *args: Any) -> None:
    """Run the kernel's tasks, on all threads if there is enough ``work`` in them together."""
    (run if work >= WORTH_SHARING else run_alone)(kernel, tasks, *args)
