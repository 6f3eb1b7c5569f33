"""What convolutions cost: estimates for a choice between algorithms.

Work is counted in products, of which a core makes two vectors a cycle; what is no product, in those
that take as long. The numbers are measured, with one thread on vectors of 16.
"""

from __future__ import annotations

import math

from ....kernels.convolution.geometry import sliding
from ....kernels.convolution.patches import patch_count, patches
from ....kernels.convolution.tiles import whole_vectors
from ....kernels.convolution.winograd_transforms import PATCH, PLACES
from ....shapes import Windows

__all__ = ["direct_work", "patches_of", "winograd_work"]

OF_PATCH = 10  # filters whose products with a patch take as long as its transform, a channel
OF_FILTER = 5  # patches whose products with a filter take as long as its transform
BETWEEN = 1.12  # times as long as its products a direct convolution takes, between tiles


def patches_of(windows: Windows) -> int:
    """Return the number of patches of 6x6 pixels that an image makes, for square windows.

    >>> from pellucid.shapes import slide
    >>> patches_of(slide((14, 14), 3, padding=1)), patches_of(slide((7, 7), 5, padding=2))
    (16, 16)
    """
    outputs = PATCH + 1 - windows.window[0]
    return patch_count(patches(sliding(windows, 1, 1), windows.dilation, outputs, 1, 1))


def winograd_work(windows: Windows, channels: int, filters: int, batch: int) -> float:
    """Return the work of Winograd's convolution, or of a group, transforms of filters included."""
    count, lanes = batch * patches_of(windows), whole_vectors(channels) + whole_vectors(filters)
    products = channels * whole_vectors(filters) * (count + OF_FILTER)
    return PLACES * (products + OF_PATCH * count * lanes)


def direct_work(windows: Windows, channels: int, filters: int, batch: int) -> float:
    """Return the work of a direct convolution, or of a group."""
    places = batch * math.prod(windows.output)
    return BETWEEN * math.prod(windows.window) * channels * whole_vectors(filters) * places
