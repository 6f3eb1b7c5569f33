"""The one place that decides which algorithm serves a convolution."""

from __future__ import annotations

from typing import Any

from ....kernels.convolution.geometry import adjoint, flipped, sliding, through
from ....kernels.jit import LANES
from ....shapes import Windows
from .algorithms import PATCHES, Direct, GivingBack, WinnersGivingBack, Winograd, up
from .filter_gradients import DirectGradient, WinnersGradient, WinogradGradient

__all__ = ["filter_gradient", "input_gradient", "output"]

LARGE = 2**15  # numbers of channels times filters: the transformed ones leave the caches
FEW = 12  # channels: below that, the vectors of the transforms are mostly empty


def output(
    windows: Windows, channels: int, filters: int, groups: int, pool: int, batch: int = PATCHES
) -> Any:
    """Return what computes a convolution's output, with max pooling if it has."""
    s = sliding(windows, channels, filters, groups, pool)
    if _winograd_pays(windows, channels, filters, groups, pool, batch):
        return Winograd(s, windows, pool, flip=False)
    return Direct(s, windows, pool, flip=False)


def input_gradient(
    windows: Windows, channels: int, filters: int, groups: int, pool: int, batch: int = PATCHES
) -> Any:
    """Return what computes dx from dy: the convolution of dz with the flipped filters."""
    s = adjoint(windows, channels, filters, groups, pool)
    if _winograd_pays(windows, channels, filters, groups, pool, batch):
        return Winograd(s, windows, 1, flip=True)
    if pool > 1:
        return WinnersGivingBack(windows, channels, filters, groups, pool)
    if windows.stride != (1, 1) or channels // groups < LANES:
        return GivingBack(windows, channels, filters, groups)
    return Direct(s, flipped(windows), 1, flip=True)


def filter_gradient(
    windows: Windows, channels: int, filters: int, groups: int, pool: int, batch: int = PATCHES
) -> Any:
    """Return what computes the gradients of filters and bias."""
    if pool > 1:  # which leaves no more products than Winograd's, and no transforms
        return WinnersGradient(windows, channels, filters, groups, pool)
    s, d = sliding(windows, channels, filters, groups), through(windows, filters)
    if _winograd_pays(windows, channels, filters, groups, pool, batch):
        return WinogradGradient(s, d)
    return DirectGradient(s, d, windows)


def _winograd_pays(
    windows: Windows, channels: int, filters: int, groups: int, pool: int, batch: int
) -> bool:
    """Return whether Winograd's 36 products stand for enough of the usual ones."""
    plain = (windows.window, windows.stride, windows.dilation, groups) == (
        (3, 3),
        (1, 1),
        (1, 1),
        1,
    )
    if not plain or min(channels, filters) < FEW or pool > 2:
        return False
    oh, ow = windows.output
    cells = up(oh, 4) * up(ow, 4)
    # Filters grow fourfold: large ones must serve many patches, once read.
    few = batch * cells < 16 * PATCHES and channels * filters > LARGE
    return cells < 2 * oh * ow and not few
