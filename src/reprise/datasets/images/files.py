"""Reads image files: headers, whole files, pixels; a damaged file is refused, never read in part.

OpenCV decodes PNG and JPEG: it is fast, and keeps 16 bits in colour. Pillow decodes masks, since
OpenCV replaces the ids of a palette by its colours, and TIFF of 8 bits that is a picture. tifffile
reads the heads of TIFF, and all other TIFF.
"""

import io
import logging
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageOps, UnidentifiedImageError

from reprise.datasets.tracked import require_pulled
from reprise.errors import UserError

Pages = Literal["one", "first", "channels"]
MaskPart = Literal["values", "colors", "alpha"]

_FORMATS = ("PNG", "JPEG", "TIFF")
OTHERS = ("WEBP", "BMP", "GIF")
_PNG_START, _JPEG_START = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_END, _JPEG_END = b"\0\0\0\0IEND\xaeB`\x82", b"\xff\xd9"
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT")
_NO_FRAMES = (0xC4, 0xC8, 0xCC)  # JPEG markers in the range of frames that are none
_EXIF = b"Exif\0\0"
_ORIENTATION, _BITS, _NODATA, _SHORT = 274, 258, 42113, 3  # tags, and a type of numbers
_PNG_BANDS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by type of colour
_TIFF_PICTURES = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3}  # samples of a picture, by its photometry
_INVERTED, _PALETTE, _CMYK = 0, 3, 5  # photometries
_JPEG_IN_TIFF = (6, 7)  # compressions
_ALPHAS = {1, 2}  # of the kinds of extra samples
_SIGNS = {2: "signed integers", 3: "floats", 5: "complex numbers", 6: "complex numbers"}
_GREY_STEPS = {"L;2": 85, "L;4": 17}  # by Pillow's name of a grey image of 2 or 4 bits
_REDUCED = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,  # with IMREAD_COLOR_RGB in colour
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
}


class ImageHeader(NamedTuple):
    """What the head of an image file says.

    Args:
        height: In pixels, after the orientation of EXIF or TIFF is applied, as of `width`.
        width: See `height`.
        dtype: Of the decoded pixels, 'uint8' or 'uint16'.
        bands: Values of a pixel, alpha included; 3, or 4 with transparency, for a palette or CMYK.
        has_alpha: Whether the last band is alpha.
        is_picture: Whether it can be shown in grey or RGB, without alpha or a fourth band.
        pages: Number of pages of a TIFF, without reduced copies, or of frames of a PNG.
        is_turned: Whether the orientation differs from the order in which pixels are stored.
        notes: What else the file holds that is not read as it is stored.
        is_tiff: Whether its pages can be stacked.
        is_jpeg: Whether pixels are compressed as JPEG, which keeps no exact values.
    """

    height: int
    width: int
    dtype: str
    bands: int = 3
    has_alpha: bool = False
    is_picture: bool = True
    pages: int = 1
    is_turned: bool = False
    notes: tuple[str, ...] = ()
    is_tiff: bool = False
    is_jpeg: bool = False


def read_header(path: Path) -> ImageHeader:
    """Read size and kind from the head of a file, and see from its tail that it is complete.

    Args:
        path: A PNG, JPEG or TIFF file.

    Raises:
        UserError: the file is missing, empty, of another kind, or incomplete; or its values are not
            unsigned integers of up to 8, or of 16 bits.
    """
    try:
        with path.open("rb") as file:
            is_tiff = file.read(4) in _TIFF_STARTS
            file.seek(0)
            if is_tiff:
                header, bits, is_whole = _tiff_header(file)
            else:
                header, bits, is_whole = _picture_header(file)
                # Other data may follow the end, such as a phone's film: then read all of it.
                is_whole = is_whole or bool(read_whole(path))
    except UserError:
        raise
    except Exception as error:  # libraries raise anything over a damaged head
        data = read_whole(path)  # has a better message for a file that is missing, empty or cut
        try:
            header, bits, is_whole = _picture_header(io.BytesIO(_bare(data)), _orientation_in(data))
        except Exception:
            raise _no_image(path, error) from error
    if not is_whole:
        raise _unreadable(path, "a whole image", "a file that ends before its pixels do")
    if bits not in ("1", "2", "4", "8", "16"):
        raise UserError(
            f"{path} cannot be read as an image",
            "unsigned integers of 8 or 16 bits",
            bits if " " in bits else f"{bits} bits",
            "convert the files to 8 or 16 bits, so that none of their values is lost",
        )
    return header


def _picture_header(file: IO[bytes], turn: int | None = None) -> tuple[ImageHeader, str, bool]:
    """Header of a PNG or JPEG; bits of a value; whether its end is where the file's is.

    `turn` is its orientation; None to read it.
    """
    with Image.open(file, formats=_FORMATS) as image:
        turn = turn or orientation(image.info.get("exif", b""))
        width, height = image.size
        is_png = image.format == "PNG"
        is_transparent = "transparency" in image.info
        has_alpha = image.mode in ("LA", "RGBA") or is_transparent
        bands = 1 if image.mode == "L" else 3
        frames = getattr(image, "n_frames", 1)
        notes = ["CMYK is converted to RGB without its colour profile"] * (image.mode == "CMYK")
        if not is_png and frames > 1:
            notes.append("further pictures in the same file are not read")
    bits = 8
    if is_png:  # Pillow takes grey and alpha of 16 bits for four bands
        file.seek(24)
        bits, color = file.read(2)
        bands = _PNG_BANDS[color] + is_transparent
    file.seek(-12, 2)
    is_whole = file.read().endswith((_PNG_END, _JPEG_END))
    if turn >= 5:
        width, height = height, width
    pages, dtype = frames if is_png else 1, "uint16" if bits == 16 else "uint8"
    header = ImageHeader(
        height, width, dtype, bands, has_alpha, True, pages, turn > 1, tuple(notes),
        is_jpeg=not is_png,
    )  # fmt: skip
    return header, str(bits), is_whole


def _tiff_header(file: IO[bytes]) -> tuple[ImageHeader, str, bool]:
    """Header of a TIFF; bits of a value, or in words what it is; whether its pixels are there."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # a damaged tag may be of no use
    with tifffile.TiffFile(file) as tiff:
        pages = _full_pages(tiff)
        page, size = pages[0], tiff.filehandle.size
        ends = (
            start + length
            for one in pages
            for start, length in zip(one.dataoffsets, one.databytecounts, strict=False)
        )
        # Of several bands the bits stand behind the tags, where a file may be cut.
        has_bits = page.samplesperpixel == 1 or _BITS in page.tags
        has_parts = len(page.dataoffsets) >= math.prod(page.chunked)
        is_whole = max(ends, default=0) <= size and has_bits and has_parts
        bits, kind = page.bitspersample, int(page.sampleformat)
        words = f"{bits}-bit {_SIGNS[kind]}" if kind in _SIGNS else str(bits)
        photometry, bands = int(page.photometric), int(page.samplesperpixel)
        turn = int(page.tags.valueof(_ORIENTATION, 1))
        nodata, is_jpeg = page.tags.valueof(_NODATA), int(page.compression) in _JPEG_IN_TIFF
    height, width = page.imagelength, page.imagewidth
    if turn in (5, 6, 7, 8):
        width, height = height, width
    has_alpha = bool(_ALPHAS & {int(kind) for kind in page.extrasamples})
    extra = bands - _TIFF_PICTURES.get(photometry, 99)
    # Bands beyond one are dropped from a picture, but two bands without alpha are none.
    is_picture = extra == 0 or (extra == 1 and (bands == 4 or has_alpha))
    notes = [f"{nodata} stands for no data (GDAL), and is read as a value"] if nodata else []
    if photometry == _INVERTED:
        notes.append("white is stored as 0, and values are read inverted, as a viewer shows them")
    if photometry == _CMYK:
        notes.append("CMYK is converted to RGB without its colour profile")
    if page.imagedepth > 1:
        words = f"a volume of {page.imagedepth} planes"
    elif bits == 16 and photometry in (_INVERTED, _CMYK):
        words = "16 bits of CMYK" if photometry == _CMYK else "16 bits of which 0 is white"
    bands = 3 if photometry in (_PALETTE, _CMYK) else bands
    dtype = "uint16" if bits == 16 else "uint8"
    header = ImageHeader(
        height, width, dtype, bands, has_alpha, is_picture, len(pages), turn > 1, tuple(notes),
        is_tiff=True, is_jpeg=is_jpeg,
    )  # fmt: skip
    return header, words, is_whole


def _full_pages(tiff: tifffile.TiffFile) -> list[Any]:
    """The pages of a TIFF without the reduced copies that a pyramid or a thumbnail is."""
    return [page for page in tiff.pages if not (page.index and getattr(page, "is_reduced", 0))]


def orientation(exif: bytes) -> int:
    """Orientation in EXIF, 1 to 8; 1, which is upright, if there is none or it cannot be read.

    Libraries differ in what they make of damaged EXIF, from an exception to a turned image.
    """
    tiff = exif.removeprefix(_EXIF)
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)

    if tiff[:2] not in (b"II", b"MM"):
        return 1
    first = number(4, 4) + 2
    for entry in range(first, first + 12 * number(first - 2, 2), 12):
        if (number(entry, 2), number(entry + 2, 2)) == (_ORIENTATION, _SHORT):
            return number(entry + 8, 2) if number(entry + 8, 2) in range(1, 9) else 1
    return 1


def read_whole(path: Path) -> bytes:
    """Read the bytes of an image file that is complete.

    Raises:
        UserError: the file is missing, empty, or a PNG or JPEG that is cut or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        require_pulled(path)
        raise _unreadable(path, "a readable image file", str(error)) from error
    if not data:
        raise _unreadable(path, "an image", "an empty file (0 bytes)")
    is_damaged_png = data.startswith(_PNG_START) and not is_whole_png(data)
    if is_damaged_png or (data.startswith(_JPEG_START) and not is_whole_jpeg(data)):
        received = f"{len(data)} bytes that end before the image does, or are damaged"
        raise _unreadable(path, "a whole image", received)
    return data


def read_other(path: Path, channels: int) -> np.ndarray:
    """Read a picture of a kind that no dataset is trained on, upright.

    Args:
        path: A WebP, BMP or GIF file.
        channels: 1 or 3.

    Returns:
        Shape (height, width, channels), uint8.

    Raises:
        UserError: it is damaged, of another kind, or holds several pictures.
    """
    try:
        with Image.open(path, formats=OTHERS) as image:
            if getattr(image, "n_frames", 1) > 1 or channels not in (1, 3):
                raise ValueError(f"{getattr(image, 'n_frames', 1)} pictures of 3 channels at most")
            upright = ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")
            return np.asarray(upright).reshape(upright.height, upright.width, channels)
    except Exception as error:  # as in `read_header`
        raise _unreadable(path, "a WebP, BMP or GIF of one picture", str(error)) from error


def read_image(
    path: Path, channels: int, enough: float = math.inf, pages: Pages = "one"
) -> tuple[np.ndarray, int]:
    """Read an image with its orientation applied.

    A JPEG can be decoded at a half, a quarter or an eighth of its size, which averages its pixels
    and takes far less time.

    Args:
        path: A PNG, JPEG or TIFF file of 8 or 16 bits.
        channels: 1 for grey, 3 for RGB; a picture is converted, its alpha or fourth band dropped.
            Of other files, and for other numbers, these are all the bands as they are stored.
        enough: Number of pixels below which a JPEG is not reduced.
        pages: 'one': a file of several pages is refused. 'first': the others are dropped.
            'channels': the bands of all pages of a TIFF are stacked.

    Returns:
        Pixels, shape (height, width, channels), uint8 or uint16, in the file's own range; and the
        factor of reduction, 1, 2, 4 or 8, with height and width rounded up.

    Raises:
        UserError: the file is missing, empty, cut, damaged, of another kind, or has another number
            of bands or pages.
    """
    data = read_whole(path)
    if data.startswith(_TIFF_STARTS):
        return _read_tiff(path, data, channels, pages), 1
    if channels not in (1, 3):
        require_readable(path, read_header(path), channels, pages)
        return _read_with_alpha(path, data, channels), 1
    factor = 1
    if data.startswith(_JPEG_START):
        height, width = jpeg_size(data)
        factor = next((one for one in _REDUCED if height * width >= enough * one**2), 1)
    color = cv2.IMREAD_COLOR_RGB if channels == 3 else cv2.IMREAD_GRAYSCALE
    size = _REDUCED[factor] if factor > 1 else cv2.IMREAD_ANYDEPTH
    pixels = _turned(_decode_by_opencv(path, data, color | size), _orientation_in(data))
    return pixels.reshape(*pixels.shape[:2], channels), factor


def require_readable(path: Path, header: ImageHeader, channels: int, pages: Pages) -> None:
    """Refuse a file of more pages or other bands than are asked for; arguments as `read_image`'s.

    Raises:
        UserError: the message names the key that decides.
    """
    if header.pages > 1 and (pages == "one" or (pages == "channels" and not header.is_tiff)):
        raise UserError(
            f"{path} holds several pages",
            "one picture in a file; or dataset.pages=first, which reads the first page alone, or "
            "dataset.pages=channels, which stacks those of a TIFF image as channels",
            f"{header.pages} pages",
            "set dataset.pages, or write each page to a file of its own",
        )
    bands = header.bands * (header.pages if pages == "channels" else 1)
    is_shown = channels in (1, 3) and header.is_picture and bands == header.bands
    if not is_shown and bands != channels:
        raise UserError(
            f"{path} has another number of channels",
            f"{channels}, as dataset.channels says",
            f"{bands} with alpha" if header.has_alpha else f"{bands}",
            f"set dataset.channels={bands} if all files have as many, or convert the file",
        )


def has_varying_alpha(path: Path) -> bool:
    """Whether the alpha of a picture tells its pixels apart."""
    alpha = _decode_by_pillow(path, read_whole(path), "RGBA")[..., 3]
    return bool(alpha.min() != alpha.max())


def read_mask(path: Path, part: MaskPart) -> np.ndarray:
    """Read a mask's stored values, or its colours, with the orientation of EXIF or TIFF applied.

    Args:
        path: A PNG or TIFF file.
        part: 'values': of a grey image (0 to 3 for two bits), indices of a palette image, or the
            value of an image whose channels are equal. 'colors': RGB of any image. 'alpha': the
            alpha channel.

    Returns:
        Values, shape (height, width), uint8 or uint16; or colours, (height, width, 3), uint8.

    Raises:
        UserError: the file is missing, empty, cut, damaged, a JPEG; in colour where values are
            asked for; without alpha where that is; or constant in all but its alpha.
    """
    data = read_whole(path)
    header = read_header(path)
    if header.is_jpeg:
        raise _unreadable(path, "a mask in PNG or TIFF", "a JPEG, which does not keep exact values")
    if part == "colors":
        pixels = _decode_by_pillow(path, data, "RGB", keep_alpha=True)
    elif header.is_tiff:
        pixels = _read_bands(path, data, all_pages=False)
        pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    elif header.dtype == "uint16" and header.bands > 1:  # of which Pillow keeps 8 bits
        pixels = _decode_by_opencv(path, data, cv2.IMREAD_UNCHANGED)
        has_alpha = pixels.shape[2] == 4
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if has_alpha else cv2.COLOR_BGR2RGB)
    else:
        pixels = _decode_by_pillow(path, data, None)
    bands = pixels.shape[2] if pixels.ndim == 3 else 1
    alpha = pixels[..., -1] if bands in (2, 4) else None
    if part == "alpha":
        if not header.has_alpha:
            raise UserError(
                f"{path} has no alpha channel",
                "the mask in an alpha channel, as dataset.mask_mode=alpha says",
                f"{bands} channel(s) without alpha",
                "set dataset.mask_mode to what the masks are",
            )
        pixels = np.ascontiguousarray(_decode_by_pillow(path, data, "RGBA")[..., 3])
    elif alpha is not None and np.ptp(alpha) and not np.ptp(pixels[..., :-1], axis=(0, 1)).any():
        raise UserError(
            f"{path}: the mask lies in the alpha channel",
            f"{part} that tell pixels apart; or dataset.mask_mode=alpha",
            f"one colour, and alpha from {alpha.min()} to {alpha.max()}",
            "set dataset.mask_mode=alpha, or save the alpha channel as the mask",
        )
    elif part == "colors":
        pixels = np.ascontiguousarray(pixels[..., :3])
    elif bands > 1:
        grey = pixels[..., 0]
        if bands >= 3 and not (pixels[..., 1:3] == grey[..., None]).all():
            raise UserError(
                f"{path} is a colour image where a mask of values is expected",
                "one channel, a palette, or equal channels",
                f"{bands} channels that differ",
                "set dataset.mask_mode=colors and list dataset.colors, or convert the masks",
            )
        pixels = np.ascontiguousarray(grey)
    pixels = pixels.astype(np.uint8) if pixels.dtype == bool else pixels
    if pixels.dtype not in (np.uint8, np.uint16):
        raise _unreadable(path, "a mask of 8 or 16 bits", f"{pixels.dtype} pixels")
    return _turned(pixels, 1 if header.is_tiff else _orientation_in(data))


def require_dtype(path: Path, received: str, expected: str) -> None:
    """Raise a UserError for an image whose dtype is not that of the first image."""
    if received != expected:
        raise UserError(
            f"{path} has another depth than the first image",
            f"{expected} pixels, as in the first image",
            f"{received} pixels",
            "convert the images to one depth",
        )


def is_whole_png(data: bytes) -> bool:
    """Whether all chunks of a PNG are there and fit their checksums.

    Pillow does not compare the checksums of pixels.
    """
    at = len(_PNG_START)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body, end = data[at + 4 : at + 8 + length], at + 12 + length
        if zlib.crc32(body) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        if body == b"IEND":
            return True
        at = end
    return False


def is_whole_jpeg(data: bytes) -> bool:
    """Whether an end marker follows the head of a JPEG, whose thumbnail may have one of its own."""
    ends = [at + int.from_bytes(data[at : at + 2], "big") for _, at in _jpeg_segments(data)]
    return data.rfind(_JPEG_END, ends[-1] if ends else 2) > 0


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Rows and columns of a JPEG before EXIF orientation; (0, 0) if its head has none."""
    for marker, at in _jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
            rows, columns = data[at + 3 : at + 5], data[at + 5 : at + 7]
            return int.from_bytes(rows, "big"), int.from_bytes(columns, "big")
    return 0, 0


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker, and position of the length, of each segment of a JPEG's head."""
    at = 2
    while data[at : at + 1] == b"\xff" and (marker := data[at + 1 : at + 2]) != b"\xda":
        if marker == b"\xff":  # padding
            at += 1
            continue
        yield int.from_bytes(marker, "big"), at + 2
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _orientation_in(data: bytes) -> int:
    """Orientation of a PNG or JPEG; 1 of a TIFF, which Pillow turns."""
    if data.startswith(_JPEG_START):
        for marker, at in _jpeg_segments(data):
            if marker == 0xE1 and data[at + 2 : at + 8] == _EXIF:
                return orientation(data[at + 2 : at + int.from_bytes(data[at : at + 2], "big")])
    at = len(_PNG_START)
    while data.startswith(_PNG_START) and (kind := data[at + 4 : at + 8]) not in (b"IDAT", b""):
        length = int.from_bytes(data[at : at + 4], "big")
        if kind == b"eXIf":
            return orientation(data[at + 8 : at + 8 + length])
        at += 12 + length
    return 1


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as they stand upright, of an orientation from 1 to 8."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _read_tiff(path: Path, data: bytes, channels: int, pages: Pages) -> np.ndarray:
    header = read_header(path)
    require_readable(path, header, channels, pages)
    are_stacked = pages == "channels" and header.pages > 1
    if channels not in (1, 3) or not header.is_picture or are_stacked:
        return _read_bands(path, data, all_pages=are_stacked)
    if header.dtype == "uint8" and header.bands != 2:
        pixels = _decode_by_pillow(path, data, "RGB" if channels == 3 else "L")
        return pixels.reshape(*pixels.shape[:2], channels)
    # OpenCV 5.0 garbles 16 bits whose bands are stored one after the other, and grey with alpha.
    pixels = _read_bands(path, data, all_pages=False)
    if header.bands < 3:
        return np.repeat(pixels[..., :1], channels, axis=2)
    pixels = np.ascontiguousarray(pixels[..., :3])
    return pixels if channels == 3 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]


def _read_bands(path: Path, data: bytes, *, all_pages: bool) -> np.ndarray:
    """All bands of a TIFF as they are stored, of its first page or of all, last."""
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            pages = _full_pages(tiff)[: None if all_pages else 1]
            arrays = [
                2**page.bitspersample - 1 - page.asarray()
                if page.photometric == _INVERTED
                else page.asarray()
                for page in pages
            ]
            dtype = np.uint16 if pages[0].bitspersample == 16 else np.uint8
            turns = [int(page.tags.valueof(_ORIENTATION, 1)) for page in pages]
            are_last = [page.axes != "SYX" for page in pages]
        stacks = [
            _turned(np.atleast_3d(array) if is_last else np.moveaxis(array, 0, -1), turn)
            for array, is_last, turn in zip(arrays, are_last, turns, strict=True)
        ]
        pixels = np.concatenate(stacks, axis=-1)
    except Exception as error:  # as in `read_header`
        raise _no_image(path, error) from error
    return pixels.astype(dtype, copy=False)


def _read_with_alpha(path: Path, data: bytes, channels: int) -> np.ndarray:
    """Grey or colour of a PNG, and its alpha: 2 or 4 channels."""
    pixels = _decode_by_opencv(path, data, cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 3 and pixels.shape[2] == 4 and pixels.dtype == np.uint16:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)
        pixels = pixels if channels == 4 else pixels[..., [0, 3]]
    else:  # of 8 bits Pillow knows transparency in all its forms
        pixels = _decode_by_pillow(path, data, "RGBA" if channels == 4 else "LA")
    return _turned(pixels, _orientation_in(data))


def _decode_by_opencv(path: Path, data: bytes, flags: int) -> np.ndarray:
    flags |= cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        received = "data that OpenCV cannot decode" if pixels is None else f"{pixels.dtype} pixels"
        raise _unreadable(path, "a PNG, JPEG or TIFF image of 8 or 16 bits", received)
    return pixels


def _bare(data: bytes) -> bytes:
    """A PNG or JPEG without its metadata, of which a damaged part may keep Pillow from pixels."""
    kept, end = [data[:2]], 2
    if data.startswith(_PNG_START):
        kept, end = [_PNG_START], len(_PNG_START)
        while (kind := data[end + 4 : end + 8]) != b"":
            begin, end = end, end + 12 + int.from_bytes(data[end : end + 4], "big")
            if kind in _PIXEL_CHUNKS:
                kept.append(data[begin:end])
    elif data.startswith(_JPEG_START):
        for marker, at in _jpeg_segments(data):
            end = at + int.from_bytes(data[at : at + 2], "big")
            if not (0xE1 <= marker <= 0xED or marker == 0xFE):  # but Adobe's, which is of colours
                kept.append(data[at - 2 : end])
    return b"".join([*kept, data[end:]])


def _decode_by_pillow(
    path: Path, data: bytes, mode: str | None, *, keep_alpha: bool = False
) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if mode:
                has_alpha = keep_alpha and image.mode in ("LA", "RGBA")
                return np.asarray(image.convert("RGBA" if has_alpha else mode))
            # Pillow scales grey of 2 and 4 bits to 0 to 255; undo it to get the stored ids.
            step = _GREY_STEPS.get(str(image.tile[0].args), 1) if image.tile else 1
            image.load()  # turns a TIFF, which `asarray` would do too late for its shape
            return np.asarray(image) // step if step > 1 else np.asarray(image)
    except Exception as error:  # as in `read_header`
        if (bare := _bare(data)) != data:
            return _decode_by_pillow(path, bare, mode, keep_alpha=keep_alpha)
        raise _no_image(path, error) from error


def _no_image(path: Path, error: Exception) -> UserError:
    """The error for a file that a library cannot read; of another kind, it names the kind."""
    received = str(error) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        try:
            with Image.open(path) as image:
                received = f"a {image.format} image"
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            with path.open("rb") as file:
                received = f"data of another kind, which begins with {file.read(24)!r}"
    return _unreadable(path, "a PNG, JPEG or TIFF image", received)


def _unreadable(path: Path, expected: str, received: str) -> UserError:
    remedy = "copy the file again from its source, or take the sample out of its folders"
    return UserError(f"{path} cannot be read", expected, received, remedy)
