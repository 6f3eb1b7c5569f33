"""What ranks agree on: errors, facts, turns."""

from pellucid.distributed.agreement import places

from .ranks import needs_mpi, on_ranks

START = """
import platform, sys, time
import pytest
from pellucid.distributed import agreed, in_turns, require_same, world
from pellucid.errors import ArgumentError, DataNotFoundError, RanksError, renamed
world = world()
r, n = world.rank, world.size
def refuse(*ranks, text="no folder"):
    if r in ranks:
        raise DataNotFoundError(f"there is {text}; give {{folder}}.", where="data",
                                arguments={"folder": ...})
    return r
"""

AGREE = f"""{START}
assert agreed(world, lambda: r) == r

with pytest.raises(DataNotFoundError) as failed:  # alike on all ranks: as it is
    agreed(world, lambda: refuse(0, 1, 2, 3))
assert str(failed.value) == "data: there is no folder; give folder=....", failed.value

with pytest.raises(RanksError) as failed, renamed(data="--data", folder="--out"):
    agreed(world, lambda: refuse(2))
assert str(failed.value) == "rank 2 of 4: --data: there is no folder; give --out.", failed.value
assert (failed.value.__cause__ is not None) == (r == 2)

with pytest.raises(RanksError, match=r"^ranks 1 and 3 of 4: data: there is rank 0's;"):
    agreed(world, lambda: refuse(1, 3, text="rank 0's"))

with pytest.raises(RanksError, match=r"^ranks 0 and 2 of 4: data: there is 0;"):  # others differ
    agreed(world, lambda: refuse(r, text=str(r % 2)))

def full():
    raise OSError(28, "No space left on device", "/data/x")
with pytest.raises(RanksError, match=r"^rank 3 of 4: '/data/x': No space left on device\\.$"):
    agreed(world, full if r == 3 else lambda: 0)

def faulty():
    raise KeyError("x")  # a fault keeps its traceback where it happened
with pytest.raises(KeyError if r == 1 else RanksError, match="'x'"):
    agreed(world, faulty if r == 1 else lambda: 0)

with pytest.raises(RanksError, match=r"^rank 2 of 4: data: "):  # within another
    agreed(world, lambda: agreed(world, lambda: refuse(2)))
assert world.gather(r) == [0, 1, 2, 3]
"""

FACTS = f"""{START}
require_same(world, {{"numpy": "2.1", "seed": 3}})
with pytest.raises(ArgumentError) as failed:
    more = {{"x": 1}} if r == 3 else {{}}
    require_same(world, {{"numpy": "2.1" if r else "2.0", "seed": 3, **more}})
assert str(failed.value).startswith(
    "ranks: all ranks must have the same; these differ: numpy is '2.0' on rank 0 of 4, and '2.1' "
    "on ranks 1 to 3 of 4; x is missing on ranks 0 to 2 of 4, and 1 on rank 3 of 4. "
), failed.value
require_same(world, {{"loss": float("nan")}})
assert world.gather(str(failed.value)) == [str(failed.value)] * 4
"""

TURNS = f"""{START}
platform.node = lambda: "abba"[r]
def timed(work=lambda: r):
    begun = time.perf_counter()
    done = work()
    time.sleep(0.05)
    spans.append((begun, time.perf_counter()))
    return done
spans = []
assert in_turns(world, timed) == r
(first, *_), (second, *_), (third, *_), (fourth, *_) = world.gather(spans)
assert first[1] <= min(second[0], fourth[0])  # rank 0 alone
assert max(second[1], fourth[1]) <= third[0]  # the rest

spans = []
with pytest.raises(RanksError, match=r"^rank 1 of 4 \\(on host b\\): data: there is "):
    in_turns(world, lambda: timed(lambda: refuse(1, 2)))
assert len(spans) == (r in (0, 3))  # the next ones did not begin
with pytest.raises(RanksError, match=r"^rank 0 of 4 \\(on host a\\): data: "):
    in_turns(world, lambda: refuse(0))

platform.node = lambda: "one"
with pytest.raises(RanksError, match=r"^data: "):
    in_turns(world, lambda: refuse(0, 1, 2, 3))
"""


@needs_mpi
def test_what_fails_on_any_rank_fails_on_all_and_names_the_rank():
    on_ranks(4, AGREE)


@needs_mpi
def test_facts_that_differ_and_turns_that_fail_are_told_on_all_ranks():
    on_ranks(4, FACTS + TURNS.removeprefix(START))


def test_ranks_are_named_shortly():
    hosts = [f"node{k // 4}" for k in range(32)]
    assert places([5], hosts) == "rank 5 of 32 (on host node1)"
    assert places([0, 1, 2, 7, 9, 10], hosts) == (
        "ranks 0 to 2, 7, 9 and 10 of 32 (on hosts node0, node1 and node2)"
    )
    assert places(range(32), hosts).endswith("(on hosts node0, node1, node2 and 5 others)")
    assert places([1, 2, 3], ["a"] * 4) == "ranks 1 to 3 of 4"
