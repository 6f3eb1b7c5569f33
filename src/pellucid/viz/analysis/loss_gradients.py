"""The gradient of the loss of one image with respect to every value and weight of a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ... import ops
from ...errors import ArgumentError, ShapeError
from ...nn import Layer, walk
from ...nn.walk import Node
from ...shapes import shape_text
from ...typing import Array
from .studied import Studied

__all__ = ["LossGradients", "loss_gradients"]


@dataclass(frozen=True)
class LossGradients:
    """The gradients of ``L = -log softmax(s)[target]`` for one image.

    Attributes
    ----------
    nodes : list of Node
        Of `pellucid.nn.walk.flattened`.
    values : list of arrays
        The image, and each node's output, without N.
    gradients : list of arrays
        ``∂L/∂value``, each shaped like its value; zeros where the loss does not depend on it.
    owners : dict of key to (int, str)
        For each parameter, by its key in the model, the number of the value that its layer makes,
        and its name in the layer.
    output, scores_value : int
        The number of the network's output that is compared with the class, and of the scores s:
        the same, unless the network ends in a softmax.
    target : int
        The class.
    loss : float
    scores, probabilities : arrays (K,)
    """

    nodes: list[Node]
    values: list[Array]
    output: int
    scores_value: int
    target: int
    loss: float
    scores: Array
    probabilities: Array
    gradients: list[Array] = field(default_factory=list)
    owners: dict[str, tuple[int, str]] = field(default_factory=dict)

    def weight(self, key: str) -> Array:
        """Return ``∂L/∂w`` of a parameter by its key, by the backward of its layer alone.

        Those of a large network together are as large as its weights: none is kept.
        """
        made, name = self.owners[key]
        node, dy = self.nodes[made - 1], self.gradients[made]
        one = Studied(node.layer, [self.values[k] for k in node.reads])
        parameter = one.layer.parameters()[name]
        one.back(dy)
        return np.zeros_like(parameter.data) if parameter.grad is None else parameter.grad


def loss_gradients(
    model: Layer,
    values: Sequence[Array],
    target: int,
    *,
    output: int | None = None,
    on_node: Callable[[int, int], None] | None = None,
) -> LossGradients:
    """Compute the gradient of the softmax cross-entropy with respect to every value.

    That of a weight follows from it: `LossGradients.weight`.

    In evaluation mode, by each layer's own ``backward`` at the given values. ``model`` is not
    changed: not its gradients, caches or modes.

    Parameters
    ----------
    model : Layer
    values : sequence of arrays
        The image (C, H, W) and the output of each node of `pellucid.nn.walk.flattened`, without N,
        as the engine computed them.
    target : int
        The class.
    output : int, optional
        Which of several outputs, by its value's number; the first one that gives scores by default.
    on_node : callable, optional
        Called before each node with the number of nodes that are done, and of all.

    Raises
    ------
    ArgumentError
        If the class does not exist, or ``output`` is not an output that gives scores.
    ShapeError
        If there is not one value for each node, or the network does not end in scores.

    Examples
    --------
    >>> from pellucid.nn import Linear, Sequential
    >>> same = Linear(2, 2)
    >>> same.weight.data[...] = [[1, 0], [0, 1]]
    >>> x = np.zeros(2, np.float32)
    >>> found = loss_gradients(Sequential(same), [x, x], 1)
    >>> found.gradients[1], found.gradients[0]
    (array([ 0.5, -0.5], dtype=float32), array([ 0.5, -0.5], dtype=float32))
    """
    nodes = walk.flattened(model)
    given = [np.asarray(value) for value in values]
    if len(given) != len(nodes) + 1:
        raise ShapeError(
            f"expects {len(nodes) + 1} values, the image and one for each of {len(nodes)} nodes; "
            f"received {len(given)}.",
            where="loss_gradients",
        )
    end = _output(model, given, output)
    # The loss takes softmax and logarithm together, where a probability may underflow to 0.
    softmax = end > 0 and nodes[end - 1].layer.gives_probabilities
    at = nodes[end - 1].reads[0] if softmax else end
    scores = given[at].reshape(-1)
    if not 0 <= target < len(scores):
        raise ArgumentError(
            f"must be a class from 0 to {len(scores) - 1}, received {target!r}.", where="class"
        )
    loss, probabilities = ops.softmax_cross_entropy(scores[None], np.array([target]))
    found = LossGradients(
        nodes, given, end, at, target, float(loss), scores, probabilities[0].astype(scores.dtype)
    )
    _descend(found, on_node)
    keys = {id(p): key for key, p in model.parameters().items()}
    for made, node in enumerate(nodes, 1):
        own = node.layer.parameters().items()
        found.owners.update((keys[id(p)], (made, name)) for name, p in own)
    return found


def _output(model: Layer, values: Sequence[Array], output: int | None) -> int:
    """Return the number of the output that gives the scores of the classes."""
    ends = walk.output_values(model)
    rows = [k for k in ends if values[k].size == values[k].shape[0]]
    if output is not None and output not in rows:
        raise ArgumentError(
            f"must be the number of an output that gives one score a class, one of {rows}; "
            f"received {output!r}.",
            where="output",
        )
    if not rows:
        raise ShapeError(
            f"the network gives {shape_text(values[ends[0]].shape)} numbers for an image; it must "
            "end in one score a class.",
            where=type(model).__name__,
        )
    return rows[0] if output is None else output


def _descend(found: LossGradients, on_node: Callable[[int, int], None] | None) -> None:
    """Fill in the gradients, from the loss down to the image."""
    values, sums = found.values, found.gradients
    sums += [np.zeros(v.shape, np.result_type(v, np.float32)) for v in values]
    seed = found.probabilities.copy()
    seed[found.target] -= 1
    sums[found.scores_value] += seed.reshape(values[found.scores_value].shape)
    if found.output != found.scores_value:
        with np.errstate(divide="ignore"):
            sums[found.output].reshape(-1)[found.target] = -1 / found.probabilities[found.target]
    count = len(found.nodes)
    for made, node in reversed(list(enumerate(found.nodes, 1))):
        if on_node is not None:
            on_node(count - made, count)
        passed = made == found.output != found.scores_value  # the loss has taken this softmax
        if passed or not sums[made].any():
            continue
        one = Studied(node.layer, [values[k] for k in node.reads])
        for k, part in zip(node.reads, one.back(sums[made]), strict=True):
            sums[k] = sums[k] + part
