"""A trained model together with the images it was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Parts
from ..data.division import joined
from ..errors import ArgumentError, DataError, DataNotFoundError
from ..names import listed
from ..shapes import shape_text
from .folder import SPLIT, RunFolder
from .images import is_folder, load_images
from .listener import Listener
from .settings import Settings

if TYPE_CHECKING:
    from ..data import Dataset, Split
    from ..distributed import Communicator
    from ..nn import Layer
    from ..typing import PathLike

__all__ = ["images_of", "require_fit", "settings_of", "split_of"]


def settings_of(run_or_model: PathLike) -> dict[str, Any]:
    """Return the settings of a run, named by its folder or its model; of another file, none."""
    run = RunFolder.of(run_or_model)
    return {} if run is None else run.settings()


def split_of(run_or_model: PathLike) -> Split | None:
    """Return which images the training of a run used for what, if it has kept that."""
    run = RunFolder.of(run_or_model)
    return None if run is None else run.read_split()


def images_of(
    model: Layer,
    run: PathLike | None,
    data: str | None = None,
    data_dir: PathLike | None = None,
    *,
    download: bool = True,
    listener: Listener | None = None,
    communicator: Communicator | None = None,
) -> Parts:
    """Return the sets that ``data`` names, or those the model was trained on.

    In data that the model was trained on, they are the images that it was trained on, chosen by and
    tested on, whatever was added since.

    Parameters
    ----------
    model : Layer
    run : path or None
        Its run folder or file.
    data, data_dir
        A data set's name or a folder, and where the data set's files are.
    download : bool
        Whether a data set may be fetched.
    listener : Listener, optional
    communicator : Communicator, optional
        Of ranks that all call this, as for `pellucid.runs.images.load_images`.

    Raises
    ------
    ArgumentError
        If no data set is known.
    DataError
        If they are not there, are damaged, the model does not fit them, or it cannot be known which
        of them it was trained on.
    """
    given = {} if run is None else settings_of(run)
    wanted, known = _wanted(model, given, data, data_dir), data is None
    listener = listener or Listener()
    try:
        split = None if run is None else split_of(run)
        if not is_folder(wanted.data):
            own = wanted.data == (given.get("data") or (model.card and model.card.dataset))
            known_split = split if own else None
            parts = _of_a_name(model, wanted, known_split, own, download, listener, communicator)
        else:
            redrawn = "seed" in given and is_folder(str(given.get("data", "")))
            seeded = "seed" in given
            parts = _of_a_folder(model, wanted, split, redrawn, seeded, listener, communicator)
    except DataNotFoundError as error:
        if known:
            error.message += (
                " The model was trained on it; if it lies elsewhere by now, name it with {data}."
            )
            error.arguments["data"] = ("data", ...)
        raise
    train, validation, test = (part and _as_model_counts(model, part) for part in parts)
    assert train is not None
    assert test is not None
    require_fit(model, train)
    if len(parts.train.classes) < len(train.classes):
        listener.note(
            f"note: '{train.name}' has {len(parts.train.classes)} of the {len(train.classes)} "
            "classes that the model distinguishes"
        )
    return Parts(train, validation, test)


def _as_model_counts(model: Layer, dataset: Dataset) -> Dataset:
    """Return a data set with its classes numbered as the model does, if it knows all of them.

    A folder's classes are in alphabetical order, those of a model from elsewhere in any.
    """
    classes = () if model.card is None else model.card.classes
    known = {name: k for k, name in enumerate(classes)}
    alone = all(classes.count(name) == 1 for name in dataset.classes)
    if dataset.classes == classes or not alone:
        return dataset
    numbers = np.array([known[name] for name in dataset.classes])
    return replace(dataset, labels=numbers[dataset.labels], classes=classes)


def _wanted(
    model: Layer, given: dict[str, Any], data: str | None, data_dir: PathLike | None
) -> Settings:
    """Return the settings to read the images with: those of the run, or those that fit."""
    kept: dict[str, Any] = {k: given[k] for k in ("held_out", "seed") if k in given}
    where = None if data_dir is None else Path(data_dir)
    if data is None:
        data = given.get("data") or (model.card.dataset if model.card else None)
        if not data:
            raise ArgumentError("the model does not say what it was trained on.", where="data")
        how = ("size", "channels", "skip_corrupt", "skip_empty", "cache", "limit")
        kept |= {k: given[k] for k in how if k in given}
        where = where or given.get("data_dir")
    elif is_folder(data) and model.input_shape is not None:
        channels, h, w = model.input_shape
        kept |= {"size": f"{h}x{w}", "channels": channels}
    return Settings(data=data, data_dir=where, **kept)


def _of_a_name(
    model: Layer,
    wanted: Settings,
    split: Split | None,
    own: bool,
    download: bool,
    listener: Listener,
    communicator: Communicator | None,
) -> Parts:
    """Load a data set by its name; if the model was trained on it, with its validation set."""
    drawn = model.card.held_out if own and model.card is not None else None
    how = Settings(data=wanted.data, data_dir=wanted.data_dir)
    if split is None and drawn is not None and drawn.validation:
        how = replace(how, validation=drawn.validation, split_seed=drawn.seed)
    parts = load_images(
        how, split=split, download=download, listener=listener, communicator=communicator
    )
    lost = split is not None and split.has("validation") and parts.validation is None
    if lost or (how.validation is not None and parts.train.held_out != drawn):
        raise _changed(model, wanted.data)
    return parts


def _of_a_folder(
    model: Layer,
    wanted: Settings,
    split: Split | None,
    redrawn: bool,
    seeded: bool,
    listener: Listener,
    communicator: Communicator | None,
) -> Parts:
    """Read a folder; where parts were drawn, find out which images the model was trained on."""
    card = model.card
    drawing = None if card is None or card.preparation is None else card.preparation.drawing
    drawn = None if card is None else card.held_out
    if split is None and drawn is not None:
        wanted = replace(
            wanted,
            held_out=drawn.share or None,
            validation=drawn.validation or None,
            split_seed=drawn.seed,
        )
    try:
        parts = load_images(
            wanted, split=split, drawing=drawing, listener=listener, communicator=communicator
        )
    except ArgumentError as error:
        if drawn is not None and error.where == "validation":  # there is a folder for it now
            raise _changed(model, wanted.data) from error
        raise
    found = parts.test.held_out
    if split is not None:
        return _known(parts, split, listener)
    if drawn is not None and found != drawn and (found is not None or drawn.validation):
        raise _changed(model, wanted.data)
    if drawn is not None and found is None:
        listener.note(
            f"note: the model's file says that it was tested on {drawn.share:.0%} of the images of "
            f"such a folder, drawn at random. If those of '{wanted.data}' are the same, it was "
            f"trained on some of the test images here: name its run folder, whose {SPLIT} says it"
        )
    if drawn is not None or found is None:
        return parts
    if redrawn:  # of version 0.1, which kept no more than the seed
        listener.note(
            "note: the run did not keep which images it was trained on; they are drawn as they "
            "were then, if none was added or removed since"
        )
    elif not seeded and card is not None and card.dataset == parts.train.name:
        raise DataError(
            f"the model was trained on a folder of this name, '{card.dataset}', and its file does "
            "not say on which of the images: those drawn here for a test may be among them. Name "
            "its run folder, or a folder that has train/ and test/.",
            where="data",
        )
    elif not seeded:
        listener.note(
            "note: nothing says which images the model was trained on; some of those it is tested "
            "on here may be among them"
        )
    return parts


def _known(parts: Parts, split: Split, listener: Listener) -> Parts:
    """Return the parts as they are if the training saw them; of a folder without parts, all."""
    files = [file for part in parts if part is not None for file in part.files or ()]
    known = {file.sha256 for file in split.roles}
    if parts.test.held_out is None or any(file.sha256 in known for file in files):
        return parts
    whole = joined(parts)
    alike = len({file.path for file in files} & {file.path for file in split.roles})
    names = f", though {alike:,} have the name of one that it saw" if alike else ""
    listener.note(
        f"note: the training saw none of these {len(whole):,} images{names}; all of them are used"
    )
    return Parts(whole, None, whole)


def _changed(model: Layer, data: str) -> DataError:
    card = model.card
    assert card is not None
    drawn = card.held_out
    share = (drawn.share or drawn.validation) if drawn is not None else 0
    used = "tested on" if drawn is None or drawn.share else "chosen by"
    return DataError(
        f"the model was trained on such a folder ('{card.dataset}') and {used} {share:.0%} of its "
        f"images. '{data}' is not as it was then, and the model's file alone does not say which "
        f"images it was trained on. Name its run folder, whose {SPLIT} says it, or a folder that "
        "has train/ and test/.",
        where="data",
    )


def require_fit(model: Layer, dataset: Dataset) -> None:
    """Refuse images of another size and classes of another meaning."""
    if model.input_shape not in (None, dataset.image_shape):
        raise DataError(
            f"the model was built for images {shape_text(model.input_shape or ())}; those of "
            f"'{dataset.name}' are {shape_text(dataset.image_shape)}. Evaluate it on the data set "
            f"it was trained on, or train one on '{dataset.name}'.",
            where="data",
        )
    from ..nn.checks import require_one_output

    require_one_output(model, "model")
    outputs = model.output_shape(dataset.image_shape)
    if outputs != (len(dataset.classes),):
        raise DataError(
            f"the model returns {shape_text(outputs)} numbers for an image; '{dataset.name}' has "
            f"{len(dataset.classes)} classes.",
            where="data",
        )
    if model.card is not None and model.card.classes != dataset.classes:
        raise DataError(
            f"the model distinguishes {listed(model.card.classes)}; '{dataset.name}' has other "
            f"classes: {listed(dataset.classes)}.",
            where="data",
        )
