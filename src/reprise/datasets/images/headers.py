"""What an image file says of itself before a pixel is decoded: its size, its depth, its end."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from reprise.datasets.images.encoded import (
    JPEG_END,
    JPEG_START,
    PNG_END,
    PNG_START,
    is_whole_jpeg,
    is_whole_png,
)
from reprise.errors import UserError

FORMATS = ("PNG", "JPEG", "TIFF")
TIFF_STARTS = (b"II*\0", b"MM\0*")
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
        is_whole = is_whole_png(data)
    elif data.startswith(JPEG_START):
        is_whole = is_whole_jpeg(data)
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
                is_whole = file.read().endswith((PNG_END, JPEG_END))
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
