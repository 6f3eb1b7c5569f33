"""Choose the steps of a plan: which step runs which layers, and in which layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..distributed import Share
from ..nn import Layer, walk
from ..nn.join import Join
from ..typing import Shape
from .backend import Backend
from .step import Step

__all__ = ["assemble"]


class _Value(NamedTuple):
    """The output of a step: its number in the plan, its shape, and its layout."""

    number: int
    shape: Shape
    last: bool  # (N, H, W, C); otherwise (N, C, H, W)


def assemble(
    model: Layer, shape: Shape, batch: int, *, fast: bool, backend: Backend, share: Share,
    precision: str = "float32",
) -> tuple[list[Step], tuple[int, ...]]:  # fmt: skip
    """Return the steps that run ``model`` on images (C, H, W) = ``shape``, or on rows (F,).

    And the numbers of the values that are its outputs, one or several. Without ``fast``, each layer
    is called as it is, and each block or graph with several paths as one layer. The steps have room
    for the ``share`` of up to ``batch`` images, and multiply in this ``precision`` where it pays.
    """
    built = _Assembly(model, tuple(shape), batch, backend, share, precision, fast=fast)
    return built.steps, built.outputs


class _Assembly:
    """The steps, built in one pass over the model's nodes, containers expanded."""

    def __init__(
        self, model: Layer, shape: Shape, whole: int, backend: Backend, share: Share,
        precision: str, *, fast: bool,
    ) -> None:  # fmt: skip
        self.nodes, self.fast = walk.flattened(model, lines=not fast), fast
        self.backend, self.share, self.precision = backend, share, precision
        self.whole, self.batch = whole, share.largest(whole)
        self.shapes = [shape, *(out for _, _, out in walk.shapes(self.nodes, shape))]
        reads = [(k, made) for made, node in enumerate(self.nodes, 1) for k in node.reads]
        ends = walk.output_values(model, lines=not fast)
        self.readings = Counter([*(k for k, _ in reads), *ends])  # an output is read by the caller
        self.reader = dict(reads)  # of values that are read once
        self.steps: list[Step] = []
        self.shared: set[int] = set()  # values of the plan that several steps read
        values = {0: self._for_readers(0, _Value(0, shape, last=False))}
        for made in range(1, len(self.shapes)):
            if made not in values:  # else an earlier step has absorbed it
                values |= self._run(made, values)
        self.outputs = tuple(self.laid_out(values[k], last=False).number for k in ends)

    def _run(self, made: int, values: Mapping[int, _Value]) -> dict[int, _Value]:
        """Add the step of a node; return its output, keyed by the numbers of all nodes it runs."""
        node = self.nodes[made - 1]
        inputs = [values[k] for k in node.reads]
        step, run = self._step(made)
        step.compute_in(self.precision)
        step.divide(self.share, self.whole)
        last = step.channels_last
        if last is None and len({value.last for value in inputs}) > 1:
            last = True
        if last is not None:
            inputs = [self.laid_out(value, last=last) for value in inputs]
        for value in inputs:
            if value.number and value.number not in self.shared:
                step.link(self.steps[value.number - 1])
                if len(inputs) == 1:
                    self.steps[value.number - 1].read_by(step)
        value = self._for_readers(run[-1], self._add(step, *inputs))
        return dict.fromkeys(run, value)

    def _step(self, made: int) -> tuple[Step, list[int]]:
        """Return the step of a node, and the numbers of this node and of those it absorbs.

        It may absorb the sole reader of its output, then the sole reader of that, and so on.
        """
        name, layer, reads = self.nodes[made - 1]
        several = len(reads) > 1 or isinstance(layer, Join)
        read: Any = tuple(self.shapes[k] for k in reads) if several else self.shapes[reads[0]]
        if not self.fast:
            return self.backend.plain(name, layer, read, self.batch, single=False), [made]
        kind: Any = self.backend.steps.find(layer, read)
        if kind is None:
            return self.backend.plain(name, layer, read, self.batch), [made]
        run = [made]
        absorbed: dict[str, Any] = {}
        while self.readings[run[-1]] == 1 and run[-1] in self.reader:
            follower = self.reader[run[-1]]
            shape = self.shapes[run[-1]]
            more = kind.absorbs(layer, self.nodes[follower - 1].layer, shape, absorbed)
            if more is None:
                break
            absorbed |= more
            run.append(follower)
        return kind(name, layer, read, self.batch, **absorbed), run

    def _for_readers(self, number: int, value: _Value) -> _Value:
        """Return a value for its readers: channels last if there are several, as most prefer."""
        if self.readings[number] > 1:
            value = self.laid_out(value, last=True)
            self.shared.add(value.number)
        return value

    def laid_out(self, value: _Value, *, last: bool) -> _Value:
        """Insert a layout conversion unless the value already has this layout."""
        if len(value.shape) != 3 or value.last == last or not self.fast:
            return value
        alone = value.number > 0 and value.number not in self.shared
        if alone and not last and self.steps[value.number - 1].emit_channels_first():
            return value._replace(last=False)
        return self._add(self.backend.layout(value.shape, self.batch, to_last=last), value)

    def _add(self, step: Step, *values: _Value) -> _Value:
        step.reads, step.makes = tuple(v.number for v in values), len(self.steps) + 1
        self.steps.append(step)
        images = len(step.output_shape) == 3
        last = values[0].last if step.channels_last is None else step.channels_last
        if step.makes_channels_last is not None:
            last = step.makes_channels_last
        return _Value(step.makes, step.output_shape, images and last)
