"""What the catalogue records of a data set: its forms, their files, and where to get them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..preparation import Drawing, Preparation
from .readers import Reader

__all__ = ["DataSource", "Form", "PublishedFile"]


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file as the home of a data set publishes it.

    Attributes
    ----------
    name : str
        Its name there; the address is a mirror followed by this name.
    size : int
        Its size in bytes.
    sha256 : str
        The SHA-256 of its bytes, or of what `Reader.sha256` takes instead. Without one it is never
        downloaded.
    """

    name: str
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """One of the forms that a data set is published in.

    Attributes
    ----------
    reader : Reader
        Reads the files of one part.
    train, test : tuple of str
        The files of each part.
    subfolders : tuple of str
        Where the files may be in a folder of data sets; ``"."`` is that folder itself. In an
        archive they are in the first.
    singles : tuple of PublishedFile
        Each of `files` in order, if they are published one by one.
    archive : PublishedFile, optional
        The .tar.gz that contains them otherwise.
    sizes : tuple of int
        The bytes of each file in the archive, in the order of `files`.
    """

    reader: Reader
    train: tuple[str, ...]
    test: tuple[str, ...]
    subfolders: tuple[str, ...]
    singles: tuple[PublishedFile, ...] = ()
    archive: PublishedFile | None = None
    sizes: tuple[int, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The files of both parts."""
        return (*self.train, *self.test)

    @property
    def published(self) -> tuple[PublishedFile, ...]:
        """What to download; empty if this form is only read."""
        return (self.archive,) if self.archive and self.archive.sha256 else self.singles

    def single(self, name: str) -> PublishedFile | None:
        """Return the file called ``name`` as it is published; None if it comes in an archive."""
        return dict(zip(self.files, self.singles, strict=False)).get(name)

    @property
    def members(self) -> dict[str, int]:
        """The name of each file inside the archive, and its size; empty without an archive."""
        names = [f"{self.subfolders[0]}/{name}" for name in self.files]
        return dict(zip(names, self.sizes, strict=True)) if self.sizes else {}


@dataclass(frozen=True, slots=True)
class DataSource:
    """One data set of the catalogue.

    Attributes
    ----------
    name, title : str
        The name to load it by; its name in prose.
    image_shape : (int, int, int)
        (C, H, W).
    classes : tuple of str
        The class names.
    train, test : int
        The number of images in each part.
    forms : tuple of Form
        Looked for in this order; the first with a hash is the one to download.
    home : str
        Where a person gets the files; empty if nowhere.
    mirrors : tuple of str
        Addresses that end in a slash, tried in order; a published file's name follows.
    licence, citation : str
        Its terms; whom to credit.
    peak : int
        The pixel value that means 1.0.
    drawing : Drawing, optional
        How the drawing was cropped from the pictures; None if the images are whole pictures.
    system_folders : tuple of str
        Where a package of the operating system installs the files.
    bundled : bool
        Whether the files come with Pellucid.
    """

    name: str
    title: str
    image_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    train: int
    test: int
    forms: tuple[Form, ...]
    home: str
    licence: str
    citation: str
    mirrors: tuple[str, ...] = ()
    peak: int = 255
    drawing: Drawing | None = None
    system_folders: tuple[str, ...] = ()
    bundled: bool = False

    @property
    def preparation(self) -> Preparation:
        """How a picture becomes an image of this set."""
        c, h, w = self.image_shape
        return Preparation((h, w), c, self.drawing)

    @property
    def downloaded(self) -> Form:
        """The form that is downloaded."""
        return next(form for form in self.forms if form.published)

    @property
    def download_size(self) -> int:
        """The bytes to download; 0 if the set comes with Pellucid."""
        return 0 if self.bundled else sum(file.size for file in self.downloaded.published)

    @property
    def max_bytes(self) -> int:
        """An upper bound of a file's uncompressed size: all images of a part, and a header."""
        return max(self.train, self.test) * math.prod(self.image_shape) + 4096
