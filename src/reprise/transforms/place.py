"""Brings an image and its mask to the model's size: one random draw, and one warp of each.

A warp mixes four pixels of the source and skips all others between them, so that much larger
images are averaged first: by a whole factor when they are read (`reduce_image`), and once more
where a placement needs it.
"""

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from reprise.transforms.augment import Augment

Fit = Literal["resize", "crop"]

_BORDERS = {
    "constant": cv2.BORDER_CONSTANT,
    "nearest": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "wrap": cv2.BORDER_WRAP,
}


@dataclass(frozen=True)
class Placement:
    """Where every pixel of the result comes from: drawn once, used for an image and its mask.

    Args:
        size: Height and width of the result, in pixels.
        fit: 'resize' scales the source; 'crop' cuts `size` out of it and pads a smaller source.
        corner: Row and column of the padded source at which a crop starts, in pixels.
        matrix: The random change, as from `Augment.draw`; None for no change.
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
        """Place an image, interpolating between pixels.

        Args:
            pixels: Shape (height, width, channels), uint8 or uint16.

        Returns:
            Shape (*size, channels), of the same dtype and range.
        """
        if pixels.shape[2] > 4:  # more than OpenCV's scalars have
            parts = np.split(pixels, range(4, pixels.shape[2], 4), axis=2)
            return np.concatenate([self.image(part) for part in parts], axis=2)
        placed = self._place(pixels, self.cval, smooth=True)
        if self.brightness != 1:
            placed = cv2.multiply(placed, np.full(4, self.brightness))
        return placed.reshape(*self.size, pixels.shape[2])

    def mask(self, values: np.ndarray, outside: int) -> np.ndarray:
        """Place a mask by nearest neighbours, so that no new value appears.

        Args:
            values: Shape (height, width), uint8.
            outside: Value of padding and of a constant border, 0 to 255.

        Returns:
            Shape (*size, 1), uint8.
        """
        return self._place(values, outside, smooth=False).reshape(*self.size, 1)

    def _place(self, pixels: np.ndarray, outside: float, *, smooth: bool) -> np.ndarray:
        height, width = self.size
        if self.fit == "crop":
            pixels = _pad(pixels, self.size, outside)
            top, left = self.corner
            if self.matrix is None:
                return pixels[top : top + height, left : left + width]
            source = np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
        else:
            source = scaling(pixels.shape[1] / width, pixels.shape[0] / height)
        if self.matrix is not None:
            source = source @ self.matrix
        if smooth:
            step = _whole(math.sqrt(abs(np.linalg.det(source[:2, :2]))))
            smaller = _shrink(pixels, step)
            rows, columns = (smaller.shape[axis] / pixels.shape[axis] for axis in (0, 1))
            pixels, source = smaller, scaling(columns, rows) @ source
        if self.matrix is None:
            kind = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST_EXACT
            return cv2.resize(pixels, (width, height), interpolation=kind)
        mode = self.fill_mode
        return warp(pixels, source, self.size, smooth=smooth, fill_mode=mode, outside=outside)


def draw_placement(
    source_size: tuple[int, int],
    size: tuple[int, int],
    fit: Fit,
    augment: Augment | None,
    rng: np.random.Generator | None,
) -> Placement:
    """Draw the placement of one sample.

    Args:
        source_size: Height and width of the image that was read, in pixels.
        size: Height and width of the result, in pixels.
        fit: See `Placement`.
        augment: The random changes, or None.
        rng: Random generator of the sample; None crops the middle and changes nothing.
    """
    corner = (0, 0)
    if fit == "crop":
        spare = [max(0, have - want) for have, want in zip(source_size, size, strict=True)]
        corner = (spare[0] // 2, spare[1] // 2)
        if rng is not None:
            corner = (int(rng.integers(spare[0] + 1)), int(rng.integers(spare[1] + 1)))
    cval = augment.cval if augment else 0.0
    if rng is None or augment is None or augment.is_idle:
        return Placement(size, fit, corner, cval=cval)
    matrix, brightness = augment.draw(rng, size)
    return Placement(size, fit, corner, matrix, brightness, augment.fill_mode, cval)


def warp(
    pixels: np.ndarray,
    source: np.ndarray,
    size: tuple[int, int],
    *,
    smooth: bool,
    fill_mode: str,
    outside: float,
) -> np.ndarray:
    """Apply an affine transform.

    Args:
        pixels: Shape (height, width) or (height, width, channels), uint8 or uint16.
        source: Matrix from a pixel (column, row, 1) of the result to its place in `pixels`, shape
            (3, 3), float64.
        size: Height and width of the result.
        smooth: Interpolate between four pixels; False takes the nearest.
        fill_mode: 'constant', 'nearest', 'reflect' or 'wrap', as in `Augment`.
        outside: Value for 'constant'.

    Returns:
        Shape (*size, channels), of the same dtype.
    """
    # OpenCV warps four channels in 0.6 of the time that three take, to the same values. Adding the
    # fourth also brings the image into the processor's cache, which a warp reads out of order.
    is_rgb = smooth and pixels.ndim == 3 and pixels.shape[2] == 3
    warped = cv2.warpAffine(
        cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA) if is_rgb else pixels,
        source[:2],
        size[::-1],
        flags=cv2.WARP_INVERSE_MAP | (cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST),
        borderMode=_BORDERS[fill_mode],
        borderValue=(outside,) * 4,
    )
    return cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB) if is_rgb else warped


def scaling(x: float, y: float) -> np.ndarray:
    """Matrix that scales about the outer corner of the first pixel, whose centre is (0, 0).

    Args:
        x: Pixels along the width of the source for one of the result.
        y: The same along the height.
    """
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def pixels_needed(size: tuple[int, int], fit: Fit) -> float:
    """Number of pixels below which `reduce_image` reduces no image.

    Args:
        size: Height and width of the model's input.
        fit: 'crop' needs every pixel of the file; 'resize' as many as the input has, whatever the
            augmentation, so that it does not change samples for validation.
    """
    return math.inf if fit == "crop" else size[0] * size[1]


def reduce_image(pixels: np.ndarray, enough: float) -> np.ndarray:
    """Average blocks of pixels, as large as leaves `enough` of them.

    A photograph of 12 megapixels then costs, and takes in a cache, little more than the input that
    is made of it.

    Args:
        pixels: Shape (height, width, channels), uint8 or uint16.
        enough: From `pixels_needed`.

    Returns:
        The same dtype and channels; `pixels` itself if it has less than four times `enough`.
    """
    return _shrink(pixels, _whole(math.sqrt(pixels.shape[0] * pixels.shape[1] / enough)))


def reduce_mask(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bring a mask to the size of its reduced image by nearest neighbours.

    Args:
        values: Shape (height, width), uint8.
        shape: Of the image, height and width first.
    """
    if values.shape == shape[:2]:
        return values
    return cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST_EXACT)


def _whole(factor: float) -> int:
    """The factor without its fraction, which may be lost to rounding: 2.9999999 is 3."""
    return int(factor + 1e-6)


def _shrink(pixels: np.ndarray, step: int) -> np.ndarray:
    """Average blocks of (step, step) pixels; `pixels` itself where nothing would be left."""
    height, width = pixels.shape[0] // max(step, 1), pixels.shape[1] // max(step, 1)
    if step < 2 or not height or not width:
        return pixels
    smaller = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return smaller.reshape(height, width, pixels.shape[2])


def _pad(pixels: np.ndarray, size: tuple[int, int], outside: float) -> np.ndarray:
    rows, columns = max(0, size[0] - pixels.shape[0]), max(0, size[1] - pixels.shape[1])
    if not rows and not columns:
        return pixels
    ends = (rows // 2, rows - rows // 2, columns // 2, columns - columns // 2)
    return cv2.copyMakeBorder(pixels, *ends, cv2.BORDER_CONSTANT, value=(outside,) * 4)
