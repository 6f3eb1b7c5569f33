"""Kill a training at random moments, go on with it, and compare the weights: prints a line a kill.

    python benchmarks/kill_resume.py [KILLS] [--seed N]

Each round starts ``pellucid train`` in an empty folder, sends SIGKILL to the process at a random
moment, goes on with ``pellucid train --resume`` (after a kill before the first checkpoint, with the
same command), kills that too at times, and lets the last process finish. The model and the filters
must then be those of a training that was never killed, byte for byte. The training has a schedule,
augmentation, batch normalisation, dropout and momentum; checkpoints are written between batches.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRAIN = (
    *("--model", "INPUT -> [CONV -> BN -> RELU -> POOL]*2 -> FC -> RELU -> DROP -> FC"),
    *("--epochs", "30", "--optimizer", "nesterov", "--lr", "0.02", "--schedule", "one-cycle"),
    *("--augment", "crop1,brightness0.2,cutout3", "--normalize", "--checkpoint-minutes", "0.002"),
)
RUN = "run"
COMPARED = ("model.safetensors", "filters.safetensors")


def main() -> None:
    """Kill KILLS times, and count the trainings that ended with the same bits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", nargs="?", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place, "whole")
        begun, ended = _uninterrupted(whole)
        expected = _digest(whole)
        print(
            f"uninterrupted: {expected[:16]}, begun after {begun:.1f} s, ended after {ended:.1f} s"
        )
        kills = same = rounds = 0
        while kills < given.kills:
            folder = Path(place, f"killed-{rounds}")
            most = min(rng.choice((1, 1, 2, 3)), given.kills - kills)
            killed = _killed(folder, rng, most, begun, ended)
            kills, rounds = kills + len(killed), rounds + 1
            alike = _digest(folder) == expected
            same += len(killed) * alike
            print(
                f"{'same' if alike else 'OTHER'}: killed {'; '.join(killed) or 'never'}", flush=True
            )
            shutil.rmtree(folder)
    print(f"{same} of {kills} the same SHA-256, in {rounds} trainings")
    sys.exit(same != kills)


def _start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "pellucid", "train", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _uninterrupted(folder: Path) -> tuple[float, float]:
    """Train to the end; return when the first batch began and when all was done, in seconds."""
    for _ in range(2):  # the first time kernels may be compiled
        shutil.rmtree(folder, ignore_errors=True)
        started = time.monotonic()
        with _start(folder, *TRAIN, "--out", RUN) as process:
            assert process.stdout is not None
            process.stdout.readline()
            begun = time.monotonic() - started
            said = process.communicate()[0]
        if process.returncode:
            sys.exit(said)
        ended = time.monotonic() - started
    return begun, ended


def _killed(folder: Path, rng: random.Random, most: int, begun: float, ended: float) -> list[str]:
    """Kill a training up to ``most`` times, then let it end; return the moments in words."""
    killed: list[str] = []
    while True:
        known = (folder / RUN / "checkpoint.safetensors").exists()
        arguments = ("--resume", RUN) if known else (*TRAIN, "--out", RUN, "--overwrite")
        with _start(folder, *arguments) as process:
            if len(killed) < most:
                # Most of a process is the import of libraries: kill within the training more often.
                moment = rng.uniform(0 if rng.random() < 0.2 else begun, ended)
                try:
                    process.wait(moment)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    killed.append(f"after {moment:.2f} s, {_left(folder / RUN)}")
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
