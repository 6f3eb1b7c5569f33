"""Compare analytic gradients with numerical ones, in float64.

The numerical gradient of a number L with respect to a weight w is the central difference
``D(h) = (L(w+h) - L(w-h)) / 2h`` ("Deep Learning from Scratch", section 4.3.1). A large h errs by
h², a small one by rounding. So h falls by fours, two neighbours are extrapolated to
``(16·D(h/4) - D(h)) / 15``, whose error falls with h⁴, and the pair that agrees best is taken
(Ridders 1982, "Accurate computation of F'(x) and F'(x) F''(x)").

Where a ReLU or an argmax switches between w-h and w+h, L has a kink. Near a kink, large steps
disagree and small ones do not. At a kink, the slopes on both sides differ for every step: such an
entry is counted as skipped, and so is one whose slope is too small to be told from rounding. Small
is relative to the largest entry of the analytic gradient, which is therefore always checked itself.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError, NumericsError
from ..shapes import shape_text
from ..tables import text_table
from ..typing import Array
from .checks import require_one_output
from .layer import Layer
from .losses import Loss

__all__ = ["GradientReport", "GradientRow", "gradcheck", "numerical_gradient"]

# A loss of 1 is known to some 4 ulp; its difference should tell a slope to a millionth.
ROUNDING = 4 * np.finfo(np.float64).eps / 1e-6


@dataclass(frozen=True, slots=True)
class GradientRow:
    """The result for one array: ``error`` is the worst relative error, at index ``where``.

    ``skipped`` counts the entries at a kink, or with a slope lost in rounding.
    """

    name: str
    shape: tuple[int, ...]
    checked: int
    skipped: int
    error: float
    where: tuple[int, ...]
    analytic: float
    numerical: float


@dataclass(frozen=True)
class GradientReport:
    """The rows of `gradcheck`; printing it gives the table.

    Attributes
    ----------
    rows : tuple of GradientRow
        One for each parameter, and "input".
    """

    rows: tuple[GradientRow, ...]

    @property
    def worst(self) -> float:
        """The worst relative error of all; NaN, which passes no limit, if nothing was checked."""
        return max((row.error for row in self.rows if row.checked), default=math.nan)

    def __str__(self) -> str:
        header = (
            "array",
            "shape",
            "checked",
            "skipped",
            "worst error",
            "at",
            "backward",
            "numerical",
        )
        rows = [
            (
                row.name,
                shape_text(row.shape),
                str(row.checked),
                str(row.skipped),
                f"{row.error:.1e}",
                str(row.where),
                f"{row.analytic:.6g}",
                f"{row.numerical:.6g}",
            )
            for row in self.rows
        ]
        return text_table(header, rows, left=(0, 1))


def gradcheck(
    model: Layer,
    x: Array,
    labels: Array | None = None,
    loss: Loss | None = None,
    *,
    samples: int | None = 20,
    h: float = 1e-2,
    rng: np.random.Generator | None = None,
) -> GradientReport:
    """Compare the gradients of `model.backward` with numerical ones.

    Parameters
    ----------
    model : Layer
        Any layer or network; a copy of it is checked, in float64 and its current mode.
    x : array
        The input; a few images are enough.
    labels : array, optional
        Labels for ``loss``.
    loss : Loss, optional
        Without one, the outputs are added up with random weights, which sees every output.
    samples : int or None
        Number of entries checked in each array, including the one with the largest gradient; None
        checks all.
    h : float
        The first and largest step.
    rng : numpy.random.Generator
        Chooses entries and weights; by default the same ones every time.

    Returns
    -------
    GradientReport
        Errors are ``|a - n| / max(|a|, |n|, s)``, where s is a thousandth of the array's largest
        gradient: a far smaller number cannot be told from rounding. A gradient that is
        NaN or infinite has an infinite error.

    Raises
    ------
    NumericsError
        If the loss is not finite.

    Examples
    --------
    >>> from pellucid.nn import Conv2d
    >>> rng = np.random.default_rng(0)
    >>> report = gradcheck(Conv2d(2, 3, 3, rng=rng), rng.normal(size=(2, 2, 5, 5)))
    >>> report.worst < 1e-8
    True
    """
    if loss is not None and labels is None:
        raise ArgumentError("needs labels to compute the loss: give `labels`.", where="gradcheck")
    require_one_output(model, "gradcheck")
    targets = np.empty(0) if labels is None else labels
    rng = np.random.default_rng(0) if rng is None else rng
    model = copy.deepcopy(model).astype(np.float64)
    x = np.array(x, dtype=np.float64)
    drawn = (getattr(layer, "rng", None) for _, layer in model.layers())
    generators = [generator for generator in drawn if generator is not None]
    states = [generator.bit_generator.state for generator in generators]

    def outputs() -> Array:
        for generator, state in zip(generators, states, strict=True):
            generator.bit_generator.state = state  # the same dropout mask every time
        return model(x)

    y = outputs()
    projection = rng.normal(size=y.shape)

    def objective() -> float:
        return float((outputs() * projection).sum()) if loss is None else loss(outputs(), targets)

    value = objective()
    if not np.isfinite(value):
        raise NumericsError(f"needs a finite loss, received {value}.", where="gradcheck")
    dx = model.backward(projection if loss is None else loss.backward())
    arrays = {name: (p.data, p.grad) for name, p in model.parameters().items()}
    arrays["input"] = (x, dx)
    return GradientReport(
        tuple(
            _check(name, array, _required(grad, name), objective, value, samples, h, rng)
            for name, (array, grad) in arrays.items()
        )
    )


def numerical_gradient(f: Callable[[Array], float], x: Array, h: float = 1e-4) -> Array:
    """Return the central differences of ``f`` at ``x`` in every entry, as the book writes them.

    ``x`` is changed in place entry by entry and restored. Source: "Deep Learning from Scratch",
    section 4.4.

    Raises
    ------
    ArgumentError
        If ``x`` holds integers, which cannot move by ``h``.

    Examples
    --------
    >>> numerical_gradient(lambda x: float((x**2).sum()), np.array([3.0, 4.0])).round(6)
    array([6., 8.])
    """
    if not np.issubdtype(x.dtype, np.floating):
        raise ArgumentError(
            f"expects floating-point numbers, received {x.dtype}: an integer cannot move by {h}. "
            "Use `x.astype(np.float64)`.",
            where="numerical_gradient",
        )
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        above, below = _both_sides(lambda: f(x), x, index, h)
        grad[index] = (above - below) / (2 * h)
    return grad


def _check(
    name: str,
    array: Array,
    grad: Array,
    objective: Callable[[], float],
    centre: float,
    samples: int | None,
    h: float,
    rng: np.random.Generator,
) -> GradientRow:
    count = array.size if samples is None else min(samples, array.size)
    chosen = rng.choice(array.size, size=count, replace=False)
    largest = np.abs(grad).argmax()  # or the first NaN
    if largest not in chosen:
        chosen[0] = largest
    floor = 1e-3 * float(np.abs(grad[np.isfinite(grad)]).max(initial=0)) + 1e-12
    skipped, worst = 0, GradientRow(name, array.shape, count, 0, 0.0, (), 0.0, 0.0)
    for flat in np.sort(chosen):
        index = tuple(int(i) for i in np.unravel_index(flat, array.shape))
        analytic, numerical = float(grad[index]), _slope(objective, centre, array, index, h, floor)
        if not np.isfinite(analytic):
            error = np.inf
        elif numerical is None:
            skipped += 1
            continue
        else:
            error = abs(analytic - numerical) / max(abs(analytic), abs(numerical), floor)
        if error > worst.error or not worst.where:
            expected = np.nan if numerical is None else numerical
            worst = GradientRow(name, array.shape, count, 0, error, index, analytic, expected)
    return GradientRow(
        name, array.shape, count - skipped, skipped, worst.error, worst.where,
        worst.analytic, worst.numerical,
    )  # fmt: skip


def _slope(
    objective: Callable[[], float],
    centre: float,
    array: Array,
    index: tuple[int, ...],
    h: float,
    floor: float,
) -> float | None:
    """Return the slope where the objective is ``centre``, or None where it cannot be measured."""
    best, doubt = None, 1e-5
    before = (np.inf, 0.0)
    for step in h * 0.25 ** np.arange(8):
        above, below = _both_sides(objective, array, index, step)
        slope, bend = (above - below) / (2 * step), abs(above - 2 * centre + below) / step
        size = max(abs(slope), floor)
        if ROUNDING * max(abs(centre), 1.0) / step > size:
            break
        smooth = bend < max(0.3 * before[1], 1e-6 * size)  # a quarter of it, unless there is a kink
        if smooth and abs(slope - before[0]) < doubt * size:
            best, doubt = float(16 * slope - before[0]) / 15, abs(slope - before[0]) / size
        if doubt < 1e-8:
            break
        before = slope, bend
    return best


def _both_sides(
    objective: Callable[[], float], array: Array, index: tuple[int, ...], h: float
) -> tuple[float, float]:
    """Return the objective with one entry of ``array`` raised and lowered by ``h``."""
    kept = array[index]
    try:
        array[index] = kept + h
        above = objective()
        array[index] = kept - h
        return above, objective()
    finally:
        array[index] = kept


def _required(grad: Array | None, name: str) -> Array:
    if grad is None:
        raise NumericsError(f"backward left no gradient for {name!r}.", where="gradcheck")
    return grad
