"""Image files to arrays: read whole or refused by name, never half an image.

OpenCV decodes pictures (quick, 16-bit colour, EXIF orientation). Pillow decodes masks, where
OpenCV turns the ids of a palette into its colours, and TIFF of 8 bits, where it applies the alpha.
"""

import io
import math
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from reprise.datasets.images.encoded import JPEG_START, jpeg_size
from reprise.datasets.images.headers import (
    FORMATS,
    TIFF_STARTS,
    read_header,
    read_whole,
    unreadable,
)
from reprise.errors import UserError

_STEPS = {"L;2": 85, "L;4": 17}  # Pillow's names of grey with so many bits
_SIZES = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,  # with IMREAD_COLOR_RGB in colour
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
}


def read_image(path: Path, channels: int) -> np.ndarray:
    """Read a picture as it is meant to be seen; `read_reduced` at its full size."""
    return read_reduced(path, channels, math.inf)[0]


def read_reduced(path: Path, channels: int, enough: float) -> tuple[np.ndarray, int]:
    """Read a picture as it is meant to be seen, a JPEG as small as serves.

    A JPEG decodes to a half, a quarter or an eighth of its size in far less time, and averages as
    it does.

    Args:
        path: A PNG, JPEG or TIFF file: grey, palette or colour, 8 or 16 bits. Alpha is dropped.
        channels: 1 for grey, 3 for RGB; the file is converted.
        enough: Pixels that a picture is not reduced below.

    Returns:
        Pixels with EXIF orientation applied, shape (height, width, channels), uint8 or uint16,
        in the file's own range; and by how much they were reduced: 1, 2, 4 or 8, the sides of what
        is left being rounded up.

    Raises:
        UserError: the file is missing, empty, cut, damaged, or has other pixels than that.
    """
    data = read_whole(path)
    if data.startswith(TIFF_STARTS) and read_header(path, oriented=True).dtype == "uint8":
        shown = _decode_by_pillow(path, data, "RGB" if channels == 3 else "L")
        return shown.reshape(*shown.shape[:2], channels), 1
    color = cv2.IMREAD_COLOR_RGB if channels == 3 else cv2.IMREAD_GRAYSCALE
    factor = _reduction(data, enough)
    size = _SIZES[factor] if factor > 1 else cv2.IMREAD_ANYDEPTH
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), color | size)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        received = "data that OpenCV cannot decode" if pixels is None else f"{pixels.dtype} pixels"
        raise unreadable(path, "a PNG, JPEG or TIFF image of 8 or 16 bits", received)
    return pixels.reshape(*pixels.shape[:2], channels), factor


def read_mask(path: Path, *, colors: bool) -> np.ndarray:
    """Read a mask's stored values, or its colours.

    Args:
        path: A PNG or TIFF file.
        colors: False: a grey image gives its values (0 to 3 for two bits), a palette image its
            indices, one of equal channels their value. True: any image gives RGB.

    Returns:
        Values, shape (height, width), uint8 or uint16; or colours, (height, width, 3), uint8.

    Raises:
        UserError: the file is missing, empty, cut, damaged, a JPEG, or in colour when
            `colors` is false.
    """
    data = read_whole(path)
    if data.startswith(JPEG_START):
        raise unreadable(path, "a mask in PNG or TIFF", "a JPEG, which does not keep exact values")
    pixels = _decode_by_pillow(path, data, "RGB" if colors else None)
    if colors:
        return pixels
    if pixels.ndim == 3:
        pixels = _single_channel(path, pixels)
    if pixels.dtype == bool:
        return pixels.astype(np.uint8)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise unreadable(path, "a mask of 8 or 16 bits", f"{pixels.dtype} pixels")
    return pixels


def _reduction(data: bytes, enough: float) -> int:
    if not data.startswith(JPEG_START) or enough == math.inf:
        return 1
    height, width = jpeg_size(data)
    return next((factor for factor in _SIZES if height * width >= enough * factor**2), 1)


def _decode_by_pillow(path: Path, data: bytes, mode: str | None) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if mode:
                return np.asarray(image.convert(mode))
            # Pillow spreads greys of two and four bits over 0 to 255; the stored ids count here.
            step = _STEPS.get(str(image.tile[0].args), 1) if image.tile else 1
            return np.asarray(image) // step if step > 1 else np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise unreadable(path, "a PNG, JPEG or TIFF image", str(error)) from error


def _single_channel(path: Path, pixels: np.ndarray) -> np.ndarray:
    grey = pixels[..., 0]
    if pixels.shape[2] >= 3 and not (pixels[..., 1:3] == grey[..., None]).all():
        raise UserError(
            f"{path} is a colour image where a mask of values is expected",
            "one channel, a palette, or equal channels",
            f"{pixels.shape[2]} channels that differ",
            "set dataset.mask_mode=colors and list dataset.colors, or convert the masks",
        )
    return np.ascontiguousarray(grey)
