"""The SIMD vocabulary: a tile of vector registers, and the few functions that act on it.

A *tile* is R rows of C vectors of `LANES` float32 each. It lives in registers: a loop that keeps
adding to one tile is what makes a product fast, because its sums never touch memory. All of them
take flat, C-contiguous float32 arrays with a position in each; none checks anything.

Arithmetic (arithmetic.py):

    t = zeros(R, C)                     every number 0
    u = lane_sums(t)                    lane c of u[r,0] is the sum over the lanes of t[r,c]
    u = row_sum(t)                      u[0,c] is the sum of t[:,c]
    t = add_row(t, b, j)                t[:,c] += b[j + c·LANES : + LANES]
    t = add_vector(t, b, j)             t[r,c] += b[j : + LANES]
    t + u, t - u, k * t                 elementwise

Products (products.py):

    t = outer(t, a, i, step, b, j)      t[r,:] += a[i + r·step] · b[j : j + C·LANES]
    t = outer_at(t, a, i, at, k, b, j)  t[r,:] += a[i + at[k + r]] · b[j : j + C·LANES]
    t = outer_run(.., b, j, q, n)       the sum of n: a[i + at[k + r] + m] · b[j + m·q : + C·LANES]
    t = outer_argmax(t, b, j, m, i, at, q, a, k)
                                        t[r,:] += b[j + r] · a[k + at[q + m[i + r]] : + C·LANES]
    t = add_scaled(t, a, i, b, j, p)    t[r,:] += a[i] · b[j + r·p : + C·LANES]
    t = inner(t, a, i, p, b, j, q)      t[r,c] += a[i + r·p : +LANES] · b[j + c·q : +LANES], by lane
    t = inner_first(.., q, n)           the same for the first n lanes

Products of channels, each with filters of its own or of its group (grouped.py):

    t = add_groups(t, u, m, n, b, j, p) t[r,c] += Σ_k u_k[0,c] · b[j + r·p + k·LANES : + LANES]
                                        for k < m; lane l of u_k is lane l // n · m + k of u
    t = slide(t, a, i, q, V, S, b, j, p, m, n, g, d)
                                        t[r,c] += Σ_kv u_k · b[j + r·p + (v·g + k)·LANES : ] for
                                        k < g, v < V, as in add_groups, of the vectors
                                        u = a[i + (c·S + v)·q : + LANES]; of the V // 2 pixels on
                                        each side, those before pixel m, and from pixel n on,
                                        count as zeros, unread
    t = slide_back(t, a, i, p, q, S, m, n, d)
                                        t[r,v·m+k] += Σ_c u_k · d[0,c], as in add_groups, of the
                                        vectors u = a[i + r·p + (c·S + v)·q : + LANES]

Selection (selection.py):

    t = relu(t)                         max(0, t); NaN stays NaN
    t = clip(t, p, q)                   min(max(t, p), q); NaN stays NaN
    t = larger(t, u)                    max(t, u), the first of equals; NaN is the largest
    t, a = keep_larger(t, a, u, k)      max(t, u), the first of equals; a = k where it is u
    u, a = largest(t, K)                the same of t[r::R/K,:], K rows; a = q where it is the q-th
    t = where_above_zero(t, u, k)       t where u > 0, else k
    t = where_equal(t, u, k)            t where u == k, else 0
    t = where_below(t, u, k)            t where u < k, else 0
    t = add_where_equal(t, b, j, m, i, k, n)  t[0,:] += b[j : j + n] where m[i : i + n] == k

Loads (loads.py); *within* means the first n numbers in the rows r < R and columns c < C:

    t = load(R, C, a, i, p, q)          t[r,c] = a[i + r·p + c·q : + LANES]
    t = load_within(.., q, R, C, n)     the same within, and zeros elsewhere
    t = load_rows_between(R, a, i, p, r, s, n)  t[q] = a[i + q·p : + n] for rows r <= q < s
    t = load_bytes_between(...)         the same from an array of bytes
    t = load_at(R, C, a, i, at, k, n)   t[r,:] = a[i + at[k + r] : + n], and zeros
    t = load_first(C, a, i, n)          t[0,:] = a[i : i + n], and zeros
    t = load_part(a, i, n)              one vector: a[i : i + n], and zeros
    t = load_bytes(a, i, n)             the same from an array of bytes

Stores (stores.py):

    store(t, y, i, step)                y[i + r·step : + C·LANES] = t[r,:]
    store_first(t, y, i, step, n)       y[i + r·step : + n] = t[r,:], and nothing after it
    store_at(t, y, i, at, k, n)         y[i + at[k + r] : + n] = t[r,:], and nothing after it
    store_rows(t, y, i, step, R, n)     as store_first for the rows r < R
    store_rows_at(t, y, i, at, k, R, n) as store_at for the rows r < R
    store_bytes(t, y, i, step, n)       as store_first into an array of bytes
    store_bytes_at(t, y, i, at, k, n)   as store_at into an array of bytes
    store_part(t, y, i, n)              y[i : i + n] = t[0,0], and nothing after it
    scatter(t, y, i, p, q)              y[i + r·p + c·q : + LANES] = t[r,c]
    store_within(t, .., q, R, C, n)     the same within, and nothing elsewhere
    store_bytes_within(...)             the same into an array of bytes
    add_rows_from(t, y, i, step, r, n)  y[i + s·step : + n] += t[s,:] for rows s >= r, one by one

Memory (memory.py):

    k = entry(a, i)                     a[i], a number, where i cannot be negative
    b = flat(a)                         all numbers of a, which may have several axes
    prefetch(y, i)                      fetch the cache line of y[i], soon to be written
    prefetch_row(C, a, i)               fetch those of a[i : i + C·LANES], soon to be read
    prefetch_tile(cache, R, C, a, i, p, q)
                                        fetch those of a[i + r·p + c·q]: into the NEAREST what is
                                        soon to be read, into the SECOND what is used later

Shuffles (shuffles.py):

    u = row(t, r)                       t[r,:], a tile of one row
    t = rows((u, v, ...))               a tile with these rows
    t = transpose(t)                    t[c,r] for t[r,c]
    t = interleave(t, u, r, n)          n rows of t[0], u[0], t[1], u[1], ..., from row r on
    t = strided(t, r, c)                t[r::2, c::2]
    t = transpose_lanes(t)              lane j of t[k,0] for lane k of t[j,0]; t has LANES rows
    t = interleave_lanes(t)             lane 0 of t[0,0], t[1,0], ..., then lane 1 of these, ...
    t = separate_lanes(t)               undoes that

Words (words.py), each a pair of numbers rounded to bfloat16, in the place of one float32:

    u = pairs(t, u)                     word l of [r,c]: numbers 2l, 2l + 1 of t[r,c], then u[r,c]
    t = outer_pairs(t, a, i, step, b, j)
                                        as outer, of words: the products of both halves are added
    t = outer_pairs_at(t, a, i, at, k, b, j)
                                        as outer_at, likewise

Bytes (bytes.py), four in a word, in tiles and arrays of float32 as they are:

    t = outer_bytes(t, a, i, step, b, j)
                                        as outer, of words: the products of four bytes are added as
                                        integers; those of a are 0 to 255, of b -128 to 127
    copy_bytes(a, i, y, j)              y[j : + 4·LANES] = a[i : + 4·LANES]
    t = codes(t, k, z)                  round(k·t) + z, from 0 to 255
    t = scaled(t, s, k, b, j)           (t[:,c] + s) · k + b of integers t and s, float32 k and b,
                                        each from j + c·LANES on

`outer` makes a matrix product of columns and rows, `inner` of rows and rows. Each is a Numba
intrinsic, which emits LLVM code; R and C are constants of the kernel that uses them.
"""

from __future__ import annotations

from .arithmetic import (
    add_in_order,
    add_row,
    add_vector,
    lane_sums,
    minus,
    plus,
    row_sum,
    times,
    zeros,
)
from .bytes import codes, copy_bytes, outer_bytes, scaled
from .grouped import (
    add_groups,
    slide,
    slide_back,
)
from .loads import (
    load,
    load_at,
    load_bytes,
    load_bytes_between,
    load_first,
    load_part,
    load_rows_between,
    load_within,
)
from .memory import (
    NEAREST,
    SECOND,
    entry,
    flat,
    prefetch,
    prefetch_row,
    prefetch_tile,
)
from .products import (
    add_scaled,
    inner,
    inner_first,
    outer,
    outer_argmax,
    outer_at,
    outer_run,
)
from .selection import (
    add_where_equal,
    clip,
    keep_larger,
    larger,
    largest,
    relu,
    where_above_zero,
    where_below,
    where_equal,
)
from .shuffles import (
    interleave,
    interleave_lanes,
    row,
    rows,
    separate_lanes,
    strided,
    transpose,
    transpose_lanes,
)
from .stores import (
    add_rows_from,
    scatter,
    store,
    store_at,
    store_bytes,
    store_bytes_at,
    store_bytes_within,
    store_first,
    store_part,
    store_rows,
    store_rows_at,
    store_within,
)
from .words import outer_pairs, outer_pairs_at, pairs

__all__ = [
    "NEAREST",
    "SECOND",
    "add_groups",
    "add_in_order",
    "add_row",
    "add_rows_from",
    "add_scaled",
    "add_vector",
    "add_where_equal",
    "clip",
    "codes",
    "copy_bytes",
    "entry",
    "flat",
    "inner",
    "inner_first",
    "interleave",
    "interleave_lanes",
    "keep_larger",
    "lane_sums",
    "larger",
    "largest",
    "load",
    "load_at",
    "load_bytes",
    "load_bytes_between",
    "load_first",
    "load_part",
    "load_rows_between",
    "load_within",
    "minus",
    "outer",
    "outer_argmax",
    "outer_at",
    "outer_bytes",
    "outer_pairs",
    "outer_pairs_at",
    "outer_run",
    "pairs",
    "plus",
    "prefetch",
    "prefetch_row",
    "prefetch_tile",
    "relu",
    "row",
    "row_sum",
    "rows",
    "scaled",
    "scatter",
    "separate_lanes",
    "slide",
    "slide_back",
    "store",
    "store_at",
    "store_bytes",
    "store_bytes_at",
    "store_bytes_within",
    "store_first",
    "store_part",
    "store_rows",
    "store_rows_at",
    "store_within",
    "strided",
    "times",
    "transpose",
    "transpose_lanes",
    "where_above_zero",
    "where_below",
    "where_equal",
    "zeros",
]
