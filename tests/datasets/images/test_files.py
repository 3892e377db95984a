"""Image files: headers, whole files, and pixels exactly as they are stored."""

import math
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from reprise.datasets.images.files import (
    ImageHeader,
    read_header,
    read_image,
    read_mask,
    read_whole,
)
from reprise.errors import UserError

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
GREY = RGB[..., 0].copy()
IDS = np.arange(54, dtype=np.uint8).reshape(6, 9) % 12


def pixels_of(path, channels):
    return read_image(path, channels)[0]


def write_grey_png(path, row: bytes, width: int, bits: int) -> None:
    """One row of packed pixels: no library writes grey of two or four bits."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, 1, bits, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


PALETTE = np.random.default_rng(1).integers(0, 256, (12, 3), np.uint8)


def indexed(palette=PALETTE):
    image = Image.fromarray(IDS, "P")
    image.putpalette(palette.ravel().tolist())
    return image


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(
    ("image", "orientation", "channels", "shown"),
    [
        (Image.fromarray(RGB), 1, 3, RGB),
        (Image.fromarray(np.dstack([RGB, GREY])), 1, 3, RGB),  # without alpha
        (Image.fromarray(RGB), 6, 3, np.rot90(RGB, -1)),  # turned by EXIF
        (Image.fromarray(GREY), 1, 3, np.dstack([GREY] * 3)),
        (Image.fromarray(GREY), 1, 1, GREY[..., None]),
        (indexed(), 1, 3, PALETTE[IDS]),
    ],
)
def test_pixels_are_those_that_a_viewer_shows(
    tmp_path, suffix, image, orientation, channels, shown
):
    exif = Image.Exif()
    exif[274] = orientation
    image.save(tmp_path / f"a.{suffix}", exif=exif)
    pixels, factor = read_image(tmp_path / f"a.{suffix}", channels, 1)  # only JPEG is reduced
    assert np.array_equal(pixels, shown)
    assert factor == 1


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_kept(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    deep = RGB.astype(np.uint16) * 200 + 7
    cv2.imwrite(str(path), deep[..., ::-1])
    for at in range(10):
        np.full_like(deep, at)  # leaves memory behind that a decoder might return as it is
        found = pixels_of(path, 3)
        assert found.dtype == np.uint16
        assert np.array_equal(found, deep)
    cv2.imwrite(str(path), deep[..., 0])
    assert np.array_equal(pixels_of(path, 1), deep[..., :1])


def test_jpeg_is_read_in_the_right_order_of_colours(tmp_path):
    Image.new("RGB", (16, 16), (250, 20, 90)).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(pixels_of(tmp_path / "a.jpg", 3).astype(int) - (250, 20, 90)).max() <= 3


def test_empty_files_and_other_data_are_named(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not an image, whatever its name says")
    Image.fromarray(GREY.astype(np.float32)).save(tmp_path / "float.tif")
    for name, received in (
        ("empty.png", "an empty file"),
        ("text.png", "which begins with b'not an image"),
        ("float.tif", "32-bit floats"),
        ("missing.png", "No such file"),
    ):
        with pytest.raises(UserError, match=f"(?s){name} cannot be read.*{received}"):
            read_header(tmp_path / name)
        for read in (lambda path: read_image(path, 1), lambda path: read_mask(path, "values")):
            with pytest.raises(UserError, match=f"{name} cannot be read"):
                read(tmp_path / name)


def test_colours_of_a_mask_whatever_it_is_stored_as(tmp_path):
    for version in (indexed(), indexed().convert("RGB"), indexed().convert("RGBA")):
        version.save(tmp_path / "a.png")
        assert np.array_equal(read_mask(tmp_path / "a.png", "colors"), PALETTE[IDS])


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(
    "stored",
    [
        indexed(),
        Image.fromarray(IDS),
        *(Image.fromarray(np.dstack(stack)) for stack in ([IDS] * 3, [IDS] * 3 + [GREY])),
    ],
)
def test_a_mask_gives_the_values_that_are_stored(tmp_path, suffix, stored):
    stored.save(tmp_path / f"a.{suffix}")
    assert np.array_equal(read_mask(tmp_path / f"a.{suffix}", "values"), IDS)


@pytest.mark.parametrize(
    ("bits", "row", "values"),
    [(1, b"\x50", [0, 1, 0, 1]), (2, b"\x1b", [0, 1, 2, 3]), (4, b"\x01\x2f", [0, 1, 2, 15])],
)
def test_few_bits_give_what_is_stored(tmp_path, bits, row, values):
    write_grey_png(tmp_path / "a.png", row, 4, bits)
    found = read_mask(tmp_path / "a.png", "values")
    assert (found.dtype, found.tolist()) == (np.uint8, [values])


def test_a_colour_mask_is_not_taken_for_values(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"(?s)a.png is a colour image.*mask_mode=colors"):
        read_mask(tmp_path / "a.png", "values")


def test_a_jpeg_is_no_mask_even_by_another_name(tmp_path):
    Image.fromarray(IDS).save(tmp_path / "a.png", "JPEG")
    for colors in (False, True):
        with pytest.raises(UserError, match=r"(?s)a.png cannot be read.*a JPEG"):
            read_mask(tmp_path / "a.png", "colors" if colors else "values")


@pytest.mark.parametrize(
    ("enough", "factor"),
    [
        (math.inf, 1),
        (160 * 90, 1),
        (80 * 45 + 1, 1),
        (80 * 45, 2),
        (40 * 22, 4),
        (20 * 11, 8),
        (1, 8),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_large_jpeg_is_decoded_no_larger_than_serves(tmp_path, enough, factor, channels):
    smooth = cv2.resize(RGB, (160, 90), interpolation=cv2.INTER_CUBIC)
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth).save(path, quality=95)
    pixels, by = read_image(path, channels, enough)
    assert by == factor
    assert pixels.shape == (-(-90 // factor), -(-160 // factor), channels)
    whole = pixels_of(path, channels).reshape(90, 160, channels)[:88, :]
    averaged = whole.reshape(88 // factor, factor, 160 // factor, factor, channels).mean((1, 3))
    assert np.abs(averaged - pixels[: 88 // factor]).mean() < 2


NOISE = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_size_and_depth(tmp_path, suffix, dtype, channels):
    if suffix == "jpg":
        dtype = "uint8"
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), NOISE[..., :channels].astype(dtype))
    kind = {"is_tiff": suffix == "tif", "is_jpeg": suffix == "jpg"}
    assert read_header(path) == ImageHeader(30, 50, dtype, channels, **kind)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_image_and_mask_are_turned_alike(tmp_path, suffix, turn):
    exif = Image.Exif()
    exif[274] = turn
    Image.fromarray(NOISE[..., 0]).save(tmp_path / f"a.{suffix}", exif=exif)
    image, mask = (
        pixels_of(tmp_path / f"a.{suffix}", 1),
        read_mask(tmp_path / f"a.{suffix}", "values"),
    )
    Image.fromarray(NOISE[..., 0]).save(tmp_path / "b.png", exif=exif)
    with Image.open(tmp_path / "b.png") as opened:
        shown = np.asarray(ImageOps.exif_transpose(opened))
    assert np.array_equal(image[..., 0], mask)
    assert np.array_equal(mask, shown)
    assert read_header(tmp_path / f"a.{suffix}").is_turned == (turn > 1)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.filterwarnings("ignore:Truncated File Read:UserWarning")
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "pillow.tif", "progressive.jpg"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_ends_early_is_named(tmp_path, name, kept):
    path = tmp_path / name
    if name in ("pillow.tif", "progressive.jpg"):
        Image.fromarray(NOISE).save(path, **({"progressive": True} if "jpg" in name else {}))
    else:
        cv2.imwrite(str(path), NOISE)
    read_header(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    for read in (lambda: read_header(path), lambda: read_image(path, 3)):
        with pytest.raises(UserError, match=f"{name} cannot be read"):
            read()


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(NOISE).save(path, exif=b"Exif\0\0 a small picture \xff\xd8 \xff\xd9 inside")
    assert len(read_whole(path)) == path.stat().st_size
    data = path.read_bytes()
    path.write_bytes(data[:-40])
    with pytest.raises(UserError, match=r"(?s)a.jpg cannot be read.*bytes that end before"):
        read_header(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_bytes_behind_the_end_do_no_harm(tmp_path, name):
    path = tmp_path / name
    cv2.imwrite(str(path), NOISE)
    path.write_bytes(path.read_bytes() + b"\xff\xda a film, for instance")
    assert read_header(path) == ImageHeader(30, 50, "uint8", is_jpeg=name == "a.jpg")


def test_a_reduced_jpeg_is_turned_as_its_exif_says(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.zeros((64, 96, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg", 3, 64 * 96 / 4)[0].shape == (48, 32, 3)
