"""Labelled images, checked once, and the one place where a batch becomes float32."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from ..errors import ArgumentError, DataError
from ..names import without_surrogates
from ..preparation import HeldOut, Preparation
from ..shapes import shape_text
from ..typing import Array
from .checks import require_images, require_labels, require_scale, unfit_dtype
from .indexing import require_index, require_slice
from .statistics import channel_statistics
from .stored_images import as_images, on_disk, selected

__all__ = ["Dataset", "ImageFile"]


class ImageFile(NamedTuple):
    """The file of an image: its path below the data set, and the SHA-256 of its bytes."""

    path: str
    sha256: str


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images with one label each, validated at construction and never again.

    The arrays are kept, not copied: bytes stay bytes until `batch` converts those that are needed
    to float32.

    Parameters
    ----------
    images : array (N, C, H, W), uint8 or float32; or StoredImages
        The images; float images must be finite. `StoredImages` stay on disk.
    labels : integer array (N,)
        The class of each image, 0 to K-1; kept as int64.
    classes : sequence of K str
        The name of each class.
    name : str
        What the set is called.
    peak : float, optional
        The pixel value that means 1.0: by default 255 for bytes and 1 for float images; 16 for the
        digits. By default float images must lie in [0, 1] (up to 1.5 is accepted) or, if some
        numbers are negative, be standardised (a root mean square of at most 10); with a peak the
        range is not checked.
    split : str
        Which part of the set this is, ``"train"`` or ``"test"``.
    preparation : Preparation, optional
        How a picture becomes such an image; a model trained on this set keeps it. Its size is set
        to that of the images. By default a picture is resized to fit, and nothing else is done.
    files : sequence of ImageFile, optional
        The file that each image came from.
    held_out : HeldOut, optional
        How this part and the other were drawn from one set.

    Raises
    ------
    DataError
        If images or labels are not as described; the message shows the first one at fault.

    Examples
    --------
    >>> images = np.array([0, 51, 255], dtype=np.uint8).reshape(3, 1, 1, 1)
    >>> points = Dataset(images, np.array([0, 1, 1]), ("dark", "bright"), "points")
    >>> points
    Dataset('points', train: 3 images 1x1x1, 2 classes)
    >>> image, label = points[-1]
    >>> image.tolist(), points.classes[label]
    ([[[255]]], 'bright')
    >>> points[1:]
    Dataset('points', train: 2 images 1x1x1, 2 classes)
    >>> [label for image, label in points]
    [0, 1, 1]
    >>> x, labels = points.batch([1, 2])
    >>> x.ravel(), labels
    (array([0.2, 1. ], dtype=float32), array([1, 1]))
    """

    images: Array
    labels: Array
    classes: tuple[str, ...]
    name: str
    peak: float = None  # type: ignore[assignment]  # filled in below
    split: str = "train"
    preparation: Preparation = None  # type: ignore[assignment]  # as well
    files: tuple[ImageFile, ...] | None = None
    held_out: HeldOut | None = None

    def __post_init__(self) -> None:
        images, labels = as_images(self.images), np.asarray(self.labels)
        # A folder's name may be bytes that are not text, which a model file or a page cannot hold.
        classes = tuple(without_surrogates(str(c)) for c in self.classes)
        object.__setattr__(self, "name", without_surrogates(self.name))
        require_images(images)
        require_labels(labels, len(images), len(classes))
        if self.peak is None:
            require_scale(images)
            object.__setattr__(self, "peak", 255 if images.dtype == np.uint8 else 1)
        if not self.peak > 0:
            raise ArgumentError(
                f"must be the pixel value that means 1.0, above 0; received {self.peak!r}.",
                where="peak",
            )
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))
        object.__setattr__(self, "classes", classes)
        if self.preparation is None:
            object.__setattr__(self, "preparation", Preparation.of_shape(images.shape[1:]))
        elif self.preparation.image_shape != images.shape[1:]:
            c, h, w = images.shape[1:]
            fitting = replace(self.preparation, size=(h, w), channels=c)
            object.__setattr__(self, "preparation", fitting)
        if self.files is not None:
            object.__setattr__(self, "files", tuple(self.files))
            if len(self.files) != len(images):
                raise ArgumentError(
                    f"must name the file of each image: {len(images)}, not {len(self.files)}. "
                    "Select images with `subset`, which keeps both aligned, or pass None.",
                    where="files",
                )

    @classmethod
    def from_arrays(
        cls,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        classes: Iterable[str] | None = None,
        name: str = "arrays",
        split: str = "train",
        *,
        peak: float | None = None,
    ) -> Dataset:
        """Return a data set made of your own arrays.

        Parameters
        ----------
        images : array (N, C, H, W)
            uint8 (0 to 255), or float in [0, 1], kept as float32.
        labels : integer array (N,)
            The class of each image, counted from 0.
        classes : iterable of str, optional
            The names; by default ``"0"`` to the largest label.
        name, split, peak
            As in `Dataset`.

        Raises
        ------
        DataError
            If the images are neither bytes nor floats, or `Dataset` refuses them.

        Examples
        --------
        >>> Dataset.from_arrays(np.zeros((5, 1, 8, 8)), [0, 1, 2, 1, 0])
        Dataset('arrays', train: 5 images 1x8x8, 3 classes)
        """
        x, t = np.asarray(images), np.asarray(labels)
        if x.dtype != np.uint8 and x.dtype.kind != "f":
            raise DataError(unfit_dtype(x), where="images")
        if classes is None:
            largest = int(t.max()) if t.size and t.dtype.kind in "iu" else 0
            classes = (str(k) for k in range(largest + 1))
        if x.dtype.kind == "f":
            with np.errstate(over="ignore"):  # overflow to infinity is refused below
                x = x.astype(np.float32, copy=False)
        return cls(x, t, tuple(classes), name, peak, split)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, index: SupportsIndex) -> tuple[Array, int]: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...
    def __getitem__(self, index: SupportsIndex | slice) -> tuple[Array, int] | Dataset:
        """Return the image at ``index`` and its label, or the data set of a slice.

        Nothing is copied: the image is a view (C, H, W) of `images`, with the bytes as they are
        stored (`batch` returns float32), and a slice's images are a view, too. A slice keeps the
        classes, the preparation and all else that the data set knows.

        Raises
        ------
        ArgumentError
            If the index is out of range or of another type, or the slice selects no image.
        """
        if isinstance(index, slice):
            require_slice(index, len(self))
            files = None if self.files is None else self.files[index]
            images, labels = selected(self.images, index), self.labels[index]
            return replace(self, images=images, labels=labels, files=files)
        k = require_index(index, len(self))
        return self.images[k], int(self.labels[k])

    def __iter__(self) -> Iterator[tuple[Array, int]]:
        """Yield each image and its label, as ``self[k]`` returns them."""
        return zip(self.images, self.labels.tolist(), strict=True)

    def __repr__(self) -> str:
        size = shape_text(self.image_shape)
        count = f"{len(self)} image{'s' * (len(self) != 1)} {size}"
        kinds = f"{len(self.classes)} class{'es' * (len(self.classes) != 1)}"
        return f"Dataset({self.name!r}, {self.split}: {count}, {kinds})"

    def _repr_html_(self) -> str:
        from .gallery import gallery_html

        return gallery_html(self)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of one image, (C, H, W)."""
        c, h, w = self.images.shape[1:]
        return c, h, w

    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the mean and the deviation of each channel over all pixels of all images.

        They are those of the values that `batch` returns, pixels over ``peak``. A constant channel
        gets the deviation 1, so that it can be divided by.

        Examples
        --------
        >>> images = np.array([0, 255, 102, 102], dtype=np.uint8).reshape(2, 2, 1, 1)
        >>> images.tolist()
        [[[[0]], [[255]]], [[[102]], [[102]]]]
        >>> Dataset.from_arrays(images, [0, 1]).statistics()
        ((0.2, 0.7), (0.2, 0.3))
        """
        return channel_statistics(self.images, self.peak)

    def batch(
        self, indices: Sequence[int] | Array | slice, dtype: npt.DTypeLike = np.float32
    ) -> tuple[Array, Array]:
        """Return the images at ``indices`` as ``images / peak``, and their labels.

        Parameters
        ----------
        indices : integers or slice
            Which images, in this order.
        dtype : float dtype
            Of the result; float64 for gradient checks.

        Returns
        -------
        x : array (B, C, H, W), ``dtype``
            In [0, 1]; always a new array.
        labels : int64 array (B,)
        """
        return (
            np.divide(self.images[indices], self.peak, dtype=np.dtype(dtype)),
            self.labels[indices],
        )

    def in_memory(self) -> Dataset:
        """Return the data set with its images in memory; itself if they are there already."""
        return replace(self, images=np.asarray(self.images)) if on_disk(self.images) else self

    def take(self, n: int) -> Dataset:
        """Return the first ``n`` images, or all if there are fewer, without copying."""
        if n < 1:
            raise ArgumentError(f"must be 1 or more images, received {n}.", where="take")
        return self[:n]

    def subset(self, indices: Sequence[int] | Array) -> Dataset:
        """Return the images at ``indices``, in that order, as a data set.

        Images in memory are copied; images on disk are not read.

        Raises
        ------
        ArgumentError
            If an index is not an integer, or out of range.
        """
        chosen = np.asarray(indices)
        if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
            raise ArgumentError(
                f"expects integers (M,), received {chosen.dtype} of shape {chosen.shape}. Turn a "
                "mask into indices with `np.flatnonzero(mask)`.",
                where="subset",
            )
        wrong = chosen[(chosen < 0) | (chosen >= len(self))]
        if wrong.size:
            raise ArgumentError(
                f"there is no image {wrong[0]}: this set has images 0 to {len(self) - 1}.",
                where="subset",
            )
        chosen = chosen.astype(np.intp, copy=False)
        files = None if self.files is None else tuple(self.files[k] for k in chosen)
        return replace(
            self, images=selected(self.images, chosen), labels=self.labels[chosen], files=files
        )
