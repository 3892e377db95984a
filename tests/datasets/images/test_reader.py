"""Files beyond the plain: bands, pages, signs, metadata; nothing of them is dropped in silence."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from reprise.datasets.images.files import orientation, read_header, read_image, read_mask
from reprise.datasets.images.reader import ImageReader
from reprise.errors import UserError


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def save(path, pixels, mode=None, **settings):
    Image.fromarray(pixels, mode).save(path, **settings) if mode else Image.fromarray(pixels).save(
        path, **settings
    )
    return path


def pages(path, *arrays):
    first, *rest = map(Image.fromarray, arrays)
    first.save(path, save_all=True, append_images=rest)
    return path


def looked_at(path, channels=3, which="one"):
    """Pixels, and what is noted to be unread."""
    reader = ImageReader([path], channels, which)
    reader.look(path, decode=True)
    return reader.read(path)[0], " ".join(reader.notes())


LITTLE = b"II*\0\x08\0\0\0\x01\0"


@pytest.mark.parametrize(
    ("exif", "turn"),
    [
        (LITTLE + struct.pack("<HHIHH", 274, 3, 1, 6, 0), 6),
        (b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 274, 3, 1, 8, 0), 8),
        (LITTLE + struct.pack("<HHIHH", 274, 3, 1, 9, 0), 1),  # no such orientation
        (LITTLE + struct.pack("<HHI4s", 274, 2, 2, b"6\0\0\0"), 1),  # as text
        (LITTLE[:8] + b"\xff\xff", 1),  # entries behind the end
        (LITTLE[:4] + b"\xff\xff\xff\xff", 1),
        (b"b'Exif\\x00\\x00MM'", 1),  # Python's text of it
        (b"", 1),
    ],
)
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_broken_exif_refuses_no_pixels(tmp_path, exif, turn, suffix):
    assert orientation(exif) == turn
    path = save(tmp_path / f"a.{suffix}", noise(20, 30, 3), exif=b"Exif\0\0" + exif, dpi=(72, 72))
    header, (pixels, _) = read_header(path), read_image(path, 3)
    assert (header.height, header.width) == pixels.shape[:2] == ((30, 20) if turn > 4 else (20, 30))


@pytest.mark.parametrize("kind", [b"pHYs", b"gAMA", b"cHRM", b"iCCP", b"tIME", b"eXIf", b"zTXt"])
def test_broken_chunks_refuse_no_pixels(tmp_path, kind):
    path = save(tmp_path / "a.png", noise(20, 30))
    data, chunk = path.read_bytes(), kind + b"?"
    broken = struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(data[:33] + broken + data[33:])
    assert np.array_equal(looked_at(path, 1)[0][..., 0], noise(20, 30))
    assert np.array_equal(read_mask(path, "values"), noise(20, 30))


@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xED, 0xFE])
@pytest.mark.parametrize(
    "body", [b"", b"Exif\0\0II", b"MPF\0II*\0?", b"Photoshop 3.0\0", b"ICC_PROFILE\0"]
)
def test_broken_segments_refuse_no_pixels(tmp_path, marker, body):
    path = save(tmp_path / "a.jpg", noise(20, 30, 3))
    data, before = path.read_bytes(), read_image(path, 3)[0]
    segment = bytes([255, marker]) + struct.pack(">H", 2 + len(body)) + body
    path.write_bytes(data[:2] + segment + data[2:])
    assert np.array_equal(looked_at(path)[0], before)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("bands", [2, 4, 5, 13])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
def test_a_tiff_of_any_number_of_bands_is_read_as_it_is_stored(tmp_path, dtype, bands, compression):
    values, path = noise(20, 30, bands, dtype=dtype), tmp_path / "a.tif"
    settings = {"photometric": "minisblack", "compression": compression}
    tifffile.imwrite(path, values, planarconfig="contig", **settings)
    assert np.array_equal(looked_at(path, bands)[0], values)
    tifffile.imwrite(path, np.moveaxis(values, -1, 0), planarconfig="separate", **settings)
    assert np.array_equal(looked_at(path, bands)[0], values)
    for other in (1, 3, bands + 1):
        with pytest.raises(UserError, match=rf"(?s)received +{bands}.*dataset.channels={bands}"):
            read_image(path, other)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_a_tiff_shows_the_same_however_it_is_laid_out(
    tmp_path, dtype, bands, compression, tile, order, planes
):
    values, path = noise(20, 30, bands, dtype=dtype), tmp_path / "a.tif"
    stored = np.moveaxis(values, -1, 0) if planes == "separate" else values
    settings = {"planarconfig": planes} if bands > 1 else {}
    settings |= {"extrasamples": ["unassalpha"]} if bands in (2, 4) else {}
    tifffile.imwrite(
        path,
        stored if bands > 1 else values[..., 0],
        photometric="rgb" if bands > 2 else "minisblack",
        compression=compression,
        tile=tile,
        byteorder=order,
        **settings,
    )
    colour = values[..., :3] if bands > 2 else np.repeat(values[..., :1], 3, axis=2)
    assert np.array_equal(read_image(path, 3)[0], colour)
    grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY) if bands > 2 else values[..., 0]
    assert np.abs(read_image(path, 1)[0][..., 0].astype(int) - grey).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_fourth_band_is_read_or_noted(tmp_path, dtype):
    values, path = noise(20, 30, 4, dtype=dtype), tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="rgb", extrasamples=["unspecified"])
    assert np.array_equal(looked_at(path, 4)[0], values)
    pixels, notes = looked_at(path, 3)
    assert np.array_equal(pixels, values[..., :3])
    assert "fourth band is not read (dataset.channels=4 reads it)" in notes


@pytest.mark.parametrize(("mode", "bands"), [("RGBA", 4), ("LA", 2)])
def test_alpha_that_varies_is_read_or_noted(tmp_path, mode, bands):
    values = noise(20, 30, bands)
    path = save(tmp_path / "a.png", values, mode)
    assert np.array_equal(looked_at(path, bands)[0], values)
    assert (
        f"alpha channel, which varies, is not read (dataset.channels={bands}" in looked_at(path)[1]
    )
    values[..., -1] = 255
    assert looked_at(save(path, values, mode))[1] == ""
    with pytest.raises(UserError, match="another number of channels"):
        read_image(save(path, values[..., 0]), 4)


def test_a_png_of_grey_and_alpha_in_sixteen_bits(tmp_path):
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    values = noise(2, 3, 2, dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 16, 4, 0, 0, 0))
    data = head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    assert np.array_equal(looked_at(tmp_path / "a.png", 2)[0], values)
    assert np.array_equal(looked_at(tmp_path / "a.png", 1)[0], values[..., :1])


def test_sixteen_bits_keep_their_alpha(tmp_path):
    values, path = noise(20, 30, 4, dtype=np.uint16), tmp_path / "a.png"
    cv2.imwrite(str(path), values[..., [2, 1, 0, 3]])
    assert np.array_equal(looked_at(path, 4)[0], values)
    assert "alpha channel" in looked_at(path, 3)[1]


def test_the_transparency_of_a_palette_is_read_or_noted(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(noise(20, 30, 3)).quantize(8).save(path, transparency=2)
    assert set(np.unique(looked_at(path, 4)[0][..., 3])) == {0, 255}
    assert "alpha channel" in looked_at(path)[1]


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_several_pages_are_refused_or_noted(tmp_path, suffix):
    path = pages(tmp_path / f"a.{suffix}", *noise(3, 20, 30))
    with pytest.raises(UserError, match=r"(?s)several pages.*dataset.pages=first.*3 pages"):
        looked_at(path)
    pixels, notes = looked_at(path, 1, "first")
    assert np.array_equal(pixels[..., 0], noise(3, 20, 30)[0])
    assert "only the first page is read" in notes


def test_pages_of_a_tiff_are_stacked_as_channels(tmp_path):
    path = pages(tmp_path / "a.tif", *noise(4, 20, 30))
    assert np.array_equal(looked_at(path, 4, "channels")[0], np.moveaxis(noise(4, 20, 30), 0, -1))
    with pytest.raises(UserError, match="another number of channels"):
        looked_at(path, 3, "channels")
    with pytest.raises(UserError, match="several pages"):
        looked_at(pages(tmp_path / "a.png", *noise(3, 20, 30)), 3, "channels")


def test_a_smaller_copy_in_the_same_file_is_no_page(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(noise(64, 64, 3), photometric="rgb")
        file.write(noise(32, 32, 3), photometric="rgb", subfiletype=1)
    assert looked_at(tmp_path / "a.tif")[0].shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("values", "settings", "said"),
    [
        (noise(20, 30, dtype=np.int8), {}, "8-bit signed integers"),
        (noise(20, 30, dtype=np.int16), {}, "16-bit signed integers"),
        (np.ones((20, 30), np.float32), {}, "32-bit floats"),
        (np.ones((20, 30), np.complex64), {}, "64-bit complex numbers"),
        (noise(20, 30, dtype=np.uint32), {}, "32 bits"),
        (noise(20, 30, dtype=np.uint16), {"photometric": "miniswhite"}, "0 is white"),
        (noise(4, 20, 30), {"volumetric": True, "tile": (4, 16, 16)}, "a volume of 4 planes"),
    ],
)
def test_values_that_pixels_cannot_hold_are_refused(tmp_path, values, settings, said):
    tifffile.imwrite(tmp_path / "a.tif", values, **{"photometric": "minisblack", **settings})
    with pytest.raises(UserError, match=rf"(?s)unsigned integers.*{said}"):
        read_header(tmp_path / "a.tif")


def test_what_is_changed_on_the_way_is_noted(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise(20, 30), photometric="miniswhite")
    assert "white is stored as 0" in looked_at(path)[1]
    assert "CMYK" in looked_at(save(tmp_path / "a.jpg", noise(20, 30, 4), "CMYK"))[1]
    cv2.imwrite(str(tmp_path / "a.png"), noise(20, 30, dtype=np.uint16) // 16)
    assert "none has a value above 40" in looked_at(tmp_path / "a.png")[1]
    tifffile.imwrite(path, noise(20, 30), extratags=[(42113, "s", 0, "255", True)])
    assert "255 stands for no data (GDAL)" in looked_at(path)[1]
    assert "further pictures" in looked_at(two_in_one(tmp_path / "b.jpg"))[1]


def two_in_one(path):
    first, second = (Image.fromarray(one) for one in noise(2, 20, 30, 3))
    first.save(path, "MPO", save_all=True, append_images=[second])
    return path


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "BMP"])
def test_a_file_of_another_kind_is_named(tmp_path, kind):
    path = tmp_path / "a.jpg"
    Image.fromarray(noise(20, 30)).save(path, kind)
    with pytest.raises(UserError, match=f"a {kind} image"):
        read_header(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("order", "<>")
def test_a_mask_in_equal_channels_keeps_its_ids(tmp_path, dtype, bands, planes, order):
    ids, path = np.arange(600, dtype=dtype).reshape(20, 30) % 7, tmp_path / "a.tif"
    values = np.repeat(ids[..., None], bands, axis=2)
    values[..., 3:] = np.iinfo(dtype).max
    cv2.imwrite(str(tmp_path / "a.png"), values)
    assert np.array_equal(read_mask(tmp_path / "a.png", "values"), ids)
    stored = np.moveaxis(values, -1, 0) if planes == "separate" else values
    settings = {"planarconfig": planes, "photometric": "rgb"} if bands > 1 else {}
    settings |= {"extrasamples": ["unassalpha"]} if bands == 4 else {}
    tifffile.imwrite(path, stored if bands > 1 else ids, byteorder=order, **settings)
    assert np.array_equal(read_mask(path, "values"), ids)


def test_a_mask_that_a_tiff_holds_as_jpeg_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(32, 32), compression="jpeg")
    with pytest.raises(UserError, match="a JPEG, which does not keep exact values"):
        read_mask(tmp_path / "a.tif", "values")


@pytest.mark.parametrize("bits", [2, 4])
def test_a_tiff_of_few_bits_keeps_its_ids(tmp_path, bits):
    ids = np.arange(600, dtype=np.uint8).reshape(20, 30) % 2**bits
    tifffile.imwrite(tmp_path / "a.tif", ids, bitspersample=bits, photometric="minisblack")
    assert np.array_equal(read_mask(tmp_path / "a.tif", "values"), ids)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("part", ["values", "colors"])
def test_a_mask_that_lies_in_the_alpha_channel_is_refused_and_can_be_read(tmp_path, mode, part):
    values = np.zeros((20, 30, len(mode)), np.uint8)
    values[5:10, 5:10, -1] = 255
    path = save(tmp_path / "a.png", values, mode)
    with pytest.raises(UserError, match=r"(?s)lies in the alpha channel.*mask_mode=alpha"):
        read_mask(path, part)
    assert np.array_equal(read_mask(path, "alpha"), values[..., -1])
    with pytest.raises(UserError, match="has no alpha channel"):
        read_mask(save(path, values[..., 0]), "alpha")
