"""One step with fresh and with trained weights, in turns, in this process: prints JSON.

    python benchmarks/trained.py CASE THREADS [PASSES]

Both states take turns in one plan and one optimizer, so that only the numbers differ.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
from typing import Any

SIZE = 60_000  # images in a pass
PASSES = 2  # after the first, Adam's memory of some weights is almost 0
BLOCKS, WARM_UP, STEPS = 15, 5, 25


def main() -> None:
    """Train, then time blocks of steps from the fresh and from the trained state in turns."""
    key, threads = sys.argv[1], int(sys.argv[2])
    passes = float(sys.argv[3]) if len(sys.argv) > 3 else PASSES

    from cases import TRAINED
    from images import batches
    from ours import Pellucid
    from timing import spread

    case = TRAINED[key]
    stream = batches(case.image, case.batch)
    few = [next(stream) for _ in range(WARM_UP + STEPS)]
    contestant = Pellucid(case, few, threads)
    first_loss = contestant.train()
    states = {"fresh": _state(contestant)}
    contestant.data = stream
    losses = [contestant.train() for _ in range(max(int(passes * SIZE / case.batch), 1))]
    states["trained"] = _state(contestant)
    contestant.data = itertools.cycle(few)
    times: dict[str, list[float]] = {name: [] for name in states}
    for _ in range(BLOCKS):
        for name, state in states.items():
            times[name].append(_block(contestant, state))
    pairs = zip(times["trained"], times["fresh"], strict=True)
    result: dict[str, Any] = {name: spread(values) for name, values in times.items()}
    result["ratio"] = spread([trained / fresh for trained, fresh in pairs])
    result["losses"] = [first_loss, statistics.mean(losses[-50:])]
    print(json.dumps(result))


def _state(contestant: Any) -> Any:
    return contestant.model.state_dict(), contestant.rule.state_dict()


def _block(contestant: Any, state: Any) -> float:
    """Return the median time of some steps that begin at ``state``."""
    from timing import seconds_of

    weights, memory = state
    contestant.model.load_state_dict(weights)
    contestant.rule.load_state_dict(memory)
    times = [seconds_of(contestant.train) for _ in range(WARM_UP + STEPS)]
    return statistics.median(times[WARM_UP:])


if __name__ == "__main__":
    main()
