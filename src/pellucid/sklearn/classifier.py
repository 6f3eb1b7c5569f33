"""A convolutional network as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from .. import models, optim
from ..data import Dataset
from ..errors import ArgumentError, DataError, ShapeError
from ..nn import Layer, Normalize
from ..ops import softmax
from ..shapes import shape_text
from ..training import Callback, History, ProgressBar, Trainer
from ..training.engines import EngineLike, as_engine
from ..typing import Array
from .arrays import as_rows, image_shape_of, require_same_scale, scale_of
from .stopping import StopAtBest

__all__ = ["ConvNetClassifier"]

Builder: TypeAlias = Callable[[tuple[int, int, int], int, np.random.Generator], Layer]

# The network of `simple` for images too narrow for its pooling: a row of pixels.
NARROW = "INPUT -> CONV3-30 -> RELU -> POOL? -> FC100 -> RELU -> FC"
MEASURED = 1000  # training images whose loss is watched after each epoch
FLOATS = (np.float32, np.float64, np.uint8)  # dtypes that are taken as they are


class ConvNetClassifier(ClassifierMixin, BaseEstimator):
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
    lr : float, optional
        By default the optimizer's own.
    schedule, augment : str, optional
        As in `Trainer`.
    clip_norm : float, optional
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
        schedule: str | None = None,
        augment: str | None = None,
        clip_norm: float | None = None,
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
        self.schedule = schedule
        self.augment = augment
        self.clip_norm = clip_norm
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
            images, held = self._divided(images, random)
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
        first = not hasattr(self, "classes_")
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
        check_is_fitted(self)
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

    def _rows(self, X: Any, *y: Any, new: bool) -> tuple[Array, Array]:
        """Return ``X`` as rows (N, D) of uint8 or floats, and labels (N,) if ``y`` is given."""
        rows, shape = as_rows(X)
        fitted = None if new else self.image_shape_
        if shape is not None and fitted is not None and shape != fitted:
            raise ShapeError(
                f"was fitted on images {shape_text(fitted)} (channels x rows x columns), received "
                f"{shape_text(shape)}.",
                where="ConvNetClassifier",
            )
        checked = validate_data(self, rows, *y, dtype=FLOATS, reset=new)
        rows, labels = checked if y else (checked, np.empty(0))
        if new:
            self.image_shape_ = image_shape_of(rows.shape[1], shape, self.image_shape)
            self._fitted_on = scale_of(rows)
        return rows, labels

    def _checked(self, X: Any, y: Any, *, new: bool) -> tuple[Array, Array]:
        """Return ``X`` and ``y`` to train on, as rows (N, D) and an array (N,)."""
        rows, labels = self._rows(X, y, new=new)
        check_classification_targets(labels)
        require_same_scale(rows, self._fitted_on)
        return rows, column_or_1d(labels, warn=True)

    def _images(self, rows: Array) -> Array:
        """Return rows as float32, on the scale that the network was trained on."""
        with np.errstate(over="ignore"):  # an infinite number is refused below
            x = rows.astype(np.float32)
        if self._fitted_on == "bytes":
            x /= 255
        if not np.isfinite(x).all():
            raise DataError(
                "has numbers beyond the range of float32. Scale them, for example with "
                "`sklearn.preprocessing.StandardScaler`.",
                where="X",
            )
        return x

    def _dataset(self, rows: Array, labels: Array) -> Dataset:
        numbers = np.searchsorted(self.classes_, labels).clip(max=len(self.classes_) - 1)
        if (unknown := self.classes_[numbers] != labels).any():
            raise ArgumentError(
                f"has the label {labels[unknown].tolist()[0]!r}, which is not among the classes "
                f"{self.classes_.tolist()}.",
                where="y",
            )
        names = tuple(str(label) for label in self.classes_)
        x = rows if rows.dtype == np.uint8 and self._fitted_on == "bytes" else self._images(rows)
        peak = 255 if x.dtype == np.uint8 else 1
        images = x.reshape(-1, *self.image_shape_)
        return Dataset(images, numbers, names, "X", peak)

    def _divided(self, images: Dataset, random: np.random.RandomState) -> tuple[Dataset, Dataset]:
        """Return the images to train on and those to stop by."""
        places = train_test_split(
            np.arange(len(images)),
            test_size=self.validation_fraction,
            stratify=images.labels,
            random_state=random,
        )
        train, held = (images.subset(part) for part in places)
        return train, replace(held, split="validation")

    def _begin(self, images: Dataset) -> None:
        """Build the network and the optimizer."""
        rng, classes = np.random.default_rng(self._seed), len(self.classes_)
        shape = self.image_shape_
        if callable(self.model) and not isinstance(self.model, Layer):
            network = self.model(shape, classes, rng)
        elif isinstance(self.model, str):
            name = NARROW if self.model == "simple" and min(shape[1:]) < 2 else self.model
            build = models.from_pattern if models.is_pattern(name) else models.by_name
            network = build(name, shape, classes, weight_init=self.init, rng=rng)
        else:
            raise ArgumentError(
                f"must be a network's name, a pattern, or a function that builds a new network, "
                f"received an object of {type(self.model).__name__}. Write "
                "`lambda shape, classes, rng: ...`: each fit trains a network of its own.",
                where="model",
            )
        self.model_ = Normalize(*images.statistics()).before(network) if self.normalize else network
        self._optimizer = optim.by_name(self.optimizer, self.lr)

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
            epochs=epochs,
            batch_size=self.batch_size,
            evaluate_samples=max(MEASURED, 0 if held is None else len(held)),
            callbacks=callbacks + ([ProgressBar()] if self.verbose else []),
            engine=self.engine,
            seed=self._seed,
        )
