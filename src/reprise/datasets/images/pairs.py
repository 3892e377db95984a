"""An image file and its mask file, read together or looked over without training on them."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reprise.datasets.images.checks import find_problems, require_dtype
from reprise.datasets.images.files import read_reduced
from reprise.datasets.images.headers import read_header
from reprise.datasets.images.mask_coding import MaskCoding
from reprise.errors import UserError
from reprise.transforms.place import reduce_image, reduce_mask

Pair = tuple[Path, Path]
_DECODED_MASKS = 256  # enough to meet a wrong coding, few enough to be quick


def read_pair(
    pair: Pair, coding: MaskCoding, channels: int, dtype: str, enough: float
) -> tuple[np.ndarray, np.ndarray]:
    """Read an image and its mask, both reduced alike where the files have more than is needed.

    Args:
        pair: The image file and the mask file.
        coding: How the mask is read.
        channels: 1 or 3, see `read_reduced`.
        dtype: 'uint8' or 'uint16', what the image has to have.
        enough: Pixels that they are not reduced below; see `pixels_needed`.

    Returns:
        Image, shape (height, width, channels), and class ids, shape (height, width), uint8.

    Raises:
        UserError: a file cannot be read, or the two do not fit; the file is named.
    """
    image, factor = read_reduced(pair[0], channels, enough)
    require_dtype(pair[0], str(image.dtype), dtype)
    ids = coding.read(pair[1])
    if image.shape[:2] != tuple(-(-side // factor) for side in ids.shape):
        _compare_headers(pair, dtype)  # says so, in the files' own sizes
    image = reduce_image(image, enough)
    return image, reduce_mask(ids, image.shape)


def check_pairs(
    pairs: Sequence[Pair], coding: MaskCoding, channels: int, dtype: str, *, thorough: bool
) -> list[str]:
    """Look at every file's head and tail, and decode some masks, evenly spaced.

    Args:
        pairs: Image and mask files.
        coding: How the masks are read.
        channels: 1 or 3, see `read_reduced`.
        dtype: 'uint8' or 'uint16', what every image has to have.
        thorough: Decode every image and every mask.

    Returns:
        One line for each pair with a problem, in the order of `pairs`.
    """
    stride = 1 if thorough else max(1, len(pairs) // _DECODED_MASKS)

    def look(at: int) -> None:
        if thorough:
            read_pair(pairs[at], coding, channels, dtype, math.inf)
            return
        _compare_headers(pairs[at], dtype)
        if at % stride == 0:
            coding.read(pairs[at][1])

    return find_problems(look, len(pairs))


def _compare_headers(pair: Pair, dtype: str) -> None:
    image, mask = read_header(pair[0], oriented=True), read_header(pair[1], oriented=False)
    require_dtype(pair[0], image.dtype, dtype)
    size, own = (image.height, image.width), (mask.height, mask.width)
    if size != own:
        raise UserError(
            f"{pair[1]} has another size than its image {pair[0]}",
            f"{size[0]} rows and {size[1]} columns, after the image's EXIF orientation",
            f"{own[0]} rows and {own[1]} columns",
            "draw the mask at the size of the image",
        )
