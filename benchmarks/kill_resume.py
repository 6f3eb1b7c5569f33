"""Kill a training at random moments, go on with it, and compare the weights: prints a line a kill.

    python benchmarks/kill_resume.py [KILLS] [--seed N] [--ranks 2,3,4,1]

Each round starts ``pellucid train`` in an empty folder, sends SIGKILL to the process at a random
moment, goes on with ``pellucid train --resume`` (after a kill before the first checkpoint, with the
same command), kills that too at times, and lets the last process finish. The model and the filters
must then be those of a training that was never killed, byte for byte. The training has a schedule,
augmentation, batch normalisation, dropout and momentum; checkpoints are written between batches.

With ``--ranks`` each process is started on the next of these numbers of ranks (of one thread), and
each kill hits the next rank: then all must have ended within 10 seconds. The training that is never
killed runs alone.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

TRAIN = (
    *("--model", "INPUT -> [CONV -> BN -> RELU -> POOL]*2 -> FC -> RELU -> DROP -> FC"),
    *("--epochs", "30", "--optimizer", "nesterov", "--lr", "0.02", "--schedule", "one-cycle"),
    *("--augment", "crop1,brightness0.2,cutout3", "--normalize", "--checkpoint-minutes", "0.002"),
)
RUN = "run"
COMPARED = ("model.safetensors", "filters.safetensors")
MARK = "PELLUCID_KILL_RESUME"  # in the environment of the processes of one launch
AT_MOST = 10.0  # seconds, from the death of a rank to that of all


class Launches:
    """How each process is started and killed."""

    def __init__(self, ranks: list[int]) -> None:
        self._several = bool(ranks)
        self._numbers: Iterator[int] = itertools.cycle(ranks or [1])
        self._turn = 0
        self.ranks = 1

    def start(self, folder: Path, *arguments: str) -> subprocess.Popen[str]:
        """Train, on the next number of ranks."""
        self.ranks = next(self._numbers)
        folder.mkdir(exist_ok=True)
        self._mark = uuid.uuid4().hex
        words = [sys.executable, "-m", "pellucid", "train", *arguments]
        if self.ranks > 1:
            words = ["mpiexec", "-n", str(self.ranks), *words]
        one = {"PELLUCID_NUM_THREADS": "1"} if self._several else {}
        return subprocess.Popen(
            words,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | one | {MARK: self._mark},
        )

    def kill(self, process: subprocess.Popen[str]) -> str:
        """Kill the process, or the next rank; return what was killed, in words."""
        if self.ranks == 1:
            process.kill()
            process.wait()
            return ""
        rank, self._turn = self._turn % self.ranks, self._turn + 1
        if rank not in (there := self._processes()):
            process.kill()  # the launcher has not started it yet
        else:
            os.kill(there[rank], 9)
        begun = time.monotonic()
        process.wait(AT_MOST)
        while self._processes():
            if time.monotonic() - begun > AT_MOST:
                sys.exit(f"still there after {AT_MOST:g} s: {self._processes()}")
            time.sleep(0.01)
        return f"rank {rank} of {self.ranks}, all ended in {time.monotonic() - begun:.1f} s, "

    def _processes(self) -> dict[int, int]:
        """Return the process of each rank that lives."""
        found = {}
        for file in Path("/proc").glob("[0-9]*/environ"):
            try:
                words = file.read_text(errors="replace").split("\0")
            except OSError:  # it has ended, or is another user's
                continue
            if f"{MARK}={self._mark}" in words:
                known = dict(word.split("=", 1) for word in words if "=" in word)
                rank = known.get("PMI_RANK", known.get("OMPI_COMM_WORLD_RANK"))
                if rank is not None:
                    found[int(rank)] = int(file.parent.name)
        return found


def main() -> None:
    """Kill KILLS times, and count the trainings that ended with the same bits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", nargs="?", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ranks", default="", help="numbers of ranks, such as 2,3,4,1")
    given = parser.parse_args()
    launches = Launches([int(n) for n in given.ranks.split(",") if n])
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place, "whole")
        begun, ended = _uninterrupted(whole, given.ranks != "")
        expected = _digest(whole)
        print(
            f"uninterrupted: {expected[:16]}, begun after {begun:.1f} s, ended after {ended:.1f} s"
        )
        kills = same = rounds = 0
        while kills < given.kills:
            folder = Path(place, f"killed-{rounds}")
            most = min(rng.choice((1, 1, 2, 3)), given.kills - kills)
            killed = _killed(launches, folder, rng, most, begun, ended)
            kills, rounds = kills + len(killed), rounds + 1
            alike = _digest(folder) == expected
            same += len(killed) * alike
            print(
                f"{'same' if alike else 'OTHER'}: killed {'; '.join(killed) or 'never'}", flush=True
            )
            shutil.rmtree(folder)
    print(f"{same} of {kills} the same SHA-256, in {rounds} trainings")
    sys.exit(same != kills)


def _uninterrupted(folder: Path, one_thread: bool) -> tuple[float, float]:
    """Train to the end; return when the first batch began and when all was done, in seconds."""
    for _ in range(2):  # the first time kernels may be compiled
        shutil.rmtree(folder, ignore_errors=True)
        started = time.monotonic()
        with Launches([1] * one_thread).start(folder, *TRAIN, "--out", RUN) as process:
            assert process.stdout is not None
            process.stdout.readline()
            begun = time.monotonic() - started
            said = process.communicate()[0]
        if process.returncode:
            sys.exit(said)
        ended = time.monotonic() - started
    return begun, ended


def _killed(
    launches: Launches, folder: Path, rng: random.Random, most: int, begun: float, ended: float
) -> list[str]:
    """Kill a training up to ``most`` times, then let it end; return the moments in words."""
    killed: list[str] = []
    while True:
        known = (folder / RUN / "checkpoint.safetensors").exists()
        arguments = ("--resume", RUN) if known else (*TRAIN, "--out", RUN, "--overwrite")
        with launches.start(folder, *arguments) as process:
            if len(killed) < most:
                # Most of a process is the import of libraries: kill within the training more often.
                moment = rng.uniform(0 if rng.random() < 0.2 else begun, ended)
                try:
                    process.wait(moment)
                except subprocess.TimeoutExpired:
                    what = launches.kill(process)
                    killed.append(f"{what}after {moment:.2f} s, {_left(folder / RUN)}")
                    continue
            said = process.communicate()[0]
        if process.returncode:
            sys.exit(said)
        return killed


def _left(run: Path) -> str:
    """Return what a killed process has left, in words."""
    parts = list(run.glob(".part-*")) if run.exists() else []
    rows = (
        (run / "history.csv").read_text().count("\n") - 1 if (run / "history.csv").exists() else 0
    )
    if not (run / "checkpoint.safetensors").exists():
        return "before the first checkpoint"
    drawn = ", while drawing" if rows == 6 else ""
    return f"with {rows} epochs{drawn}{', while writing a file' if parts else ''}"


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in COMPARED:
        digest.update((folder / RUN / name).read_bytes())
    rows = (folder / RUN / "history.csv").read_text().splitlines()
    digest.update("\n".join(row.rsplit(",", 1)[0] for row in rows).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
