from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pellucid.data import read_image
from pellucid.errors import ArgumentError, DataNotFoundError, FileFormatError


def save(path: Path, array: np.ndarray, mode: str | None = None, **options: object) -> Path:
    picture = Image.fromarray(array)
    (picture.convert(mode) if mode else picture).save(path, **options)  # type: ignore[arg-type]
    return path


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    """A PNG file, chunk by chunk: Pillow does not write all that it reads."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    extra = b"".join(chunk(m[:4], m[4:]) for m in more)
    body = (
        chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + body


RAMP = np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8)


def test_a_picture_of_the_right_size_is_only_divided_by_255(tmp_path: Path) -> None:
    x = read_image(save(tmp_path / "x.png", RAMP), (1, 8, 8))
    assert (x.dtype, x.shape) == (np.float32, (1, 1, 8, 8))
    np.testing.assert_array_equal(x[0, 0], RAMP.astype(np.float32) / 255)


def test_colours_stay_or_become_grey(tmp_path: Path) -> None:
    rgb = np.zeros((4, 4, 3), np.uint8)
    rgb[..., 0], rgb[..., 1], rgb[..., 2] = 200, 100, 50
    save(tmp_path / "x.png", rgb)
    colour = read_image(tmp_path / "x.png", (3, 4, 4))
    np.testing.assert_allclose(colour[0, :, 0, 0] * 255, [200, 100, 50], rtol=1e-6)
    grey = read_image(tmp_path / "x.png", (1, 4, 4))
    np.testing.assert_allclose(grey * 255, 0.299 * 200 + 0.587 * 100 + 0.114 * 50, atol=1)


def test_a_grey_picture_serves_a_network_for_colours(tmp_path: Path) -> None:
    x = read_image(save(tmp_path / "x.png", RAMP), (3, 8, 8))
    np.testing.assert_array_equal(x[0, 0], x[0, 2])


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK"])
def test_every_mode_of_png_and_jpeg_is_read(tmp_path: Path, mode: str) -> None:
    array = np.full((6, 6), 255, np.uint8)
    ending = "jpg" if mode == "CMYK" else "png"
    x = read_image(save(tmp_path / f"x.{ending}", array, mode), (1, 6, 6))
    np.testing.assert_allclose(x, 1, atol=0.01)


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    save(tmp_path / "x.gif", RAMP, format="JPEG")
    assert read_image(tmp_path / "x.gif", (1, 8, 8)).shape == (1, 1, 8, 8)


@given(h=st.integers(1, 40), w=st.integers(1, 40), rows=st.integers(1, 50), cols=st.integers(1, 50))
def test_any_size_fits_any_shape_and_a_plain_picture_stays_plain(
    tmp_path_factory: pytest.TempPathFactory, h: int, w: int, rows: int, cols: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "plain.png"
    x = read_image(save(path, np.full((rows, cols), 51, np.uint8)), (1, h, w))
    np.testing.assert_allclose(x, np.full((1, 1, h, w), 0.2), rtol=1e-6)


def test_proportions_are_kept_and_the_rest_gets_the_colour_of_the_border(tmp_path: Path) -> None:
    wide = np.full((10, 30), 40, np.uint8)
    wide[3:7, 3:27] = 200
    x = read_image(save(tmp_path / "x.png", wide), (1, 30, 30))[0, 0] * 255
    np.testing.assert_allclose(x[:10], 40, atol=1e-3)
    np.testing.assert_allclose(x[20:], 40, atol=1e-3)
    np.testing.assert_allclose(x[10:20], wide, atol=1e-3)


def test_making_it_smaller_averages_rather_than_drops_pixels(tmp_path: Path) -> None:
    checks = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    x = read_image(save(tmp_path / "x.png", checks), (1, 8, 8))
    np.testing.assert_allclose(x, 0.5, atol=0.02)


def test_making_it_smaller_adds_no_halo(tmp_path: Path) -> None:
    step = np.full((64, 64), 50, np.uint8)
    step[:, 32:] = 200
    x = read_image(save(tmp_path / "x.png", step), (1, 12, 12)) * 255
    assert 50 - 1e-3 <= x.min() < x.max() <= 200 + 1e-3


def test_a_speck_on_the_border_does_not_colour_what_is_free(tmp_path: Path) -> None:
    wide = np.full((10, 20), 30, np.uint8)
    wide[0, 7] = 255
    x = read_image(save(tmp_path / "x.png", wide), (1, 20, 20))
    np.testing.assert_allclose(x[0, 0, :5] * 255, 30, atol=1e-3)


def test_a_line_a_pixel_high_takes_no_square_of_memory(tmp_path: Path) -> None:
    x = read_image(save(tmp_path / "x.png", np.full((1, 200_000), 9, np.uint8)), (1, 28, 28))
    np.testing.assert_allclose(x, 9 / 255, rtol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_the_camera_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = np.full((8, 8), 255, np.uint8)
    upright[:4, :4] = 0
    upright[:4, 4:] = 90
    moves = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: np.transpose, 6: np.rot90, 7: lambda a: np.rot90(a.T, 2), 8: lambda a: np.rot90(a, 3),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(tmp_path / "x.png", np.ascontiguousarray(moves[orientation](upright)), exif=exif)
    x = read_image(tmp_path / "x.png", (1, 8, 8))
    np.testing.assert_array_equal(x[0, 0] * 255, upright)


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0, 3], rgba[0, 1, 3] = 255, 128
    x = read_image(save(tmp_path / "x.png", rgba), (1, 2, 2))
    np.testing.assert_allclose(x[0, 0], [[0, 127 / 255], [1, 1]], atol=0.005)


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_a_transparent_colour_is_white_too(tmp_path: Path, mode: str) -> None:
    transparent = (0, 0, 0) if mode == "RGB" else 0
    picture = Image.new(mode, (4, 4), 0)
    picture.save(tmp_path / "x.png", transparency=transparent)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", (3, 4, 4)), 1)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    deep = np.array([[0, 1000], [32768, 65535]], np.uint16)
    save(tmp_path / "x.png", deep)
    for c in (1, 3):
        x = read_image(tmp_path / "x.png", (c, 2, 2))
        np.testing.assert_allclose(x[0, c - 1], deep / 65535, atol=0.5 / 255)


def test_sixteen_bits_can_be_transparent_and_coloured(tmp_path: Path) -> None:
    rows = b"\0" + struct.pack(">2H", 7, 30000)
    (tmp_path / "x.png").write_bytes(png(2, 1, 16, 0, rows, b"tRNS" + struct.pack(">H", 7)))
    x = read_image(tmp_path / "x.png", (1, 1, 2))
    np.testing.assert_allclose(x[0, 0, 0], [1, 30000 / 65535], atol=0.5 / 255)

    rows = b"\0" + struct.pack(">3H", 65535, 32896, 0)
    (tmp_path / "y.png").write_bytes(png(1, 1, 16, 2, rows))
    x = read_image(tmp_path / "y.png", (3, 1, 1))
    np.testing.assert_allclose(x.ravel(), [1, 128 / 255, 0], atol=0.005)


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(RAMP).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"is empty\."),
        (b"text", "is not PNG, JPEG, .*GIF: it begins with b'text'.* Save the picture as"),
        (b"\0\0\0\x1cftypheic more", "is a HEIC picture, not PNG, .*Save the picture as one"),
        (b"<!DOCTYPE html><html>", "is .*HTML.*, not PNG.* Give a picture"),
        (b"8BPS and more", "is a Photoshop file"),
        (b"%PDF-1.7", "is a PDF document"),
        (bytes(100), "is .*zero.*, not PNG"),
        (encoded("PNG")[:20], "is damaged and cannot be decoded"),
        (b"\xff\xd8 no more", "begins like a JPEG file, but is damaged"),
        (encoded("PNG")[:50], "is damaged and cannot be decoded"),
        (encoded("JPEG")[:-200], "is damaged"),
        (encoded("JPEG")[:180], "is damaged"),
    ],
    ids=range(12),
)
def test_what_is_no_whole_picture_is_refused_by_what_it_is(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(FileFormatError, match=rf"'.*x\.png' ({reason})"):
        read_image(tmp_path / "x.png", (1, 8, 8))


@given(
    position=st.integers(8, 500), value=st.integers(0, 255), kind=st.sampled_from(["PNG", "JPEG"])
)
def test_a_changed_byte_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int, kind: str
) -> None:
    damaged = bytearray(encoded(kind))
    damaged[position % len(damaged)] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(damaged)
    try:
        x = read_image(path, (1, 8, 8))
    except FileFormatError:
        return
    assert x.min() >= 0
    assert x.max() <= 1


@pytest.mark.parametrize(
    "size", [(4096, 4097), (10_000, 10_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)]
)
def test_a_header_that_declares_too_many_pixels_is_refused_before_decoding(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    (tmp_path / "bomb.png").write_bytes(png(*size, 8, 0, b""))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FileFormatError, match=r"declares .*; at most 16777216 are read"):
            read_image(tmp_path / "bomb.png", (1, 8, 8))


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"is a folder, not a picture\."):
        read_image(tmp_path, (1, 8, 8))
    with pytest.raises(DataNotFoundError, match=r"there is no file '.*none\.png'\."):
        read_image(tmp_path / "none.png", (1, 8, 8))


@pytest.mark.parametrize("shape", [(2, 8, 8), (1, 8), (1, 0, 8), (8, 8, 1)])
def test_only_one_or_three_channels_are_served(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match=r"image_shape: must be \(C, H, W\) with 1 or 3 chann"):
        read_image(tmp_path / "x.png", shape)  # type: ignore[arg-type]
