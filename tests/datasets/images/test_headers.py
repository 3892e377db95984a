"""Sizes, depths and ends of image files, known without decoding them."""

import cv2
import numpy as np
import pytest
from PIL import Image

from reprise.datasets.images.files import read_image
from reprise.datasets.images.headers import Header, read_header, read_whole
from reprise.errors import UserError

NOISE = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_size_and_depth(tmp_path, suffix, dtype, channels):
    if suffix == "jpg":
        dtype = "uint8"
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), NOISE[..., :channels].astype(dtype))
    assert read_header(path, oriented=True) == Header(30, 50, dtype)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (30, 50)), (3, (30, 50)), (6, (50, 30))])
def test_the_size_is_the_one_that_is_decoded(tmp_path, suffix, orientation, size):
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(NOISE).save(path, exif=exif)
    header = read_header(path, oriented=True)
    assert (header.height, header.width) == size == read_image(path, 3).shape[:2]


def test_a_mask_keeps_the_size_that_is_stored(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(NOISE).save(tmp_path / "a.png", exif=exif)
    assert read_header(tmp_path / "a.png", oriented=False) == Header(30, 50, "uint8")


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
    read_header(path, oriented=True)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(UserError, match=f"{name} cannot be read"):
        read_header(path, oriented=True)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(NOISE).save(path, exif=b"Exif\0\0 a small picture \xff\xd8 \xff\xd9 inside")
    assert len(read_whole(path)) == path.stat().st_size
    data = path.read_bytes()
    path.write_bytes(data[:-40])
    with pytest.raises(UserError, match=r"(?s)a.jpg cannot be read.*bytes that end before"):
        read_header(path, oriented=True)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_bytes_behind_the_end_do_no_harm(tmp_path, name):
    path = tmp_path / name
    cv2.imwrite(str(path), NOISE)
    path.write_bytes(path.read_bytes() + b"\xff\xda a film, for instance")
    assert read_header(path, oriented=True) == Header(30, 50, "uint8")


def test_a_changed_byte_in_a_png_is_found(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), NOISE)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"(?s)a.png cannot be read.*damaged"):
        read_whole(path)


def test_an_empty_file_a_text_and_a_missing_file_are_named(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not an image, whatever its name says")
    for name, received in (
        ("empty.png", "an empty file"),
        ("text.png", "cannot identify image"),
        ("missing.png", "No such file"),
    ):
        with pytest.raises(UserError, match=f"(?s){name} cannot be read.*{received}"):
            read_header(tmp_path / name, oriented=True)


def test_a_depth_that_cannot_be_kept_is_refused(tmp_path):
    Image.fromarray(NOISE[..., 0].astype(np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match=r"(?s)a.tif cannot be read.*32 bits"):
        read_header(tmp_path / "a.tif", oriented=True)
