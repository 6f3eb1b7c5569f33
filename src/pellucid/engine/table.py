"""The steps of a plan with their times, as a table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..shapes import shape_text
from ..tables import text_table
from ..typing import Shape
from .peak import peak_gflops
from .step import Step

__all__ = ["StepTime", "step_times", "table"]


def table(
    steps: Sequence[Step], images: int, *, rate: float | None = None, again: Collection[int] = ()
) -> str:
    """Return the ``steps`` of a plan with the cost of their last forward and backward.

    A multiply-add is two floating-point operations. A backward has twice as many as its forward;
    the first step's as many, since the images need no gradient.

    Parameters
    ----------
    steps : sequence of Step
        Steps that have not run yet have no times.
    images : int
        Number of images of the last call.
    rate : float, optional
        The GFLOP/s that count as 100 %; by default those of NumPy's matrix product.
    again : collection of int
        The numbers of the steps whose outputs backward computes again.

    Examples
    --------
    >>> from pellucid.engine import compile
    >>> from pellucid.models import SimpleConvNet
    >>> plan = compile(SimpleConvNet(), (1, 28, 28), 100)
    >>> print(table(plan.steps, 100).splitlines()[0])
    step     kernel                        output    forward MFLOP  MiB
    """
    ran, backward = (any(step.seconds[k] for step in steps) for k in (0, 1))
    numbers = [_numbers(step, images, 1 if step.first else 2) for step in steps]
    sums = tuple(map(sum, zip(*numbers, strict=True)))
    names = [
        (step.name, step.kernel + " (recomputed)" * (s in again), shape_text(step.output_shape))
        for s, step in enumerate(steps)
    ]
    header = ["step", "kernel", "output", "forward MFLOP", "MiB", "forward ms"]
    if not ran:
        cells = [_cells(n, False, 1.0)[:2] for n in (*numbers, sums)]
        rows = [(*name, *cell) for name, cell in zip(names, cells[:-1], strict=True)]
        return text_table(header[:-1], rows, left=(0, 1, 2), total=("all", "", "", *cells[-1]))
    rate = peak_gflops() if rate is None else rate
    rows = [(*name, *_cells(n, backward, rate)) for name, n in zip(names, numbers, strict=True)]
    if backward:
        header[4:] = ["backward MFLOP", "MiB", "forward ms", "backward ms"]
    total = ("all", "", "", *_cells(sums, backward, rate))
    return text_table([*header, "GFLOP/s", "of product"], rows, left=(0, 1, 2), total=total)


@dataclass(frozen=True, slots=True)
class StepTime:
    """What a step of a plan cost in the last call; a multiply-add is two operations.

    Attributes
    ----------
    name, kernel : str
        The layer's path, and what ran it.
    output_shape : (C, H, W) or (F,)
    forward_flop, backward_flop : int
        Operations for the whole batch.
    buffer_bytes : int
    forward_seconds, backward_seconds : float
    """

    name: str
    kernel: str
    output_shape: Shape
    forward_flop: int
    backward_flop: int
    buffer_bytes: int
    forward_seconds: float
    backward_seconds: float


def step_times(steps: Sequence[Step], images: int) -> tuple[StepTime, ...]:
    """Return what `table` shows, as numbers."""
    return tuple(
        StepTime(
            step.name, step.kernel, step.output_shape,
            *_numbers(step, images, 1 if step.first else 2),  # type: ignore[arg-type]
        )
        for step in steps
    )  # fmt: skip


def _numbers(step: Step, images: int, products: int) -> tuple[float, ...]:
    """Return the operations of forward and backward, the bytes, and the seconds of both."""
    operations = 2 * step.multiply_adds * images
    return (operations, products * operations, step.buffers(), *step.seconds)


def _cells(numbers: tuple[float, ...], backward: bool, rate: float) -> list[str]:
    forward, back, size, seconds_forward, seconds_backward = numbers
    operations, seconds = forward, seconds_forward
    if backward:
        operations, seconds = operations + back, seconds + seconds_backward
    speed = operations / seconds / 1e9 if seconds else 0.0
    cells = [_mega(forward), f"{size / 2**20:.1f}", f"{1000 * seconds_forward:.3f}"]
    if backward:
        cells[1:] = [_mega(back), *cells[1:], f"{1000 * seconds_backward:.3f}"]
    return [*cells, f"{speed:.1f}" if speed else "-", f"{speed / rate:.0%}" if speed else "-"]


def _mega(operations: float) -> str:
    return f"{operations / 1e6:.1f}" if operations else "-"
