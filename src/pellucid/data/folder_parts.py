"""Read the parts of a folder of images: from the cache, or by decoding what is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..names import plain
from ..preparation import Preparation
from .dataset import Dataset
from .division import Division, Parts, divided, drawn_share, own_roles, recorded, with_roles
from .duplicates import note_duplicates
from .file_tree import Tree
from .folder_cache import Decoded, Storage, cache_path, read_cache
from .limiting import Limited, first_images, limited

if TYPE_CHECKING:
    from .folder_reader import Wanted
    from .layout import Layout

__all__ = ["read_parts"]


def read_parts(
    source: Tree,
    wanted: Wanted,
    division: Division,
    storage: Storage,
    tell: Callable[[str], None],
) -> Parts:
    """Read a folder or an archive as `image_parts` does.

    Parameters
    ----------
    source : Tree
    wanted : Wanted
        How images are decoded.
    division : Division
        How they are divided, as far as their folders do not say.
    storage : Storage
        Where they are kept.
    tell : callable
        Called with each note.
    """
    for attempt in ("first", "last"):
        decoded, some = _decoded(source, wanted, division, storage)
        if storage.team is not None:  # which finds all in the cache from now on
            storage.team.dismiss(source.fingerprinted)
            storage = storage._replace(team=None)
        parts, notes = _divided(source.name, decoded, wanted, division, some)
        parts = parts._replace(train=first_images(parts.train, division.limit))
        try:
            parts = _held(parts, storage.in_memory)
            notes += note_duplicates(parts)
        except DataError:  # the cache is damaged, and removed by now
            if attempt == "last":
                raise
        else:
            break
    for note in (*decoded.notes, *notes):
        tell(note)
    return parts


def _decoded(
    source: Tree, wanted: Wanted, division: Division, storage: Storage
) -> tuple[Decoded, Limited | None]:
    """Return all images, or those that are used."""
    import PIL  # only for its version: another may decode the same file to other pixels

    if source.fingerprinted is None:
        source.fingerprinted = source.fingerprint()
    before = f"{source.fingerprinted} Pillow {PIL.__version__}"

    def kept(options: dict[str, Any]) -> tuple[Any, Decoded | None]:
        path = cache_path(source.path, options) if storage.cache else None
        return path, None if path is None else read_cache(path, before, 0, storage.workers)

    path, decoded = kept(asdict(wanted))
    if decoded is not None:
        return decoded, None
    from .folder_decoding import decoded_anew  # here, as a cached folder needs none of it

    with source.open():
        layout = _layout(source, wanted)
        if division.limit is not None and division.limit < len(layout.train):
            some = limited(layout, source.name, division.limit, division)
            if some is not None:
                own, decoded = kept({**asdict(wanted), "images": some.key})
                if decoded is None:
                    decoded = decoded_anew(source, some.layout, wanted, own, before, storage)
                # If some of them are damaged, others take their places.
                if len(decoded.labels) == len(some.layout.files):
                    return decoded, some
        return decoded_anew(source, layout, wanted, path, before, storage), None


def _layout(source: Tree, wanted: Wanted) -> Layout:
    from .file_tree import listing_by_content
    from .layout import arrange

    layout = arrange(
        listing_by_content(source),
        f"'{plain(str(source.path))}'",
        skip_empty=wanted.skip_empty,
        own_validation=wanted.own_validation,
        draw_test=wanted.draw_test,
    )
    return layout if wanted.own_validation else replace(layout, validation=[])


def _divided(
    name: str, decoded: Decoded, wanted: Wanted, how: Division, some: Limited | None
) -> tuple[Parts, list[str]]:
    """Return the parts, and notes on the earlier split."""
    shape = decoded.images.shape[1:]
    whole = Dataset(
        decoded.images,
        decoded.labels,
        decoded.classes,
        name,
        preparation=replace(Preparation.of_shape(shape), drawing=wanted.drawing),
        files=decoded.files,
    )
    test = len(whole) - decoded.train - decoded.validation
    roles = own_roles(decoded.train, test, decoded.validation)
    if some is not None and some.roles is not None:
        parts = with_roles(whole, some.roles)
        if some.drawn is None:
            return parts, []
        return recorded(parts, some.drawn.share, some.drawn.validation, some.drawn.seed), []
    if how.split is not None:
        found = how.split.apply(
            whole, roles, how.new_images, how.held_out, how.validation, how.seed
        )
        if found is not None:
            parts = with_roles(whole, found[0])
            share = 0.0 if "test" in roles else how.held_out
            return recorded(parts, share, drawn_share(parts, roles), how.seed), found[1]
    parts = divided(whole, roles, held_out=how.held_out, validation=how.validation, seed=how.seed)
    return parts, []


def _held(parts: Parts, in_memory: int) -> Parts:
    """Return the parts in memory, if together they take at most ``in_memory`` bytes."""
    if sum(part.images.nbytes for part in parts if part is not None) > in_memory:
        return parts
    train, validation, test = (None if part is None else part.in_memory() for part in parts)
    assert train is not None
    assert test is not None
    return Parts(train, validation, test)
