"""Atomic operations on memory that threads share, and how a thread waits.

Each acts on a place in a *queue*, an array of int64 (see `pellucid.kernels.pool.work_queue`). The
last four emit LLVM code inside of another intrinsic.
"""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

__all__ = [
    "BYTE",
    "FLUSHING",
    "FLUSH_TO_ZERO",
    "INDEX",
    "WORD",
    "X86",
    "add",
    "add_to",
    "at_place",
    "call",
    "look_at",
    "pause",
    "read",
    "set_denormals",
    "set_mode",
]

intrinsic: Any = extending.intrinsic
INDEX, WORD, BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()
FLUSHING, FLUSH_TO_ZERO = np.int32(-1), 0x8040  # FTZ and DAZ in MXCSR
X86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")


@intrinsic
def add_to(typing: Any, queue: Any, place: Any, number: Any) -> Any:
    """Add to ``queue[place]`` atomically, and return its previous value."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(queue)(context, builder, values[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [values[1]]), values[2], "seq_cst")

    return types.int64(queue, types.intp, types.int64), write


@intrinsic
def look_at(typing: Any, queue: Any, place: Any) -> Any:
    """Load ``queue[place]`` atomically."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(queue)(context, builder, values[0]).data
        return builder.load_atomic(builder.gep(data, [values[1]]), "seq_cst", 8)

    return types.int64(queue, types.intp), write


@intrinsic
def call(typing: Any, queue: Any, place: Any) -> Any:
    """Call the code whose address is in ``queue[place]``, with the queue."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(queue)(context, builder, values[0]).data
        kind = ir.FunctionType(ir.VoidType(), [INDEX.as_pointer()])
        code = builder.load(builder.gep(data, [values[1]]))
        builder.call(builder.inttoptr(code, kind.as_pointer()), [data])
        return context.get_dummy_value()

    return types.none(queue, types.intp), write


@intrinsic
def pause(typing: Any) -> Any:
    """Tell the core that this is a spin loop, where it has an instruction for that."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        if X86:
            kind = ir.FunctionType(ir.VoidType(), [])
            name = "llvm.x86.sse2.pause"
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])
        return context.get_dummy_value()

    return types.none(), write


@intrinsic
def set_denormals(typing: Any, mode: Any) -> Any:
    """Set the thread's floating-point mode, `FLUSHING` or one that this returned earlier."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return set_mode(builder, values[0])

    return types.int32(types.int32), write


def set_mode(builder: Any, mode: Any) -> Any:
    """Emit what sets the mode and returns the previous one.

    On other machines than x86 it does nothing: there, denormal numbers cost little.
    """
    if not X86:
        return mode
    kind = ir.FunctionType(ir.VoidType(), [BYTE])
    get, put = (
        cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{name}")
        for name in ("stmxcsr", "ldmxcsr")
    )
    word = cgutils.alloca_once(builder, WORD)
    address = builder.bitcast(word, BYTE)
    builder.call(get, [address])
    before = builder.load(word)
    flushing = builder.icmp_signed("==", mode, ir.Constant(WORD, FLUSHING))
    flush = builder.or_(before, ir.Constant(WORD, FLUSH_TO_ZERO))
    builder.store(builder.select(flushing, flush, mode), word)
    builder.call(put, [address])
    return before


def at_place(builder: Any, q: Any, place: int) -> Any:
    """Return the address of a place in a queue."""
    return builder.gep(q, [ir.Constant(INDEX, place)])


def read(builder: Any, q: Any, place: int) -> Any:
    """Emit a load of a place."""
    return builder.load(at_place(builder, q, place))


def add(builder: Any, q: Any, place: int, number: Any) -> Any:
    """Emit an atomic addition to a place, which returns its previous value."""
    number = ir.Constant(INDEX, number) if isinstance(number, int) else number
    return builder.atomic_rmw("add", at_place(builder, q, place), number, "seq_cst")
