"""Tracebacks that show the lines of a script, without the frames of Pellucid around them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from ..errors import PellucidError

__all__ = ["is_the_reader_s", "last_place", "without_ours"]

_OURS = Path(__file__).parents[1]


def without_ours(error: BaseException, script: Path) -> BaseException:
    """Return ``error`` with a traceback that begins in the script and omits Pellucid's frames.

    Frames of Pellucid between those of the script are left out. Those at the end are left out only
    if Pellucid raised the error deliberately; otherwise they may show a bug.
    """
    frames = [frame for frame in _frames(error.__traceback__) if not _is_importing(frame)]
    begin = next((k for k, frame in enumerate(frames) if _file(frame) == script), len(frames))
    frames = frames[begin:]
    last = max((k for k, frame in enumerate(frames) if _is_the_reader_s(frame)), default=-1)
    end = [] if isinstance(error, PellucidError) else frames[last + 1 :]
    kept = [frame for frame in frames[: last + 1] if not _is_ours(frame)] + end
    trace = None
    for frame in reversed(kept):
        trace = TracebackType(trace, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return error.with_traceback(trace)


def last_place(error: BaseException, folder: Path) -> tuple[Path, int] | None:
    """Return the innermost file and line of the traceback that are in ``folder`` or below."""
    places = [
        (_file(frame), frame.tb_lineno)
        for frame in _frames(error.__traceback__)
        if folder in _file(frame).parents and not _is_ours(frame)
    ]
    return places[-1] if places else None


def is_the_reader_s(error: BaseException) -> bool:
    """Return whether the line that raised ``error`` is neither Pellucid's nor a package's."""
    frames = [frame for frame in _frames(error.__traceback__) if not _is_importing(frame)]
    return bool(frames) and _is_the_reader_s(frames[-1])


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _file(frame: TracebackType) -> Path:
    return Path(frame.tb_frame.f_code.co_filename)


def _is_ours(frame: TracebackType) -> bool:
    return _OURS in _file(frame).parents


def _is_the_reader_s(frame: TracebackType) -> bool:
    installed = {"site-packages", "dist-packages"} & set(_file(frame).parts)
    return not installed and not _is_ours(frame)


def _is_importing(frame: TracebackType) -> bool:
    return "importlib" in _file(frame).as_posix()
