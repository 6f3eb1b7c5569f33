"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from .. import optim
from ..data import Augmentation, Dataset, Loader, augmentation
from ..errors import ArgumentError, NumericsError, StateDictError
from ..nn import Card, Layer, Loss, SoftmaxCrossEntropy
from ..optim import Optimizer, Schedule, schedule_by_name
from .callbacks import Callback
from .history import EpochRecord, History
from .metrics import Evaluation, evaluate
from .preparation import Engine, machinery, require_fit, seeded_generators
from .state import Best, TrainingState

__all__ = ["Trainer"]


class Trainer:
    """Train a model on a data set, epoch by epoch.

    Every epoch is one pass over all images in a new random order, the last partial batch included.

    Parameters
    ----------
    model : Layer
        Maps images (N, C, H, W) to scores (N, K).
    train, test : Dataset
        The test set is optional; after each epoch accuracies are measured on both.
    loss : Loss
        Softmax cross-entropy by default.
    optimizer : Optimizer or str
        An object, or a name as in `pellucid.optim.by_name`.
    lr : float, optional
        Learning rate for an optimizer given by name.
    schedule : str or callable, optional
        How the learning rate changes: a name as in `pellucid.optim.schedule_by_name`, or a function
        of the share of the training that is done; it multiplies the rate that the optimizer has
        now. The rate stays as it is by default.
    epochs, batch_size : int
    evaluate_samples : int, optional
        Measure accuracies on so many images, evenly spaced; on all by default.
    callbacks : iterable of Callback
    augment : Augmentation or str, optional
        Changes the training images of each batch; a text as in `pellucid.data.augmentation`.
    engine : {"fast", "reference"}
        Run a plan of compiled kernels made from the layers (`pellucid.engine`), or the plain layers
        themselves. Both learn the same, up to the last bits of the numbers.
    seed : int
        Decides the order of the images, what the augmentation and what the layers draw (dropout
        masks): the Trainer gives each of them a generator of its own. Initial weights are the
        model's affair.

    Attributes
    ----------
    history : History
    epoch : int
        Finished epochs.
    lr : float
        The optimizer's learning rate, before the schedule changes it.
    best : Best or None

    Raises
    ------
    ArgumentError, DataError, ShapeError
        At construction, if model and data do not fit each other.

    Examples
    --------
    >>> from pellucid import data, models
    >>> train, test = data.digits()
    >>> model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    >>> trainer = Trainer(model, train.take(300), test, epochs=2, optimizer="adam")
    >>> history = trainer.fit()
    >>> len(history.losses), len(history.epochs), trainer.epoch
    (6, 2, 2)
    """

    def __init__(
        self,
        model: Layer,
        train: Dataset,
        test: Dataset | None = None,
        *,
        loss: Loss | None = None,
        optimizer: Optimizer | str = "adam",
        lr: float | None = None,
        schedule: str | Schedule | None = None,
        epochs: int = 20,
        batch_size: int = 100,
        evaluate_samples: int | None = None,
        callbacks: Iterable[Callback] = (),
        augment: Augmentation | str | None = None,
        engine: Engine = "fast",
        seed: int = 0,
    ) -> None:
        require_fit(model, train, test)
        if isinstance(optimizer, str):
            optimizer = optim.by_name(optimizer, lr)
        elif lr is not None:
            raise ArgumentError("belongs to an optimizer given by name.", where="lr")
        if epochs < 1:
            raise ArgumentError(f"must be 1 or more, received {epochs}.", where="epochs")
        if evaluate_samples is not None and evaluate_samples < 1:
            raise ArgumentError(
                f"must be 1 or more, received {evaluate_samples}.", where="evaluate_samples"
            )
        self.model = model
        self.train = train
        self.test = test
        self.loss = SoftmaxCrossEntropy() if loss is None else loss
        self.optimizer = optimizer
        self.schedule = schedule_by_name(schedule) if isinstance(schedule, str) else schedule
        self.lr = optimizer.lr
        self.epochs = epochs
        self.evaluate_samples = evaluate_samples
        self.callbacks = list(callbacks)
        self.seed = seed
        self.history = History()
        self.epoch = 0
        self.best: Best | None = None
        model.input_shape = train.image_shape
        model.card = Card(train.name, train.classes, train.preparation, train.held_out)
        self.augment = augmentation(augment) if isinstance(augment, str) else augment
        self._generators = seeded_generators(model, seed, self.augment)
        self.loader = Loader(
            train, batch_size, rng=self._generators["shuffle"], augment=self.augment
        )
        self.engine = engine
        self._parts = machinery(engine, model, train.image_shape, batch_size, self.loss)
        self.loader.gather = self._parts.gather

    def fit(self) -> History:
        """Train until ``epochs`` are done, and return the history.

        An interrupted or restored training goes on where it stood.

        Raises
        ------
        NumericsError
            As soon as a batch's loss is NaN or infinite, the parameters being those before it; or
            the loss that is measured after an epoch, which then does not count as finished.
        """
        try:
            self._tell("on_fit_begin")
            with self._parts.watched(lambda news: self._tell("on_compile", news)):
                while self.epoch < self.epochs:
                    self._fit_epoch()
        finally:
            self._tell("on_fit_end")
        return self.history

    def _fit_epoch(self) -> None:
        started = time.perf_counter()
        self._tell("on_epoch_begin")
        batches = len(self.loader)
        if len(self.history.losses) < (self.epoch + 1) * batches:
            try:
                for x, labels in self.loader:
                    self._tell("on_batch_end", self._train_batch(x, labels), len(x))
            finally:  # a batch that was handed out but not learned from comes again
                done = len(self.history.losses) - self.epoch * batches
                self.loader.rewind(min(done * self.loader.batch_size, len(self.train)))
        self._tell("on_evaluate_begin")
        on_train = self._measure(self.train)
        on_test = None if self.test is None else self._measure(self.test)
        # The last step of an epoch may have spoiled the weights, and no batch comes to tell.
        watched = on_test or on_train
        self._require_finite(watched.loss)
        self.epoch += 1
        record = EpochRecord(
            epoch=self.epoch,
            loss=self._mean_loss(batches),
            train_accuracy=on_train.accuracy,
            test_loss=None if on_test is None else on_test.loss,
            test_accuracy=None if on_test is None else on_test.accuracy,
            seconds=time.perf_counter() - started,
        )
        self.history.epochs.append(record)
        if self.best is None or watched.accuracy > self.best.accuracy:
            self.best = Best(self.epoch, watched.accuracy)
        self._tell("on_epoch_end", record)

    def _train_batch(self, x: np.ndarray, labels: np.ndarray) -> float:
        """Take one step on images ``x`` (N, C, H, W); returns their loss before it."""
        if self.schedule is not None:
            done = len(self.history.losses) / (self.epochs * len(self.loader))
            self.optimizer.lr = self.lr * self.schedule(done)
        self.model.train()
        parts = self._parts
        loss = parts.loss(parts.run(x), labels)
        self._require_finite(loss)
        parts.run.backward(parts.loss.backward())
        parts.update(self.optimizer, self.model.parameters())
        self.history.losses.append(loss)
        return loss

    def state(self) -> TrainingState:
        """Return a copy of everything that decides how the training goes on."""
        return TrainingState(
            weights=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            optimizer_name=type(self.optimizer).__name__,
            optimizer_config=self.optimizer.config(),
            generators={k: dict(g.bit_generator.state) for k, g in self._generators.items()},
            epoch=self.epoch,
            batch_size=self.loader.batch_size,
            best=self.best,
            history=History(list(self.history.losses), list(self.history.epochs)),
            **self.loader.state(),
        )

    def load_state(self, state: TrainingState) -> None:
        """Continue from ``state``: `fit` then does what the saved training would have done.

        Raises
        ------
        StateDictError, ArgumentError
            If the state belongs to another model, optimizer, batch size or data set; then this
            Trainer is as it was before.
        """
        for what, own, saved in (
            ("optimizer", type(self.optimizer).__name__, state.optimizer_name),
            ("constants", sorted(self.optimizer.config()), sorted(state.optimizer_config)),
            ("batch size", self.loader.batch_size, state.batch_size),
            ("random generators", sorted(self._generators), sorted(state.generators)),
        ):
            if own != saved:
                raise StateDictError(
                    f"was saved with {what} {saved}, and this Trainer has {own}. Build it as it "
                    "was.",
                    where="Trainer",
                )
        before = self.state()
        try:
            self._restore(state)
        except BaseException:
            self._restore(before)
            raise

    def _restore(self, state: TrainingState) -> None:
        self.loader.load_state({"order": state.order, "position": state.position})
        self.model.load_state_dict(state.weights)
        self.optimizer.load_state_dict(state.optimizer)
        self.optimizer.require_fit(self.model.parameters())
        for name, value in state.optimizer_config.items():
            setattr(self.optimizer, name, value)
        for name, generator in self._generators.items():
            try:
                generator.bit_generator.state = state.generators[name]
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise StateDictError(
                    f"has no usable state for the random generator {name!r} ({error}). Resume "
                    "from another state.",
                    where="Trainer",
                ) from error
        self.epoch, self.best = state.epoch, state.best
        self.history = History(list(state.history.losses), list(state.history.epochs))

    def _require_finite(self, loss: float) -> None:
        if not np.isfinite(loss):
            raise NumericsError(
                f"the loss became {loss} in epoch {self.epoch + 1}, after "
                f"{len(self.history.losses)} steps, with {self.optimizer!r}. Use a lower learning "
                "rate (a tenth, say), or smaller initial weights.",
                where="Trainer",
            )

    def _measure(self, dataset: Dataset) -> Evaluation:
        n, wanted = len(dataset), self.evaluate_samples
        if wanted is not None and wanted < n:
            dataset = dataset.subset(np.linspace(0, n - 1, wanted).astype(np.int64))
        return evaluate(
            self.model,
            dataset,
            loss=self.loss,
            batch_size=self.loader.batch_size,
            engine=self.engine,
            run=self._parts.run,
        )

    def _mean_loss(self, batches: int) -> float:
        """Return the mean over the images of the last epoch; its last batch may be smaller."""
        sizes = np.full(batches, self.loader.batch_size)
        sizes[-1] = len(self.train) - sizes[:-1].sum()
        return float(np.average(self.history.losses[-batches:], weights=sizes))

    def _tell(self, hook: str, *news: object) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self, *news)
