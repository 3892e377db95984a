"""Pictures with far more pixels than are needed."""

import math

import numpy as np
import pytest

from reprise.transforms.reduce import pixels_needed, reduced, reduced_mask


def test_a_crop_needs_all_and_a_resize_what_the_model_sees():
    assert pixels_needed((30, 40), "crop") == math.inf
    assert pixels_needed((30, 40), "resize") == 1200


@pytest.mark.parametrize(
    ("size", "left"),
    [
        ((20, 30), (20, 30)),
        ((39, 59), (39, 59)),
        ((40, 60), (20, 30)),
        ((59, 89), (29, 44)),
        ((63, 90), (21, 30)),
        ((10, 240), (5, 120)),
        ((1, 6000), (1, 6000)),
    ],
)
def test_what_is_left_has_less_than_twice_the_sides(size, left):
    pixels = np.zeros((*size, 3), np.uint8)
    assert reduced(pixels, 600).shape == (*left, 3)
    assert reduced(pixels, math.inf) is pixels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_blocks_are_averaged(dtype, channels):
    pixels = np.zeros((8, 12, channels), dtype)
    pixels[::2] = 200
    small = reduced(pixels, 24)
    assert (small.shape, small.dtype) == ((4, 6, channels), dtype)
    assert (small == 100).all()


def test_a_mask_follows_its_picture_and_keeps_its_values():
    values = np.kron(np.array([[1, 7], [255, 0]], np.uint8), np.ones((6, 9), np.uint8))
    assert reduced_mask(values, (12, 18, 3)) is values
    small = reduced_mask(values, (4, 6, 3))
    assert np.array_equal(small, np.kron([[1, 7], [255, 0]], np.ones((2, 3))))
