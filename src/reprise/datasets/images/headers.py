"""What an image file says of itself before a pixel is decoded: its size, its depth, its end."""

import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from reprise.errors import UserError

FORMATS = ("PNG", "JPEG", "TIFF")
PNG_START, JPEG_START = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
TIFF_STARTS = (b"II*\0", b"MM\0*")
_PNG_END, _JPEG_END = b"\0\0\0\0IEND\xaeB`\x82", b"\xff\xd9"
_ORIENTATION, _BITS = 274, 258  # numbers of EXIF and TIFF tags
_STARTS_AND_LENGTHS = ((273, 279), (324, 325))  # TIFF tags: of strips, of tiles


@dataclass(frozen=True)
class Header:
    """Size and depth of an image.

    Args:
        height: Rows, in pixels.
        width: Columns, in pixels.
        dtype: 'uint8' or 'uint16': what its pixels are decoded to.
    """

    height: int
    width: int
    dtype: str


def unreadable(path: Path, expected: str, received: str) -> UserError:
    """Make the error for a file whose bytes are not what they should be."""
    remedy = "copy the file again from its source, or take the sample out of its folders"
    return UserError(f"{path} cannot be read", expected, received, remedy)


def read_whole(path: Path) -> bytes:
    """Read a file's bytes and refuse those of an image that ends early.

    Raises:
        UserError: the file is missing, empty, or its PNG or JPEG data is cut or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unreadable(path, "a readable image file", str(error)) from error
    if not data:
        raise unreadable(path, "an image", "an empty file (0 bytes)")
    is_whole = True
    if data.startswith(PNG_START):
        is_whole = _is_whole_png(data)
    elif data.startswith(JPEG_START):
        is_whole = _is_whole_jpeg(data)
    if not is_whole:
        received = f"{len(data)} bytes that end before the image does, or are damaged"
        raise unreadable(path, "a whole image", received)
    return data


def read_header(path: Path, *, oriented: bool) -> Header:
    """Read size and depth from a file's head, and see by its tail that it is whole.

    Args:
        path: A PNG, JPEG or TIFF file.
        oriented: Give the size after EXIF orientation is applied.

    Raises:
        UserError: the file is missing, empty, no such image, or ends early.
    """
    try:
        with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if isinstance(image, TiffImageFile):  # its size is already the one to be shown
                bits = image.tag_v2.get(_BITS, (1,))[0]
                is_whole = _tiff_end(image) <= file.seek(0, 2)
            else:
                if oriented and _orientation(image) >= 5:
                    width, height = height, width
                file.seek(24)
                bits = file.read(1)[0] if image.format == "PNG" else 8
                file.seek(-12, 2)
                is_whole = file.read().endswith((_PNG_END, _JPEG_END))
                # Bytes may stand behind the end (phones put films there): then look at all.
                is_whole = is_whole or bool(read_whole(path))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        read_whole(path)  # knows a better reason where the file is missing, empty or cut
        raise unreadable(path, "a PNG, JPEG or TIFF image", str(error)) from error
    if not is_whole:
        raise unreadable(path, "a whole image", "a file that ends before its pixels do")
    if bits > 8 and bits != 16:
        raise unreadable(path, "an image of 8 or 16 bits", f"{bits} bits")
    return Header(height, width, "uint16" if bits == 16 else "uint8")


def _orientation(image: Image.Image) -> int:
    # Asking a PNG without this key would make Pillow decode it.
    return image.getexif().get(_ORIENTATION, 1) if "exif" in image.info else 1


def _tiff_end(image: TiffImageFile) -> int:
    tags = image.tag_v2
    ends = [
        start + length
        for starts, lengths in _STARTS_AND_LENGTHS
        for start, length in zip(tags.get(starts, ()), tags.get(lengths, ()), strict=False)
    ]
    return max(ends, default=0)


def _is_whole_png(data: bytes) -> bool:
    """Walk the chunks and compare their checksums: Pillow, quick, skips those of the pixels."""
    at = len(PNG_START)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body, end = data[at + 4 : at + 8 + length], at + 12 + length
        if zlib.crc32(body) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        if body == b"IEND":
            return True
        at = end
    return False


def _is_whole_jpeg(data: bytes) -> bool:
    """Look for the end marker behind the head, where a thumbnail may have an end of its own."""
    at = 2
    while data[at : at + 1] == b"\xff" and (marker := data[at + 1 : at + 2]) != b"\xda":
        is_filling = marker == b"\xff"
        at += 1 if is_filling else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data.rfind(_JPEG_END, at) > 0
