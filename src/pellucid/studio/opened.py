"""A network that is open in the studio: its values for an image, its classes, its images."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data import Dataset, Parts
from ..engine import Plan, compile
from ..errors import ArgumentError, DataError
from ..nn import Graph, Layer, walk
from ..ops import softmax
from ..optim import Optimizer
from ..preparation import Preparation
from ..runs.networks import is_name
from ..shapes import shape_text
from ..training import predict
from ..typing import Array
from .every_value import EveryValue
from .registry import ForgottenError, Report

if TYPE_CHECKING:
    from .opening import Studio

__all__ = ["Opened"]

MOST_IMAGES = 64  # whose numbers are kept
MOST_VALUES = 2  # images whose values at every node are kept
BATCH = 200  # images at a time
ROLES = ("test", "validation", "train")


class Opened:
    """A model with all that questions about it need; each method may be called by any thread.

    Parameters
    ----------
    model : Layer
        With an ``input_shape`` (C, H, W).
    id, name : str
        For the page: what messages call it, and what a reader does.
    images : callable, optional
        Returns the sets of images that go with it; called once, when they are first asked for.
    source : str
        What was opened: a path, a name or a pattern.

    Attributes
    ----------
    nodes : list of Node
        Of `walk.flattened`: value k is the output of the k-th of them, value 0 the image.
    shapes : list of shapes
        Of each value, without N; shapes[0] is that of an image.
    outputs : list of int
        The values that the model returns; rows of scores first.
    output : int
        The first of them.
    scoring : Layer
        The model up to this one, with the same layers: itself, if it has one output.
    lock : RLock
        Held while plans of the model run, and by what changes its weights.
    version : int
        Raised by `changed`: of the weights.
    optimizer : Optimizer or None
        A copy of that of the training which the weights are from, as it was with them.
    data, data_dir : str or None, Path or None
        The data set that goes with it, and where its files are.
    edits : dict of (str, tuple of int) to float
        What was there before a weight was edited by hand, by its key and index.
    studio : Studio or None
        That it is open in.
    """

    def __init__(
        self,
        model: Layer,
        id: str,
        name: str,
        images: Callable[[], Parts] | None = None,
        source: str = "",
    ) -> None:
        shape = model.input_shape
        if shape is None or len(shape) != 3:
            known = "does not say what it takes" if shape is None else f"takes {shape_text(shape)}"
            raise ArgumentError(
                f"the studio shows networks of images (C, H, W); this one {known}. Say the images "
                "with {image}, or set its `input_shape`.",
                where="model",
                arguments={"image": ((3, 32, 32),)},
            )
        self.model, self.id, self.name, self.source = model, id, name, source
        self.nodes = walk.flattened(model)
        self.shapes = [shape, *(made for _, _, made in walk.shapes(self.nodes, shape))]
        found = walk.output_values(model)
        self.outputs = sorted(found, key=lambda value: len(self.shapes[value]) != 1)
        self.output, self.scoring = self.outputs[0], model
        if model.output_names is not None:
            assert isinstance(model, Graph)
            self.scoring = model.ending_at(model.output_names[found.index(self.output)])
        self.lock = threading.RLock()
        self.version = 0
        self.optimizer: Optimizer | None = None
        self.data: str | None = None
        self.data_dir: Path | None = None
        self.edits: dict[tuple[str, tuple[int, ...]], float] = {}
        self.studio: Studio | None = None
        self._load, self._loading = images, threading.Lock()
        self._numbers: OrderedDict[str, Array] = OrderedDict()
        self._values: OrderedDict[tuple[str, int], list[Array]] = OrderedDict()
        self._predicted: dict[tuple[str, int], Array] = {}

    # What is known of it ------------------------------------------------------------------------

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of an image."""
        c, h, w = self.shapes[0]
        return c, h, w

    @property
    def is_new(self) -> bool:
        """Whether it was opened by a name or a pattern, with new weights."""
        return bool(self.source) and is_name(self.source)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, or their numbers; () if the output is not a row of scores."""
        if len(self.shapes[self.output]) != 1:
            return ()
        count = self.shapes[self.output][0]
        known = self.model.card.classes if self.model.card is not None else ()
        return tuple(known) if len(known) == count else tuple(map(str, range(count)))

    @property
    def preparation(self) -> Preparation:
        """How a picture becomes an image of the network."""
        known = self.model.card.preparation if self.model.card is not None else None
        shape = self.shapes[0]
        if known is not None and known.image_shape == shape:
            return known
        return Preparation.of_shape(shape)

    @property
    def value_range(self) -> tuple[float, float]:
        """The smallest and the largest number of an image: of black and white."""
        known = self.model.card.value_range if self.model.card is not None else None
        return (0.0, 1.0) if known is None else (float(known[0]), float(known[1]))

    @property
    def has_images(self) -> bool:
        """Whether images go with it; they may not have been loaded."""
        return self._load is not None

    @cached_property
    def _parts(self) -> Parts | None:
        return None if self._load is None else self._load()

    def parts(self) -> dict[str, Dataset]:
        """Return its sets of images by role, the test set first; {} if none are known."""
        with self._loading:
            parts = self._parts
        if parts is None:
            return {}
        return {role: part for role in ROLES if (part := getattr(parts, role)) is not None}

    def part(self, role: str) -> Dataset:
        """Return a set of images by its role.

        Raises
        ------
        DataError
            If there is none.
        """
        parts = self.parts()
        if role not in parts:
            has = ", ".join(parts) or "none"
            raise DataError(f"'{self.name}' has no {role} images (it has: {has}).", where="part")
        return parts[role]

    # Images -------------------------------------------------------------------------------------

    def keep(self, numbers: Array) -> str:
        """Keep the numbers (C, H, W) of an image, and return its id.

        Raises
        ------
        ArgumentError
            If they have another shape, or are not finite.
        """
        if numbers.shape != self.shapes[0]:
            raise ArgumentError(
                f"an image of this network has the shape {shape_text(self.shapes[0])}, received "
                f"{shape_text(numbers.shape)}.",
                where="numbers",
            )
        with np.errstate(over="ignore"):
            kept = np.array(numbers, dtype=np.float32)
        if not np.isfinite(kept).all():
            raise ArgumentError(
                "has numbers that are not finite, or too large for float32.", where="numbers"
            )
        id = hashlib.sha256(kept.tobytes()).hexdigest()[:16]
        with self.lock:
            self._numbers[id] = kept
            self._numbers.move_to_end(id)
            while len(self._numbers) > MOST_IMAGES:
                self._numbers.popitem(last=False)
        return id

    def numbers(self, image: str) -> Array:
        """Return the float32 numbers (C, H, W) of an image by its id.

        Raises
        ------
        ForgottenError
            If it is no longer kept.
        """
        with self.lock:
            found = self._numbers.get(image)
            if found is None:
                raise ForgottenError("the image is no longer kept; give its numbers once more.")
            self._numbers.move_to_end(image)
            return found

    # Running ------------------------------------------------------------------------------------

    @cached_property
    def _plan(self) -> Plan:
        return compile(self.scoring, self.shapes[0], 1)

    @cached_property
    def _every(self) -> Plan:
        return compile(EveryValue(self.model), self.shapes[0], 1)

    def scores(self, image: str) -> Array:
        """Return what the network computes for an image: float32, of the shape of its output."""
        x = self.numbers(image)[np.newaxis]
        with self.lock, self.model.evaluating(), np.errstate(under="ignore"):
            found: Array = self._plan(x)
            return found[0].copy()

    def probabilities(self, scores: Array) -> Array:
        """Return the softmax of scores (K,), unless the network's last layer is a softmax."""
        if self.nodes[self.output - 1].layer.gives_probabilities:
            return scores
        with np.errstate(all="ignore"):  # of a training that diverges
            return softmax(scores[np.newaxis])[0]

    def values(self, image: str) -> list[Array]:
        """Return the image and the value of each node, as the engine computes it; do not write.

        Those of the last two images are kept.
        """
        with self.lock:
            key = (image, self.version)
            if key not in self._values:
                x = self.numbers(image)
                with self.model.evaluating(), np.errstate(under="ignore"):
                    made = self._every(x[np.newaxis])
                self._values[key] = [x, *(y[0].copy() for y in made)]
                while len(self._values) > MOST_VALUES:
                    self._values.popitem(last=False)
            self._values.move_to_end(key)
            return self._values[key]

    def predicted(self, role: str, report: Report | None = None) -> Array:
        """Return the probabilities (N, K) of the classes for a set of images; kept."""
        images = self.part(role)
        key = (role, self.version)
        if key not in self._predicted:
            done: list[Array] = []
            for start in range(0, len(images), BATCH):
                if report is not None:
                    report(start, len(images))
                with self.lock:  # for one batch, or quick questions would wait for all of them
                    done.append(predict(self.scoring, images[start : start + BATCH]))
            self._predicted = {**self._predicted, key: np.concatenate(done)}
        return self._predicted[key]

    def changed(self) -> None:
        """Say that weights have changed: what was computed with the old ones is dropped."""
        with self.lock:
            self.version += 1
            self._values.clear()
            self._predicted = {}

    # Places -------------------------------------------------------------------------------------

    def require_value(self, value: int) -> int:
        """Return the number of a value, or refuse one that does not exist."""
        if not 0 <= value < len(self.shapes):
            raise ArgumentError(
                f"the values of this network are 0 to {len(self.shapes) - 1}, received {value}.",
                where="value",
            )
        return value

    def require_unit(self, value: int, unit: list[int]) -> tuple[int, ...]:
        """Return the index of a unit of a value, or refuse one that does not exist."""
        shape = self.shapes[self.require_value(value)]
        if len(unit) != len(shape) or not all(0 <= k < n for k, n in zip(unit, shape, strict=True)):
            raise ArgumentError(
                f"must be {len(shape)} indices below {shape_text(shape)}, received {unit}.",
                where="unit",
            )
        return tuple(unit)

    def require_scores(self) -> None:
        """Refuse a network that does not give one score for each class."""
        if not self.classes:
            raise ArgumentError(
                f"ends in {shape_text(self.shapes[self.output])}, not in one score for each class: "
                "there is no class to ask about, and no loss.",
                where=self.name,
            )

    def require_class(self, number: int) -> int:
        """Return the number of a class, or refuse one that does not exist."""
        if not 0 <= number < len(self.classes):
            raise ArgumentError(
                f"must be a class from 0 to {len(self.classes) - 1}, received {number}.",
                where="class_",
            )
        return number
