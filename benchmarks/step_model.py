"""How long a training step takes on n ranks, computed from what was measured on one and two.

`StepModel` plays one step in time: a rank computes its images layer by layer; each batch
normalization waits for a small message each way; a bucket of gradients leaves as soon as backward
has made it, while the layers before it compute; then the rank adds its slices, updates its part of
the weights, and all weights are gathered. The processor works, the wire carries; each does one
thing after the other. What the model leaves out: other traffic, switches with less capacity than
their ports, ranks that are slower than others, and reading the images.

`benchmarks/scaling.py` measures the constants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pellucid.distributed.share import CHUNKS, IN_PAIRS_FROM, chunks_of_ranks

__all__ = ["BUCKET", "Layer", "Link", "Network", "Split", "StepModel", "buckets", "images_of_rank"]

BUCKET = 2**20  # bytes of gradients that travel together
NUMBER = 4  # bytes
SUMS = 2 * 8  # bytes of a channel in a message of batch normalization: two sums in float64
AGREEMENT = 16  # bytes of the loss, and of what the ranks agree on after each batch


@dataclass(frozen=True)
class Link:
    """What joins two ranks, in seconds.

    Attributes
    ----------
    name : str
    latency : float
        From the call that sends an empty message to its arrival.
    wire : float
        Per byte in one direction; both directions at once.
    message : float
        Of the processor, for one message sent and one received.
    copying : float
        Of the processor, for one byte sent and one received.
    """

    name: str
    latency: float
    wire: float
    message: float
    copying: float

    @classmethod
    def of_rate(
        cls, name: str, bits: float, latency: float, message: float, copying: float
    ) -> Link:
        """Return the link of a network of ``bits`` per second."""
        return cls(name, latency, 8 / bits, message, copying)


@dataclass(frozen=True)
class Layer:
    """What one step of a plan costs.

    Attributes
    ----------
    forward, backward : tuple of float
        Seconds, for each of the network's numbers of images.
    numbers : int
        Of its parameters.
    channels : int
        Of a batch normalization; otherwise 0.
    """

    forward: tuple[float, ...]
    backward: tuple[float, ...]
    numbers: int = 0
    channels: int = 0


@dataclass(frozen=True)
class Network:
    """What a network's training step costs one rank.

    Attributes
    ----------
    name : str
    images : tuple of int
        Numbers of images that were measured, rising.
    layers : tuple of Layer
        In the order of forward.
    loss : tuple of float
        Seconds, for each number of images.
    update : float
        Seconds of the optimizer's step on all weights.
    adding : float
        Seconds to add one number to a partial sum.
    """

    name: str
    images: tuple[int, ...]
    layers: tuple[Layer, ...]
    loss: tuple[float, ...]
    update: float
    adding: float = 3e-10

    @property
    def numbers(self) -> int:
        """The number of all parameters."""
        return sum(layer.numbers for layer in self.layers)

    def at(self, seconds: Sequence[float], images: float) -> float:
        """Return the seconds for ``images``: between those measured a line, beyond in proportion.

        >>> Network("n", (1, 2, 4), (), (), 0).at((3, 4, 8), 3)
        6.0
        >>> Network("n", (1, 2, 4), (), (), 0).at((3, 4, 8), 8)
        16.0
        """
        if images <= 0:
            return 0.0
        if images >= self.images[-1]:
            return seconds[-1] * images / self.images[-1]
        if images <= self.images[0]:
            return float(seconds[0])
        k = next(k for k, n in enumerate(self.images) if n >= images)
        low, high = self.images[k - 1], self.images[k]
        return seconds[k - 1] + (seconds[k] - seconds[k - 1]) * (images - low) / (high - low)


@dataclass
class Split:
    """A step's seconds by what they are for, as far as they are not hidden by others."""

    compute: float = 0.0
    exchange: float = 0.0
    gather: float = 0.0
    small: float = 0.0
    arrivals: list[float] = field(default_factory=list)

    @property
    def total(self) -> float:
        """The seconds of the step."""
        return self.compute + self.exchange + self.gather + self.small


def buckets(numbers: Sequence[int], size: int = BUCKET) -> list[tuple[int, int]]:
    """Return (index of the last layer to run backward, bytes) of each bucket, in backward's order.

    A bucket is filled from the end of the network until it has ``size`` bytes.

    >>> buckets([10, 0, 300, 20], size=1000)
    [(2, 1280), (0, 40)]
    """
    made, held, at = [], 0, 0
    for k in reversed(range(len(numbers))):
        if numbers[k]:
            held, at = held + NUMBER * numbers[k], k
        if held >= size:
            made.append((at, held))
            held = 0
    return [*made, (at, held)] if held else made


def images_of_rank(batch: int, ranks: int, chunks: int = CHUNKS) -> int:
    """Return the most images that any of ``ranks`` has of a batch; ``chunks`` grow with the ranks.

    >>> [images_of_rank(100, n) for n in (1, 2, 3, 4, 16)]
    [100, 50, 50, 25, 7]
    """
    chunks = max(chunks, 1 << (ranks - 1).bit_length())
    largest = max(last - first for first, last in chunks_of_ranks(ranks, chunks))
    return -(-batch * largest // chunks)


@dataclass(frozen=True)
class StepModel:
    """The time of a training step on ranks that a link joins.

    Attributes
    ----------
    network : Network
    link : Link
    bucket : int
        Bytes.
    threads : float
        How many times as fast a rank computes as the measured thread.
    gathered : bool
        Whether a batch normalization's sums of all ranks go to every rank, which adds them itself,
        however many ranks there are; otherwise from `IN_PAIRS_FROM` ranks on pairs exchange partial
        sums, log2(n) times, as in `pellucid.distributed.Share.total`.
    overlap : bool
        Whether gradients travel while earlier layers compute.
    """

    network: Network
    link: Link
    bucket: int = BUCKET
    threads: float = 1.0
    gathered: bool = False
    overlap: bool = True

    def split(self, ranks: int, batch: int) -> Split:
        """Return where the time of a step on ``batch`` images goes, on the rank with most."""
        net, images, found = self.network, images_of_rank(batch, ranks), Split()
        norms = [layer.channels * SUMS for layer in net.layers if layer.channels]
        forward = sum(net.at(layer.forward, images) for layer in net.layers)
        now = (forward + net.at(net.loss, images)) / self.threads
        small = sum(self.message(ranks, size) for size in [*norms, AGREEMENT, AGREEMENT])
        back, compute, wire, posting = 0.0, now, 0.0, 0.0
        if not self.overlap:  # nothing leaves before the first layer's backward has ended
            wire = sum(net.at(layer.backward, images) for layer in net.layers) / self.threads
        ends = dict(buckets([layer.numbers for layer in net.layers], self.bucket))
        for k in reversed(range(len(net.layers))):
            layer = net.layers[k]
            seconds = net.at(layer.backward, images) / self.threads
            back, compute = back + seconds, compute + seconds
            if layer.channels:
                message = self.message(ranks, layer.channels * SUMS)
                back, small = back + message, small + message
            if k in ends and ranks > 1:
                sent = ends[k] * (ranks - 1) / ranks
                worked = (ranks - 1) * self.link.message + sent * self.link.copying
                back, posting = back + worked, posting + worked
                wire = max(wire, back) + sent * self.link.wire
                found.arrivals.append(wire + self.link.latency)
        exposed = max(0.0, max(found.arrivals, default=0.0) - back)
        adding = net.numbers * (ranks - 1) / ranks * net.adding
        found.compute = compute + (net.update / ranks + adding) / self.threads
        found.exchange = posting + exposed
        found.gather = self._gather(ranks)
        found.small = small if ranks > 1 else 0.0
        return found

    def seconds(self, ranks: int, batch: int) -> float:
        """Return the time of a step on ``batch`` images."""
        return self.split(ranks, batch).total

    def speed_up(self, ranks: int, batch: int) -> float:
        """Return how many times as fast as one rank the same batch is trained on (strong)."""
        return self.seconds(1, batch) / self.seconds(ranks, batch)

    def scaled_speed_up(self, ranks: int, images: int) -> float:
        """Return how many times as many images a second, each rank having ``images`` (weak)."""
        return ranks * self.seconds(1, images) / self.seconds(ranks, ranks * images)

    def least_images(self, ranks: int, efficiency: float = 0.9, most: int = 2**14) -> int | None:
        """Return the fewest images per rank, a power of two, with this efficiency; None beyond."""
        images = 1
        while images <= most:
            if self.scaled_speed_up(ranks, images) >= efficiency * ranks:
                return images
            images *= 2
        return None

    def message(self, ranks: int, size: int) -> float:
        """Return the time until every rank has the sum of small messages of ``size`` bytes."""
        if ranks == 1:
            return 0.0
        rounds = math.ceil(math.log2(ranks))
        gathered = self.gathered or ranks < IN_PAIRS_FROM
        carried = size * (ranks - 1 if gathered else rounds)
        each = self.link.latency + self.link.message
        return rounds * each + carried * (self.link.wire + self.link.copying)

    def _gather(self, ranks: int) -> float:
        """Return the time until every rank has all weights."""
        if ranks == 1:
            return 0.0
        carried = NUMBER * self.network.numbers * (ranks - 1) / ranks
        processor = (ranks - 1) * self.link.message + carried * self.link.copying
        return self.link.latency + max(processor, carried * self.link.wire)
