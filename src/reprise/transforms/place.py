"""An image and its mask, brought to the model's size by one draw and one warp each.

A strong reduction averages first, since a warp looks at four pixels and skips the others.
"""

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from reprise.transforms.affine import scaling
from reprise.transforms.augment import Augment
from reprise.transforms.warp import warp

Fit = Literal["resize", "crop"]


@dataclass(frozen=True)
class Placement:
    """Where every pixel of the result comes from; drawn once, then used for image and mask.

    Args:
        size: Height and width of the result, in pixels.
        fit: 'resize' scales the source; 'crop' cuts `size` out of it and pads what is smaller.
        corner: Row and column of the padded source where a crop starts, in pixels.
        matrix: The random change, as from `Augment.draw`; None where there is none.
        brightness: Factor on the pixels of an image.
        fill_mode: As in `Augment`.
        cval: As in `Augment`.
    """

    size: tuple[int, int]
    fit: Fit
    corner: tuple[int, int] = (0, 0)
    matrix: np.ndarray | None = None
    brightness: float = 1.0
    fill_mode: str = "constant"
    cval: float = 0.0

    def image(self, pixels: np.ndarray) -> np.ndarray:
        """Place a picture, smoothly.

        Args:
            pixels: Shape (height, width, channels), uint8 or uint16.

        Returns:
            Shape (*size, channels), of the same dtype and range.
        """
        placed = self._place(pixels, self.cval, smooth=True)
        if self.brightness != 1:
            placed = cv2.multiply(placed, np.full(4, self.brightness))
        return placed.reshape(*self.size, pixels.shape[2])

    def mask(self, values: np.ndarray, outside: int) -> np.ndarray:
        """Place a mask; no value appears that was not there.

        Args:
            values: Shape (height, width), uint8.
            outside: Value of padding and of a constant border, 0 to 255.

        Returns:
            Shape (*size, 1), uint8.
        """
        return self._place(values, outside, smooth=False).reshape(*self.size, 1)

    def _place(self, pixels: np.ndarray, outside: float, *, smooth: bool) -> np.ndarray:
        if self.fit == "crop":
            pixels = _pad(pixels, self.size, outside)
        height, width = self.size
        if self.matrix is None and self.fit == "crop":
            top, left = self.corner
            return pixels[top : top + height, left : left + width]
        source = self._to_source(pixels.shape)
        if self.matrix is not None:
            source = source @ self.matrix
        if smooth:
            pixels, source = _average(pixels, source)
        if self.matrix is None:
            kind = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST_EXACT
            return cv2.resize(pixels, (width, height), interpolation=kind)
        mode = self.fill_mode
        return warp(pixels, source, self.size, smooth=smooth, fill_mode=mode, outside=outside)

    def _to_source(self, shape: tuple[int, ...]) -> np.ndarray:
        """Matrix from a pixel (column, row, 1) of the unchanged result to the padded source."""
        if self.fit == "crop":
            return np.array([[1, 0, self.corner[1]], [0, 1, self.corner[0]], [0, 0, 1.0]])
        return scaling(shape[1] / self.size[1], shape[0] / self.size[0])


def draw_placement(
    source_size: tuple[int, int],
    size: tuple[int, int],
    fit: Fit,
    augment: Augment | None,
    rng: np.random.Generator | None,
) -> Placement:
    """Draw where the pixels of one sample come from.

    Args:
        source_size: Height and width of the image file, in pixels.
        size: Height and width of the result, in pixels.
        fit: See `Placement`.
        augment: The random changes, or None.
        rng: Source of the corner and of the changes; None crops the middle and changes nothing.
    """
    spare = [max(0, have - want) for have, want in zip(source_size, size, strict=True)]
    corner = (spare[0] // 2, spare[1] // 2)
    if fit == "resize":
        corner = (0, 0)
    elif rng is not None:
        corner = (int(rng.integers(spare[0] + 1)), int(rng.integers(spare[1] + 1)))
    cval = augment.cval if augment else 0.0
    if rng is None or augment is None or augment.is_idle:
        return Placement(size, fit, corner, cval=cval)
    matrix, brightness = augment.draw(rng, size)
    return Placement(size, fit, corner, matrix, brightness, augment.fill_mode, cval)


def _pad(pixels: np.ndarray, size: tuple[int, int], outside: float) -> np.ndarray:
    rows, columns = max(0, size[0] - pixels.shape[0]), max(0, size[1] - pixels.shape[1])
    if not rows and not columns:
        return pixels
    ends = (rows // 2, rows - rows // 2, columns // 2, columns - columns // 2)
    return cv2.copyMakeBorder(pixels, *ends, cv2.BORDER_CONSTANT, value=(outside,) * 4)


def _average(pixels: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shrink by the whole number of source pixels that one pixel of the result stands for."""
    step = int(math.sqrt(abs(np.linalg.det(source[:2, :2]))) + 1e-6)
    height, width = pixels.shape[0] // max(step, 1), pixels.shape[1] // max(step, 1)
    if step < 2 or not height or not width:
        return pixels, source
    to_smaller = scaling(width / pixels.shape[1], height / pixels.shape[0])
    smaller = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return smaller, to_smaller @ source
