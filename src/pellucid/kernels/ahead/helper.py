"""A process that compiles kernels for another, which starts it: see `pellucid.kernels.ahead.crew`.

It reads orders from its standard input, pairs of a recipe and of argument types, and writes a line
when it is ready and after each of them. It ends when there are no more, or when the process that
started it has ended, also in the middle of a kernel.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Any, BinaryIO

__all__ = ["main"]

NICER = 1  # than the process that waits
GLANCE = 1.0  # seconds between two looks at who started this process


def main() -> None:
    """Compile what is ordered until the orders end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the other process
    if hasattr(os, "nice"):
        os.nice(NICER)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb", 0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for whoever prints
    orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, orders), daemon=True).start()
    if hasattr(os, "getppid"):  # a child that was forked meanwhile keeps standard input open
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()

    from .. import jit  # noqa: F401  (takes a while: done when this process says that it is ready)
    from .recipes import kernel_of

    while True:
        replies.write(b"\n")
        recipe, types = orders.get()
        with suppress(Exception):  # it is compiled, and fails, where it is needed
            kernel_of(recipe).compile(types)


def _receive(stream: BinaryIO, orders: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            orders.put(pickle.load(stream))
    finally:
        _end()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(GLANCE)
    _end()


def _end() -> None:
    """End at once, but not while a file is being written."""
    cache: Any = sys.modules.get(f"{__package__.rpartition('.')[0]}.cache")
    if cache is not None:
        cache.WRITING.acquire()
    os._exit(0)


if __name__ == "__main__":
    main()
