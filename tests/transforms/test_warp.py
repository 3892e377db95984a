"""The warp against OpenCV's own of as many channels."""

import cv2
import numpy as np
import pytest

from reprise.transforms.warp import warp

SOURCE = np.array([[0.9, -0.2, 7.3], [0.25, 1.1, -6.2], [0, 0, 1]])


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    ("fill_mode", "border"),
    [("constant", 0), ("nearest", 1), ("reflect", 2), ("wrap", 3)],  # OpenCV's BorderTypes
)
def test_three_channels_are_what_each_alone_is(dtype, fill_mode, border):
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(0).integers(0, top + 1, (61, 83, 3), dtype)
    warped = warp(pixels, SOURCE, (48, 57), smooth=True, fill_mode=fill_mode, outside=7)
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    settings = {"flags": flags, "borderMode": border, "borderValue": (7,) * 4}
    assert warped.shape == (48, 57, 3)
    assert warped.dtype == dtype
    assert np.array_equal(warped, cv2.warpAffine(pixels, SOURCE[:2], (57, 48), **settings))
    for channel in range(3):
        alone = np.ascontiguousarray(pixels[..., channel])
        assert np.array_equal(
            warped[..., channel], cv2.warpAffine(alone, SOURCE[:2], (57, 48), **settings)
        )


def test_the_nearest_pixel_makes_no_new_value():
    mask = np.random.default_rng(0).integers(0, 2, (61, 83), np.uint8) * 200
    warped = warp(mask, SOURCE, (48, 57), smooth=False, fill_mode="constant", outside=9)
    assert set(np.unique(warped)) == {0, 9, 200}
