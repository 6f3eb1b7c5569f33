"""Make docs/gallery.md and its pictures: every kind that `pellucid show` has, of trained networks.

    python docs/gallery.py --mnist FOLDER --cifar ZIP [--runs FOLDER] [--only KIND,...]

FOLDER holds MNIST's four files; ZIP is CIFAR-10 as JPEG files, train/ and test/, a folder for each
class. The two networks are trained first (half an hour on two cores) unless --runs has them from
an earlier time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from studio_pictures import DARK, PICTURED

HERE = Path(__file__).parent
PICTURES = HERE / "images" / "gallery"

CIFAR_NETWORK = (
    "INPUT -> CONV3-32 -> BN -> RELU -> CONV3-64 -> BN -> RELU -> POOL -> CONV3-128 -> BN -> RELU "
    "-> POOL -> CONV3-256 -> BN -> RELU -> POOL -> CONV3-256 -> BN -> RELU -> POOL4/4 -> DROP0.2 "
    "-> FC"
)
CIFAR_RECIPE = (
    "--epochs 30 --batch-size 128 --optimizer adamw --lr 0.005 --weight-decay 0.05 "
    "--schedule one-cycle --augment flip,crop4,cutout8 --normalize"
)


class Picture(NamedTuple):
    """A picture of the gallery: what makes it, and what it shows."""

    file: str
    command: str  # of `pellucid show`; MNIST and CIFAR stand for the runs
    says: str


PARTS: dict[str, list[Picture]] = {
    "How it works": [
        Picture(
            "window.gif",
            "window",
            "A filter slides over an image: nine products, their sum and the bias make one cell.",
        ),
        Picture(
            "window-padded.png",
            "window --input 5x5 --filter 3x3 --padding 1 --stride 2 --step 2",
            "With padding 1 and stride 2 the window also covers zeros outside the image.",
        ),
        Picture(
            "im2col.png",
            "im2col --step 2",
            "Each window becomes a row, and the convolution one product with the filter.",
        ),
        Picture(
            "pooling.png",
            "pooling",
            "Max pooling sends the whole gradient to the argmax, average pooling an equal share to "
            "each cell.",
        ),
        Picture(
            "volumes.png",
            "volumes MNIST",
            "The volumes of the book's network: many small images, then rows of numbers.",
        ),
        Picture(
            "volumes-resnet.png",
            "volumes resnet20",
            "ResNet-20: blocks with shortcuts, the images halved twice.",
        ),
        Picture("field.gif", "field deep", "What one unit of DeepConvNet sees, layer by layer."),
    ],
    "What was learned": [
        Picture(
            "filters.png",
            "filters MNIST --sort similar",
            "Noise became edges and blobs: the first layer before and after 20 epochs of MNIST.",
        ),
        Picture(
            "filters-cifar.png",
            "filters CIFAR --sort similar",
            "In colour, and only 3x3: noise became spots, edges, and one colour against another.",
        ),
        Picture(
            "applied.png",
            "applied MNIST --most 15",
            "Some filters respond to vertical edges, some to horizontal ones, some to areas.",
        ),
        Picture(
            "features.png",
            "features MNIST",
            "From strokes to scores: the output of each layer for a 7.",
        ),
        Picture(
            "features-cifar.png",
            "features CIFAR --index 7006",
            "In a deeper network the maps become small, and few of them are active.",
        ),
        Picture(
            "depth.png",
            "depth CIFAR --units 3",
            "Colours and edges in the first layers, parts of animals and vehicles further in, and "
            "classes in the end: the patches that excite a unit most, and an input made for it.",
        ),
        Picture(
            "why.png",
            "why CIFAR --index 7006",
            "Which pixels made the network say horse? Four answers.",
        ),
    ],
    "How training went": [
        Picture(
            "curves.png",
            "curves MNIST CIFAR",
            "Digits are soon memorised; augmented images are not.",
        ),
        Picture(
            "learning.png", "learning MNIST", "Most of a filter is learned in the first epochs."
        ),
        Picture(
            "confusion.png",
            "confusion CIFAR",
            "Cats and dogs are confused more often than anything else.",
        ),
        Picture(
            "mistakes.png",
            "mistakes MNIST",
            "The mistakes that it is surest of; some of them a person would make too.",
        ),
        Picture(
            "activations.png",
            "activations",
            "Initial weights: with large ones units saturate, with small ones the signal dies; "
            "Xavier's suit tanh, He's ReLU.",
        ),
    ],
}


def run(*arguments: object) -> None:
    """Run pellucid; end with its words if it fails."""
    command = [sys.executable, "-m", "pellucid", *map(str, arguments)]
    print("pellucid", *arguments[:4], "...", flush=True)
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"failed: {' '.join(command)}")


def train(runs: Path, mnist: str, cifar: str) -> dict[str, Path]:
    """Return the two run folders, trained now unless they are there."""
    trained = {"MNIST": runs / "gallery-mnist", "CIFAR": runs / "gallery-cifar"}
    if not trained["MNIST"].exists():
        run("train", "--data", "mnist", "--data-dir", mnist, "--out", trained["MNIST"])
    if not trained["CIFAR"].exists():
        options = ["--model", CIFAR_NETWORK, *CIFAR_RECIPE.split(), "--out", trained["CIFAR"]]
        run("train", "--data", cifar, *options)
    return trained


def page() -> str:
    """Return the page, in Markdown."""
    lines = [
        "# Gallery",
        "",
        "Every kind of picture that `pellucid show` makes, of networks trained on MNIST (the "
        "book's network, 20 epochs) and on CIFAR-10 (see [networks](networks.md)). One command "
        "made this page, `python docs/gallery.py`; MNIST and CIFAR below are the run folders. The "
        "pictures of the studio come from `python docs/studio_pictures.py`.",
    ]
    for title, pictures in PARTS.items():
        lines += ["", f"## {title}"]
        for picture in pictures:
            lines += ["", picture.says, "", f"`pellucid show {picture.command}`", ""]
            lines.append(f"![{picture.says}](images/gallery/{picture.file})")
    lines += ["", "## In the studio", "", "[The studio](studio.md) has them live, with numbers."]
    for shown in PICTURED:
        lines += ["", shown.says, "", f"![{shown.says}](images/studio/{shown.name}.png)"]
        if shown.name == DARK:
            lines += ["", "The same on dark ground.", ""]
            lines.append(f"![{shown.says}](images/studio/{shown.name}-dark.png)")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", required=True)
    parser.add_argument("--cifar", required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--only", default="", help="kinds, separated by commas")
    options = parser.parse_args()
    runs = train(options.runs, options.mnist, options.cifar)
    PICTURES.mkdir(parents=True, exist_ok=True)
    wanted = set(filter(None, options.only.split(",")))
    for picture in (picture for pictures in PARTS.values() for picture in pictures):
        kind, *rest = picture.command.split()
        if not wanted or kind in wanted:
            arguments = [runs.get(word, word) for word in rest]
            run("show", kind, *arguments, "--out", PICTURES / picture.file)
    (HERE / "gallery.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
