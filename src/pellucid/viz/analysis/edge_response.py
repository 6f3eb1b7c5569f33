"""Which edges a filter answers to: measured by moving straight edges through its window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...typing import Array
from .asked import asking

__all__ = ["GROUPS", "EdgeAnswers", "edge_answers"]

ANGLES = np.arange(0, 180, 15)  # degrees; of the direction across the edge, 0 is to the right
STEPS = 8  # places of an edge within a cell
DIRECTED = 0.25  # below this share, the response does not depend on direction
CLEAR = 2 / 3  # the share of one of vertical and horizontal that makes a filter one of them

GROUPS = ("vertical", "horizontal", "slanted", "no direction", "areas")


@dataclass(frozen=True)
class EdgeAnswers:
    """How strongly filters answer to edges of every direction.

    Attributes
    ----------
    energies : array (FN, 12)
        The energy of the answer to an edge that stands across 0°, 15°, ... 165°; 0° is a vertical
        edge, 90° a horizontal one.
    edge, area : arrays (FN,)
        The strongest answer to any edge between black and white, and that to an even white area.
    groups : tuple of str
        Of each filter: ``"vertical"``, ``"horizontal"``, ``"slanted"``, ``"no direction"`` or
        ``"areas"``.
    """

    energies: Array
    edge: Array
    area: Array
    groups: tuple[str, ...]

    @property
    def vertical(self) -> Array:
        """Of each filter, the share of vertical edges in its answer to vertical and horizontal."""
        v, h = self.energies[:, 0], self.energies[:, 6]
        return v / np.where(v + h > 0, v + h, 1)

    def label(self, k: int) -> str:
        """Return what a figure says of filter ``k``."""
        group, share = self.groups[k], 100 * self.vertical[k]
        if group == "vertical":
            return f"vertical {share:.0f} %"
        if group == "horizontal":
            return f"horizontal {100 - share:.0f} %"
        if group == "slanted":
            # The edge runs at right angles to the direction across it; y points down in images.
            return "slanted " + ("\\" if self._best(k) > 90 else "/")
        return group

    def order(self) -> Array:
        """Return the filters' numbers, group by group; in each, the clearest first."""
        clear = {"vertical": self.vertical, "horizontal": 1 - self.vertical}
        keys = []
        for k, group in enumerate(self.groups):
            clearness = clear[group][k] if group in clear else self.energies[k].max()
            keys.append((GROUPS.index(group), -float(clearness), k))
        return np.array([k for *_, k in sorted(keys)])

    def _best(self, k: int) -> int:
        return int(ANGLES[self.energies[k].argmax()])


@asking
def edge_answers(weight: Array) -> EdgeAnswers:
    """Move a dark-bright edge through the window of every filter, in twelve directions.

    The answer ``r(t)`` to an edge at ``t`` is ``Σ w·sign(n·p - t)``, where ``p`` are the cells'
    places and ``n`` the direction across the edge; its energy is ``∫ r(t)² dt``. The mean of each
    channel's weights is subtracted first, because it responds to any edge with a bright side. Red,
    green and blue are measured separately and added up, so that edges of colour count as much as
    edges of brightness.

    A filter is ``"areas"`` if it answers more to an even white area than to any edge. It has ``"no
    direction"`` if the strongest answer and the weakest differ by less than a quarter of their sum,
    as those of a spot do. Otherwise it is ``"vertical"`` if two thirds or more of its answer to
    vertical and horizontal edges is to the vertical ones, ``"horizontal"`` if to the horizontal
    ones, and else ``"slanted"``.

    Parameters
    ----------
    weight : array (FN, C, FH, FW)

    Raises
    ------
    ShapeError
        If the array does not hold filters (FN, C, FH, FW).
    ArgumentError
        If they have a single cell, which has no direction.

    Examples
    --------
    >>> sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=float)
    >>> answers = edge_answers(np.stack([sobel, sobel.T, np.ones((3, 3))])[:, np.newaxis])
    >>> answers.groups, answers.vertical[:2].round(2).tolist()
    (('vertical', 'horizontal', 'areas'), [1.0, 0.0])
    """
    if weight.ndim != 4 or not weight.size:
        raise ShapeError(
            f"expects filters (FN, C, FH, FW), received {weight.shape}.", where="edge_answers"
        )
    fh, fw = weight.shape[2:]
    if fh == fw == 1:
        raise ArgumentError(
            "filters of 1x1 see one pixel, which has no edge. Choose another layer.",
            where="edge_answers",
        )
    w = weight.astype(np.float64)
    means = w.mean(axis=(2, 3), keepdims=True)
    area = fh * fw * np.sqrt((means**2).sum(axis=(1, 2, 3)))
    y, x = np.mgrid[:fh, :fw] - np.array([(fh - 1) / 2, (fw - 1) / 2]).reshape(2, 1, 1)
    measured = [_moved(w - means, x, y, float(angle)) for angle in ANGLES]
    energies = np.stack([energy for energy, _ in measured], axis=1)
    edge = np.max([peak for _, peak in measured], axis=0) / 2  # black and white are 2 apart there
    groups = tuple(
        "areas" if a > e else _group(row) for row, e, a in zip(energies, edge, area, strict=True)
    )
    return EdgeAnswers(energies, edge, area, groups)


def _moved(w: Array, x: Array, y: Array, angle: float) -> tuple[Array, Array]:
    """Return ``∫ r(t)² dt`` and the largest ``|r(t)|`` for each filter, over all its channels."""
    across = np.cos(np.radians(angle)) * x + np.sin(np.radians(angle)) * y
    reach = np.abs(across).max() + 1
    count = int(np.ceil(2 * reach * STEPS))
    t = (np.arange(count) + 0.5) / STEPS - count / (2 * STEPS)
    sides = np.sign(across - t.reshape(-1, 1, 1))
    answers = np.einsum("ochw,thw->oct", w, sides)
    squares = (answers**2).sum(axis=1)
    return squares.sum(axis=1) / STEPS, np.sqrt(squares.max(axis=1))


def _group(energies: Array) -> str:
    low, high = float(energies.min()), float(energies.max())
    if high - low <= DIRECTED * (high + low):
        return "no direction"
    v, h = float(energies[0]), float(energies[6])
    if v >= CLEAR * (v + h):
        return "vertical"
    return "horizontal" if h >= CLEAR * (v + h) else "slanted"
