"""Places for the boxes of a graph: columns by depth, and lanes for ways that run side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, pairwise
from typing import Any, NamedTuple

__all__ = ["Edge", "GraphLayout", "layout"]


class Edge(NamedTuple):
    """An edge from box to box that runs along a lane in the columns between them."""

    tail: int
    head: int
    lane: int


class GraphLayout(NamedTuple):
    """Where each box of a graph stands.

    Attributes
    ----------
    columns : dict of int to int
        Of each box: one more than the last of those it reads.
    lanes : dict of int to int
        Of each box: 0 is the trunk, -1 the lane above it, 1 the lane below it.
    edges : list of Edge
    breaks : list of int
        Columns after which a drawing may go on in a new row: one box alone is read across them.
    """

    columns: dict[int, int]
    lanes: dict[int, int]
    edges: list[Edge]
    breaks: list[int]

    def as_dict(self) -> dict[str, Any]:
        """Return it as lists, for a message."""
        return {
            "boxes": [[box, self.columns[box], self.lanes[box]] for box in self.columns],
            "edges": [list(edge) for edge in self.edges],
            "breaks": self.breaks,
        }


def layout(reads: Mapping[int, Sequence[int]]) -> GraphLayout:
    """Lay out boxes that read earlier ones; ``reads`` lists them in order, the first reads none.

    The longest way from the input to the last box is the trunk. Then the longest way that is left
    between two placed boxes gets the lane nearest to them that is free in all columns between, and
    so on: a layered drawing (Sugiyama, Tagawa and Toda 1981) of few lanes, in which ways without a
    box of their own, as that around a residual block, run above.

    Examples
    --------
    >>> found = layout({0: [], 1: [0], 2: [1], 3: [2, 0], 4: [3]})  # 3 adds 2 and 0
    >>> found.columns
    {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}
    >>> found.edges[-1], found.breaks
    (Edge(tail=0, head=3, lane=-1), [0, 3])
    """
    columns: dict[int, int] = {}
    for box, read in reads.items():
        columns[box] = 1 + max((columns[k] for k in read), default=-1)
    left = {(tail, head) for head, read in reads.items() for tail in read}
    lanes: dict[int, int] = {}
    edges: list[Edge] = []
    taken: dict[int, set[int]] = {}  # the columns of each lane
    while left:
        way = _longest(reads, columns, left, lanes)
        new = [box for box in way if box not in lanes]
        crossed = {*range(columns[way[0]] + 1, columns[way[-1]]), *(columns[box] for box in new)}
        start = lanes.get(way[0], 0)
        lane = _free(crossed, min(start, lanes.get(way[-1], start)), taken, below=bool(new))
        taken.setdefault(lane, set()).update(crossed)
        lanes.update(dict.fromkeys(new, lane))
        for tail, head in pairwise(way):
            left.discard((tail, head))
            edges.append(Edge(tail, head, lane))
    placed = {box: lanes.get(box, 0) for box in reads}
    return GraphLayout(columns, placed, edges, _breaks(columns, edges))


def _longest(
    reads: Mapping[int, Sequence[int]],
    columns: Mapping[int, int],
    left: set[tuple[int, int]],
    placed: Mapping[int, int],
) -> list[int]:
    """Return the way of the most boxes along edges that are left, from and to boxes with a place.

    Of equal ones, that over the fewest columns: others can pass above it. The first box, and those
    that nothing reads, count as boxes with a place.
    """
    longest: dict[int, list[int]] = {}  # that ends with each box
    whole: list[list[int]] = []
    ends = placed.keys() | (reads.keys() - {tail for read in reads.values() for tail in read})

    def size(way: list[int]) -> tuple[int, int]:
        return len(way), columns[way[0]] - columns[way[-1]]

    for head, read in reads.items():
        ways = [
            [*([tail] if tail in placed or not reads[tail] else longest[tail]), head]
            for tail in dict.fromkeys(read)
            if (tail, head) in left
        ]
        if ways:
            longest[head] = max(ways, key=size)
            if head in ends:
                whole.append(longest[head])
    return max(whole, key=size)


def _free(crossed: set[int], near: int, taken: Mapping[int, set[int]], *, below: bool) -> int:
    """Return the lane nearest to ``near`` that is free in these columns; perhaps one below it."""
    for away in count():
        for lane in (near - away, near + away)[: 1 + below]:
            if not crossed & taken.get(lane, set()):
                return lane
    raise AssertionError("count() does not end")


def _breaks(columns: Mapping[int, int], edges: Sequence[Edge]) -> list[int]:
    """Return the columns after which all edges come from one box."""
    tails: list[set[int]] = [set() for _ in range(max(columns.values()))]
    for tail, head, _ in edges:
        for column in range(columns[tail], columns[head]):
            tails[column].add(tail)
    return [column for column, each in enumerate(tails) if len(each) == 1]
