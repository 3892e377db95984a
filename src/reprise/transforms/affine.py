"""Matrices (3, 3), float64, from a pixel (column, row, 1) of a result to its place in the source.

The middle of the first pixel is at (0, 0), as OpenCV has it.
"""

import math

import numpy as np


def scaling(x: float, y: float) -> np.ndarray:
    """Scale about the outer corner of the first pixel.

    Args:
        x: Pixels along the width of the source for one of the result.
        y: The same along the height.
    """
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def affine(
    size: tuple[int, int],
    *,
    angle: float,
    shift: tuple[float, float],
    shear: float,
    zoom: tuple[float, float],
) -> np.ndarray:
    """Compose one change of a picture about its middle: rotation @ shift @ shear @ zoom.

    Args:
        size: Height and width of the picture, in pixels.
        angle: Turn, in radians.
        shift: Along the width and the height, in pixels.
        shear: Shear angle, in radians.
        zoom: Part of the width and of the height that is seen; negative mirrors.
    """
    turning = np.array(
        [
            [math.cos(angle), -math.sin(angle), 0],
            [math.sin(angle), math.cos(angle), 0],
            [0, 0, 1],
        ]
    )
    shifting = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]])
    shearing = np.array([[1, -math.sin(shear), 0], [0, math.cos(shear), 0], [0, 0, 1]])
    zooming = np.diag([zoom[0], zoom[1], 1])
    to_middle = np.array([[1, 0, (size[1] - 1) / 2], [0, 1, (size[0] - 1) / 2], [0, 0, 1]])
    from_middle = np.array([[1, 0, (1 - size[1]) / 2], [0, 1, (1 - size[0]) / 2], [0, 0, 1]])
    return to_middle @ turning @ shifting @ shearing @ zooming @ from_middle
