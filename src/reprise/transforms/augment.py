"""Random changes to an image, named as in Keras's ImageDataGenerator.

They mean what Keras's documentation says. Where Keras's code departs from it (width and height
shifts exchanged, a centre beside the middle of images that are not square), this code does not.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Interval, Len

from reprise.errors import UserError


@dataclass(frozen=True)
class Augment:
    """Ranges of the random changes; a value is drawn for every sample.

    Args:
        rotation_range: Largest rotation to either side, in degrees.
        width_shift_range: Largest shift along the width to either side: below 1 a fraction of the
            model's image width, from 1 on pixels of it.
        height_shift_range: The same along the height.
        shear_range: Largest shear angle to either side, in degrees.
        zoom_range: Visible part of the image, [lowest, highest], drawn separately for width and
            height; below 1 magnifies. One number z means [1 - z, 1 + z].
        horizontal_flip: Mirror left and right in half of the samples.
        vertical_flip: Mirror top and bottom in half of the samples.
        brightness_range: Factor on the pixels, [lowest, highest]; None leaves them.
        fill_mode: Pixels outside of the image: 'constant' is `cval`, and the target is ignored
            there (background, for a binary mask); 'nearest', 'reflect' and 'wrap' continue image
            and target alike.
        cval: Pixel value for 'constant', in the image's own range.

    Raises:
        UserError: a range is not in ascending order.
    """

    rotation_range: Annotated[float, Interval(ge=0, le=180)] = 0.0
    width_shift_range: Annotated[float, Ge(0)] = 0.0
    height_shift_range: Annotated[float, Ge(0)] = 0.0
    shear_range: Annotated[float, Interval(ge=0, lt=90)] = 0.0
    zoom_range: (
        Annotated[float, Interval(ge=0, lt=1)] | Annotated[list[Annotated[float, Gt(0)]], Len(2, 2)]
    ) = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    brightness_range: Annotated[list[Annotated[float, Ge(0)]], Len(2, 2)] | None = None
    fill_mode: Literal["constant", "nearest", "reflect", "wrap"] = "nearest"
    cval: Annotated[float, Ge(0)] = 0.0

    def __post_init__(self) -> None:
        for key in ("zoom_range", "brightness_range"):
            value = getattr(self, key)
            if isinstance(value, list) and value[0] > value[1]:
                raise UserError(
                    f"dataset.augment.{key} runs backwards",
                    "[lowest, highest]",
                    str(value),
                    f"write dataset.augment.{key}=[{value[1]},{value[0]}]",
                )

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, float]:
        """Draw the changes of one sample.

        Every call takes the same number of values from `rng`, so that one setting does not change
        what is drawn for another.

        Args:
            rng: Random generator of the sample.
            size: Height and width of the image, in pixels.

        Returns:
            The matrix of `affine`, and the factor on the brightness.
        """
        turn, shear, shift_x, shift_y = rng.uniform(-1, 1, 4)
        z = self.zoom_range
        least, most = z if isinstance(z, list) else (1 - z, 1 + z)
        zoom = rng.uniform(least, most, 2)
        flips = rng.random(2) < 0.5
        brightness = rng.uniform(*(self.brightness_range or (1.0, 1.0)))
        height, width = size
        matrix = affine(
            size,
            angle=math.radians(turn * self.rotation_range),
            shift=(
                shift_x * self.width_shift_range * (width if self.width_shift_range < 1 else 1),
                shift_y * self.height_shift_range * (height if self.height_shift_range < 1 else 1),
            ),
            shear=math.radians(shear * self.shear_range),
            zoom=(
                zoom[0] * (-1 if self.horizontal_flip and flips[0] else 1),
                zoom[1] * (-1 if self.vertical_flip and flips[1] else 1),
            ),
        )
        return matrix, brightness

    @cached_property
    def is_idle(self) -> bool:
        """Whether no setting changes anything."""
        return replace(self, fill_mode="nearest", cval=0.0) == Augment()


def affine(
    size: tuple[int, int],
    *,
    angle: float,
    shift: tuple[float, float],
    shear: float,
    zoom: tuple[float, float],
) -> np.ndarray:
    """Compose an affine transform about the middle of an image: rotation @ shift @ shear @ zoom.

    Args:
        size: Height and width of the image, in pixels.
        angle: Rotation, in radians.
        shift: Along the width and the height, in pixels.
        shear: Shear angle, in radians.
        zoom: Part of the width and of the height that is visible; negative mirrors.

    Returns:
        Matrix from a pixel (column, row, 1) of the result to its place in the source, shape
        (3, 3), float64. The centre of the first pixel is (0, 0), as in OpenCV.
    """
    rotation = np.array(
        [
            [math.cos(angle), -math.sin(angle), 0],
            [math.sin(angle), math.cos(angle), 0],
            [0, 0, 1],
        ]
    )
    translation = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]])
    shearing = np.array([[1, -math.sin(shear), 0], [0, math.cos(shear), 0], [0, 0, 1]])
    zooming = np.diag([zoom[0], zoom[1], 1])
    to_middle = np.array([[1, 0, (size[1] - 1) / 2], [0, 1, (size[0] - 1) / 2], [0, 0, 1]])
    from_middle = np.array([[1, 0, (1 - size[1]) / 2], [0, 1, (1 - size[0]) / 2], [0, 0, 1]])
    return to_middle @ rotation @ translation @ shearing @ zooming @ from_middle
