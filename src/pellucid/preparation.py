"""What a model must know of its images, decided at training and saved with it.

What is done to a picture before the network sees it; and which images it has not learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .errors import ArgumentError

__all__ = ["Drawing", "HeldOut", "Preparation"]


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a drawing is found in a picture of it: for digits and letters, on any plain ground.

    The pictures of MNIST are not photographs of paper: the paper is black, the ink white, and every
    digit has the same size and place. A picture of any other look is made to look like that.

    Attributes
    ----------
    box : float
        The longer side of the drawing, as a share of the image's: 20 of 28 pixels for MNIST.
    centre : {"mass", "box"}
        Whether the drawing's centre of mass comes into the middle of the image, or the middle of
        the rectangle around it.
    """

    box: float = 20 / 28
    centre: Literal["mass", "box"] = "mass"

    def __post_init__(self) -> None:
        if not 0 < self.box <= 1:
            raise ArgumentError(
                f"must be a share of the image, above 0 and at most 1; received {self.box}.",
                where="box",
            )
        if self.centre not in ("mass", "box"):
            raise ArgumentError(
                f"must be 'mass' or 'box', received {self.centre!r}.", where="centre"
            )


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How the test images of a set without a test part were drawn, so that they can be known again.

    Attributes
    ----------
    share : float
        Of each class.
    seed : int
    sha256 : str
        Of the names and contents of the test images' files: drawing again may give others, once
        images were added or taken away.
    """

    share: float
    seed: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a picture becomes an image of the data set that a network learned from.

    In this order: the first frame is taken, turned as the camera says, and laid over white where it
    is transparent; it becomes grey (ITU-R 601 luma) or RGB; the drawing in it is found, if
    ``drawing`` says so; it is made to fit ``size``, smoothly and with its proportions kept, and
    what is free on two sides gets the colour of its border. Every pixel is a byte.

    `pellucid.data.read_image` does it to a file; training, evaluation and prediction all use it.

    Attributes
    ----------
    size : (H, W)
        Rows and columns.
    channels : int
        1 (grey) or 3 (RGB). Images of other data may have any number; no picture file has.
    drawing : Drawing or None
        None takes a picture as it is: nothing is inverted, cropped or moved.

    Examples
    --------
    >>> print(Preparation((32, 32), 3))
    made to fit 32x32, RGB
    >>> print(Preparation((28, 28), 1, Drawing()))
    made to fit 28x28, grey; a drawing on plain ground is found, made white on black, 20 pixels long
    and centred by its mass
    """

    size: tuple[int, int]
    channels: int
    drawing: Drawing | None = None

    @classmethod
    def of_shape(cls, image_shape: tuple[int, ...]) -> Preparation:
        """Return what fits a picture into images of shape (C, H, W), and does nothing else."""
        c, h, w = image_shape
        return cls((int(h), int(w)), int(c))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of a prepared image, (C, H, W)."""
        return (self.channels, *self.size)

    def plain(self) -> Preparation:
        """Return the same without looking for a drawing."""
        return Preparation(self.size, self.channels)

    def as_dict(self) -> dict[str, Any]:
        """Return what `from_dict` takes, for a file: dicts, lists, numbers and strings."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preparation:
        """Return what `as_dict` described.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is something else.
        """
        h, w = (int(side) for side in values["size"])
        channels, drawing = int(values["channels"]), values["drawing"]
        if min(h, w, channels) < 1:
            raise ValueError(f"no picture becomes an image of {channels}x{h}x{w}")
        found = None if drawing is None else Drawing(float(drawing["box"]), drawing["centre"])
        return cls((h, w), channels, found)

    def __str__(self) -> str:
        h, w = self.size
        colours = {1: "grey", 3: "RGB"}.get(self.channels, f"{self.channels} channels")
        text = f"made to fit {h}x{w}, {colours}"
        if self.drawing is None:
            return text
        middle = "its mass" if self.drawing.centre == "mass" else "the rectangle around it"
        return (
            f"{text}; a drawing on plain ground is found, made white on black, "
            f"{round(self.drawing.box * max(h, w))} pixels long and centred by {middle}"
        )
