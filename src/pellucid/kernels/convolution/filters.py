"""Filters (F, C/groups, FH, FW) as the kernels read them, and their gradient in that shape.

C-contiguous float32 arrays; the packed ones are zero where a tile is wider than the filters.
"""

from __future__ import annotations

from ...typing import Array
from ..jit import LANES, inlined, kernel
from ..pool.threads import share
from ..simd import flat, load_within, store_rows_at, transpose_lanes
from ..tree import add_chunks

__all__ = ["pack", "pack_rows", "unpack"]


@kernel
def pack(queue: Array, w: Array, groups: int, back: bool, place: Array, out: Array) -> None:
    """Write the filters (F, C/groups, cells) into ``out``, as `direct.forward` reads them.

    ``out`` is (groups, tiles, rows, numbers of a tile), with a row for each number that a window
    reads: all that a tile of filters needs lies together. ``place`` (copies, ...) says at which
    row each number of a filter begins; there is a copy of the filters for each of the windows that
    share a vector. With ``back``, filters and channels are exchanged, as in the adjoint: ``place``
    is that of the cells of filter 0, and those of the next one follow. A task is a tile.
    """
    count, channels, cells = w.shape
    _, tiles, rows, width = out.shape
    per_group, weights, packed = count // groups, flat(w), flat(out)
    for task in share(queue):
        g, first, to = task // tiles, task % tiles * width, task * rows * width
        for copy in range(len(place)):
            if back:
                begin = g * per_group * channels + first
                for f in range(per_group):
                    _transpose_to(
                        weights, (begin + f * channels) * cells, min(width, channels - first),
                        cells, cells, place[copy], packed, to + f * width,
                    )  # fmt: skip
            else:
                _transpose_to(
                    weights, (g * per_group + first) * channels * cells,
                    min(width, per_group - first), channels * cells, channels * cells, place[copy],
                    packed, to + copy * per_group,
                )  # fmt: skip


@inlined
def _transpose_to(
    x: Array, i: int, count: int, pitch: int, columns: int, place: Array, y: Array, to: int
) -> None:
    """Write the matrix ``x[i:]`` (count, columns) transposed: column k to ``y[to + place[k]:]``."""
    for r in range(0, count, LANES):
        for k in range(0, columns, LANES):
            t = load_within(LANES, 1, x, i + r * pitch + k, pitch, 0, count - r, 1, columns - k)
            store_rows_at(transpose_lanes(t), y, to + r, place, k, columns - k, count - r)


@kernel
def pack_rows(w: Array, groups: int, out: Array) -> None:
    """Write the filters into ``out`` (groups, FH, FW, F, C), as `col2im` reads them: by runs.

    If a run is a whole row of the window, ``out`` is (groups, FH, 1, F, FW·C).
    """
    filters, channels, fh, fw = w.shape
    per_group, whole_rows = filters // groups, out.shape[2] == 1
    for g in range(groups):
        for f in range(per_group):
            for u in range(fh):
                for v in range(fw):
                    run, first = (0, v * channels) if whole_rows else (v, 0)
                    for c in range(channels):
                        out[g, u, run, f, first + c] = w[g * per_group + f, c, u, v]


@kernel
def unpack(queue: Array, sums: Array, shape: tuple[int, int, int], dw: Array) -> None:
    """Add up the chunks' ``sums`` into ``dw`` (F, C/groups, FH, FW).

    ``sums`` (chunks, groups · FH · FW · C · F) are packed as by `pack`; ``shape`` is (groups,
    C/groups, F as it is packed). A task is a channel of a group.
    """
    groups, channels, width = shape
    per_group, fh, fw = len(dw) // groups, dw.shape[2], dw.shape[3]
    for task in share(queue):
        g, c = task // channels, task % channels
        for u in range(fh):
            for v in range(fw):
                first = (((g * fh + u) * fw + v) * channels + c) * width
                add_chunks(sums, first, first + per_group)
                for f in range(per_group):
                    dw[g * per_group + f, c, u, v] = sums[0, first + f]
