"""The queue of a kernel's tasks, from which threads take them: compiled into every kernel.

The first argument of a parallel kernel is its *queue*, of whose tasks it takes one after another:

    @kernel
    def double(queue, x, y):
        for row in share(queue):
            y[row] = 2 * x[row]

The first thread to enter is the caller. There `share` writes the kernel's own arguments into the
queue, with the address of code that calls the kernel with them once more, and opens the queue. The
helpers, which poll the queue, call that code: they need neither Python nor its lock, and begin
within a microsecond.

The caller takes tasks from the front, the first helper from the back, the second from the front and
so on: if the same kernel, or the next one, has as many tasks on the same images, a thread finds
most of them in the cache of its own core.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.imputils import RefType, iternext_impl, lower_builtin
from numba.extending import models, register_model

from ...memory import aligned_zeros
from ...typing import Array
from ..jit import kernel
from .atomics import (
    BYTE,
    FLUSH_TO_ZERO,
    FLUSHING,
    INDEX,
    WORD,
    add,
    add_to,
    at_place,
    call,
    look_at,
    pause,
    read,
    set_denormals,
    set_mode,
)

__all__ = [
    "ARGUMENTS",
    "CODE",
    "DONE",
    "FAILED",
    "HELPERS",
    "LOOKS",
    "SERIES",
    "SHARED",
    "TAKEN",
    "TASKS",
    "WORDS",
    "begin",
    "end_flushing",
    "finished",
    "queue_for_one",
    "queue_to_share",
    "serve",
    "share",
]

intrinsic: Any = extending.intrinsic
LINE = 8  # words in a cache line; what several threads write to has one for itself

# Places in a queue. Of one call: how many tasks are taken, how many of these from the front and
# from the back, how many are done, how many threads have entered the kernel.
TAKEN, FRONT, BACK, DONE, ENTERED = (LINE * k for k in range(5))
# How many tasks there are, whether helpers may come, whether one of them failed, what to call.
TASKS, SHARED, FAILED, CODE = (LINE * 5 + k for k in range(4))
# Of the pool: odd while a call is open; how many helpers are inside; how many there should be, how
# often they look for a call before they sleep, and whether there is a series of calls, in which
# they do not sleep.
OPEN, INSIDE, HELPERS = (LINE * k for k in range(6, 9))
LOOKS, SERIES = HELPERS + 1, HELPERS + 2
ARGUMENTS = LINE * 9  # the words of the kernel's arguments
ARGUMENT_WORDS = 512
WORDS = ARGUMENTS + ARGUMENT_WORDS

OK, NONE = 0, -2  # what a compiled function returns if it has not failed


def queue_for_one(tasks: int) -> Array:
    """Return a queue whose tasks the caller does alone."""
    queue = np.zeros(ARGUMENTS, dtype=np.int64)
    queue[TASKS] = tasks
    return queue


def queue_to_share() -> Array:
    """Return a queue for `begin`, with space for arguments."""
    queue = aligned_zeros(WORDS, np.int64)
    queue[SHARED] = 1
    return queue


def begin(queue: Array, tasks: int) -> None:
    """Prepare a shared queue for its next call."""
    queue[:TASKS] = 0
    queue[FAILED] = 0
    queue[TASKS] = tasks


class Tasks(types.SimpleIteratorType):  # type: ignore[misc, name-defined]
    """Numba's type of what `share` returns."""

    def __init__(self) -> None:
        super().__init__("Tasks", types.int64)


TASKS_TYPE = Tasks()


@register_model(Tasks)
class TasksModel(models.StructModel):
    """The queue's address, which thread this is, its mode before, and how many tasks it did."""

    def __init__(self, dmm: Any, kind: Tasks) -> None:
        members = [
            ("queue", types.CPointer(types.int64)),
            ("number", types.int64),
            ("before", types.int32),
            ("mine", types.EphemeralPointer(types.int64)),
        ]
        super().__init__(dmm, kind, members)


@intrinsic
def share(typing: Any, queue: Any) -> Any:
    """Iterate over the numbers of the tasks that no thread has taken.

    Between the first and the last, denormal numbers count as zero: one operation on those takes as
    long as a hundred others. A kernel never leaves the loop early, writes nothing outside of it,
    and has only one.
    """

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        tasks = cgutils.create_struct_proxy(TASKS_TYPE)(context, builder)
        tasks.queue = q = context.make_array(queue)(context, builder, values[0]).data
        tasks.number = number = add(builder, q, ENTERED, 1)
        tasks.before = set_mode(builder, ir.Constant(WORD, FLUSHING))
        tasks.mine = cgutils.alloca_once_value(builder, ir.Constant(INDEX, 0))
        first = builder.icmp_signed("==", number, ir.Constant(INDEX, 0))
        shared = builder.icmp_signed("!=", read(builder, q, SHARED), ir.Constant(INDEX, 0))
        with builder.if_then(builder.and_(first, shared)):
            _open(context, builder, q)
        return tasks._getvalue()

    return TASKS_TYPE(queue), write


@lower_builtin("getiter", TASKS_TYPE)
def _iterate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    return values[0]


@lower_builtin("iternext", TASKS_TYPE)
@iternext_impl(RefType.UNTRACKED)
def _next(context: Any, builder: Any, signature: Any, values: Any, result: Any) -> None:
    """Take a task. After the last one, add those of this thread to what is done."""
    tasks = cgutils.create_struct_proxy(TASKS_TYPE)(context, builder, value=values[0])
    q, total, one = tasks.queue, read(builder, tasks.queue, TASKS), ir.Constant(INDEX, 1)
    more = builder.icmp_signed("<", add(builder, q, TAKEN, 1), total)
    result.set_valid(more)
    with builder.if_else(more) as (there_is, there_is_none):
        with there_is:
            in_front = builder.icmp_signed(
                "==", builder.and_(tasks.number, one), ir.Constant(INDEX, 0)
            )
            side = builder.select(in_front, at_place(builder, q, FRONT), at_place(builder, q, BACK))
            k = builder.atomic_rmw("add", side, one, "seq_cst")
            from_back = builder.sub(builder.sub(total, one), k)
            result.yield_(builder.select(in_front, k, from_back))
            builder.store(builder.add(builder.load(tasks.mine), one), tasks.mine)
        with there_is_none:
            add(builder, q, DONE, builder.load(tasks.mine))
            set_mode(builder, tasks.before)


def _open(context: Any, builder: Any, q: Any) -> None:
    """Write the arguments of the function at hand and how to call it again; let helpers come."""
    function = builder.function
    given = function.args[2:]  # after the addresses for its result and its exception
    kind = ir.LiteralStructType([value.type for value in given])
    if context.get_abi_sizeof(kind) > 8 * ARGUMENT_WORDS:
        raise TypeError(f"a kernel's arguments take more than {8 * ARGUMENT_WORDS} bytes")
    place = builder.bitcast(at_place(builder, q, ARGUMENTS), kind.as_pointer())
    for k, value in enumerate(given):
        kept = value.type(None) if _counts_references(value) else value
        builder.store(kept, cgutils.gep_inbounds(builder, place, 0, k))
    code = _calling_again(builder.module, function, kind)
    builder.store(builder.ptrtoint(code, INDEX), at_place(builder, q, CODE))
    add(builder, q, OPEN, 1)


def _counts_references(value: Any) -> bool:
    """Return whether an argument is an array's reference counter or its owner, in tuples too.

    These live as long as the call by Python. A helper may be at work a moment longer, when they are
    gone though the array is not; it gets null pointers, as Numba allows, and counts nothing. Numba
    names them after their place in the array: ``arg.x.0``, or ``arg.pair.1.0`` within a tuple.
    """
    return value.type == BYTE and value.name.endswith((".0", ".1"))


def _calling_again(module: Any, function: Any, kind: Any) -> Any:
    """Return code that calls ``function`` with the arguments in a queue."""
    name = module.get_unique_name(f"{function.name}.again")
    code = ir.Function(module, ir.FunctionType(ir.VoidType(), [INDEX.as_pointer()]), name)
    code.linkage = "internal"
    builder = ir.IRBuilder(code.append_basic_block())
    (q,) = code.args
    place = builder.bitcast(at_place(builder, q, ARGUMENTS), kind.as_pointer())
    given = [
        builder.load(cgutils.gep_inbounds(builder, place, 0, k)) for k in range(len(kind.elements))
    ]
    results = [builder.alloca(pointer.pointee) for pointer in function.function_type.args[:2]]
    before = set_mode(builder, ir.Constant(WORD, FLUSHING))
    status = builder.call(function, [*results, *given])
    set_mode(builder, before)
    well = [builder.icmp_signed("==", status, ir.Constant(WORD, k)) for k in (OK, NONE)]
    with builder.if_then(builder.not_(builder.or_(*well))):
        add(builder, q, FAILED, 1)
    builder.ret_void()
    return code


@kernel
def serve(queue: Array, number: int) -> None:
    """Help with every call of the queue as helper ``number``, until there is none for a while."""
    looks = seen = 0
    while number < look_at(queue, HELPERS) and looks < queue[LOOKS]:
        looks += 1
        now = look_at(queue, OPEN)
        if now % 2 == 1 and now != seen:
            add_to(queue, INSIDE, 1)
            # From here on the caller waits, unless it has closed the queue in the meantime.
            if look_at(queue, OPEN) == now and look_at(queue, TAKEN) < queue[TASKS]:
                call(queue, CODE)
            add_to(queue, INSIDE, -1)
            looks, seen = 0, now
        if look_at(queue, SERIES) > 0:
            looks = 0
        pause()


@kernel
def finished(queue: Array) -> bool:
    """Return whether every task is done, or one failed, and all helpers are out; look often."""
    for _ in range(queue[LOOKS]):
        if look_at(queue, DONE) >= queue[TASKS] or look_at(queue, FAILED) > 0:
            if look_at(queue, OPEN) % 2 == 1:
                add_to(queue, OPEN, 1)
            if look_at(queue, INSIDE) == 0:
                return True
        pause()
    return False


@kernel
def end_flushing() -> None:
    """Restore denormal numbers after an error has ended a kernel in `share`."""
    set_denormals(np.int32(set_denormals(FLUSHING) & ~FLUSH_TO_ZERO))
