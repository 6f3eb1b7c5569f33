"""The data sets that Pellucid knows by name: what they are, where they come from, their hashes.

A table and nothing else; `places` finds the files, `download` fetches them, `sets` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ArgumentError, did_you_mean
from ..preparation import Drawing, Preparation
from .file_sets import FILE_SETS

__all__ = ["FILES", "FILE_NAMES", "SOURCES", "Source", "source_named"]

# MNIST's names, which its successors kept. The test files are called t10k in all of them.
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
FILE_NAMES = (*FILES["train"], *FILES["test"])


@dataclass(frozen=True, slots=True)
class Source:
    """What is known about one data set.

    Attributes
    ----------
    name, title : str
        What to ask for; how it is written.
    image_shape : (int, int, int)
        (C, H, W).
    classes : tuple of str
        The class names.
    train, test : int
        Images in each split.
    sha256 : dict
        File name to the SHA-256 of its uncompressed bytes: whoever compresses a file again changes
        the .gz, but not these.
    peak : int
        The pixel value that means 1.0.
    mirrors : tuple of str
        Addresses that end in a slash, behind which the four files lie as .gz; tried in order.
    download_size : int
        The bytes of the four files there, together.
    subfolders : tuple of str
        Where the files may lie inside a folder of data sets; ``"."`` is that folder itself.
    system_folders : tuple of str
        Where a package of the operating system puts them.
    bundled : bool
        Whether the files come with Pellucid.
    licence, citation : str
        Its terms; whom to credit.
    drawing : Drawing, optional
        How what the images show was found in pictures, where they are no pictures as they were.
    """

    name: str
    title: str
    image_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    train: int
    test: int
    sha256: dict[str, str]
    peak: int = 255
    mirrors: tuple[str, ...] = ()
    download_size: int = 0
    subfolders: tuple[str, ...] = (".",)
    system_folders: tuple[str, ...] = ()
    bundled: bool = False
    licence: str = ""
    citation: str = ""
    drawing: Drawing | None = None

    @property
    def preparation(self) -> Preparation:
        """How a picture becomes an image of this set."""
        c, h, w = self.image_shape
        return Preparation((h, w), c, self.drawing)


_TEN = tuple(str(digit) for digit in range(10))

SOURCES = {
    "mnist": Source(
        name="mnist",
        title="MNIST",
        image_shape=(1, 28, 28),
        drawing=Drawing(20 / 28, "mass"),
        classes=_TEN,
        train=60_000,
        test=10_000,
        sha256={
            "train-images-idx3-ubyte": (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
            ),
            "train-labels-idx1-ubyte": (
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
            ),
            "t10k-images-idx3-ubyte": (
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
            ),
            "t10k-labels-idx1-ubyte": (
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
            ),
        },
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        download_size=11_594_722,
        subfolders=("mnist", "MNIST/raw", "."),
        licence="CC BY-SA 3.0",
        citation=(
            "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-Based Learning Applied to "
            "Document Recognition, Proceedings of the IEEE 86(11), 1998"
        ),
    ),
    "fashion-mnist": Source(
        name="fashion-mnist",
        title="Fashion-MNIST",
        image_shape=(1, 28, 28),
        drawing=Drawing(1.0, "box"),
        classes=(
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
            "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
        train=60_000,
        test=10_000,
        sha256={
            "train-images-idx3-ubyte": (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
            ),
            "train-labels-idx1-ubyte": (
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
            ),
            "t10k-images-idx3-ubyte": (
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
            ),
            "t10k-labels-idx1-ubyte": (
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
            ),
        },
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        download_size=30_878_645,
        subfolders=("fashion-mnist", "FashionMNIST/raw", "."),
        system_folders=("/usr/share/datasets/fashion-mnist",),  # Debian: dataset-fashion-mnist
        licence="MIT",
        citation=(
            "H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for "
            "Benchmarking Machine Learning Algorithms, arXiv:1708.07747, 2017"
        ),
    ),
    "digits": Source(
        name="digits",
        title="Optical Recognition of Handwritten Digits",
        image_shape=(1, 8, 8),
        drawing=Drawing(1.0, "box"),
        classes=_TEN,
        train=1_438,
        test=359,
        sha256={
            "train-images-idx3-ubyte": (
                "7a2c91e86131e5670a845dc65037155d8b81ddaf0b782c6c3b5d9d28f250b1e8"
            ),
            "train-labels-idx1-ubyte": (
                "e34e4da611f58785e73fc70168b21edaf41ec73e61df7fa801a1670ffe240aff"
            ),
            "t10k-images-idx3-ubyte": (
                "b7f5d0b0b25089e2f694a8ed5c6baff5f6c50dfd4b252227e768e1d5b43482d0"
            ),
            "t10k-labels-idx1-ubyte": (
                "7e73cb4ce4141e6d08e3443da4a6aa3a96c0e2ec6327fa65055fcc1c110a51ff"
            ),
        },
        peak=16,
        subfolders=("digits", "."),
        bundled=True,
        licence="CC BY 4.0",
        citation=(
            "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine "
            "Learning Repository, 1998, https://doi.org/10.24432/C50P49"
        ),
    ),
}  # fmt: skip


def source_named(name: str) -> Source:
    """Return the data set called ``name``.

    Raises
    ------
    ArgumentError
        If there is none; the message offers the nearest.

    Examples
    --------
    >>> source_named("mnist").image_shape
    (1, 28, 28)
    >>> source_named("minst")
    Traceback (most recent call last):
    pellucid.errors.ArgumentError: name: there is no data set 'minst'. Did you mean 'mnist'? \
Known: cifar10, cifar100, digits, fashion-mnist, mnist, stl10, svhn.
    """
    if name not in SOURCES:
        known = did_you_mean(str(name), (*SOURCES, *FILE_SETS))
        raise ArgumentError(f"there is no data set {name!r}. {known}", where="name")
    return SOURCES[name]
