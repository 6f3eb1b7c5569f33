"""What convolutions cost: estimates for a choice between algorithms.

Work is counted in products, of which a core makes two vectors a cycle; what is no product, in those
that take as long. The numbers are measured, with one thread on vectors of 16.

In training the filters are others in each step, so that they are packed or transformed for each
pass, of one image as well as of a hundred. Frozen ones are only read.
"""

from __future__ import annotations

import math

from ....kernels.convolution.geometry import sliding
from ....kernels.convolution.patches import patch_count, patches
from ....kernels.convolution.tiles import whole_vectors
from ....kernels.convolution.winograd_transforms import PATCH, PLACES
from ....shapes import Windows

__all__ = ["PACKED", "READ", "TRANSFORMED", "direct_work", "patches_of", "winograd_work"]

OF_PATCH = 10  # filters whose products with a patch take as long as its transform, a channel
READ = 5  # patches whose products with a filter take as long as to read it transformed
TRANSFORMED = 20  # the same, where it is also packed and transformed
PACKED = 20  # windows whose products with a number of a filter take as long as to pack it
BETWEEN = 1.12  # times as long as its products a direct convolution takes, between tiles


def patches_of(windows: Windows) -> int:
    """Return the number of patches of 6x6 pixels that an image makes, for square windows.

    >>> from pellucid.shapes import slide
    >>> patches_of(slide((14, 14), 3, padding=1)), patches_of(slide((7, 7), 5, padding=2))
    (16, 16)
    """
    outputs = PATCH + 1 - windows.window[0]
    return patch_count(patches(sliding(windows, 1, 1), windows.dilation, outputs, 1, 1))


def winograd_work(
    windows: Windows, channels: int, filters: int, batch: int, of_filter: int = READ
) -> float:
    """Return the work of Winograd's convolution, or of a group.

    What is done for each filter takes as long as its products with ``of_filter`` patches.
    """
    count, lanes = batch * patches_of(windows), whole_vectors(channels) + whole_vectors(filters)
    products = channels * whole_vectors(filters) * (count + of_filter)
    return PLACES * (products + OF_PATCH * count * lanes)


def direct_work(
    windows: Windows, channels: int, filters: int, batch: int, of_number: int = 0
) -> float:
    """Return the work of a direct convolution, or of a group.

    What is done for each number of a filter takes as long as its products with ``of_number``
    windows.
    """
    places = BETWEEN * batch * math.prod(windows.output) + of_number
    return math.prod(windows.window) * channels * whole_vectors(filters) * places
