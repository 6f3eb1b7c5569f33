"""Which process works on which trial: files that show that it is alive.

A trial of Optuna's journal stays "running" when its process is killed. Here the process keeps a
file's time recent; a trial whose file is old is taken over by another. All times are those of the
file system that the machines share, so that their clocks need not agree.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["Claim", "claim"]

BEAT, STALE = 5.0, 60.0  # seconds: between two signs of life, and without one
RELEASED = "released"


class Claim:
    """The right to work on a trial: signs of life are given until `release` or `done`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own = _owner()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def done(self) -> None:
        """Remove the claim: the trial has ended."""
        self._stop()
        if self._holds():
            self.path.unlink(missing_ok=True)

    def release(self) -> None:
        """Let any process go on with the trial at once."""
        self._stop()
        if self._holds():
            self.path.write_text(RELEASED, encoding="utf-8")

    def _holds(self) -> bool:
        """Return whether no other process has taken the trial over."""
        try:
            return self.path.read_text(encoding="utf-8") == self._own
        except OSError:
            return False

    def _stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with suppress(OSError):
                os.utime(self.path)


def claim(folder: Path, number: int, started: float | None = None) -> Claim | None:
    """Return the claim to trial ``number``, or None if another process has it.

    Parameters
    ----------
    folder : Path
    number : int
    started : float, optional
        Seconds since the trial was started by another process, which may be about to claim it.
    """
    path = folder / f"{number:04}"
    if started is not None and not path.exists() and started < STALE:
        return None
    if path.exists():
        if not _is_free(path):
            return None
        taken = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}")
        try:
            path.rename(taken)  # of several processes that try, one succeeds
        except FileNotFoundError:
            return None
        taken.unlink()
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_owner())
    except FileExistsError:
        return None
    return Claim(path)


def _is_free(path: Path) -> bool:
    """Return whether the process that claimed a trial released it, or shows no sign of life."""
    try:
        owner, last = path.read_text(encoding="utf-8"), path.stat().st_mtime
    except FileNotFoundError:
        return False  # it has ended
    if owner == RELEASED:
        return True
    host, _, pid = owner.partition(" ")
    if host == socket.gethostname() and pid.isdigit():  # perhaps it is only halted (Ctrl-Z)
        return not _is_alive(int(pid))
    return _now(path.parent) - last > STALE


def _owner() -> str:
    return f"{socket.gethostname()} {os.getpid()}"


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # where os.kill would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _now(folder: Path) -> float:
    """Return the time by the clock of the file system."""
    probe = folder / f"now.{socket.gethostname()}.{os.getpid()}"
    try:
        probe.write_text(str(time.time()), encoding="utf-8")
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)
