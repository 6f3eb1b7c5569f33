"""What several ranks cost and give on this machine: speed, memory, the same bits.

    python benchmarks/ranks.py [PART...] [--rounds N] [--seconds S] [--before COMMIT] [--out FOLDER]

speed:    two ranks of one thread (2 x 1) against one of two (1 x 2) and of one (1 x 1), in turns
points:   the same two ranks at the batches of scaling.png, for `scaling.py --measured`
solo:     a training alone, against the version at COMMIT
memory:   the peak of each rank, and what its optimizer keeps
digests:  the weights' SHA-256 on 1, 2, 3, 4 and 8 ranks of one and two threads

Each burst is a process of its own, or one launch of mpiexec; ratios are taken round by round.
Writes ranks.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from machines import mpiexec
from memory import UNIT
from processes import HERE, Result

__all__ = ["PARTS"]

LEAST = 6  # steps of a burst
PIXELS = 2**28  # bytes of images at most
BATCHES = {"SimpleConvNet": 100, "ResNet-20": 100}
MIXED = (
    "INPUT -> [CONV3-16 -> BN -> RELU -> POOL]*2 -> FC64 -> RELU -> DROP -> FC"  # draws, statistics
)


def main() -> None:
    """Measure the parts of the command line, or be one rank of a burst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of steps in each burst")
    parser.add_argument("--before", default="3b97181")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--rank", nargs=3, metavar=("NETWORK", "BATCH", "SECONDS"))
    parser.add_argument("--digest", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.digest:
        _digest()
    elif given.rank:
        _burst(given.rank[0], int(given.rank[1]), float(given.rank[2]))
    else:
        given.out.mkdir(parents=True, exist_ok=True)
        found: Result = {}
        for name in given.parts or PARTS:
            found |= PARTS[name](given)
            place = given.out / "ranks.json"
            place.write_text(json.dumps(found, indent=1), encoding="utf-8")


def _speed(given: argparse.Namespace) -> Result:
    found = {}
    for network, batch in BATCHES.items():
        ways = {"2 x 1": (2, 1), "1 x 2": (1, 2), "1 x 1": (1, 1)}
        rounds = _rounds(given, network, {way: (n, t, batch) for way, (n, t) in ways.items()})
        for other in ("1 x 2", "1 x 1"):
            ratios = [one[other] / one["2 x 1"] for one in rounds]
            print(f"{network}, batch {batch}: 2 x 1 is {_ratio(ratios)} times as fast as {other}")
        found[network] = rounds
    return {"speed": found}


def _points(given: argparse.Namespace) -> Result:
    points = []
    for network in BATCHES:
        for row, (one, two) in enumerate(((4096, 4096), (32, 64))):
            rounds = _rounds(given, network, {"1": (1, 1, one), "2": (2, 1, two)})
            images = [two / one * r["1"] / r["2"] for r in rounds]
            speed_up = statistics.median(images)
            print(f"{network}, batch {one} alone, {two} on two ranks: {speed_up:.2f} times")
            points += [{"network": network, "row": row, "ranks": 2, "speed_up": speed_up}]
            points += [{"network": network, "row": row, "ranks": 1, "speed_up": 1.0}]
    return {"speed_ups": points}


def _solo(given: argparse.Namespace) -> Result:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder, "before")
        git = ["git", "-C", str(HERE.parent), "worktree"]
        subprocess.run([*git, "add", "-q", "--detach", str(before), given.before], check=True)
        try:
            for network, batch in BATCHES.items():
                versions = {"now": HERE.parent / "src", "before": before / "src"}
                rounds = []
                for turn in range(given.rounds):
                    order = list(versions)[:: 1 if turn % 2 == 0 else -1]
                    rounds.append(
                        {
                            version: _launch(1, 1, network, batch, given, versions[version])[0][
                                "step"
                            ]
                            for version in order
                        }
                    )
                ratios = [one["now"] / one["before"] for one in rounds]
                print(f"{network}, alone: {_ratio(ratios)} of the time at {given.before}")
                found[network] = rounds
        finally:
            subprocess.run([*git, "remove", "--force", str(before)], check=True)
    return {"solo": found}


def _memory(given: argparse.Namespace) -> Result:
    found = {}
    for ranks in (1, 2, 4):
        each = _launch(ranks, 1, "AlexNet", 8, given)
        found[ranks] = [[one["peak"], one["kept"]] for one in each]
        for rank, (peak, kept) in enumerate(found[ranks]):
            print(
                f"AlexNet, rank {rank} of {ranks}: peak {peak / 2**20:.0f} MiB, the optimizer "
                f"keeps {kept / 2**20:.1f} MiB"
            )
    return {"memory": found}


def _digests(given: argparse.Namespace) -> Result:
    found = {}
    for ranks in (1, 2, 3, 4, 8):
        for threads in (1, 2):
            (digest,) = _run(ranks, threads, ["--digest"])
            found[f"{ranks} x {threads}"] = digest
            print(f"{ranks} ranks of {threads}: {digest}", flush=True)
    print("all the same" if len(set(found.values())) == 1 else "THEY DIFFER")
    return {"digests": found}


PARTS: dict[str, Callable[[argparse.Namespace], Result]] = {
    "speed": _speed, "points": _points, "solo": _solo, "memory": _memory, "digests": _digests,
}  # fmt: skip


def _rounds(
    given: argparse.Namespace, network: str, ways: dict[str, tuple[int, int, int]]
) -> list[dict[str, float]]:
    """Return the seconds of a step in each way, round by round; every other round backwards."""
    rounds = []
    for turn in range(given.rounds):
        took = {}
        for way in list(ways)[:: 1 if turn % 2 == 0 else -1]:
            ranks, threads, batch = ways[way]
            each = _launch(ranks, threads, network, batch, given)
            took[way] = max(one["step"] for one in each)
        rounds.append(took)
    return rounds


def _launch(
    ranks: int, threads: int, network: str, batch: int, given: argparse.Namespace,
    source: Path | None = None,
) -> list[Result]:  # fmt: skip
    words = ["--rank", network, str(batch), str(given.seconds)]
    return [json.loads(line) for line in _run(ranks, threads, words, source)]


def _run(ranks: int, threads: int, words: Sequence[str], source: Path | None = None) -> list[str]:
    launch = [str(mpiexec()), "-n", str(ranks)] if ranks > 1 else []
    path = {"PYTHONPATH": str(source)} if source else {}
    environment = os.environ | {"PELLUCID_NUM_THREADS": str(threads)} | path
    done = subprocess.run(
        [*launch, sys.executable, __file__, *words],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return done.stdout.splitlines()


def _ratio(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


def _burst(name: str, batch: int, seconds: float) -> None:
    """Train for some seconds; rank 0 prints a line of JSON for each rank."""
    import numpy as np
    from scaling_networks import NETWORKS

    from pellucid import data, models, training

    options, world = _together()
    called, image, classes, _ = NETWORKS[name]
    rng = np.random.default_rng(0)
    images = batch * max(4, min(50, 20_000 // batch, PIXELS // (batch * math.prod(image))))
    pixels = rng.integers(0, 256, (images, *image), dtype=np.uint8)
    labels = np.arange(images) % classes
    train = data.Dataset.from_arrays(pixels, labels, classes=[str(k) for k in range(classes)])
    model = models.by_name(called, image, classes, rng=rng)
    times: list[float] = []

    class Watch(training.Callback):
        """Takes the time from batch to batch, on rank 0; ends when it is over."""

        def on_epoch_begin(self, trainer: Any) -> None:
            self.last = 0.0

        def on_batch_end(self, trainer: Any, loss: float, images: int) -> None:
            now = time.perf_counter()
            if self.last:
                times.append(now - self.last)
            self.last = time.perf_counter()
            if now > deadline and len(times) >= LEAST:
                trainer.stop("measured")

    deadline = time.perf_counter() + 1.5 * seconds
    trainer = training.Trainer(
        model, train, epochs=10**6, batch_size=batch, lr=1e-5, evaluate_samples=classes,
        progress=False, callbacks=[Watch()], **options,
    )  # fmt: skip
    trainer.fit()
    kept = sum(
        array.nbytes for slots in trainer.optimizer.memory.values() for array in slots.values()
    )
    took = statistics.median(times[len(times) // 3 :] or [0.0])  # of rank 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
    own = {"step": took, "peak": peak, "kept": kept}
    for one in [own] if world is None else world.gather(own) * (world.rank == 0):
        print(json.dumps(one))


def _digest() -> None:
    """Train 208 steps with all that draws or has statistics; rank 0 prints the weights' SHA-256."""
    import numpy as np

    from pellucid import data, models, training

    options, world = _together()
    train, test = data.digits()
    model = models.from_pattern(MIXED, (1, 8, 8), 10, rng=np.random.default_rng(0))
    trainer = training.Trainer(
        model, train, test, epochs=13, batch_size=90, augment="crop1,rotate10,mixup0.2",
        schedule="one-cycle", clip_norm=1.0, ema=0.99, progress=False, **options,
    )  # fmt: skip
    trainer.fit()
    if world is None or world.rank == 0:
        weights = b"".join(array.tobytes() for array in model.state_dict().values())
        print(hashlib.sha256(weights).hexdigest())


def _together() -> tuple[dict[str, Any], Any]:
    """Return the Trainer's options for several ranks, and their communicator; alone, none."""
    if int(os.environ.get("PMI_SIZE", "1")) == 1:
        return {}, None
    from pellucid.distributed import world

    return {"communicator": world()}, world()


if __name__ == "__main__":
    main()
