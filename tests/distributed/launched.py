"""Commands on ranks that are still running: wait for what they print, find and kill their ranks."""

import os
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

from .ranks import MPIEXEC

TOKEN = "PELLUCID_TEST_TOKEN"


class Launched:
    """``mpiexec -n N pellucid ...``, whose output goes to files in ``folder``."""

    def __init__(self, n, words, folder):
        self.token = uuid.uuid4().hex
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [MPIEXEC, "-n", str(n), sys.executable, "-m", "pellucid", *words],
                stdout=out, stderr=err,
                env=os.environ | {"PELLUCID_NUM_THREADS": "1", TOKEN: self.token},
            )  # fmt: skip

    def until(self, condition, seconds=120):
        """Wait until ``condition()``, and return its value."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.02)
        return found

    def ranks(self):
        """Return the process of each rank that lives, by rank."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:  # it has ended, or belongs to another
                continue
            if f"{TOKEN}={self.token}".encode() in words:
                ranks = [word[9:] for word in words if word.startswith(b"PMI_RANK=")]
                found |= {int(rank): int(path.parent.name) for rank in ranks}
        return found

    def end(self, seconds=30):
        """Return the exit code, when the launcher and all ranks have ended."""
        code = self.process.wait(seconds)
        end = time.monotonic() + seconds
        while self.ranks():
            assert time.monotonic() < end, f"still there: {self.ranks()}"
            time.sleep(0.05)
        return code

    def said(self):
        """Return what was printed to standard output and error."""
        return self.out.read_text() + self.err.read_text()


@contextmanager
def launched(n, *words, folder):
    """Start a command on ``n`` ranks; those that still run at the end are killed."""
    one = Launched(n, words, folder)
    try:
        yield one
    finally:
        for process in one.ranks().values():
            os.kill(process, 9)
        one.process.kill()
        one.process.wait()
