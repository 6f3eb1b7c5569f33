"""How the tests compare two computations of the same thing."""

from __future__ import annotations

from typing import Any

import numpy as np

#: What independent implementations may differ by: rounding, in another order of summation.
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
#: What a central difference may differ by: h² of curvature and 1/h of rounding.
NUMERICAL = 1e-6

Sides = tuple[int, int]

DTYPES = ("float32", "float64")

#: The worst error of each comparison, for the table of PELLUCID_SHOW_ERRORS=1.
worst_seen: dict[tuple[str, str], float] = {}


def relative_error(actual: Any, expected: Any, magnitude: Any = None) -> float:
    """Return ``max |actual - expected| / max |expected|``, one scale for the whole array.

    Not cell by cell: where large terms cancel to almost nothing, a cell's own relative error says
    how unlucky the inputs were, and no order of summation does better. What rounding can do to a
    sum is bounded by ε·n·Σ|terms| (Higham 2002, "Accuracy and Stability of Numerical Algorithms",
    section 4.2); where a whole array may cancel (a batch of one, one channel, one cell), pass that
    Σ|terms| as ``magnitude``: the same computation on absolute values.
    """
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    if actual.size == 0:
        return 0.0
    scale = np.abs(expected if magnitude is None else np.asarray(magnitude, np.float64)).max()
    difference = np.abs(actual - expected).max()
    return float(difference / scale) if scale > 0 else float(difference)


def assert_agrees(
    actual: Any,
    expected: Any,
    *,
    within: float | None = None,
    magnitude: Any = None,
    what: str = "",
) -> None:
    """Fail unless both agree within ``within``, or what the dtype of ``actual`` allows."""
    error = relative_error(actual, expected, magnitude)
    dtype = str(np.asarray(actual).dtype)
    limit = TOLERANCE[dtype] if within is None else within
    if what:
        worst_seen[what, dtype] = max(error, worst_seen.get((what, dtype), 0.0))
    # Written so that a NaN fails.
    assert error <= limit, f"{what or 'result'}: relative error {error:.3g}, allowed {limit:g}"


def frozen(array: Any) -> Any:
    """Return the array read-only: whoever writes to its input raises."""
    array = np.array(array)
    array.setflags(write=False)
    return array


def drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any = np.float64) -> Any:
    """Return read-only normal numbers."""
    return frozen(rng.normal(size=shape).astype(dtype))


def tensor(torch: Any, array: Any, *, grad: bool = True) -> Any:
    """Return a PyTorch copy of ``array`` that remembers its gradient."""
    return torch.from_numpy(np.array(array)).requires_grad_(grad)


def padded_by(torch: Any, x: Any, padding: tuple[Sides, Sides], value: float = 0.0) -> Any:
    """Pad a PyTorch image on four sides."""
    (top, bottom), (left, right) = padding
    return torch.nn.functional.pad(x, (left, right, top, bottom), value=value)
