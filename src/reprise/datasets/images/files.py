"""Reads image files: headers, whole files, pixels; a damaged file is refused, never read in part.

OpenCV decodes images: it is fast, and keeps 16 bits in colour. Pillow decodes masks, since OpenCV
replaces the ids of a palette by its colours, and 8-bit TIFF, since OpenCV applies its alpha.
"""

import io
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from reprise.errors import UserError

_FORMATS = ("PNG", "JPEG", "TIFF")
_PNG_START, _JPEG_START = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_PNG_END, _JPEG_END = b"\0\0\0\0IEND\xaeB`\x82", b"\xff\xd9"
_NO_FRAMES = (0xC4, 0xC8, 0xCC)  # JPEG markers in the range of frames that are none
_ORIENTATION, _BITS = 274, 258  # EXIF and TIFF tags
_STARTS_AND_LENGTHS = ((273, 279), (324, 325))  # TIFF tags of strips, and of tiles
_GREY_STEPS = {"L;2": 85, "L;4": 17}  # by Pillow's name of a grey image of 2 or 4 bits
_REDUCED = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,  # with IMREAD_COLOR_RGB in colour
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
}


class ImageHeader(NamedTuple):
    """Size of an image, in pixels, and dtype of its decoded pixels, 'uint8' or 'uint16'."""

    height: int
    width: int
    dtype: str


def read_header(path: Path, *, oriented: bool) -> ImageHeader:
    """Read size and depth from the head of a file, and see from its tail that it is complete.

    Args:
        path: A PNG, JPEG or TIFF file.
        oriented: Return the size after EXIF orientation is applied.

    Raises:
        UserError: the file is missing, empty, of another kind, or incomplete.
    """
    try:
        with path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            if isinstance(image, TiffImageFile):  # Pillow has applied the orientation
                bits = image.tag_v2.get(_BITS, (1,))[0]
                is_whole = _tiff_end(image) <= file.seek(0, 2)
            else:
                # A PNG without this key would be decoded by `getexif`.
                has_exif = oriented and "exif" in image.info
                if has_exif and image.getexif().get(_ORIENTATION, 1) >= 5:
                    width, height = height, width
                file.seek(24)
                bits = file.read(1)[0] if image.format == "PNG" else 8
                file.seek(-12, 2)
                is_whole = file.read().endswith((_PNG_END, _JPEG_END))
                # Other data may follow the end, such as a phone's film: then read all of it.
                is_whole = is_whole or bool(read_whole(path))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        read_whole(path)  # has a better message for a file that is missing, empty or cut
        raise _unreadable(path, "a PNG, JPEG or TIFF image", str(error)) from error
    if not is_whole:
        raise _unreadable(path, "a whole image", "a file that ends before its pixels do")
    if bits > 8 and bits != 16:
        raise _unreadable(path, "an image of 8 or 16 bits", f"{bits} bits")
    return ImageHeader(height, width, "uint16" if bits == 16 else "uint8")


def read_whole(path: Path) -> bytes:
    """Read the bytes of an image file that is complete.

    Raises:
        UserError: the file is missing, empty, or a PNG or JPEG that is cut or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, "a readable image file", str(error)) from error
    if not data:
        raise _unreadable(path, "an image", "an empty file (0 bytes)")
    is_damaged_png = data.startswith(_PNG_START) and not is_whole_png(data)
    if is_damaged_png or (data.startswith(_JPEG_START) and not is_whole_jpeg(data)):
        received = f"{len(data)} bytes that end before the image does, or are damaged"
        raise _unreadable(path, "a whole image", received)
    return data


def read_image(path: Path, channels: int, enough: float = math.inf) -> tuple[np.ndarray, int]:
    """Read an image with its EXIF orientation applied.

    A JPEG can be decoded at a half, a quarter or an eighth of its size, which averages its pixels
    and takes far less time.

    Args:
        path: A PNG, JPEG or TIFF file: grey, palette or colour, 8 or 16 bits. Alpha is dropped.
        channels: 1 for grey, 3 for RGB; the file is converted.
        enough: Number of pixels below which a JPEG is not reduced.

    Returns:
        Pixels, shape (height, width, channels), uint8 or uint16, in the file's own range; and the
        factor of reduction, 1, 2, 4 or 8, with height and width rounded up.

    Raises:
        UserError: the file is missing, empty, cut, damaged, or of another kind.
    """
    data = read_whole(path)
    is_tiff = data.startswith(_TIFF_STARTS)
    if is_tiff and read_header(path, oriented=True).dtype == "uint8":
        shown = _decode_by_pillow(path, data, "RGB" if channels == 3 else "L")
        return shown.reshape(*shown.shape[:2], channels), 1
    factor = 1
    if data.startswith(_JPEG_START):
        height, width = jpeg_size(data)
        factor = next((one for one in _REDUCED if height * width >= enough * one**2), 1)
    color = cv2.IMREAD_COLOR_RGB if channels == 3 else cv2.IMREAD_GRAYSCALE
    if is_tiff and channels == 3:
        color = cv2.IMREAD_COLOR  # OpenCV 5.0 leaves the other one's pixels uninitialized
    size = _REDUCED[factor] if factor > 1 else cv2.IMREAD_ANYDEPTH
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), color | size)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        received = "data that OpenCV cannot decode" if pixels is None else f"{pixels.dtype} pixels"
        raise _unreadable(path, "a PNG, JPEG or TIFF image of 8 or 16 bits", received)
    if is_tiff and channels == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return pixels.reshape(*pixels.shape[:2], channels), factor


def read_mask(path: Path, *, colors: bool) -> np.ndarray:
    """Read a mask's stored values, or its colours.

    Args:
        path: A PNG or TIFF file.
        colors: False: values of a grey image (0 to 3 for two bits), indices of a palette image, or
            the value of an image whose channels are equal. True: RGB of any image.

    Returns:
        Values, shape (height, width), uint8 or uint16; or colours, (height, width, 3), uint8.

    Raises:
        UserError: the file is missing, empty, cut, damaged, a JPEG, or in colour when
            `colors` is false.
    """
    data = read_whole(path)
    if data.startswith(_JPEG_START):
        raise _unreadable(path, "a mask in PNG or TIFF", "a JPEG, which does not keep exact values")
    pixels = _decode_by_pillow(path, data, "RGB" if colors else None)
    if colors:
        return pixels
    if pixels.ndim == 3:
        grey = pixels[..., 0]
        if pixels.shape[2] >= 3 and not (pixels[..., 1:3] == grey[..., None]).all():
            raise UserError(
                f"{path} is a colour image where a mask of values is expected",
                "one channel, a palette, or equal channels",
                f"{pixels.shape[2]} channels that differ",
                "set dataset.mask_mode=colors and list dataset.colors, or convert the masks",
            )
        pixels = np.ascontiguousarray(grey)
    if pixels.dtype == bool:
        return pixels.astype(np.uint8)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise _unreadable(path, "a mask of 8 or 16 bits", f"{pixels.dtype} pixels")
    return pixels


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


def _tiff_end(image: TiffImageFile) -> int:
    """Position in the file at which the last strip or tile ends."""
    tags = image.tag_v2
    ends = [
        start + length
        for starts, lengths in _STARTS_AND_LENGTHS
        for start, length in zip(tags.get(starts, ()), tags.get(lengths, ()), strict=False)
    ]
    return max(ends, default=0)


def _decode_by_pillow(path: Path, data: bytes, mode: str | None) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if mode:
                return np.asarray(image.convert(mode))
            # Pillow scales grey of 2 and 4 bits to 0 to 255; undo it to get the stored ids.
            step = _GREY_STEPS.get(str(image.tile[0].args), 1) if image.tile else 1
            return np.asarray(image) // step if step > 1 else np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, "a PNG, JPEG or TIFF image", str(error)) from error


def _unreadable(path: Path, expected: str, received: str) -> UserError:
    remedy = "copy the file again from its source, or take the sample out of its folders"
    return UserError(f"{path} cannot be read", expected, received, remedy)
