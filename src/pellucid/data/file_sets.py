"""Data sets in forms of their own: what they are, which files they have, and where to get them.

A table and nothing else; `file_set_reader` finds and reads the files, `file_set_download` fetches
them. The SHA-256 and sizes of what is downloaded are those that several projects state alike for
these files, TensorFlow Datasets (``url_checksums``) among them; the homes themselves publish MD5.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FILE_SETS", "FileSet", "Form", "Remote"]


@dataclass(frozen=True, slots=True)
class Remote:
    """A file that the home of a set offers: its name there, its bytes, and their SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Form:
    """One of the forms that a set comes in.

    Attributes
    ----------
    reader : str
        What reads it: a key of `file_set_reader.READERS`.
    archive : str
        What to fetch from the set's home.
    subfolders : tuple of str
        Where its files may lie inside a folder of data sets; ``"."`` is that folder itself.
    train, test : tuple of str
        The files of each part.
    remotes : tuple of Remote
        What to download: these files themselves, or one archive with them; empty if nothing.
    sizes : tuple of int
        The bytes of each file in the archive, in the order of `files`; empty if there is none.
    """

    reader: str
    archive: str
    subfolders: tuple[str, ...]
    train: tuple[str, ...]
    test: tuple[str, ...]
    remotes: tuple[Remote, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The files of both parts."""
        return (*self.train, *self.test)

    @property
    def members(self) -> dict[str, int]:
        """The name of each file inside the archive, and its bytes; empty if there is no archive."""
        names = [f"{self.subfolders[0]}/{name}" for name in self.files]
        return dict(zip(names, self.sizes, strict=True)) if self.sizes else {}


@dataclass(frozen=True, slots=True)
class FileSet:
    """What is known about one data set; attributes as those of `sources.Source`.

    Attributes
    ----------
    forms : tuple of Form
        The first that is there is read.
    home : str
        The page to get it from.
    mirrors : tuple of str
        Addresses that end in a slash, behind which the remotes lie; tried in order.
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

    @property
    def download_size(self) -> int:
        """The bytes to download."""
        return sum(remote.size for form in self.forms for remote in form.remotes)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_KRIZHEVSKY = (
    "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, University of Toronto, "
    "2009"
)
_TORONTO = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
_BATCHES = tuple(f"data_batch_{k}" for k in range(1, 6))

FILE_SETS = {
    "cifar10": FileSet(
        name="cifar10",
        title="CIFAR-10",
        image_shape=(3, 32, 32),
        classes=_words("airplane automobile bird cat deer dog frog horse ship truck"),
        train=50_000,
        test=10_000,
        forms=(
            Form(
                "cifar10-binary",
                "cifar-10-binary.tar.gz",
                ("cifar-10-batches-bin", "cifar10/cifar-10-batches-bin", "cifar10", "."),
                tuple(f"{batch}.bin" for batch in _BATCHES),
                ("test_batch.bin",),
                remotes=(
                    Remote(
                        "cifar-10-binary.tar.gz",
                        170_052_171,
                        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                    ),
                ),
                sizes=(10_000 * 3073,) * 6,
            ),
            Form(
                "cifar10-python",
                "cifar-10-python.tar.gz",
                ("cifar-10-batches-py", "cifar10/cifar-10-batches-py", "cifar10", "."),
                _BATCHES,
                ("test_batch",),
            ),
        ),
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="not stated",
        citation=_KRIZHEVSKY,
        mirrors=_TORONTO,
    ),
    "cifar100": FileSet(
        name="cifar100",
        title="CIFAR-100",
        image_shape=(3, 32, 32),
        classes=_words(
            """
            apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
            butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach
            couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster
            house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
            motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
            pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket
            rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
            sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip
            turtle wardrobe whale willow_tree wolf woman worm
            """
        ),
        train=50_000,
        test=10_000,
        forms=(
            Form(
                "cifar100-binary",
                "cifar-100-binary.tar.gz",
                ("cifar-100-binary", "cifar100/cifar-100-binary", "cifar100", "."),
                ("train.bin",),
                ("test.bin",),
                remotes=(
                    Remote(
                        "cifar-100-binary.tar.gz",
                        168_513_733,
                        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                    ),
                ),
                sizes=(50_000 * 3074, 10_000 * 3074),
            ),
            Form(
                "cifar100-python",
                "cifar-100-python.tar.gz",
                ("cifar-100-python", "cifar100/cifar-100-python", "cifar100", "."),
                ("train",),
                ("test",),
            ),
        ),
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="not stated",
        citation=_KRIZHEVSKY,
        mirrors=_TORONTO,
    ),
    "stl10": FileSet(
        name="stl10",
        title="STL-10",
        image_shape=(3, 96, 96),
        classes=_words("airplane bird car cat deer dog horse monkey ship truck"),
        train=5_000,
        test=8_000,
        forms=(
            Form(
                "stl10",
                "stl10_binary.tar.gz",
                ("stl10_binary", "stl10/stl10_binary", "stl10", "."),
                ("train_X.bin", "train_y.bin"),
                ("test_X.bin", "test_y.bin"),
                remotes=(
                    Remote(
                        "stl10_binary.tar.gz",
                        2_640_397_119,
                        "f31fd99273a1acb8609c8db427cebb1de3f71de77758cdc0e22956e1289b9866",
                    ),
                ),
                sizes=(5_000 * 3 * 96 * 96, 5_000, 8_000 * 3 * 96 * 96, 8_000),
            ),
        ),
        home="https://cs.stanford.edu/~acoates/stl10/",
        licence="not stated; images from ImageNet",
        citation=(
            "A. Coates, H. Lee and A. Y. Ng, An Analysis of Single-Layer Networks in Unsupervised "
            "Feature Learning, AISTATS, 2011"
        ),
        mirrors=(
            "https://cs.stanford.edu/~acoates/stl10/",
            "http://ai.stanford.edu/~acoates/stl10/",
        ),
    ),
    "svhn": FileSet(
        name="svhn",
        title="SVHN, cropped digits",
        image_shape=(3, 32, 32),
        classes=tuple(str(digit) for digit in range(10)),
        train=73_257,
        test=26_032,
        forms=(
            Form(
                "svhn",
                "train_32x32.mat and test_32x32.mat",
                ("svhn", "SVHN", "."),
                ("train_32x32.mat",),
                ("test_32x32.mat",),
                remotes=(
                    Remote(
                        "train_32x32.mat",
                        182_040_794,
                        "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
                    ),
                    Remote(
                        "test_32x32.mat",
                        64_275_384,
                        "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
                    ),
                ),
            ),
        ),
        home="http://ufldl.stanford.edu/housenumbers/",
        licence="for non-commercial use",
        citation=(
            "Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu and A. Y. Ng, Reading Digits in "
            "Natural Images with Unsupervised Feature Learning, NIPS Workshop, 2011"
        ),
        mirrors=("http://ufldl.stanford.edu/housenumbers/",),
    ),
}
