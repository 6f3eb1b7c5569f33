"""One way from a file to numbers: a folder, a prediction and another format see the same pixels."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid import data
from pellucid.data import Dataset, Drawing, Preparation, image_folder, read_image
from pellucid.data.picture_kinds import ENDINGS, kind_of
from pellucid.errors import ArgumentError, FileFormatError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Something with large areas, fine texture, and borders that differ from all of it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = np.stack([np.sin(9 * x + 4 * y * k) for k in (1, 2, 3)], axis=2)
    picture = 110 + 80 * waves + rng.normal(0, 12, (height, width, 3))
    picture[-3:], picture[:, -3:] = 255, 0
    return picture.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("side", [64, 257, 333, 449, 1001])
@pytest.mark.parametrize("size", [(16, 16), (32, 24)])
def test_a_jpeg_has_the_pixels_of_the_same_picture_as_png(tmp_path, side, size):
    Image.fromarray(scene(side, side + 40)).save(tmp_path / "x.jpg", quality=92)
    with Image.open(tmp_path / "x.jpg") as picture:
        picture.save(tmp_path / "x.png")
    jpeg, png = (read_image(tmp_path / f"x.{kind}", (3, *size)) for kind in ("jpg", "png"))
    np.testing.assert_array_equal(jpeg, png)


FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "TIFF", "GIF")
NAMES = {
    "PNG": "png", "JPEG": "JFIF", "BMP": "bmp", "PPM": "ppm", "WEBP": "WebP", "TIFF": "tif",
    "GIF": "GIF",
}  # fmt: skip


def write(path: Path, kind: str, picture: Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, kind, **({"quality": 90} if kind in ("JPEG", "WEBP") else {}))
    return path


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_training_and_prediction_see_the_same_bytes_in_every_format(tmp_path, kind, mode):
    for k in range(4):
        picture = Image.fromarray(scene(45 + 9 * k, 60, k)).convert(mode)
        write(tmp_path / "x" / "ab"[k % 2] / f"{k}.{NAMES[kind]}", kind, picture)
    train, test = image_folder(tmp_path / "x", size=(20, 24), held_out=0.5, cache=False)
    for part in (train, test):
        x, _ = part.batch(slice(None))
        for image, file in zip(x, part.files, strict=True):
            seen = read_image(tmp_path / "x" / file.path, part.preparation)
            np.testing.assert_array_equal(image, seen[0])


def test_the_engine_gathers_the_very_numbers_that_a_prediction_reads():
    from pellucid.engine import Gather

    every = Dataset(np.arange(256, dtype=np.uint8).reshape(-1, 1, 1, 1), [0] * 256, ("a",), "all")
    x, _ = Gather()(every, np.arange(256))
    np.testing.assert_array_equal(x, every.batch(slice(None))[0])


@pytest.mark.parametrize("ending", ["txt", "dat", "jpg", "png", "tmp", ""])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF"])
def test_the_content_decides_whatever_the_ending(tmp_path, kind, ending):
    picture = Image.fromarray(scene(20, 20))
    write(tmp_path / f"right.{NAMES[kind]}", kind, picture)
    wrong = write(tmp_path / f"wrong.{ending}".rstrip("."), kind, picture)
    right, other = (read_image(p, (3, 9, 9)) for p in (tmp_path / f"right.{NAMES[kind]}", wrong))
    np.testing.assert_array_equal(right, other)


def test_of_a_moving_picture_the_first_frame_is_taken(tmp_path):
    frames = [Image.new("L", (6, 6), v) for v in (40, 200)]
    for name in ("x.gif", "x.tiff", "x.webp", "x.png"):
        extra = {"lossless": True} if name == "x.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **extra)
        x = read_image(tmp_path / name, (1, 6, 6))
        np.testing.assert_allclose(x * 255, 40, atol=1e-4)


def test_a_multi_picture_jpeg_of_a_camera_is_read(tmp_path):
    frames = [Image.fromarray(scene(30, 30, k)) for k in (0, 1)]
    frames[0].save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "y.jpg", "JPEG")
    one, other = (read_image(tmp_path / f"{name}.jpg", (3, 30, 30)) for name in "xy")
    np.testing.assert_allclose(one, other, atol=0.02)


@pytest.mark.parametrize("white_is_zero", [False, True])
def test_a_deep_tiff_is_scaled_and_turned_as_it_says(tmp_path, white_is_zero):
    deep = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    tags = {262: 0 if white_is_zero else 1}
    Image.fromarray(deep).save(tmp_path / "x.tiff", tiffinfo=tags)
    with Image.open(tmp_path / "x.tiff") as picture:
        assert picture.tag_v2[262] == tags[262]
    expected = 1 - deep / 65535 if white_is_zero else deep / 65535
    x = read_image(tmp_path / "x.tiff", (1, 8, 8))
    np.testing.assert_allclose(x[0, 0], expected, atol=0.51 / 255)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.array([[0.0, 200.0]], np.float32), "pixels from 0 to 200, .* from 0 to 1"),
        (np.array([[0.0, np.nan]], np.float32), "pixels from nan to nan"),
        (np.array([[-1, 9]], np.int32), "pixels from -1 to 9, .* from 0 to 65535"),
        (np.array([[0, 2**20]], np.int32), "pixels from 0 to 1.04858e"),
    ],
)
def test_numbers_without_a_scale_are_no_picture(tmp_path, values, reason):
    Image.fromarray(values).save(tmp_path / "x.tiff")
    with pytest.raises(FileFormatError, match=rf"x\.tiff' has {reason}"):
        read_image(tmp_path / "x.tiff", (1, 1, 2))


def test_floats_from_0_to_1_are_a_picture(tmp_path):
    Image.fromarray(np.array([[0, 0.2, 1]], np.float32)).save(tmp_path / "x.tiff")
    x = read_image(tmp_path / "x.tiff", (3, 1, 3))
    np.testing.assert_allclose(x[0, 2, 0], [0, 0.2, 1], atol=1e-6)


def test_colours_that_pillow_cannot_turn_are_named(tmp_path):
    lab = Image.merge("LAB", [Image.new("L", (4, 4), v) for v in (100, 128, 128)])
    lab.save(tmp_path / "x.tiff")
    with pytest.raises(FileFormatError, match="has CIELAB colours, which are not read"):
        read_image(tmp_path / "x.tiff", (3, 4, 4))


def test_a_grey_model_reads_colours_alike_from_every_mode(tmp_path):
    picture = Image.fromarray(scene(24, 24)).quantize(64)
    palette, direct = tmp_path / "p.gif", tmp_path / "d.png"
    picture.save(palette)
    picture.convert("RGB").save(direct)
    one, other = (read_image(path, (1, 12, 12)) for path in (palette, direct))
    np.testing.assert_allclose(one, other, atol=1.01 / 255)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(FileFormatError, match="a pipe or a device, not a regular file"):
        read_image(tmp_path / "x.png", (1, 8, 8))


def test_a_file_larger_than_any_picture_is_not_loaded(tmp_path):
    with (tmp_path / "x.png").open("wb") as file:
        file.truncate(2**40)  # sparse
    with pytest.raises(FileFormatError, match="has more than 67108864 bytes"):
        read_image(tmp_path / "x.png", (1, 8, 8))


# The record.


def test_a_preparation_says_what_it_does():
    assert str(Preparation((32, 24), 3)) == "made to fit 32x24, RGB"
    assert "20 pixels long and centred by its mass" in str(Preparation((28, 28), 1, Drawing()))
    assert "8 pixels long and centred by the rectangle" in str(data.digits()[0].preparation)


def test_a_preparation_goes_through_a_file():
    for one in (Preparation((3, 4), 3), Preparation((8, 8), 1, Drawing(0.5, "box"))):
        assert Preparation.from_dict(one.as_dict()) == one


@pytest.mark.parametrize(
    ("values", "reason"),
    [({"box": 0}, "box: must be a share"), ({"box": 1.5}, "box"), ({"centre": "top"}, "centre: m")],
)
def test_a_drawing_that_cannot_be_is_refused(values, reason):
    with pytest.raises(ArgumentError, match=reason):
        Drawing(**values)


def test_images_of_another_size_change_the_size_that_a_picture_is_made_to_fit():
    train, _ = data.digits()
    larger = replace(train, images=train.images.repeat(3, axis=2).repeat(3, axis=3))
    assert larger.preparation == Preparation((24, 24), 1, train.preparation.drawing)


def test_a_data_set_refuses_another_sets_files():
    images = np.zeros((2, 1, 4, 4), np.uint8)
    with pytest.raises(ArgumentError, match="files: must name the file of each image: 2, not 1"):
        Dataset(images, [0, 0], ("a",), "x", files=(data.ImageFile("a.png", ""),))


def test_every_ending_belongs_to_a_format_that_is_read_and_words_are_no_picture():
    for kind in FORMATS:
        out = io.BytesIO()
        Image.new("L", (3, 3)).save(out, kind)
        known = kind_of(out.getvalue()[:64])
        assert known is not None
        assert known.read
    assert len(ENDINGS) == len(set(ENDINGS))
    for words in (b"BMI of patients", b"P1 is a gene", b"Some words", b"id,name\n"):
        assert kind_of(words) is None
