"""Who waits for a kernel hears of it, once a kernel, and only while one is really compiled."""

from __future__ import annotations

import numba
import pytest

from pellucid.kernels.compiling import Compiling, watch
from pellucid.kernels.jit import kernel


@kernel
def kept(x):
    return x + 1


def fresh(depth=0):
    """Return a kernel that was never compiled before, made of as many others."""
    inner = fresh(depth - 1) if depth else abs

    @numba.njit
    def outer(x):
        return inner(x)

    return outer


def test_each_kernel_is_told_once_with_its_name_and_number():
    told = []
    first, second = fresh(), fresh(depth=3)
    with watch(told.append):
        assert first(-1) == second(-2) - 1 == 1
        assert first(-1) == 1
    assert told == [Compiling("outer", 1), Compiling("outer", 2)]
    assert [str(news) for news in told] == [
        "compiling kernels (first run on this machine) 1",
        "compiling kernels (first run on this machine) 2",
    ]


def test_a_kernel_that_comes_from_the_disk_is_not_told():
    kept(1)
    told = []
    with watch(told.append):
        again = kernel(kept.py_func)
        assert again(1) == 2
    assert told == []


def test_kernels_that_are_ready_count_as_done():
    told = []
    kernels = [fresh() for _ in range(4)]
    kernels[0](-1)
    with watch(told.append, kernels):
        for each in kernels[1:]:
            each(-1)
        fresh()(-1)  # one that nobody expected
    assert [(news.number, news.total) for news in told] == [(2, 4), (3, 4), (4, 4), (4, 4)]
    assert str(told[0]) == "compiling kernels (first run on this machine) 2/4"


def test_the_number_never_exceeds_the_total():
    told = []
    with watch(told.append, []):
        fresh()(-1)
        fresh()(-1)
    assert [(news.number, news.total) for news in told] == [(1, 1), (1, 2)]


def test_nothing_is_told_after_the_block_also_if_it_fails():
    told = []
    with pytest.raises(KeyError), watch(told.append):
        raise KeyError
    fresh()(-1)
    assert told == []


def test_a_listener_that_fails_stops_the_compilation_and_no_later_one():
    def interrupt(news):
        raise KeyboardInterrupt

    one = fresh()
    with pytest.raises(KeyboardInterrupt), watch(interrupt):
        one(-1)
    assert one(-1) == 1
