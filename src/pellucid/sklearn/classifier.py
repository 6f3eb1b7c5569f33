"""A convolutional network as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted

from .. import optim
from ..data import Dataset, LastBatch
from ..errors import ArgumentError
from ..nn import Layer, Normalize, SoftmaxCrossEntropy
from ..ops import softmax
from ..optim.checks import require_weight_decay
from ..training import Callback, History, ProgressBar, Trainer
from ..training.engines import EngineLike, as_engine
from ..typing import Array
from .arrays import require_same_scale
from .inputs import TakesImages
from .parts import Builder, class_weights, divided, new_network
from .stopping import StopAtBest

__all__ = ["ConvNetClassifier"]

MEASURED = 1000  # training images whose loss is watched after each epoch


class ConvNetClassifier(ClassifierMixin, TakesImages, BaseEstimator):
    """Classify images with a convolutional network.

    ``X`` is an array of images (N, C, H, W) or (N, H, W), or of flat rows (N, D) as other
    estimators take and transformers return them. Pixels are uint8 or any other numbers, on the
    same scale in `fit` and `predict`.

    Parameters
    ----------
    model : str or callable
        A network's name as in `pellucid.models.by_name`, a pattern as in
        `pellucid.models.from_pattern`, or a function of (image shape (C, H, W), number of classes,
        random generator) that returns a new network.
    image_shape : (C, H, W) or (H, W), optional
        Of flat rows. By default a row of D numbers is a square image of one channel if D is a
        square of 16 or more, else an image of one row.
    epochs, batch_size : int
    optimizer : str
        As in `pellucid.optim.by_name`.
    lr, weight_decay : float, optional
        By default the optimizer's own.
    schedule, augment : str, optional
        As in `Trainer`.
    clip_norm : float, optional
    last_batch : {"keep", "drop"}
        As in `Trainer`: "drop" leaves out the last batch of an epoch if it is smaller.
    class_weight : "balanced" or dict of label to float, optional
        Weight of the images of each class in the loss, as `compute_class_weight` defines it; labels
        that a dictionary leaves out have 1.
    init : "he", "xavier" or float
        Initial weights.
    normalize : bool
        Start the network with a layer that gives each channel mean 0 and deviation 1 over the
        training images (in `partial_fit`, over those of the first call).
    early_stopping : bool
        Set ``validation_fraction`` of the images aside, stratified by class; stop when the accuracy
        on them has not risen by ``tol`` for ``n_iter_no_change`` epochs, and keep the weights of
        the best epoch. Not in `partial_fit`.
    validation_fraction, tol : float
    n_iter_no_change : int
    engine : {"compiled", "numpy"}
    random_state : int, RandomState or None
        Decides the initial weights, the order of the images, the split for ``early_stopping``, and
        what dropout and augmentation draw: an integer gives the same bits in every `fit`.
    verbose : bool
        Show a progress bar.

    Attributes
    ----------
    classes_ : array (K,)
        Labels, sorted.
    n_features_in_ : int
        C · H · W.
    feature_names_in_ : array (D,) of str
        Columns of a table ``X`` whose names are all strings.
    image_shape_ : (C, H, W)
    model_ : Layer
        The trained network, which `pellucid.save` writes. It takes the images as floats, bytes
        divided by 255.
    history_ : History
        Loss of each batch; accuracies of each epoch.
    n_iter_ : int
        Finished epochs.
    validation_scores_ : list of float, best_validation_score_ : float
        Accuracy on the images that were set aside; None without ``early_stopping``.

    Raises
    ------
    ArgumentError, DataError, ShapeError
        In `fit`: all are ValueErrors.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> names = np.array(["even", "odd"])[y % 2]
    >>> classifier = ConvNetClassifier(epochs=3, random_state=0).fit(X[:500], names[:500])
    >>> classifier.classes_.tolist(), classifier.predict_proba(X[:3]).shape
    (['even', 'odd'], (3, 2))
    """

    classes_: Array
    image_shape_: tuple[int, int, int]
    model_: Layer

    def __init__(
        self,
        model: str | Builder = "simple",
        *,
        image_shape: tuple[int, ...] | None = None,
        epochs: int = 20,
        batch_size: int = 50,
        optimizer: str = "adam",
        lr: float | None = None,
        weight_decay: float | None = None,
        schedule: str | None = None,
        augment: str | None = None,
        clip_norm: float | None = None,
        last_batch: LastBatch = "keep",
        class_weight: str | Mapping[Any, float] | None = None,
        init: str | float = "he",
        normalize: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        engine: EngineLike = "compiled",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.augment = augment
        self.clip_norm = clip_norm
        self.last_batch = last_batch
        self.class_weight = class_weight
        self.init = init
        self.normalize = normalize
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.engine = engine
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Train a new network on images ``X`` and their labels ``y`` (N,) of any kind."""
        rows, labels = self._checked(X, y, new=True)
        self.classes_ = unique_labels(labels)
        images, held = self._dataset(rows, labels), None
        random = check_random_state(self.random_state)
        self._seed = int(random.randint(2**31 - 1))
        if self.early_stopping:
            images, held = divided(images, self.validation_fraction, random)
        self._begin(images)
        stopping = StopAtBest(self.n_iter_no_change, self.tol) if self.early_stopping else None
        trainer = self._trainer(images, held, self.epochs, stopping)
        trainer.fit()
        self.validation_scores_ = self.best_validation_score_ = None
        if stopping is not None:
            self.model_.load_state_dict(stopping.best)
            self.validation_scores_ = [record.accuracy for record in trainer.history.epochs]
            self.best_validation_score_ = max(self.validation_scores_)
        self.history_, self.n_iter_ = trainer.history, trainer.epoch
        return self

    def partial_fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, classes: npt.ArrayLike | None = None
    ) -> Self:
        """Train for one more epoch, on these images alone.

        Parameters
        ----------
        X, y
            As in `fit`; not all classes need occur.
        classes : array (K,)
            All labels; required in the first call, optional afterwards.
        """
        first = not hasattr(self, "model_")
        if self.class_weight == "balanced":
            raise ArgumentError(
                'cannot be "balanced" in partial_fit, which sees a part of the images at a time. '
                "Compute the weights of all: "
                '`sklearn.utils.class_weight.compute_class_weight("balanced", ...)`.',
                where="class_weight",
            )
        if first and classes is None:
            raise ArgumentError(
                "must be given in the first call of partial_fit: all labels that will ever occur, "
                "as `classes=np.unique(y)`.",
                where="classes",
            )
        rows, labels = self._checked(X, y, new=first)
        known = self.classes_ if classes is None else unique_labels(np.asarray(classes))
        if not first and not np.array_equal(known, self.classes_):
            raise ArgumentError(
                f"are {known.tolist()}, but were {self.classes_.tolist()} in the first call. Leave "
                "them out, or fit a new classifier.",
                where="classes",
            )
        self.classes_ = known
        images = self._dataset(rows, labels)
        if first:
            self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            self._begin(images)
            self.history_, self.n_iter_ = History(), 0
        self._seed += 1  # another order in each call
        trainer = self._trainer(images, None, 1)
        trainer.fit()
        self.history_.losses += trainer.history.losses
        self.n_iter_ += 1
        return self

    def predict(self, X: npt.ArrayLike) -> Array:
        """Return the most probable label (N,) of each image."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: npt.ArrayLike) -> Array:
        """Return the probabilities (N, K) of the labels, in the order of ``classes_``."""
        check_is_fitted(self, "model_")
        rows, _ = self._rows(X, new=False)
        require_same_scale(rows, self._fitted_on)
        x = self._images(rows).reshape(-1, *self.image_shape_)
        size = min(self.batch_size, len(x))
        run = as_engine(self.engine).prepare(self.model_, self.image_shape_, size, frozen=True)
        with self.model_.evaluating():
            starts = range(0, len(x), size)
            scores = [run(x[k : k + size]).astype(np.float64) for k in starts]
        return softmax(np.concatenate(scores))

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn asks about an estimator."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _begin(self, images: Dataset) -> None:
        """Build the network and the optimizer."""
        rng, classes = np.random.default_rng(self._seed), len(self.classes_)
        network = new_network(self.model, self.image_shape_, classes, self.init, rng)
        self.model_ = Normalize(*images.statistics()).before(network) if self.normalize else network
        self._optimizer = optim.by_name(self.optimizer, self.lr)
        if self.weight_decay is not None:
            self._optimizer.weight_decay = require_weight_decay(self.weight_decay)

    def _trainer(
        self, images: Dataset, held: Dataset | None, epochs: int, stopping: Callback | None = None
    ) -> Trainer:
        callbacks = [] if stopping is None else [stopping]
        return Trainer(
            self.model_,
            images,
            held,
            optimizer=self._optimizer,
            schedule=self.schedule,
            augment=self.augment,
            clip_norm=self.clip_norm,
            last_batch=self.last_batch,
            loss=SoftmaxCrossEntropy(class_weights(self.class_weight, images, self.classes_)),
            epochs=epochs,
            batch_size=self.batch_size,
            evaluate_samples=max(MEASURED, 0 if held is None else len(held)),
            callbacks=callbacks + ([ProgressBar()] if self.verbose else []),
            engine=self.engine,
            seed=self._seed,
        )
