"""Pictures that have far more pixels than a model sees: averaged once, before anything random.

A picture is brought down by a whole number, until it has less than twice the size that is needed;
one warp does the rest. So a photograph of 12 megapixels costs, and in a cache takes, little more
than the picture that is made of it.
"""

import math

import cv2
import numpy as np


def pixels_needed(size: tuple[int, int], fit: str) -> float:
    """Pixels that a whole picture is not reduced below.

    Args:
        size: Height and width of a model's input.
        fit: 'crop' needs every pixel there is; 'resize' as many as the input has, whatever the
            augmentation: samples for validation do not depend on it.
    """
    return math.inf if fit == "crop" else size[0] * size[1]


def reduced(pixels: np.ndarray, enough: float) -> np.ndarray:
    """Average blocks of whole pixels, as large as leaves `enough` of them.

    Args:
        pixels: Shape (height, width, channels), uint8 or uint16.
        enough: Pixels of the whole, as `pixels_needed` gives them.

    Returns:
        The same dtype and channels; `pixels` itself where it has less than four times enough.
    """
    step = int(math.sqrt(pixels.shape[0] * pixels.shape[1] / enough) + 1e-6)
    height, width = pixels.shape[0] // max(step, 1), pixels.shape[1] // max(step, 1)
    if step < 2 or not height or not width:
        return pixels
    smaller = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return smaller.reshape(height, width, pixels.shape[2])


def reduced_mask(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bring a mask to its picture's size; no value appears that was not there.

    Args:
        values: Shape (height, width), uint8.
        shape: Of the picture: its height and width first.
    """
    if values.shape == shape[:2]:
        return values
    return cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST_EXACT)
