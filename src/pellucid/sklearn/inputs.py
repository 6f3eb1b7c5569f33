"""The images and labels of a classifier, checked as scikit-learn's conventions ask."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from ..data import Dataset
from ..errors import ArgumentError, DataError, ShapeError
from ..shapes import shape_text
from ..typing import Array
from .arrays import ImageShape, as_rows, image_shape_of, require_same_scale, scale_of

__all__ = ["TakesImages"]

FLOATS = (np.float32, np.float64, np.uint8)  # dtypes that are taken as they are


class TakesImages:
    """What a classifier of images does with ``X`` and ``y``.

    Attributes
    ----------
    image_shape : (C, H, W) or None
        The parameter.
    image_shape_, classes_
        What was fitted.
    """

    image_shape: tuple[int, ...] | None
    classes_: Array
    image_shape_: ImageShape
    _fitted_on: str

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
