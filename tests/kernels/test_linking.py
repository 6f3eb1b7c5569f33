"""Functions that a kernel calls: part of it, and still callable by everyone else."""

from __future__ import annotations

import gc
import math

import numba
import numpy as np
import pytest
from numba.core import event
from numba.core.caching import NullCache

from pellucid.kernels.jit import LANES, kernel, widest_vectors


@numba.njit
def half(x):
    return x / 2


@kernel
def total(x):
    if len(x) == 0:
        raise ValueError("no numbers")
    return half(x.sum())


@kernel
def mean(x):
    return 2 * total(x) / len(x)


@numba.njit
def rounded(x):
    return math.floor(mean(x))


X = np.array([1.0, 2.0, 4.5])


def test_what_a_kernel_calls_is_called_from_python_too_whichever_comes_first():
    assert mean(X) == 2.5
    assert total(X) == 3.75
    assert half(3.0) == 1.5  # a type for which the kernel has compiled it already
    assert half(3) == 1.5
    assert rounded(X) == 2
    assert mean(X.astype(np.float32)) == 2.5


def test_an_error_in_what_a_kernel_calls_reaches_python():
    with pytest.raises(ValueError, match=r"^no numbers$"):
        mean(X[:0])
    assert mean(X) == 2.5


@kernel
def scaled(x, factor):
    return x[0] * factor


@kernel
def many_times(x):
    n = len(x)
    return scaled(x, n) + scaled(x, 2) + scaled(x, factor=3)


def test_a_number_in_a_call_compiles_no_kernel_once_more():
    many_times._cache = NullCache()  # it is not to come from the disk
    with event.install_recorder("numba:compile") as recorder:
        assert many_times(X) == 8.0
    begun = [each for _, each in recorder.buffer if each.is_start]
    assert [each.data["dispatcher"].py_func.__name__ for each in begun] == ["many_times", "scaled"]


def test_garbage_is_collected_after_a_compilation_as_before():
    assert gc.isenabled()

    @kernel
    def broken(x):
        return x.there_is_no_such_thing

    with pytest.raises(numba.TypingError):
        broken(X)
    assert gc.isenabled()
    gc.disable()
    try:
        assert mean(X.astype(np.int64)) == pytest.approx(7 / 3)
        assert not gc.isenabled()
    finally:
        gc.enable()


@kernel
def squares(x, y):
    for i in range(len(x)):
        y[i] = x[i] * x[i]


@kernel
@widest_vectors
def cubes(x, y):
    for i in range(len(x)):
        y[i] = x[i] * x[i] * x[i]


def test_the_loops_of_a_kernel_are_vectorised_in_whole_registers_where_it_asks_for_them():
    code = {}
    for each in (squares, cubes):
        each._cache = NullCache()
        x = np.arange(100, dtype=np.float32)
        each(x, y := np.empty_like(x))
        (code[each],) = each.inspect_llvm().values()
    np.testing.assert_array_equal(y, x**3)
    assert "prefer-vector-width" not in code[squares]
    assert f'"prefer-vector-width"="{32 * LANES}"' in code[cubes]
    assert f"<{LANES} x float>" in code[cubes]
