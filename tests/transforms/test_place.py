"""Images and masks brought to the model's size."""

import math

import cv2
import numpy as np
import pytest

from reprise.transforms.augment import Augment, affine
from reprise.transforms.place import (
    Placement,
    draw_placement,
    reduce_image,
    reduce_mask,
    warp,
)

IMAGE = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
MASK = IMAGE[..., 0].copy()
STILL = {"angle": 0.0, "shift": (0.0, 0.0), "shear": 0.0, "zoom": (1.0, 1.0)}


def matrix(size=(12, 20), **change):
    return affine(size, **{**STILL, **change})


def both(placement):
    return placement.image(IMAGE), placement.mask(MASK, 255)[..., 0]


@pytest.mark.parametrize("fit", ["resize", "crop"])
@pytest.mark.parametrize("change", [None, np.eye(3)])
def test_a_change_of_nothing_changes_nothing(fit, change):
    image, mask = both(Placement((12, 20), fit, matrix=change))
    assert np.array_equal(image, IMAGE)
    assert np.array_equal(mask, MASK)


def test_flips_and_turns_move_whole_pixels():
    cases = {
        (-1.0, 1.0): np.s_[:, ::-1],
        (1.0, -1.0): np.s_[::-1],
        (-1.0, -1.0): np.s_[::-1, ::-1],
    }
    for zoom, place in cases.items():
        image, mask = both(Placement((12, 20), "resize", matrix=matrix(zoom=zoom)))
        assert np.array_equal(image, IMAGE[place])
        assert np.array_equal(mask, MASK[place])
    square = IMAGE[:, :12]
    turned = Placement((12, 12), "crop", matrix=matrix((12, 12), angle=np.pi / 2))
    assert np.array_equal(turned.image(square), np.rot90(square, -1, (1, 0)))


@pytest.mark.parametrize(
    ("fill_mode", "columns", "outside"),
    [
        ("constant", [None, None, None, 0, 1], 255),
        ("nearest", [0, 0, 0, 0, 1], None),
        ("reflect", [2, 1, 0, 0, 1], None),
        ("wrap", [17, 18, 19, 0, 1], None),
    ],
)
def test_what_stands_outside(fill_mode, columns, outside):
    placement = Placement(
        (12, 20), "resize", matrix=matrix(shift=(-3, 0)), fill_mode=fill_mode, cval=44
    )
    image, mask = both(placement)
    for at, column in enumerate(columns):
        if column is None:
            assert (image[:, at] == 44).all()
            assert (mask[:, at] == outside).all()
        else:
            assert np.array_equal(image[:, at], IMAGE[:, column])
            assert np.array_equal(mask[:, at], MASK[:, column])


@pytest.mark.parametrize("size", [(12, 20), (31, 33), (7, 11), (3, 5)])
def test_a_still_warp_and_a_plain_resize_agree(size):
    plain = both(Placement(size, "resize", fill_mode="nearest"))
    warped = both(Placement(size, "resize", matrix=np.eye(3), fill_mode="nearest"))
    assert np.abs(plain[0].astype(int) - warped[0]).max() <= 1  # grey values: rounding
    assert (plain[1] != warped[1]).mean() <= 0.01  # places exactly between two pixels


def test_a_strong_reduction_averages_and_a_magnified_part_keeps_its_detail():
    lines = np.zeros((64, 64, 1), np.uint8)
    lines[::4] = 200
    for change in (None, np.eye(3)):
        small = Placement((16, 16), "resize", matrix=change, fill_mode="nearest").image(lines)
        assert set(np.unique(small)) == {50}
    lines[::2] = 200
    close = matrix((16, 16), zoom=(0.25, 0.25))
    part = Placement((16, 16), "resize", matrix=close).image(lines)
    assert set(np.unique(part)) == {0, 200}


def test_a_crop_starts_at_its_corner_and_warps_see_what_is_around_it():
    image, mask = both(Placement((4, 6), "crop", corner=(5, 7)))
    assert np.array_equal(image, IMAGE[5:9, 7:13])
    assert np.array_equal(mask, MASK[5:9, 7:13])
    shifted = Placement((4, 6), "crop", (5, 7), matrix=matrix((4, 6), shift=(3, -2)))
    assert np.array_equal(shifted.image(IMAGE), IMAGE[3:7, 10:16])


def test_padding_is_even_and_has_its_own_values():
    image, mask = both(Placement((15, 20), "crop", cval=9))
    assert np.array_equal(image[1:13], IMAGE)
    assert (image[[0, 13, 14]] == 9).all()
    assert np.array_equal(mask[1:13], MASK)
    assert (mask[[0, 13, 14]] == 255).all()


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_multiplies_and_stops_at_the_top(dtype, top, channels):
    pixels = np.tile(np.array([0, 100, top - 10], dtype)[:, None, None], (1, 4, channels))
    bright = Placement((3, 4), "resize", brightness=1.5).image(pixels)
    assert bright.dtype == dtype
    assert bright.shape == (3, 4, channels)
    assert bright[:, 0, channels - 1].tolist() == [0, 150, top]
    assert np.array_equal(
        Placement((3, 4), "resize", brightness=1.5).mask(MASK[:3, :4], 0)[..., 0], MASK[:3, :4]
    )


def test_what_is_drawn_depends_on_rng_and_settings():
    augment = Augment(rotation_range=10, brightness_range=[0.5, 0.9], fill_mode="wrap", cval=3)
    drawn = [
        draw_placement((12, 20), (4, 6), "crop", augment, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    ]
    assert drawn[0].corner == drawn[1].corner
    assert np.array_equal(drawn[0].matrix, drawn[1].matrix)
    assert not np.array_equal(drawn[0].matrix, drawn[2].matrix)
    assert (drawn[0].fill_mode, drawn[0].cval) == ("wrap", 3)
    assert 0.5 <= drawn[0].brightness <= 0.9
    still = draw_placement((12, 20), (4, 6), "crop", augment, None)
    assert (still.corner, still.matrix, still.brightness) == ((4, 7), None, 1.0)
    unchanged = draw_placement((12, 20), (4, 6), "resize", None, np.random.default_rng(0))
    assert unchanged == Placement((4, 6), "resize")


@pytest.mark.parametrize("fit", ["resize", "crop"])
def test_an_idle_augmentation_is_none(fit):
    idle = Augment(fill_mode="constant", cval=7)
    drawn, none = (
        draw_placement((12, 20), (4, 6), fit, augment, np.random.default_rng(3))
        for augment in (idle, None)
    )
    assert (drawn.matrix, drawn.corner, drawn.cval) == (None, none.corner, 7)
    assert idle.is_idle
    for change in ({"rotation_range": 1}, {"vertical_flip": True}, {"brightness_range": [1, 2]}):
        assert not Augment(**change).is_idle


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


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
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
def test_what_is_left_has_less_than_twice_the_sides_and_is_averaged(size, left, dtype):
    pixels = np.zeros((*size, 3), dtype)
    pixels[::2] = 200
    small = reduce_image(pixels, 600)
    assert (small.shape, small.dtype) == ((*left, 3), dtype)
    if size == (40, 60):
        assert (small == 100).all()
        assert (reduce_image(pixels[..., :1], 600) == 100).all()
    assert reduce_image(pixels, math.inf) is pixels


def test_a_mask_follows_its_picture_and_keeps_its_values():
    values = np.kron(np.array([[1, 7], [255, 0]], np.uint8), np.ones((6, 9), np.uint8))
    assert reduce_mask(values, (12, 18, 3)) is values
    small = reduce_mask(values, (4, 6, 3))
    assert np.array_equal(small, np.kron([[1, 7], [255, 0]], np.ones((2, 3))))
