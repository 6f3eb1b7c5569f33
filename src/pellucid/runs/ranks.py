"""What is said of the ranks that train together."""

from __future__ import annotations

import platform

from ..distributed import Communicator, chunks_of_ranks
from ..kernels.pool.thread_count import get_num_threads
from ..training import Trainer

__all__ = ["work_of_ranks"]


def work_of_ranks(trainer: Trainer, ranks: Communicator) -> list[str]:
    """Return a note on the ranks, their threads, and the images of each; none for one rank.

    Of several ranks all call this.
    """
    if ranks.size == 1:
        return []
    found = ranks.gather((platform.node(), get_num_threads()))
    hosts, threads = {host for host, _ in found}, [number for _, number in found]
    batch, chunks = trainer.loader.batch_size, trainer.chunks
    nodes = chunks_of_ranks(ranks.size, chunks)
    images = [last * batch // chunks - first * batch // chunks for first, last in nodes]
    return [
        f"{ranks.size} ranks of {_span(threads, 'thread')} on "
        f"{len(hosts)} host{'s' * (len(hosts) > 1)}, {_span(images, 'image')} each of a batch of "
        f"{batch:,}"
    ]


def _span(numbers: list[int], noun: str) -> str:
    """Return the numbers in words: 1 thread, 25 images, 25 to 50 images."""
    least, most = min(numbers), max(numbers)
    text = f"{most:,}" if least == most else f"{least:,} to {most:,}"
    return f"{text} {noun}{'s' * (most != 1)}"
