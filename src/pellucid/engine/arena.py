"""One allocation for all buffers of a plan, in which those that are not used at once overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .lives import Life, Span

__all__ = ["offsets"]

LINE = 64  # bytes of a cache line


def offsets(sizes: Sequence[int], lives: Sequence[Life]) -> tuple[list[int], int]:
    """Return where buffers of these ``sizes`` lie, aligned to cache lines, and the bytes of all.

    The largest buffer is placed first, and each at the lowest place where nothing lies that is in
    use at one of its times (Pisarchyk & Lee 2020, "Efficient memory management for deep neural net
    inference", section 5.2: greedy by size).

    Examples
    --------
    >>> offsets([100, 64, 30], [Life(((0, 1),)), Life(((1, 2),)), Life(((2, 3),))])
    ([0, 128, 0], 192)
    """
    places = [0] * len(sizes)
    order = sorted(range(len(sizes)), key=lambda k: -sizes[k])
    spans: list[Span] = [span for k in order for span in lives[k].spans]
    begins, ends = (np.array([span[side] for span in spans], np.int64) for side in (0, 1))
    starts, stops = np.zeros((2, len(spans)), np.int64)
    done = total = 0
    for k in order:
        own = range(done, done + len(lives[k].spans))
        at = np.zeros(done, np.bool_)
        for begin, end in lives[k].spans:
            at |= (begins[:done] <= end) & (ends[:done] >= begin)
        taken = np.flatnonzero(at)
        size, place = -(-sizes[k] // LINE) * LINE, 0
        for other in taken[np.argsort(starts[taken], kind="stable")]:
            if starts[other] >= place + size:
                break
            place = max(place, int(stops[other]))
        places[k] = place
        starts[own], stops[own] = place, place + size
        done, total = own.stop, max(total, place + size)
    return places, total
