"""Filters (F, C/groups, FH, FW) as the kernels read them, and their gradient in that shape.

C-contiguous float32 arrays; the packed ones are zero where a tile is wider than the filters.
"""

from __future__ import annotations

from ...typing import Array
from ..jit import inlined, kernel
from ..pool.threads import share
from ..tree import add_chunks

__all__ = ["pack", "pack_rows", "unpack"]


@kernel
def pack(w: Array, groups: int, flip: bool, per_vector: int, step: int, out: Array) -> None:
    """Write the filters into ``out`` (groups, FH, FW, C, F), as `direct.forward` reads them.

    With ``flip``, write those of the adjoint: rotated by half a turn, filters and channels
    exchanged. The filters are repeated for each of the windows that share a vector, each copy
    shifted by ``step`` columns.
    """
    per_group, fh, fw = len(w) // groups, w.shape[2], w.shape[3]
    for g in range(groups):
        own = w[g * per_group : (g + 1) * per_group]
        for copy in range(per_vector):
            for u in range(fh):
                for v in range(fw):
                    cell = out[g, u, copy * step + v]
                    if flip:
                        _pack_flipped(own, fh - 1 - u, fw - 1 - v, cell, copy)
                    else:
                        _pack_cell(own, u, v, cell, copy)


@inlined
def _pack_cell(w: Array, u: int, v: int, cell: Array, copy: int) -> None:
    filters, channels = w.shape[:2]
    for c in range(channels):
        for f in range(filters):
            cell[c, copy * filters + f] = w[f, c, u, v]


@inlined
def _pack_flipped(w: Array, u: int, v: int, cell: Array, copy: int) -> None:
    filters, channels = w.shape[:2]
    for f in range(filters):
        for c in range(channels):
            cell[f, copy * channels + c] = w[f, c, u, v]


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
