"""The data sets that Pellucid knows by name. To add one, add an entry to `CATALOGUE`.

A table and nothing else: `locations` finds the files, `download` fetches them, `readers` turns them
into arrays, `datasets` loads them. A format that no reader knows needs a new one in `readers`.

The SHA-256 and sizes of archives and of SVHN's files are those that several projects state alike,
TensorFlow Datasets (``url_checksums``) among them; their homes publish only MD5.
"""

from __future__ import annotations

from ..errors import ArgumentError, did_you_mean
from ..preparation import Drawing
from .data_source import DataSource, Form, PublishedFile
from .readers import CIFAR10, CIFAR10_PICKLED, CIFAR100, CIFAR100_PICKLED, IDX, STL10, SVHN

__all__ = ["CATALOGUE", "source_named"]

_DIGITS = tuple("0123456789")
_KRIZHEVSKY = (
    "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, University of Toronto, "
    "2009"
)
_TORONTO = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
_BATCHES = tuple(f"data_batch_{k}" for k in range(1, 6))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _idx(subfolders: tuple[str, ...], *files: tuple[int, str]) -> Form:
    """Return MNIST's form, which its successors kept, of four files' sizes and SHA-256."""
    train = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    test = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    names = (f"{name}.gz" for name in (*train, *test))
    singles = (PublishedFile(name, *file) for name, file in zip(names, files, strict=True))
    return Form(IDX, train, test, subfolders, singles=tuple(singles))


def _by_name(*sources: DataSource) -> dict[str, DataSource]:
    return {source.name: source for source in sources}


CATALOGUE = _by_name(
    DataSource(
        name="mnist",
        title="MNIST",
        image_shape=(1, 28, 28),
        classes=_DIGITS,
        train=60_000,
        test=10_000,
        forms=(
            _idx(
                ("mnist", "MNIST/raw", "."),
                (9_912_422, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
                (28_881, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
                (1_648_877, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
                (4_542, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
            ),
        ),
        home="https://ossci-datasets.s3.amazonaws.com/mnist/",
        licence="CC BY-SA 3.0",
        citation=(
            "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-Based Learning Applied "
            "to Document Recognition, Proceedings of the IEEE 86(11), 1998"
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        drawing=Drawing(20 / 28, "mass"),
    ),
    DataSource(
        name="fashion-mnist",
        title="Fashion-MNIST",
        image_shape=(1, 28, 28),
        classes=(
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
            "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
        train=60_000,
        test=10_000,
        forms=(
            _idx(
                ("fashion-mnist", "FashionMNIST/raw", "."),
                (26_421_880, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
                (29_515, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
                (4_422_102, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
                (5_148, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
            ),
        ),
        home="https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        citation=(
            "H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for "
            "Benchmarking Machine Learning Algorithms, arXiv:1708.07747, 2017"
        ),
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/"
            "fashion/",
        ),
        drawing=Drawing(1.0, "box"),
        system_folders=("/usr/share/datasets/fashion-mnist",),  # Debian: dataset-fashion-mnist
    ),
    DataSource(
        name="digits",
        title="Optical Recognition of Handwritten Digits",
        image_shape=(1, 8, 8),
        classes=_DIGITS,
        train=1_438,
        test=359,
        forms=(
            _idx(
                ("digits", "."),
                (35_506, "7a2c91e86131e5670a845dc65037155d8b81ddaf0b782c6c3b5d9d28f250b1e8"),
                (256, "e34e4da611f58785e73fc70168b21edaf41ec73e61df7fa801a1670ffe240aff"),
                (9_106, "b7f5d0b0b25089e2f694a8ed5c6baff5f6c50dfd4b252227e768e1d5b43482d0"),
                (112, "7e73cb4ce4141e6d08e3443da4a6aa3a96c0e2ec6327fa65055fcc1c110a51ff"),
            ),
        ),
        home="",
        licence="CC BY 4.0",
        citation=(
            "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine "
            "Learning Repository, 1998, https://doi.org/10.24432/C50P49"
        ),
        peak=16,
        drawing=Drawing(1.0, "box"),
        bundled=True,
    ),
    DataSource(
        name="cifar10",
        title="CIFAR-10",
        image_shape=(3, 32, 32),
        classes=_words("airplane automobile bird cat deer dog frog horse ship truck"),
        train=50_000,
        test=10_000,
        forms=(
            Form(
                CIFAR10,
                tuple(f"{batch}.bin" for batch in _BATCHES),
                ("test_batch.bin",),
                ("cifar-10-batches-bin", "cifar10/cifar-10-batches-bin", "cifar10", "."),
                archive=PublishedFile(
                    "cifar-10-binary.tar.gz",
                    170_052_171,
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                ),
                sizes=(10_000 * 3073,) * 6,
            ),
            Form(
                CIFAR10_PICKLED,
                _BATCHES,
                ("test_batch",),
                ("cifar-10-batches-py", "cifar10/cifar-10-batches-py", "cifar10", "."),
                archive=PublishedFile("cifar-10-python.tar.gz"),
            ),
        ),
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="not stated",
        citation=_KRIZHEVSKY,
        mirrors=_TORONTO,
    ),
    DataSource(
        name="cifar100",
        title="CIFAR-100",
        image_shape=(3, 32, 32),
        classes=_words(
            """
            apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge
            bus butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud
            cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox
            girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man
            maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree
            pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
            road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel
            streetcar sunflower sweet_pepper table tank telephone television tiger tractor train
            trout tulip turtle wardrobe whale willow_tree wolf woman worm
            """
        ),
        train=50_000,
        test=10_000,
        forms=(
            Form(
                CIFAR100,
                ("train.bin",),
                ("test.bin",),
                ("cifar-100-binary", "cifar100/cifar-100-binary", "cifar100", "."),
                archive=PublishedFile(
                    "cifar-100-binary.tar.gz",
                    168_513_733,
                    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                ),
                sizes=(50_000 * 3074, 10_000 * 3074),
            ),
            Form(
                CIFAR100_PICKLED,
                ("train",),
                ("test",),
                ("cifar-100-python", "cifar100/cifar-100-python", "cifar100", "."),
                archive=PublishedFile("cifar-100-python.tar.gz"),
            ),
        ),
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="not stated",
        citation=_KRIZHEVSKY,
        mirrors=_TORONTO,
    ),
    DataSource(
        name="stl10",
        title="STL-10",
        image_shape=(3, 96, 96),
        classes=_words("airplane bird car cat deer dog horse monkey ship truck"),
        train=5_000,
        test=8_000,
        forms=(
            Form(
                STL10,
                ("train_X.bin", "train_y.bin"),
                ("test_X.bin", "test_y.bin"),
                ("stl10_binary", "stl10/stl10_binary", "stl10", "."),
                archive=PublishedFile(
                    "stl10_binary.tar.gz",
                    2_640_397_119,
                    "f31fd99273a1acb8609c8db427cebb1de3f71de77758cdc0e22956e1289b9866",
                ),
                sizes=(5_000 * 3 * 96 * 96, 5_000, 8_000 * 3 * 96 * 96, 8_000),
            ),
        ),
        home="https://cs.stanford.edu/~acoates/stl10/",
        licence="not stated; images from ImageNet",
        citation=(
            "A. Coates, H. Lee and A. Y. Ng, An Analysis of Single-Layer Networks in "
            "Unsupervised Feature Learning, AISTATS, 2011"
        ),
        mirrors=(
            "https://cs.stanford.edu/~acoates/stl10/",
            "http://ai.stanford.edu/~acoates/stl10/",
        ),
    ),
    DataSource(
        name="svhn",
        title="SVHN, cropped digits",
        image_shape=(3, 32, 32),
        classes=_DIGITS,
        train=73_257,
        test=26_032,
        forms=(
            Form(
                SVHN,
                ("train_32x32.mat",),
                ("test_32x32.mat",),
                ("svhn", "SVHN", "."),
                singles=(
                    PublishedFile(
                        "train_32x32.mat",
                        182_040_794,
                        "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
                    ),
                    PublishedFile(
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
)  # fmt: skip


def source_named(name: str) -> DataSource:
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
Known: ...
    """
    if name not in CATALOGUE:
        raise ArgumentError(
            f"there is no data set {name!r}. {did_you_mean(str(name), CATALOGUE)}", where="name"
        )
    return CATALOGUE[name]
