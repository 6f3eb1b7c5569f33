"""The training loop."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from ..data import Augmentation, Dataset, LastBatch, Loader, augmentation
from ..distributed import CHUNKS, Communicator
from ..nn import Buffer, Card, Layer, Loss, SoftmaxCrossEntropy
from ..ops import affine
from ..optim import Optimizer, Schedule
from ..precision import Precision
from .alone import Alone
from .averaging import WeightAverage, average_by
from .callbacks import Callback
from .engines import EngineLike, as_engine, precision_of, prepared, recomputes
from .evaluation import Evaluation
from .given import Images, as_dataset, as_optimizer, require_kinds, require_loss_fits
from .guard import Moment, running_statistics
from .history import EpochRecord, History
from .metrics import evaluate, sample
from .preparation import (
    Draws,
    require_batches,
    require_count,
    require_fit,
)
from .resuming import load, require_loss, require_whole, taken
from .settled import Settled
from .state import Best, TrainingState
from .step import step
from .strategy import share_of, strategy_for

__all__ = ["Trainer"]


class Trainer(Settled):
    """Train a model on a data set, epoch by epoch.

    Every epoch is one pass over all images in a new random order.

    Parameters
    ----------
    model : Layer
        Maps images (N, C, H, W) to scores (N, K).
    train, validation : Dataset or (images, labels)
        Arrays are as in `Dataset.from_arrays`. The validation set is optional; after each epoch
        loss and accuracy are measured on both, and the best epoch is chosen by it. The history
        calls the measurements those of the test if ``validation.split`` is ``"test"``.
    loss : Loss
        Softmax cross-entropy by default. What it does for training only (weights of classes, label
        smoothing) is left out of what is measured after each epoch: see `Loss.plain`.
    optimizer : Optimizer or str
        An object, or a name as in `pellucid.optim.by_name`.
    lr : float, optional
        Learning rate for an optimizer given by name.
    schedule : str or callable, optional
        How the learning rate changes: a name as in `pellucid.optim.schedule_by_name`, or a function
        of the completed share of the training, which returns a factor; the optimizer's own rate is
        not changed. By default the rate is constant.
    epochs, batch_size : int
    evaluate_samples : int, optional
        Measure on at most this number of images of each set, stratified by class; by default on
        all.
    callbacks : iterable of Callback
    augment : Augmentation or str, optional
        Changes the training images of each batch; a string as in `pellucid.data.augmentation`.
    engine : {"compiled", "numpy"} or Engine
        Run a plan of compiled kernels (`pellucid.engine`), or the layers themselves. Both compute
        the same, up to the last bits.
    precision : "float32" or "bf16"
        With "bf16", large products round their factors to bfloat16, where the processor can; the
        weights, their gradients and all sums stay float32. See `pellucid.engine.compile`.
    recompute : bool
        Forget outputs that are cheap to compute again (activations, normalizations, sums, pooling,
        concatenation), and compute them again in backward: less memory, a little more time, and the
        same bits. See `pellucid.engine.compile`.
    clip_norm : float, optional
        Scale the gradients of each batch so that their norm is at most this, as
        `pellucid.optim.clip_grad_norm` does.
    warmup : float
        Epochs, perhaps a fraction of one, over which the learning rate rises in equal steps to the
        optimizer's, before the schedule begins: step k of the first W has the rate k / (W+1) of it.
        Goyal et al. 2017, "Accurate, large minibatch SGD", section 2.2.
    warmup_from : float, optional
        The fraction of the rate, above 0 and up to 1, at which the warm-up begins: step k of W then
        has the rate ``f + (1-f)·(k-1)/W`` of it. By default 1 / (W+1). Goyal et al. begin at the
        rate of a small batch: ``1/4`` for batches that are four times as large.
    ema : float, optional
        The decay, such as 0.999, of an exponential moving average of the weights
        (`pellucid.training.WeightAverage`). The average is what is measured after each epoch, and
        what `LastModel` and `BestModel` save; the training goes on with its own weights. See
        `averaged`.
    last_batch : {"keep", "drop"}
        Whether the last batch of an epoch has the rest of the images, or the rest is left out.
    progress : bool, optional
        Show a `ProgressBar`. By default it is shown in a notebook; a terminal is only told when
        kernels are compiled. False shows nothing. A ProgressBar among the callbacks replaces it.
    seed : int
        Determines the order of the images, and what the augmentation and the layers draw (dropout
        masks). What is drawn for an image depends on (seed, epoch, image), not on its batch. The
        initial weights are the model's.
    communicator : Communicator, optional
        The processes (ranks) that share each batch, such as `pellucid.distributed.world()`. All of
        them construct a Trainer with equal arguments, and call `fit`, `state` and `load_state`
        together. They get the network that one process gets, bit for bit. ``batch_size`` is that of
        the whole batch. Callbacks are called on rank 0: see `Callback`.
    chunks : int
        The parts that a batch is cut into, whose sums are added pairwise: a power of two, at least
        the number of ranks. Another number gives other last bits.

    Attributes
    ----------
    history : History
    epoch : int
        Finished epochs.
    lr : float
        The optimizer's learning rate, which the schedule multiplies.
    last_lr : float or None
        The scheduled rate of the last step.
    gradient_norm : float or None
        That of the last batch before clipping; only with ``clip_norm``.
    best : Best or None
    stopped : str or None
        Why `stop` was called in this `fit`.

    Raises
    ------
    ArgumentError, DataError, ShapeError
        At construction, if model and data do not fit.

    Examples
    --------
    >>> from pellucid import data, models
    >>> train, test = data.digits()
    >>> model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    >>> trainer = Trainer(model, train.take(300), test, epochs=2, optimizer="adam")
    >>> history = trainer.fit()
    >>> len(history.losses), len(history.epochs), trainer.epoch
    (6, 2, 2)
    >>> len(trainer.fit(epochs=1).epochs)  # one more
    3
    """

    def __init__(
        self,
        model: Layer,
        train: Images,
        validation: Images | None = None,
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
        clip_norm: float | None = None,
        warmup: float = 0.0,
        warmup_from: float | None = None,
        ema: float | None = None,
        last_batch: LastBatch = "keep",
        engine: EngineLike = "compiled",
        precision: Precision = "float32",
        recompute: bool = False,
        progress: bool | None = None,
        seed: int = 0,
        communicator: Communicator | None = None,
        chunks: int = CHUNKS,
    ) -> None:
        if isinstance(augment, str):
            augment = augmentation(augment)
        optimizer = as_optimizer(optimizer, lr)
        images: Dataset = as_dataset(train, "train")
        held: Dataset | None = as_dataset(validation, "validation", images)
        require_kinds(
            model=model, train=images, validation=held, loss=loss, optimizer=optimizer,
            augment=augment,
        )  # fmt: skip
        values = require_fit(model, images, held, augment)
        require_count(epochs, "epochs")
        require_count(seed, "seed", least=0)
        self.model = model
        self.train = train = images
        self.validation = held
        self.loss = SoftmaxCrossEntropy() if loss is None else loss
        require_loss_fits(self.loss, len(images.classes), augment)
        optimizer.require_fit(model.parameters())
        self.optimizer = optimizer
        self.last_lr: float | None = None
        self.schedule: Schedule | None = schedule  # type: ignore[assignment]  # as a function
        self.epochs = epochs
        self.evaluate_samples = evaluate_samples
        self.callbacks: list[Callback] = callbacks  # type: ignore[assignment]  # as a list
        self.progress = progress
        self._showing: list[Callback] = []
        self.seed = seed
        self.history = History()
        self.epoch = 0
        self.best: Best | None = None
        self.stopped: str | None = None
        self.augment = augment
        self._draws = Draws(model, seed, augment)
        self._alone = Alone("Trainer", "is training; a callback or thread called `fit` again.")
        self._running: dict[str, Buffer] = {}
        self._before: Moment | None = None  # before the batch in progress
        self._broken: BaseException | None = None
        self.engine = as_engine(engine, precision, recompute=recompute)
        self.precision = precision_of(self.engine)
        self.recompute = recomputes(self.engine)
        self.chunks = chunks
        share = share_of(self.engine, communicator, chunks)
        self.loader = Loader(
            train, batch_size, seed=seed, augment=augment, last_batch=last_batch, share=share
        )
        require_batches(model, self.loader)
        if augment is not None:
            augment.resample_by(getattr(self.engine, "affine", affine))
        # The batch size of plans.
        self._most = min(self.loader.batch_size, max(len(train), len(held or train)))
        self._run, self._loss = prepared(
            self.engine, model, train.image_shape, self._most, self.loss, share
        )
        self.loader.gather = self.engine.gather()
        self.clip_norm = clip_norm
        self.gradient_norm: float | None = None
        self.warmup = warmup
        self.warmup_from = warmup_from
        self.ema = ema
        self._average = None if ema is None else WeightAverage(ema, average_by(self.engine))
        self._strategy = strategy_for(self, share)
        self._guard = self._strategy.guard
        model.input_shape = train.image_shape
        model.card = Card(train.name, train.classes, train.preparation, train.held_out, values)

    @property
    def lr(self) -> float:
        """The optimizer's learning rate, which the schedule multiplies."""
        return self.optimizer.lr

    @lr.setter
    def lr(self, value: float) -> None:
        self.optimizer.lr = value

    def fit(self, epochs: int | None = None) -> History:
        """Train until ``self.epochs`` are done, or ``epochs`` more, and return the history.

        An interrupted or restored training continues where it stopped. Given ``epochs``,
        ``self.epochs`` becomes the finished epochs plus these, and a schedule spans all of them. If
        all epochs are done already, a warning says so.

        If Ctrl-C or an error ends it early, the Trainer is left between two batches: an unfinished
        batch has no effect on weights, running statistics or random draws. Calling `fit` again
        gives the same bits as an uninterrupted training, and so does `state` in a new Trainer.
        While the optimizer takes its step, Python's signal handlers are deferred. An interrupted
        evaluation is repeated; an interrupted callback is not called again.

        Raises
        ------
        NumericsError
            As soon as a batch's loss is NaN or infinite, with the parameters from before it; or if
            the loss evaluated after an epoch is, which then does not count as finished.
        """
        require_whole(self._broken)
        if epochs is None and self.epoch >= self.epochs:
            warnings.warn(
                f"Trainer: all {self.epochs} epochs are done. fit(epochs=5) trains 5 more.",
                stacklevel=2,
            )
        return self._alone.run(lambda: self._strategy.fit(lambda: self._fit(epochs)))

    @np.errstate(under="ignore")  # denormal results may become 0
    def _fit(self, more: int | None) -> History:
        self._strategy.begin(lambda: self._prepare(more))
        try:
            self._tell("on_fit_begin")
            if more is not None:
                self.stopped = None  # these epochs were asked for
            with self.engine.watched(self._run, lambda news: self._tell("on_compile", news)):
                while self.epoch < self.epochs and self.stopped is None:
                    self._fit_epoch()
        except BaseException as failure:
            self._strategy.tell_the_end(failure)
            raise
        self._strategy.tell_the_end()
        return self.history

    def _prepare(self, more: int | None) -> None:
        if more is not None:
            require_count(more, "epochs")
            self.epochs = self.epoch + more
        self.stopped = None
        self._put_back()
        self._showing = self._strategy.shown()

    def stop(self, reason: str) -> None:
        """End `fit` after the epoch in progress; for callbacks.

        Called in ``on_fit_begin``, no epoch is trained, unless `fit` was told how many. The next
        `fit` goes on.

        Parameters
        ----------
        reason : str
            One sentence for the user, which becomes ``stopped``.
        """
        self.stopped = reason

    def _fit_epoch(self) -> None:
        started = time.perf_counter()
        self._tell("on_epoch_begin")
        batches = len(self.loader)
        self._guard.look()
        self._running = running_statistics(self.model)
        while len(self.history.losses) < (self.epoch + 1) * batches:
            images = self._fit_batch()
            self._tell("on_batch_end", self.history.losses[-1], images)
        self._tell("on_evaluate_begin")
        with self.averaged():
            on_train = self._measure(self.train)
            validated = None if self.validation is None else self._measure(self.validation)
        # The last step of an epoch may have made weights infinite, which no further batch shows.
        watched = validated or on_train
        require_loss(watched.loss, self)
        record = EpochRecord(
            epoch=self.epoch + 1,
            loss=self.history.mean_loss(batches, self.loader.batch_size, self.loader.images),
            train_accuracy=on_train.accuracy,
            **self._named(validated),
            seconds=time.perf_counter() - started,
        )
        self._guard.uninterrupted(lambda: self._finish_epoch(record, watched.accuracy))
        self._tell("on_epoch_end", record)

    def _named(self, measured: Evaluation | None) -> dict[str, float | None]:
        """Return what was measured on the validation set under the names of `EpochRecord`."""
        found: dict[str, float | None] = {"test_loss": None, "test_accuracy": None}
        if measured is not None and self.validation is not None:
            role = "validation" if self.validation.split == "validation" else "test"
            found |= {f"{role}_loss": measured.loss, f"{role}_accuracy": measured.accuracy}
        return found

    def _finish_epoch(self, record: EpochRecord, accuracy: float) -> None:
        self.epoch = record.epoch
        self.history.epochs.append(record)
        if self.best is None or accuracy > self.best.accuracy:
            self.best = Best(self.epoch, accuracy)

    def _fit_batch(self) -> int:
        """Train on the next batch, or change nothing; return its number of images."""

        def learn() -> int:
            self._draws.hand_out()
            self._before = Moment(self.loader, self._running)
            x, labels = self.loader.next()
            self._draws.at(self.loader)
            self._train_batch(x, labels)
            return self.loader.count

        return self._guard.run(learn, self._undo_batch)

    def _train_batch(self, x: np.ndarray, labels: np.ndarray) -> float:
        """Take one step on images ``x`` (N, C, H, W); return the loss before it."""
        self.model.train()
        loss = self._loss(self._run(x), labels)
        require_loss(loss, self)
        self._strategy.learn(self._loss.backward())
        self._guard.hold()  # half a step could not be undone
        step(self)
        self.history.losses.append(loss)
        self._before = None
        return loss

    def _undo_batch(self) -> None:
        if self._before is not None:
            self._before.restore()
            self._before = None

    @contextmanager
    def averaged(self) -> Iterator[Layer]:
        """Put the averaged weights into the model in a ``with`` block; its value is the model.

        Without ``ema``, before the first step, or within another such block nothing changes.
        `state` has the training's own weights also within the block.

        Examples
        --------
        >>> from pellucid import data, models, training
        >>> train, test = data.digits()
        >>> model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
        >>> trainer = training.Trainer(model, train.take(300), test, epochs=1, ema=0.99)
        >>> history = trainer.fit()
        >>> with trainer.averaged() as average:
        ...     accuracy = training.evaluate(average, test).accuracy
        >>> accuracy == history.epochs[-1].test_accuracy
        True
        """
        average = self._average
        if average is None or average.own:
            yield self.model
            return
        parameters = self.model.parameters()
        try:
            self._guard.uninterrupted(lambda: average.swap_in(parameters))
            yield self.model
        finally:
            self._guard.uninterrupted(lambda: average.swap_out(parameters))

    def _put_back(self) -> None:
        """Put the training's own weights back, if an interruption has left the averages there."""
        average = self._average
        if average is not None and average.own:
            parameters = self.model.parameters()
            self._guard.uninterrupted(lambda: average.swap_out(parameters))

    def state(self) -> TrainingState:
        """Return a copy of everything that the rest of the training depends on.

        In a signal handler during a batch, it is the state before that batch. Of several ranks all
        call this, or during `fit` only callbacks of rank 0.
        """
        require_whole(self._broken)
        moment = self._before or Moment(self.loader, running_statistics(self.model))
        return taken(self, moment)

    def load_state(self, state: TrainingState) -> None:
        """Continue from ``state``: `fit` then does what the saved training would have done.

        Learning rates are taken from the state, including those of the parameters. A schedule
        depends on the number of epochs: both must be as they were. To continue differently, set
        ``schedule``, ``epochs`` or ``lr`` afterwards.

        Ctrl-C is deferred until the state is loaded.

        Raises
        ------
        StateDictError, ArgumentError
            If the state belongs to another model, optimizer, loss, schedule, batch size or data
            set, or is damaged; this Trainer is then unchanged.
        DataError
            If it is that of a `Checkpoint`, and the images are not those of the saved training.
        """
        self._guard.look()
        self._guard.uninterrupted(lambda: load(self, state))

    def _reseed(self, seed: int) -> None:
        """Switch to another seed."""
        vars(self)["seed"] = self.loader.seed = seed
        self._draws.reseed(seed)

    def _measure(self, dataset: Dataset) -> Evaluation:
        return self._strategy.measured(
            lambda on_batch: evaluate(
                self.model,
                sample(dataset, self.evaluate_samples),
                loss=getattr(self.loss, "plain", lambda: self.loss)(),
                batch_size=self._most,
                on_batch=on_batch,
                engine=self.engine,
                run=self._strategy.scores,
                communicator=self._strategy.communicator,
            )
        )

    def _tell(self, hook: str, *news: object) -> None:
        self._strategy.tell(hook, *news)
