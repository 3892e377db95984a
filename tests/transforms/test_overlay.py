"""Pictures for people."""

import numpy as np

from reprise.transforms.overlay import overlay, spread_colors, viewable


def test_eight_bits_are_shown_as_they_are():
    rgb = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(viewable(rgb), rgb)
    assert np.array_equal(viewable(rgb[..., :1]), np.repeat(rgb[..., :1], 3, 2))


def test_sixteen_bits_are_stretched():
    deep = np.array([[[1000], [2000], [3000]]], np.uint16)
    assert viewable(deep)[..., 0].tolist() == [[0, 127, 255]]
    assert viewable(np.full((2, 2, 3), 7, np.uint16)).max() == 0


def test_classes_are_tinted_and_what_is_ignored_is_hatched():
    picture = np.full((16, 16, 3), 100, np.uint8)
    ids = np.zeros((16, 16), np.uint8)
    ids[:, 4:8] = 1
    ids[:, 8:] = 255
    drawn = overlay(picture, ids, [None, (200, 0, 50)], 255)
    assert (drawn[:, :4] == 100).all()
    assert (drawn[:, 4:8] == [150, 50, 75]).all()
    assert set(np.unique(drawn[:, 8:])) == {25 + 48, 25 + 120}
    assert (picture == 100).all()


def test_colours_are_told_apart():
    for count in (1, 2, 11, 40):
        colors = spread_colors(count)
        assert len(set(colors)) == count
        assert all(len(color) == 3 and 0 <= min(color) <= max(color) <= 255 for color in colors)
