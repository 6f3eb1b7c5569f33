"""The one compile policy of all kernels, and what the machine offers.

Every kernel is cached on disk and runs without Python's lock. Fast-math may reorder and contract
sums, but never assumes that NaN and infinity cannot occur: a diverging loss must be seen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import isgeneratorfunction
from typing import Any

from numba import njit, types

from .ahead.recipes import recipe_of
from .ahead.rehearsal import attend
from .borrowing import BorrowingCompiler
from .cache import KernelCache
from .linking import KernelCompiler
from .processors import gains, multiplies, vector_unit
from .shipped import processor

__all__ = ["GAINS", "LANES", "MULTIPLIES", "REGISTERS", "inlined", "kernel", "widest_vectors"]

FASTMATH = frozenset({"reassoc", "contract", "arcp", "nsz", "afn"})
POLICY: dict[str, Any] = {
    "nogil": True,
    "fastmath": set(FASTMATH),
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
}
FOR_PYTHON: dict[str, Any] = {"pipeline_class": KernelCompiler}
FOR_KERNELS: dict[str, Any] = {"no_cpython_wrapper": True, "pipeline_class": BorrowingCompiler}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile ``function`` on its first call, for each set of argument types; keep it on disk.

    It runs on the calling thread; `pellucid.kernels.pool.threads` runs one on several.
    """
    compiled = njit(**POLICY, **FOR_PYTHON)(function)
    if not hasattr(compiled, "py_func"):
        return compiled  # with the compiler off it is a plain function
    # Other kernels call a version that Python cannot call.
    called = njit(**POLICY, **FOR_KERNELS)(function)
    compiled.get_call_template = partial(_template_for_any, called)
    for name in ("get_overload", "get_compile_result"):
        setattr(compiled, name, getattr(called, name))
    compiled.recipe = recipe_of(function, sys._getframe(1))
    attend(compiled)
    # A generator is compiled into each kernel that uses it, which Numba cannot do with one that
    # comes from the disk.
    if not isgeneratorfunction(function):
        compiled._cache = KernelCache(function)
    return compiled


def _template_for_any(called: Any, args: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """Return Numba's answer to a call of one kernel in another: the same for any numbers.

    Numba would compile ``called`` once more for each argument that is written as a number.
    """
    values = {name: types.unliteral(argument) for name, argument in named.items()}
    return called.get_call_template([types.unliteral(argument) for argument in args], values)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile ``function`` into each kernel that calls it, as if its lines stood there.

    Then a tile that it takes or returns stays in registers.
    """
    return njit(**POLICY, inline="always")(function)


def widest_vectors(function: Callable[..., Any]) -> Any:
    """Have the loops of a kernel vectorised in whole registers: written below `kernel`.

    For loops that compute long on each number. On Intel's processors LLVM otherwise takes half of a
    512-bit register, which suits loops that wait for the memory; those with an exponential then
    take 1.2 to 1.4 times as long. A function that LLVM inlines follows the kernel that calls it.
    """
    function.vector_bits = 32 * LANES  # type: ignore[attr-defined]
    return function


LANES, REGISTERS = vector_unit(processor())
MULTIPLIES, GAINS = multiplies(processor()), gains(processor())
