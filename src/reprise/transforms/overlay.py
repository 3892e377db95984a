"""Pictures for people: any image as 8-bit RGB, and class ids drawn over it."""

import colorsys
from collections.abc import Sequence

import numpy as np

Color = tuple[int, ...]


def viewable(pixels: np.ndarray) -> np.ndarray:
    """Show an image as a screen can.

    Args:
        pixels: Shape (height, width, 1 or 3). Grey is repeated; other dtypes than uint8 (of 16
            bits cameras seldom use all) are stretched from the lowest to the highest value.

    Returns:
        RGB, shape (height, width, 3), uint8, 0 to 255.
    """
    if pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        pixels = ((pixels - low) * (255.0 / (high - low or 1))).astype(np.uint8)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def overlay(
    picture: np.ndarray, ids: np.ndarray, colors: Sequence[Color | None], ignore: int | None
) -> np.ndarray:
    """Tint a picture with the colours of its classes.

    Args:
        picture: RGB, shape (height, width, 3), uint8.
        ids: Class of each pixel, shape (height, width).
        colors: Red, green and blue of each class, 0 to 255; None leaves the picture as it is.
        ignore: The id that is hatched in grey, or None.

    Returns:
        RGB, shape (height, width, 3), uint8.
    """
    drawn = picture.copy()
    for number, color in enumerate(colors):
        if color is not None:
            here = ids == number
            drawn[here] = drawn[here] // 2 + np.array(color, np.uint8) // 2
    if ignore is not None:
        rows, columns = np.indices(ids.shape)
        hatch = np.where((rows + columns) % 8 < 4, 64, 160).astype(np.uint8)
        here = ids == ignore
        drawn[here] = drawn[here] // 4 + hatch[here][:, None] // 4 * 3
    return drawn


def spread_colors(count: int) -> list[Color]:
    """Make colours that are told apart: hues around the circle, every other one darker.

    Returns:
        Red, green and blue of each, 0 to 255.
    """
    colors = [colorsys.hsv_to_rgb(at / count, 1, 1 if at % 2 == 0 else 0.6) for at in range(count)]
    return [tuple(round(255 * part) for part in color) for color in colors]
