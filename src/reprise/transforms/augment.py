"""Random changes to a picture, named as Keras's ImageDataGenerator names them.

The meanings are those of Keras's documentation; where its code departs from it (shifts that
change places, a centre off the middle of oblong images), the documentation is followed.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Interval, Len

from reprise.errors import UserError
from reprise.transforms.affine import affine


@dataclass(frozen=True)
class Augment:
    """How far each random change may go; a value is drawn anew for every sample.

    Args:
        rotation_range: Largest turn to either side, in degrees.
        width_shift_range: Largest shift along the width to either side: below 1 a fraction of the
            model's image width, from 1 on pixels of it.
        height_shift_range: The same along the height.
        shear_range: Largest shear angle to either side, in degrees.
        zoom_range: Part of the picture that is seen, [lowest, highest], for width and height by
            themselves; below 1 magnifies. One number z means [1 - z, 1 + z].
        horizontal_flip: Mirror left and right in half of the samples.
        vertical_flip: Mirror top and bottom in half of the samples.
        brightness_range: Factor on the pixels, [lowest, highest]; None leaves them.
        fill_mode: What stands outside of the picture: 'constant' `cval`, with the target ignored
            there (background, for a yes/no target); 'nearest', 'reflect' and 'wrap' continue
            picture and target alike.
        cval: Pixel value for 'constant', in the picture's own range.

    Raises:
        UserError: the ends of a range stand in the wrong order.
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
        """Draw the changes of one sample; every call takes the same amount from `rng`.

        Args:
            rng: Source of the draw.
            size: Height and width of the changed picture, in pixels.

        Returns:
            A matrix (3, 3), float64, from a pixel (column, row, 1) of the changed picture to the
            place in the unchanged one of the same size that it shows; and the brightness factor.
        """
        turn, shear, shift_x, shift_y = rng.uniform(-1, 1, 4)
        zoom = rng.uniform(*self._zoom_ends(), 2)
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
        """Whether it changes nothing, whatever is drawn."""
        return replace(self, fill_mode="nearest", cval=0.0) == Augment()

    def _zoom_ends(self) -> tuple[float, float]:
        if isinstance(self.zoom_range, list):
            return self.zoom_range[0], self.zoom_range[1]
        return 1 - self.zoom_range, 1 + self.zoom_range
