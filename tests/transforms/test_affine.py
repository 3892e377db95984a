"""Matrices from a pixel of a result to its place in the source."""

import math

import numpy as np
import pytest

from reprise.transforms.affine import affine, scaling

SIZE = (5, 9)  # height and width: the middle is at column 4, row 2
STILL = {"angle": 0.0, "shift": (0.0, 0.0), "shear": 0.0, "zoom": (1.0, 1.0)}


def place(column, row, **change):
    moved = affine(SIZE, **{**STILL, **change}) @ [column, row, 1]
    return pytest.approx((moved[0], moved[1]))


def test_nothing_moves_where_nothing_is_asked():
    assert np.array_equal(affine(SIZE, **STILL), np.eye(3))


def test_each_change_alone():
    assert place(6, 2, shift=(3, 0)) == (9, 2)
    assert place(6, 2, shift=(0, 3)) == (6, 5)
    assert place(6, 2, zoom=(0.5, 1)) == (5, 2)
    assert place(4, 4, zoom=(0.5, 2)) == (4, 6)
    assert place(0, 1, zoom=(-1, 1)) == (8, 1)
    assert place(0, 1, zoom=(1, -1)) == (0, 3)
    assert place(6, 2, angle=math.pi / 2) == (4, 4)
    assert place(4, 4, shear=math.pi / 6) == (3, 2 + 2 * math.cos(math.pi / 6))


def test_the_middle_stays_under_all_but_shifts():
    assert place(4, 2, angle=1, shear=0.4, zoom=(0.6, -1.3)) == (4, 2)


def test_changes_are_applied_from_zoom_to_rotation():
    assert place(5, 2, angle=math.pi / 2, shift=(2, 0), zoom=(3, 1)) == (4, 7)


def test_scaling_keeps_the_corners_of_the_picture():
    assert (scaling(4, 0.5) @ [-0.5, -0.5, 1]).tolist() == [-0.5, -0.5, 1]
    assert (scaling(4, 0.5) @ [1.5, 9.5, 1]).tolist() == [7.5, 4.5, 1]
