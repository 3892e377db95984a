"""Draws of random changes: their ranges, their units, their order."""

import math

import numpy as np
import pytest

from reprise.errors import UserError
from reprise.transforms.augment import Augment, affine

SIZE = (50, 100)


def draws(count=400, **ranges):
    """Matrices and brightness of many draws."""
    augment = Augment(**ranges)
    found = [augment.draw(np.random.default_rng(seed), SIZE) for seed in range(count)]
    return np.array([matrix for matrix, _ in found]), np.array([factor for _, factor in found])


def test_by_itself_nothing_changes():
    matrices, factors = draws(5)
    assert np.array_equal(matrices, np.tile(np.eye(3), (5, 1, 1)))
    assert (factors == 1).all()


def angles(matrices):
    return np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))


@pytest.mark.parametrize(
    ("settings", "drawn", "low", "high"),
    [
        ({"rotation_range": 30}, lambda m, _: angles(m), -30, 30),
        ({"shear_range": 30}, lambda m, _: m[:, 0, 1], -0.5, 0.5),
        ({"zoom_range": 0.2}, lambda m, _: m[:, [0, 1], [0, 1]], 0.8, 1.2),
        ({"zoom_range": [0.5, 0.9]}, lambda m, _: m[:, [0, 1], [0, 1]], 0.5, 0.9),
        ({"brightness_range": [0.5, 2.0]}, lambda _, factors: factors, 0.5, 2),
        *(
            ({f"{key}_shift_range": shift}, lambda m, _, at=at: m[:, at, 2], -pixels, pixels)
            for key, at, side in (("width", 0, 100), ("height", 1, 50))
            for shift, pixels in ((0.2, 0.2 * side), (1, 1), (12, 12))
        ),
    ],
)
def test_values_fill_their_range(settings, drawn, low, high):
    """Angles are in degrees; a shift is a fraction below 1, and pixels from 1 on."""
    matrices, factors = draws(**settings)
    values = drawn(matrices, factors).reshape(len(matrices), -1)
    for of_one_side in values.T:
        assert low <= of_one_side.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < of_one_side.max() <= high
    assert len(np.unique(values)) == values.size  # the two sides are zoomed by themselves
    assert (factors == 1).all() or "brightness_range" in settings


@pytest.mark.parametrize(("key", "at"), [("horizontal_flip", 0), ("vertical_flip", 1)])
def test_a_flip_happens_in_half_of_the_samples(key, at):
    matrices, _ = draws(**{key: True})
    flipped = matrices[:, at, at] == -1
    assert 160 < flipped.sum() < 240
    assert (matrices[:, 1 - at, 1 - at] == 1).all()


def test_the_same_state_draws_the_same_and_settings_do_not_shift_other_draws():
    rotated, _ = draws(20, rotation_range=30)
    both, _ = draws(20, rotation_range=30, zoom_range=0.2, brightness_range=[0.5, 2.0])
    assert np.array_equal(rotated, draws(20, rotation_range=30)[0])
    angle = np.arctan2(both[:, 1, 0], both[:, 0, 0])
    assert np.allclose(angle, np.arctan2(rotated[:, 1, 0], rotated[:, 0, 0]))
    rngs = np.random.default_rng(0), np.random.default_rng(0)
    Augment().draw(rngs[0], SIZE)
    Augment(rotation_range=9, vertical_flip=True, zoom_range=0.5).draw(rngs[1], SIZE)
    assert rngs[0].random() == rngs[1].random()


@pytest.mark.parametrize("key", ["zoom_range", "brightness_range"])
def test_a_range_that_runs_backwards_is_refused(key):
    with pytest.raises(UserError, match=rf"(?s){key} runs backwards.*{key}=\[0.5,1.5\]"):
        Augment(**{key: [1.5, 0.5]})


SMALL = (5, 9)  # height and width: the middle is at column 4, row 2
STILL = {"angle": 0.0, "shift": (0.0, 0.0), "shear": 0.0, "zoom": (1.0, 1.0)}


def place(column, row, **change):
    moved = affine(SMALL, **{**STILL, **change}) @ [column, row, 1]
    return pytest.approx((moved[0], moved[1]))


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
