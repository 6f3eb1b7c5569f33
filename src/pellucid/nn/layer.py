"""The base class of layers: an op, its parameters, and the cache of its last forward.

A new layer needs `forward`, `backward` and, if it changes the shape, `output_shape`; then it works
in a model, in the Trainer, in `summary` and in gradient checks:

>>> import numpy as np
>>> class Scale(Layer):
...     '''Multiply every channel by its own learned number.'''
...
...     def __init__(self, channels):
...         self.channels = channels
...         self.gain = Parameter(np.ones(channels, dtype=np.float32))
...
...     def forward(self, x):
...         self.remember(x)
...         return x * self.gain.data.reshape(1, -1, 1, 1)
...
...     def backward(self, dy):
...         (x,) = self.recall()
...         self.gain.grad = (dy * x).sum(axis=(0, 2, 3))
...         return dy * self.gain.data.reshape(1, -1, 1, 1)
>>> Scale(3)
Scale(3)
>>> list(Scale(3).parameters())
['gain']
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ..errors import ArgumentError, PellucidError
from ..other_names import unknown
from ..typing import Array, Shape
from . import state
from .card import Card
from .description import Described
from .evaluation import Evaluation, here
from .parameter import Buffer, Parameter
from .pattern_words import PatternWord
from .questions import LayerRow, Questions

if TYPE_CHECKING:
    from .walk import Node

__all__ = ["Layer", "LayerRow"]


class Layer(Questions, Described):
    """Base class of layers: mode, name, state, and what is known without running.

    Attributes
    ----------
    name : str
        The layer's name in its container; error messages use it.
    training : bool
        Whether `forward` behaves as in training (dropout, batch statistics). Within a block of
        `evaluating`, each thread has its own modes.
    input_shape : (C, H, W) or None
        The images a whole network was built for, where that is known.
    card : Card or None
        Metadata of a trained network.
    output_names : tuple of str or None
        The names of the values that forward returns as a tuple; None if it returns one array.

    Traits, which a class declares; figures, patterns and conversions rely on nothing else:

    per_number : bool
        Whether it is element-wise, the same at every position (activations, dropout).
    per_pixel : bool
        Whether it maps the channels of each pixel separately, the same way at every position.
    is_activation, is_normalization : bool
        Whether it is one; figures show both with the layer before.
    rectifies : bool
        Whether it returns 0 for negative numbers, and positive ones as they are up to a limit.
    gives_probabilities : bool
        Whether it makes probabilities of scores: a loss that takes a softmax leaves it out.
    batch_statistics : bool
        Whether in training an image's output depends on the other images of its batch.
    inference_only : bool
        Whether it has no gradient, and none of its weights learn.
    one_size : bool
        Whether its weights, or its results, fit images of one size only.
    own_key : bool
        Whether its one array has the path of the layer as key, as if it were the parent's: PyTorch
        modules have parameters beside their submodules.
    short_name : str
        Its name in figures; by default the class name.
    pattern_word : PatternWord or None
        How `pellucid.models.from_pattern` writes it.
    """

    name: str = ""
    input_shape: Shape | None = None
    card: Card | None = None
    output_names: tuple[str, ...] | None = None
    per_number: bool = False
    per_pixel: bool = False
    is_activation: bool = False
    is_normalization: bool = False
    rectifies: bool = False
    gives_probabilities: bool = False
    batch_statistics: bool = False
    inference_only: bool = False
    one_size: bool = False
    own_key: bool = False
    short_name: str = ""
    pattern_word: ClassVar[PatternWord | None] = None
    _memory: tuple[Any, ...] | None = None

    if not TYPE_CHECKING:  # or a type checker would accept every attribute

        def __getattr__(self, name):
            error = unknown("Layer", name, type(self).__name__)
            if error is None:
                return object.__getattribute__(self, name)  # raises the usual AttributeError
            raise error

    # The two directions ---------------------------------------------------------------------

    def forward(self, x: Array) -> Array:
        """Return the output for ``x``, and cache what `backward` needs."""
        raise NotImplementedError(f"{type(self).__name__} has no forward yet")

    def backward(self, dy: Array) -> Array:
        """Return the gradient of the last forward's input; store the parameters' in ``grad``."""
        raise NotImplementedError(f"{type(self).__name__} has no backward yet")

    def __call__(self, *inputs: Array) -> Array:
        """Run `forward`; errors raised inside are labelled with the layer's name."""
        with self._named_errors():
            return self.forward(*inputs)

    def remember(self, *values: Any) -> None:
        """Cache ``values`` for `recall` in the next backward."""
        if id(self) in here.modes:
            here.memories[id(self)] = values
        else:
            self._memory = values

    def recall(self) -> tuple[Any, ...]:
        """Return what the last forward cached.

        Raises
        ------
        ArgumentError
            If there was no forward yet.
        """
        evaluated = id(self) in here.modes
        memory = here.memories.get(id(self)) if evaluated else self._memory
        if memory is None:
            raise ArgumentError("backward needs a forward first.", where=self._label)
        return memory

    def forget(self) -> None:
        """Drop the cached activations of this layer and its children."""
        for _, layer in self.layers():
            if id(layer) in here.modes:
                here.memories.pop(id(layer), None)
            else:
                layer._memory = None

    # Nested layers and their state ----------------------------------------------------------

    def nodes(self) -> list[Node] | None:
        """Return the layers that run inside this one, and what each reads; None if unknown."""
        return None

    def children(self) -> Iterator[tuple[str, Layer]]:
        """Yield the layers directly inside this one: its attributes that are layers."""
        for name, value in vars(self).items():
            if isinstance(value, Layer):
                yield name, value

    def layers(self, path: str = "") -> Iterator[tuple[str, Layer]]:
        """Yield this layer and all nested ones, with dotted paths."""
        yield path, self
        for name, child in self.children():
            yield from child.layers(f"{path}.{name}" if path else name)

    def parameters(self) -> dict[str, Parameter]:
        """Return every trainable array by its PyTorch key (``conv1.weight``).

        Raises
        ------
        ArgumentError
            If one of them, or a layer that has some, occurs twice.
        """
        return state.collected(self.layers(), Parameter, where=self._label)

    def buffers(self) -> dict[str, Buffer]:
        """Return parameters and buffers by key: the whole state."""
        return state.collected(self.layers(), Buffer, where=self._label)

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of the state, with PyTorch's keys and shapes."""
        return {key: buffer.data.copy() for key, buffer in self.buffers().items()}

    def load_state_dict(self, state_dict: Mapping[str, Array], *, strict: bool = True) -> None:
        """Copy ``state_dict`` into the layers.

        Parameters
        ----------
        state_dict : mapping of key to array
            As `state_dict` returns it, or PyTorch's after ``.numpy()``.
        strict : bool
            Refuse missing or unexpected keys, except the ``num_batches_tracked`` of batch norms,
            missing in old files, which then starts at 0. A wrong shape is always refused.

        Raises
        ------
        StateDictError
            If keys are missing or unexpected, or values have a wrong shape, are out of range or
            not numbers. If all follows one pattern (a prefix of every key, transposed weights,
            names of another framework), the message says so, with the remedy. Nothing is loaded.
        """
        state.load(self.buffers(), state_dict, strict=strict)

    def astype(self, dtype: np.typing.DTypeLike) -> Self:
        """Convert every floating-point array of the state to ``dtype``; returns this layer.

        Raises
        ------
        ArgumentError
            If ``dtype`` is not a floating-point type.
        """
        if not np.issubdtype(dtype, np.floating):
            raise ArgumentError(
                f"must be a floating-point type as np.float32, received {np.dtype(dtype)}.",
                where="dtype",
            )
        for buffer in self.buffers().values():
            if np.issubdtype(buffer.data.dtype, np.floating):
                buffer.data = buffer.data.astype(dtype)
        return self

    @property
    def training(self) -> bool:
        """Whether `forward` behaves as in training; in `evaluating`, the mode of this thread."""
        own: bool = vars(self).get("training", True)
        return here.modes.get(id(self), own)

    @training.setter
    def training(self, mode: bool) -> None:
        if id(self) in here.modes:
            here.modes[id(self)] = mode
        else:
            vars(self)["training"] = mode

    def train(self, mode: bool = True) -> Self:
        """Set training mode (or evaluation mode) in this layer and all nested ones; returns it."""
        for _, layer in self.layers():
            layer.training = layer.trains_in(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode in this layer and all nested ones; returns it."""
        return self.train(False)

    def evaluating(self) -> Evaluation:
        """Set evaluation mode in a ``with`` block, for this thread only.

        Several threads may evaluate a model while another one trains it: each has its own modes
        and cached activations. Those of the block are dropped at its end.

        Examples
        --------
        >>> from pellucid.nn import Dropout
        >>> dropout = Dropout(0.5)
        >>> with dropout.evaluating():
        ...     print(dropout.training, dropout(np.ones(3)))
        False [1. 1. 1.]
        >>> dropout.training
        True
        """
        return Evaluation(self)

    def trains_in(self, mode: bool) -> bool:
        """Return whether this layer behaves as in training when the model is in that mode."""
        return mode

    # Inside ---------------------------------------------------------------------------------

    def _repr_html_(self) -> str | None:
        from .summaries import model_html

        return model_html(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Layer):
            value.name = name
        elif isinstance(value, list | tuple) and any(isinstance(v, Layer) for v in value):
            raise ArgumentError(
                f"{name!r} is a {type(value).__name__} of layers, whose parameters would not be "
                f"found. Put them into a Sequential: `self.{name} = nn.Sequential(*layers)`.",
                where=type(self).__name__,
            )
        super().__setattr__(name, value)

    @property
    def _label(self) -> str:
        return f"{type(self).__name__} '{self.name}'" if self.name else type(self).__name__

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except PellucidError as error:
            error.inside(type(self).__name__, self.name)
            raise
