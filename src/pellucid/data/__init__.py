"""Data sets, loaders and pictures: from files on disk to float32 batches.

``file on disk -> Dataset (uint8 images, integer labels) -> Loader (shuffled float32 batches)``
"""

from typing import TYPE_CHECKING

from ..other_names import lookup
from ..preparation import Drawing, HeldOut, Preparation
from .augmentation import Augmentation, augmentation
from .class_balance import balanced_weights
from .dataset import Dataset, ImageFile
from .datasets import cifar10, cifar100, digits, fashion_mnist, load, mnist, stl10, svhn
from .division import Parts
from .erasing import Erase
from .idx import read_idx, write_idx
from .image_folder import image_folder, image_parts
from .image_transforms import Brightness, Crop, Cutout, Flip, Transform
from .images import read_image, read_photo
from .loader import LastBatch, Loader
from .mixing import Cutmix, Mixup
from .mnist_arrays import load_mnist
from .registry import FileCheck, Record, available, fetch, verify
from .resampling import Rotate, Scale
from .split import held_out_images
from .split_file import Split

__all__ = [
    "Augmentation",
    "Brightness",
    "Crop",
    "Cutmix",
    "Cutout",
    "Dataset",
    "Drawing",
    "Erase",
    "FileCheck",
    "Flip",
    "HeldOut",
    "ImageFile",
    "LastBatch",
    "Loader",
    "Mixup",
    "Parts",
    "Preparation",
    "Record",
    "Rotate",
    "Scale",
    "Split",
    "Transform",
    "augmentation",
    "available",
    "balanced_weights",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "fetch",
    "held_out_images",
    "image_folder",
    "image_parts",
    "load",
    "load_mnist",
    "mnist",
    "read_idx",
    "read_image",
    "read_photo",
    "stl10",
    "svhn",
    "verify",
    "write_idx",
]

if not TYPE_CHECKING:  # which would take every name for known
    __getattr__ = lookup(__name__, __all__)
