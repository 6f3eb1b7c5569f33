"""The end of a program on several ranks: orderly if all end alike, at once for all if one fails.

A rank that ends on its own leaves the others waiting for its messages for ever. So each that ends
early comes to a meeting, on a communicator of its own, with what it has to say. If all ranks come,
they have failed alike: one says it, and they exit. If not, the others are at work: this rank says
it with its name, and ends them all.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from ..errors import RanksError
from ..launch import launched
from .mpi import MPI

__all__ = ["end", "given_up_after", "watch_the_end"]

PATIENCE = 3.0  # seconds in which ranks that fail alike do so

WATCH = """
import os, select, sys
seconds, said, process = sys.argv[1:]
if not select.select([0], [], [], float(seconds))[0]:
    sys.stderr.write(said)
    sys.stderr.flush()
    os.kill(int(process), 9)
"""

_meeting: MPI | None = None


def watch_the_end(world: MPI) -> None:
    """Let `end` know the ranks, and let an exception that one of them does not catch end all."""
    global _meeting
    _meeting = world.split(0)
    sys.excepthook = _ending(sys.excepthook)


def end(message: str, say: Callable[[str], None], code: int = 1) -> None:
    """Exit with ``code`` on all ranks, because this one cannot go on; ``say`` prints the message.

    Before the ranks know of each other (`pellucid.distributed.world`), they fail alike, and rank 0
    says it.

    Parameters
    ----------
    message : str
        If it is empty, nothing is printed, unless the ranks end with different codes, and none
        has a message.
    say : callable
        Called with the message, which begins with the name of the rank if others are at work, or
        have another message.
    code : int
        The exit code.

    Raises
    ------
    SystemExit
    """
    launch = launched()
    if launch.alone or _meeting is None:
        if message and launch.rank == 0:
            say(message)
    else:
        all_ended = _say_once(_meeting, message, code, say)
        if not all_ended:
            sys.stderr.flush()
            _meeting.abort(code)
    raise SystemExit(code)


@contextmanager
def given_up_after(seconds: float, message: str) -> Iterator[None]:
    """Kill this process, with an error on standard error, if the block takes longer; 0 is for ever.

    For the start of MPI, which holds Python's global lock while it waits for other ranks: another
    process looks at the clock.
    """
    if not seconds or os.name != "posix":
        yield
        return
    launch = launched()
    said = f"error: {_place(launch.rank, launch.size)}: {message}\n"
    words = [sys.executable, "-I", "-S", "-c", WATCH, str(seconds), said, str(os.getpid())]
    # A session of its own, as Ctrl-C is not for it. It ends when its input does.
    with subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True):
        yield


def _place(rank: int, size: int) -> str:
    return f"rank {rank} of {size} (on host {platform.node()})"


def _say_once(meeting: MPI, message: str, code: int, say: Callable[[str], None]) -> bool:
    """Say the message, unless another rank has the same to say; return whether all have come."""
    place = _place(meeting.rank, meeting.size)
    named = message if message.startswith("rank") else f"{place}: {message or 'ended'}"
    if not meeting.arrive(PATIENCE):
        say(f"{named}\nThis ends the other ranks, which were still at work.")
        return False
    said = meeting.gather((message, code))
    if said.index((message, code)) == meeting.rank:
        alike = said.count(said[0]) == meeting.size
        if message or not (alike or any(text for text, _ in said)):
            say(message if alike else named)
    return True


def _ending(previous: Callable[..., Any]) -> Callable[..., None]:
    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        def say(text: str) -> None:
            previous(kind, error, trace)
            if text != message:
                print(text, file=sys.stderr)

        told = isinstance(error, RanksError) and error.told
        message = "" if told else "".join(traceback.format_exception_only(error)).strip()
        try:
            end(message, say)
        except SystemExit:  # Python exits with 1 after this
            sys.stderr.flush()

    return hook
