"""Measure what joins two ranks: `Link`'s constants, and whole exchanges against its prediction.

    python benchmarks/links.py [--mbit N] [--json]

Without --mbit: shared memory, and TCP as fast as this machine's processors carry it. With it: two
network namespaces that a cable of N Mbit/s joins (`machines.py`), and each exchange of gradients
beside what the model computes from the rate and the constants of TCP alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from typing import Any

from machines import between_machines, mpiexec, unavailable
from step_model import Link

__all__ = ["ETHERNET", "exchange_seconds", "link_of", "measured_link", "messages"]

ETHERNET = 1538 / 1448  # bytes on the wire for one of a message: frames of 1500 with their heads
SHAPED = 1514 / 1448  # those that tc counts
TIMES = {1: 300, 2**16: 100, 2**20: 25, 2**23: 7}  # repetitions of exchanges of so many bytes
SUSTAINED = 2**20  # bytes of which a limit of the rate lets few pass at once
MANY = 64  # messages in flight at once


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mbit", type=float)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rank", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rank:
        _as_rank()
        return
    if given.mbit and (reason := unavailable()):
        sys.exit(f"two machines cannot be made here: {reason}")
    names = ("shared memory", "TCP") if not given.mbit else ("TCP",)
    links = [measured_link(name) for name in names]
    found: dict[str, Any] = {"links": [asdict(link) for link in links]}
    if given.mbit:
        (tcp,) = links
        link = Link(
            f"{given.mbit:g} Mbit/s", tcp.latency, SHAPED * 8e-6 / given.mbit, tcp.message,
            tcp.copying,
        )  # fmt: skip
        measured = messages(link.name, given.mbit)
        found["exchanges"] = [
            {"bytes": size, "measured": seconds, "predicted": exchange_seconds(link, size)}
            for size, seconds, _ in measured["exchanges"]
            if size >= SUSTAINED
        ]
    print(json.dumps(found, indent=1) if given.json else _text(found))


def exchange_seconds(link: Link, size: int) -> float:
    """Return the time until each of two ranks has ``size`` bytes of the other."""
    carried = size * max(link.wire, link.copying)
    return link.latency + link.message + carried


def messages(name: str, mbit: float = 0.0) -> dict[str, Any]:
    """Return the seconds of messages between two real ranks over "shared memory", or TCP."""
    words = [sys.executable, __file__, "--rank"]
    if mbit:
        done = between_machines(mbit, words)
    else:
        tcp = {"MPIR_CVAR_NOLOCAL": "1", "MPIR_CVAR_CH4_NETMOD": "ofi", "FI_PROVIDER": "tcp"}
        environment = os.environ | (tcp if name == "TCP" else {})
        launch = [str(mpiexec()), "-n", "2", *words]
        done = subprocess.run(launch, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return json.loads(done.stdout)


def measured_link(name: str) -> Link:
    """Measure the link called "shared memory" or "TCP"."""
    return link_of(name, messages(name))


def link_of(name: str, found: dict[str, Any]) -> Link:
    """Return the constants that `messages` shows: on one machine the processor is the wire.

    They are the shortest times: other work on the machine only makes them longer.

    >>> exchanges = [[1, 9e-6, 5e-6], [2**20, 1e-3, 1e-4], [2**20 + 10**6, 1e-3, 2e-4]]
    >>> link = link_of("m", {"exchanges": exchanges, "many": 64e-6})
    >>> f"{link.latency:.1e} {link.message:.1e} {link.copying:.1e}"
    '4.0e-06 1.0e-06 1.0e-10'
    """
    exchanges = {size: least for size, _, least in found["exchanges"]}
    large, larger = sorted(exchanges)[-2:]
    copying = (exchanges[larger] - exchanges[large]) / (larger - large)
    message = found["many"] / MANY
    return Link(name, max(exchanges[1] - message, 0.0), 0.0, round(message, 7), copying)


def _as_rank() -> None:
    """Be one of the two ranks; rank 0 prints the seconds."""
    import numpy as np

    from pellucid.distributed import MPI

    world = MPI()

    largest = max(max(TIMES), MANY)
    memory = np.ones((2, largest), dtype=np.uint8)  # touched: a new page costs more than a copy

    def exchange(size: int, times: int) -> float:
        sent, received = memory[:, : size * times].reshape(2, times, size)
        world.collect(np.zeros(1))
        begin = time.perf_counter()
        pending = []
        for out, into in zip(sent, received, strict=True):
            # This rank's own part is the same array, so that nothing is copied.
            pending.append(world.exchange([out, out], [into, out] if world.rank else [out, into]))
        for one in pending:
            one.wait()
        return time.perf_counter() - begin

    exchanges = []
    for size, times in TIMES.items():
        exchange(size, 1)
        found = [exchange(size, 1) for _ in range(times)]
        exchanges.append((size, statistics.median(found), min(found)))
    many = min(exchange(1, MANY) for _ in range(50))
    if world.rank == 0:
        print(json.dumps({"exchanges": exchanges, "many": many}))


def _text(found: dict[str, Any]) -> str:
    lines = [
        f"{link['name']}: latency {1e6 * link['latency']:.1f} µs; of the processor, a message "
        f"{1e6 * link['message']:.2f} µs and a MB {1e12 * link['copying']:.0f} µs"
        for link in found["links"]
    ]
    for row in found.get("exchanges", ()):
        ratio = row["measured"] / row["predicted"]
        lines.append(
            f"{row['bytes']:>9} bytes each way: measured {1e3 * row['measured']:9.3f} ms, "
            f"predicted {1e3 * row['predicted']:9.3f} ms, ratio {ratio:.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
