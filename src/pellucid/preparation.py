"""How a model's images are prepared, and which were held out; saved with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .errors import ArgumentError

__all__ = ["Drawing", "HeldOut", "Preparation"]


@dataclass(frozen=True, slots=True)
class Drawing:
    """How to find a drawing in a picture: for digits and letters, on any plain background.

    MNIST has white ink on black, and all digits have the same size and position. Other pictures are
    converted to that.

    Attributes
    ----------
    box : float
        The longer side of the drawing, as a share of the image's: 20 of 28 pixels for MNIST.
    centre : {"mass", "box"}
        What to move to the middle of the image: the drawing's centre of mass, or that of its
        bounding box.
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
    """How test and validation images were drawn from the others, to draw them again.

    Attributes
    ----------
    share : float
        Of each class, for the test; 0 if the test set was not drawn.
    seed : int
    sha256 : str
        Of the names and contents of the test images' files, since drawing gives others after images
        were added or removed.
    validation : float
        Of each class of the remaining images, for the validation; 0 if none were drawn for it.
    validation_sha256 : str
        As ``sha256``, of the validation images' files.
    """

    share: float
    seed: int
    sha256: str
    validation: float = 0.0
    validation_sha256: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-compatible values for a file, without what was not drawn."""
        values = asdict(self)
        if not self.validation:
            del values["validation"], values["validation_sha256"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HeldOut:
        """Return what `as_dict` wrote.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is anything else.
        """
        return cls(
            float(values["share"]),
            int(values["seed"]),
            str(values["sha256"]),
            float(values.get("validation", 0.0)),
            str(values.get("validation_sha256", "")),
        )


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a picture becomes an image like those that a network was trained on.

    In this order: the first frame is rotated by its EXIF orientation and blended with white where
    transparent; it is converted to grey (ITU-R 601 luma) or RGB; with ``drawing``, the drawing in
    it is found; it is resized to ``size`` with its aspect ratio kept, and padded with the colour of
    its border. Every pixel is a byte.

    `pellucid.data.read_image` applies it to a file, for training, evaluation and prediction.

    Attributes
    ----------
    size : (H, W)
        Rows and columns.
    channels : int
        1 (grey) or 3 (RGB); other numbers only for data that are not picture files.
    drawing : Drawing or None
        None: nothing is inverted, cropped or moved.

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
        """Return a preparation that only resizes pictures to images (C, H, W)."""
        c, h, w = image_shape
        return cls((int(h), int(w)), int(c))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of a prepared image, (C, H, W)."""
        return (self.channels, *self.size)

    def plain(self) -> Preparation:
        """Return the same preparation without ``drawing``."""
        return Preparation(self.size, self.channels)

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-compatible values for a file; see `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preparation:
        """Return the preparation that `as_dict` wrote.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is anything else.
        """
        h, w = (int(side) for side in values["size"])
        channels, drawing = int(values["channels"]), values["drawing"]
        if min(h, w, channels) < 1:
            raise ValueError(f"a picture cannot become an image of {channels}x{h}x{w}")
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
