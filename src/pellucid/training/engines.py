"""Engines compute a training: compiled plans, the NumPy layers, or your own.

The Trainer, `evaluate` and `predict` take the name of an engine or your own object:

>>> import numpy as np
>>> from pellucid import data, models
>>> from pellucid.training import NumpyEngine, Trainer
>>> class Noisy(NumpyEngine):
...     '''Add noise to every gradient.'''
...
...     name = "noisy"
...
...     def update(self, optimizer, parameters, lr=None):
...         rng = np.random.default_rng(optimizer.t)
...         for p in parameters.values():
...             p.grad += rng.normal(scale=1e-3, size=p.grad.shape).astype(p.grad.dtype)
...         super().update(optimizer, parameters, lr)
>>> train, test = data.digits()
>>> model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
>>> trainer = Trainer(model, train.take(300), test, epochs=1, engine=Noisy())
>>> trainer.engine.name
'noisy'
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from ..data import Dataset
from ..distributed import Share
from ..errors import ArgumentError, did_you_mean
from ..nn import Layer, Loss, Parameter
from ..nn.state import widened
from ..ops import affine
from ..optim import Optimizer, clip_grad_norm
from ..precision import Precision, require_precision
from ..typing import Array, Shape
from .averaging import average

if TYPE_CHECKING:
    from ..engine import Backend
    from ..kernels.compiling import Compiling

__all__ = [
    "CompiledEngine",
    "Engine",
    "EngineLike",
    "NumpyEngine",
    "Run",
    "as_engine",
    "precision_of",
    "prepared",
    "recomputes",
    "shares",
]

Gathering: TypeAlias = Callable[[Dataset, Array], tuple[Array, Array]]
Tell: TypeAlias = Callable[["Compiling"], None]


class Run(Protocol):
    """The model as an engine runs it, such as a plan."""

    def __call__(self, x: Array) -> Array:
        """Return the scores (N, K) for images (N, C, H, W)."""

    def backward(self, dy: Array) -> Any:
        """Compute the gradients of all parameters that are not frozen."""


class Engine(Protocol):
    """The protocol of engines for Trainer, `evaluate` and `predict`. Must be picklable.

    An engine may also have ``average(a, w, decay)`` and ``affine(x, m)``, which do what
    `pellucid.training.averaging.average` and `pellucid.ops.affine` do.

    Attributes
    ----------
    name : str
        Its name in error messages and reports.
    """

    name: str

    def prepare(
        self, model: Layer, image_shape: Shape, batch_size: int, *, frozen: bool = False
    ) -> Run:
        """Prepare ``model`` for up to ``batch_size`` images; ``frozen``: for inference only.

        An engine whose ``prepare`` also takes a ``share`` (`pellucid.distributed.Share`), and whose
        `loss` does, can train on several ranks.

        Raises
        ------
        ShapeError
            If the model does not take images of this shape.
        """

    def loss(self, loss: Loss) -> Loss:
        """Return an object that computes ``loss`` and its gradient."""

    def gather(self) -> Gathering | None:
        """Return a function that replaces `Dataset.batch`, or None."""

    def update(
        self, optimizer: Optimizer, parameters: Mapping[str, Parameter], lr: float | None = None
    ) -> None:
        """Update the parameters as `Optimizer.step` does."""

    def clip(self, parameters: Mapping[str, Parameter], max_norm: float) -> float:
        """Scale the gradients as `pellucid.optim.clip_grad_norm` does; return their norm."""

    def watched(
        self, run: Any, tell: Tell, *, training: bool = True
    ) -> AbstractContextManager[None]:
        """Return a context manager that reports each kernel of ``run`` compiled within it."""


class NumpyEngine:
    """The layers themselves, in NumPy: slow, and as in the textbook."""

    name = "numpy"

    def prepare(
        self, model: Layer, image_shape: Shape, batch_size: int, *, frozen: bool = False
    ) -> Run:
        """Return the model, with images converted to the dtype of its parameters."""
        return _Layers(model)

    def loss(self, loss: Loss) -> Loss:
        """Return the loss itself."""
        return loss

    def gather(self) -> Gathering | None:
        """Return None: the data set does it."""
        return None

    def update(
        self, optimizer: Optimizer, parameters: Mapping[str, Parameter], lr: float | None = None
    ) -> None:
        """Take the optimizer's step."""
        optimizer.step(parameters, lr)

    def clip(self, parameters: Mapping[str, Parameter], max_norm: float) -> float:
        """Scale the gradients; return their norm."""
        return clip_grad_norm(parameters, max_norm)

    def watched(
        self, run: Any, tell: Tell, *, training: bool = True
    ) -> AbstractContextManager[None]:
        """Return a context manager that does nothing: there is nothing to compile."""
        return nullcontext()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class CompiledEngine:
    """Plans of compiled kernels (`pellucid.engine`).

    Parameters
    ----------
    backend : Backend, optional
        The CPU's by default.
    precision : "float32" or "bf16"
        What the factors of large products are rounded to: see `pellucid.engine.compile`.
    recompute : bool
        Whether a training forgets what is cheap to compute again in backward: likewise.
    """

    name = "compiled"

    def __init__(
        self, backend: Backend | None = None, *, precision: Precision = "float32",
        recompute: bool = False,
    ) -> None:  # fmt: skip
        self._backend, self.precision = backend, require_precision(precision)
        self.recompute = recompute

    @property
    def backend(self) -> Backend:
        """The backend, imported when first needed, since it imports Numba."""
        from ..engine import CPU

        return CPU if self._backend is None else self._backend

    def prepare(
        self, model: Layer, image_shape: Shape, batch_size: int, *, frozen: bool = False,
        share: Share | None = None,
    ) -> Run:  # fmt: skip
        """Return a plan, with memory for one backward after each forward."""
        from ..engine import compile

        plan = compile(
            model, image_shape, batch_size, backend=self.backend, share=share, repeatable=False,
            precision=self.precision, recompute=self.recompute,
        )  # fmt: skip
        if frozen:
            plan.freeze()
        return plan

    def loss(self, loss: Loss, share: Share | None = None) -> Loss:
        """Return the loss fused with its gradient in one kernel."""
        if share is None or share.usual:  # a backend of one's own need not know of shares
            return self.backend.loss(loss)
        return self.backend.loss(loss, share)

    def affine(self, x: Array, m: Array) -> Array:
        """Resample images as `pellucid.ops.affine` does, by the backend if it can."""
        y: Array = getattr(self.backend, "affine", affine)(x, m)
        return y

    def average(self, a: Array, w: Array, decay: float) -> None:
        """Take the weights ``w`` into their moving average ``a``, by the backend if it can."""
        getattr(self.backend, "average", average)(a, w, decay)

    def gather(self) -> Gathering | None:
        """Return the kernel that gathers and scales stored images."""
        return self.backend.gather()

    def update(
        self, optimizer: Optimizer, parameters: Mapping[str, Parameter], lr: float | None = None
    ) -> None:
        """Take the optimizer's step by kernels."""
        self.backend.update(optimizer, parameters, lr)

    def clip(self, parameters: Mapping[str, Parameter], max_norm: float) -> float:
        """Scale the gradients by kernels; return their norm."""
        return self.backend.clip(parameters, max_norm)

    def watched(
        self, run: Any, tell: Tell, *, training: bool = True
    ) -> AbstractContextManager[None]:
        """Return a context manager that reports each kernel compiled for the first time."""
        from ..engine import kernels_of
        from ..kernels.compiling import watch

        return watch(tell, kernels_of(run, training=training))

    def __repr__(self) -> str:
        given = [] if self._backend is None else [f"backend={self._backend!r}"]
        given += [] if self.precision == "float32" else [f"precision={self.precision!r}"]
        given += ["recompute=True"] if self.recompute else []
        return f"{type(self).__name__}({', '.join(given)})"


ENGINES: dict[str, Callable[[], Engine]] = {"compiled": CompiledEngine, "numpy": NumpyEngine}
EngineLike: TypeAlias = Engine | Literal["compiled", "numpy"]
OLD_NAMES = {"fast": "compiled", "reference": "numpy"}  # until version 0.1


def as_engine(
    engine: EngineLike | str, precision: Precision = "float32", *, recompute: bool = False
) -> Engine:
    """Return an engine given by its name, or as it is.

    Raises
    ------
    ArgumentError
        If no engine has this name, or the object lacks methods of `Engine`; if it does not compute
        in the ``precision``, or does not ``recompute``, which an object must have been made for.

    Examples
    --------
    >>> as_engine("numpy")
    NumpyEngine()
    >>> as_engine("fast")
    Traceback (most recent call last):
    pellucid.errors.ArgumentError: engine: must be 'compiled', 'numpy' or an object with the \
methods of an Engine, received 'fast'. Did you mean 'compiled'?
    """
    found = _as_engine(engine)
    if require_precision(precision) != precision_of(found) or recompute:
        if engine == "compiled":
            return CompiledEngine(precision=precision, recompute=recompute)
        if precision not in ("float32", precision_of(found)):
            raise ArgumentError(
                f"{precision!r} is computed by compiled kernels, and the engine is {engine!r}. Use "
                "{engine}.",
                where="precision",
                arguments={"engine": "compiled"},
            )
        if recompute and not recomputes(found):
            raise ArgumentError(
                "outputs are forgotten, and computed again in backward, by compiled plans only, "
                f"and the engine is {engine!r}. Use {{engine}}.",
                where="recompute",
                arguments={"engine": "compiled"},
            )
    return found


def recomputes(engine: Engine) -> bool:
    """Return whether an engine forgets outputs that it computes again in backward."""
    return getattr(engine, "recompute", False)


def precision_of(engine: Engine) -> Precision:
    """Return the precision that an engine was made for."""
    return getattr(engine, "precision", "float32")


def _as_engine(engine: EngineLike | str) -> Engine:
    if isinstance(engine, str) and engine in ENGINES:
        return ENGINES[engine]()
    asked = [name for name in vars(Engine) if not name.startswith("_")]
    if not isinstance(engine, str | type) and hasattr(engine, "name"):
        if not (lacking := [name for name in asked if not hasattr(engine, name)]):
            return engine
        hint = f" It lacks {', '.join(lacking)}: derive it from `NumpyEngine` or `CompiledEngine`."
    elif isinstance(engine, type):
        hint = f" Give an object: `{engine.__name__}()`."
    elif isinstance(engine, str) and engine in OLD_NAMES:
        hint = f" Did you mean {OLD_NAMES[engine]!r}?"
    else:
        hint = did_you_mean(engine, ENGINES) if isinstance(engine, str) else ""
    raise ArgumentError(
        "must be 'compiled', 'numpy' or an object with the methods of an Engine, received "
        f"{engine!r}.{hint}",
        where="engine",
    )


def shares(engine: Engine) -> bool:
    """Return whether an engine can compute a share of a batch: see `Engine.prepare`.

    Examples
    --------
    >>> shares(CompiledEngine()), shares(NumpyEngine())
    (True, False)
    """
    methods = (engine.prepare, engine.loss)
    return all("share" in inspect.signature(method).parameters for method in methods)


def prepared(
    engine: Engine, model: Layer, image_shape: Shape, batch_size: int, loss: Loss, share: Share
) -> tuple[Run, Loss]:
    """Return the model and the loss for batches of which this process computes a ``share``."""
    if not shares(engine):
        return engine.prepare(model, image_shape, batch_size), engine.loss(loss)
    sharing: Any = engine
    return sharing.prepare(model, image_shape, batch_size, share=share), sharing.loss(loss, share)


class _Layers:
    """The model itself, with images converted to the dtype of its parameters, as in a plan."""

    def __init__(self, model: Layer) -> None:
        self.model, self.backward = model, model.backward

    def __call__(self, x: Array) -> Array:
        return self.model(widened(x, self.model.parameters().values()))
