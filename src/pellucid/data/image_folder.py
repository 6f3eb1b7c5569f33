"""Read a data set from one folder of images per class."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import ArgumentError
from ..preparation import Drawing
from ..typing import PathLike
from .dataset import Dataset
from .division import Division, Parts, require_share
from .folder_cache import Storage
from .split_file import Split
from .user_folders import expanded

if TYPE_CHECKING:
    from ..distributed import Communicator
    from .folder_reader import Wanted

__all__ = ["image_folder", "image_parts"]

IN_MEMORY = 2**28
MAX_WORKERS = 8  # each may hold a picture of decoding.MAX_PIXELS


def image_folder(
    path: PathLike,
    *,
    size: int | tuple[int, int] | None = None,
    channels: Literal[1, 3] | None = None,
    held_out: float = 0.2,
    seed: int = 0,
    split: Split | None = None,
    new_images: Literal["leave", "draw"] = "leave",
    drawing: Drawing | None = None,
    corrupt: Literal["error", "skip"] = "error",
    skip_empty: bool = False,
    limit: int | None = None,
    cache: bool | Literal["disk", "none"] = "disk",
    in_memory: int = IN_MEMORY,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> tuple[Dataset, Dataset]:
    """Read a folder, or a zip archive of one, with a subfolder of images for each class.

    The classes are the folders' names, sorted. ``train/`` and ``test/`` above them are the two
    parts; so are folders with names such as ``seg_train``, ``training_set`` or ``Testing``, folders
    for parts inside each class folder, and ``val/`` if there is no test folder. Their contents
    decide: a class may be called ``train``. Without a test part a share of each class is held out.
    A set that is in the tree twice is used once; a tree that can be read in two ways is refused.
    Hidden files are ignored. ``tell`` reports how many other files were left out and why, and which
    folders were used for the parts if their names do not say so.

    PNG, JPEG, BMP, PPM and WebP are read, upright, and composited over white where transparent. An
    archive is read without unpacking it. The decoded images are kept in Pellucid's cache until the
    folder changes.

    Parameters
    ----------
    path : str or path
        The folder or the archive.
    size : int or (H, W), optional
        Resize every image to fit, bilinearly and with its aspect ratio kept, and pad it with the
        colour of its border, as `read_image` does. Without it all must have one size.
    channels : {1, 3}, optional
        Convert all to grey (ITU-R 601 luma) or RGB; by default as the first image is.
    held_out : float
        The share of each class that becomes the test set if there is no test folder.
    seed : int
        Seed of the draw of these images.
    split : Split, optional
        The part that each image belonged to in an earlier training; ignored if none of the images
        was there.
    new_images : {"leave", "draw"}
        With ``split``, whether images that were not there then are left out or assigned to parts.
    drawing : Drawing, optional
        Find a drawing in each image, such as a photographed digit; needs ``size``.
    corrupt : {"error", "skip"}
        Whether an image that cannot be decoded is an error, or left out.
    skip_empty : bool
        Whether a class folder without images is left out instead of being an error. The classes
        after it then get other numbers than in the complete folder.
    limit : int, optional
        Use, and decode, at most this number of training images: the first ones, or if they are
        sorted by class as many of each class.
    cache : {"disk", "none"} or bool
        Whether the decoded images are kept in Pellucid's cache (True means ``"disk"``). Without,
        images that exceed ``in_memory`` are decoded whenever they are needed.
    in_memory : int
        The most bytes that all images together, N · C · H · W, may take to be held in memory. Of
        larger sets `Dataset.images` is a `StoredImages`: they stay on disk, and each batch is read
        while the one before it is trained on.
    workers : int, optional
        Threads that decode and read; by default one per core, at most 8.
    on_progress : callable, optional
        Called with (images done, images in all) as decoding proceeds.
    tell : callable, optional
        Called with a sentence on each kind of file that was left out, on each assumption, and on
        images that occur in two parts or in two classes.

    Returns
    -------
    train, test : Dataset
        uint8 images (N, C, H, W), int64 labels (N,).

    Raises
    ------
    DataNotFoundError
        If there is no such folder or file.
    FileFormatError
        If images (the message names the first ones) or an archive are damaged.
    DataError
        If there are fewer than two classes, a class has no images, the folder can be read in two
        ways, images differ in size or colour, or the disk lacks room for the cache.
    ArgumentError
        If an argument is not one of the above.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("cat/1.png", "cat/2.png", "dog/1.jpg", "dog/2.jpg"):
    ...         Path(folder, name).parent.mkdir(exist_ok=True)
    ...         Image.new("RGB", (40, 30)).save(Path(folder, name))
    ...     train, test = image_folder(folder, size=32, held_out=0.5, cache=False)
    >>> train.classes, train.images.shape, test.labels
    (('cat', 'dog'), (2, 3, 32, 32), array([0, 1]))
    """
    require_share(held_out, "held_out")
    wanted = _wanted(size, channels, drawing, corrupt, skip_empty)
    division = Division(held_out, None, seed, split, new_images, limit)
    parts = _read(path, wanted, division, cache, in_memory, workers, on_progress, tell)
    return parts.train, parts.test


def image_parts(
    path: PathLike,
    *,
    size: int | tuple[int, int] | None = None,
    channels: Literal[1, 3] | None = None,
    held_out: float | None = None,
    validation: float | None = None,
    seed: int = 0,
    split: Split | None = None,
    new_images: Literal["leave", "draw"] = "leave",
    drawing: Drawing | None = None,
    corrupt: Literal["error", "skip"] = "error",
    skip_empty: bool = False,
    limit: int | None = None,
    cache: bool | Literal["disk", "none"] = True,
    in_memory: int = IN_MEMORY,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] | None = None,
    communicator: Communicator | None = None,
) -> Parts:
    """Read a folder or zip archive as `image_folder` does, with a validation set if it has one.

    A folder ``val/``, ``valid/`` or ``validation/`` beside a test folder is the validation set; or
    ``validation`` draws one. Where there is no test folder, ``val/`` is the test set, unless
    ``held_out`` is given: then it is the validation set, and the test set is drawn.

    Parameters
    ----------
    held_out : float, optional
        The share of each class that becomes the test set if there is no test folder; 0.2 by default
        if there is no validation folder either.
    validation : float, optional
        The share of each class of the training images that becomes the validation set.
    path, size, channels, seed, split, new_images, drawing, corrupt, skip_empty, limit, cache, \
    in_memory, workers, on_progress, tell
        As in `image_folder`.
    communicator : Communicator, optional
        Of the processes that all call this function, with the same arguments: those that share
        Pellucid's cache decode the folder together, each a part of it.

    Raises
    ------
    ArgumentError
        If a validation set is to be drawn, but the folder has one.
    DataNotFoundError, FileFormatError, DataError
        As `image_folder`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for k in range(20):
    ...         file = Path(folder, "cat" if k % 2 else "dog", f"{k}.png")
    ...         file.parent.mkdir(exist_ok=True)
    ...         Image.new("L", (8, 8), 10 * k).save(file)
    ...     parts = image_parts(folder, held_out=0.2, validation=0.25, cache=False)
    >>> [len(part) for part in parts]
    [12, 4, 4]
    """
    for share, name in ((held_out, "held_out"), (validation, "validation")):
        if share is not None:
            require_share(share, name)
    wanted = _wanted(size, channels, drawing, corrupt, skip_empty)
    wanted = replace(wanted, own_validation=True, draw_test=held_out is not None)
    share = 0.2 if held_out is None else held_out
    division = Division(share, validation, seed, split, new_images, limit)
    return _read(path, wanted, division, cache, in_memory, workers, on_progress, tell, communicator)


def _wanted(
    size: int | tuple[int, int] | None,
    channels: int | None,
    drawing: Drawing | None,
    corrupt: str,
    skip_empty: bool,
) -> Wanted:
    from .folder_reader import Wanted  # here, as most programs read no folder

    wanted = Wanted(_pair(size), channels, drawing, corrupt == "skip", bool(skip_empty))
    _require(drawing is None or size is not None, "drawing", "needs a size", drawing)
    _require(channels in (None, 1, 3), "channels", "must be 1 (grey), 3 (RGB) or None", channels)
    _require(corrupt in ("error", "skip"), "corrupt", "must be 'error' or 'skip'", corrupt)
    return wanted


def _read(
    path: PathLike,
    wanted: Wanted,
    division: Division,
    cache: bool | str,
    in_memory: int,
    workers: int | None,
    on_progress: Callable[[int, int], None] | None,
    tell: Callable[[str], None] | None,
    communicator: Communicator | None = None,
) -> Parts:
    from .file_tree import tree  # here, as most programs read no folder
    from .folder_parts import read_parts

    new, limit = division.new_images, division.limit
    _require(new in ("leave", "draw"), "new_images", "must be leave or draw", new)
    _require(cache in (True, False, "disk", "none"), "cache", "must be 'disk' or 'none'", cache)
    _require(in_memory >= 0, "in_memory", "must be 0 bytes or more", in_memory)
    _require(limit is None or limit >= 1, "limit", "must be 1 or more", limit)
    _require(workers is None or workers >= 1, "workers", "must be 1 or more", workers)
    storage = Storage(cache in (True, "disk"), in_memory, workers or _cores(), on_progress)
    if communicator is None or communicator.size == 1:
        source = tree(expanded(path))
        return read_parts(source, wanted, division, storage, tell or (lambda _: None))
    from ..distributed import agreed
    from .shared_cache import read_together

    source = agreed(communicator, lambda: tree(expanded(path)))
    read = partial(read_parts, source, wanted, division, tell=tell or (lambda _: None))
    return read_together(communicator, source, storage, lambda how: read(storage=how))


def _pair(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or any(not isinstance(s, int | np.integer) or s < 1 for s in pair):
        raise ArgumentError(
            f"must be an integer or (H, W), 1 or more; received {size!r}.", where="size"
        )
    return int(pair[0]), int(pair[1])


def _require(good: bool, where: str, rule: str, received: object) -> None:
    if not good:
        raise ArgumentError(f"{rule}; received {received!r}.", where=where)


def _cores() -> int:
    known = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(known or 1, MAX_WORKERS)
