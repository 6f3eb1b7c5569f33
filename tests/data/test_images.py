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


def tiff(
    pixels: bytes, width: int, bits: int, photometric: int = 1, sample_format: int = 1
) -> bytes:
    """A TIFF file of one row and one channel, tag by tag."""
    tags = [(256, width), (257, 1), (258, bits), (259, 1), (262, photometric), (273, 0), (277, 1)]
    tags += [(278, 1), (279, len(pixels)), (339, sample_format)]
    start = 8 + 2 + 12 * len(tags) + 4
    entries = (struct.pack("<HHII", tag, 4, 1, start if tag == 273 else v) for tag, v in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4) + pixels


def row_of(path: Path, content: bytes, shape: tuple[int, int, int]) -> list[int]:
    path.write_bytes(content)
    return [round(x) for x in (read_image(path, shape)[0, 0, 0] * 255).tolist()]


@pytest.mark.parametrize(
    ("bits", "packed", "colour", "expected"),
    [
        (1, 0b01010000, 0, [255, 255, 255, 255]),
        (2, 0b00011011, 1, [0, 255, 170, 255]),
        (2, 0b00011011, 0xFF01, [0, 255, 170, 255]),  # only the lowest bits count
        (2, 0b00011011, 0, [255, 85, 170, 255]),
    ],
)
def test_the_transparent_grey_of_few_bits_becomes_white(
    tmp_path: Path, bits: int, packed: int, colour: int, expected: list[int]
) -> None:
    content = png(4, 1, bits, 0, bytes([0, packed]), b"tRNS" + struct.pack(">H", colour))
    assert row_of(tmp_path / "x.png", content, (1, 1, 4)) == expected


def test_the_transparent_colour_of_sixteen_bits_becomes_white(tmp_path: Path) -> None:
    rows = b"\0" + struct.pack(">6H", 0x1234, 0x5678, 0x9ABC, 0x2034, 0x5678, 0x9ABC)
    content = png(2, 1, 16, 2, rows, b"tRNS" + struct.pack(">3H", 0x1234, 0x5678, 0x9ABC))
    assert row_of(tmp_path / "x.png", content, (3, 1, 2)) == [255, 0x20]


@pytest.mark.parametrize(
    "exif",
    [
        struct.pack("<HHII", 0x010F, 5, 1, 8) + struct.pack("<HHII", 0x0112, 3, 1, 6),  # a rational
        struct.pack("<HHII", 0x010F, 12, 2, 8) + struct.pack("<HHII", 0x0112, 3, 1, 6),
    ],
)
def test_notes_of_a_camera_that_cannot_be_written_again_still_turn_the_picture(
    tmp_path: Path, exif: bytes
) -> None:
    segment = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + exif + bytes(4)
    plain = save(tmp_path / "plain.jpg", np.repeat(RAMP[:4] // 64 * 80, 2, axis=0))
    head = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment
    (tmp_path / "x.jpg").write_bytes(head + plain.read_bytes()[2:])
    turned = np.rot90(read_image(plain, (1, 8, 8))[0, 0], -1)
    np.testing.assert_array_equal(read_image(tmp_path / "x.jpg", (1, 8, 8))[0, 0], turned)


@pytest.mark.parametrize("exif", [b"garbage", b"II*\0\xff\xff\xff\xff", b""])
def test_damaged_notes_of_a_camera_do_not_spoil_the_picture(tmp_path: Path, exif: bytes) -> None:
    content = png(2, 1, 8, 0, bytes([0, 10, 200]), b"eXIf" + exif)
    assert row_of(tmp_path / "x.png", content, (1, 1, 2)) == [10, 200]


@pytest.mark.parametrize(
    ("bits", "photometric", "pixels", "expected"),
    [
        (12, 1, bytes([0x00, 0x0F, 0xFF, 0x80, 0x00, 0x00]), [0, 255, 128, 0]),
        (16, 1, struct.pack("<4H", 0, 65535, 32768, 257), [0, 255, 128, 1]),
        (16, 0, struct.pack("<4H", 0, 65535, 32768, 257), [255, 0, 127, 254]),
        (8, 0, bytes([0, 255, 128, 1]), [255, 0, 127, 254]),
        (4, 0, bytes([0x0F, 0x81]), [255, 0, 119, 238]),
        (1, 0, bytes([0x50]), [255, 0, 255, 0]),
    ],
)
def test_the_grey_of_a_tiff_file_is_scaled_by_its_bits(
    tmp_path: Path, bits: int, photometric: int, pixels: bytes, expected: list[int]
) -> None:
    content = tiff(pixels, 4, bits, photometric)
    assert row_of(tmp_path / "x.tif", content, (1, 1, 4)) == expected


@pytest.mark.parametrize(
    ("bits", "sample_format", "pixels", "words"),
    [
        (8, 2, bytes([0, 127, 255]), "signed bytes, whose"),
        (16, 2, struct.pack("<3h", 0, 100, 32767), "pixels from 0 to 32767, whose"),
        (32, 1, struct.pack("<3I", 0, 100, 255), "pixels from 0 to 255, whose"),
        (32, 2, struct.pack("<3i", 0, 100, 65535), "pixels from 0 to 65535, whose"),
    ],
)
def test_numbers_of_which_nothing_says_what_is_white_are_refused(
    tmp_path: Path, bits: int, sample_format: int, pixels: bytes, words: str
) -> None:
    (tmp_path / "x.tif").write_bytes(tiff(pixels, 3, bits, 1, sample_format))
    with pytest.raises(FileFormatError, match=rf"has {words} black and white are unknown.*Save it"):
        read_image(tmp_path / "x.tif", (1, 1, 3))


def test_a_whole_file_of_a_rare_kind_is_not_called_damaged_alone(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(tiff(struct.pack("<2d", 0, 1), 2, 64, 1, 3))
    with pytest.raises(FileFormatError, match=r"or of a rare kind that is not read .*64-bit"):
        read_image(tmp_path / "x.tif", (1, 1, 2))


@pytest.mark.parametrize(("alpha", "expected"), [(0, [10, 10]), (255, [10, 255])])
def test_a_bmp_file_whose_alpha_nobody_has_filled_is_opaque(
    tmp_path: Path, alpha: int, expected: list[int]
) -> None:
    pixels = bytes([30, 20, 10, alpha, 30, 20, 10, 0])
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = struct.pack("<IiiHHIIiiII", 108, 2, 1, 1, 32, 3, 8, 0, 0, 0, 0) + masks
    head = b"BM" + struct.pack("<IHHI", 130, 0, 0, 122)
    content = head + info.ljust(108, b"\0") + pixels
    assert row_of(tmp_path / "x.bmp", content, (3, 1, 2)) == expected


@pytest.mark.parametrize("colours", [((10, 20, 30), (40, 50, 60)), ((0, 0, 0), (40, 40, 40))])
def test_what_the_frame_of_a_gif_does_not_cover_is_transparent(
    tmp_path: Path, colours: tuple[tuple[int, int, int], ...]
) -> None:
    palette = bytes(sum((*colours, (7, 7, 7), (9, 9, 9)), ()))
    head = b"GIF89a" + struct.pack("<HHBBB", 4, 1, 0x91, 2, 0) + palette
    codes = [4, 1, 4, 1, 5]  # clear, the second colour, twice, and the end, of 3 bits each
    packed = sum(code << 3 * k for k, code in enumerate(codes)).to_bytes(2, "little")
    frame = b"," + struct.pack("<HHHHB", 1, 0, 2, 1, 0) + b"\x02\x02" + packed + b"\0;"
    assert row_of(tmp_path / "x.gif", head + frame, (1, 1, 4))[0::3] == [255, 255]
    assert row_of(tmp_path / "x.gif", head + frame, (3, 1, 4)) == [255, 40, 40, 255]


def test_a_white_picture_on_transparent_ground_is_told_to_vanish(tmp_path: Path) -> None:
    layers = np.full((4, 4, 2), 255, np.uint8)
    layers[:2, :, 1] = 0
    told: list[str] = []
    x = read_image(save(tmp_path / "x.png", layers), (1, 4, 4), tell=told.append)
    assert (x == 1).all()
    assert told == [
        "all of it that is not transparent is white, and invisible on a white background"
    ]
