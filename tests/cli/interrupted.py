"""Run the command line; before the Nth call of a function this process sends itself signals.

interrupted.py MODULE:NAME N SIGNAL,SIGNAL,... ARGUMENTS OF PELLUCID
"""

import importlib
import os
import signal
import sys
from itertools import count


def interrupt_before(target: str, nth: int, signals: list[str]) -> None:
    """Replace the function ``MODULE:NAME`` by one that sends the signals in its nth call."""
    module, _, path = target.partition(":")
    holder = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        holder = getattr(holder, parent)
    original = getattr(holder, name)
    calls = count(1)

    def interrupting(*positional, **named):
        if next(calls) == nth:
            for each in signals:
                os.kill(os.getpid(), signal.Signals[each])
        return original(*positional, **named)

    setattr(holder, name, interrupting)


if __name__ == "__main__":
    from pellucid.cli import main

    target, nth, signals, *arguments = sys.argv[1:]
    interrupt_before(target, int(nth), signals.split(","))
    main(arguments)
