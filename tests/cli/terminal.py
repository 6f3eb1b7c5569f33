"""A terminal of one's own, to see what a person sees."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path


def on_terminal(
    columns: int, cwd: Path, *arguments: str, program=("-m", "pellucid"), **env: str
) -> str:
    """Run the command on a terminal of its own; return all that it sent there."""
    ours, theirs = pty.openpty()
    calm = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "LINES")}
    process = subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=cwd,
        env={**calm, "TERM": "xterm-256color", "COLUMNS": str(columns), **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    sent = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the last program on this terminal has ended
            break
        if not piece:
            break
        sent += piece
    os.close(ours)
    assert process.wait(300) == 0
    return sent.decode()
