"""The one place that decides which algorithm serves a convolution."""

from __future__ import annotations

from typing import Any

from ....distributed import Share
from ....kernels.convolution.geometry import adjoint, sliding, through
from ....kernels.convolution.panels import WIDTH
from ....kernels.convolution.winograd_transforms import PATCH
from ....kernels.jit import LANES
from ....shapes import Windows
from .algorithms import MOST_PATCHES, Col2im, Direct, FewChannels, PooledCol2im, Winograd, round_up
from .cost import PACKED, READ, TRANSFORMED, direct_work, patches_of, winograd_work
from .filter_gradients import DirectGradient, PooledGradient, WinogradGradient
from .grouped import Grouped, GroupedGradient, is_narrow
from .products import Product, ProductGradient, is_product, places, rounding_pays
from .rounded import RoundedDirect, rounding_halves, rows_pair
from .wide_winograd import WideWinograd, WideWinogradGradient

__all__ = ["filter_gradient", "input_gradient", "output"]

LARGE = 2**15  # numbers of channels times filters: the transformed ones leave the caches
FEW_FOR_WINOGRAD = 12  # channels: below that, the vectors of the transforms are mostly empty
SIDES = (2, 3, 4, 5)  # of windows whose patches have several outputs
FEW = 3  # channels up to which vectors along the windows pay
LARGE_WINDOW = 100  # cells that make up for the scattered pixels of a stride


def output(
    windows: Windows, channels: int, filters: int, groups: int, pool: int,
    batch: int = MOST_PATCHES, precision: str = "float32", *, frozen: bool = False,
) -> Any:  # fmt: skip
    """Return what computes a convolution's output, with max pooling if it has.

    The factors of its products may be rounded to a ``precision``, and are where that is faster.
    ``frozen`` filters are packed only once.
    """
    if is_narrow(channels, filters, groups) and pool == 1:
        return Grouped(windows, channels, filters, groups)
    if is_product(windows, groups, pool, batch):
        precision = precision if rounding_pays(channels, filters) else "float32"
        return Product(places(windows), channels, filters, batch, back=False, precision=precision)
    s = sliding(windows, channels, filters, groups, pool)
    if _winograd_pays(windows, channels, filters, groups, pool, batch, frozen=frozen):
        few = not frozen and _patches_are_less(windows, filters, groups, batch)
        if few or _is_wide(channels, filters, groups):
            return WideWinograd(s, windows, pool, batch, flip=False)
        return Winograd(s, windows, pool, flip=False)
    if precision == "bf16" and rounding_halves(channels, filters, groups):
        return RoundedDirect(windows, channels, filters, pool, batch)
    return Direct(windows, channels, filters, groups, pool)


def input_gradient(
    windows: Windows, channels: int, filters: int, groups: int, pool: int,
    batch: int = MOST_PATCHES, precision: str = "float32",
) -> Any:  # fmt: skip
    """Return what computes dx from dy: the convolution of dz with the flipped filters."""
    if is_narrow(channels, filters, groups) and pool == 1:
        return Grouped(windows, channels, filters, groups, back=True)
    if is_product(windows, groups, pool, batch):
        precision = precision if rounding_pays(channels, filters) else "float32"
        return Product(places(windows), channels, filters, batch, back=True, precision=precision)
    s = adjoint(windows, channels, filters, groups, pool)
    if _winograd_pays(windows, filters, channels, groups, pool, batch):
        few = _patches_are_less(windows, channels, groups, batch)
        if few or _is_wide(channels, filters, groups):
            return WideWinograd(s, windows, 1, batch, flip=True)
        return Winograd(s, windows, 1, flip=True)
    if pool > 1:
        return PooledCol2im(windows, channels, filters, groups, pool)
    if groups == 1 and _few_channels_pay(windows, channels):
        return FewChannels(windows, channels, filters)
    if channels // groups < LANES:
        return Col2im(windows, channels, filters, groups)
    if precision == "bf16" and rounding_halves(channels, filters, groups):
        return RoundedDirect(windows, channels, filters, 1, batch, back=True)
    return Direct(windows, channels, filters, groups, back=True)


def filter_gradient(
    windows: Windows, channels: int, filters: int, groups: int, pool: int,
    batch: int = MOST_PATCHES, share: Share | None = None, precision: str = "float32",
) -> Any:  # fmt: skip
    """Return what computes the gradients of filters and bias.

    ``share`` says which images of a ``batch`` this process has; all by default.
    """
    share = share or Share()
    if pool > 1:  # which leaves no more products than Winograd's, and no transforms
        return PooledGradient(windows, channels, filters, groups, pool, share, batch)
    if is_narrow(channels, filters, groups):
        return GroupedGradient(windows, channels, filters, groups, share, batch)
    if is_product(windows, groups, pool, batch):
        precision = precision if rounding_pays(channels, filters) else "float32"
        return ProductGradient(places(windows), channels, filters, share, precision)
    s, d = sliding(windows, channels, filters, groups), through(windows, filters)
    if _winograd_gradient_pays(windows, channels, filters, groups, batch):
        few = _patches_are_fewer(windows, channels, filters, batch, share.chunks)
        if groups == 1 and (few or _is_wide(channels, filters, groups)):
            return WideWinogradGradient(s, d, windows, share, batch)
        return WinogradGradient(s, d, windows, share, batch)
    precision = precision if rows_pair(windows, channels, filters, groups) else "float32"
    return DirectGradient(s, windows, share, batch, precision)


def _few_channels_pay(windows: Windows, channels: int) -> bool:
    """Return whether dx is faster with vectors along the windows, by measurement.

    For one channel they are 1.1 to 3 times as fast as `Col2im`, for two or three with stride 1 0.9
    to 3 times. With a stride, each channel costs as much as a plane of pixels a stride apart.
    """
    if channels == 1:
        return True
    large = windows.window[0] * windows.window[1] >= LARGE_WINDOW
    return channels <= FEW and (windows.stride == (1, 1) or large)


def _winograd_pays(
    windows: Windows, channels: int, filters: int, groups: int, pool: int, batch: int,
    *, frozen: bool = False,
) -> bool:  # fmt: skip
    """Return whether Winograd's 36 products for a patch stand for enough of the usual ones.

    Of a convolution from ``channels`` to ``filters``, which is the adjoint for dx.
    """
    if not _winograd_serves(windows, channels, filters, groups, pool):
        return False
    of = windows, channels // groups, filters // groups, batch
    if frozen:
        return winograd_work(*of) < direct_work(*of)
    made = filters // groups
    if _patches_are_less(windows, filters, groups, batch):  # which go with whole panels
        made = round_up(made, WIDTH)
    work = winograd_work(windows, channels // groups, made, batch, TRANSFORMED)
    return work < direct_work(*of, PACKED)


def _winograd_gradient_pays(
    windows: Windows, channels: int, filters: int, groups: int, batch: int
) -> bool:
    """Return whether Winograd's gradient of the filters has less work than the direct one.

    Without groups both write or transform sums for each chunk, which takes as long: only what is
    done for patches and windows counts.
    """
    if not _winograd_serves(windows, channels, filters, groups, 1):
        return False
    of = windows, channels // groups, filters // groups, batch
    return winograd_work(*of, 0 if groups == 1 else READ) < direct_work(*of)


def _winograd_serves(windows: Windows, channels: int, filters: int, groups: int, pool: int) -> bool:
    """Return whether patches have several outputs, and the vectors of their transforms are full."""
    side, outputs = windows.window[0], PATCH + 1 - windows.window[0]
    if windows.window != (side, side) or side not in SIDES or windows.stride != (1, 1):
        return False
    # The outputs of a pooling window are in one patch, and beside each other.
    pooled = pool == 1 or (pool == 2 and outputs % 2 == 0 and windows.dilation == (1, 1))
    depths = channels // groups, filters // groups
    return min(depths) >= FEW_FOR_WINOGRAD and pooled


def _is_wide(channels: int, filters: int, groups: int) -> bool:
    """Return whether Winograd's filters leave the caches once they are transformed."""
    return groups == 1 and channels * filters >= LARGE


def _patches_are_less(windows: Windows, filters: int, groups: int, batch: int) -> bool:
    """Return whether transformed patches are fewer numbers than transformed filters.

    Only one of the two need be written, for each channel 36 numbers of a patch or of a filter.
    """
    return groups == 1 and batch * patches_of(windows) < filters


def _patches_are_fewer(
    windows: Windows, channels: int, filters: int, batch: int, chunks: int
) -> bool:
    """Return whether transformed patches are fewer numbers than sums over chunks of images.

    By measurement: 3x3 from 128 to 128 channels of 28x28, 8 images, are 100,000 numbers to 131,000
    sums, and take 0.84 of the time; from 64 to 96 channels, 63,000 to 49,000, 1.2 times as long.
    """
    numbers = batch * patches_of(windows) * (channels + filters)
    return numbers < chunks * channels * filters
