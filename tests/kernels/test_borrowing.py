"""A kernel counts no references to its arrays, and frees what it allocates."""

import re
from typing import NamedTuple

import numpy as np
import pytest
from numba import njit
from numba.core.runtime import _nrt_python, rtsys

import pellucid
from pellucid import nn
from pellucid.engine.warmup import kernels_of
from pellucid.kernels.jit import FOR_PYTHON, POLICY, inlined, kernel


class Pair(NamedTuple):
    first: np.ndarray
    second: np.ndarray


@inlined
def one_of(pair, k):
    """Return a number of one of the arrays, which a branch reads."""
    number = pair.first[k]
    if number < 0:
        number = pair.second[k]
    return number


@kernel
def part(pair, begin, end):
    total = 0.0
    for k in range(begin, end):
        total += one_of(pair, k)
    return total


@kernel
def sum_by_parts(pair, y):
    scratch = np.zeros(len(y), np.float32)
    for k in range(len(y)):
        both = Pair(scratch if pair.first[k] > 0 else pair.first, pair.second)
        scratch[k] = one_of(both, k) + part(pair, k, k + 1)
    y[:] = scratch


@kernel
def squares_in_turn(rounds, y):
    """Allocate in a loop, and keep the array of the round before."""
    before = np.zeros(1, np.int64)
    for k in range(rounds):
        now = np.full(1, k * k, np.int64)
        y[k] = now[0] + before[0]
        before = now


@kernel
def later_half(x):
    return x[len(x) // 2 :]


@kernel
def end_early(x):
    scratch = np.ones(1000, np.float32)
    if x[0] > 0:
        return 1.0
    return scratch.sum()


def calls_that_count(used) -> int:
    """Return how often the machine code of a kernel calls what counts references up."""
    compiled = njit(**POLICY, **FOR_PYTHON)(used.py_func)  # anew: code from the disk cannot be read
    compiled.compile(used.signatures[0])
    (code,) = compiled.inspect_asm().values()
    return len(re.findall(r"(?:movabsq\s+\$|callq?\s+)NRT_incref\b", code))


def test_arrays_are_borrowed():
    pair = Pair(np.array([1, -2, 3], np.float32), np.array([10, 20, 30], np.float32))
    y = np.empty(3, np.float32)
    sum_by_parts(pair, y)
    np.testing.assert_array_equal(y, [1, 40, 3])
    assert calls_that_count(sum_by_parts) == 0


def test_a_convolution_counts_no_references():
    plan = pellucid.engine.compile(nn.Sequential(nn.Conv2d(8, 8, 3, stride=2)), (8, 9, 9), 1)
    plan(np.ones((1, 8, 9, 9), np.float32))
    (used,) = (each for each in kernels_of(plan, training=False) if each.__name__ == "convolve")
    assert calls_that_count(used) == 0


def test_what_a_loop_allocates_lives_as_long_as_it_is_used():
    y = np.empty(50, np.int64)
    squares_in_turn(50, y)
    np.testing.assert_array_equal(y, [k * k + max(0, k - 1) ** 2 for k in range(50)])


def test_an_array_can_be_returned():
    half = later_half(np.arange(1000.0))
    again = [later_half(np.full(1000, -1.0)) for _ in range(20)]
    np.testing.assert_array_equal(half, np.arange(500.0, 1000.0))
    assert all((each == -1).all() for each in again)


@pytest.mark.parametrize("first", [1.0, -1.0])
def test_everything_is_freed(first):
    _nrt_python.memsys_enable_stats()

    def in_use() -> int:
        stats = rtsys.get_allocation_stats()
        return stats.mi_alloc - stats.mi_free

    x, y = np.array([first], np.float32), np.empty(9, np.int64)
    pair = Pair(np.ones(5, np.float32), np.ones(5, np.float32))
    end_early(x), squares_in_turn(9, y), sum_by_parts(pair, np.empty(5, np.float32))
    before = in_use()
    for _ in range(10):
        end_early(x), squares_in_turn(9, y), sum_by_parts(pair, np.empty(5, np.float32))
    assert in_use() == before
