"""Measure where the time of a training step goes on each of several ranks."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from .. import optim
from ..distributed import CHUNKS, Communicator, Share
from ..nn import Layer, SoftmaxCrossEntropy
from ..tables import text_table
from ..typing import Array
from .engines import CompiledEngine
from .exchange import BucketTime
from .shared_update import SharedUpdate

__all__ = ["RankTime", "RanksProfile", "profile_ranks"]

WARM = 3  # untimed steps
BAR = 48  # characters of a timeline


@dataclass(frozen=True)
class RankTime:
    """A rank's part of a training step, in seconds.

    Attributes
    ----------
    images : int
        That it computes.
    forward, loss, backward : float
        Computing.
    small : float
        In messages that all wait for: sums of batch normalization and of the loss.
    sending : float
        Handing gradients and weights over, and adding up what has come.
    waiting : float
        For gradients after the backward, and for weights after the update.
    update : float
    step : float
        The whole step.
    """

    images: int
    forward: float
    loss: float
    backward: float
    small: float
    sending: float
    waiting: float
    update: float
    step: float


@dataclass(frozen=True)
class RanksProfile:
    """The result of `profile_ranks`; printing it gives a table and a timeline.

    Attributes
    ----------
    images : int
        Of the whole batch.
    threads : int
        Of each rank.
    ranks : tuple of RankTime
        Medians, for each rank.
    buckets : tuple of tuple of BucketTime
        For each rank, when its buckets of gradients travelled, in the order of sending.
    """

    images: int
    threads: int
    ranks: tuple[RankTime, ...]
    buckets: tuple[tuple[BucketTime, ...], ...]

    @property
    def step_seconds(self) -> float:
        """The time of a step: that of the rank that takes longest."""
        return max(rank.step for rank in self.ranks)

    def __str__(self) -> str:
        names = [field.name for field in fields(RankTime)][1:]
        rows = [
            [str(k), str(rank.images), *(f"{1e3 * s:.3f}" for s in astuple(rank)[1:])]
            for k, rank in enumerate(self.ranks)
        ]
        each = f"{self.threads} thread{'s' * (self.threads != 1)}"
        slowest = max(self.ranks, key=lambda rank: rank.step)
        computing = slowest.forward + slowest.loss + slowest.backward + slowest.update
        speed = self.images / self.step_seconds
        return "\n".join(
            (
                f"training, {self.images} images a step, {len(self.ranks)} ranks of {each}",
                text_table(["rank", "images", *(f"{name} ms" for name in names)], rows, left=()),
                f"one step: {1e3 * self.step_seconds:.3f} ms, of which "
                f"{computing / slowest.step:.0%} compute; {speed:,.0f} images/s",
                "",
                "backward (#), gradients on their way (=), new weights on theirs (-), on rank 0",
                *_timeline(self.ranks[0], self.buckets[0]),
            )
        )


def profile_ranks(
    model: Layer,
    images: Array,
    labels: Array,
    communicator: Communicator,
    *,
    steps: int = 30,
    optimizer: str = "adam",
    chunks: int | None = None,
) -> RanksProfile:
    """Measure ``steps`` training steps of a copy of ``model``; all ranks call it alike.

    Parameters
    ----------
    model : Layer
        Is not changed.
    images : float array (N, C, H, W)
        The whole batch, the same on every rank.
    labels : integer array (N,)
    communicator : Communicator
    steps : int
        Number of timed steps, of which medians are returned.
    optimizer : str
        A name as in `pellucid.optim.by_name`.
    chunks : int, optional
        As in `Trainer`; by default the same 8, or as many as the ranks need.

    Raises
    ------
    ArgumentError
        If there are more ranks than chunks, or the model cannot be trained on several.

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid.distributed import Solo
    >>> from pellucid.models import SimpleConvNet
    >>> x, labels = np.zeros((50, 1, 8, 8), np.float32), np.zeros(50, np.int64)
    >>> measured = profile_ranks(SimpleConvNet((1, 8, 8)), x, labels, Solo(), steps=3)
    >>> [rank.images for rank in measured.ranks], len(measured.buckets)
    ([50], 1)
    """
    from ..kernels.pool.thread_count import get_num_threads

    timed, engine = _Timed(communicator), CompiledEngine()
    chunks = chunks or max(CHUNKS, 1 << (communicator.size - 1).bit_length())
    model, share = copy.deepcopy(model).train(), Share(timed, chunks)
    mine = share.begin(len(images))
    x, targets = images[mine], labels[mine]
    plan = engine.prepare(model, images.shape[1:], len(images), share=share)
    loss = engine.loss(SoftmaxCrossEntropy(), share)
    rule = optim.by_name(optimizer)
    update = SharedUpdate(plan, share, rule, engine)  # type: ignore[arg-type]

    def step() -> tuple[RankTime, list[BucketTime]]:
        communicator.collect(np.zeros(1))  # all begin together
        share.begin(len(images))
        timed.seconds, clock = 0.0, [time.perf_counter()]
        scores = plan(x)
        forward = timed.seconds
        clock.append(time.perf_counter())
        loss(scores, targets)
        clock.append(time.perf_counter())
        lost = timed.seconds - forward
        update.begin(rule.lr)
        plan.backward(loss.backward())
        update.finish()
        update.update()
        clock.append(time.perf_counter())
        split = update.seconds
        back = timed.seconds - forward - lost
        took = RankTime(
            len(x), clock[1] - clock[0] - forward, clock[2] - clock[1] - lost,
            split.backward - back, timed.seconds, split.sending, split.waiting,
            split.updating or clock[3] - clock[2] - split.backward - split.sending - split.waiting,
            clock[3] - clock[0],
        )  # fmt: skip
        return took, [copy.copy(bucket) for bucket in split.buckets]

    for _ in range(WARM):
        step()
    found = [step() for _ in range(steps)]
    times = zip(*(astuple(took)[1:] for took, _ in found), strict=True)
    own = RankTime(len(x), *(statistics.median(part) for part in times))
    buckets = [
        BucketTime(
            each[0].bytes,
            statistics.median(one.ready for one in each),
            statistics.median(one.done for one in each),
            statistics.median(one.back for one in each),
        )
        for each in zip(*(buckets for _, buckets in found), strict=True)
    ]
    ranks = communicator.gather((own, tuple(buckets)))
    return RanksProfile(
        len(images), get_num_threads(), tuple(r for r, _ in ranks), tuple(b for _, b in ranks)
    )


class _Timed:
    """A communicator that counts the seconds in `collect`, which all ranks wait for."""

    def __init__(self, other: Communicator) -> None:
        self._other, self.seconds = other, 0.0
        self.rank, self.size = other.rank, other.size
        self.gather, self.broadcast, self.exchange = other.gather, other.broadcast, other.exchange
        self.barrier, self.abort = other.barrier, other.abort

    def collect(self, part: Array) -> Array:
        begin = time.perf_counter()
        whole = self._other.collect(part)
        self.seconds += time.perf_counter() - begin
        return whole

    def split(self, group: int) -> Communicator:
        return self._other.split(group)


def _timeline(rank: RankTime, buckets: Sequence[BucketTime]) -> list[str]:
    """Return a bar for the backward, and one for each bucket."""
    end = max([rank.backward, *(bucket.ready for bucket in buckets)])  # with messages in between
    last = max([end, 1e-9, *(max(bucket.done, bucket.back) for bucket in buckets)])

    def place(seconds: float) -> int:
        return round(seconds / last * BAR)

    rows = [["backward", "", f"{1e3 * end:.3f}", "", "", "#" * max(place(end), 1)]]
    for k, bucket in enumerate(buckets, 1):
        ready, done = place(bucket.ready), place(bucket.done)
        times = [f"{1e3 * s:.3f}" for s in (bucket.ready, bucket.done, bucket.back)]
        bar = " " * ready + "=" * max(done - ready, 1)
        bar += "-" * (place(bucket.back) - len(bar))  # none if all weights are gathered afterwards
        if not bucket.back:
            times[-1] = "-"
        rows.append([f"bucket {k}", f"{bucket.bytes / 2**20:.2f}", *times, bar])
    header = ["", "MiB", "ready ms", "summed ms", "updated ms", ""]
    return text_table(header, rows, left=(0, 5)).splitlines()
