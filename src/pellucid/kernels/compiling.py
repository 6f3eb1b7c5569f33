"""Which kernel is being compiled, to tell a user who waits.

A kernel is compiled when it is first called, some tenths of a second each, and kept on disk
(`cache`). Numba says when it really compiles one; one that is loaded is not heard of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from numba.core import event

__all__ = ["Compiling", "tell", "watch"]


@dataclass(frozen=True, slots=True)
class Compiling:
    """A kernel that is being compiled: its name, its number, and how many there are.

    ``total`` is None where nobody knows how many there will be.

    Examples
    --------
    >>> str(Compiling("convolve", 3, 9))
    'compiling kernels (first run on this machine) 3/9'
    """

    name: str
    number: int
    total: int | None = None
    notice: ClassVar[str] = "compiling kernels (first run on this machine)"

    def __str__(self) -> str:
        return f"{self.notice} {self.number}" + (f"/{self.total}" if self.total else "")


@contextmanager
def watch(
    tell: Callable[[Compiling], None], kernels: Iterable[Any] | None = None
) -> Iterator[None]:
    """Within the block, call ``tell`` whenever the compilation of a kernel begins.

    What is compiled on the way, for the kernel, does not count.

    Parameters
    ----------
    tell : callable
        It is called on the thread that compiles.
    kernels : iterable of kernels, optional
        All that will be used. Those that are ready, compiled or loaded, count as done.
    """
    listener = _Listener(tell, None if kernels is None else list(kernels))
    event.register("numba:compile", listener)
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
        event.unregister("numba:compile", listener)


def tell(name: str) -> None:
    """Count a kernel that was compiled by a helper (`pellucid.kernels.ahead`), like one's own."""
    for listener in [*_listeners]:
        listener.count(name)


class _Listener(event.Listener):
    def __init__(self, tell: Callable[[Compiling], None], kernels: list[Any] | None) -> None:
        self.tell, self.kernels = tell, kernels
        self.depth = self.compiled = 0

    def on_start(self, news: Any) -> None:
        self.depth += 1
        if self.depth == 1:  # one at a time: the compiler has a lock
            self.count(news.data["dispatcher"].__name__)

    def count(self, name: str) -> None:
        self.compiled += 1
        number, total = self.compiled, None
        if self.kernels is not None:
            ready = sum(bool(kernel.overloads) for kernel in self.kernels)
            total = max(len(self.kernels), self.compiled)
            number = min(ready + 1, total)
        self.tell(Compiling(name, number, total))

    def on_end(self, news: Any) -> None:
        self.depth -= 1


_listeners: list[_Listener] = []
