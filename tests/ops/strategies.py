"""What Hypothesis draws: how a window moves over an image, and arrays to move it over.

Everything drawn is allowed: strides, all forms of padding (also more of it than the window is
wide), dilation, groups, odd and even windows, batches of one, one channel, windows that do not fit
evenly. Arrays come from a drawn seed and are read-only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ops.witness import drawn, frozen
from pellucid.shapes import Misfit, Padding, Windows, slide

seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Geometry:
    """A window and an image that it fits on."""

    image: tuple[int, int]
    window: tuple[int, int]
    stride: int | tuple[int, int]
    padding: Padding
    dilation: int | tuple[int, int]
    misfit: Misfit

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of the ops."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "misfit": self.misfit,
        }

    @property
    def windows(self) -> Windows:
        """How the window moves; `slide` itself is tested in tests/test_shapes.py."""
        return slide(self.image, self.window, **self.options)

    @property
    def naive(self) -> dict[str, Any]:
        """The same for tests/naive.py: pairs, and the padding as four numbers."""
        windows = self.windows
        return {"stride": windows.stride, "pad": windows.padding, "dilation": windows.dilation}


@dataclass(frozen=True)
class Pooling:
    """A geometry with images (N, C, H, W) to pool."""

    geometry: Geometry
    n: int
    c: int
    seed: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        return self.n, self.c, *self.geometry.image

    def arrays(self, dtype: Any = np.float64) -> tuple[Any, Any]:
        """Return images ``x`` without two equal numbers, and ``dy``."""
        rng = np.random.default_rng(self.seed)
        # A maximum has no gradient where two are equal: steps far larger than any h.
        size = int(np.prod(self.shape))
        values = rng.permutation(size) * (4 / size) - 2 + 0.5 / size
        x = frozen(values.reshape(self.shape).astype(dtype))
        return x, drawn(rng, (self.n, self.c, *self.geometry.windows.output), dtype)


@dataclass(frozen=True)
class Convolution:
    """A geometry with images and filters."""

    geometry: Geometry
    n: int
    depth: int
    filters: int
    groups: int
    seed: int

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `conv2d`."""
        return {**self.geometry.options, "groups": self.groups}

    @property
    def naive(self) -> dict[str, Any]:
        """The keyword arguments of the oracle."""
        return {**self.geometry.naive, "groups": self.groups}

    def arrays(self, dtype: Any = np.float64) -> tuple[Any, Any, Any, Any]:
        """Return ``x``, ``w``, ``b`` and ``dy``."""
        rng = np.random.default_rng(self.seed)
        fn = self.filters * self.groups
        return (
            drawn(rng, (self.n, self.depth * self.groups, *self.geometry.image), dtype),
            drawn(rng, (fn, self.depth, *self.geometry.window), dtype),
            drawn(rng, (fn,), dtype),
            drawn(rng, (self.n, fn, *self.geometry.windows.output), dtype),
        )


def _one_or_two(least: int, most: int) -> st.SearchStrategy[int | tuple[int, int]]:
    number = st.integers(least, most)
    return number | st.tuples(number, number)


def _paddings(most: int) -> st.SearchStrategy[Padding]:
    number = st.integers(0, most)
    return st.one_of(
        number,
        st.tuples(number, number),
        st.tuples(number, number, number, number),
        st.sampled_from(["same", "valid"]),
    )


@st.composite
def geometries(
    draw: st.DrawFn,
    *,
    most_window: int = 4,
    most_stride: int = 3,
    most_padding: int = 5,
    most_dilation: int = 3,
    most_beyond: int = 5,
    misfits: tuple[Misfit, ...] = ("floor", "pad"),
) -> Geometry:
    """Draw a window, then an image at least as large as it needs."""
    window = draw(st.tuples(st.integers(1, most_window), st.integers(1, most_window)))
    stride, dilation = draw(_one_or_two(1, most_stride)), draw(_one_or_two(1, most_dilation))
    padding = draw(_paddings(most_padding))
    image = []
    for axis in (0, 1):
        d = dilation if isinstance(dilation, int) else dilation[axis]
        least = d * (window[axis] - 1) + 1 - _total(padding, axis)
        image.append(max(1, least) + draw(st.integers(0, most_beyond)))
    misfit = draw(st.sampled_from(misfits))
    return Geometry((image[0], image[1]), window, stride, padding, dilation, misfit)


@st.composite
def convolutions(
    draw: st.DrawFn, *, depths: tuple[tuple[int, int], ...] = (), **limits: Any
) -> Convolution:
    """Draw a convolution: a geometry, a batch, groups and their ``depths``, channels and filters.

    Where each pair of depths is a kernel to compile, a few may be named.
    """
    every = st.tuples(st.integers(1, 3), st.integers(1, 2))
    geometry, n = draw(geometries(**limits)), draw(st.integers(1, 3))
    depth, filters = draw(st.sampled_from(depths) if depths else every)
    return Convolution(geometry, n, depth, filters, draw(st.integers(1, 3)), draw(seeds))


@st.composite
def poolings(draw: st.DrawFn, **limits: Any) -> Pooling:
    """Draw a pooling of which every window sees at least one cell that is not padding."""
    limits = {"most_padding": 2, "most_dilation": 2, **limits}
    geometry = draw(geometries(**limits).filter(_sees_the_image_everywhere))
    return Pooling(geometry, draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(seeds))


def _total(padding: Padding, axis: int) -> int:
    if padding == "same":
        return 10**6  # as much as is needed
    if padding == "valid":
        return 0
    if isinstance(padding, int):
        return 2 * padding
    assert not isinstance(padding, str)
    if len(padding) == 2:
        return 2 * padding[axis]
    return padding[2 * axis] + padding[2 * axis + 1]


def _sees_the_image_everywhere(geometry: Geometry) -> bool:
    moves = geometry.windows
    for axis in (0, 1):
        for i in range(moves.output[axis]):
            first = moves.stride[axis] * i - moves.padding[axis][0]
            reads = [first + moves.dilation[axis] * u for u in range(moves.window[axis])]
            if not any(0 <= cell < moves.input[axis] for cell in reads):
                return False
    return True
